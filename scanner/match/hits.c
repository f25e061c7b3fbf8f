/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hits - anchors in the spots of a text.
 *
 * Where literals are not looked for in place, spots are put side by side, since to search
 * many short texts costs more than one that is as long.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

/* A search of the spots of one kind. */
struct finding_hits {
	struct scan_stream *s;
	const struct text *t;
	enum spot_kind kind;
	size_t base;  /* of what is searched in the text */
	size_t piece; /* that the last hit was in */
};

/* In ascending order, which they nearly come in. */
static void keep(struct hits *h, const struct hit *one)
{
	size_t i = h->n;
	struct hit *v;

	if (h->n == h->room) {
		const size_t room = h->room > 0 ? 2 * h->room : 1024;

		if ((v = realloc(h->v, room * sizeof(*v))) == NULL) {
			h->failed = true;
			return;
		}
		h->v = v;
		h->room = room;
	}
	for (; i > 0 && h->v[i - 1].at > one->at; i--)
		h->v[i] = h->v[i - 1];
	h->v[i] = *one;
	h->n++;
}

void hits_add(struct hits *h, const struct scan_engine *g, const struct text *t,
              unsigned anchor, size_t at)
{
	const struct anchor *a = &g->anchor[anchor];

	if (at > t->from && at <= t->to &&
	    (!a->followed || literal_followed(&g->literals[anchor], t->p, t->n, at)))
		keep(h, &(struct hit){ .at = at, .id = anchor, .n = a->n });
}

static void collect(void *ctx, unsigned id, size_t end)
{
	const struct finding_hits *f = ctx;

	hits_add(&f->s->hits[f->kind], f->s->g, f->t,
	         id + (unsigned)f->s->g->first_of[f->kind], f->base + end);
}

/* From its place in what was gathered to that in the text; ends come nearly in order. */
static void collect_gathered(void *ctx, unsigned id, size_t end)
{
	struct finding_hits *f = ctx;
	const struct scan_engine *e = f->s->g;
	const struct gathered *g = f->s->gathered;
	const unsigned own = id + (unsigned)e->first_of[f->kind];
	size_t at;

	while (f->piece > 0 && g->piece[f->piece].at >= end)
		f->piece--;
	while (f->piece + 1 < g->pieces && g->piece[f->piece + 1].at < end)
		f->piece++;
	if (end - g->piece[f->piece].at < e->anchor[own].n)
		return; /* half of it is in the piece before */
	at = end - g->piece[f->piece].at + g->piece[f->piece].from;
	if (at > g->piece[f->piece].after)
		hits_add(&f->s->hits[f->kind], e, f->t, own, at);
}

static void search_gathered(struct finding_hits *f)
{
	struct gathered *g = f->s->gathered;

	f->piece = 0;
	if (g->n > 0)
		literals_find(f->s->g->anchors[f->kind], f->s->scratch[f->kind], g->p,
		              g->n, collect_gathered, f);
	sodium_memzero(g->p, g->n); /* not for longer than it is needed, as the buffer */
	g->n = g->pieces = 0;
}

/* What is too large for the rest of the room is cut in two that overlap. */
static void gather(struct finding_hits *f, size_t from, size_t to)
{
	struct gathered *g = f->s->gathered;
	size_t after = f->t->from;

	while (from < to) {
		const size_t room = sizeof(g->p) - g->n;
		const size_t n = to - from < room ? to - from : room;

		g->piece[g->pieces].at = g->n;
		g->piece[g->pieces].from = from;
		g->piece[g->pieces++].after = after;
		memcpy(g->p + g->n, f->t->p + from, n);
		g->n += n;
		from += n;
		after = from;
		if (g->n < sizeof(g->p) && g->pieces < GATHERED_PIECES)
			return;
		search_gathered(f);
		if (from < to)
			from -= f->s->g->longest[f->kind] - 1;
	}
}

static void find_gathered(struct finding_hits *f)
{
	const struct text *t = f->t;
	const size_t least = t->from > RULE_TEXT_MAX ? t->from - RULE_TEXT_MAX : 0;
	size_t next = 0, from, to;

	while (spots_next(f->s->spots, f->kind, &next, &from, &to)) {
		from = from > least ? from : least;
		gather(f, from, to < t->to ? to : t->to);
	}
	search_gathered(f);
}

static void find_in_place(struct finding_hits *f)
{
	size_t end;
	const uint64_t *marks = spots_marks(f->s->spots, f->kind, &f->base, &end);

	literals_find_marked(f->s->g->anchors[f->kind], f->t->p + f->base, end - f->base,
	                     marks, collect, f);
}

void hits_find(struct scan_stream *s, const struct text *t)
{
	for (unsigned kind = 0; kind < SPOT_KINDS; kind++) {
		struct finding_hits f = { .s = s, .t = t, .kind = (enum spot_kind)kind };

		s->hits[kind].n = s->hits[kind].next = 0;
		if (s->g->first_of[kind] == s->g->first_of[kind + 1])
			continue;
		if (literals_in_place(s->g->anchors[kind]))
			find_in_place(&f);
		else
			find_gathered(&f);
	}
	s->hits_of = NULL;
	for (unsigned kind = 0; kind < ANCHOR_KINDS; kind++) {
		s->failed |= s->hits[kind].failed;
		s->hits[kind].failed = false;
	}
}

/* The list that the next one is of, and up to where it goes on without the others. */
static struct hits *choose(struct scan_stream *s)
{
	struct hits *best = NULL;

	s->hits_until = SIZE_MAX;
	for (unsigned kind = 0; kind < ANCHOR_KINDS; kind++) {
		struct hits *h = &s->hits[kind];

		if (h->next == h->n)
			continue;
		if (best == NULL || h->v[h->next].at < best->v[best->next].at) {
			if (best != NULL)
				s->hits_until = best->v[best->next].at;
			best = h;
		} else if (h->v[h->next].at < s->hits_until) {
			s->hits_until = h->v[h->next].at;
		}
	}
	return best;
}

const struct hit *hits_next(struct scan_stream *s)
{
	struct hits *h = s->hits_of;

	/* Most are of the same list as the one before. */
	if (h == NULL || h->next == h->n || h->v[h->next].at >= s->hits_until)
		h = s->hits_of = choose(s);
	return h != NULL ? &h->v[h->next++] : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode_impl.h"

#define LOOK         64u /* characters of a run that are looked at */
#define MIXED_LEAST  6u  /* of so many of an encoded text one is no small letter, … */
#define DIGITS_LEAST 3u  /* … and of hexadecimal text one is a digit */
#define SMALL_BLOB   (256u * 1024) /* bytes that every blob may yield */

struct decoder *decoder_new(void)
{
	return calloc(1, sizeof(struct decoder));
}

void decoder_free(struct decoder *d)
{
	free(d);
}

void decoder_begin(struct decoder *d)
{
	d->seen = d->made = d->skipped = 0;
	memset(d->line_ahead, 0, sizeof(d->line_ahead));
	d->run_ahead = 0;
}

uint64_t decode_skipped(const struct decoder *d)
{
	return d->skipped;
}

const struct decode_span *decode_origin(const struct decoded *t, size_t at)
{
	size_t low = 0, high = t->spans_n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (t->spans[middle].text <= at)
			low = middle;
		else
			high = middle;
	}
	return &t->spans[low];
}

void decode_hold(struct search *s, size_t at)
{
	if (at < s->hold)
		s->hold = at;
}

bool decode_afford(struct search *s, size_t n)
{
	struct decoder *d = s->d;

	if (d->made + n > d->seen * DECODE_FACTOR + SMALL_BLOB) {
		d->skipped += n;
		return false;
	}
	d->made += n;
	return true;
}

static size_t search_text(struct search *s, size_t from);

/* Places in the parent become places in what the caller gave. */
static void outermost(const struct search *s, struct made *m)
{
	const struct decode_span *from, *to;

	if (s->parent == NULL)
		return;
	for (size_t i = 0; i < m->spans_n; i++) {
		struct decode_span *p = &m->spans[i];

		from = decode_origin(s->parent, p->at);
		to = decode_origin(s->parent, p->at + (p->len > 0 ? p->len - 1 : 0));
		p->at = from->at;
		p->len = to->at + to->len - from->at;
	}
}

void decode_tell(struct search *s, struct made *m, const char *how)
{
	struct decoded t = { m->p, m->n, how, s->depth, m->spans, m->spans_n };
	char name[DECODE_HOW];

	if (m->n == 0)
		return;
	if (s->parent != NULL) {
		snprintf(name, sizeof(name), "%s>%s", s->parent->how, how);
		t.how = name;
	}
	outermost(s, m);
	s->fn(s->ctx, &t);
	if (s->depth < DECODE_DEPTH) {
		struct search inner = { .d = s->d,
			                .level = &s->d->level[s->depth],
			                .parent = &t,
			                .p = m->p,
			                .n = m->n,
			                .last = true,
			                .depth = s->depth + 1,
			                .fn = s->fn,
			                .ctx = s->ctx,
			                .hold = SIZE_MAX };

		search_text(&inner, 0);
	}
	m->n = m->spans_n = 0;
}

/* The marks of one block, from byte ${at} of the text on. */
static void mark_lines(struct search *s, size_t at, uint64_t line)
{
	for (; line != 0; line &= line - 1) {
		size_t i = at + (size_t)__builtin_ctzll(line);

		if (decode_may_count(s->p + i, s->n - i))
			decode_line(s, i);
	}
}

/* Where in a block DECODE_RUN_MIN marks follow each other; 64: nowhere. */
static unsigned long_run(uint64_t run)
{
	run &= run >> 1;
	run &= run >> 2;
	run &= run >> 4;
	run &= run >> (DECODE_RUN_MIN - 8);
	return run != 0 ? (unsigned)__builtin_ctzll(run) : 64;
}

/* A block of at most 64 bytes, and the run that is open before it. */
struct block {
	size_t at, n, open;
	uint64_t run;
};

/* Can a run be more than a word or a name?  Base64 has both cases, since each fourth
 * character of text is a capital or one of a few small letters; of hexadecimal text half
 * the characters are digits. */
static bool may_be_coded(const unsigned char *p, size_t n, size_t room)
{
	const struct kinds k = decode_kinds(p, n < LOOK ? n : LOOK, room);
	size_t digits;

	/* What is long may begin otherwise. */
	if (n >= LOOK)
		return (k.digit | k.upper | k.lower) != 0;
	digits = (size_t)__builtin_popcountll(k.digit);
	if (digits * DIGITS_LEAST >= n)
		return true;
	return k.upper != 0 && k.lower != 0 &&
	       (digits + (size_t)__builtin_popcountll(k.upper)) * MIXED_LEAST >= n;
}

/* The next run of the block, if it is long enough. */
static bool next_run(const struct search *s, const struct block *b, size_t *begin,
                     size_t *end)
{
	unsigned first = b->run == UINT64_MAX ? 64 : (unsigned)__builtin_ctzll(~b->run),
		 i = 0;
	uint64_t after;

	if (b->open + first >= DECODE_RUN_MIN) {
		*begin = b->at - b->open;
	} else {
		i = long_run(b->run);
		if (i == 64)
			return false;
		*begin = b->at + i;
	}
	after = ~(b->run >> i);
	*end = b->at + i + (after == 0 ? 64 : (size_t)__builtin_ctzll(after));
	if (*end >= b->at + b->n)
		*end = *begin + decode_run_length(s->p + *begin, s->n - *begin);
	return true;
}

/* Decodes the runs of a block; where to go on. */
static size_t search_block(struct search *s, struct block *b)
{
	const size_t last = b->at + b->n;
	size_t begin, end;

	while (next_run(s, b, &begin, &end)) {
		if (end == s->n || may_be_coded(s->p + begin, end - begin, s->n - begin))
			end = decode_run(s, begin, end);
		b->open = 0;
		if (end >= last || end < b->at)
			return end;
		b->run &= UINT64_MAX << (end - b->at);
	}
	b->open = b->run == 0 ? 0 : (size_t)__builtin_clzll(~(b->run << (64 - b->n)));
	return last;
}

static size_t search_text(struct search *s, size_t from)
{
	static const char *const how[] = { "escapes", "percent", "html", "joined" };
	struct block b = { .at = from };
	size_t lines_from = from;

	while (b.at < s->n) {
		struct marks m;

		b.n = s->n - b.at < 64 ? s->n - b.at : 64;
		m = decode_marks(s->p + b.at, b.n);
		b.run = m.run;
		if (b.at < lines_from)
			m.line &= lines_from - b.at < 64
			                  ? UINT64_MAX << (lines_from - b.at)
			                  : 0;
		mark_lines(s, b.at, m.line);
		lines_from = b.at + b.n > lines_from ? b.at + b.n : lines_from;
		b.at = search_block(s, &b);
	}
	/* A run may begin or go on, and what is before it be its name. */
	if (!s->last)
		decode_hold(s, s->n - b.open > DECODE_NAME ? s->n - b.open - DECODE_NAME
		                                           : 0);
	for (unsigned k = 0; k < LINE__KINDS; k++)
		decode_tell(s, &s->level->line[k], how[k]);
	return s->hold < s->n ? s->hold : s->n;
}

size_t decode_find(struct decoder *d, const unsigned char *p, size_t n, size_t from,
                   bool last, decode_fn fn, void *ctx)
{
	struct search s = { .d = d,
		            .level = &d->level[0],
		            .p = p,
		            .n = n,
		            .last = last,
		            .depth = 1,
		            .fn = fn,
		            .ctx = ctx,
		            .hold = SIZE_MAX };

	size_t next;

	for (unsigned k = 0; k < LINE__KINDS; k++)
		s.line_done[k] = from + d->line_ahead[k];
	s.run_done = from + d->run_ahead;
	d->seen += n - from;
	next = search_text(&s, from);
	/* What was told already of what the next call sees again. */
	for (unsigned k = 0; k < LINE__KINDS; k++)
		d->line_ahead[k] = s.line_done[k] > next ? s.line_done[k] - next : 0;
	d->run_ahead = s.run_done > next ? s.run_done - next : 0;
	return next;
}

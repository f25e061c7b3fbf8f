/* SPDX-License-Identifier: Apache-2.0 */
/* confirm - from anchors to candidates: the rule's expression is run on the lines around
 * an anchor, and what it finds is judged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/skip.h"
#include "match/stream_impl.h"
#include "verdict/context.h"
#include "verdict/random.h"

#define SPAN_MAX       ((size_t)8192) /* of several lines, each way */
#define AROUND         ((size_t)3072) /* what a verdict sees, each way */
#define LINES_SEEN     5u /* and lines, or those that its keywords may be in */
#define PEM_MAX        ((size_t)64 * 1024)
#define RUN_LEAST      12u /* that few texts have */
#define WORD_MAX       ((size_t)64)
#define EXPRESSION_MAX (RULE_TEXT_MAX + 100u)
#define STEP_BACK      ((size_t)512) /* where a search goes on within a line */
#define NEIGHBOURS     ((size_t)40)  /* bytes of a token's charset around it */
#define SEEN_BACK      256u          /* candidates that are compared with a new one */

int founds_add(struct founds *f, const struct found *one)
{
	if (f->n == f->room) {
		size_t room = f->room > 0 ? 2 * f->room : 64;
		struct found *v = realloc(f->v, room * sizeof(*v));

		if (v == NULL)
			return -1;
		f->v = v;
		f->room = room;
	}
	f->v[f->n++] = *one;
	return 0;
}

static struct window window_of(const struct scan_stream *s, const struct text *t,
                               const struct rule *u, size_t at)
{
	unsigned lines = u->by_keyword && u->lines > u->lines_span - 1
	                         ? u->lines
	                         : u->lines_span - 1;

	/* Whole lines: a value shall not end where the window does. */
	if (u->window > 0)
		return (struct window){
			lines_start(t, at > u->window ? at - u->window : 0, LINE_BEFORE),
			lines_end(t, t->n - at > u->window ? at + u->window : t->n,
			          LINE_AFTER)
		};
	return lines_around(&s->anchor_line, t, at, lines, SPAN_MAX);
}

static uint32_t options_of(const struct rule *u)
{
	return u->prefixed ? PCRE2_ANCHORED : u->near ? PCRE2_USE_OFFSET_LIMIT : 0;
}

/* Machine code is worth its making for rules that many places are tried for: those that
 * look for words, not for tokens.  The others' expressions are interpreted, and are
 * compiled when a place is found to try them at. */
static bool often_tried(const struct rule *u)
{
	return u->trigger == TRIGGER_TEXT && u->confidence != CONFIDENCE_HIGH;
}

static const struct expression *expression(struct scan_stream *s, const struct rule *u)
{
	struct expression *x = &s->re[u->index];
	PCRE2_SIZE at;
	int code;

	if (x->code == NULL) {
		x->code = pcre2_compile((PCRE2_SPTR)u->regex, PCRE2_ZERO_TERMINATED,
		                        options_of(u), &code, &at, NULL);
		x->machine = x->code != NULL && often_tried(u) &&
		             pcre2_jit_compile(x->code, PCRE2_JIT_COMPLETE) == 0;
		s->failed |= x->code == NULL;
	}
	return x;
}

/* The first match from byte ${from} of ${n} on. */
static int match(struct scan_stream *s, const struct expression *x,
                 const unsigned char *p, size_t n, size_t from)
{
	if (x->machine)
		return pcre2_jit_match(x->code, p, n, from, 0, s->md, s->limits);
	return pcre2_match(x->code, p, n, from, PCRE2_NO_UTF_CHECK, s->md, s->limits);
}

void scan_stream_prepare(struct scan_stream *s)
{
	for (size_t i = 0; i < s->g->rules->n; i++)
		if (often_tried(&s->g->rules->at[i]))
			(void)expression(s, &s->g->rules->at[i]);
}

/* Is the byte before ${at} part of the token, and not of an escape as \n, or one for a
 * terminal? */
static bool goes_on_before(const struct rule *u, const struct text *t, size_t at)
{
	return at > 0 && charset_has(u->charset, t->p[at - 1]) &&
	       !(at > 1 && t->p[at - 2] == '\\') &&
	       !context_after_escape((const char *)t->p, at);
}

/* Not the end of one word and others behind it. */
static bool random_value(const char *s, size_t n)
{
	struct shape shape;

	shape_of(s, n, &shape);
	return shape.digit >= 3 && shape_random(&shape);
}

/* Files that are no texts put values side by side with nothing between them: there a run
 * that goes on for a little is no other token. */
static bool few_more(const struct rule *u, const struct text *t, size_t at, size_t n)
{
	size_t from = at, to = at + n;

	while (from > 0 && at - from <= NEIGHBOURS &&
	       charset_has(u->charset, t->p[from - 1]))
		from--;
	while (to < t->n && to - at - n <= NEIGHBOURS &&
	       charset_has(u->charset, t->p[to]))
		to++;
	return at - from + (to - at - n) <= NEIGHBOURS;
}

static bool is_part_of_more(const struct scan_stream *s, const struct rule *u,
                            const struct text *t, size_t at, size_t n)
{
	if (u->charset == CHARSET_NONE)
		return false;
	if (!goes_on_before(u, t, at) &&
	    !(at + n < t->n && charset_has(u->charset, t->p[at + n])))
		return false;
	return !s->binary || t->decoded != NULL || !few_more(u, t, at, n) ||
	       !random_value((const char *)t->p + at, n);
}

/* A block in armour from ${at} on: to the end of its last line. */
static size_t armour(const struct text *t, size_t at)
{
	size_t n = t->n - at < PEM_MAX ? t->n - at : PEM_MAX;
	const unsigned char *end = n > 10 ? memmem(t->p + at + 10, n - 10, "-----END", 8)
	                                  : NULL;
	const unsigned char *stop;

	if (end == NULL)
		return n < AROUND ? n : AROUND;
	end += 8;
	n = (size_t)(t->p + t->n - end) < 80 ? (size_t)(t->p + t->n - end) : 80;
	stop = memmem(end, n, "-----", 5);
	return (size_t)((stop != NULL ? stop + 5 : end) - (t->p + at));
}

static bool seen(const struct founds *f, const struct rule *u, size_t at)
{
	for (size_t i = f->n; i > 0 && f->n - i < SEEN_BACK; i--)
		if (f->v[i - 1].rule == u && f->v[i - 1].at == at)
			return true;
	return false;
}

static void judge(struct scan_stream *s, const struct text *t, struct found *f,
                  size_t match, size_t match_n)
{
	const unsigned lines = f->rule->lines > LINES_SEEN ? f->rule->lines : LINES_SEEN;
	struct window w = lines_around(&s->anchor_line, t, f->at, lines, AROUND);
	struct candidate c = {
		.rule = f->rule,
		.value = (const char *)t->p + f->at,
		.n = f->n,
		.blob = s->blob,
		.decoded = t->decoded != NULL ? t->decoded->how : "",
		.binary = s->binary,
	};

	if (w.to < f->at + f->n)
		w.to = f->at + f->n;
	c.text = (const char *)t->p + w.from;
	c.text_n = w.to - w.from;
	c.value_at = f->at - w.from;
	c.match_at = match >= w.from ? match - w.from : 0;
	c.match_n = match_n;
	if (c.match_at + c.match_n > c.text_n)
		c.match_n = c.text_n - c.match_at;
	verdict_judge(&c, &f->verdict);
}

/* Of "value&name=…", a parameter of a query or a form, the value; it has to follow its
 * own
 * '='.  Only of assignments: other rules know what their values look like. */
static size_t parameter(const struct rule *u, const struct text *t, size_t at, size_t n)
{
	const unsigned char *p = t->p + at, *amp = p;

	if (strcmp(u->validator, "assign") != 0 || at == 0 || p[-1] != '=')
		return n;
	while ((amp = memchr(amp, '&', (size_t)(p + n - amp))) != NULL) {
		const unsigned char *end = ++amp;

		while (end < p + n && charset_has(CHARSET_TOKEN, *end) && *end != '=')
			end++;
		if (end > amp && end < p + n && *end == '=')
			return (size_t)(amp - p) - 1;
	}
	return n;
}

/* Judges a match, and keeps it.  Where to go on: its end, or that of a parameter. */
static size_t candidate(struct scan_stream *s, const struct text *t, const struct rule *u,
                        size_t base, uint32_t groups)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(s->md);
	size_t from = v[0], to = v[1], end;
	struct found f = { .rule = u };

	for (uint32_t i = 1; i < groups; i++)
		if (v[2 * i] != PCRE2_UNSET) {
			from = v[2 * i];
			to = v[2 * i + 1];
		}
	f.at = base + from;
	f.n = u->collect_pem ? armour(t, f.at) : parameter(u, t, f.at, to - from);
	end = f.n < to - from ? f.at + f.n : base + v[1];
	if (f.n == 0)
		return end;
	if (u->allow) {
		f.at = base + v[0];
		f.n = v[1] - v[0];
		s->failed |= founds_add(&s->allowed, &f) != 0;
		return end;
	}
	if (is_part_of_more(s, u, t, f.at, f.n) || seen(&s->founds, u, f.at))
		return end;
	judge(s, t, &f, base + v[0], v[1] - v[0]);
	s->failed |= founds_add(&s->founds, &f) != 0;
	return end;
}

/* Is there a run in ${from} to ${to} as in each match?  Most have none at all. */
static bool has_run(const struct scan_stream *s, const struct text *t,
                    const struct rule *u, size_t from, size_t to)
{
	if (u->trigger != TRIGGER_TEXT && !spots_run(s->spots, from, to))
		return false;
	return u->run.n < RUN_LEAST ||
	       run_find(&s->g->runs[u->index], t->p, t->n, from, to) < to;
}

/* The same, for places that ascend: what is known to have none is not looked at again. */
static bool has_run_after(const struct scan_stream *s, const struct text *t,
                          const struct rule *u, size_t from, size_t to)
{
	uint64_t *none = &progress_of(t, u)->searched;
	size_t run;

	if (u->run.n < RUN_LEAST)
		return true;
	if (*none > t->offset + from)
		from = (size_t)(*none - t->offset);
	run = from < to ? run_find(&s->g->runs[u->index], t->p, t->n, from, to) : to;
	if (run < to)
		*none = t->offset + run;
	else if (to >= from + u->run.n)
		*none = t->offset + to - u->run.n + 1;
	return run < to;
}

/* No match; or none within the limits, which is told. */
static void no_match(struct scan_stream *s, const struct rule *u, int rc)
{
	if (rc != PCRE2_ERROR_NOMATCH)
		s->costly = u;
}

/* All candidates of the window that begin at ${from} or later, and end after ${done}.
 * Returns the end of the last match; ${from}: there is none. */
static size_t run(struct scan_stream *s, const struct text *t, const struct rule *u,
                  struct window w, size_t from, size_t done)
{
	const struct expression *re = expression(s, u);
	size_t n = w.to - w.from, at = from - w.from, last = at, end;
	int rc;

	s->searched_bytes += u->near ? 0 : n - at;
	while (re->code != NULL && at <= n) {
		rc = match(s, re, t->p + w.from, n, at);
		if (rc < 0) {
			no_match(s, u, rc);
			break;
		}
		end = pcre2_get_ovector_pointer(s->md)[1];
		if (w.from + end > done)
			end = candidate(s, t, u, w.from, (uint32_t)rc) - w.from;
		last = end;
		at = end > at ? end : at + 1;
	}
	return w.from + last;
}

/* The anchors of a match have been looked at.  A string that turned out to be no secret
 * may hold one: it is searched once more, but nothing in it again. */
static void cover(const struct text *t, const struct rule *u, size_t start, size_t end,
                  const struct found *f)
{
	uint64_t *reopened = &progress_of(t, u)->reopened;

	if (f != NULL && f->verdict.drop != DROP_NONE && f->at > 0 &&
	    (t->p[f->at - 1] == '"' || t->p[f->at - 1] == '\'') &&
	    t->offset + start >= *reopened) {
		*reopened = t->offset + end;
		end = f->at;
	}
	progress_of(t, u)->covered = t->offset + end;
}

/* A rule whose matches begin with its anchors is tried once at each. */
static void try_at(struct scan_stream *s, const struct text *t, const struct rule *u,
                   size_t start)
{
	const size_t from = start > 0 && t->p[start - 1] != '\n' ? start - 1 : start;
	size_t to = s->anchor_line.known ? s->anchor_line.w.to
	                                 : lines_end(t, start, LINE_AFTER);
	size_t end, last;
	const struct expression *re;
	int rc;

	for (unsigned i = 1; i < u->lines_span && to < t->n && to - start < SPAN_MAX; i++)
		to = lines_end(t, to + 1, LINE_AFTER);
	/* A run that follows the anchor was looked for with it. */
	if ((u->next.n == 0 && !has_run(s, t, u, start, to)) ||
	    (re = expression(s, u))->code == NULL)
		return;
	rc = match(s, re, t->p + from, to - from, start - from);
	if (rc < 0) {
		no_match(s, u, rc);
		return;
	}
	last = s->founds.n;
	end = candidate(s, t, u, from, (uint32_t)rc);
	cover(t, u, start, end, last < s->founds.n ? &s->founds.v[last] : NULL);
}

/* What is around an anchor, as far as it has been looked at. */
struct sight {
	size_t start;
	size_t at;            /* the first byte from ${start} on that is not of a word */
	uint64_t word, prose; /* classes of it, and of what is first after prose */
	bool looked;          /* ${prose} is known */
};

/* Classes of the first byte from ${*at} on that ${skip} does not skip. */
static uint64_t after(const struct classes *c, const struct text *t,
                      size_t (*skip)(const unsigned char *, size_t), size_t *at)
{
	const size_t n = t->n - *at < WORD_MAX ? t->n - *at : WORD_MAX;
	const size_t skipped = skip(t->p + *at, n);

	*at += skipped;
	if (skipped < n)
		return c->of[t->p[*at]];
	return *at == t->n ? c->of['\n'] : UINT64_MAX;
}

/* The same of the line of the anchor; all classes if it is not known. */
static uint64_t first_on_line(struct scan_stream *s, const struct text *t)
{
	struct line *l = &s->anchor_line;
	size_t at = l->w.from;

	if (l->prose == 0)
		l->prose = l->known ? after(&s->g->prose, t, skip_prose, &at)
		                    : UINT64_MAX;
	return l->prose;
}

/* Is what comes first, after prose or a word, what a match has there? */
static bool can_begin(struct scan_stream *s, const struct text *t,
                      const struct attempt *a, struct sight *v)
{
	const struct scan_engine *g = s->g;
	const size_t reach = a->reach < v->start ? a->reach : v->start;

	if (a->first == 0)
		return true;
	switch (a->begins) {
	case BEGINS_HERE:
		if (!v->looked) {
			v->looked = true;
			v->prose = after(&g->prose, t, skip_prose, &v->at);
		}
		return (a->first & ~v->prose) == 0;
	case BEGINS_LINE:
		return (a->first & ~first_on_line(s, t)) == 0;
	case BEGINS_NEAR:
		/* Between its beginning and the anchor, or after the word of this. */
		return (a->first & ~v->word) == 0 ||
		       (a->first &
		        ~classes_of(&g->word, t->p + v->start - reach, reach)) == 0;
	default:
		return true;
	}
}

/* Classes of the bytes on the line of an anchor; all of them if it is not known. */
static uint64_t on_line(struct scan_stream *s, const struct text *t, size_t at)
{
	struct line *l = &s->anchor_line;

	lines_find(l, t, s->spots, at);
	if (l->counted)
		return l->has;
	l->counted = true;
	l->prose = 0;
	l->has = l->known ? classes_of(&s->g->line, t->p + l->w.from, l->w.to - l->w.from)
	                  : UINT64_MAX;
	return l->has;
}

/* Those of ${n} rules of an anchor, a bit each, that its line and what follows its word
 * leave: few.  No branches, as none of them would be foreseen. */
static uint64_t left_of(const struct attempt *a, unsigned n, uint64_t line, uint64_t word)
{
	uint64_t left = 0;

	for (unsigned i = 0; i < n; i++)
		left |= (uint64_t)(((a[i].line & ~line) | (a[i].word & ~word)) == 0) << i;
	return left;
}

/* Rules of lines are run once per line, whatever anchors are on it; of the lines or the
 * bytes around an anchor, those that an earlier one was near to have been searched. */
static void search_around(struct scan_stream *s, const struct text *t,
                          const struct rule *u, size_t end)
{
	struct window w = window_of(s, t, u, end - 1);
	uint64_t *searched = &progress_of(t, u)->searched;
	size_t from = w.from, done = 0;

	if ((u->by_keyword || u->window > 0) && *searched > t->offset + w.from) {
		if (*searched >= t->offset + w.to)
			return;
		done = (size_t)(*searched - t->offset);
		from = done;
		/* A token may lie across the end of that search. */
		if (t->p[from] != '\n')
			from -= from - w.from < STEP_BACK ? from - w.from : STEP_BACK;
	}
	if (has_run(s, t, u, from, w.to))
		(void)run(s, t, u, w, from, done);
	*searched = t->offset + w.to;
	if (u->window > 0)
		return;
	progress_of(t, u)->covered =
		t->offset +
		(u->lines_span == 1 && !u->by_keyword
	                 ? w.to - (w.to - end > LINE_AFTER / 2 ? LINE_AFTER / 2 : 0)
	                 : lines_end(t, end - 1, LINE_AFTER / 2));
}

/* A rule that says how far before an anchor its matches begin: nowhere else do any. */
static void search_near(struct scan_stream *s, const struct text *t, const struct rule *u,
                        size_t start, size_t end)
{
	const struct window w = window_of(s, t, u, end - 1);
	uint64_t *covered = &progress_of(t, u)->covered;
	size_t from = start - w.from > u->reach ? start - u->reach : w.from, last;

	if (*covered > t->offset + from)
		from = (size_t)(*covered - t->offset);
	/* Matches may begin within an anchor, and hold the next one. */
	*covered = t->offset + start + 1;
	from = open_find(&s->g->open[u->index], t->p, t->n, from, start + 1, w.from);
	if (from > start || !has_run_after(s, t, u, from, w.to))
		return;
	s->searched_bytes += start - from + 1; /* that a match may begin with */
	pcre2_set_offset_limit(s->limits, start - w.from);
	last = run(s, t, u, w, from, 0);
	pcre2_set_offset_limit(s->limits, PCRE2_UNSET);
	if (last > end)
		*covered = t->offset + last;
}

static void attempt(struct scan_stream *s, const struct text *t, const struct hit *h,
                    const struct attempt *a)
{
	const struct rule *u = &s->g->rules->at[a->rule];
	const size_t start = h->at - h->n;

	if ((a->wide && !spots_wide(s->spots, start)) || s->off[a->rule] ||
	    t->offset + h->at <= progress_of(t, u)->covered)
		return;
	if (u->prefixed)
		try_at(s, t, u, start);
	else if (u->near)
		search_near(s, t, u, start, h->at);
	else
		search_around(s, t, u, h->at);
}

/* All rules of one anchor. */
static void at_anchor(struct scan_stream *s, const struct text *t, const struct hit *h)
{
	const struct scan_engine *g = s->g;
	const unsigned end = g->anchor[h->id + 1].first;
	const size_t start = h->at - h->n;
	const uint64_t line = on_line(s, t, start);
	struct sight sight = { .start = start, .at = start };

	sight.word = after(&g->word, t, skip_word, &sight.at);
	for (unsigned k = g->anchor[h->id].first; k < end; k += 64) {
		const struct attempt *a = &g->attempts[k];
		uint64_t left = left_of(a, end - k < 64 ? end - k : 64, line, sight.word);

		for (; left != 0; left &= left - 1) {
			const struct attempt *one = a + __builtin_ctzll(left);

			if (can_begin(s, t, one, &sight))
				attempt(s, t, h, one);
		}
	}
}

static void whole_files(struct scan_stream *s, const struct text *t)
{
	struct window w = { 0, t->n < SPAN_MAX ? t->n : SPAN_MAX };

	for (size_t i = 0; i < s->g->n_whole; i++)
		if (!s->off[s->g->whole[i]])
			(void)run(s, t, &s->g->rules->at[s->g->whole[i]], w, 0, 0);
}

void confirm_zone(struct scan_stream *s, const struct text *t)
{
	const struct hit *h;

	s->anchor_line.known = false;
	spots_find(s->spots, s->g, s->trigger_scratch, t, &s->hits[ANCHOR_ANYWHERE]);
	hits_find(s, t);
	while ((h = hits_next(s)) != NULL)
		at_anchor(s, t, h);
	if (t->decoded == NULL && t->offset == 0 && t->from == 0)
		whole_files(s, t);
}

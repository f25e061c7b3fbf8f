/* SPDX-License-Identifier: Apache-2.0 */
#include "match/spots.h"

#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "match/runs.h"
#include "match/stream_impl.h"

#define LINE_REACH ((size_t)4096) /* bytes of a line that belong to a spot, each way */
#define NEAR       (2 * RUNS_BLOCK - 1)
#define SMALL      ((size_t)256) /* texts that are one spot */
#define GRAIN      LITERALS_GRAIN
#define BLOCKS     (STREAM_BUFFER / RUNS_BLOCK + 1)
#define WORDS      (STREAM_BUFFER / GRAIN / 64 + 1)

_Static_assert(SPOT_BEFORE <= STREAM_BEHIND && SPOT_BEFORE <= STREAM_AHEAD,
               "what is near is in the buffer");
_Static_assert(DECODE_PIECE + 4096 <= STREAM_BUFFER, "as is what was decoded");

struct spots {
	const struct scan_engine *g;
	const unsigned char *p; /* from ${base} on */
	size_t base, end;       /* of what was looked through, in the text */
	/* Grains that are of spots; and one word more, as mark() writes two. */
	uint64_t in[SPOT_KINDS][WORDS + 1];
	uint64_t wide[WORDS + 1]; /* near a run for TRIGGER_WIDE_RUN */
	/* Of blocks, from ${base} on. */
	uint64_t lines[BLOCKS], some[BLOCKS / 64 + 1];
	struct runs_block block[BLOCKS];
};

struct spots *spots_new(void)
{
	return calloc(1, sizeof(struct spots));
}

void spots_free(struct spots *s)
{
	free(s);
}

static size_t grains(const struct spots *s)
{
	return (s->end - s->base + GRAIN - 1) / GRAIN;
}

/* Words of bits that stand for them. */
static size_t words(const struct spots *s)
{
	return grains(s) / 64 + 1;
}

static size_t last_block(const struct spots *s)
{
	return (s->end - s->base - 1) / RUNS_BLOCK;
}

/* Bytes ${from} to ${to}, and what shares a grain with them. */
static void mark(const struct spots *s, uint64_t *bits, size_t from, size_t to)
{
	const size_t last = grains(s) - 1;
	const size_t a = from / GRAIN, b = to / GRAIN < last ? to / GRAIN : last;
	const unsigned at = a % 64;

	if (b - a < 64) { /* nearly always: in one word or in two, without a branch */
		const uint64_t some = UINT64_MAX >> (63 - (b - a));

		bits[a / 64] |= some << at;
		bits[a / 64 + 1] |= some >> 1 >> (63 - at);
		return;
	}
	bits[a / 64] |= UINT64_MAX << at;
	for (size_t i = a / 64 + 1; i < b / 64; i++)
		bits[i] = UINT64_MAX;
	bits[b / 64] |= UINT64_MAX >> (63 - b % 64);
}

/* Takes ${lines} line ends off ${ends}, from the highest or the lowest, if there are more
 * than so many; else takes off what there are from ${lines}. */
static bool more_than(uint64_t *ends, unsigned *lines, bool highest)
{
	for (; *ends != 0; --*lines) {
		if (*lines == 0)
			return true;
		if (highest)
			*ends &= ~(UINT64_C(1) << (63 - __builtin_clzll(*ends)));
		else
			*ends &= *ends - 1;
	}
	return false;
}

/* Bytes after the last line feed of the NEAR ones before ${at}, or NEAR; without a
 * branch, as how far it is away is not foreseen. */
static size_t near_begin(const struct spots *s, size_t at)
{
	const uint64_t *lines = &s->lines[at / RUNS_BLOCK];
	const unsigned k = at % RUNS_BLOCK;
	/* Line feeds of 64 bytes before it, and of 64 before these. */
	const uint64_t one = lines[0] << 1 << (63 - k) | lines[-1] >> k;
	const uint64_t two = lines[-1] << 1 << (63 - k) | lines[-2] >> k;
	const uint64_t bits = one != 0 ? one : two | 1;

	return (one != 0 ? 0u : 64u) + (size_t)__builtin_clzll(bits);
}

/* The same of those before the first one from ${at} on. */
static size_t near_end(const struct spots *s, size_t at)
{
	const uint64_t *lines = &s->lines[at / RUNS_BLOCK];
	const unsigned k = at % RUNS_BLOCK;
	const uint64_t one = lines[0] >> k | lines[1] << 1 << (63 - k);
	const uint64_t two = lines[1] >> k | lines[2] << 1 << (63 - k);
	const uint64_t bits = one != 0 ? one : two | UINT64_C(1) << 63;

	return (one != 0 ? 0u : 64u) + (size_t)__builtin_ctzll(bits);
}

/* Where the line of ${at} begins, or one ${lines} before it, but not before ${least}. */
static size_t line_begin(const struct spots *s, size_t at, unsigned lines, size_t least)
{
	size_t b = at / RUNS_BLOCK, n;
	uint64_t ends = s->lines[b] & ~(UINT64_MAX << at % RUNS_BLOCK);

	if (lines == 0 && at > NEAR) {
		n = near_begin(s, at);
		if (n < NEAR || at - least <= NEAR)
			return at - least < n ? least : at - n;
	}
	while (!more_than(&ends, &lines, true)) {
		if (b == 0 || b * RUNS_BLOCK <= least)
			return least;
		ends = s->lines[--b];
	}
	at = b * RUNS_BLOCK + 64 - (size_t)__builtin_clzll(ends);
	return at > least ? at : least;
}

/* The same of its end, but not after ${most}. */
static size_t line_end(const struct spots *s, size_t at, unsigned lines, size_t most)
{
	size_t b = at / RUNS_BLOCK, n;
	uint64_t ends = s->lines[b] & UINT64_MAX << at % RUNS_BLOCK;

	if (lines == 0 && b + 2 <= last_block(s)) {
		n = near_end(s, at);
		if (n < NEAR || most - at <= NEAR)
			return most - at < n ? most : at + n;
	}
	while (!more_than(&ends, &lines, false)) {
		if (b == last_block(s) || (b + 1) * RUNS_BLOCK >= most)
			return most;
		ends = s->lines[++b];
	}
	at = b * RUNS_BLOCK + (size_t)__builtin_ctzll(ends);
	return at < most ? at : most;
}

/* The lines around the runs of block ${i}, as far as ${reach}. */
static void mark_lines(const struct spots *s, uint64_t *bits, size_t i,
                       const struct runs_long *runs, unsigned lines, size_t reach)
{
	const size_t first = i * RUNS_BLOCK + runs->first;
	const size_t last = i * RUNS_BLOCK + runs->last;

	mark(s, bits, line_begin(s, first, lines, first > reach ? first - reach : 0),
	     line_end(s, last, lines, last + reach));
}

static void mark_block(struct spots *s, size_t i)
{
	const struct runs_block *b = &s->block[i];

	mark_lines(s, s->in[SPOT_RUN], i, &b->run, 0, LINE_REACH);
	if (b->wide.first != RUNS_NONE)
		mark_lines(s, s->wide, i, &b->wide, s->g->wide_lines, SPOT_BEFORE);
}

static void mark_runs(struct spots *s)
{
	for (size_t i = 0; i <= last_block(s) / 64; i++)
		for (uint64_t some = s->some[i]; some != 0; some &= some - 1)
			mark_block(s, i * 64 + (size_t)__builtin_ctzll(some));
	for (size_t i = 0; i < words(s); i++)
		s->in[SPOT_RUN][i] |= s->wide[i];
}

/* Which of 64 bytes are ${c}, from the lowest bit on. */
static uint64_t bytes_like(const unsigned char *p, char c)
{
	uint64_t bits = 0;

#if defined(__SSE2__)
	for (unsigned i = 0; i < 4; i++) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));

		bits |= (uint64_t)(unsigned)_mm_movemask_epi8(
				_mm_cmpeq_epi8(v, _mm_set1_epi8(c)))
		        << 16 * i;
	}
#else
	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(p[i] == (unsigned char)c) << i;
#endif
	return bits;
}

/* Is ${c} in the rest of the line from ${at} on? */
static bool has_on_line(const struct spots *s, size_t at, char c)
{
	const size_t end = s->end - s->base;
	const size_t most = end - at < LINE_REACH ? end : at + LINE_REACH;

	for (; at + 64 <= most; at += 64) {
		const uint64_t *lines = &s->lines[at / RUNS_BLOCK];
		const unsigned k = at % RUNS_BLOCK;
		const uint64_t ends = lines[0] >> k | lines[1] << 1 << (63 - k);
		const uint64_t bits = bytes_like(s->p + at, c);

		if ((ends | bits) != 0)
			return (bits & ~ends & (ends - 1)) != 0;
	}
	return memchr(s->p + at, c, line_end(s, at, 0, most) - at) != NULL;
}

/* The same of what it has before ${end}, where the trigger at ${at} ends. */
static bool had_on_line(const struct spots *s, size_t at, size_t end, char c)
{
	const size_t from = line_begin(s, at, 0, at > LINE_REACH ? at - LINE_REACH : 0);

	return memchr(s->p + from, c, end - from) != NULL;
}

/* All of a text is looked through. */
struct looking {
	struct spots *s;
	const struct text *t;
	struct hits *hits;
};

/* Anchors begin at most so far before their trigger, and may end after it. */
static void mark_trigger(struct spots *s, const struct trigger *t, size_t end)
{
	const size_t at = end - t->literal.n;
	const size_t least = at > t->before ? at - t->before : 0;

	if (t->needs != 0 && !has_on_line(s, end, t->needs) &&
	    (t->after || !had_on_line(s, at, end, t->needs)))
		return;
	mark(s, s->in[SPOT_TEXT], line_begin(s, at, t->lines, least),
	     end + s->g->longest[ANCHOR_IN_TEXT]);
}

static void on_anchor(void *ctx, unsigned id, size_t end)
{
	const struct looking *l = ctx;
	const struct trigger *t = &l->s->g->triggers[id];

	if (t->anchor != NO_ANCHOR)
		hits_add(l->hits, l->s->g, l->t, t->anchor, l->s->base + end);
}

static void on_trigger(void *ctx, unsigned id, size_t end)
{
	const struct looking *l = ctx;
	const struct trigger *t = &l->s->g->triggers[id];

	on_anchor(ctx, id, end);
	if (t->marks)
		mark_trigger(l->s, t, end);
}

/* All of it is one spot. */
static void mark_all(struct spots *s)
{
	mark(s, s->in[SPOT_TEXT], 0, s->end - s->base);
	mark(s, s->in[SPOT_RUN], 0, s->end - s->base);
	mark(s, s->wide, 0, s->end - s->base);
}

void spots_find(struct spots *s, const struct scan_engine *g,
                struct literals_scratch *scratch, const struct text *t, struct hits *hits)
{
	const size_t ahead = t->n - t->to < SPOT_BEFORE ? t->n - t->to : SPOT_BEFORE;
	struct looking l = { s, t, hits };

	hits->n = hits->next = 0;
	s->g = g;
	s->base = t->from > SPOT_BEFORE ? t->from - SPOT_BEFORE : 0;
	s->end = t->to + ahead;
	s->p = t->p + s->base;
	/* Texts are short, most of them: the rest stays as it is. */
	for (unsigned k = 0; k < SPOT_KINDS; k++)
		memset(s->in[k], 0, words(s) * sizeof(s->in[k][0]));
	memset(s->wide, 0, words(s) * sizeof(s->wide[0]));
	if (s->end == s->base)
		return;
	if (s->end - s->base <= SMALL) {
		mark_all(s);
		literals_find(g->trigger_literals, scratch, s->p, s->end - s->base,
		              on_anchor, &l);
		return;
	}
	runs_find(t->p + s->base, s->end - s->base,
	          &(struct runs){ s->lines, s->some, s->block });
	mark_runs(s);
	literals_find(g->trigger_literals, scratch, s->p, s->end - s->base, on_trigger,
	              &l);
}

/* The first grain from ${at} on that is marked, or that is not; or one that is not there.
 */
static size_t find_grain(const uint64_t *in, size_t n, size_t at, bool marked)
{
	while (at < n) {
		const uint64_t bits = marked ? in[at / 64] : ~in[at / 64];
		const uint64_t rest = bits & UINT64_MAX << at % 64;

		if (rest != 0)
			return at / 64 * 64 + (size_t)__builtin_ctzll(rest);
		at = (at / 64 + 1) * 64;
	}
	return n;
}

bool spots_next(const struct spots *s, enum spot_kind kind, size_t *next, size_t *from,
                size_t *to)
{
	const size_t n = grains(s), begin = find_grain(s->in[kind], n, *next, true);

	if (begin >= n)
		return false;
	*next = find_grain(s->in[kind], n, begin, false);
	*from = s->base + begin * GRAIN;
	*to = *next < n ? s->base + *next * GRAIN : s->end;
	return true;
}

const uint64_t *spots_marks(const struct spots *s, enum spot_kind kind, size_t *base,
                            size_t *end)
{
	*base = s->base;
	*end = s->end;
	return s->in[kind];
}

bool spots_wide(const struct spots *s, size_t at)
{
	const size_t i = (at - s->base) / GRAIN;

	return s->wide[i / 64] >> i % 64 & 1;
}

bool spots_run(const struct spots *s, size_t from, size_t to)
{
	size_t first, last;

	if (s->end - s->base <= SMALL || from < s->base || to > s->end)
		return true;
	if (from >= to)
		return false;
	first = (from - s->base) / RUNS_BLOCK;
	last = (to - 1 - s->base) / RUNS_BLOCK;
	for (size_t i = first / 64; i <= last / 64; i++) {
		uint64_t some = s->some[i];

		if (i == first / 64)
			some &= UINT64_MAX << first % 64;
		if (i == last / 64)
			some &= UINT64_MAX >> (63 - last % 64);
		if (some != 0)
			return true;
	}
	return false;
}

bool spots_line(const struct spots *s, size_t at, size_t *from, size_t *to)
{
	const size_t k = at - s->base;
	size_t before, after;

	if (s->end - s->base <= SMALL || at <= s->base + NEAR || at >= s->end ||
	    k / RUNS_BLOCK + 2 > last_block(s))
		return false;
	before = near_begin(s, k);
	after = near_end(s, k);
	*from = at - before;
	*to = at + after;
	return before < NEAR && after < NEAR;
}

size_t spots_lines(const struct spots *s, const struct text *t, size_t n)
{
	if (s->end - s->base <= SMALL || n < s->base || n > s->end)
		return count_lines(t->p, n);
	return count_lines(t->p, s->base) + runs_lines(s->lines, n - s->base);
}

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
	struct decoder *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	decode_tables_fill(&d->tables);
	return d;
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
			                .joined = strcmp(how, "joined") == 0,
			                .fn = s->fn,
			                .ctx = s->ctx,
			                .hold = SIZE_MAX };

		search_text(&inner, 0);
	}
	m->n = m->spans_n = 0;
}

/* Into the one function that is compiled twice. */
#define ALWAYS_INLINE __attribute__((always_inline))

/* Where a search through a text is. */
struct place {
	struct marks marks; /* of the blocks from ${at} on */
	size_t at;
	size_t next; /* runs and marks before it are done: a run may begin there */
	size_t tail; /* the run that the text ends with begins there */
	bool before; /* the byte before ${at} is of the alphabets */
};

/* The marks of block ${i}. */
static void search_lines(struct search *s, const struct place *w, unsigned i, size_t from)
{
	const size_t at = w->at + (size_t)64 * i;
	uint64_t line = w->marks.line[i];

	if (at < from)
		line &= from - at < 64 ? UINT64_MAX << (from - at) : 0;
	for (; line != 0; line &= line - 1) {
		const size_t k = at + (size_t)__builtin_ctzll(line);

		if (decode_may_count(&s->d->tables, s->p, s->n, k))
			decode_line(s, k);
	}
}

/* Bits from bit ${bit} of ${m} on, which goes on in ${m}[1]. */
ALWAYS_INLINE static inline uint64_t from_bit(const uint64_t *m, unsigned bit)
{
	return m[0] >> bit | m[1] << 1 << (63 - bit);
}

/* Can a run be more than a word or a name?  Base64 has both cases, since each fourth
 * character of text is a capital or one of a few small letters; of hexadecimal text half
 * the characters are digits. */
ALWAYS_INLINE static inline bool may_be_coded(const struct marks *m, unsigned i,
                                              unsigned bit, size_t n)
{
	const uint64_t all = n < LOOK ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
	const uint64_t mixed = from_bit(&m->mixed[i], bit) & all;
	uint64_t digit;

	/* What is long may begin otherwise. */
	if (n >= LOOK)
		return (mixed | (from_bit(&m->lower[i], bit) & all)) != 0;
	if ((size_t)__builtin_popcountll(mixed) * MIXED_LEAST < n)
		return false;
	digit = from_bit(&m->digit[i], bit) & all;
	return (size_t)__builtin_popcountll(digit) * DIGITS_LEAST >= n ||
	       (mixed != digit && (from_bit(&m->lower[i], bit) & all) != 0);
}

/* Is a run long, does text begin at one of its bytes that have enough after them, or is
 * it of hexadecimal digits? */
ALWAYS_INLINE static inline bool may_begin(const struct marks *m, unsigned i,
                                           unsigned bit, size_t n)
{
	uint64_t text, hex;

	if (n >= DECODE_WRAP_MIN)
		return true;
	text = from_bit(&m->text[i], bit) << (63 - (n - DECODE_RUN_MIN));
	hex = ~from_bit(&m->hex[i], bit) & 0xfffc; /* but the first two, as in "0x" */
	return text != 0 || (n >= DECODE_HEX_MIN && hex == 0);
}

/* Bits of block ${i} that runs begin at, which are long enough. */
ALWAYS_INLINE static inline uint64_t run_begins(const struct place *w, unsigned i)
{
	const uint64_t *run = &w->marks.run[i];
	const uint64_t all = w->marks.longs[i];
	const bool before = i > 0 ? run[-1] >> 63 : w->before;
	const size_t at = w->at + (size_t)64 * i;
	uint64_t begins = all & ~(run[0] << 1 | before);

	if (w->next < at)
		return begins;
	if (w->next - at >= 64)
		return 0;
	begins &= UINT64_MAX << (w->next - at);
	return begins | (all & UINT64_C(1) << (w->next - at));
}

/* The bit of ${at} in block ${i}, if it is there. */
ALWAYS_INLINE static inline uint64_t bit_in(const struct place *w, unsigned i, size_t at)
{
	const size_t k = at - (w->at + (size_t)64 * i);

	return k < 64 ? UINT64_C(1) << k : 0;
}

/* Of the runs that begin at ${begins}, those with a byte that makes them worth it: the
 * first such byte of each.  What is added at the begin of a run is carried to there. */
ALWAYS_INLINE static inline uint64_t worth_of(const struct place *w, unsigned i,
                                              uint64_t begins)
{
	uint64_t worth = w->marks.worth[i];

	if (w->next > w->at + (size_t)64 * i)
		worth &= 0 - bit_in(w, i, w->next);
	worth |= bit_in(w, i, w->next) | bit_in(w, i, w->tail);
	return ((w->marks.run[i] & ~worth) + begins) & worth;
}

/* Bytes of the run that begins at ${bit} of block ${i}. */
ALWAYS_INLINE static inline size_t length_of(const struct search *s,
                                             const struct place *w, unsigned i,
                                             unsigned bit)
{
	const uint64_t *run = w->marks.run;
	const uint64_t out = ~from_bit(&run[i], bit);
	size_t n, at;

	if (out != 0)
		return (size_t)__builtin_ctzll(out);
	for (unsigned k = i + 1; k <= DECODE_BLOCKS; k++)
		if (~run[k] != 0)
			return (size_t)64 * (k - i) - bit +
			       (size_t)__builtin_ctzll(~run[k]);
	n = (size_t)64 * (DECODE_BLOCKS + 1 - i) - bit;
	at = w->at + (size_t)64 * (DECODE_BLOCKS + 1);
	return n + decode_run_length(s->p + at, s->n - at);
}

/* Decodes the runs that begin in block ${i}. */
ALWAYS_INLINE static inline void search_runs(struct search *s, struct place *w,
                                             unsigned i)
{
	uint64_t begins = run_begins(w, i), worth = worth_of(w, i, begins);

	while (worth != 0) {
		const uint64_t upto = begins & (worth ^ (worth - 1));
		const unsigned bit = 63 - (unsigned)__builtin_clzll(upto);
		const size_t begin = w->at + (size_t)64 * i + bit;
		const size_t n = length_of(s, w, i, bit);

		worth &= worth - 1;
		if (begin + n == s->n ||
		    ((begin == w->next || may_begin(&w->marks, i, bit, n)) &&
		     may_be_coded(&w->marks, i, bit, n) &&
		     decode_may_hold(s, begin, n))) {
			w->next = decode_run(s, begin, begin + n);
			begins = run_begins(w, i);
			worth = worth_of(w, i, begins);
		}
	}
}

#ifdef __x86_64__
#define WITH_POPCNT __attribute__((target_clones("popcnt", "default")))
#else
#define WITH_POPCNT
#endif

/* The bit of the block that ${at} is in, if it is one of those at hand. */
ALWAYS_INLINE static inline uint64_t block_bit(const struct place *w, size_t at)
{
	const size_t i = (at - w->at) / 64;

	return at >= w->at && i < DECODE_BLOCKS ? UINT64_C(1) << i : 0;
}

WITH_POPCNT static void search_blocks(struct search *s, struct place *w, size_t from)
{
	uint64_t left = w->marks.busy | block_bit(w, w->next) | block_bit(w, w->tail);

	while (left != 0) {
		const unsigned i = (unsigned)__builtin_ctzll(left);
		const uint64_t later = UINT64_MAX << i << 1;

		if (w->marks.line[i] != 0)
			search_lines(s, w, i, from > w->next ? from : w->next);
		if (w->next < w->at + (size_t)64 * (i + 1))
			search_runs(s, w, i);
		left = (left | block_bit(w, w->next)) & later;
	}
}

static size_t search_text(struct search *s, size_t from)
{
	static const char *const how[] = { "escapes", "percent", "html", "joined" };
	struct place w = { .at = from, .next = from, .tail = s->n };
	size_t open = 0;

	while (w.tail > from && decode_run_length(s->p + w.tail - 1, 1) == 1)
		w.tail--;
	for (; w.at < s->n; w.at += (size_t)64 * DECODE_BLOCKS) {
		decode_marks(&s->d->tables, s->p + w.at, s->n - w.at, &w.marks);
		search_blocks(s, &w, from);
		w.before = w.marks.run[DECODE_BLOCKS - 1] >> 63;
	}
	/* A run may begin or go on, and what is before it be its name. */
	while (open < DECODE_RUN_MIN && s->n - open > w.next &&
	       decode_run_length(s->p + s->n - open - 1, 1) == 1)
		open++;
	if (!s->last)
		decode_hold(s, s->n - open > DECODE_NAME ? s->n - open - DECODE_NAME : 0);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "match/sieve.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "match/buckets.h"

#define BLOCK  64u
#define MARKED ((size_t)64 * LITERALS_GRAIN) /* bytes that a word of marks is of */
#define CHUNK  4096u                         /* bytes whose candidates are gathered */
#define SPARE  64u /* numbers that may be written after the last candidate */
#define WORD   8u  /* bytes that are compared at once */
#define SLOTS  4096u
#define READS  (BLOCK + BUCKETS_WINDOW + WORD) /* from where a block begins, at most */
#define NO_LOW 0xdfu

_Static_assert(WORD >= BUCKETS_WINDOW, "what is read for a window is there");

/* Bytes at a place as a number: those that it has under ${mask}. */
struct word {
	uint64_t mask, value;
};

/* A literal; those of a slot follow each other. */
struct entry {
	struct word from;   /* from its window on */
	struct word before; /* before that */
	uint16_t id;
	uint16_t window, n; /* where it begins in it; bytes of it */
	bool longer;        /* than what the words have of it */
	bool last;          /* of its slot */
};

struct sieve {
	const struct literal *list;
	struct buckets buckets;
#if defined(__x86_64__)
	/* the same, the low and the high eight buckets, as instructions take it */
	uint8_t halves[2][BUCKETS_WINDOW][BUCKETS_BYTES];
#endif
	uint16_t slots[SLOTS]; /* the first entry of each; 0: there is none */
	struct word *common; /* by entry, of the first ones: what all of the slot have */
	struct entry *entries; /* from 1 on */
};

struct search {
	const struct sieve *s;
	const unsigned char *p;
	size_t n;
	const uint64_t *marks;
	literals_fn fn;
	void *ctx;
};

/* --- making one ----------------------------------------------------------------------
 */

/* The first three bytes, in any case. */
static inline unsigned slot_of(uint64_t word)
{
	return ((uint32_t)(word << 8) | 0x20202000u) * 0x9e3779b1u >> 20;
}

/* Of what ${l} has from ${at} on, which may be before it. */
static struct word word_of(const struct literal *l, long at)
{
	struct word w = { 0, 0 };

	for (unsigned k = 0; k < WORD; k++) {
		const long i = at + (long)k;
		const unsigned char c = i >= 0 && i < l->n ? (unsigned char)l->text[i]
		                                           : 0;
		const uint64_t mask = c == 0                    ? 0
		                      : !l->exact && isalpha(c) ? NO_LOW
		                                                : 0xff;

		w.mask |= mask << 8 * k;
		w.value |= (c & mask) << 8 * k;
	}
	return w;
}

static int by_slot(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	const unsigned i = slot_of(a->from.value), k = slot_of(b->from.value);

	return i != k ? (i > k) - (i < k) : (a->id > b->id) - (a->id < b->id);
}

/* How many entries a literal has: what is too short for a slot has one for each byte that
 * may follow it. */
static size_t entries_of(const struct literal *l)
{
	size_t n = 0;

	for (unsigned i = 0; l->n < BUCKETS_LEAST && i < 4; i++)
		n += (size_t)__builtin_popcountll(l->next.of.w[i]);
	return l->n < BUCKETS_LEAST ? n : 1;
}

static size_t entries_of_all(const struct literal *list, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += entries_of(&list[i]);
	return all;
}

static struct entry *put_followed(struct entry *e, const struct entry *one,
                                  const struct bytes *by)
{
	const unsigned shift = 8 * BUCKETS_BARE;

	for (uint64_t c = 0; c < 256; c++)
		if (rule_has_byte(by, (unsigned char)c)) {
			*e = *one;
			e->from.mask |= UINT64_C(0xff) << shift;
			e->from.value |= c << shift;
			e++;
		}
	return e;
}

static void make_entries(struct sieve *s, size_t n, const uint16_t *windows)
{
	struct entry *e = s->entries + 1;

	for (size_t i = 0; i < n; i++) {
		const struct literal *l = &s->list[i];
		const struct entry one = {
			.from = word_of(l, windows[i]),
			.before = word_of(l, (long)windows[i] - (long)WORD),
			.id = (uint16_t)i,
			.window = windows[i],
			.n = l->n,
			.longer = windows[i] > WORD || l->n > windows[i] + WORD,
		};

		if (l->n < BUCKETS_LEAST)
			e = put_followed(e, &one, &l->next.of);
		else
			*e++ = one;
	}
	qsort(s->entries + 1, (size_t)(e - s->entries) - 1, sizeof(*e), by_slot);
}

static void make_slots(struct sieve *s, size_t n)
{
	s->common[0] = (struct word){ 0, 1 }; /* nothing is like that */
	for (size_t i = 1; i <= n; i++) {
		struct entry *e = &s->entries[i];
		const unsigned slot = slot_of(e->from.value);
		struct word *c;

		e->last = i == n || slot_of(s->entries[i + 1].from.value) != slot;
		if (s->slots[slot] == 0) {
			s->slots[slot] = (uint16_t)i;
			s->common[i] = e->from;
		}
		c = &s->common[s->slots[slot]];
		c->mask &= e->from.mask & ~(c->value ^ e->from.value);
		c->value &= c->mask;
	}
}

static void make_halves(struct sieve *s)
{
#if defined(__x86_64__)
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
		for (unsigned c = 0; c < BUCKETS_BYTES; c++) {
			s->halves[0][k][c] = (uint8_t)s->buckets.take[k][c];
			s->halves[1][k][c] = (uint8_t)(s->buckets.take[k][c] >> 8);
		}
#else
	(void)s;
#endif
}

bool sieve_fits(const struct literal *list, size_t n)
{
	return buckets_fit(list, n) && entries_of_all(list, n) < UINT16_MAX;
}

static struct sieve *allocate(const struct literal *list, size_t n)
{
	struct sieve *s = calloc(1, sizeof(*s));
	const size_t room = entries_of_all(list, n) + 1;

	if (s == NULL)
		return NULL;
	s->list = list;
	s->common = calloc(room, sizeof(*s->common));
	s->entries = calloc(room, sizeof(*s->entries));
	if (s->common != NULL && s->entries != NULL)
		return s;
	sieve_free(s);
	return NULL;
}

static int fill(struct sieve *s, size_t n, struct err *e)
{
	AUTO_FREE uint16_t *windows = calloc(n + 1, sizeof(*windows));
	int rc;

	if (windows == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!buckets_load(buckets_embedded, s->list, n, windows, &s->buckets) &&
	    (rc = buckets_choose(s->list, n, 0, windows, &s->buckets, e)) != ERR_OK)
		return rc;
	make_entries(s, n, windows);
	make_slots(s, entries_of_all(s->list, n));
	make_halves(s);
	return ERR_OK;
}

int sieve_new(const struct literal *list, size_t n, struct sieve **out, struct err *e)
{
	struct sieve *s = allocate(list, n);
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = fill(s, n, e)) == ERR_OK)
		*out = s;
	else
		sieve_free(s);
	return rc;
}

void sieve_free(struct sieve *s)
{
	if (s == NULL)
		return;
	free(s->common);
	free(s->entries);
	free(s);
}

/* --- what candidates are -------------------------------------------------------------
 */

/* Eight bytes from ${at} on, which may wrap to before the first one, of ${n}; zeros where
 * there are none, which no literal has. */
static uint64_t load_some(const unsigned char *p, size_t n, size_t at)
{
	uint64_t w = 0;

	for (size_t k = 0; k < WORD; k++)
		if (at + k < n)
			w |= (uint64_t)p[at + k] << 8 * k;
	return w;
}

static inline bool is_like(uint64_t word, const struct word *w)
{
	return (word & w->mask) == w->value;
}

/* The whole of a literal that begins at ${at}. */
static bool is_there(const struct search *f, const struct literal *l, size_t at)
{
	const unsigned char *p = f->p + at;

	if (l->n > f->n - at)
		return false;
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != (unsigned char)l->text[k])
			return false;
	return true;
}

/* Tells the literals whose window is at ${at}, where and before which these words are. */
static void tell(const struct search *f, size_t at, uint64_t from, uint64_t before)
{
	const struct entry *e = &f->s->entries[f->s->slots[slot_of(from)]];

	for (;; e++) {
		if (is_like(from, &e->from) && is_like(before, &e->before) &&
		    (!e->longer || (at >= e->window &&
		                    is_there(f, &f->s->list[e->id], at - e->window))))
			f->fn(f->ctx, e->id, at - e->window + e->n);
		if (e->last)
			return;
	}
}

/* May any literal be where ${word} is? */
static inline bool may_be(const struct sieve *s, uint64_t word)
{
	return is_like(word, &s->common[s->slots[slot_of(word)]]);
}

/* --- where candidates are ------------------------------------------------------------
 */

static bool is_marked(const uint64_t *marks, size_t at)
{
	const size_t i = at / LITERALS_GRAIN;

	return marks == NULL || (marks[i / 64] >> i % 64 & 1);
}

void sieve_find_plain(const struct sieve *s, const unsigned char *p, size_t n,
                      const uint64_t *marks, literals_fn fn, void *ctx)
{
	const struct search f = { s, p, n, marks, fn, ctx };

	for (size_t at = 0; at + BUCKETS_LEAST <= n; at++) {
		unsigned in = is_marked(marks, at) ? UINT16_MAX : 0;
		uint64_t word;

		for (size_t k = 0; k < BUCKETS_WINDOW && at + k < n && in != 0; k++)
			in &= s->buckets.take[k][p[at + k] % BUCKETS_BYTES];
		if (in == 0)
			continue;
		word = load_some(p, n, at);
		if (may_be(s, word))
			tell(&f, at, word, load_some(p, n, at - WORD));
	}
}

#if defined(__x86_64__)

#define VBMI   __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")))
#define INLINE VBMI __attribute__((always_inline)) static inline

/* What one half of the buckets takes at one place of their windows. */
struct place {
	__m512i low, high;
};

/* Places by name, so that all of them are in registers. */
struct half {
	struct place a, b, c, d;
};

INLINE struct place place_of(const uint8_t table[BUCKETS_BYTES])
{
	return (struct place){ _mm512_loadu_si512(table),
		               _mm512_loadu_si512(table + 64) };
}

INLINE struct half half_of(const uint8_t tables[BUCKETS_WINDOW][BUCKETS_BYTES])
{
	_Static_assert(BUCKETS_WINDOW == 4, "as many places");
	return (struct half){ place_of(tables[0]), place_of(tables[1]),
		              place_of(tables[2]), place_of(tables[3]) };
}

/* The buckets of both halves that take the byte at one place of the windows at each of 64
 * bytes. */
struct both {
	__m512i a, b;
};

/* Bytes are loaded once: most loads are from two lines of the cache, and compilers would
 * rather load twice than copy. */
INLINE struct both taken_at(const struct place *a, const struct place *b,
                            const unsigned char *p)
{
	__m512i v = _mm512_loadu_si512(p);

	__asm__("" : "+v"(v));
	return (struct both){ _mm512_permutex2var_epi8(a->low, v, a->high),
		              _mm512_permutex2var_epi8(b->low, v, b->high) };
}

INLINE __m512i all_of(__m512i a, __m512i b, __m512i c, __m512i d)
{
	return _mm512_and_si512(_mm512_and_si512(a, b), _mm512_and_si512(c, d));
}

/* Those of a chunk.  One for all of a text, since it is cleared. */
struct candidates {
	unsigned n;
	uint16_t at[CHUNK + SPARE];
};

static inline uint64_t load(const unsigned char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Those of the chunk at ${base}, which is ${p}; WORD bytes are there before and after
 * each. */
static void tell_all(const struct search *f, size_t base, const unsigned char *p,
                     struct candidates *c)
{
	const struct sieve *const s = f->s;
	const unsigned n = c->n;
	uint16_t *const at = c->at;
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		const unsigned one = at[i];

		at[left] = (uint16_t)one;
		left += may_be(s, load(p + one));
	}
	for (unsigned i = 0; i < left; i++)
		tell(f, base + at[i], load(p + at[i]), load(p + at[i] - WORD));
}

#define EIGHT(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
static const uint8_t numbers[BLOCK] = { EIGHT(0),  EIGHT(8),  EIGHT(16), EIGHT(24),
	                                EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56) };

/* 32 numbers from ${base} on. */
INLINE void put(uint16_t *out, __m512i base, __m256i from)
{
	_mm512_storeu_si512(out, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(from)));
}

/* Adds those where ${bits} are, from ${base} on. */
INLINE void add(struct candidates *c, unsigned base, uint64_t bits)
{
	const __m512i are = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(numbers));
	const __m512i from = _mm512_set1_epi16((short)base);
	const unsigned n = (unsigned)_mm_popcnt_u64(bits);

	put(c->at + c->n, from, _mm512_castsi512_si256(are));
	if (n > 32)
		put(c->at + c->n + 32, from, _mm512_extracti64x4_epi64(are, 1));
	c->n += n;
}

/* Where any bucket takes the windows at 64 bytes. */
INLINE uint64_t taken_by_any(const struct half *a, const struct half *b,
                             const unsigned char *p)
{
	const struct both v = taken_at(&a->a, &b->a, p);
	const struct both w = taken_at(&a->b, &b->b, p + 1);
	const struct both x = taken_at(&a->c, &b->c, p + 2);
	const struct both y = taken_at(&a->d, &b->d, p + 3);
	const __m512i in = _mm512_or_si512(all_of(v.a, w.a, x.a, y.a),
	                                   all_of(v.b, w.b, x.b, y.b));

	return _mm512_test_epi8_mask(in, in);
}

/* The bytes of the grains of a block that are marked in its ${bits}. */
static inline uint64_t bytes_of(unsigned bits)
{
	const uint64_t spread = (bits & 1u) | (uint64_t)(bits & 2u) << 15 |
	                        (uint64_t)(bits & 4u) << 30 | (uint64_t)(bits & 8u) << 45;

	return spread * 0xffff;
}

static unsigned marks_of(const struct search *f, size_t at)
{
	const size_t grain = at / LITERALS_GRAIN;

	return f->marks != NULL ? (unsigned)(f->marks[grain / 64] >> grain % 64) & 15u
	                        : 15u;
}

/* A block that might be read beyond: from a copy with zeros around it, which no literal
 * has.  Inline, as the address sanitizer does not align what vectors are passed in. */
INLINE void find_at_edge(const struct search *f, size_t at, const struct half *a,
                         const struct half *b, struct candidates *c)
{
	const size_t before = at < WORD ? at : WORD, left = f->n - at;
	unsigned char copy[WORD + READS] = { 0 };

	memcpy(copy + WORD - before, f->p + at - before,
	       before + (left < READS ? left : READS));
	c->n = 0;
	add(c, 0, taken_by_any(a, b, copy + WORD) & bytes_of(marks_of(f, at)));
	tell_all(f, at, copy + WORD, c);
}

/* Blocks that nothing is at the edge of, after the first one; where they end. */
INLINE size_t find_all(const struct search *f, const struct half *a, const struct half *b,
                       struct candidates *c)
{
	const unsigned char *const p = f->p;
	size_t at = BLOCK;

	while (at + READS <= f->n) {
		const size_t base = at;

		c->n = 0;
		for (; at < base + CHUNK && at + READS <= f->n; at += BLOCK)
			add(c, (unsigned)(at - base), taken_by_any(a, b, p + at));
		tell_all(f, base, p + base, c);
	}
	return at;
}

/* The lowest bit of a block's grains, where any is set. */
static inline uint64_t blocks_of(uint64_t grains)
{
	grains |= grains >> 2;
	return (grains | grains >> 1) & 0x1111111111111111;
}

/* The same of those that are marked.  Numbers of candidates have 16 bits. */
INLINE size_t find_marked(const struct search *f, const struct half *a,
                          const struct half *b, struct candidates *c)
{
	const size_t end = f->n < BLOCK + READS ? BLOCK
	                                        : (f->n - READS) / BLOCK * BLOCK + BLOCK;
	size_t base = 0;

	c->n = 0;
	for (size_t at = 0; at < end; at += MARKED) {
		uint64_t grains = f->marks[at / MARKED];

		if (at == 0)
			grains &= ~UINT64_C(15); /* it is at the edge */
		if (end - at < MARKED)
			grains &= ~(UINT64_MAX << (end - at) / LITERALS_GRAIN);
		if (c->n > CHUNK - MARKED || at - base > UINT16_MAX - MARKED) {
			tell_all(f, base, f->p + base, c);
			base = at;
			c->n = 0;
		}
		for (uint64_t k = blocks_of(grains); k != 0; k &= k - 1) {
			const unsigned bit = (unsigned)__builtin_ctzll(k);
			const size_t to = at + bit * LITERALS_GRAIN;

			add(c, (unsigned)(to - base),
			    taken_by_any(a, b, f->p + to) &
			            bytes_of((unsigned)(grains >> bit) & 15u));
		}
	}
	tell_all(f, base, f->p + base, c);
	return end;
}

VBMI static void find_vbmi(const struct search *f)
{
	const struct half a = half_of(f->s->halves[0]), b = half_of(f->s->halves[1]);
	size_t at;
	struct candidates c;

	if (f->n < BUCKETS_LEAST)
		return;
	find_at_edge(f, 0, &a, &b, &c);
	at = f->marks != NULL ? find_marked(f, &a, &b, &c) : find_all(f, &a, &b, &c);
	for (; at + BUCKETS_LEAST <= f->n; at += BLOCK)
		find_at_edge(f, at, &a, &b, &c);
}

bool sieve_fast(void)
{
	return __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt");
}

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n,
                const uint64_t *marks, literals_fn fn, void *ctx)
{
	const struct search f = { s, p, n, marks, fn, ctx };

	if (sieve_fast())
		find_vbmi(&f);
	else
		sieve_find_plain(s, p, n, marks, fn, ctx);
}

#else

bool sieve_fast(void)
{
	return false;
}

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n,
                const uint64_t *marks, literals_fn fn, void *ctx)
{
	sieve_find_plain(s, p, n, marks, fn, ctx);
}

#endif

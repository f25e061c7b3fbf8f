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
#define CHUNK  4096u /* bytes whose candidates are gathered */
#define SPARE  4u    /* candidates that are written at once, there or not */
#define WORD   8u    /* bytes that are compared at once */
#define SLOTS  4096u
#define READS  (BLOCK + BUCKETS_WINDOW + WORD) /* from where a block begins, at most */
#define NO_LOW 0xdfu

/* Bytes at a window as a number: those that it has under ${mask}. */
struct word {
	uint64_t mask, value;
};

/* A literal; those of a slot follow each other. */
struct entry {
	struct word word;
	uint16_t id;
	uint16_t before, n; /* bytes of it before the window, and of all of it */
	bool longer;        /* than what ${word} has of it */
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

static struct word word_of(const struct literal *l, size_t window)
{
	struct word w = { 0, 0 };

	for (size_t k = 0; k < WORD && window + k < l->n; k++) {
		const unsigned char c = (unsigned char)l->text[window + k];
		const uint64_t mask = !l->exact && isalpha(c) ? NO_LOW : 0xff;

		w.mask |= mask << 8 * k;
		w.value |= (c & mask) << 8 * k;
	}
	return w;
}

static int by_slot(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	const unsigned i = slot_of(a->word.value), k = slot_of(b->word.value);

	return i != k ? (i > k) - (i < k) : (a->id > b->id) - (a->id < b->id);
}

static void make_entries(struct sieve *s, size_t n, const uint16_t *windows)
{
	for (size_t i = 0; i < n; i++) {
		const struct literal *l = &s->list[i];

		s->entries[i + 1] = (struct entry){
			.word = word_of(l, windows[i]),
			.id = (uint16_t)i,
			.before = windows[i],
			.n = l->n,
			.longer = windows[i] > 0 || l->n > windows[i] + WORD,
		};
	}
	qsort(s->entries + 1, n, sizeof(*s->entries), by_slot);
}

static void make_slots(struct sieve *s, size_t n)
{
	s->common[0] = (struct word){ 0, 1 }; /* nothing is like that */
	for (size_t i = 1; i <= n; i++) {
		struct entry *e = &s->entries[i];
		const unsigned slot = slot_of(e->word.value);
		struct word *c;

		e->last = i == n || slot_of(s->entries[i + 1].word.value) != slot;
		if (s->slots[slot] == 0) {
			s->slots[slot] = (uint16_t)i;
			s->common[i] = e->word;
		}
		c = &s->common[s->slots[slot]];
		c->mask &= e->word.mask & ~(c->value ^ e->word.value);
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
	return buckets_fit(list, n);
}

static struct sieve *allocate(const struct literal *list, size_t n)
{
	struct sieve *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->list = list;
	s->common = calloc(n + 1, sizeof(*s->common));
	s->entries = calloc(n + 1, sizeof(*s->entries));
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
	make_slots(s, n);
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

static inline uint64_t load(const unsigned char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* The same where fewer bytes may be left. */
static uint64_t load_rest(const unsigned char *p, size_t n)
{
	uint64_t w = 0;

	for (size_t k = 0; k < WORD && k < n; k++)
		w |= (uint64_t)p[k] << 8 * k;
	return w;
}

static bool is_there(const struct literal *l, const unsigned char *p)
{
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != (unsigned char)l->text[k])
			return false;
	return true;
}

/* Tells the literals whose window is at ${at}, where ${word} is. */
static void tell(const struct search *f, size_t at, uint64_t word)
{
	const struct entry *e = &f->s->entries[f->s->slots[slot_of(word)]];

	for (;; e++) {
		if ((word & e->word.mask) == e->word.value && at >= e->before &&
		    e->n <= f->n - (at - e->before) &&
		    (!e->longer || is_there(&f->s->list[e->id], f->p + at - e->before)))
			f->fn(f->ctx, e->id, at - e->before + e->n);
		if (e->last)
			return;
	}
}

static inline bool may_be(const struct sieve *s, uint64_t word)
{
	const struct word *c = &s->common[s->slots[slot_of(word)]];

	return (word & c->mask) == c->value;
}

/* --- where candidates are ------------------------------------------------------------
 */

void sieve_find_plain(const struct sieve *s, const unsigned char *p, size_t n,
                      literals_fn fn, void *ctx)
{
	const struct search f = { s, p, n, fn, ctx };

	for (size_t at = 0; at + BUCKETS_LEAST <= n; at++) {
		const size_t left = n - at;
		unsigned in = UINT16_MAX;
		uint64_t word;

		for (size_t k = 0; k < BUCKETS_WINDOW && k < left && in != 0; k++)
			in &= s->buckets.take[k][p[at + k] % BUCKETS_BYTES];
		if (in == 0)
			continue;
		word = left < WORD ? load_rest(p + at, left) : load(p + at);
		if (may_be(s, word))
			tell(&f, at, word);
	}
}

#if defined(__x86_64__)

#define VBMI   __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi,popcnt")))
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

INLINE __m512i taken_at(const struct place *a, const unsigned char *p)
{
	return _mm512_permutex2var_epi8(a->low, _mm512_loadu_si512(p), a->high);
}

/* The buckets of this half that take the windows at each of 64 bytes. */
INLINE __m512i taken(const struct half *h, const unsigned char *p)
{
	return _mm512_and_si512(
		_mm512_and_si512(taken_at(&h->a, p), taken_at(&h->b, p + 1)),
		_mm512_and_si512(taken_at(&h->c, p + 2), taken_at(&h->d, p + 3)));
}

/* All ${n} candidates of the chunk at ${base}, which is ${p}; WORD bytes are there after
 * each. */
static void tell_all(const struct search *f, size_t base, const unsigned char *p,
                     uint16_t *at, unsigned n)
{
	const uint16_t *const slots = f->s->slots;
	const struct word *const common = f->s->common;
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		const unsigned one = at[i];
		const uint64_t word = load(p + one);
		const struct word *c = &common[slots[slot_of(word)]];

		at[left] = (uint16_t)one;
		left += (word & c->mask) == c->value;
	}
	for (unsigned i = 0; i < left; i++)
		tell(f, base + at[i], load(p + at[i]));
}

/* Few bits are the most likely: so many are written without asking. */
INLINE unsigned add(uint16_t *at, unsigned base, uint64_t bits)
{
	const unsigned n = (unsigned)_mm_popcnt_u64(bits);

	_Static_assert(SPARE == 4, "as many are written here");
	at[0] = (uint16_t)(base + _tzcnt_u64(bits));
	bits = _blsr_u64(bits);
	at[1] = (uint16_t)(base + _tzcnt_u64(bits));
	bits = _blsr_u64(bits);
	at[2] = (uint16_t)(base + _tzcnt_u64(bits));
	bits = _blsr_u64(bits);
	at[3] = (uint16_t)(base + _tzcnt_u64(bits));
	bits = _blsr_u64(bits);
	for (unsigned i = SPARE; bits != 0; i++) {
		at[i] = (uint16_t)(base + _tzcnt_u64(bits));
		bits = _blsr_u64(bits);
	}
	return n;
}

/* Where any bucket takes the windows at 64 bytes. */
INLINE uint64_t taken_by_any(const struct half *a, const struct half *b,
                             const unsigned char *p)
{
	const __m512i in = _mm512_or_si512(taken(a, p), taken(b, p));

	return _mm512_test_epi8_mask(in, in);
}

/* From ${at} on, where a block might read too far: from a copy with zeros after it, which
 * a text that ends there cannot hold. */
VBMI static void find_rest(const struct search *f, size_t at, const struct half *a,
                           const struct half *b)
{
	for (; at + BUCKETS_LEAST <= f->n; at += BLOCK) {
		const size_t left = f->n - at, begin = left - BUCKETS_LEAST + 1;
		unsigned char rest[READS] = { 0 };
		uint16_t candidates[BLOCK + SPARE];
		uint64_t in;

		memcpy(rest, f->p + at, left < READS ? left : READS);
		in = taken_by_any(a, b, rest);
		if (begin < BLOCK)
			in &= (UINT64_C(1) << begin) - 1;
		tell_all(f, at, rest, candidates, add(candidates, 0, in));
	}
}

VBMI static void find_vbmi(const struct search *f)
{
	const struct half a = half_of(f->s->halves[0]), b = half_of(f->s->halves[1]);
	const unsigned char *const p = f->p;
	const size_t stop = f->n >= READS ? f->n - READS : 0; /* the last block begins */
	uint16_t candidates[CHUNK + SPARE];
	size_t at = 0;

	while (at + READS <= f->n) {
		const size_t base = at;
		unsigned n = 0;

		for (; at < base + CHUNK && at <= stop; at += BLOCK)
			n += add(candidates + n, (unsigned)(at - base),
			         taken_by_any(&a, &b, p + at));
		tell_all(f, base, p + base, candidates, n);
	}
	find_rest(f, at, &a, &b);
}

bool sieve_fast(void)
{
	return __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n, literals_fn fn,
                void *ctx)
{
	const struct search f = { s, p, n, fn, ctx };

	if (sieve_fast())
		find_vbmi(&f);
	else
		sieve_find_plain(s, p, n, fn, ctx);
}

#else

bool sieve_fast(void)
{
	return false;
}

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n, literals_fn fn,
                void *ctx)
{
	sieve_find_plain(s, p, n, fn, ctx);
}

#endif

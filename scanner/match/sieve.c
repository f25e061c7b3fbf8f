/* SPDX-License-Identifier: Apache-2.0 */
#include "match/sieve.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "match/buckets.h"
#include "match/slots.h"

#define BLOCK  64u
#define MARKED ((size_t)64 * LITERALS_GRAIN) /* bytes that a word of marks is of */
#define CHUNK  SLOTS_PLACES                  /* bytes whose candidates are gathered */
#define WORD   SLOTS_WORD
#define READS  (BLOCK + BUCKETS_WINDOW + WORD) /* from where a block begins, at most */

_Static_assert(WORD >= BUCKETS_WINDOW, "what is read for a window is there");

struct sieve {
	const struct literal *list;
	struct buckets buckets;
#if defined(__x86_64__)
	/* the same, the low and the high eight buckets, as instructions take it */
	uint8_t halves[2][BUCKETS_WINDOW][BUCKETS_BYTES];
#endif
	struct slots slots;
};

struct search {
	const struct sieve *s;
	const unsigned char *p;
	size_t n;
	const uint64_t *marks;
	struct slots_text text; /* the same */
};

static struct search search_of(const struct sieve *s, const unsigned char *p, size_t n,
                               const uint64_t *marks, literals_fn fn, void *ctx)
{
	return (struct search){
		.s = s,
		.p = p,
		.n = n,
		.marks = marks,
		.text = {.s = &s->slots, .p = p, .n = n, .fn = fn, .ctx = ctx},
	};
}

/* --- making one ----------------------------------------------------------------------
 */

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
	return buckets_fit(list, n) && slots_fit(list, n);
}

static int fill(struct sieve *s, const struct literal *list, size_t n, struct err *e)
{
	AUTO_FREE uint16_t *windows = calloc(n + 1, sizeof(*windows));
	int rc;

	if (windows == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!buckets_load(buckets_embedded, list, n, windows, &s->buckets) &&
	    (rc = buckets_choose(list, n, 0, windows, &s->buckets, e)) != ERR_OK)
		return rc;
	make_halves(s);
	if (slots_init(&s->slots, list, n, windows) != ERR_OK)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

int sieve_new(const struct literal *list, size_t n, struct sieve **out, struct err *e)
{
	struct sieve *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = fill(s, list, n, e)) == ERR_OK)
		*out = s;
	else
		sieve_free(s);
	return rc;
}

void sieve_free(struct sieve *s)
{
	if (s == NULL)
		return;
	slots_clear(&s->slots);
	free(s);
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
	const struct search f = search_of(s, p, n, marks, fn, ctx);

	for (size_t at = 0; at + BUCKETS_LEAST <= n; at++) {
		unsigned in = is_marked(marks, at) ? UINT16_MAX : 0;

		for (size_t k = 0; k < BUCKETS_WINDOW && at + k < n && in != 0; k++)
			in &= s->buckets.take[k][p[at + k] % BUCKETS_BYTES];
		if (in != 0)
			slots_tell(&f.text, at);
	}
}

#if defined(__x86_64__)

/* What is only read where it was written need not be set to zero by the compiler: many
 * texts are short. */
#if __has_attribute(uninitialized)
#define UNCLEARED __attribute__((uninitialized))
#else
#define UNCLEARED
#endif

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

#define EIGHT(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
static const uint8_t numbers[BLOCK] = { EIGHT(0),  EIGHT(8),  EIGHT(16), EIGHT(24),
	                                EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56) };

/* 32 numbers from ${base} on. */
INLINE void put(uint16_t *out, __m512i base, __m256i from)
{
	_mm512_storeu_si512(out, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(from)));
}

/* Adds those where ${bits} are, from ${base} on. */
INLINE void add(struct slots_work *c, unsigned base, uint64_t bits)
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
                         const struct half *b, struct slots_work *c)
{
	const size_t before = at < WORD ? at : WORD, left = f->n - at;
	unsigned char copy[WORD + READS] = { 0 };

	memcpy(copy + WORD - before, f->p + at - before,
	       before + (left < READS ? left : READS));
	c->n = 0;
	add(c, 0, taken_by_any(a, b, copy + WORD) & bytes_of(marks_of(f, at)));
	slots_tell_all(&f->text, at, copy + WORD, c);
}

/* Blocks that nothing is at the edge of, after the first one; where they end. */
INLINE size_t find_all(const struct search *f, const struct half *a, const struct half *b,
                       struct slots_work *c)
{
	const unsigned char *const p = f->p;
	size_t at = BLOCK;

	while (at + READS <= f->n) {
		const size_t base = at;

		c->n = 0;
		for (; at < base + CHUNK && at + READS <= f->n; at += BLOCK)
			add(c, (unsigned)(at - base), taken_by_any(a, b, p + at));
		slots_tell_all(&f->text, base, p + base, c);
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
                          const struct half *b, struct slots_work *c)
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
			slots_tell_all(&f->text, base, f->p + base, c);
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
	slots_tell_all(&f->text, base, f->p + base, c);
	return end;
}

VBMI static void find_vbmi(const struct search *f)
{
	const struct half a = half_of(f->s->halves[0]), b = half_of(f->s->halves[1]);
	size_t at;
	UNCLEARED struct slots_work c;

	if (f->n < BUCKETS_LEAST)
		return;
	find_at_edge(f, 0, &a, &b, &c);
	at = f->marks != NULL ? find_marked(f, &a, &b, &c) : find_all(f, &a, &b, &c);
	for (; at + BUCKETS_LEAST <= f->n; at += BLOCK)
		find_at_edge(f, at, &a, &b, &c);
}

bool sieve_fast(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt");
}

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n,
                const uint64_t *marks, literals_fn fn, void *ctx)
{
	const struct search f = search_of(s, p, n, marks, fn, ctx);

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

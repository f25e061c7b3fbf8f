/* SPDX-License-Identifier: Apache-2.0 */
#include "match/runs.h"

#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#endif

#include "rules/rules.h"

/* Which bytes of a block are of the sets, which are digits or capitals, and which are
 * line feeds. */
struct masks {
	uint64_t of[RULE_SETS], mixed, lines;
};

/* Bits where ${n} of them follow each other from; ${m16}: where 16 do, ${n} from 16
 * to 48.
 */
static inline uint64_t rows(uint64_t m16, unsigned n)
{
	return n <= 32 ? m16 & m16 >> (n - 16)
	               : m16 & m16 >> 16 & m16 >> (n - 32) & m16 >> (n - 16);
}

static inline uint64_t rows_of_16(uint64_t m)
{
	m &= m >> 1;
	m &= m >> 2;
	m &= m >> 4;
	return m & m >> 8;
}

/* Bytes that it begins with. */
static unsigned first_bytes(uint64_t m)
{
	return ~m != 0 ? (unsigned)__builtin_ctzll(~m) : 64;
}

/* Bytes that the block before ends with, and this one begins with. */
static unsigned joined(uint64_t before, uint64_t m)
{
	const unsigned last = ~before != 0 ? (unsigned)__builtin_clzll(~before) : 64;

	return first_bytes(m) > 0 ? last + first_bytes(m) : 0;
}

static uint8_t least(unsigned a, unsigned b)
{
	return (uint8_t)(a < b ? a : b);
}

static uint8_t most(unsigned a, unsigned b)
{
	return (uint8_t)(a > b ? a : b);
}

static uint64_t ones(unsigned from, unsigned n)
{
	return (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX) << from;
}

static void add(struct runs_long *out, unsigned from, unsigned n)
{
	const bool none = out->first == RUNS_NONE;

	out->first = least(out->first, from);
	out->last = none ? (uint8_t)(from + n - 1) : most(out->last, from + n - 1);
}

/* Adds the runs of ${n} or more of one set that have a digit or a capital.  What is
 * before the block before is of no matter: there the run was long enough, or had none. */
static void note(const struct masks *before, const struct masks *m, unsigned set,
                 unsigned n, struct runs_long *out)
{
	const uint64_t x = m->of[set], y = before->of[set];
	const unsigned head = first_bytes(x), tail = joined(y, x) - head;

	if (head > 0 && head + tail >= n &&
	    ((ones(0, head) & m->mixed) != 0 ||
	     (tail > 0 && (ones(64 - tail, tail) & before->mixed) != 0)))
		add(out, 0, head);
	for (uint64_t r = rows(rows_of_16(x), n); r != 0;) {
		const unsigned from = (unsigned)__builtin_ctzll(r);
		const unsigned some = first_bytes(x >> from);

		if ((ones(from, some) & m->mixed) != 0)
			add(out, from, some);
		r &= from + some < 64 ? UINT64_MAX << (from + some) : 0;
	}
}

static void note_runs(const struct masks *before, const struct masks *m,
                      struct runs_block *b)
{
	static const unsigned n[RULE_SETS] = { RULE_RUN_ALNUM, RULE_RUN_URL,
		                               RULE_RUN_BASE64 };

	for (unsigned k = 0; k < RULE_SETS; k++)
		note(before, m, k, n[k], &b->run);
	note(before, m, RULE_ALNUM, RULE_WIDE_ALNUM, &b->wide);
}

static struct runs_block no_runs(uint64_t lines)
{
	return (struct runs_block){
		lines, {RUNS_NONE,  RUNS_NONE},
                 { RUNS_NONE, RUNS_NONE}
	};
}

static struct masks masks_of(const unsigned char *p, size_t n)
{
	struct masks m = { .lines = 0 };

	for (size_t i = 0; i < n; i++) {
		m.lines |= (uint64_t)(p[i] == '\n') << i;
		m.mixed |= (uint64_t)((p[i] >= '0' && p[i] <= '9') ||
		                      (p[i] >= 'A' && p[i] <= 'Z'))
		           << i;
		for (unsigned k = 0; k < RULE_SETS; k++)
			m.of[k] |= (uint64_t)rule_has_byte(&rule_set_of[k], p[i]) << i;
	}
	return m;
}

void runs_find_plain(const unsigned char *p, size_t n, struct runs_block *out)
{
	struct masks before = { .lines = 0 }, m;

	for (size_t at = 0; at < n; at += RUNS_BLOCK, out++) {
		m = masks_of(p + at, n - at < RUNS_BLOCK ? n - at : RUNS_BLOCK);
		*out = no_runs(m.lines);
		note_runs(&before, &m, out);
		before = m;
	}
}

#if defined(__x86_64__)

/*
 * The halves of a byte pick a set of classes each; those in both are its own:
 * 01 digits   02 A-O a-o   04 P-Z p-z   08 _   10 -   20 + /   40 line feed
 */
#define LOW_HALF  5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0x46, 0x22, 2, 0x12, 2, 0x2a
#define HIGH_HALF 0x40, 0, 0x30, 0x01, 0x02, 0x0c, 0x02, 0x04, 0, 0, 0, 0, 0, 0, 0, 0
#define OF_DIGITS 0x01
#define OF_ALNUM  0x07
#define OF_URL    0x1f
#define OF_BASE64 0x27
#define OF_ANY    0x3f
#define OF_LINES  0x40
#define AVX2      __attribute__((target("avx2")))
#define INLINE    AVX2 __attribute__((always_inline)) static inline

struct classes {
	__m256i low, high;
};

INLINE __m256i classes_of_32(const unsigned char *p)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	const __m256i low = _mm256_shuffle_epi8(_mm256_setr_epi8(LOW_HALF, LOW_HALF),
	                                        _mm256_and_si256(v, half));
	const __m256i high =
		_mm256_shuffle_epi8(_mm256_setr_epi8(HIGH_HALF, HIGH_HALF),
	                            _mm256_and_si256(_mm256_srli_epi16(v, 4), half));

	return _mm256_and_si256(low, high);
}

INLINE struct classes classes_of(const unsigned char *p)
{
	return (struct classes){ classes_of_32(p), classes_of_32(p + 32) };
}

/* Which of 64 bytes have one of ${some} of these classes? */
INLINE uint64_t having(const struct classes *c, int some)
{
	const __m256i of = _mm256_set1_epi8((char)some), none = _mm256_setzero_si256();
	const uint32_t low = (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_and_si256(c->low, of), none));
	const uint32_t high = (uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(_mm256_and_si256(c->high, of), none));

	return ~(low | (uint64_t)high << 32);
}

/* Small letters have a bit that capitals have not. */
INLINE struct masks masks_of_64(const unsigned char *p)
{
	const struct classes c = classes_of(p);
	const struct classes v = { _mm256_loadu_si256((const __m256i *)(const void *)p),
		                   _mm256_loadu_si256(
					   (const __m256i *)(const void *)(p + 32)) };
	const uint64_t alnum = having(&c, OF_ALNUM);

	return (struct masks){
		.of = {alnum, having(&c, OF_URL), having(&c, OF_BASE64)},
		.mixed = having(&c, OF_DIGITS) | (alnum & ~having(&v, 0x20)),
	};
}

/* A block that has a run of any of these characters, together with the one before it. */
AVX2 __attribute__((noinline)) static void look_closer(const unsigned char *p, bool first,
                                                       struct runs_block *out)
{
	const struct masks m = masks_of_64(p);
	struct masks before = { .lines = 0 };

	if (!first)
		before = masks_of_64(p - RUNS_BLOCK);
	note_runs(&before, &m, out);
}

/* Can a run of ${n} end in the block of ${m}?  All that do, and some that end before. */
INLINE uint64_t may_end(uint64_t before, uint64_t m, unsigned n)
{
	/* One less of what fills a block is enough, too. */
	const unsigned last = (unsigned)__builtin_clzll(~before | 1);
	const unsigned first = (unsigned)__builtin_ctzll(~m | UINT64_C(1) << 63);

	return rows(rows_of_16(m), n) | (last + first >= n);
}

/* What the block before has of both sets that runs are looked for of. */
struct ends {
	uint64_t alnum, any;
};

INLINE void find_block(const unsigned char *p, bool first, struct ends *before,
                       struct runs_block *out)
{
	const struct classes c = classes_of(p);
	const struct ends m = { having(&c, OF_ALNUM), having(&c, OF_ANY) };

	_Static_assert(RULE_RUN_URL <= RULE_RUN_BASE64, "the smaller one is looked for");
	*out = no_runs(having(&c, OF_LINES));
	if ((may_end(before->alnum, m.alnum, RULE_RUN_ALNUM) |
	     may_end(before->any, m.any, RULE_RUN_URL)) != 0)
		look_closer(p, first, out);
	*before = m;
}

/* A block that is not whole is filled up with bytes that are of no set: byte by byte it
 * would cost as much as 2 KiB of whole ones, and most files are small. */
AVX2 static void find_avx2(const unsigned char *p, size_t n, struct runs_block *out)
{
	const size_t whole = n / RUNS_BLOCK, rest = n % RUNS_BLOCK;
	unsigned char tail[2 * RUNS_BLOCK] = { 0 };
	struct ends before = { 0, 0 };

	for (size_t i = 0; i < whole; i++)
		find_block(p + i * RUNS_BLOCK, i == 0, &before, &out[i]);
	if (rest == 0)
		return;
	if (whole > 0)
		memcpy(tail, p + (whole - 1) * RUNS_BLOCK, RUNS_BLOCK);
	memcpy(tail + RUNS_BLOCK, p + whole * RUNS_BLOCK, rest);
	find_block(tail + RUNS_BLOCK, whole == 0, &before, &out[whole]);
}

void runs_find(const unsigned char *p, size_t n, struct runs_block *out)
{
	if (__builtin_cpu_supports("avx2"))
		find_avx2(p, n, out);
	else
		runs_find_plain(p, n, out);
}

#else

void runs_find(const unsigned char *p, size_t n, struct runs_block *out)
{
	runs_find_plain(p, n, out);
}

#endif

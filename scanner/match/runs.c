/* SPDX-License-Identifier: Apache-2.0 */
#include "match/runs.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu.h"
#include "planes.h"
#include "rules/rules.h"

/* Which bytes of a block are of the sets, which are digits or capitals, and which are
 * line feeds. */
struct masks {
	uint64_t of[RULE_SETS], mixed, lines;
};

/* Bits of a block, and of the one before it. */
struct two {
	uint64_t before, m;
};

/* Bits that have one ${n} before them. */
static inline struct two behind(struct two t, unsigned n)
{
	return (struct two){ t.before & t.before << n,
		             t.m & (t.m << n | t.before >> (64 - n)) };
}

/* Bits that ${n} of them end at, from 17 to 48. */
static inline uint64_t ends_of(struct two t, unsigned n)
{
	t = behind(behind(behind(behind(t, 1), 2), 4), 8);
	return n <= 32 ? behind(t, n - 16).m : behind(behind(t, 16), n - 32).m;
}

/* The ${n} bits that end at each of ${ends}, as far as they are here. */
static inline uint64_t up_to(uint64_t ends, unsigned n)
{
	ends |= ends >> 1;
	ends |= ends >> 2;
	ends |= ends >> 4;
	ends |= ends >> 8;
	return n <= 32 ? ends | ends >> (n - 16)
	               : ends | ends >> 16 | ends >> (n - 32) | ends >> (n - 16);
}

/* The bits that it ends with. */
static uint64_t tail_of(uint64_t m)
{
	return m != UINT64_MAX ? ~(UINT64_MAX >> __builtin_clzll(~m)) : m;
}

/* From where those of ${in} begin that the lowest of ${some} is one of, to where those
 * end that the highest is. */
static void add(struct runs_long *out, uint64_t in, uint64_t some)
{
	const unsigned top = 63 - (unsigned)__builtin_clzll(some);
	const uint64_t below = ~in & ((some & (0 - some)) - 1), above = ~in >> top;
	const unsigned first = below != 0 ? 64 - (unsigned)__builtin_clzll(below) : 0;
	const unsigned last = above != 0 ? top + (unsigned)__builtin_ctzll(above) - 1
	                                 : 63;

	if (out->first == RUNS_NONE || out->last < last)
		out->last = (uint8_t)last;
	if (out->first > first)
		out->first = (uint8_t)first;
}

/* Adds the runs of ${n} or more of one set that have a digit or a capital.  What is
 * before the block before is of no matter: there the run was long enough, or had none. */
static inline void note(const struct masks *before, const struct masks *m, unsigned set,
                        unsigned n, struct runs_long *out)
{
	const uint64_t ends = ends_of((struct two){ before->of[set], m->of[set] }, n);
	uint64_t in, some;

	if (ends == 0)
		return;
	in = up_to(ends, n);
	some = in & m->mixed;
	if ((in & 1) != 0 && (tail_of(before->of[set]) & before->mixed) != 0)
		some |= 1;
	if (some != 0)
		add(out, in, some);
}

/* Those of block ${i}. */
static void note_runs(const struct masks *before, const struct masks *m,
                      const struct runs *out, size_t i)
{
	struct runs_block *b = &out->block[i];

	*b = (struct runs_block){
		{RUNS_NONE,  RUNS_NONE},
                { RUNS_NONE, RUNS_NONE}
	};
	note(before, m, RULE_ALNUM, RULE_RUN_ALNUM, &b->run);
	note(before, m, RULE_URL, RULE_RUN_URL, &b->run);
	note(before, m, RULE_BASE64, RULE_RUN_BASE64, &b->run);
	note(before, m, RULE_ALNUM, RULE_WIDE_ALNUM, &b->wide);
	if (b->run.first != RUNS_NONE)
		out->some[i / 64] |= UINT64_C(1) << i % 64;
}

/* Bits of a table: the sets, and more. */
enum { IS_MIXED = RULE_SETS, IS_LINE };

static void fill_table(uint8_t is[256])
{
	for (unsigned c = 0; c < 256; c++) {
		unsigned bits = (unsigned)(c == '\n') << IS_LINE;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))
			bits |= 1u << IS_MIXED;
		for (unsigned k = 0; k < RULE_SETS; k++)
			bits |= (unsigned)rule_has_byte(&rule_set_of[k], (unsigned char)c)
			        << k;
		is[c] = (uint8_t)bits;
	}
}

/* A block, of which there are ${n} bytes. */
static struct masks masks_of(const uint8_t is[256], const unsigned char *p, size_t n)
{
	unsigned char end[RUNS_BLOCK] = { 0 };
	uint64_t planes[PLANES];
	struct masks m;

	if (n < RUNS_BLOCK)
		p = memcpy(end, p, n);
	planes_of(is, p, planes);
	memcpy(m.of, planes, sizeof(m.of));
	m.mixed = planes[IS_MIXED];
	m.lines = planes[IS_LINE];
	return m;
}

static void find_plain(const unsigned char *p, size_t n, const struct runs *out)
{
	struct masks before = { .lines = 0 }, m;
	uint8_t is[256];

	_Static_assert(IS_LINE < PLANES && PLANES_BYTES == RUNS_BLOCK, "all of them");
	fill_table(is);
	for (size_t i = 0, at = 0; at < n; at += RUNS_BLOCK, i++) {
		m = masks_of(is, p + at, n - at < RUNS_BLOCK ? n - at : RUNS_BLOCK);
		out->lines[i] = m.lines;
		note_runs(&before, &m, out, i);
		before = m;
	}
}

/* The bits that are set. */
static size_t sum_of(const uint64_t *m, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (size_t)__builtin_popcountll(m[i]);
	return sum;
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

/* Block ${i}, which has a run of any of these characters, with the one before it. */
AVX2 __attribute__((noinline)) static void look_closer(const unsigned char *p,
                                                       const struct runs *out, size_t i)
{
	const struct masks m = masks_of_64(p);
	struct masks before = { .lines = 0 };

	if (i > 0)
		before = masks_of_64(p - RUNS_BLOCK);
	note_runs(&before, &m, out, i);
}

/* What the block before has of both sets that runs are looked for of. */
struct ends {
	uint64_t alnum, any;
};

INLINE void find_block(const unsigned char *p, struct ends *before,
                       const struct runs *out, size_t i)
{
	const struct classes c = classes_of(p);
	const struct ends m = { having(&c, OF_ALNUM), having(&c, OF_ANY) };

	_Static_assert(RULE_RUN_URL <= RULE_RUN_BASE64, "the smaller one is looked for");
	out->lines[i] = having(&c, OF_LINES);
	if ((ends_of((struct two){ before->alnum, m.alnum }, RULE_RUN_ALNUM) |
	     ends_of((struct two){ before->any, m.any }, RULE_RUN_URL)) != 0)
		look_closer(p, out, i);
	*before = m;
}

/* A block that is not whole is filled up with bytes that are of no set: byte by byte it
 * would cost as much as 2 KiB of whole ones, and most files are small. */
AVX2 static void find_avx2(const unsigned char *p, size_t n, const struct runs *out)
{
	const size_t whole = n / RUNS_BLOCK, rest = n % RUNS_BLOCK;
	unsigned char tail[2 * RUNS_BLOCK] = { 0 };
	struct ends before = { 0, 0 };

	for (size_t i = 0; i < whole; i++)
		find_block(p + i * RUNS_BLOCK, &before, out, i);
	if (rest == 0)
		return;
	if (whole > 0)
		memcpy(tail, p + (whole - 1) * RUNS_BLOCK, RUNS_BLOCK);
	memcpy(tail + RUNS_BLOCK, p + whole * RUNS_BLOCK, rest);
	find_block(tail + RUNS_BLOCK, &before, out, whole);
}

/* --- the same, by a table of all classes, and eight blocks at once --------------------
 */

#define VBMI        __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define INLINE_VBMI VBMI __attribute__((always_inline)) static inline
#define LANES       ((size_t)8)
#define GROUP       (4 * LANES) /* blocks: what was written is not read at once */

/* What a byte is. */
#define SMALL  1 /* a small letter */
#define MIXED  2 /* a capital, a digit */
#define URL    4 /* of those sets alone */
#define BASE64 8
/* clang-format off */
#define FIVE(c) c, c, c, c, c
static const uint8_t class_of[128] = {
	['+'] = BASE64, ['-'] = URL, ['/'] = BASE64, ['_'] = URL,
	['0'] = FIVE(MIXED), FIVE(MIXED),
	['A'] = FIVE(MIXED), FIVE(MIXED), FIVE(MIXED), FIVE(MIXED), FIVE(MIXED), MIXED,
	['a'] = FIVE(SMALL), FIVE(SMALL), FIVE(SMALL), FIVE(SMALL), FIVE(SMALL), SMALL,
};
/* clang-format on */

/* Masks of the block before the first one, and from there on. */
struct group {
	uint64_t of[RULE_SETS][1 + GROUP], mixed[1 + GROUP];
};

/* Of ${n} bytes; those that are missing of the last block are of no set. */
VBMI static void fill_group(struct group *g, const unsigned char *p, size_t n,
                            uint64_t *lines)
{
	const __m512i low = _mm512_loadu_si512(class_of);
	const __m512i high = _mm512_loadu_si512(class_of + 64);
	const __m512i alnum = _mm512_set1_epi8(SMALL | MIXED);
	const __m512i url = _mm512_set1_epi8(SMALL | MIXED | URL);
	const __m512i base64 = _mm512_set1_epi8(SMALL | MIXED | BASE64);
	const __m512i mixed = _mm512_set1_epi8(MIXED), lf = _mm512_set1_epi8('\n');

	for (size_t i = 0; i * RUNS_BLOCK < n; i++) {
		const size_t left = n - i * RUNS_BLOCK;
		const __mmask64 there = left < 64 ? (UINT64_C(1) << left) - 1
		                                  : UINT64_MAX;
		const __m512i v = _mm512_maskz_loadu_epi8(there, p + i * RUNS_BLOCK);
		const __m512i c = _mm512_maskz_permutex2var_epi8(~_mm512_movepi8_mask(v),
		                                                 low, v, high);

		lines[i] = _mm512_cmpeq_epi8_mask(v, lf);
		g->of[RULE_ALNUM][1 + i] = _mm512_test_epi8_mask(c, alnum);
		g->of[RULE_URL][1 + i] = _mm512_test_epi8_mask(c, url);
		g->of[RULE_BASE64][1 + i] = _mm512_test_epi8_mask(c, base64);
		g->mixed[1 + i] = _mm512_test_epi8_mask(c, mixed);
	}
}

static struct masks masks_in(const struct group *g, size_t i)
{
	return (struct masks){
		.of = {g->of[RULE_ALNUM][i], g->of[RULE_URL][i], g->of[RULE_BASE64][i]},
		.mixed = g->mixed[i],
	};
}

/* Masks of eight blocks, and of the blocks before them. */
struct eight {
	__m512i before, m;
};

INLINE_VBMI struct eight eight_of(const uint64_t *before)
{
	return (struct eight){ _mm512_loadu_si512(before),
		               _mm512_loadu_si512(before + 1) };
}

INLINE_VBMI struct eight either(struct eight a, struct eight b)
{
	return (struct eight){ _mm512_or_si512(a.before, b.before),
		               _mm512_or_si512(a.m, b.m) };
}

INLINE_VBMI struct eight behind_8(struct eight e, unsigned n)
{
	const __m512i carry = _mm512_srli_epi64(e.before, 64 - n);

	return (struct eight){
		_mm512_and_si512(e.before, _mm512_slli_epi64(e.before, n)),
		_mm512_and_si512(e.m, _mm512_or_si512(_mm512_slli_epi64(e.m, n), carry)),
	};
}

INLINE_VBMI struct eight ends_of_16(struct eight e)
{
	return behind_8(behind_8(behind_8(behind_8(e, 1), 2), 4), 8);
}

/* Which of eight blocks, from ${i} on, do runs end in that are long enough, if any digit
 * or capital will do? */
INLINE_VBMI unsigned may_have(const struct group *g, size_t i)
{
	const struct eight mixed = eight_of(g->mixed + i);
	const struct eight alnum = ends_of_16(eight_of(g->of[RULE_ALNUM] + i));
	const struct eight any = ends_of_16(
		either(eight_of(g->of[RULE_URL] + i), eight_of(g->of[RULE_BASE64] + i)));
	const __m512i runs =
		_mm512_or_si512(behind_8(alnum, RULE_RUN_ALNUM - 16).m,
	                        behind_8(behind_8(any, 16), RULE_RUN_URL - 32).m);
	const __m512i some = _mm512_or_si512(mixed.before, mixed.m);

	_Static_assert(RULE_RUN_ALNUM <= 32 && RULE_RUN_URL <= 48, "added up as here");
	return _mm512_test_epi64_mask(runs, runs) & _mm512_test_epi64_mask(some, some);
}

/* ${n} blocks, the first of which is block ${first}; what is after them is of the group
 * before. */
VBMI static void note_group(const struct group *g, size_t n, const struct runs *out,
                            size_t first)
{
	for (size_t k = 0; k < n; k += LANES)
		for (unsigned in = may_have(g, k); in != 0; in &= in - 1) {
			const size_t i = k + (unsigned)__builtin_ctz(in);
			const struct masks before = masks_in(g, i);
			const struct masks m = masks_in(g, i + 1);

			if (i < n)
				note_runs(&before, &m, out, first + i);
		}
}

static void next_group(struct group *g)
{
	for (unsigned k = 0; k < RULE_SETS; k++)
		g->of[k][0] = g->of[k][GROUP];
	g->mixed[0] = g->mixed[GROUP];
}

static void find_vbmi(const unsigned char *p, size_t n, const struct runs *out)
{
	struct group g = { .mixed = { 0 } };

	for (size_t at = 0; at < n; at += GROUP * RUNS_BLOCK, next_group(&g)) {
		const size_t left = n - at;
		const size_t some = left < GROUP * RUNS_BLOCK ? left : GROUP * RUNS_BLOCK;
		const size_t first = at / RUNS_BLOCK;

		fill_group(&g, p + at, some, out->lines + first);
		note_group(&g, (some + RUNS_BLOCK - 1) / RUNS_BLOCK, out, first);
	}
}

/* As sum_of(), where one instruction counts. */
__attribute__((target("popcnt"))) static size_t sum_by_popcnt(const uint64_t *m, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (size_t)__builtin_popcountll(m[i]);
	return sum;
}

static size_t sum_of_all(const uint64_t *m, size_t n)
{
	return cpu_best() >= CPU_AVX2 ? sum_by_popcnt(m, n) : sum_of(m, n);
}

static void find(const unsigned char *p, size_t n, const struct runs *out)
{
	const enum cpu best = cpu_best();

	if (best >= CPU_VBMI)
		find_vbmi(p, n, out);
	else if (best >= CPU_AVX2)
		find_avx2(p, n, out);
	else
		find_plain(p, n, out);
}

#else

static size_t sum_of_all(const uint64_t *m, size_t n)
{
	return sum_of(m, n);
}

static void find(const unsigned char *p, size_t n, const struct runs *out)
{
	find_plain(p, n, out);
}

#endif

void runs_find(const unsigned char *p, size_t n, const struct runs *out)
{
	const size_t blocks = (n + RUNS_BLOCK - 1) / RUNS_BLOCK;

	memset(out->some, 0, (blocks + 63) / 64 * sizeof(*out->some));
	find(p, n, out);
}

size_t runs_lines(const uint64_t *lines, size_t n)
{
	const size_t whole = n / RUNS_BLOCK;
	uint64_t rest = 0;

	if (n % RUNS_BLOCK != 0)
		rest = lines[whole] & ~(UINT64_MAX << n % RUNS_BLOCK);
	return sum_of_all(lines, whole) + sum_of(&rest, 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* decode_mark - the pass over all bytes: which of them can begin something encoded? */
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "cpu.h"
#include "decode/decode_impl.h"
#include "planes.h"

/* Into functions that are compiled for more than one kind of processor. */
#define ALWAYS_INLINE __attribute__((always_inline))
#define AFTER         2u /* bytes after one that say what it begins */

/* A text in blocks.  After its end there are NULs, which belong to nothing. */
struct blocks {
	const unsigned char *p;
	size_t n;
	unsigned used; /* of DECODE_BLOCKS and one more */
	unsigned char end[64 + AFTER];
};

static struct blocks blocks_of(const unsigned char *p, size_t n)
{
	const size_t all = (n + 63) / 64;

	return (struct blocks){
		.p = p,
		.n = n,
		.used = all <= DECODE_BLOCKS ? (unsigned)all : DECODE_BLOCKS + 1,
	};
}

/* Block ${i} and AFTER bytes more. */
ALWAYS_INLINE static inline const unsigned char *block(struct blocks *b, unsigned i)
{
	const size_t at = (size_t)64 * i;

	if (b->n - at >= sizeof(b->end))
		return b->p + at;
	memset(b->end, 0, sizeof(b->end));
	memcpy(b->end, b->p + at, b->n - at);
	return b->end;
}

/* Bits ${n} further on, those of the next block included. */
ALWAYS_INLINE static inline uint64_t ahead(uint64_t m, uint64_t next, unsigned n)
{
	return m >> n | next << (64 - n);
}

ALWAYS_INLINE static inline uint64_t letters(const struct marks *m, unsigned i)
{
	return m->mixed[i] | m->lower[i];
}

/* Those of ${bits} where it begins so. */
static uint64_t only_begins(const struct beginning *b, const unsigned char *p,
                            uint64_t bits)
{
	for (uint64_t left = bits; left != 0; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(left);

		bits ^= (uint64_t)!decode_begins(b, p + k) << k;
	}
	return bits;
}

/* Text begins where a run does, or after a sign.  What the first byte follows is not
 * known. */
ALWAYS_INLINE static inline void only_first(struct marks *m, unsigned n)
{
	m->text[0] &= ~(letters(m, 0) << 1);
	for (unsigned i = 1; i <= n; i++)
		m->text[i] &= ~(letters(m, i) << 1 | letters(m, i - 1) >> 63);
}

/* Where enough of a run follows, and runs that may be worth it wherever text begins: that
 * are long, or may be hexadecimal. */
ALWAYS_INLINE static inline void find_longs(struct marks *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const uint64_t r = m->run[i], q = m->run[i + 1];
		const uint64_t r2 = r & ahead(r, q, 1), q2 = q & q >> 1;
		const uint64_t r4 = r2 & ahead(r2, q2, 2), q4 = q2 & q2 >> 2;
		const uint64_t r8 = r4 & ahead(r4, q4, 4), q8 = q4 & q4 >> 4;
		const uint64_t r24 = r8 & ahead(r8, q8, 8) & ahead(r8, q8, 16);
		const uint64_t q24 = q8 & q8 >> 8 & q8 >> 16;
		const uint64_t hex = m->hex[i], more = m->hex[i + 1];
		const uint64_t digits = ahead(hex, more, 2) & ahead(hex, more, 3) &
		                        ahead(hex, more, 4);

		m->longs[i] = r8 & ahead(r8, q8, DECODE_RUN_MIN - 8);
		m->text[i] &= m->longs[i];
		m->worth[i] = r24 & (digits | ahead(r24, q24, DECODE_WRAP_MIN - 24)) &
		              ~(r << 1);
	}
}

/* Most words that begin as text does go on otherwise. */
static void only_text(const struct decode_tables *t, const unsigned char *p,
                      struct marks *m, uint64_t blocks)
{
	for (; blocks != 0; blocks &= blocks - 1) {
		const unsigned i = (unsigned)__builtin_ctzll(blocks);

		for (uint64_t left = m->text[i]; left != 0; left &= left - 1) {
			const unsigned bit = (unsigned)__builtin_ctzll(left);
			const unsigned char *at = p + (size_t)64 * i + bit;
			const bool three = decode_begins(&t->text, at);
			const bool is = three & decode_begins_text(&t->long_text, at);

			m->text[i] ^= (uint64_t)!is << bit;
		}
	}
}

/* Adds the places where text may begin; for those in a run that goes on in the next
 * block, the last byte before that. */
ALWAYS_INLINE static inline void only_worth(struct marks *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const uint64_t q = m->run[i + 1];
		/* Its first bytes, if a run goes on there. */
		const uint64_t on = q & ~(q + 1) & (0 - (m->run[i] >> 63));

		m->worth[i] |= m->text[i] | (uint64_t)((on & m->text[i + 1]) != 0) << 63;
	}
}

/* The blocks that have a bit, a bit for each. */
typedef uint64_t some_fn(const uint64_t *m, unsigned n);

static inline uint64_t some_plain(const uint64_t *m, unsigned n)
{
	uint64_t some = 0;

	for (unsigned i = 0; i < n; i++)
		some |= (uint64_t)(m[i] != 0) << i;
	return some;
}

static void no_marks(struct marks *m, unsigned i)
{
	m->run[i] = m->digit[i] = m->mixed[i] = m->lower[i] = 0;
	m->text[i] = m->hex[i] = m->line[i] = 0;
}

ALWAYS_INLINE static inline void conclude_of(const struct decode_tables *t,
                                             const unsigned char *p, struct marks *m,
                                             unsigned n, some_fn *some)
{
	only_first(m, n);
	find_longs(m, n);
	only_text(t, p, m, some(m->text, n));
	only_worth(m, n);
	m->busy = some(m->worth, n) | some(m->line, n);
}

/* What the marks of the blocks come to; after them there are no more. */
ALWAYS_INLINE static inline void conclude(const struct decode_tables *t, struct blocks *b,
                                          struct marks *m, some_fn *some)
{
	const unsigned n = b->used;

	if (n > DECODE_BLOCKS) {
		m->text[DECODE_BLOCKS] = only_begins(&t->text, block(b, DECODE_BLOCKS),
		                                     m->text[DECODE_BLOCKS]);
		/* A number that is known makes vectors of it. */
		conclude_of(t, b->p, m, DECODE_BLOCKS, some);
		return;
	}
	no_marks(m, n);
	if (n < DECODE_BLOCKS)
		m->longs[n] = m->worth[n] = 0;
	conclude_of(t, b->p, m, n, some_plain);
}

static void marks_plain(const struct decode_tables *t, struct blocks *b, struct marks *m)
{
	for (unsigned i = 0; i < b->used; i++) {
		const unsigned char *const p = block(b, i);
		uint64_t is[PLANES];

		planes_of(t->planes, p, is);
		m->run[i] = m->text[i] = is[DECODE_IS_RUN];
		m->digit[i] = is[DECODE_IS_DIGIT];
		m->mixed[i] = is[DECODE_IS_MIXED];
		m->lower[i] = is[DECODE_IS_SMALL];
		m->hex[i] = is[DECODE_IS_HEX];
		m->line[i] = only_begins(&t->line, p, is[DECODE_IS_LINE]);
	}
	conclude(t, b, m, some_plain);
}

#ifdef __x86_64__

#define VBMI        __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi,popcnt")))
#define VBMI_INLINE VBMI ALWAYS_INLINE static inline

/* A table of 128 bytes in registers. */
struct table {
	__m512i low, high;
};

struct triple {
	struct table a, b, c;
};

VBMI_INLINE struct table table_of(const unsigned char of[128])
{
	return (struct table){ _mm512_loadu_si512(of), _mm512_loadu_si512(of + 64) };
}

VBMI_INLINE struct triple triple_of(const struct beginning *b)
{
	return (struct triple){ table_of(b->of[0]), table_of(b->of[1]),
		                table_of(b->of[2]) };
}

/* 64 bytes as places in tables. */
VBMI_INLINE __m512i places(const unsigned char *p)
{
	return _mm512_min_epu8(_mm512_loadu_si512(p), _mm512_set1_epi8(0x7f));
}

VBMI_INLINE __m512i look_up(const struct table *t, __m512i places)
{
	return _mm512_permutex2var_epi8(t->low, places, t->high);
}

VBMI_INLINE uint64_t begins(const struct triple *t, __m512i v, __m512i next,
                            __m512i third)
{
	return _mm512_test_epi8_mask(_mm512_and_si512(look_up(&t->a, v),
	                                              look_up(&t->b, next)),
	                             look_up(&t->c, third));
}

VBMI_INLINE uint64_t having(__m512i is, unsigned some)
{
	return _mm512_test_epi8_mask(is, _mm512_set1_epi8((char)some));
}

/* Of all of them. */
VBMI_INLINE uint64_t some_vbmi(const uint64_t *m, unsigned n)
{
	uint64_t some = 0;

	(void)n;
	for (unsigned i = 0; i < DECODE_BLOCKS; i += 8) {
		const __m512i v = _mm512_loadu_si512(m + i);

		some |= (uint64_t)_mm512_test_epi64_mask(v, v) << i;
	}
	return some;
}

VBMI static void marks_vbmi(const struct decode_tables *t, struct blocks *b,
                            struct marks *m)
{
	const struct table is = table_of(t->is);
	const struct triple text = triple_of(&t->text), line = triple_of(&t->line);

	for (unsigned i = 0; i < b->used; i++) {
		const unsigned char *const p = block(b, i);
		const __m512i v = places(p), next = places(p + 1), third = places(p + 2);
		const __m512i of = look_up(&is, v);

		m->run[i] = _mm512_test_epi8_mask(of, of);
		m->digit[i] = having(of, CLASS_DIGIT);
		m->mixed[i] = having(of, CLASS_DIGIT | CLASS_CAPITAL);
		m->lower[i] = having(of, CLASS_SMALL);
		m->text[i] = begins(&text, v, next, third);
		m->hex[i] = having(of, CLASS_HEX);
		m->line[i] = begins(&line, v, next, third);
	}
	conclude(t, b, m, some_vbmi);
}

/*
 * Of each byte, its halves pick a set of classes each; those in both are its own:
 * 01 + - /   02 digits   04 A-O a-o   08 P-Z p-z   10 _   20 % &   40 \   80 quotes
 */
#define OF_ALPHABET      0x1f
#define OF_DIGITS        0x02
#define OF_LETTERS       0x0c
#define OF_FIRST_LETTERS 0x04
#define OF_LINE          0x60
#define QUOTES           0x80
#define LOW_HALF                                                                      \
	0x0a, 0x0e, -114, 0x0e, 0x0e, 0x2e, 0x2e, -114, 0x0e, 0x0e, 0x0c, 0x05, 0x44, \
		0x05, 0x04, 0x15
#define HIGH_HALF 0, 0, -95, 0x02, 0x04, 0x58, 0x04, 0x08, 0, 0, 0, 0, 0, 0, 0, 0
/* And what may stand between a quote and the next: 01 line ends and tabs
 * 02 blank & + .   04 \   08 ~ */
#define LOW_JOINT  2, 0, 0, 0, 0, 0, 2, 0, 0, 1, 1, 2, 4, 1, 10, 0
#define HIGH_JOINT 1, 0, 2, 0, 0, 4, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0
#define SMALL      0x20 /* the bit that parts small letters from capitals */
#define AVX2       __attribute__((target("avx2")))
#define INLINE     AVX2 ALWAYS_INLINE static inline

/* 64 bytes, and what they are. */
struct pair {
	__m256i low, high;
};

INLINE struct pair load(const unsigned char *p)
{
	return (struct pair){ _mm256_loadu_si256((const __m256i *)(const void *)p),
		              _mm256_loadu_si256(
				      (const __m256i *)(const void *)(p + 32)) };
}

INLINE __m256i classes_of_32(__m256i v, __m256i low, __m256i high)
{
	const __m256i half = _mm256_set1_epi8(0x0f);

	return _mm256_and_si256(
		_mm256_shuffle_epi8(low, _mm256_and_si256(v, half)),
		_mm256_shuffle_epi8(high,
	                            _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
}

INLINE struct pair classes_of(const struct pair *v, __m256i low, __m256i high)
{
	return (struct pair){ classes_of_32(v->low, low, high),
		              classes_of_32(v->high, low, high) };
}

INLINE uint64_t signs(const struct pair *v)
{
	return (uint32_t)_mm256_movemask_epi8(v->low) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(v->high) << 32;
}

/* Which bytes have one of the bits ${some}? */
INLINE uint64_t having_avx2(const struct pair *v, int some)
{
	const __m256i of = _mm256_set1_epi8((char)some), none = _mm256_setzero_si256();
	const struct pair without = {
		_mm256_cmpeq_epi8(_mm256_and_si256(v->low, of), none),
		_mm256_cmpeq_epi8(_mm256_and_si256(v->high, of), none)
	};

	return ~signs(&without);
}

/* Those of ${one} that are hexadecimal digits: of the letters up to o, the first six. */
INLINE uint64_t hex_avx2(const struct pair *v, const struct pair *one)
{
	const __m256i half = _mm256_set1_epi8(0x0f), seven = _mm256_set1_epi8(7);
	const __m256i letter = _mm256_set1_epi8(OF_FIRST_LETTERS);
	const struct pair first = {
		_mm256_and_si256(_mm256_and_si256(one->low, letter),
		                 _mm256_cmpgt_epi8(seven,
		                                   _mm256_and_si256(v->low, half))),
		_mm256_and_si256(_mm256_and_si256(one->high, letter),
		                 _mm256_cmpgt_epi8(seven,
		                                   _mm256_and_si256(v->high, half)))
	};

	return having_avx2(&first, 0xff);
}

/* Of quotes, only those that another may follow, at once or after a joint; all that text
 * may begin with, were it of the right letters. */
INLINE void mark_64(const unsigned char *p, unsigned i, struct marks *m)
{
	const struct pair v = load(p);
	const struct pair one = classes_of(&v, _mm256_setr_epi8(LOW_HALF, LOW_HALF),
	                                   _mm256_setr_epi8(HIGH_HALF, HIGH_HALF));
	const struct pair two = classes_of(&v, _mm256_setr_epi8(LOW_JOINT, LOW_JOINT),
	                                   _mm256_setr_epi8(HIGH_JOINT, HIGH_JOINT));
	const uint64_t quotes = signs(&one), joint = having_avx2(&two, 0xff);
	const uint64_t letters = having_avx2(&one, OF_LETTERS),
		       small = having_avx2(&v, SMALL);
	const uint64_t first = (joint | quotes) >> 1 | UINT64_C(1) << 63;
	const uint64_t twice = quotes >> 1 | UINT64_C(1) << 63;
	const uint64_t second = (joint | quotes) >> 2 | UINT64_C(3) << 62;

	m->run[i] = m->text[i] = having_avx2(&one, OF_ALPHABET);
	m->digit[i] = having_avx2(&one, OF_DIGITS);
	m->mixed[i] = m->digit[i] | (letters & ~small);
	m->lower[i] = letters & small;
	m->hex[i] = m->digit[i] | hex_avx2(&v, &one);
	m->line[i] = having_avx2(&one, OF_LINE) | (quotes & (twice | (first & second)));
}

AVX2 static void marks_avx2(const struct decode_tables *t, struct blocks *b,
                            struct marks *m)
{
	for (unsigned i = 0; i < b->used; i++)
		mark_64(block(b, i), i, m);
	conclude(t, b, m, some_plain);
}

void decode_marks(const struct decode_tables *t, const unsigned char *p, size_t n,
                  struct marks *m)
{
	const enum cpu best = cpu_best();
	struct blocks b = blocks_of(p, n);

	if (best >= CPU_VBMI)
		marks_vbmi(t, &b, m);
	else if (best >= CPU_AVX2)
		marks_avx2(t, &b, m);
	else
		marks_plain(t, &b, m);
}

#else

void decode_marks(const struct decode_tables *t, const unsigned char *p, size_t n,
                  struct marks *m)
{
	struct blocks b = blocks_of(p, n);

	marks_plain(t, &b, m);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* decode_mark - the pass over all bytes: which of them can begin something encoded? */
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "decode/decode_impl.h"

static bool in_alphabet(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '+' || c == '/' || c == '-' || c == '_';
}

static bool begins_line(unsigned char c)
{
	return c == '\\' || c == '%' || c == '&' || c == '"' || c == '\'';
}

/* The last block may be short. */
static void mark_block(const unsigned char *p, size_t n, unsigned i, struct marks *m)
{
	m->run[i] = m->digit[i] = m->mixed[i] = m->lower[i] = m->line[i] = 0;
	for (size_t k = 0; k < n && k < 64; k++) {
		m->run[i] |= (uint64_t)in_alphabet(p[k]) << k;
		m->digit[i] |= (uint64_t)(p[k] >= '0' && p[k] <= '9') << k;
		m->mixed[i] |= (uint64_t)(p[k] >= 'A' && p[k] <= 'Z') << k;
		m->lower[i] |= (uint64_t)(p[k] >= 'a' && p[k] <= 'z') << k;
		m->line[i] |= (uint64_t)begins_line(p[k]) << k;
	}
	m->mixed[i] |= m->digit[i];
}

static void mark_from(const unsigned char *p, size_t n, unsigned i, struct marks *m)
{
	for (; i <= DECODE_BLOCKS; i++) {
		const size_t at = (size_t)64 * i;

		mark_block(p + (at < n ? at : n), at < n ? n - at : 0, i, m);
	}
}

void decode_marks_plain(const unsigned char *p, size_t n, struct marks *m)
{
	mark_from(p, n, 0, m);
}

#ifdef __x86_64__

/*
 * Of each byte, its halves pick a set of classes each; those in both are its own:
 * 01 + - /   02 digits   04 A-O a-o   08 P-Z p-z   10 _   20 % &   40 \   80 quotes
 */
#define OF_ALPHABET 0x1f
#define OF_DIGITS   0x02
#define OF_LETTERS  0x0c
#define OF_LINE     0x60
#define QUOTES      0x80
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
#define INLINE     AVX2 __attribute__((always_inline)) static inline

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
INLINE uint64_t having(const struct pair *v, int some)
{
	const __m256i of = _mm256_set1_epi8((char)some), none = _mm256_setzero_si256();
	const struct pair without = {
		_mm256_cmpeq_epi8(_mm256_and_si256(v->low, of), none),
		_mm256_cmpeq_epi8(_mm256_and_si256(v->high, of), none)
	};

	return ~signs(&without);
}

/* Of quotes, only those that another may follow, at once or after a joint. */
INLINE void mark_64(const unsigned char *p, unsigned i, struct marks *m)
{
	const struct pair v = load(p);
	const struct pair one = classes_of(&v, _mm256_setr_epi8(LOW_HALF, LOW_HALF),
	                                   _mm256_setr_epi8(HIGH_HALF, HIGH_HALF));
	const struct pair two = classes_of(&v, _mm256_setr_epi8(LOW_JOINT, LOW_JOINT),
	                                   _mm256_setr_epi8(HIGH_JOINT, HIGH_JOINT));
	const uint64_t quotes = signs(&one), joint = having(&two, 0xff);
	const uint64_t letters = having(&one, OF_LETTERS), small = having(&v, SMALL);
	const uint64_t first = (joint | quotes) >> 1 | UINT64_C(1) << 63;
	const uint64_t twice = quotes >> 1 | UINT64_C(1) << 63;
	const uint64_t second = (joint | quotes) >> 2 | UINT64_C(3) << 62;

	m->run[i] = having(&one, OF_ALPHABET);
	m->digit[i] = having(&one, OF_DIGITS);
	m->mixed[i] = m->digit[i] | (letters & ~small);
	m->lower[i] = letters & small;
	m->line[i] = having(&one, OF_LINE) | (quotes & (twice | (first & second)));
}

AVX2 static unsigned mark_blocks(const unsigned char *p, size_t n, struct marks *m)
{
	unsigned i;

	for (i = 0; i <= DECODE_BLOCKS && n - (size_t)64 * i >= 64; i++)
		mark_64(p + (size_t)64 * i, i, m);
	return i;
}

void decode_marks(const unsigned char *p, size_t n, struct marks *m)
{
	mark_from(p, n, __builtin_cpu_supports("avx2") ? mark_blocks(p, n, m) : 0, m);
}

#else

void decode_marks(const unsigned char *p, size_t n, struct marks *m)
{
	decode_marks_plain(p, n, m);
}

#endif

size_t decode_run_length(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && in_alphabet(p[i]))
		i++;
	return i;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* decode_mark - the pass over all bytes: which of them can begin something encoded? */
#include <string.h>
#ifdef __SSE2__
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

static struct marks marks_of_few(const unsigned char *p, size_t n)
{
	struct marks m = { 0 };

	for (size_t i = 0; i < n; i++) {
		m.run |= (uint64_t)in_alphabet(p[i]) << i;
		m.line |= (uint64_t)begins_line(p[i]) << i;
	}
	return m;
}

static struct kinds kinds_of_few(const unsigned char *p, size_t n)
{
	struct kinds k = { 0 };

	for (size_t i = 0; i < n; i++) {
		k.digit |= (uint64_t)(p[i] >= '0' && p[i] <= '9') << i;
		k.upper |= (uint64_t)(p[i] >= 'A' && p[i] <= 'Z') << i;
		k.lower |= (uint64_t)(p[i] >= 'a' && p[i] <= 'z') << i;
	}
	return k;
}

#ifdef __SSE2__

static __m128i is(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* Bytes from ${low} to ${high}, both below 0x80, as -1; those from 0x80 on are negative.
 */
static __m128i between(__m128i v, char low, char high)
{
	return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8((char)(low - 1))),
	                     _mm_cmplt_epi8(v, _mm_set1_epi8((char)(high + 1))));
}

static uint64_t bits(__m128i v)
{
	return (uint16_t)_mm_movemask_epi8(v);
}

static __m128i either(__m128i a, __m128i b)
{
	return _mm_or_si128(a, b);
}

struct kinds decode_kinds(const unsigned char *p, size_t n, size_t room)
{
	const uint64_t all = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
	struct kinds k = { 0 };

	if (room < 64)
		return kinds_of_few(p, n);
	for (size_t i = 0; i < n; i += 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));

		k.digit |= bits(between(v, '0', '9')) << i;
		k.upper |= bits(between(v, 'A', 'Z')) << i;
		k.lower |= bits(between(v, 'a', 'z')) << i;
	}
	return (struct kinds){ k.digit & all, k.upper & all, k.lower & all };
}

static struct marks marks_of_16(const unsigned char *p)
{
	const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	const __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
	const __m128i run =
		either(either(either(between(lower, 'a', 'z'), between(v, '0', '9')),
	                      either(is(v, '+'), is(v, '/'))),
	               either(is(v, '-'), is(v, '_')));
	const __m128i line = either(either(is(v, '\\'), is(v, '%')),
	                            either(either(is(v, '&'), is(v, '"')), is(v, '\'')));

	return (struct marks){ bits(run), bits(line) };
}

static struct marks marks_of_64(const unsigned char *p)
{
	struct marks m = { 0 }, part;

	for (unsigned i = 0; i < 4; i++) {
		part = marks_of_16(p + (size_t)16 * i);
		m.run |= part.run << 16 * i;
		m.line |= part.line << 16 * i;
	}
	return m;
}

/*
 * Of each byte, its halves pick a set of classes each; those in both are its own:
 * 01 + - /   02 digits   04 A-O a-o   08 P-Z p-z   10 _   20 % &   40 \   80 quotes
 */
#define OF_ALPHABET 0x1f
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

struct masks {
	uint32_t run, line, quotes, joint;
};

__attribute__((target("avx2"), always_inline)) static inline __m256i classes_of(
	__m256i v, __m256i low, __m256i high)
{
	const __m256i half = _mm256_set1_epi8(0x0f);

	return _mm256_and_si256(
		_mm256_shuffle_epi8(low, _mm256_and_si256(v, half)),
		_mm256_shuffle_epi8(high,
	                            _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
}

/* Which bytes have one of ${some} of these classes? */
__attribute__((target("avx2"), always_inline)) static inline uint32_t having(
	__m256i classes, int some)
{
	const __m256i of = _mm256_and_si256(classes, _mm256_set1_epi8((char)some));

	return ~(uint32_t)_mm256_movemask_epi8(
		_mm256_cmpeq_epi8(of, _mm256_setzero_si256()));
}

__attribute__((target("avx2"), always_inline)) static inline struct masks masks_of_32(
	const unsigned char *p)
{
	const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	const __m256i one = classes_of(v, _mm256_setr_epi8(LOW_HALF, LOW_HALF),
	                               _mm256_setr_epi8(HIGH_HALF, HIGH_HALF));
	const __m256i two = classes_of(v, _mm256_setr_epi8(LOW_JOINT, LOW_JOINT),
	                               _mm256_setr_epi8(HIGH_JOINT, HIGH_JOINT));

	return (struct masks){ having(one, OF_ALPHABET), having(one, OF_LINE),
		               (uint32_t)_mm256_movemask_epi8(one), having(two, 0xff) };
}

/* Of quotes, only those that another may follow. */
__attribute__((target("avx2"))) static struct marks marks_of_64_avx2(
	const unsigned char *p)
{
	const struct masks a = masks_of_32(p), b = masks_of_32(p + 32);
	const uint64_t quotes = a.quotes | (uint64_t)b.quotes << 32;
	const uint64_t joint = a.joint | (uint64_t)b.joint << 32;
	const uint64_t first = (joint | quotes) >> 1 | UINT64_C(1) << 63;
	const uint64_t second = (joint | quotes) >> 2 | UINT64_C(3) << 62;

	return (struct marks){ a.run | (uint64_t)b.run << 32,
		               a.line | (uint64_t)b.line << 32 |
		                       (quotes & first & second) };
}

struct marks decode_marks(const unsigned char *p, size_t n)
{
	if (n < 64)
		return marks_of_few(p, n);
	return __builtin_cpu_supports("avx2") ? marks_of_64_avx2(p) : marks_of_64(p);
}

#else

struct kinds decode_kinds(const unsigned char *p, size_t n, size_t room)
{
	(void)room;
	return kinds_of_few(p, n);
}

struct marks decode_marks(const unsigned char *p, size_t n)
{
	return marks_of_few(p, n < 64 ? n : 64);
}

#endif

size_t decode_run_length(const unsigned char *p, size_t n)
{
	size_t i = 0;
	uint64_t out;

	while (i < n) {
		size_t some = n - i < 64 ? n - i : 64;

		out = ~decode_marks(p + i, some).run;
		if (some < 64)
			out &= (UINT64_C(1) << some) - 1;
		if (out != 0)
			return i + (size_t)__builtin_ctzll(out);
		i += some;
	}
	return n;
}

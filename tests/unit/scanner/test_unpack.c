/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#include "archive/ahead.h"
#include "archive/unpack.h"

#define PLAIN_MAX  (3u << 20)
#define PACKED_MAX (4u << 20)

static uint8_t plain[PLAIN_MAX], packed[PACKED_MAX];
static size_t plain_n, packed_n;

/* Text that compresses well, but not suspiciously so. */
static void fill(size_t n)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = (uint8_t)('a' + (x >> 16) % (i % 3 == 0 ? 20 : 4));
	}
	plain_n = n;
}

static void add_gzip(const uint8_t *p, size_t n)
{
	static uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
	struct isal_zstream z;

	isal_deflate_init(&z);
	z.level = 1;
	z.level_buf = level_buffer;
	z.level_buf_size = sizeof(level_buffer);
	z.gzip_flag = IGZIP_GZIP;
	z.end_of_stream = 1;
	z.next_in = (uint8_t *)(uintptr_t)p;
	z.avail_in = (uint32_t)n;
	z.next_out = packed + packed_n;
	z.avail_out = (uint32_t)(PACKED_MAX - packed_n);
	cr_assert_eq(isal_deflate(&z), COMP_OK);
	packed_n += z.total_out;
}

static void add(enum unpack_kind kind, const uint8_t *p, size_t n)
{
	if (kind == UNPACK_GZIP) {
		add_gzip(p, n);
	} else if (kind == UNPACK_ZSTD) {
		packed_n += ZSTD_compress(packed + packed_n, PACKED_MAX - packed_n, p, n,
		                          3);
	} else {
		cr_assert_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, p, n,
		                                     packed, &packed_n, PACKED_MAX),
		             LZMA_OK);
	}
}

/* Memory in small pieces. */
struct dribble {
	struct stream s;
	size_t at;
};

static int dribble_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct dribble *d = (struct dribble *)base;

	if (d->at == packed_n)
		return 0;
	*n = packed_n - d->at < 997 ? packed_n - d->at : 997;
	*p = packed + d->at;
	d->at += *n;
	return 1;
}

/* All of the stream equals ${plain}; else the reason, or "differs". */
static const char *compare(struct stream *s, bool into)
{
	static uint8_t room[STREAM_PEEK + 1];
	const uint8_t *p = room;
	size_t n, have = 0;
	int r;

	while ((r = into ? stream_fill(s, room, sizeof(room), &n)
	                 : stream_next(s, &p, &n)) > 0) {
		if (n > plain_n - have || memcmp(plain + have, p, n) != 0)
			return "differs";
		have += n;
	}
	return r < 0 ? s->why : have != plain_n ? "is short" : NULL;
}

/* What came of it: the same in pieces, in the caller's memory, and read ahead. */
static const char *result(enum unpack_kind kind)
{
	struct ahead *a = ahead_new();
	const char *why[3];

	cr_assert_not_null(a);
	for (int way = 0; way < 3; way++) {
		struct dribble in = { .s = { .next = dribble_next } };
		struct unpack *u = unpack_open(kind, &in.s, 200);
		struct stream *s;

		cr_assert_not_null(u);
		s = ahead_open(way == 2 ? a : NULL, unpack_stream(u));
		why[way] = compare(s, way == 1);
		ahead_close(a, s);
		unpack_close(u);
	}
	ahead_free(a);
	cr_assert_eq(why[0], why[1]);
	cr_assert_eq(why[0], why[2]);
	return why[0];
}

TestSuite(unpack, .timeout = 60);

static enum unpack_kind kinds[] = { UNPACK_GZIP, UNPACK_ZSTD, UNPACK_XZ };

ParameterizedTestParameters(unpack, what_was_packed)
{
	return cr_make_param_array(enum unpack_kind, kinds, ARRAY_LEN(kinds));
}

ParameterizedTest(enum unpack_kind *k, unpack, what_was_packed)
{
	fill(PLAIN_MAX);
	packed_n = 0;
	add(*k, plain, plain_n);
	cr_assert_eq(unpack_kind_of(packed, packed_n), *k);
	cr_assert_null(result(*k), "%s", result(*k));
}

ParameterizedTestParameters(unpack, members_that_follow_each_other)
{
	return cr_make_param_array(enum unpack_kind, kinds, ARRAY_LEN(kinds));
}

ParameterizedTest(enum unpack_kind *k, unpack, members_that_follow_each_other)
{
	fill(100000);
	packed_n = 0;
	add(*k, plain, 60000);
	add(*k, plain + 60000, 0);
	add(*k, plain + 60000, 40000);
	cr_assert_null(result(*k), "%s", result(*k));
}

ParameterizedTestParameters(unpack, a_piece_that_is_missing)
{
	return cr_make_param_array(enum unpack_kind, kinds, ARRAY_LEN(kinds));
}

ParameterizedTest(enum unpack_kind *k, unpack, a_piece_that_is_missing)
{
	size_t whole;

	fill(5000);
	packed_n = 0;
	add(*k, plain, plain_n);
	whole = packed_n;
	for (packed_n = 1; packed_n < whole; packed_n += packed_n < 40 ? 1 : 101)
		cr_assert_not_null(result(*k), "%zu of %zu", packed_n, whole);
}

ParameterizedTestParameters(unpack, a_bit_that_is_wrong)
{
	return cr_make_param_array(enum unpack_kind, kinds, ARRAY_LEN(kinds));
}

ParameterizedTest(enum unpack_kind *k, unpack, a_bit_that_is_wrong)
{
	fill(5000);
	packed_n = 0;
	add(*k, plain, plain_n);
	packed[packed_n / 2] ^= 4;
	cr_assert_not_null(result(*k));
}

Test(unpack, zeroes_behind_gzip_are_padding_and_anything_else_is_not)
{
	fill(1000);
	packed_n = 0;
	add_gzip(plain, plain_n);
	memset(packed + packed_n, 0, 3000);
	packed_n += 3000;
	cr_assert_null(result(UNPACK_GZIP), "%s", result(UNPACK_GZIP));
	packed[packed_n++] = 'x';
	cr_assert_not_null(result(UNPACK_GZIP));
}

Test(unpack, a_window_that_is_too_large)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	fill(PLAIN_MAX);
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	packed_n = 0;
	/* In two pieces, so that the size is not known and the window is kept. */
	{
		ZSTD_inBuffer in = { plain, 1000, 0 };
		ZSTD_outBuffer out = { packed, PACKED_MAX, 0 };

		ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush);
		ZSTD_compressStream2(c, &out, &in, ZSTD_e_end);
		packed_n = out.pos;
	}
	ZSTD_freeCCtx(c);
	plain_n = 1000;
	cr_assert_str_eq(result(UNPACK_ZSTD), "its zstd window is too large");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack.h"

#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define OUT_SIZE ((size_t)256 << 10)
#define OUT_MAX  ((size_t)1 << 30)

struct unpack {
	struct stream s;
	struct stream *in;
	uint64_t ratio;
	uint64_t in_bytes, out_bytes;
	const uint8_t *piece;
	size_t piece_n;
	bool in_end;
	/* One round: from the piece into ${out}; how many bytes, or -1 and s.why. */
	long (*round)(struct unpack *u, uint8_t *out, size_t cap);
	bool whole; /* the input may end here: no member is open */
	struct inflate_state *gzip;
	ZSTD_DCtx *zstd;
	lzma_stream xz;
	bool xz_open;
	uint8_t *own; /* where pieces are made for who has no memory for them; or NULL */
};

enum unpack_kind unpack_kind_of(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t magic[6];
		size_t n;
		enum unpack_kind kind;
	} kinds[] = {
		{{ 0x1f, 0x8b, 0x08 },             3, UNPACK_GZIP},
		{ { 0x28, 0xb5, 0x2f, 0xfd },      4, UNPACK_ZSTD},
		{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, UNPACK_XZ  },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (n >= kinds[i].n && memcmp(p, kinds[i].magic, kinds[i].n) == 0)
			return kinds[i].kind;
	return UNPACK_NONE;
}

static long fail(struct unpack *u, const char *why)
{
	u->s.why = why;
	return -1;
}

static void took(struct unpack *u, size_t left)
{
	size_t used = u->piece_n - left;

	u->in_bytes += used;
	u->piece += used;
	u->piece_n = left;
}

/* Behind a member: the next one, or zeroes that pad the end. */
static long gzip_between(struct unpack *u)
{
	while (u->piece_n > 0 && *u->piece == 0)
		took(u, u->piece_n - 1);
	if (u->piece_n == 0)
		return 0;
	isal_inflate_reset(u->gzip);
	u->gzip->crc_flag = ISAL_GZIP;
	u->whole = false;
	return 1;
}

static long gzip_round(struct unpack *u, uint8_t *out, size_t cap)
{
	struct inflate_state *g = u->gzip;
	int r;

	if (u->whole && gzip_between(u) == 0)
		return 0;
	g->next_in = (uint8_t *)(uintptr_t)u->piece;
	g->avail_in = (uint32_t)(u->piece_n < UINT32_MAX ? u->piece_n : UINT32_MAX);
	g->next_out = out;
	g->avail_out = (uint32_t)cap;
	r = isal_inflate(g);
	took(u, u->piece_n - (size_t)(g->next_in - u->piece));
	if (r == ISAL_INCORRECT_CHECKSUM)
		return fail(u, "its gzip checksum is wrong");
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
		return fail(u, "its gzip data is damaged");
	u->whole = g->block_state == ISAL_BLOCK_FINISH;
	return (long)((uint32_t)cap - g->avail_out);
}

static long zstd_round(struct unpack *u, uint8_t *out, size_t cap)
{
	ZSTD_inBuffer in = { u->piece, u->piece_n, 0 };
	ZSTD_outBuffer to = { out, cap, 0 };
	size_t r = ZSTD_decompressStream(u->zstd, &to, &in);

	if (ZSTD_isError(r))
		return fail(u, ZSTD_getErrorCode(r) ==
		                               ZSTD_error_frameParameter_windowTooLarge
		                       ? "its zstd window is too large"
		                       : "its zstd data is damaged");
	took(u, in.size - in.pos);
	u->whole = r == 0;
	return (long)to.pos;
}

static long xz_round(struct unpack *u, uint8_t *out, size_t cap)
{
	lzma_ret r;

	u->xz.next_in = u->piece;
	u->xz.avail_in = u->piece_n;
	u->xz.next_out = out;
	u->xz.avail_out = cap;
	r = lzma_code(&u->xz, u->in_end ? LZMA_FINISH : LZMA_RUN);
	took(u, u->xz.avail_in);
	if (r == LZMA_MEMLIMIT_ERROR)
		return fail(u, "its xz dictionary is too large");
	if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
		return fail(u, "its xz data is damaged");
	u->whole = r == LZMA_STREAM_END;
	return (long)(cap - u->xz.avail_out);
}

/* More input, when there is none left: false on a failure of the stream below. */
static bool refill(struct unpack *u)
{
	static const uint8_t none;
	int r;

	if (u->piece_n > 0 || u->in_end)
		return true;
	r = stream_next(u->in, &u->piece, &u->piece_n);
	if (r < 0) {
		u->s.why = u->in->why;
		return false;
	}
	if (r == 0) {
		u->in_end = true;
		u->piece_n = 0;
		u->piece = &none; /* never read, but no null pointer */
	}
	return true;
}

static bool ratio_ok(const struct unpack *u)
{
	return u->out_bytes / u->ratio <= u->in_bytes + SCAN_RATIO_WINDOW;
}

static int unpack_fill(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct unpack *u = (struct unpack *)s;
	bool was_end;

	/* What the decoders count in 32 bits. */
	cap = cap < OUT_MAX ? cap : OUT_MAX;

	do {
		size_t before;
		long got;

		if (!refill(u))
			return -1;
		was_end = u->in_end;
		before = u->piece_n;
		got = u->in_end && u->whole ? 0 : u->round(u, p, cap);
		if (got < 0)
			return -1;
		if (got > 0) {
			u->out_bytes += (uint64_t)got;
			*n = (size_t)got;
			return ratio_ok(u)
			               ? 1
			               : (int)fail(u, "it unpacks to suspiciously much");
		}
		if (!was_end && before > 0 && before == u->piece_n)
			return (int)fail(u, "its compressed data is damaged");
	} while (!was_end);
	return u->whole ? 0 : (int)fail(u, "its compressed data ends too early");
}

static int unpack_next(struct stream *s, const uint8_t **p, size_t *n)
{
	struct unpack *u = (struct unpack *)s;

	if (u->own == NULL)
		u->own = malloc(OUT_SIZE);
	if (u->own == NULL)
		return (int)fail(u, "out of memory");
	*p = u->own;
	return unpack_fill(s, u->own, OUT_SIZE, n);
}

static bool open_xz(struct unpack *u)
{
	static const lzma_stream empty = LZMA_STREAM_INIT;

	u->xz = empty;
	u->xz_open = lzma_stream_decoder(&u->xz, SCAN_XZ_MEMORY, LZMA_CONCATENATED) ==
	             LZMA_OK;
	u->round = xz_round;
	return u->xz_open;
}

static bool open_zstd(struct unpack *u)
{
	u->zstd = ZSTD_createDCtx();
	u->round = zstd_round;
	u->whole = true;
	return u->zstd != NULL &&
	       !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
	                                            (int)SCAN_ZSTD_WINDOW));
}

static bool open_gzip(struct unpack *u)
{
	u->gzip = malloc(sizeof(*u->gzip));
	u->round = gzip_round;
	if (u->gzip == NULL)
		return false;
	isal_inflate_init(u->gzip);
	u->gzip->crc_flag = ISAL_GZIP;
	return true;
}

struct unpack *unpack_open(enum unpack_kind kind, struct stream *in, uint64_t ratio)
{
	struct unpack *u = calloc(1, sizeof(*u));
	bool ok;

	if (u == NULL)
		return NULL;
	u->s.next = unpack_next;
	u->s.fill = unpack_fill;
	u->in = in;
	u->ratio = ratio;
	ok = kind == UNPACK_GZIP   ? open_gzip(u)
	     : kind == UNPACK_ZSTD ? open_zstd(u)
	                           : open_xz(u);
	if (ok)
		return u;
	unpack_close(u);
	return NULL;
}

struct stream *unpack_stream(struct unpack *u)
{
	return &u->s;
}

void unpack_close(struct unpack *u)
{
	if (u == NULL)
		return;
	free(u->gzip);
	(void)ZSTD_freeDCtx(u->zstd);
	if (u->xz_open)
		lzma_end(&u->xz);
	free(u->own);
	free(u);
}

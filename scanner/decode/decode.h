/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_DECODE_H
#define SCANNER_DECODE_H
/*
 * decode - texts that are hidden in a text: encoded, escaped, or cut into pieces.
 *
 * Long runs of base64 and hexadecimal are decoded if what comes out is text, compressed
 * text or UTF-16; lines with escapes (JSON, percent, HTML) and strings that are put
 * together from literals are written out.  What comes out is searched again, up to
 * DECODE_DEPTH levels; all that one blob yields is bounded by DECODE_FACTOR times its
 * size.
 *
 * Nothing is found that needs the bytes around to be of a known format.  The caller
 * slides one buffer over the blob, as for known_scan().  One decoder per thread; no
 * system calls.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

#define DECODE_DEPTH  3u
#define DECODE_FACTOR 4u           /* bytes that a byte of the blob may yield */
#define DECODE_KEEP   (16u * 1024) /* before the end of the buffer that may be open */
#define DECODE_PIECE  (64u * 1024) /* at most in one decoded text */
#define DECODE_HOW    48u          /* "base64>gzip>json" */

/* Part of a decoded text, and what it stands for. */
struct decode_span {
	size_t text; /* its first byte in the decoded text; ends where the next begins */
	size_t at, len; /* in the buffer */
};

/* Borrowed while the function is called. */
struct decoded {
	const unsigned char *p;
	size_t n;
	const char *how;
	unsigned depth;                  /* 1: from the buffer itself */
	const struct decode_span *spans; /* ascending; the first is at 0 */
	size_t spans_n;
};
typedef void (*decode_fn)(void *ctx, const struct decoded *d);

struct decoder;

/** decoder_new(), decoder_free(d): the former NULL if out of memory. */
struct decoder *decoder_new(void) MUST_CHECK;
void decoder_free(struct decoder *d);

/** decoder_begin(d): a new blob, with a budget of its own. */
void decoder_begin(struct decoder *d);

/** decode_find(d, p, n, from, last, fn, ctx): tell ${fn} every text that is hidden in
 * ${p} and begins at ${from} or later.  Returns where the next call goes on: what the
 * caller keeps when it moves the buffer.  That is at most DECODE_KEEP before ${n}, and
 * ${n} if ${last}: then nothing comes after p[n]. */
size_t decode_find(struct decoder *d, const unsigned char *p, size_t n, size_t from,
                   bool last, decode_fn fn, void *ctx);

/** decode_wide(d, p, n, from, last, fn, ctx): the same for texts in UTF-16 among bytes
 * that are no text, and what is hidden in them; each on a line of its own. */
size_t decode_wide(struct decoder *d, const unsigned char *p, size_t n, size_t from,
                   bool last, decode_fn fn, void *ctx);

/** decode_skipped(d): bytes of this blob that its budget left encoded. */
uint64_t decode_skipped(const struct decoder *d);

/** decode_origin(t, at): the span that byte ${at} of ${t} belongs to. */
const struct decode_span *decode_origin(const struct decoded *t, size_t at);

#endif

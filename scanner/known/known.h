/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_KNOWN_H
#define SCANNER_KNOWN_H
/*
 * known - the vault's own values, recognised by a leak pack (docs/leak-packs.md).
 *
 * A pack holds no value.  The pages of it are opened by who talks to the vault and loaded
 * here; what is scanned comes as one buffer that slides over the stream.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "leaktag.h"

#define KNOWN_MAX 1000000u /* values in a pack */

struct known;

/** known_new(e): a pack with nothing in it; free it with known_free(). */
struct known *known_new(struct err *e) MUST_CHECK;
/** known_add(k, page, n, now_ms, e): one opened page, a value encoding.  ERR_INVALID:
 * it is malformed, of another pack than the page before, has expired at ${now_ms}, or the
 * pack has more than KNOWN_MAX values; then ${k} is to be freed. */
int known_add(struct known *k, const void *page, size_t n, int64_t now_ms, struct err *e)
	MUST_CHECK;
/** known_ready(k, e): after the last page. */
int known_ready(struct known *k, struct err *e) MUST_CHECK;
/** known_free(k): NULL is allowed. */
void known_free(struct known *k);
/** known_count(k): values in it. */
size_t known_count(const struct known *k);
/** known_longest(k): bytes of the longest value; 0 for an empty pack. */
size_t known_longest(const struct known *k);

struct known_hit {
	const unsigned char *id; /* LEAK_ID bytes, borrowed */
	size_t at, len;          /* in the buffer */
	bool current;            /* of the newest version when the pack was made */
};
typedef void (*known_fn)(void *ctx, const struct known_hit *hit);

/* A value begins at most this far before the position that it is known by. */
#define KNOWN_BEHIND LEAK_PLACE_MAX

/** known_scan(k, p, n, from, last, fn, ctx): look at the positions from ${from} on; every
 * occurrence whose anchor is there is told once.  ${last}: nothing comes after p[n].
 * Returns the position that the next call goes on at: the caller moves the buffer on, but
 * keeps KNOWN_BEHIND bytes before that position, and has room for known_longest() after
 * it. */
size_t known_scan(const struct known *k, const unsigned char *p, size_t n, size_t from,
                  bool last, known_fn fn, void *ctx);

#endif

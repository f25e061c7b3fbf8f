/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_STREAM_HASH_H
#define SCANNER_STREAM_HASH_H
/* stream_hash - a stream that passes another through and hashes it on the way. */
#include "sha256.h"
#include "stream.h"

#define STREAM_DIGEST_LEN (7 + 2 * SHA256_BYTES) /* "sha256:…" */

struct stream_hash {
	struct stream s;
	struct stream *in;
	struct sha256 h;
};

/** stream_hash_init(s, in): ${in} stays the caller's. */
void stream_hash_init(struct stream_hash *s, struct stream *in);
/** stream_hash_end(s, out): of what has passed, as "sha256:" and hex digits. */
void stream_hash_end(struct stream_hash *s, char out[STREAM_DIGEST_LEN + 1]);
/** stream_hash_of(p, n, out): of bytes in memory. */
void stream_hash_of(const void *p, size_t n, char out[STREAM_DIGEST_LEN + 1]);

#endif

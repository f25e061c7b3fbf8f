/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_hash.h"

#include <string.h>

#include "text.h"

static int hash_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct stream_hash *s = (struct stream_hash *)base;
	int r = stream_next(s->in, p, n);

	if (r > 0)
		sha256_add(&s->h, *p, *n);
	else if (r < 0)
		base->why = s->in->why;
	return r;
}

void stream_hash_init(struct stream_hash *s, struct stream *in)
{
	memset(s, 0, sizeof(*s));
	s->s.next = hash_next;
	s->in = in;
	sha256_start(&s->h);
}

static void show(const unsigned char *digest, char *out)
{
	(void)snprintf(out, STREAM_DIGEST_LEN + 1, "sha256:");
	text_hex(digest, SHA256_BYTES, out + strlen(out));
}

void stream_hash_end(struct stream_hash *s, char out[STREAM_DIGEST_LEN + 1])
{
	unsigned char digest[SHA256_BYTES];

	sha256_end(&s->h, digest);
	show(digest, out);
}

void stream_hash_of(const void *p, size_t n, char out[STREAM_DIGEST_LEN + 1])
{
	unsigned char digest[SHA256_BYTES];

	sha256_of(digest, p, n);
	show(digest, out);
}

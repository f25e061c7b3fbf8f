/* SPDX-License-Identifier: Apache-2.0 */
#include "sha256.h"

void sha256_start(struct sha256 *h)
{
	nettle_sha256_init(&h->ctx);
}

void sha256_add(struct sha256 *h, const void *p, size_t n)
{
	if (n > 0)
		nettle_sha256_update(&h->ctx, n, p);
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_BYTES])
{
	nettle_sha256_digest(&h->ctx, SHA256_BYTES, out);
}

void sha256_of(unsigned char out[SHA256_BYTES], const void *p, size_t n)
{
	struct sha256 h;

	sha256_start(&h);
	sha256_add(&h, p, n);
	sha256_end(&h, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "leaktag.h"

#include <sodium.h>

void leak_key_read(struct leak_key *k, const unsigned char p[LEAK_KEY_BYTES])
{
	memcpy(k->digest, p, sizeof(k->digest));
	k->mix = 1;
	for (unsigned i = 0; i < 8; i++)
		k->mix |= (uint64_t)p[32 + i] << 8 * i;
	k->select = p[40] | (uint32_t)p[41] << 8 | 1;
}

unsigned leak_anchor(const struct leak_key *k, const unsigned char *p)
{
	unsigned at = 0;

	for (unsigned i = 1; i < LEAK_WINDOW; i++)
		if (leak_select(k, p + i) < leak_select(k, p + at))
			at = i;
	return at;
}

void leak_digest(const struct leak_key *k, const void *p, size_t n,
                 unsigned char out[LEAK_DIGEST])
{
	crypto_generichash(out, LEAK_DIGEST, p, n, k->digest, sizeof(k->digest));
}

void leak_entry_write(const struct leak_entry *en, unsigned char out[LEAK_ENTRY])
{
	uint32_t filter = (uint32_t)en->anchor << LEAK_TAG_BITS | en->tag;
	unsigned char *p = out;

	memcpy(p, en->id, LEAK_ID);
	p += LEAK_ID;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (unsigned char)(en->len >> shift);
	for (int shift = 16; shift >= 0; shift -= 8)
		*p++ = (unsigned char)(filter >> shift);
	*p++ = en->flags;
	memcpy(p, en->digest, LEAK_DIGEST);
}

int leak_entry_read(const unsigned char p[LEAK_ENTRY], struct leak_entry *en)
{
	const unsigned char *q = p + LEAK_ID;
	uint32_t filter = (uint32_t)q[4] << 16 | (uint32_t)q[5] << 8 | q[6];

	memcpy(en->id, p, LEAK_ID);
	en->len = (uint32_t)q[0] << 24 | (uint32_t)q[1] << 16 | (uint32_t)q[2] << 8 |
	          q[3];
	en->anchor = (uint8_t)(filter >> LEAK_TAG_BITS);
	en->tag = filter & ((1u << LEAK_TAG_BITS) - 1);
	en->flags = q[7];
	memcpy(en->digest, q + 8, LEAK_DIGEST);
	return en->len >= LEAK_MIN && en->len <= LEAK_MAX ? 0 : -1;
}

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

/* The first run: ${at} is where it begins. */
static bool find_run(const unsigned char *p, size_t n, size_t *at)
{
	size_t run = 0;

	for (size_t i = 0; i < n && i - run + LEAK_WINDOW <= LEAK_PLACE_MAX; i++) {
		run = leak_solid(p[i]) ? run + 1 : 0;
		*at = i + 1 - run;
		if (run == LEAK_RUN)
			return true;
	}
	return false;
}

int leak_place(const struct leak_key *k, const unsigned char *p, size_t n)
{
	size_t at;

	return find_run(p, n, &at) ? (int)(at + leak_anchor(k, p + at)) : -1;
}

int leak_entry_of(const struct leak_key *k, const unsigned char *p, size_t n,
                  struct leak_entry *en)
{
	int at = leak_place(k, p, n);

	if (at < 0)
		return -1;
	en->len = (uint32_t)n;
	en->place = (uint16_t)at;
	en->tag = leak_tag(k, p + at);
	leak_digest(k, p, n, en->digest);
	return 0;
}

/* ${n} bytes, the highest first. */
static unsigned char *put(unsigned char *p, uint32_t v, unsigned n)
{
	while (n-- > 0)
		*p++ = (unsigned char)(v >> 8 * n);
	return p;
}

static uint32_t take(const unsigned char **p, unsigned n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *(*p)++;
	return v;
}

void leak_entry_write(const struct leak_entry *en, unsigned char out[LEAK_ENTRY])
{
	unsigned char *p = out + LEAK_ID;

	memcpy(out, en->id, LEAK_ID);
	p = put(p, en->len, 4);
	p = put(p, en->place, 2);
	p = put(p, en->tag, 3);
	p = put(p, en->flags, 1);
	memcpy(p, en->digest, LEAK_DIGEST);
}

int leak_entry_read(const unsigned char p[LEAK_ENTRY], struct leak_entry *en)
{
	const unsigned char *q = p + LEAK_ID;

	memcpy(en->id, p, LEAK_ID);
	en->len = take(&q, 4);
	en->place = (uint16_t)take(&q, 2);
	en->tag = take(&q, 3) & ((1u << LEAK_TAG_BITS) - 1);
	en->flags = (uint8_t)take(&q, 1);
	memcpy(en->digest, q, LEAK_DIGEST);
	return en->len >= LEAK_MIN && en->len <= LEAK_MAX && en->place < LEAK_PLACE_MAX &&
	                       en->place + LEAK_GRAM <= en->len
	               ? 0
	               : -1;
}

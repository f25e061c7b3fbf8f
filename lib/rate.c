/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>

#include "rng.h"

#define WAYS      8u
#define SECOND_US INT64_C(1000000)
#define RETRY_MAX 3600

struct entry {
	uint64_t key;    /* hash */
	int64_t full_us; /* when the bucket is full again */
};

struct rate_table {
	unsigned char hash_key[crypto_shorthash_KEYBYTES];
	size_t sets;
	struct entry at[]; /* sets * WAYS */
};

struct rate_limit rate_limit(unsigned per_second, unsigned burst)
{
	struct rate_limit l = { 0, 0 };

	if (per_second == 0)
		return l;
	l.cost_us = SECOND_US / per_second;
	if (l.cost_us == 0)
		l.cost_us = 1;
	l.burst_us = l.cost_us * (burst > 1 ? (int64_t)burst - 1 : 0);
	return l;
}

struct rate_table *rate_table_new(size_t entries)
{
	size_t sets = (entries + WAYS - 1) / WAYS;
	struct rate_table *t;

	if (sets == 0)
		sets = 1;
	t = calloc(1, sizeof(*t) + sets * WAYS * sizeof(t->at[0]));
	if (t == NULL)
		return NULL;
	t->sets = sets;
	rng_bytes(t->hash_key, sizeof(t->hash_key));
	return t;
}

void rate_table_free(struct rate_table *t)
{
	free(t);
}

static uint64_t hash(const struct rate_table *t, const void *key, size_t n)
{
	unsigned char h[crypto_shorthash_BYTES];
	uint64_t v = 0;

	crypto_shorthash(h, key, n, t->hash_key);
	for (size_t i = 0; i < sizeof(h); i++)
		v = v << 8 | h[i];
	return v;
}

/* The entry of a key; if there is none, the one of its set that loses least. */
static struct entry *find(struct rate_table *t, uint64_t key)
{
	struct entry *set = &t->at[(size_t)(key % t->sets) * WAYS];
	struct entry *least = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].full_us < least->full_us)
			least = &set[i];
	}
	least->key = key;
	least->full_us = 0;
	return least;
}

int64_t rate_take(struct rate_table *t, const struct rate_limit *l, const void *key,
                  size_t n, int64_t now_us)
{
	struct entry *e;
	int64_t full_us;

	if (l->cost_us == 0)
		return 0;
	e = find(t, hash(t, key, n));
	full_us = e->full_us > now_us ? e->full_us : now_us;
	if (full_us - now_us > l->burst_us)
		return full_us - now_us - l->burst_us;
	e->full_us = full_us + l->cost_us;
	return 0;
}

int rate_retry_after(int64_t us)
{
	int64_t s = us / SECOND_US + (us % SECOND_US != 0);

	if (s < 1)
		return 1;
	return s < RETRY_MAX ? (int)s : RETRY_MAX;
}

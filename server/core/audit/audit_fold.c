/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_fold.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"

#define ANYONE "*"
#define PROBES 16u

_Static_assert(FOLD_ADDRESS > INET6_ADDRSTRLEN, "an address fits");

void fold_init(struct audit_fold *f)
{
	memset(f, 0, sizeof(*f));
	rng_bytes(f->key, sizeof(f->key));
	f->second = -1;
}

/* What counts as one address: the /64 of an IPv6 address. */
static void fold_name(const char *address, char out[FOLD_ADDRESS])
{
	struct in6_addr in6;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, address, &in6) == 1 && !IN6_IS_ADDR_V4MAPPED(&in6) &&
	    !IN6_IS_ADDR_LOOPBACK(&in6)) {
		memset(in6.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &in6, text, sizeof(text));
		snprintf(out, FOLD_ADDRESS, "%.43s/64", text);
		return;
	}
	snprintf(out, FOLD_ADDRESS, "%.47s", address);
}

static struct fold_slot *find_slot(struct audit_fold *f, const char *name)
{
	unsigned char h[crypto_shorthash_BYTES];
	unsigned at;

	crypto_shorthash(h, (const unsigned char *)name, strlen(name), f->key);
	at = (unsigned)h[0] | (unsigned)h[1] << 8;
	for (unsigned i = 0; i < PROBES; i++) {
		struct fold_slot *s = &f->slot[(at + i) % FOLD_SLOTS];

		if (s->second == f->second && s->n > 0) {
			if (strcmp(s->address, name) == 0)
				return s;
			continue;
		}
		snprintf(s->address, sizeof(s->address), "%.47s", name);
		s->second = f->second;
		s->n = 0;
		return s;
	}
	return NULL;
}

bool fold_beyond(struct audit_fold *f, const char *address, int64_t boot_ms)
{
	char name[FOLD_ADDRESS];
	struct fold_slot *s;

	f->second = boot_ms / 1000;
	fold_name(address, name);
	s = find_slot(f, name);
	if (s == NULL)
		return true;
	s->n++;
	return s->n > FOLD_FREE;
}

static struct fold_count *find_count(struct audit_fold *f, const char *name,
                                     const char *reason)
{
	struct fold_count *k;

	for (unsigned i = 0; i < f->counts; i++)
		if (strcmp(f->count[i].address, name) == 0 &&
		    strcmp(f->count[i].reason, reason) == 0)
			return &f->count[i];
	/* The last one is for everybody else. */
	if (f->counts == FOLD_COUNTS)
		return &f->count[FOLD_COUNTS - 1];
	k = &f->count[f->counts++];
	memset(k, 0, sizeof(*k));
	snprintf(k->address, sizeof(k->address), "%.47s",
	         f->counts == FOLD_COUNTS ? ANYONE : name);
	snprintf(k->reason, sizeof(k->reason), "%.31s",
	         f->counts == FOLD_COUNTS ? "various" : reason);
	return k;
}

void fold_add(struct audit_fold *f, const char *address, const char *reason, int64_t n,
              int64_t now_ms)
{
	char name[FOLD_ADDRESS], why[FOLD_REASON];
	struct fold_count *k;

	if (n <= 0)
		return;
	if (f->written) {
		f->written = false;
		f->counts = 0;
	}
	if (f->counts == 0)
		f->due_ms = now_ms + FOLD_EVERY_MS;
	fold_name(address, name);
	snprintf(why, sizeof(why), "%.31s", reason);
	k = find_count(f, name, why);
	if (k->count == 0)
		k->first_ms = now_ms;
	k->count += n;
	k->last_ms = now_ms;
}

int64_t fold_due(const struct audit_fold *f, int64_t now_ms)
{
	if (f->counts == 0 || f->written)
		return 0;
	/* A clock that was set back must not keep them waiting. */
	return f->due_ms > now_ms + FOLD_EVERY_MS ? now_ms + FOLD_EVERY_MS : f->due_ms;
}

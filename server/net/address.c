/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - connections per client address, and counts of what was refused before core.
 *
 * Both tables are bounded: the first by the connection limit, the second by REJECT_ROWS
 * per second (what does not fit is counted under the address "other").
 */
#include <arpa/inet.h>
#include <string.h>

#include "log.h"
#include "net.h"

#define ADDR_BUCKETS     4096u
#define REJECT_ROWS      256u
#define STATS_PERIOD_MS  1000
#define REJECT_PERIOD_MS 1000

struct addr_entry {
	struct addr_entry *next;
	unsigned char key[16];
	unsigned count;
};

struct addr_table {
	struct addr_entry *bucket[ADDR_BUCKETS];
};

static const unsigned char v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct addr_table *addr_table_new(void)
{
	return calloc(1, sizeof(struct addr_table));
}

void addr_table_free(struct addr_table *t)
{
	for (size_t i = 0; t != NULL && i < ADDR_BUCKETS; i++)
		while (t->bucket[i] != NULL) {
			struct addr_entry *e = t->bucket[i];

			t->bucket[i] = e->next;
			free(e);
		}
	free(t);
}

static const struct in6_addr *v6_of(const struct sockaddr *sa, socklen_t len)
{
	if (sa->sa_family != AF_INET6 || len < sizeof(struct sockaddr_in6))
		return NULL;
	return &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
}

static const struct in_addr *v4_of(const struct sockaddr *sa, socklen_t len)
{
	if (sa->sa_family != AF_INET || len < sizeof(struct sockaddr_in))
		return NULL;
	return &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
}

bool addr_key(const struct sockaddr *sa, socklen_t len, unsigned char key[16])
{
	const struct in6_addr *v6 = v6_of(sa, len);
	const struct in_addr *v4 = v4_of(sa, len);

	if (v6 != NULL) {
		memcpy(key, v6, 16);
		if (memcmp(key, v4_mapped, 12) != 0 && !IN6_IS_ADDR_LOOPBACK(v6))
			memset(key + 8, 0, 8); /* one customer commonly has a whole /64 */
		return true;
	}
	if (v4 != NULL) {
		memcpy(key, v4_mapped, 12);
		memcpy(key + 12, v4, 4);
		return true;
	}
	return false;
}

bool addr_is_loopback(const unsigned char key[16])
{
	if (memcmp(key, v4_mapped, 12) == 0)
		return key[12] == 127;
	return memcmp(key, &in6addr_loopback, 16) == 0;
}

void addr_text(const struct sockaddr *sa, socklen_t len, char out[INET6_ADDRSTRLEN])
{
	const struct in6_addr *v6 = v6_of(sa, len);
	const struct in_addr *v4 = v4_of(sa, len);
	const char *s = NULL;

	if (v6 != NULL && IN6_IS_ADDR_V4MAPPED(v6))
		s = inet_ntop(AF_INET, &v6->s6_addr[12], out, INET6_ADDRSTRLEN);
	else if (v6 != NULL)
		s = inet_ntop(AF_INET6, v6, out, INET6_ADDRSTRLEN);
	else if (v4 != NULL)
		s = inet_ntop(AF_INET, v4, out, INET6_ADDRSTRLEN);
	if (s == NULL)
		snprintf(out, INET6_ADDRSTRLEN, "unix");
}

static size_t bucket_of(const unsigned char key[16])
{
	uint32_t h = 2166136261u;

	for (int i = 0; i < 16; i++)
		h = (h ^ key[i]) * 16777619u;
	return (h ^ (h >> 16)) % ADDR_BUCKETS;
}

static struct addr_entry **find(struct addr_table *t, const unsigned char key[16])
{
	struct addr_entry **p = &t->bucket[bucket_of(key)];

	while (*p != NULL && memcmp((*p)->key, key, 16) != 0)
		p = &(*p)->next;
	return p;
}

unsigned addr_count(const struct addr_table *t, const unsigned char key[16])
{
	const struct addr_entry *e = t->bucket[bucket_of(key)];

	while (e != NULL && memcmp(e->key, key, 16) != 0)
		e = e->next;
	return e != NULL ? e->count : 0;
}

bool addr_add(struct addr_table *t, const unsigned char key[16])
{
	struct addr_entry **p = find(t, key);

	if (*p == NULL) {
		if ((*p = calloc(1, sizeof(**p))) == NULL)
			return false;
		memcpy((*p)->key, key, 16);
	}
	(*p)->count++;
	return true;
}

void addr_remove(struct addr_table *t, const unsigned char key[16])
{
	struct addr_entry **p = find(t, key);
	struct addr_entry *e = *p;

	if (e == NULL || --e->count > 0)
		return;
	*p = e->next;
	free(e);
}

struct reject_row {
	char address[INET6_ADDRSTRLEN];
	const char *reason;
	unsigned count;
};

struct reject_table {
	struct reject_row row[REJECT_ROWS];
	size_t used;
	int64_t since;
};

struct reject_table *reject_table_new(void)
{
	return calloc(1, sizeof(struct reject_table));
}

void reject_table_free(struct reject_table *t)
{
	free(t);
}

static struct reject_row *reject_row(struct reject_table *t, const char *address,
                                     const char *reason)
{
	struct reject_row *r;

	for (size_t i = 0; i < t->used; i++) {
		r = &t->row[i];
		if (strcmp(r->reason, reason) == 0 && strcmp(r->address, address) == 0)
			return r;
	}
	/* The last rows are kept for "other", one per reason. */
	if (t->used >= REJECT_ROWS - 32 && strcmp(address, "other") != 0)
		return reject_row(t, "other", reason);
	r = &t->row[t->used < REJECT_ROWS ? t->used++ : REJECT_ROWS - 1];
	snprintf(r->address, sizeof(r->address), "%s", address);
	r->reason = reason;
	return r;
}

void net_reject(struct net *n, const char *address, const char *reason)
{
	struct reject_table *t = n->rejected;

	if (t->used == 0)
		t->since = n->now;
	reject_row(t, address, reason)->count++;
}

int reject_next(const struct net *n)
{
	int64_t left;

	if (n->rejected->used == 0 || n->core == NULL)
		return -1;
	left = n->rejected->since + REJECT_PERIOD_MS - n->now;
	return left < 0 ? 0 : (int)left;
}

void reject_flush(struct net *n)
{
	struct reject_table *t = n->rejected;

	if (reject_next(n) != 0)
		return;
	for (size_t i = 0; i < t->used; i++) {
		struct value *v = value_object(n->a);

		value_set_str(n->a, v, "address", t->row[i].address);
		value_set_str(n->a, v, "reason", t->row[i].reason);
		value_set_int(n->a, v, "count", t->row[i].count);
		if (v == NULL || frame_put(n->core, IPC_REJECTED, 0, v) != ERR_OK)
			log_warn("refused requests could not be reported",
			         LOG_N("count", t->row[i].count));
		arena_reset(n->a);
	}
	memset(t, 0, sizeof(*t));
}

static void count_connections(const struct net *n, int64_t *connections,
                              int64_t *suspended)
{
	*connections = *suspended = 0;
	for (unsigned i = 0; i < n->listeners; i++) {
		*connections += n->listener[i].connections;
		*suspended += n->listener[i].suspended;
	}
}

int stats_next(const struct net *n)
{
	int64_t connections, suspended, left;

	if (!core_up(n))
		return -1;
	count_connections(n, &connections, &suspended);
	if (connections == n->told_connections && suspended == n->told_suspended)
		return -1;
	left = n->told_ms + STATS_PERIOD_MS - n->now;
	return left < 0 ? 0 : (int)left;
}

void stats_flush(struct net *n)
{
	struct value *v;

	if (stats_next(n) != 0)
		return;
	n->told_ms = n->now;
	count_connections(n, &n->told_connections, &n->told_suspended);
	v = value_object(n->a);
	value_set_bool(n->a, v, "hosts", n->kind == IPC_ON_HOSTS);
	value_set_int(n->a, v, "connections", n->told_connections);
	value_set_int(n->a, v, "suspended", n->told_suspended);
	if (arena_failed(n->a) || frame_put(n->core, IPC_STATS, 0, v) != ERR_OK)
		log_warn("the number of connections could not be reported");
	arena_reset(n->a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_WAIT_H
#define SERVER_CORE_WAIT_H
/*
 * wait - parked requests: found by what they wait for, by their client, and by deadline.
 * All three in O(1) or O(log n), because ten thousand long polls are parked at once.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

struct req;

/* Intrusive bookkeeping of one request that is, or may be, parked. */
struct wait_entry {
	struct wait_entry *key_next, **key_at;       /* bucket of (kind, key) */
	struct wait_entry *client_next, **client_at; /* bucket of (peer, id) */
	struct wait_entry *ready_next;
	size_t heap_at; /* position in the heap, 0 = not there */
	enum wait_kind kind;
	unsigned char key[16];
	int64_t deadline_ms; /* boot clock */
	uint64_t peer, id;
	struct req *req; /* owner of this entry */
};

int waits_open(struct core *c, struct err *e) MUST_CHECK;
/** waits_close(c, drop): every parked request is handed to ${drop}. */
void waits_close(struct core *c, void (*drop)(struct req *r));

/** waits_park(w, entry): kind, key, deadline, peer, id and req are set. ERR_NOMEM. */
int waits_park(struct waits *w, struct wait_entry *entry) MUST_CHECK;
/** waits_wake(w, kind, key): move all that wait for it to the ready list. */
void waits_wake(struct waits *w, enum wait_kind kind, const unsigned char key[16]);
/** waits_expire(w, boot_ms): the same for all whose deadline has come; INT64_MAX wakes
 * everything. */
void waits_expire(struct waits *w, int64_t boot_ms);
/** waits_take(w): the next ready request, no longer parked; NULL if none. */
struct req *waits_take(struct waits *w);
bool waits_ready(const struct waits *w);
/** waits_cancel(w, peer, id): the parked or ready request of a client, unlinked; NULL if
 * none. */
struct req *waits_cancel(struct waits *w, uint64_t peer, uint64_t id);
/** waits_cancel_peer(w, peer): any one request of that peer, NULL when none is left. */
struct req *waits_cancel_peer(struct waits *w, uint64_t peer);
/** waits_next_ms(w): the earliest deadline on the boot clock, or -1. */
int64_t waits_next_ms(const struct waits *w);
size_t waits_count(const struct waits *w);

#endif

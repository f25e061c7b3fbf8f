/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_AGENT_H
#define SERVER_CORE_API_AGENT_H
/* api_agent - what the agent's routes share. */
#include "lease_impl.h"
#include "route.h"

#define AGENT_DIGEST  32u
#define AGENT_SCRATCH ((size_t)24 * 1024 * 1024) /* for one value, or some leases */

/** agent_digest(ls, out): BLAKE2b-256 over "id:version\n" of the live leases in order of
 * id: equal digests mean that there is nothing to compare. */
void agent_digest(const struct leases *ls, unsigned char out[AGENT_DIGEST]);
/** agent_status(r, h, data): what every reply about leases also tells: pins, time, alarm.
 */
void agent_status(struct req *r, const struct host *h, struct value *data);
/** agent_proof(r, from, data): the newest signed head of the audit log, and the proof
 * that it continues the one of ${from} records, which is said, too.  An agent that has
 * seen more than there is gets an empty one: that the log is shorter is for the vault to
 * say, and a refusal could come from anybody. */
int agent_proof(struct req *r, int64_t from, struct value *data) MUST_CHECK;
/** agent_ack(l, state, version, rev, detail): take one acknowledgement, of a host that
 * knew the lease as of ${rev}; false: it says nothing new. */
bool agent_ack(struct lease *l, enum lease_state state, int64_t version, int64_t rev,
               const char *detail);
/** agent_own_lease(r, a, id, h, l, e): a lease of this very host; ERR_NOENT for anything
 * else. */
int agent_own_lease(struct req *r, struct arena *a, const struct value *id,
                    const struct host *h, struct lease *l, struct err *e) MUST_CHECK;

/* Who is given values, in answer to what (api_agent_value.c). */
struct agent_fetch {
	struct host h;
	struct host_role role;
	struct host_asked asked; /* op "fetch" */
	int64_t version;         /* 0: the current one; of what a Swarm has in use */
};
/** agent_give(r, a, f, l, room, item, e): the value of a usable lease, sealed for
 * its host, as {lease_id, version, sealed} in r->a; the lease knows that it was given.
 * *room bytes are left for boxes: where that is too little *item is NULL, and nothing was
 * given.  ERR_NOENT: there is none. */
int agent_give(struct req *r, struct arena *a, const struct agent_fetch *f,
               struct lease *l, size_t *room, struct value **item, struct err *e)
	MUST_CHECK;
/** agent_given(r, l): what the audit record says of that. */
struct value *agent_given(struct req *r, const struct lease *l);

/* What the host says itself (api_agent_ack.c). */
/** agent_take_acks(r, h, data): acknowledgements that the host has said, and how much of
 * the audit log it has verified. */
int agent_take_acks(struct req *r, struct host *h, const struct value *data) MUST_CHECK;
extern const struct field agent_heard_fields[];
int agent_take_ack(struct req *r);
int agent_take_release(struct req *r);

extern const struct field agent_watch_fields[];
int agent_watch(struct req *r);

#endif

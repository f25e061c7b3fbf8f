/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_AGENT_H
#define SERVER_CORE_API_AGENT_H
/* api_agent - what the agent's routes share. */
#include "lease_impl.h"
#include "route.h"

#define AGENT_DIGEST 32u

/** agent_digest(ls, out): BLAKE2b-256 over "id:version\n" of the live leases in order of
 * id: equal digests mean that there is nothing to compare. */
void agent_digest(const struct leases *ls, unsigned char out[AGENT_DIGEST]);
/** agent_status(r, h, data): what every reply about leases also tells: pins, time, alarm.
 */
void agent_status(struct req *r, const struct host *h, struct value *data);
/** agent_ack(l, state, version, detail): take one acknowledgement; false: it says nothing
 * new. */
bool agent_ack(struct lease *l, enum lease_state state, int64_t version,
               const char *detail);

extern const struct field agent_watch_fields[];
int agent_watch(struct req *r);

#endif

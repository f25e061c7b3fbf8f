/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_JOIN_H
#define AGENT_JOIN_H
/*
 * join - make this host known to a vault.
 *
 * The join token is a shared secret that never travels: the server knows it by a hash,
 * each side proves to the other that it has it, and the proof covers the new keys of the
 * host and the pinned key of the server, and all that the host keeps of the answer: its
 * own id, the vault's keys that it will believe from then on, the pins of the server.
 */
#include <jansson.h>

#include "err.h"
#include "identity.h"
#include "options.h"
#include "settings.h"

/** join_id(token, out): by which the server finds the token: 32 hex digits and a NUL. */
void join_id(const char *token, char out[33]);
/** join_mac(token, id, pin, out): the host's proof. */
void join_mac(const char *token, const struct identity *id, const unsigned char pin[32],
              unsigned char out[32]);
/** joined_mac(token, mac, body, n, out): the server's proof, over the host's proof ${mac}
 * and every byte of its answer. */
void joined_mac(const char *token, const unsigned char mac[32], const void *body,
                size_t n, unsigned char out[32]);
/** join_accept(token, id, mac, data, e): take the answer to a join that was asked for
 * with
 * ${mac}.  ERR_VERIFY: it is not proven; ERR_INVALID: it cannot be read. */
int join_accept(const char *token, struct identity *id, const unsigned char mac[32],
                const json_t *data, struct err *e) MUST_CHECK;

/** join_finish(state_dir, id, e): what an agent remembered of another life, of the log
 * and of versions, does not bind this one: it goes, if ${id} says that it is fresh.  A
 * join that was killed before that is finished with the next start. */
int join_finish(const char *state_dir, struct identity *id, struct err *e) MUST_CHECK;

/** join_run(o, s, e): the command. */
int join_run(const struct options *o, const struct settings *s, struct err *e) MUST_CHECK;

#endif

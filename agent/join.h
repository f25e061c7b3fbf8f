/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_JOIN_H
#define AGENT_JOIN_H
/*
 * join - make this host known to a vault.
 *
 * The join token is a shared secret that never travels: the server knows it by a hash,
 * each side proves to the other that it has it, and the proof covers the new keys of the
 * host, the pinned key of the server and the vault's key that is pinned from then on.
 */
#include "err.h"
#include "identity.h"
#include "options.h"
#include "settings.h"

/** join_id(token, out): by which the server finds the token: 32 hex digits and a NUL. */
void join_id(const char *token, char out[33]);
/** join_mac(token, id, pin, out): the host's proof. */
void join_mac(const char *token, const struct identity *id, const unsigned char pin[32],
              unsigned char out[32]);
/** joined_mac(token, id, out): the server's proof, over what ${id} was told. */
void joined_mac(const char *token, const struct identity *id, unsigned char out[32]);

/** join_run(o, s, e): the command. */
int join_run(const struct options *o, const struct settings *s, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_STATEMENT_H
#define AGENT_STATEMENT_H
/*
 * statement - what the vault itself says, as opposed to what its network process passes
 * on.
 *
 *   Ed25519 signature by the order key || body
 *   body = value encoding of {op, host_id, generation, nonce, data}
 *
 * The nonce is of the request that is answered, so nothing can be said twice; host,
 * generation and operation keep it from being said to another host, in another life of
 * this one, or in answer to another question.
 */
#include <jansson.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "identity.h"
#include "value.h"

#define STATEMENT_CONTEXT "vault/host-statement/v1"
#define STATEMENT_NONCE   32u
#define STATEMENT_SIG     64u

struct statement_expect {
	const char *op;
	const unsigned char *nonce; /* STATEMENT_NONCE bytes */
	uint64_t generation;        /* ours when the request left: the least possible */
};

/**
 * statement_read(id, a, p, n, want, body, e): verify and decode; ${p} must outlive
 * *body.  ERR_VERIFY: not signed by our vault; ERR_INTEGRITY: genuine, but not an answer
 * to this request; ERR_INVALID, ERR_NOMEM.
 */
int statement_read(const struct identity *id, struct arena *a, const unsigned char *p,
                   size_t n, const struct statement_expect *want, struct value **body,
                   struct err *e) MUST_CHECK;

/**
 * statement_open(id, text, want, e): the same from base64; what is said as an object that
 * the caller owns, with the statement's generation among its members.  NULL and ${e} on
 * failure.
 */
json_t *statement_open(const struct identity *id, const char *text,
                       const struct statement_expect *want, struct err *e) MUST_CHECK;

#define STATEMENT_OURS "vault/agent-statement/v1"
/** statement_say(id, op, a, data): what only this host can say, as base64 text; ${data}
 * and what is made of it are in ${a}.  NULL: out of memory. */
json_t *statement_say(const struct identity *id, const char *op, struct arena *a,
                      struct value *data) MUST_CHECK;

/**
 * statement_make(id, op, data): what this host says: the same form without a nonce, under
 * STATEMENT_OURS and our own key, in base64.  NULL if there is no memory or ${data} holds
 * anything but objects, arrays, strings and whole numbers.
 */
json_t *statement_make(const struct identity *id, const char *op, const json_t *data)
	MUST_CHECK;

#endif

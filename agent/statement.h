/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_STATEMENT_H
#define AGENT_STATEMENT_H
/*
 * statement - what the vault itself says, as opposed to what its network process passes
 * on.
 *
 *   body = value encoding of {op, host_id, generation, nonce, data}
 *
 * in a box of the session (lib/hostbox.h), whose key comes with the answer to the login;
 * that one is Ed25519 signature by the order key || body.
 *
 * The nonce is of the request that is answered, and in the box of what is asked, so
 * nothing can be said twice; host, generation and operation keep it from being said to
 * another host, in another life of this one, or in answer to another question.
 */
#include <jansson.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "hostbox.h"
#include "identity.h"
#include "value.h"

#define STATEMENT_CONTEXT "vault/host-statement/v1"
#define STATEMENT_NONCE   32u
#define STATEMENT_SIG     64u

struct statement_expect {
	const char *op;
	const unsigned char *nonce; /* STATEMENT_NONCE bytes */
	uint64_t generation;        /* ours when the request left: the least possible */
	const unsigned char *key; /* HOSTBOX_KEY bytes: of the session that it left in */
};

/**
 * statement_read(id, a, p, n, want, body, e): open, decode, compare; *body is in ${a}.
 * ERR_VERIFY: not said by our vault since our login; ERR_INTEGRITY: genuine, but not an
 * answer to this request; ERR_INVALID, ERR_NOMEM.
 */
int statement_read(const struct identity *id, struct arena *a, const unsigned char *p,
                   size_t n, const struct statement_expect *want, struct value **body,
                   struct err *e) MUST_CHECK;
/** statement_read_signed(): the same for what the order key has signed; no session is
 * asked for. */
int statement_read_signed(const struct identity *id, struct arena *a,
                          const unsigned char *p, size_t n,
                          const struct statement_expect *want, struct value **body,
                          struct err *e) MUST_CHECK;

/**
 * statement_open(id, text, want, e): the same from base64; what is said as an object that
 * the caller owns, with the statement's generation among its members.  NULL and ${e} on
 * failure.
 */
json_t *statement_open(const struct identity *id, const char *text,
                       const struct statement_expect *want, struct err *e) MUST_CHECK;
json_t *statement_open_signed(const struct identity *id, const char *text,
                              const struct statement_expect *want, struct err *e)
	MUST_CHECK;

#define STATEMENT_SESSION (HOSTBOX_KEY + 48u)
/** statement_session(id, next, box, key): the key of the session, as the answer to a
 * login brings it, sealed to the box key in use or to the ${next} one; 0, or -1. */
int statement_session(const struct identity *id, bool next,
                      const unsigned char box[STATEMENT_SESSION],
                      unsigned char key[HOSTBOX_KEY]) MUST_CHECK;

/** statement_ask(id, want, data): what is asked in a session, for the answer that is
 * described by ${want}, as base64 text: nobody can have other data answered in its place.
 * NULL as in statement_make(). */
json_t *statement_ask(const struct identity *id, const struct statement_expect *want,
                      const json_t *data) MUST_CHECK;

/** statement_say(id, key, op, a, data): what only this host can say in its session, as
 * base64 text; ${data} and what is made of it are in ${a}.  NULL: out of memory. */
json_t *statement_say(const struct identity *id, const unsigned char key[HOSTBOX_KEY],
                      const char *op, struct arena *a, struct value *data) MUST_CHECK;

#define STATEMENT_OURS "vault/agent-statement/v1"
/** statement_sign(id, op, a, data): the same signed by our own key, under STATEMENT_OURS,
 * for what outlives the session. */
json_t *statement_sign(const struct identity *id, const char *op, struct arena *a,
                       struct value *data) MUST_CHECK;

/** statement_make(id, key, op, data): as statement_say(); NULL if there is no memory or
 * ${data} holds anything but objects, arrays, strings, truth values and whole numbers. */
json_t *statement_make(const struct identity *id, const unsigned char key[HOSTBOX_KEY],
                       const char *op, const json_t *data) MUST_CHECK;

#endif

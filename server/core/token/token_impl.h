/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_IMPL_H
#define SERVER_CORE_TOKEN_IMPL_H
/*
 * token_impl - what the parts of the token store share, and what only the API needs.
 *
 * KIND_TOKEN: id = BLAKE2b-256(text) keyed with the token pepper; parent = id of the
 * parent token, or for a host's token blind("token-host", host id), or for a revoked one
 * its grave (token_revoke.c); tag = blind("accessor", …); due = when it expires by the
 * wall clock.  Body:
 *
 *   accessor, display_name, path, policies (array), meta (object, absent: none)
 *   created, ttl, explicit_max, period (ms)     uses: how many are left, 0: any number,
 *   renewed: last renewal (ms), absent: never   -1: none, waits for its removal
 *   renewable, orphan                           host: id of the host, absent: none
 *   boot_due: when it expires by the boot clock, absent: never
 *   cidrs: where it may be used, absent: anywhere
 *   role: name of the token role it was made through, absent: none
 *   mount (16 bytes), login_role, login: which login made it, for its renewal; absent:
 *   none
 *   dead: true when it is revoked and waits for its children to be found
 *
 * boot_due is sound across a reboot too: the boot clock starts again at zero, so reaching
 * it then takes longer than the token had left.
 *
 * A batch token is not stored.  token_find() gives it the form of an object of version 0
 * whose body has "batch": true besides what is above.
 */
#include <stdbool.h>
#include <stdint.h>

#include "auth_token.h"
#include "store.h"

#define TOKEN_TTL_MAX_MS (2764800ll * 1000) /* system default and maximum */

/* --- auth_token.c --- */

/** token_hash(c, text, n, id): the id under which a token is stored. */
void token_hash(struct core *c, const char *text, size_t n, unsigned char id[32]);
/** token_load(c, a, id, o, e): the stored token, alive or not; ERR_NOENT. */
int token_load(struct core *c, struct arena *a, const unsigned char id[32],
               struct store_object *o, struct err *e) MUST_CHECK;
/** token_find(c, a, text, o, e): a token by its text, if it is alive; ERR_NOENT. */
int token_find(struct core *c, struct arena *a, const char *text, struct store_object *o,
               struct err *e) MUST_CHECK;
/** token_find_accessor(c, a, accessor, o, e): by its accessor, if it is alive; ERR_NOENT.
 */
int token_find_accessor(struct core *c, struct arena *a, const char *accessor,
                        struct store_object *o, struct err *e) MUST_CHECK;
/** token_identity(r, o): fill r->id from a token that was found alive. */
void token_identity(struct req *r, const struct store_object *o);
/** token_alive(c, o): neither expired nor used up nor revoked, nor is the mount gone
 * whose login made it. */
bool token_alive(const struct core *c, const struct store_object *o);
/** token_is_batch(o): is it one that is not stored? */
bool token_is_batch(const struct store_object *o);
/** token_left_ms(c, o): how long it will live; 0: for ever. */
int64_t token_left_ms(const struct core *c, const struct store_object *o);

/* --- token_make.c --- */

/** token_body(c, a, s, accessor): the body of a new token. */
struct value *token_body(struct core *c, struct arena *a, const struct token_spec *s,
                         const char *accessor);
/** token_object_auth(a, c, o, text): the "auth" object of a reply. */
struct value *token_object_auth(struct arena *a, const struct core *c,
                                const struct store_object *o, const char *text);
/** token_host_parent(c, host_id, out): the parent of all tokens of a host. */
void token_host_parent(struct core *c, const unsigned char host_id[16],
                       unsigned char out[32]);
/** token_set_int(a, body, key, n): a number of a body, replaced. */
void token_set_int(struct arena *a, struct value *body, const char *key, int64_t n);
/** token_set_true(a, body, key): the same for a truth. */
void token_set_true(struct arena *a, struct value *body, const char *key);

/* --- token_batch.c: tokens that carry all there is to know about them --- */

/** token_batch_make(c, a, parent, body, due, text, e): the text of a batch token of that
 * body, at most LIMIT_TOKEN_TEXT bytes.  ERR_INVALID if it does not fit. */
int token_batch_make(struct core *c, struct arena *a, const unsigned char *parent,
                     const struct value *body, int64_t due, char *text, struct err *e)
	MUST_CHECK;
/** token_batch_open(c, a, text, n, o, e): ERR_NOENT for anything that this vault did not
 * make, or has disowned since. Says nothing of its time or its parent. */
int token_batch_open(struct core *c, struct arena *a, const char *text, size_t n,
                     struct store_object *o, struct err *e) MUST_CHECK;
/** token_batch_held(c, a, o, held, e): does its parent live, if it has one? */
int token_batch_held(struct core *c, struct arena *a, const struct store_object *o,
                     bool *held, struct err *e) MUST_CHECK;

/* --- token_ttl.c: the arithmetic of lifetimes, without any state --- */

struct token_terms {
	int64_t asked_ms;   /* increment, or what was asked at creation; 0: default_ms */
	int64_t default_ms; /* of the role or the mount; 0: the system's */
	int64_t max_ms; /* of the mount, which may pass the system's; 0: the system's */
	int64_t role_max_ms; /* 0: none */
	int64_t period_ms;
	int64_t explicit_max_ms;
	int64_t issued_ms, now_ms;
};
#define TOKEN_WARNING_MAX 200
/** token_terms_of_mount(m, t): what the mount's settings say. */
void token_terms_of_mount(const struct mount *m, struct token_terms *t);
/** token_ttl(t, ttl_ms, warning, e): the lifetime from now on; ${warning} ("" if none)
 * says what was capped.  ERR_INVALID "past the max TTL, cannot renew". */
int token_ttl(const struct token_terms *t, int64_t *ttl_ms,
              char warning[TOKEN_WARNING_MAX], struct err *e) MUST_CHECK;

/* --- token_renew.c --- */

/** token_renew_request(r, o, text): renew a token, asking the role or the login that it
 * comes from, and reply with it. */
int token_renew_request(struct req *r, struct store_object *o, const char *text)
	MUST_CHECK;

/* --- token_revoke.c --- */

/** token_revoke_request(r, o, orphan): "return token_revoke_request(…)": revoke a token;
 * the reply comes when all its descendants are dead (see job_wait()).  ${orphan}: its
 * children live on, without a parent. */
int token_revoke_request(struct req *r, const struct store_object *o, bool orphan)
	MUST_CHECK;

#endif

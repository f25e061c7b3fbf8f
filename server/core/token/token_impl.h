/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_IMPL_H
#define SERVER_CORE_TOKEN_IMPL_H
/*
 * token_impl - what the token API needs beyond auth_token.h.
 *
 * KIND_TOKEN: id = BLAKE2b-256(text) keyed with the token pepper; parent = id of the
 * parent token, or for a host's token blind("token-host", host id); tag =
 * blind("accessor", …); due = when it expires by the wall clock.  Body:
 *
 *   accessor, display_name, path, policies (array), meta (object, absent: none)
 *   created, ttl, explicit_max, period (ms)     uses: how many are left, 0: any number,
 *   renewed: last renewal (ms), absent: never   -1: none, waits for its removal
 *   renewable, orphan                           host: id of the host, absent: none
 *   boot_due: when it expires by the boot clock, absent: never
 *   cidrs: where it may be used, absent: anywhere
 *   mount (16 bytes), login_role, login: which login made it, for its renewal; absent:
 *   none
 *
 * boot_due is sound across a reboot too: the boot clock starts again at zero, so reaching
 * it then takes longer than the token had left.
 */
#include <stdbool.h>
#include <stdint.h>

#include "auth_token.h"
#include "store.h"

#define TOKEN_TTL_MAX_MS (2764800ll * 1000) /* system default and maximum */

/* The arithmetic of lifetimes, without any state: token_ttl.c. */
struct token_terms {
	int64_t asked_ms;   /* increment, or what was asked at creation; 0: default_ms */
	int64_t default_ms; /* of the role or the mount; 0: the system's */
	int64_t max_ms; /* of the mount, which may pass the system's; 0: the system's */
	int64_t role_max_ms; /* 0: none */
	int64_t period_ms;
	int64_t explicit_max_ms;
	int64_t issued_ms, now_ms;
};
/** token_terms_of_mount(m, t): what the mount's settings say. */
void token_terms_of_mount(const struct mount *m, struct token_terms *t);

/** token_hash(c, text, n, id): the id under which a token is stored. */
void token_hash(struct core *c, const char *text, size_t n, unsigned char id[32]);
/** token_load(c, a, id, o, e): the stored token, alive or not; ERR_NOENT. */
int token_load(struct core *c, struct arena *a, const unsigned char id[32],
               struct store_object *o, struct err *e) MUST_CHECK;
/** token_find(c, a, text, o, e): the same by its text, if it is alive; ERR_NOENT. */
int token_find(struct core *c, struct arena *a, const char *text, struct store_object *o,
               struct err *e) MUST_CHECK;
/** token_find_accessor(c, a, accessor, o, e): by its accessor, if it is alive; ERR_NOENT.
 */
int token_find_accessor(struct core *c, struct arena *a, const char *accessor,
                        struct store_object *o, struct err *e) MUST_CHECK;
/** token_alive(c, o): neither expired nor used up. */
bool token_alive(const struct core *c, const struct store_object *o);
/** token_left_ms(c, o): how long it will live; 0: for ever. */
int64_t token_left_ms(const struct core *c, const struct store_object *o);
/** token_object_auth(a, c, o, text): the "auth" object of a reply. */
struct value *token_object_auth(struct arena *a, const struct core *c,
                                const struct store_object *o, const char *text);
/** token_orphan_children(c, a, id, e): its children have no parent from now on. */
int token_orphan_children(struct core *c, struct arena *a, const unsigned char id[32],
                          struct err *e) MUST_CHECK;
/** token_terms_of(c, o, increment_ms, t): what a renewal starts from; 0: as long as at
 * creation. */
void token_terms_of(const struct core *c, const struct store_object *o,
                    int64_t increment_ms, struct token_terms *t);
/** token_renew(c, a, o, t, warning, e): ${warning} ("" if none) says what was capped.
 * ERR_INVALID with Vault's texts. */
#define TOKEN_WARNING_MAX 200
int token_renew(struct core *c, struct arena *a, struct store_object *o,
                const struct token_terms *t, char warning[TOKEN_WARNING_MAX],
                struct err *e) MUST_CHECK;

/** token_ttl(t, ttl_ms, warning, e): the lifetime from now on; ERR_INVALID "past the max
 * TTL, cannot renew". */
int token_ttl(const struct token_terms *t, int64_t *ttl_ms,
              char warning[TOKEN_WARNING_MAX], struct err *e) MUST_CHECK;

#endif

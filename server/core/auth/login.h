/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LOGIN_H
#define SERVER_CORE_LOGIN_H
/*
 * login - from "this client has proven who it is" to a token: what all login methods
 * share.
 *
 * A method checks the client's proof, then calls login_reply().  It is asked again when
 * such a token is renewed: see login_methods[] in login.c.
 */
#include "req.h"
#include "token_params.h"

struct store_object;
struct token_terms;

struct login {
	const struct token_params *params; /* of the role or user */
	const char *display_name;          /* the method's part: "", "alice"; the mount's
	                                      path comes before it */
	const char *role;             /* what a renewal reads again: role, user … */
	const struct value *metadata; /* object of strings, or NULL */
	const struct value *data; /* object: the method's own, for a renewal; or NULL */
	const struct value *bound_cidrs; /* beside those of ${params}, or NULL */
};

/** login_reply(r, l): make an orphan token for the client and reply with "auth".
 * ERR_INVALID "auth methods cannot create root tokens" and what a batch token may not
 * have; ERR_DENIED "permission denied" from an address outside the bound blocks. */
int login_reply(struct req *r, const struct login *l) MUST_CHECK;

/** login_policies(a, p): the policies of a token that a login makes now, sorted; NULL if
 * out of memory. */
struct value *login_policies(struct arena *a, const struct token_params *p);

/* What a token remembers of the login that made it. */
struct login_memory {
	const struct mount *mount;
	const char *role;
	const struct value *data;     /* as it was given in struct login, or NULL */
	const struct value *policies; /* that the token has */
};
/** login_same_policies(r, m, p): for a login_renew_fn: ERR_INVALID "policies have
 * changed, not renewing" unless a login would give the policies that the token has. */
int login_same_policies(struct req *r, const struct login_memory *m,
                        const struct token_params *p) MUST_CHECK;
/** login_renewal(r, token, self, t): may this token (a stored body) be renewed?  Asks the
 * method that made it and sets what its role says now in ${t}; ERR_OK at once for a token
 * that no login made.  ${self}: the token is the caller's own.  ERR_INVALID if the role
 * or the mount is gone. */
int login_renewal(struct req *r, const struct value *token, bool self,
                  struct token_terms *t) MUST_CHECK;

/* The methods, each in its own room or file.  A function reads the role again, refuses
 * (ERR_INVALID) if it is gone or does not admit the client any more, and fills ${p}. */
typedef int (*login_renew_fn)(struct req *r, const struct login_memory *m,
                              struct token_params *p);

#endif

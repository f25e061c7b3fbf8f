/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_TOKEN_ROLE_H
#define SERVER_CORE_TOKEN_ROLE_H
/*
 * token_role - what tokens made through auth/token/create/:role may be.
 *
 * KIND_TOKEN_ROLE: id = blind("token-role", name).  Body: the members of the API's reply,
 * and those of token_params_save().
 */
#include "req.h"
#include "store.h"
#include "token_params.h"

struct token_role {
	struct store_object o; /* version 0: not stored yet */
	const char *name;
	/* Arrays of strings, never NULL. */
	const struct value *allowed, *disallowed;
	const struct value *allowed_glob, *disallowed_glob;
	const struct value *aliases;
	const char *path_suffix; /* "" for none */
	bool orphan, renewable;
	struct token_params params; /* ttl, max_ttl and policies are not used */
};

/** token_role_load(c, a, name, out, e): ${name} is canonical; ERR_NOENT. */
int token_role_load(struct core *c, struct arena *a, const char *name,
                    struct token_role *out, struct err *e) MUST_CHECK;
/** token_role_name(r, i, out): the i-th parameter of the path as a canonical name. */
int token_role_name(struct req *r, int i, const char **out) MUST_CHECK;
/** token_glob_any(list, name): does one of the patterns ('*' is any text) fit? */
bool token_glob_any(const struct value *list, const char *name);

#endif

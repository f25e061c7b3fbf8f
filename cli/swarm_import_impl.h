/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SWARM_IMPORT_IMPL_H
#define CLI_SWARM_IMPORT_IMPL_H
/*
 * swarm_import_impl - secrets that a Swarm had before the vault knew of it: what
 * cmd_swarm_import finds and swarm_import_take takes over.
 *
 * Docker gives no value back.  But it says whether a value that it is sent is the one
 * that it has: an update of a secret that carries its data is refused if that differs,
 * and brings labels along if it does not.  So what the vault has already is taken over in
 * one step, without a change of any service; what it does not have, a person has to put
 * in.
 */
#include "cmd_swarm.h"
#include "vault/limits.h"

#define IMPORT_STACK "com.docker.stack.namespace"

struct import {
	struct cli *c;
	struct docker_api *docker;
	json_t *secrets, *services;
	json_t *rows; /* what is printed */
	unsigned left;
};

/* One of the secrets. */
struct found {
	json_t *secret;       /* as Docker gives it */
	json_t *users;        /* services that refer to it: {name, refs, labelled} */
	json_t *row;          /* what is said of it */
	const json_t *target; /* where the services that are bound have it */
	json_t *bound;        /* their names */
	char path[1024], binding[LIMIT_NAME + 1];
	json_int_t version;
};

/** import_spec(o), import_label(o, key): of a secret or a service; "" without one. */
const json_t *import_spec(const json_t *o);
const char *import_label(const json_t *o, const char *key);
/** import_name(f): of the secret. */
const char *import_name(const struct found *f);
/** import_say(f, state, fmt, ...): that is what has become of it. */
void import_say(struct found *f, const char *state, const char *fmt, ...) PRINTF(3, 4);

/** import_take(x, f): compare it with what is at f->path, and bind it; what comes of
 * that is said. */
void import_take(struct import *x, struct found *f);

#endif

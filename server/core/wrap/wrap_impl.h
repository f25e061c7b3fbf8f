/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_WRAP_IMPL_H
#define SERVER_CORE_WRAP_IMPL_H
/*
 * wrap_impl - what the API of wrapping needs beyond wrap.h.
 *
 * Body of a KIND_WRAP:
 *
 *   path: creation_path     created, ttl (ms)     of: accessor of what is wrapped, or ""
 *   sealed: envelope of a reply as an array, positions of enum ipc_reply_field
 */
#include "wrap.h"

/* A wrapped reply that was found alive, still closed. */
struct wrap {
	struct store_object o;     /* KIND_WRAP */
	struct store_object token; /* KIND_TOKEN */
	const char *text;          /* the token itself */
};

/** wrap_find(r, text, w): ERR_INVALID with Vault's text unless ${text} is a wrapping
 * token that is alive and unused. */
int wrap_find(struct req *r, const char *text, struct wrap *w) MUST_CHECK;
/** wrap_open(r, w, reply): the reply as it was kept. */
int wrap_open(struct req *r, const struct wrap *w, struct value **reply) MUST_CHECK;

/* A reply to keep. */
struct wrap_spec {
	const struct value *reply; /* array as in an IPC_REPLY */
	const char *path;          /* creation_path */
	const char *of;            /* accessor of what is inside, or "" */
	int64_t ttl_ms;
};
/** wrap_keep(r, spec): a fresh token for it; r->reply becomes its wrap_info. */
int wrap_keep(struct req *r, const struct wrap_spec *spec) MUST_CHECK;

#endif

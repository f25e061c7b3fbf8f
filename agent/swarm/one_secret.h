/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_ONE_SECRET_H
#define AGENT_SWARM_ONE_SECRET_H
/*
 * one_secret - the template of a binding of a Swarm: it sees the binding's own secret, as
 * a file's template does, and nothing else of the world.  Pure.
 */
#include <stddef.h>

#include "agent/deliver/render_template.h"
#include "arena.h"
#include "err.h"

struct one_secret {
	const char *path; /* "secret/app/db" */
	struct render_secret value;
};

/** one_secret_render(a, text, s, p, n, e): what ${text} makes of it, in ${a}.
 * ERR_INVALID: a mistake in it, or it names another secret; ERR_TOO_BIG. */
int one_secret_render(struct arena *a, const char *text, const struct one_secret *s,
                      const char **p, size_t *n, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_RENDER_TEMPLATE_H
#define AGENT_DELIVER_RENDER_TEMPLATE_H
/*
 * render_template - one run of a template: what it is given, and what it named.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/settings.h"
#include "agent/template/template.h"
#include "arena.h"
#include "err.h"
#include "value.h"

/* The engine; tests bring their own. */
struct render_engine {
	int (*parse)(struct arena *a, const char *name, const char *text, size_t n,
	             struct template **out, struct err *e);
	int (*run)(const struct template *t, const struct template_ops *ops,
	           struct arena *a, const char **out, size_t *n, struct err *e);
};

/* A secret's value, as a template gets it. */
struct render_secret {
	const struct value *data;     /* NULL: not at hand */
	const struct value *metadata; /* NULL: not of a KV version 2 mount */
};

struct render_run {
	const struct render_engine *engine;
	const struct template *template;
	const struct config_list *dirs; /* where the function file may read */
	bool granted; /* of a binding of the vault: it sees no environment */
	/** find(ctx, asked): the value of "/v1/secret/data/app/db", or of the folder
	 * "/v1/secret/metadata/app/", whose data has "keys". */
	struct render_secret (*find)(void *ctx, const char *asked);
	void *ctx;
	size_t steps; /* that it may take; afterwards, that it has left */
	/* out */
	const char *text;
	size_t len;
	const char **asked; /* each once */
	size_t n_asked, cap_asked;
	const char *missing; /* the first that was not at hand, or NULL */
};

#define RENDER_ARENA (32u * 1024 * 1024)

/** render_template(a, run, e): ERR_BUSY: run->missing is not at hand.  ERR_TOO_BIG, too,
 * when it needs more than ${a} has: an arena of RENDER_ARENA bytes for this run alone, so
 * that a template uses up nothing that others need.  What it named is in run->asked
 * whatever it returns. */
int render_template(struct arena *a, struct render_run *run, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PLAN_H
#define AGENT_PLAN_H
/*
 * plan - what is wanted now: which bindings, which files in them, which secrets for
 * those.
 *
 * Made from the host's settings, from bindings that the server granted, and from what
 * templates named when they were run.  A plan never changes: when one of these does,
 * another plan is made and takes its place as a whole (session_replan()), so an index
 * into it is good as long as the plan is.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "arena.h"
#include "deliver/render_template.h"
#include "err.h"
#include "grants.h"
#include "settings.h"
#include "uses.h"

/* A secret, or a folder whose names are wanted, as it is asked of the vault. */
struct plan_path {
	const char *path; /* "secret/app/db"; "/v1/…" until the vault said what that is */
	size_t group;     /* those that share a file have the same: fetched together */
};

struct plan_file {
	const struct settings_file *file;
	const struct template *template; /* FORMAT_TEMPLATE */
	const char *recipe; /* how its content is made; another text, another content */
	size_t binding;
	size_t n;
	const size_t *paths; /* of the secrets it is made of */
};

struct plan_binding {
	struct settings_binding set;
	bool granted; /* by the server */
	mode_t dir_mode;
	size_t first, n; /* its files: neighbours in plan.files */
};

struct plan {
	struct arena *a;
	struct arena **arenas; /* of each grant, so that none is at the others' expense */
	size_t n_arenas;
	size_t n_bindings, n_files, n_paths;
	struct plan_binding *bindings;
	struct plan_file *files;
	struct plan_path *paths;
	size_t n_refused; /* grants that cannot be used here */
	struct plan_refusal {
		const char *name, *why;
	} * refused;
};

struct plan_input {
	const struct settings *settings; /* outlives the plan */
	const struct grant *grants;
	size_t n_grants;
	struct uses *uses;                  /* what templates named; learns */
	const struct render_engine *engine; /* NULL: no templates */
};

/** plan_build(in, out, e): a plan that the caller owns.  A template that was never run is
 * run without values, to learn what it names.  ERR_USAGE: more secrets than one host may
 * have; ERR_INVALID: a template of the host's own that is wrong.  What is wrong with a
 * grant is in plan->refused. */
int plan_build(const struct plan_input *in, struct plan **out, struct err *e) MUST_CHECK;
void plan_free(struct plan *p);

/** plan_path(p, path): its index, or p->n_paths. */
size_t plan_path(const struct plan *p, const char *path);

/** plan_unresolved(p): is there a path whose secret the vault has not told yet? */
bool plan_unresolved(const struct plan *p);

/** plan_binding(p, name): its index, or p->n_bindings. */
size_t plan_binding(const struct plan *p, const char *name);

/** plan_file(p, binding, name): the index of a file, or p->n_files. */
size_t plan_file(const struct plan *p, const char *binding, const char *name);

/** plan_key(f): by which what its template named is known. */
struct uses_key plan_key(const struct plan_file *f);

/** plan_uses(f, path): is the file made of that secret? */
bool plan_uses(const struct plan_file *f, size_t path);

#endif

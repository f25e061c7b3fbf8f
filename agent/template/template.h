/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TEMPLATE_H
#define AGENT_TEMPLATE_TEMPLATE_H
/*
 * template - templates in consul-template's language; a pure library.
 *
 * docs/templates.md says what of the language is there.  Everything lives in the arenas
 * of the caller: what was parsed may be run any number of times, each time in an arena of
 * its own, and a run leaves nothing behind outside of it.  A template cannot run away:
 * steps, depth, and the size of strings and of the output are bounded.
 *
 * Messages are "name:line:column: …", both counted from 1 and columns in bytes.  They
 * name types, functions and members, never a value.
 */
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "value.h"

struct template;

/* What a template sees of the world.  *out NULL: not there yet; the run goes on with
 * something empty and ends with ERR_BUSY, so that all that is missing is learnt in few
 * runs. */
struct template_ops {
	/* The reply of a read of ${path} ("secret/data/app/db", as written but for spaces
	 * and '/' at its ends): an object with data and, where they apply, request_id,
	 * lease_id, lease_duration, renewable. */
	int (*secret)(void *ctx, const char *path, const struct value **out,
	              struct err *e);
	/* The names in ${folder} ("secret/metadata/app"): an array of strings. */
	int (*secrets)(void *ctx, const char *folder, const struct value **out,
	               struct err *e);
	int (*read_file)(void *ctx, const char *path, struct arena *a, const char **p,
	                 size_t *n, struct err *e);
	/* NULL: there is no such variable. */
	const char *(*env)(void *ctx, const char *name);
	void *ctx;
	/* Wall clock, milliseconds since 1970 UTC; NULL: the system's. */
	int64_t (*now_ms)(void *ctx);
	/* In: how many steps the run may take at most; out: how many of them it did not.
	 * NULL: TEMPLATE_BUDGET, which no run exceeds. */
	size_t *steps;
};

#define TEMPLATE_TEXT_MAX   (1024u * 1024)     /* of a template */
#define TEMPLATE_OUTPUT_MAX (1024u * 1024)     /* of what a run writes */
#define TEMPLATE_STRING_MAX (4u * 1024 * 1024) /* of what a function makes */
#define TEMPLATE_NODES_MAX  65536u             /* terms, actions and texts */
#define TEMPLATE_NEST_MAX   64u                /* blocks and parentheses in each other */
#define TEMPLATE_DEPTH_MAX  512u               /* the same when running, with calls */
#define TEMPLATE_BUDGET     (4u * 1024 * 1024) /* steps; 64 bytes touched are one */

/**
 * template_parse(a, name, text, n, out, e): parse ${n} bytes of ${text}, which is copied,
 * into ${a}.  ERR_INVALID with line and column: a mistake, or something that is not
 * supported; ERR_TOO_BIG, ERR_NOMEM.
 */
int template_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct template **out, struct err *e) MUST_CHECK;

/**
 * template_run(t, ops, a, out, n, e): the text that ${t} makes, in ${a}, followed by a
 * NUL that is not counted.  ERR_BUSY: something is not there yet (also when the run
 * failed for want of it); ERR_INVALID: a mistake that shows only now; ERR_TOO_BIG: a
 * bound above; ERR_NOMEM: ${a} is too small; else what a function of ${ops} said.
 */
int template_run(const struct template *t, const struct template_ops *ops,
                 struct arena *a, const char **out, size_t *n, struct err *e) MUST_CHECK;

#endif

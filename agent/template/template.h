/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TEMPLATE_H
#define AGENT_TEMPLATE_TEMPLATE_H
/* template - templates in consul-template's language; a pure library. */
#include <stddef.h>

#include "arena.h"
#include "err.h"
#include "value.h"

struct template;

/* What a template sees of the world.  *out NULL: not there yet; the run goes on with
 * something empty and ends with ERR_BUSY, so that all that is missing is learnt in few
 * runs. */
struct template_ops {
	/* The reply of a read of ${path} ("secret/data/app/db", as written). */
	int (*secret)(void *ctx, const char *path, const struct value **out,
	              struct err *e);
	/* The names in ${folder} ("secret/metadata/app"): an array of strings. */
	int (*secrets)(void *ctx, const char *folder, const struct value **out,
	               struct err *e);
	int (*read_file)(void *ctx, const char *path, struct arena *a, const char **p,
	                 size_t *n, struct err *e);
	const char *(*env)(void *ctx, const char *name);
	void *ctx;
};

/** template_parse(a, name, text, n, out, e): ERR_INVALID with line and column. */
int template_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct template **out, struct err *e) MUST_CHECK;

/** template_run(t, ops, a, out, n, e): the text, in ${a}.  ERR_BUSY: something is not
 * there yet. */
int template_run(const struct template *t, const struct template_ops *ops,
                 struct arena *a, const char **out, size_t *n, struct err *e) MUST_CHECK;

#endif

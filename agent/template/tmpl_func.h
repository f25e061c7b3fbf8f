/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_FUNC_H
#define AGENT_TEMPLATE_TMPL_FUNC_H
/* tmpl_func - the table of functions, and of those that are known and refused. */
#include <stdbool.h>
#include <stddef.h>

#include "tmpl_tree.h"

struct tmpl_run;
struct tv;

/*
 * ${params} has a letter for each parameter, and '*' behind the last one if there may be
 * any number of it:
 *   v  a value as it is, also none at all
 *   a  anything, none being nil
 *   s  string    i  int    l  list of strings    L  list of anything    m  map
 */
struct tmpl_func {
	const char *name;
	const char *params;
	/* NULL: "and" and "or", which evaluate no more than they need. */
	int (*call)(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out);
};

/** tmpl_func_find(name, why): the function; or NULL with ${why} "supported" if it is
 * one of consul-template's. */
const struct tmpl_func *tmpl_func_find(struct tmpl_str name, const char **why);

/** tmpl_func_variadic(f), tmpl_func_fixed(f): parameters before the one that repeats. */
bool tmpl_func_variadic(const struct tmpl_func *f);
unsigned tmpl_func_fixed(const struct tmpl_func *f);
/** tmpl_func_param(f, i): the letter of the ${i}-th argument. */
char tmpl_func_param(const struct tmpl_func *f, size_t i);

#endif

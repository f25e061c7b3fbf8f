/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_USES_H
#define AGENT_USES_H
/*
 * uses - which secrets templates named when they were run last.
 *
 * A template names a secret as clients of the API read it: "/v1/secret/data/app/db", and
 * a folder "/v1/secret/metadata/app/".  Which secret that is ("secret/app/db") only the
 * vault knows; it says so when it is asked for a lease.  What a template names can depend
 * on values and listings, so it is learnt run by run.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define USES_RUNS_MAX 16u /* in a row, each naming other secrets than the one before */

struct uses;

/** uses_new(): empty; NULL if out of memory. */
struct uses *uses_new(void) MUST_CHECK;
void uses_free(struct uses *u);

/* A file with a template.  Another text is another template. */
struct uses_key {
	const char *binding, *file;
	const char *recipe;
};

/** uses_of(u, k, n): what the file's template named, ${n} texts; NULL if it was never
 * run. */
const char *const *uses_of(const struct uses *u, const struct uses_key *k, size_t *n);

/** uses_set(u, k, asked, n, e): remember what a run named.  ERR_INVALID if it was
 * something else USES_RUNS_MAX times in a row. */
int uses_set(struct uses *u, const struct uses_key *k, const char *const *asked, size_t n,
             struct err *e) MUST_CHECK;

/** uses_done(u, k): the run found all that it named. */
void uses_done(struct uses *u, const struct uses_key *k);

/** uses_keep(u, wanted, ctx): forget templates that are not wanted any more. */
void uses_keep(struct uses *u, bool (*wanted)(void *ctx, const struct uses_key *k),
               void *ctx);

/** uses_path(u, asked): the secret's path, or NULL if it is not known yet. */
const char *uses_path(const struct uses *u, const char *asked);

/** uses_name(u, asked, path, e): the vault says that ${asked} is the secret ${path}. */
int uses_name(struct uses *u, const char *asked, const char *path, struct err *e)
	MUST_CHECK;

/** uses_at(u, i, asked, path): the ${i}-th of those; false after the last. */
bool uses_at(const struct uses *u, size_t i, const char **asked, const char **path);

/** uses_changed(u): is there anything new since the last call? */
bool uses_changed(struct uses *u);

#endif

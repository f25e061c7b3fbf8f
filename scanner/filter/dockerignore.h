/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_DOCKERIGNORE_H
#define SCANNER_DOCKERIGNORE_H
/*
 * dockerignore - what a .dockerignore keeps out of a build, and so out of the image.
 *
 * Docker's rules: patterns from the root of the context, the last one that applies to a
 * path or to a directory that it is in decides, '!' takes back.  Where a pattern means
 * something else to Docker than to glob_match(), it leaves nothing out, or takes
 * everything back: rather a file too many is scanned than one too few.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define DOCKERIGNORE_MAX (64u << 10) /* bytes of a file */

struct dockerignore;

/** dockerignore_new(text, n, e): the patterns of a file; NULL: there are too many of
 * them, or out of memory. */
struct dockerignore *dockerignore_new(const char *text, size_t n, struct err *e)
	MUST_CHECK;
void dockerignore_free(struct dockerignore *d);

/** dockerignore_has(d, path): is ${path}, from the root of the context and without ".",
 * ".." and double slashes, left out?  Patterns may be made to take long: when they have
 * taken two seconds of calls that took more than a millisecond, nothing is left out any
 * more; nor is a path of more than 1024 bytes. */
bool dockerignore_has(struct dockerignore *d, const char *path);
/** dockerignore_takes_back(d): what is in a directory that is left out may not be. */
bool dockerignore_takes_back(const struct dockerignore *d);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_IGNORE_H
#define SCANNER_IGNORE_H
/*
 * ignore - files that say which findings are to be left out: .vaultscanignore, as
 * docs/scanning.md describes it.
 *
 * They filter findings, they do not keep anything from being read: what they hide is
 * still counted and can be listed.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define IGNORE_NAME     ".vaultscanignore"
#define IGNORE_FILE_MAX (1u << 20)
#define IGNORE_LINES    20000u

struct ignore;

/** ignore_new(), ignore_free(i): the former NULL if out of memory. */
struct ignore *ignore_new(void) MUST_CHECK;
void ignore_free(struct ignore *i);

/** ignore_add(i, name, dir, text, n, e): the lines of one file; ${dir}: absolute, where
 * its paths begin.  ERR_INVALID names file and line. */
int ignore_add(struct ignore *i, const char *name, const char *dir, const char *text,
               size_t n, struct err *e) MUST_CHECK;
/** ignore_add_file(i, path, cwd, e): the same from a file.  ERR_NOENT. */
int ignore_add_file(struct ignore *i, const char *path, const char *cwd, struct err *e)
	MUST_CHECK;

struct ignore_what {
	const char *path; /* absolute, or of another file system: without its first '/' */
	bool foreign;     /* the latter: patterns apply from its root */
	const char *rule; /* its id */
	const char *names[2]; /* in hexadecimal: id and fingerprint; NULL: none */
	bool exact;           /* only a line that names this finding counts */
};

/** ignore_match(i, w, by, cap): is it to be left out?  ${by}: "FILE:LINE". */
bool ignore_match(const struct ignore *i, const struct ignore_what *w, char *by,
                  size_t cap);

#endif

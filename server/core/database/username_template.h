/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_USERNAME_TEMPLATE_H
#define SERVER_CORE_USERNAME_TEMPLATE_H
/*
 * username_template - how a connection names the accounts that are made by it: the part
 * of Go's text/template that Vault's templates use.
 *
 *   v-{{ .DisplayName | truncate 8 }}-{{ random 20 }}-{{ unix_time }}
 *
 * Fields .DisplayName and .RoleName; texts "…" and `…`, whole numbers, parentheses and
 * pipes; {{- and -}} take away the space beside them.  Functions: random, truncate,
 * truncate_sha256, uppercase, lowercase, replace, sha256, base64, unix_time,
 * unix_time_millis, uuid, printf (%s, %d, %v).  No variables, no control structures.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct arena;

#define USERNAME_TEMPLATE_MAX 1024u /* bytes of a template, and of what it makes */

struct username_vars {
	const char *display_name, *role_name;
	int64_t now_ms;
};

/** username_template_make(a, text, vars, out, e): ERR_INVALID says what is wrong with
 * ${text}. */
int username_template_make(struct arena *a, const char *text,
                           const struct username_vars *vars, const char **out,
                           struct err *e) MUST_CHECK;
/** username_template_check(a, text, e): the same for one that is to be stored: its names
 * must be others each time, for whoever is named as an account that is there already
 * takes that account along when it ends. */
int username_template_check(struct arena *a, const char *text, struct err *e) MUST_CHECK;

#endif

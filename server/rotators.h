/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATORS_H
#define SERVER_ROTATORS_H
/*
 * rotators - which executables rotate secrets: those of the configuration and, unless it
 * says otherwise, the ones that come with vaultd.
 *
 * Built-in ones are looked for once, beside vaultd and in its libexec directory.  What a
 * file is like is judged each time it is run, by the rotate role.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "err.h"
#include "value.h"
#include "vault/limits.h"

#define ROTATOR_NAME_MAX 32u
#define ROTATOR_PATH_MAX 1024u

struct rotator {
	char name[ROTATOR_NAME_MAX + 1];
	char path[ROTATOR_PATH_MAX];
	bool builtin;
	bool pinned;
	unsigned char sha256[32]; /* what the file must have, if pinned */
	int64_t timeout_ms;       /* at most, of one call */
};

struct rotators {
	struct rotator r[LIMIT_ROTATORS];
	size_t n;
};

/** rotators_check_name(name, e): lower-case letters, digits and hyphens. */
int rotators_check_name(const char *name, struct err *e) MUST_CHECK;

/** rotators_add(rs, r, e): ERR_USAGE if the name is there already or there are too many.
 */
int rotators_add(struct rotators *rs, const struct rotator *r, struct err *e) MUST_CHECK;

/** rotators_add_builtin(rs, dir): those that exist in ${dir} or in its sibling
 * libexec/vaultd, unless one of the name is there already. */
void rotators_add_builtin(struct rotators *rs, const char *dir);

/** rotators_program_dir(out): the directory of this very program; -1 if /proc does not
 * say. */
int rotators_program_dir(char out[ROTATOR_PATH_MAX]);

/** rotators_owner(): whose files are run beside root's: the owner of this very program,
 * who could replace it as well. */
uid_t rotators_owner(void);

/** rotators_value(rs, a): as core and rotate are told: an array of {name, path, builtin,
 * sha256: bytes32 or null, timeout_ms}, sorted by name. */
struct value *rotators_value(const struct rotators *rs, struct arena *a);

#endif

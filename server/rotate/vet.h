/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_VET_H
#define SERVER_ROTATE_VET_H
/*
 * vet - may this file be run with other people's passwords?
 *
 * The answer is a descriptor: what was judged is what is executed, whatever happens to
 * the path in the meantime.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "value.h"

struct vet_order {
	const char *path;
	const unsigned char *pin; /* SHA-256 it must have, or NULL */
	uid_t trusted;            /* whose files are run, beside root's */
};

struct vetted {
	int fd;      /* close-on-exec, for fexecve(); the caller's */
	bool script; /* begins with "#!": its interpreter opens the descriptor again */
	unsigned char sha256[32];
};

/** vet_file(o, out, e): ERR_NOENT, ERR_DENIED (owner, mode, pin), ERR_INVALID (no
 * executable file), ERR_IO; the message names the path. */
int vet_file(const struct vet_order *o, struct vetted *out, struct err *e) MUST_CHECK;

#endif

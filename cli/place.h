/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H
/* place - where a secret is, as the API wants to be asked. */
#include "cli.h"

#define PLACE_PATH 4096 /* bytes of a path for cli_call() */

/* "secret/app/db" -> mount "secret/" and rest "app/db". */
struct place {
	char mount[1024];
	const char *rest; /* in what place_find() was given */
	bool versions;    /* KV version 2 */
};

/** place_find(c, full, p, e): the server tells where the mount ends. */
int place_find(struct cli *c, const char *full, struct place *p, struct err *e)
	MUST_CHECK;

/** place_path(p, kind, out, e): <mount><kind>/<rest>, encoded; without versions there is
 * no ${kind}. */
int place_path(const struct place *p, const char *kind, char out[PLACE_PATH],
               struct err *e) MUST_CHECK;

#endif

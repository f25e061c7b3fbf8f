/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SCAN_VAULT_H
#define CLI_SCAN_VAULT_H
/*
 * scan_vault - a scan's way to the vault: the pack of its own values, their names
 * afterwards, and their rotation.
 *
 * Who holds the token must not be who parses what is scanned, nor who such a process is
 * forked from.  So the token lives in a process of its own, which is asked over a socket
 * that workers do not have; the one that scans forgets it before it starts them.
 */
#include <jansson.h>
#include <stdint.h>

#include "cli.h"
#include "scanner/known/known.h"

struct scan_vault;

/** scan_vault_open(c, out, known, e): ask for a pack.  Whatever happens ${c} has no token
 * any more.  ERR_DENIED, ERR_UNREACHABLE …: there is none.  *out and *known are the
 * caller's. */
int scan_vault_open(struct cli *c, struct scan_vault **out, struct known **known,
                    struct err *e) MUST_CHECK;
/** scan_vault_close(v): ends the other process; NULL is allowed. */
void scan_vault_close(struct scan_vault *v);

/** scan_vault_names(v, ids, found, e): ${ids} is an array of base64 texts; *found an
 * array of objects in their order, empty ones for what the caller may not read. */
int scan_vault_names(struct scan_vault *v, json_t *ids, json_t **found, struct err *e)
	MUST_CHECK;
/** scan_vault_rotate(v, path, data, e): rotate it as leaked, and wait; *data is what the
 * vault says of the attempt. */
int scan_vault_rotate(struct scan_vault *v, const char *path, json_t **data,
                      struct err *e) MUST_CHECK;

#endif

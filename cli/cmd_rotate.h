/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CMD_ROTATE_H
#define CLI_CMD_ROTATE_H
/* cmd_rotate - what an attempt's state means, for all commands that show one. */
#include "cli.h"

/** rotate_verdict(attempt, e): the exit status that belongs to the state of an attempt as
 * the API shows it, with one sentence on what to do; ERR_OK if there is nothing to be
 * done (it has converged, or is under way). */
int rotate_verdict(const json_t *attempt, struct err *e) MUST_CHECK;

/** rotate_text(v, name): a member that is a text; "" if it is none. */
const char *rotate_text(const json_t *v, const char *name);
/** rotate_int(v, name): a member that is a number; 0 if it is none. */
long long rotate_int(const json_t *v, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CMD_SWARM_H
#define CLI_CMD_SWARM_H
/* cmd_swarm - what the files of "vaultctl swarm" share. */
#include "cli.h"
#include "docker_api.h"

/** swarm_definition(c, body, e): a definition from arguments and flags as "bind" takes
 * them; the caller json_decref()s it. */
int swarm_definition(struct cli *c, json_t **body, struct err *e) MUST_CHECK;

/** swarm_text(o, key): a text member, or "". */
const char *swarm_text(const json_t *o, const char *key);
/** swarm_refs(spec): references to secrets of a service's Spec. */
json_t *swarm_refs(const json_t *spec);

int swarm_plan_run(struct cli *c, struct err *e) MUST_CHECK;
int swarm_import_run(struct cli *c, struct err *e) MUST_CHECK;

#endif

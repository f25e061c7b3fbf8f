/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SWARM_PLAN_H
#define CLI_SWARM_PLAN_H
/*
 * swarm_plan - what an agent would do in a Swarm now.
 *
 * Nothing of it is guessed: the agent's own machine does it, in a copy of the Swarm in
 * which everything goes well.  Pure; neither Docker nor the vault is asked.
 */
#include <jansson.h>

#include "err.h"

struct swarm_plan {
	const char *cluster;
	/* Definitions as the API gives them, with "version" as the newest version of the
	 * secret (0: not known). */
	json_t *bindings;
	json_t *rows; /* of services, as the API gives them, with "binding" */
	/* Lists as Docker gives them; changed. */
	json_t *services, *tasks, *secrets;
};

/**
 * swarm_plan(p, out, e): for each binding {binding, path, version, secrets: [{name,
 * action}], removes: [name], services: [{id, name, action, order, canary, after_ms, from,
 * to, restarts, how, reason}]}; the caller json_decref()s it.
 *
 * A secret's action: "create", "compare" (there is one that says to be it), "there".  A
 * service's: "update", which makes new tasks; "adopt" (it has the value, and is watched);
 * "none"; "wait", "hold", "leave", "skip" with a reason.
 */
int swarm_plan(const struct swarm_plan *p, json_t **out, struct err *e) MUST_CHECK;

#endif

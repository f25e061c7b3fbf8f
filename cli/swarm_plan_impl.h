/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SWARM_PLAN_IMPL_H
#define CLI_SWARM_PLAN_IMPL_H
/*
 * swarm_plan_impl - the Swarm that the plan is played in: what Docker has said of the
 * real one, changed as the machine wants it, at once and without any fault.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/swarm/machine.h"
#include "swarm_plan.h"

struct imagined_call;

struct imagined {
	const char *cluster;
	const json_t *bindings;
	json_t *services, *tasks, *secrets; /* borrowed, and changed */
	json_t *before;                     /* services as they were */
	struct machine *m;
	int64_t now, changed; /* when something was done last */
	struct imagined_call *calls;
	size_t n_calls, cap_calls;
	int64_t *soaks; /* when tasks will have been watched for long enough */
	size_t n_soaks, cap_soaks;
	uint64_t index;
	unsigned made;
	bool failed; /* out of memory */
	/* What was done: {binding, …}. */
	json_t *creates, *updates, *removes;
};

int imagined_open(struct imagined *w, struct err *e) MUST_CHECK;
void imagined_close(struct imagined *w);
/** imagined_start(w, call, e): machine_ops.start. */
int imagined_start(void *ctx, const struct machine_call *call, struct err *e) MUST_CHECK;
/** imagined_answer(w): the oldest call; false: there is none. */
bool imagined_answer(struct imagined *w);

/** imagined_service(list, id): or NULL. imagined_refs(spec): its references to secrets.
 */
json_t *imagined_service(const json_t *list, const char *id);
json_t *imagined_refs(const json_t *spec);

/** imagined_soaked(w): when the first of those that are watched now will have been so for
 * long enough; -1: none is. */
int64_t imagined_soaked(struct imagined *w);
/** swarm_plan_soak(b): for how long a binding wants that, in ms. */
int64_t swarm_plan_soak(const json_t *b);

#endif

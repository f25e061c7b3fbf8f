/* SPDX-License-Identifier: Apache-2.0 */
/* What is going on, in words. */
#include <string.h>

#include "machine_impl.h"

static const char *const states[SWARM__STATES] = {
	[SWARM_PLANNED] = "planned",
	[SWARM_GATE] = "gate",
	[SWARM_DEFERRED] = "deferred",
	[SWARM_APPLY] = "apply",
	[SWARM_OBSERVE] = "observe",
	[SWARM_SOAK] = "soak",
	[SWARM_DONE] = "done",
	[SWARM_REVERT] = "revert",
	[SWARM_ROLLED_BACK] = "rolled-back",
	[SWARM_BROKEN] = "broken",
	[SWARM_HELD] = "held",
	[SWARM_SUPERSEDED] = "superseded",
	[SWARM_SKIPPED] = "skipped",
	[SWARM_GONE] = "gone",
};

const char *machine_state_name(enum machine_state s)
{
	return states[s];
}

bool machine_state_parse(const char *text, enum machine_state *out)
{
	for (int i = 0; text != NULL && i < SWARM__STATES; i++)
		if (strcmp(states[i], text) == 0) {
			*out = (enum machine_state)i;
			return true;
		}
	return false;
}

static json_t *services_of(const struct machine *m, const struct binding *b)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *s = m->svcs[i];

		if (s->b == b && s->state != SWARM_GONE)
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "id", s->id,
			                  "name", s->name, "state", states[s->state],
			                  "version", (json_int_t)s->version, "good",
			                  (json_int_t)s->good, "reason", s->reason));
	}
	return list;
}

void machine_tally(struct machine *m, machine_tally_fn tell, void *ctx)
{
	for (size_t i = 0; i < m->n_bindings; i++)
		m->bindings[i]->tally = 0;
	for (size_t i = 0; i < m->n_svcs; i++)
		m->svcs[i]->b->tally += m->svcs[i]->state != SWARM_GONE ? 1 : 0;
	for (size_t i = 0; i < m->n_bindings; i++)
		if (m->bindings[i]->looked)
			tell(ctx, m->bindings[i]->name, m->bindings[i]->version,
			     m->bindings[i]->tally);
}

json_t *machine_status(const struct machine *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_bindings; i++) {
		const struct binding *b = m->bindings[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:I, s:s, s:b, s:o}", "name", b->name,
		                  "version", (json_int_t)b->version, "failed",
		                  (json_int_t)b->failed, "why",
		                  b->crowded ? "it is of too many services" : b->why,
		                  "looked", b->looked, "services", services_of(m, b)));
	}
	return list;
}

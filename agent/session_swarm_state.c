/* SPDX-License-Identifier: Apache-2.0 */
/* What was done to a Swarm's services, and what is about to be: kept by the vault. */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_swarm_impl.h"

#define ROWS_MAX 256u

static void note_look(void *ctx, const char *name, int64_t version, size_t services)
{
	struct session_swarm *d = ctx;
	const char *before = json_string_value(json_object_get(d->looked, name));
	char now[48];

	(void)snprintf(now, sizeof(now), "%lld %zu", (long long)version, services);
	if (version <= 0 || (before != NULL && strcmp(now, before) == 0))
		return;
	if (json_array_size(d->looks) == ROWS_MAX) {
		d->noted = 0; /* the others go with the next */
		return;
	}
	json_object_set_new(d->looked, name, json_string(now));
	json_array_append_new(d->looks, json_pack("{s:s, s:I, s:I}", "binding", name,
	                                          "version", (json_int_t)version,
	                                          "services", (json_int_t)services));
}

/* Of how many services each binding is, if that is news. */
void swarm_note_looks(struct session_swarm *d)
{
	if (d->m == NULL || machine_scanned(d->m) < 0 || d->looks_in_call ||
	    machine_changes(d->m) == d->noted)
		return;
	d->noted = machine_changes(d->m);
	machine_tally(d->m, note_look, d);
}

bool session_swarm_state_due(struct session *s, int64_t now UNUSED)
{
	struct session_swarm *d = s->swarm;

	if (d == NULL || !d->leader || s->phase != PHASE_READY)
		return false;
	/* whatever was under way when the last connection was lost is said again */
	for (struct swarm_store *w = d->stores; w != NULL; w = w->next)
		w->in_call = false;
	d->looks_in_call = false;
	return d->stores != NULL || json_array_size(d->looks) > 0;
}

json_t *session_swarm_state_body(struct session *s)
{
	struct session_swarm *d = s->swarm;
	json_t *rows = json_array();
	struct swarm_store *w;

	for (w = d->stores; w != NULL && json_array_size(rows) < ROWS_MAX; w = w->next) {
		w->in_call = true;
		json_array_append(rows, w->row);
	}
	/* What is counted has its row stored, or in the same message. */
	d->looks_in_call = w == NULL;
	return json_pack("{s:s, s:I, s:I, s:o, s:O*}", "cluster", d->about.cluster,
	                 "epoch", (json_int_t)d->epoch, "boot_ms",
	                 (json_int_t)swarm_moment(d), "rows", rows, "looks",
	                 d->looks_in_call ? d->looks : NULL);
}

static void answer(struct session_swarm *d, int rc, const char *why)
{
	struct swarm_store **at = &d->stores;

	while (*at != NULL) {
		struct swarm_store *w = *at;

		if (!w->in_call) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		if (d->m != NULL)
			machine_done(d->m, w->token, rc, why, session_now(d->s));
		json_decref(w->row);
		free(w);
	}
	if (rc == ERR_OK && d->looks_in_call)
		json_array_clear(d->looks);
	d->looks_in_call = false;
}

int session_swarm_state_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	struct session_swarm *d = s->swarm;
	const json_t *data = json_object_get(doc, "data");

	if (!swarm_still_leads(d, data))
		return ERR_OK;
	if (json_is_true(json_object_get(data, "stored")))
		answer(d, ERR_OK, "");
	else
		swarm_stop(d, "the vault stores nothing from here");
	return ERR_OK;
}

void session_swarm_state_failed(struct session *s, long status UNUSED,
                                const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	log_warn("the state of the Swarm's secrets was not stored", LOG_S("why", e->msg));
	(void)snprintf(d->error, sizeof(d->error), "%.190s", e->msg);
	answer(d, ERR_UNKNOWN, e->msg);
	json_array_clear(d->looks);
	json_object_clear(d->looked);
	d->noted = 0;
}

json_t *session_swarm_status(const struct session *s)
{
	const struct session_swarm *d = s->swarm;

	if (d == NULL)
		return NULL;
	return json_pack("{s:b, s:b, s:I, s:s, s:s, s:s, s:b, s:I, s:o, s:o, s:o*}",
	                 "manager", d->about.manager, "leader", d->leader, "epoch",
	                 (json_int_t)d->epoch, "cluster", d->about.cluster, "holder",
	                 d->holder, "error", d->about.manager ? d->error : d->about.why,
	                 "scanned", d->m != NULL && machine_scanned(d->m) >= 0, "calls",
	                 (json_int_t)engine_calls(d->engine), "bindings",
	                 d->m != NULL ? machine_status(d->m) : json_array(), "orphans",
	                 d->m != NULL ? machine_orphans(d->m) : json_array(), "driver",
	                 d->driver != NULL ? driver_status(d->driver) : NULL);
}

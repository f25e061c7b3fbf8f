/* SPDX-License-Identifier: Apache-2.0 */
/* What it comes to: the machine's run in an imagined Swarm, told binding by binding. */
#include "swarm_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "duration.h"
#include "swarm_plan_impl.h"

#define TURNS_MAX 1000000u
#define EXACT_MS  10000   /* after something was done each look counts */
#define AFTER_MS  1800000 /* until old secrets have gone */
#define QUIET_MS                                                              \
	90000000 /* nothing but waiting for longer than any soak: that is all \
	          */

/* ---- definitions ---- */

static int64_t time_of(const json_t *b, const char *key, int64_t dflt)
{
	const char *s = reply_str(b, key);
	struct err e;
	int64_t ms;

	return s != NULL && duration_parse(s, strlen(s), &ms, &e) == ERR_OK ? ms : dflt;
}

int64_t swarm_plan_soak(const json_t *b)
{
	return time_of(b, "soak", 60000);
}

static size_t targets_of(const json_t *b, struct machine_target out[MACHINE_REFS])
{
	const json_t *list = json_object_get(b, "targets"), *item;
	size_t i, n = 0;

	json_array_foreach(list, i, item)
	{
		const char *target = reply_str(item, "target"),
			   *mode = reply_str(item, "mode");

		if (n == MACHINE_REFS)
			break;
		out[n++] = (struct machine_target){
			target != NULL ? target : reply_str(b, "name"),
			reply_str(item, "uid"), reply_str(item, "gid"),
			mode != NULL ? (unsigned)strtoul(mode, NULL, 8) & 0777 : 0400
		};
	}
	if (n == 0)
		out[n++] = (struct machine_target){ reply_str(b, "name"), "0", "0",
			                            0400 };
	return n;
}

static bool is(const json_t *b, const char *key, const char *word)
{
	const char *s = reply_str(b, key);

	return s != NULL && strcmp(s, word) == 0;
}

static int tell(struct machine *m, const json_t *b, struct err *e)
{
	const json_t *list = json_object_get(b, "services");
	struct machine_binding to = {
		.name = reply_str(b, "name"),
		.version = reply_int(b, "version", 0),
		.named_only = is(b, "mode", "driver"),
		.max_services = (unsigned)reply_int(b, "max_services", 1),
		.keep = (unsigned)reply_int(b, "keep", 2),
		.deadline_ms = time_of(b, "deadline", 0),
		.soak_ms = swarm_plan_soak(b),
		.gate_ms = time_of(b, "gate", 900000),
		.jobs = is(b, "jobs", "next-run"),
		.enforce = json_is_true(json_object_get(b, "enforce")),
	};
	const char **names = calloc(json_array_size(list) + 1, sizeof(*names));
	int rc;

	if (names == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_string_value(json_array_get(list, i)) != NULL)
			names[to.n_services++] =
				json_string_value(json_array_get(list, i));
	to.services = names;
	to.n_targets = targets_of(b, to.targets);
	rc = machine_binding(m, &to, 0, e);
	free(names);
	return rc;
}

static int restore(struct machine *m, const json_t *rows, struct err *e)
{
	const json_t *item;
	size_t i;
	int rc = ERR_OK;

	json_array_foreach(rows, i, item)
	{
		struct machine_row row = {
			.binding = reply_str(item, "binding"),
			.service = reply_str(item, "id"),
			.name = reply_str(item, "name"),
			.version = reply_int(item, "version", 0),
			.good = reply_int(item, "good", 0),
			.reason = reply_str(item, "reason"),
		};

		if (row.binding == NULL || row.service == NULL || row.name == NULL ||
		    !machine_state_parse(reply_str(item, "state"), &row.state))
			continue;
		if ((rc = machine_restore(m, &row, e)) != ERR_OK)
			break;
	}
	return rc;
}

/* ---- its run ---- */

static bool window(void *ctx UNUSED, const char *binding UNUSED)
{
	return true;
}

static uint32_t dice(void *ctx UNUSED)
{
	return 0;
}

/* The next moment at which anything is due.  While all that goes on is soaking, that is
 * its end, and not another look every two seconds for a day. */
static int64_t later(struct imagined *w, int64_t next)
{
	int64_t soaked = imagined_soaked(w), quiet = w->now - w->changed;

	next = next > w->now ? next : w->now + 1;
	if (quiet < EXACT_MS)
		return next;
	if (soaked < 0)
		soaked = w->now + quiet / 4;
	return next > soaked ? next : soaked;
}

/* Until it rests and old secrets are gone, or it only waits for somebody else. */
static int run(struct imagined *w, struct err *e)
{
	int64_t rest = -1;

	for (unsigned n = 0; n < TURNS_MAX; n++) {
		int64_t next;

		if (imagined_answer(w))
			continue;
		if (rest < 0 && machine_rest(w->m))
			rest = w->now;
		next = machine_due(w->m, w->now);
		if (w->n_calls > 0)
			continue;
		if (next < 0 || (rest >= 0 && next > rest + AFTER_MS) ||
		    next > w->changed + QUIET_MS)
			return ERR_OK;
		w->now = later(w, next);
	}
	return err_set(e, ERR_TOO_BIG, "that is too much to be planned to its end");
}

static int play(const struct swarm_plan *p, struct imagined *w, struct err *e)
{
	const struct machine_ops ops = { imagined_start, window, dice, w };
	const json_t *b;
	size_t i;
	int rc;

	if ((rc = machine_new(&ops, &w->m, e)) != ERR_OK)
		return rc;
	json_array_foreach(p->bindings, i,
	                   b) if ((rc = tell(w->m, b, e)) != ERR_OK) return rc;
	if ((rc = restore(w->m, p->rows, e)) != ERR_OK)
		return rc;
	if ((rc = run(w, e)) != ERR_OK)
		return rc;
	return w->failed ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* ---- telling ---- */

/* Names of the secrets at the binding's targets. */
static json_t *names_at(const json_t *service, const json_t *b)
{
	const json_t *list = imagined_refs(json_object_get(service, "Spec")), *ref;
	struct machine_target targets[MACHINE_REFS];
	size_t n = targets_of(b, targets), i;
	json_t *out = json_array();

	for (size_t k = 0; k < n; k++)
		json_array_foreach(list, i, ref)
		{
			const char *at = reply_str(json_object_get(ref, "File"), "Name");

			if (at != NULL && strcmp(at, targets[k].target) == 0)
				json_array_append(out,
				                  json_object_get(ref, "SecretName"));
		}
	return out;
}

/* "2 tasks, 1 at a time, start-first" */
static void how_of(const json_t *service, char *out, size_t cap)
{
	const json_t *spec = json_object_get(service, "Spec");
	const json_t *u = json_object_get(spec, "UpdateConfig");
	int64_t tasks = reply_int(json_object_get(service, "ServiceStatus"),
	                          "DesiredTasks", 0);
	int64_t at_once = reply_int(u, "Parallelism", 1);
	const char *order = reply_str(u, "Order");
	char some[32] = "all at once";

	if (at_once > 0)
		snprintf(some, sizeof(some), "%lld at a time", (long long)at_once);
	snprintf(out, cap, "%lld %s, %s, %.16s", (long long)tasks,
	         tasks == 1 ? "task" : "tasks", some,
	         order != NULL ? order : "stop-first");
}

static const json_t *row_of(const json_t *rows, const char *binding, const char *id)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) if (is(row, "binding", binding) &&
	                                     is(row, "id", id)) return row;
	return NULL;
}

/* Without an update: what its state at the end means. */
static const char *action_of(const json_t *svc, const json_t *before, int64_t version)
{
	enum machine_state s = SWARM_PLANNED;

	(void)machine_state_parse(reply_str(svc, "state"), &s);
	switch (s) {
	case SWARM_DONE:
		return is(before, "state", "done") &&
		                       reply_int(before, "version", 0) == version
		               ? "none"
		               : "adopt";
	case SWARM_SKIPPED:
		return "skip";
	case SWARM_SUPERSEDED:
		return "leave";
	case SWARM_HELD:
	case SWARM_ROLLED_BACK:
	case SWARM_BROKEN:
		return "hold";
	default:
		return "wait";
	}
}

static json_t *tell_service(const struct swarm_plan *p, const struct imagined *w,
                            const json_t *b, const json_t *svc)
{
	const char *binding = reply_str(b, "name"), *id = reply_str(svc, "id");
	const json_t *was = imagined_service(w->before, id),
		     *update = row_of(w->updates, binding, id);
	const char *reason = reply_str(svc, "reason");
	char how[64];
	json_t *o = json_object();

	how_of(was, how, sizeof(how));
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "name", json_string(reply_str(svc, "name")));
	json_object_set_new(
		o, "action",
		json_string(update != NULL ? "update"
	                                   : action_of(svc, row_of(p->rows, binding, id),
	                                               reply_int(b, "version", 0))));
	json_object_set_new(o, "from", names_at(was, b));
	json_object_set_new(o, "to", names_at(imagined_service(p->services, id), b));
	json_object_set_new(o, "restarts", json_boolean(update != NULL));
	if (update != NULL) {
		json_object_set(o, "order", json_object_get(update, "order"));
		json_object_set(o, "canary", json_object_get(update, "canary"));
		json_object_set(o, "after_ms", json_object_get(update, "after_ms"));
		json_object_set_new(o, "how", json_string(how));
	} else if (reason != NULL && *reason != '\0') {
		json_object_set_new(o, "reason", json_string(reason));
	}
	return o;
}

/* In the order in which they are updated; the others after them. */
static void sort_in(json_t *list, json_t *o)
{
	int64_t order = reply_int(o, "order", INT64_MAX);
	size_t at = json_array_size(list);

	while (at > 0 &&
	       reply_int(json_array_get(list, at - 1), "order", INT64_MAX) > order)
		at--;
	json_array_insert_new(list, at, o);
}

static json_t *of_binding(const json_t *list, const char *name)
{
	json_t *out = json_array(), *o;
	size_t i;

	json_array_foreach(list, i, o) if (is(o, "binding", name))
	{
		json_t *copy = json_copy(o);

		json_object_del(copy, "binding");
		json_array_append_new(out, copy);
	}
	return out;
}

static json_t *tell_binding(const struct swarm_plan *p, const struct imagined *w,
                            const json_t *b, const json_t *status)
{
	const char *name = reply_str(b, "name");
	json_t *services = json_array(), *o = json_object(), *s, *svc;
	size_t i, k;

	json_array_foreach(status, i, s) if (is(s, "name", name))
		json_array_foreach(json_object_get(s, "services"), k, svc)
			sort_in(services, tell_service(p, w, b, svc));
	json_object_set_new(o, "binding", json_string(name));
	json_object_set(o, "path", json_object_get(b, "path"));
	json_object_set(o, "version", json_object_get(b, "version"));
	json_object_set_new(o, "secrets", of_binding(w->creates, name));
	json_object_set_new(o, "removes", of_binding(w->removes, name));
	json_object_set_new(o, "services", services);
	return o;
}

int swarm_plan(const struct swarm_plan *p, json_t **out, struct err *e)
{
	struct imagined w = { .cluster = p->cluster,
		              .bindings = p->bindings,
		              .services = p->services,
		              .tasks = p->tasks,
		              .secrets = p->secrets };
	json_t *status = NULL, *b;
	size_t i;
	int rc = imagined_open(&w, e);

	*out = NULL;
	if (rc == ERR_OK)
		rc = play(p, &w, e);
	if (rc == ERR_OK) {
		status = machine_status(w.m);
		*out = json_array();
		json_array_foreach(p->bindings, i, b)
			json_array_append_new(*out, tell_binding(p, &w, b, status));
	}
	json_decref(status);
	imagined_close(&w);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "engine.h"
#include "names.h"

#define START_MS   10000 /* what a task may need to start */
#define MONITOR_MS 5000  /* Docker's own */
#define PATIENCE   2
#define TASKS_MAX  100000
#define MS_PER_NS  1000000
#define DELAY_MAX  86400000

struct view {
	json_t *services; /* id: what was kept of it */
};

struct view *view_new(void)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v != NULL && (v->services = json_object()) == NULL) {
		free(v);
		v = NULL;
	}
	return v;
}

void view_free(struct view *v)
{
	if (v == NULL)
		return;
	json_decref(v->services);
	free(v);
}

/* --- keeping -------------------------------------------------------------------------
 */

static const json_t *secrets_of(const json_t *task_spec)
{
	return json_object_get(json_object_get(task_spec, "ContainerSpec"), "Secrets");
}

/* [[target, id, name], …] */
static json_t *keep_refs(const json_t *spec)
{
	const json_t *item;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(secrets_of(json_object_get(spec, "TaskTemplate")), i, item)
	{
		const char *target = reply_str(json_object_get(item, "File"), "Name");
		const char *id = reply_str(item, "SecretID");
		const char *name = reply_str(item, "SecretName");

		if (id != NULL)
			json_array_append_new(
				list, json_pack("[s, s, s]", target != NULL ? target : "",
			                        id, name != NULL ? name : ""));
	}
	return list;
}

static bool is_job(const json_t *spec)
{
	const json_t *mode = json_object_get(spec, "Mode");

	return json_is_object(json_object_get(mode, "ReplicatedJob")) ||
	       json_is_object(json_object_get(mode, "GlobalJob"));
}

static int64_t bounded(int64_t n, int64_t max)
{
	return n < 0 ? 0 : n > max ? max : n;
}

static int64_t patience_of(const json_t *spec, int64_t desired)
{
	const json_t *update = json_object_get(spec, "UpdateConfig");
	int64_t delay = reply_int(update, "Delay", 0) / MS_PER_NS;
	int64_t monitor = reply_int(update, "Monitor", 0) / MS_PER_NS;

	monitor = monitor == 0 ? MONITOR_MS : monitor;
	return PATIENCE * desired *
	       (START_MS + bounded(delay, DELAY_MAX) + bounded(monitor, DELAY_MAX));
}

void view_service(struct view *v, const json_t *item)
{
	const char *id = reply_str(item, "ID");
	const json_t *spec = json_object_get(item, "Spec");
	const json_t *status = json_object_get(item, "UpdateStatus");
	const char *name = reply_str(spec, "Name");
	const char *sync = reply_str(json_object_get(spec, "Labels"), SWARM_LABEL_SYNC);
	int64_t index = reply_int(json_object_get(item, "Version"), "Index", -1);
	const json_t *counts = json_object_get(item, "ServiceStatus");
	int64_t desired = bounded(reply_int(counts, "DesiredTasks", 0), TASKS_MAX);
	json_t *o;

	if (id == NULL || name == NULL || index < 0)
		return;
	o = json_pack("{s:s, s:I, s:b, s:I, s:I, s:o, s:o, s:o}", "name", name, "index",
	              (json_int_t)index, "job", is_job(spec) ? 1 : 0, "desired",
	              (json_int_t)desired, "patience",
	              (json_int_t)patience_of(spec, desired), "refs", keep_refs(spec),
	              "prev", keep_refs(json_object_get(item, "PreviousSpec")), "tasks",
	              json_array());
	json_object_set(o, "running", json_object_get(counts, "RunningTasks"));
	json_object_set(o, "completed", json_object_get(counts, "CompletedTasks"));
	if (json_is_object(json_object_get(item, "PreviousSpec")))
		json_object_set_new(o, "past", json_true());
	if (sync != NULL)
		json_object_set_new(o, "sync", json_string(sync));
	if (reply_str(status, "State") != NULL)
		json_object_set(o, "update", json_object_get(status, "State"));
	if (reply_str(status, "Message") != NULL)
		json_object_set(o, "text", json_object_get(status, "Message"));
	json_object_set_new(v->services, id, o);
}

/* One of a service that was deleted meanwhile: what it names is in use all the same. */
static json_t *stranger(struct view *v, const char *id)
{
	json_t *o = json_pack("{s:s, s:I, s:[], s:[], s:[]}", "name", "", "index",
	                      (json_int_t)0, "refs", "prev", "tasks");

	json_object_set_new(v->services, id, o);
	return o;
}

void view_task(struct view *v, const json_t *item)
{
	const char *id = reply_str(item, "ID"), *service = reply_str(item, "ServiceID");
	const char *state = reply_str(json_object_get(item, "Status"), "State");
	const char *wish = reply_str(item, "DesiredState");
	const json_t *secret;
	json_t *o, *ids, *tasks;
	size_t i;

	if (id == NULL || service == NULL || state == NULL || wish == NULL)
		return;
	if ((o = json_object_get(v->services, service)) == NULL)
		o = stranger(v, service);
	tasks = json_object_get(o, "tasks");
	ids = json_array();
	json_array_foreach(secrets_of(json_object_get(item, "Spec")), i,
	                   secret) if (reply_str(secret, "SecretID") != NULL)
		json_array_append(ids, json_object_get(secret, "SecretID"));
	json_array_append_new(tasks,
	                      json_pack("[s, s, b, o]", id, state,
	                                strcmp(wish, "running") == 0 ? 1 : 0, ids));
}

/* --- showing -------------------------------------------------------------------------
 */

static enum machine_update update_of(const char *s)
{
	static const struct {
		const char *word;
		enum machine_update is;
	} words[] = {
		{"updating",            UPDATE_UPDATING    },
		{ "completed",          UPDATE_COMPLETED   },
		{ "paused",             UPDATE_PAUSED      },
		{ "rollback_started",   UPDATE_ROLLING_BACK},
		{ "rollback_completed", UPDATE_ROLLED_BACK },
		{ "rollback_paused",    UPDATE_ROLLED_BACK },
	};

	for (size_t i = 0; s != NULL && i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].word, s) == 0)
			return words[i].is;
	return s == NULL ? UPDATE_NONE : UPDATE_UPDATING; /* of a newer Docker: wait */
}

static enum machine_task_state task_of(const char *s)
{
	if (strcmp(s, "running") == 0)
		return TASK_RUNNING;
	if (strcmp(s, "failed") == 0 || strcmp(s, "rejected") == 0)
		return TASK_FAILED;
	if (strcmp(s, "complete") == 0 || strcmp(s, "shutdown") == 0 ||
	    strcmp(s, "remove") == 0 || strcmp(s, "orphaned") == 0)
		return TASK_ENDED;
	return TASK_COMING;
}

static const char *text_at(const json_t *list, size_t i)
{
	return json_string_value(json_array_get(list, i));
}

static struct machine_ref *show_refs(const json_t *list)
{
	struct machine_ref *refs = calloc(json_array_size(list) + 1, sizeof(*refs));
	const json_t *item;
	size_t i;

	if (refs == NULL)
		return NULL;
	json_array_foreach(list, i, item)
		refs[i] = (struct machine_ref){ text_at(item, 0), text_at(item, 1),
		                                text_at(item, 2) };
	return refs;
}

/* Tasks, with all of their secrets in one list. */
struct tasks {
	struct machine_task *tasks;
	const char **ids;
};

static bool show_tasks(const json_t *list, struct tasks *out)
{
	const json_t *item;
	size_t n = 0, i;

	json_array_foreach(list, i, item) n += json_array_size(json_array_get(item, 3));
	out->tasks = calloc(json_array_size(list) + 1, sizeof(*out->tasks));
	out->ids = calloc(n + 1, sizeof(*out->ids));
	if (out->tasks == NULL || out->ids == NULL)
		return false;
	n = 0;
	json_array_foreach(list, i, item)
	{
		const json_t *secrets = json_array_get(item, 3);
		struct machine_task *t = &out->tasks[i];

		*t = (struct machine_task){
			.id = text_at(item, 0),
			.state = task_of(text_at(item, 1)),
			.wanted = json_is_true(json_array_get(item, 2)),
			.secrets = out->ids + n,
			.n_secrets = json_array_size(secrets),
		};
		for (size_t k = 0; k < t->n_secrets; k++)
			out->ids[n++] = text_at(secrets, k);
	}
	return true;
}

struct audience {
	struct machine *m;
	const struct engine_ops *ops;
	int64_t now;
};

static int show(const char *id, const json_t *o, const struct audience *to, struct err *e)
{
	const json_t *refs = json_object_get(o, "refs"),
		     *prev = json_object_get(o, "prev"),
		     *tasks = json_object_get(o, "tasks");
	struct machine_ref *now_refs = show_refs(refs), *prev_refs = show_refs(prev);
	struct tasks t = { NULL, NULL };
	struct machine_view v = {
		.id = id,
		.name = reply_str(o, "name"),
		.sync = reply_str(o, "sync"),
		.index = (uint64_t)reply_int(o, "index", 0),
		.job = json_is_true(json_object_get(o, "job")),
		.update = update_of(reply_str(o, "update")),
		.update_text = reply_str(o, "text"),
		.desired = reply_int(o, "desired", 0),
		.running = reply_int(o, "running", 0),
		.completed = reply_int(o, "completed", 0),
		.patience_ms = reply_int(o, "patience", 0),
		.refs = now_refs,
		.n_refs = json_array_size(refs),
		.has_prev = json_is_true(json_object_get(o, "past")),
		.prev = prev_refs,
		.n_prev = json_array_size(prev),
		.n_tasks = json_array_size(tasks),
	};
	int rc = ERR_NOMEM;

	if (show_tasks(tasks, &t) && now_refs != NULL && prev_refs != NULL) {
		v.tasks = t.tasks;
		if (to->ops != NULL && to->ops->seen != NULL)
			to->ops->seen(to->ops->ctx, &v);
		rc = machine_seen(to->m, &v, to->now, e);
	} else {
		err_set(e, ERR_NOMEM, "out of memory");
	}
	free(now_refs);
	free(prev_refs);
	free(t.tasks);
	free(t.ids);
	return rc;
}

int view_show(const struct view *v, struct machine *m, int64_t now,
              const struct engine_ops *ops, struct err *e)
{
	const struct audience to = { m, ops, now };
	const char *id;
	json_t *o;
	int rc = ERR_OK;

	json_object_foreach(v->services, id, o)
	{
		rc = show(id, o, &to, e);
		if (rc != ERR_OK)
			break;
	}
	return rc;
}

bool view_secret(const json_t *item, const char *cluster, struct machine_secret *out)
{
	const json_t *spec = json_object_get(item, "Spec"),
		     *labels = json_object_get(spec, "Labels");
	const char *of = reply_str(labels, SWARM_LABEL_CLUSTER);
	const char *version = reply_str(labels, SWARM_LABEL_VERSION);
	const char *object = reply_str(labels, SWARM_LABEL_OBJECT);
	long long number;
	char rest;

	*out = (struct machine_secret){
		.id = reply_str(item, "ID"),
		.name = reply_str(spec, "Name"),
		.binding = reply_str(labels, SWARM_LABEL_BINDING),
	};
	if (out->id == NULL || out->name == NULL || out->binding == NULL || of == NULL ||
	    strcmp(of, cluster) != 0 || version == NULL || strlen(version) > 18 ||
	    sscanf(version, "%lld%c", &number, &rest) != 1 || number <= 0)
		return false;
	out->version = number;
	if (object == NULL || strlen(object) != 1 || *object < '0' ||
	    *object >= '0' + (int)MACHINE_REFS)
		return false;
	out->object = (size_t)(*object - '0');
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "agent/swarm/names.h"
#include "agent/swarm/view.h"
#include "swarm_plan_impl.h"

/* A machine's call, with what it borrows. */
struct imagined_call {
	uint64_t token;
	enum machine_kind kind;
	char binding[160], service[MACHINE_ID], secret[MACHINE_ID];
	int64_t version;
	size_t object;
	unsigned other;
	json_t *ids;  /* LOOK; NULL: all */
	json_t *refs; /* UPDATE */
};

/* ---- small things ---- */

json_t *imagined_service(const json_t *list, const char *id)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *is = reply_str(o, "ID");

		if (is != NULL && id != NULL && strcmp(is, id) == 0)
			return o;
	}
	return NULL;
}

static json_t *container_of(const json_t *spec)
{
	return json_object_get(json_object_get(spec, "TaskTemplate"), "ContainerSpec");
}

json_t *imagined_refs(const json_t *spec)
{
	return json_object_get(container_of(spec), "Secrets");
}

static void note(struct imagined *w, json_t *list, json_t *o)
{
	w->failed = w->failed || o == NULL || json_array_append_new(list, o) != 0;
}

static const json_t *binding_of(const struct imagined *w, const char *name)
{
	const json_t *b;
	size_t i;

	json_array_foreach(w->bindings, i, b)
	{
		const char *is = reply_str(b, "name");

		if (is != NULL && strcmp(is, name) == 0)
			return b;
	}
	return NULL;
}

/* ---- life ---- */

int imagined_open(struct imagined *w, struct err *e)
{
	const json_t *s;
	size_t i;

	w->before = json_deep_copy(w->services);
	w->creates = json_array();
	w->updates = json_array();
	w->removes = json_array();
	if (w->before == NULL || w->creates == NULL || w->updates == NULL ||
	    w->removes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	json_array_foreach(w->services, i, s)
	{
		uint64_t at = (uint64_t)reply_int(json_object_get(s, "Version"), "Index",
		                                  0);

		w->index = at > w->index ? at : w->index;
	}
	return ERR_OK;
}

static void drop(struct imagined_call *c)
{
	json_decref(c->ids);
	json_decref(c->refs);
}

void imagined_close(struct imagined *w)
{
	machine_free(w->m);
	for (size_t i = 0; i < w->n_calls; i++)
		drop(&w->calls[i]);
	free(w->calls);
	free(w->soaks);
	json_decref(w->before);
	json_decref(w->creates);
	json_decref(w->updates);
	json_decref(w->removes);
}

/* ---- time ---- */

static int begin_soak(struct imagined *w, const char *binding, struct err *e)
{
	if (w->n_soaks == w->cap_soaks) {
		size_t cap = w->cap_soaks == 0 ? 16 : 2 * w->cap_soaks;
		int64_t *more = realloc(w->soaks, cap * sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		w->soaks = more;
		w->cap_soaks = cap;
	}
	w->soaks[w->n_soaks++] = w->now + swarm_plan_soak(binding_of(w, binding));
	return ERR_OK;
}

int64_t imagined_soaked(struct imagined *w)
{
	int64_t first = -1;
	size_t kept = 0;

	for (size_t i = 0; i < w->n_soaks; i++) {
		int64_t at = w->soaks[i];

		if (at <= w->now)
			continue;
		first = first < 0 || at < first ? at : first;
		w->soaks[kept++] = at;
	}
	w->n_soaks = kept;
	return first;
}

/* ---- calls ---- */

static json_t *keep_refs(const struct machine_call *call)
{
	json_t *list = json_array();

	for (size_t i = 0; i < call->n_refs; i++) {
		const struct machine_change *r = &call->refs[i];

		json_array_append_new(list,
		                      json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:i}",
		                                "target", r->at->target, "id", r->id,
		                                "name", r->name, "uid", r->at->uid, "gid",
		                                r->at->gid, "mode", (int)r->at->mode));
	}
	return list;
}

int imagined_start(void *ctx, const struct machine_call *call, struct err *e)
{
	struct imagined *w = ctx;
	struct imagined_call *c;

	if (call->kind != MACHINE_LOOK)
		w->changed = w->now;
	if (call->kind == MACHINE_STORE && call->row->state == SWARM_SOAK &&
	    begin_soak(w, call->binding, e) != ERR_OK)
		return ERR_NOMEM;
	if (w->n_calls == w->cap_calls) {
		size_t cap = w->cap_calls == 0 ? 16 : 2 * w->cap_calls;

		if ((c = realloc(w->calls, cap * sizeof(*c))) == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		w->calls = c;
		w->cap_calls = cap;
	}
	c = &w->calls[w->n_calls++];
	*c = (struct imagined_call){ .token = call->token,
		                     .kind = call->kind,
		                     .version = call->version,
		                     .object = call->object,
		                     .other = call->other };
	snprintf(c->binding, sizeof(c->binding), "%s",
	         call->binding != NULL ? call->binding : "");
	snprintf(c->service, sizeof(c->service), "%s",
	         call->service != NULL ? call->service : "");
	snprintf(c->secret, sizeof(c->secret), "%s",
	         call->secret != NULL ? call->secret : "");
	if (call->kind == MACHINE_UPDATE)
		c->refs = keep_refs(call);
	if (call->ids != NULL && (c->ids = json_object()) != NULL)
		for (size_t i = 0; i < call->n_ids; i++)
			json_object_set_new(c->ids, call->ids[i], json_true());
	return ERR_OK;
}

/* ---- looking ---- */

static bool wanted(const struct imagined_call *c, const json_t *item, const char *key)
{
	const char *id = reply_str(item, key);

	return c->ids == NULL || (id != NULL && json_object_get(c->ids, id) != NULL);
}

static int show(struct imagined *w, const struct imagined_call *c, struct view *v,
                struct err *e)
{
	struct machine_secret s;
	json_t *item;
	size_t i;
	int rc;

	json_array_foreach(w->secrets, i, item)
	{
		if (c->ids == NULL && view_secret(item, w->cluster, &s) &&
		    (rc = machine_secret(w->m, &s, w->now, e)) != ERR_OK)
			return rc;
	}
	json_array_foreach(w->services, i, item) if (wanted(c, item, "ID"))
		view_service(v, item);
	json_array_foreach(w->tasks, i, item) if (wanted(c, item, "ServiceID"))
		view_task(v, item);
	return view_show(v, w->m, w->now, NULL, e);
}

static void look(struct imagined *w, const struct imagined_call *c)
{
	struct view *v = view_new();
	struct err e = { ERR_OK, "" };

	if (v == NULL || show(w, c, v, &e) != ERR_OK)
		w->failed = true;
	view_free(v);
	machine_done(w->m, c->token, ERR_OK, "", w->now);
}

/* ---- secrets ---- */

static json_t *named(const struct imagined *w, const char *name)
{
	json_t *o;
	size_t i;

	json_array_foreach(w->secrets, i, o)
	{
		const char *is = reply_str(json_object_get(o, "Spec"), "Name");

		if (is != NULL && strcmp(is, name) == 0)
			return o;
	}
	return NULL;
}

static void add_secret(struct imagined *w, const struct imagined_call *c,
                       const char *name, char id[MACHINE_ID])
{
	char version[24], object[24];

	snprintf(id, MACHINE_ID, "planned%u", ++w->made);
	snprintf(version, sizeof(version), "%" PRId64, c->version);
	snprintf(object, sizeof(object), "%zu", c->object);
	json_array_append_new(
		w->secrets,
		json_pack("{s:s, s:{s:s, s:{s:s, s:s, s:s, s:s}}}", "ID", id, "Spec",
	                  "Name", name, "Labels", SWARM_LABEL_CLUSTER, w->cluster,
	                  SWARM_LABEL_BINDING, c->binding, SWARM_LABEL_VERSION, version,
	                  SWARM_LABEL_OBJECT, object));
}

/* Where the secret comes from is not in the call: the binding has it. */
static void create(struct imagined *w, const struct imagined_call *c, const json_t *b)
{
	const char *path = reply_str(b, "path"), *format = reply_str(b, "format");
	const struct swarm_name n = { path != NULL ? path : "",
		                      format != NULL ? format : "raw", c->version,
		                      c->object, c->other };
	const json_t *there = imagined_service(w->secrets, c->secret);
	char name[SWARM_NAME_MAX + 1], id[MACHINE_ID];
	struct machine_secret s;
	const char *action = "compare";

	swarm_name(&n, name);
	if (there == NULL && (there = named(w, name)) != NULL &&
	    (!view_secret(there, w->cluster, &s) || strcmp(s.binding, c->binding) != 0 ||
	     s.version != c->version || s.object != c->object)) {
		machine_taken(w->m, c->token, w->now);
		return;
	}
	if (there == NULL) {
		action = "create";
		add_secret(w, c, name, id);
	} else {
		const char *is = reply_str(json_object_get(there, "Spec"), "Name");

		snprintf(id, sizeof(id), "%s", reply_str(there, "ID"));
		snprintf(name, sizeof(name), "%s", is != NULL ? is : "");
	}
	note(w, w->creates,
	     json_pack("{s:s, s:s, s:s}", "binding", c->binding, "name", name, "action",
	               action));
	machine_created(w->m, c->token, id, name, w->now);
}

static void delete (struct imagined *w, const struct imagined_call *c)
{
	json_t *o;
	size_t i;

	json_array_foreach(w->secrets, i, o)
	{
		const char *id = reply_str(o, "ID");

		if (id == NULL || strcmp(id, c->secret) != 0)
			continue;
		note(w, w->removes,
		     json_pack("{s:s, s:O}", "binding", c->binding, "name",
		               json_object_get(json_object_get(o, "Spec"), "Name")));
		json_array_remove(w->secrets, i);
		break;
	}
	machine_done(w->m, c->token, ERR_OK, "", w->now);
}

/* ---- services ---- */

static json_t *reference(const json_t *r)
{
	return json_pack("{s:{s:O, s:O, s:O, s:O}, s:O, s:O}", "File", "Name",
	                 json_object_get(r, "target"), "UID", json_object_get(r, "uid"),
	                 "GID", json_object_get(r, "gid"), "Mode",
	                 json_object_get(r, "mode"), "SecretID", json_object_get(r, "id"),
	                 "SecretName", json_object_get(r, "name"));
}

static void set_ref(json_t *refs, const json_t *r)
{
	const char *target = reply_str(r, "target");
	bool gone = reply_str(r, "id") == NULL;
	json_t *o;
	size_t i;

	json_array_foreach(refs, i, o)
	{
		const char *at = reply_str(json_object_get(o, "File"), "Name");

		if (at == NULL || strcmp(at, target) != 0)
			continue;
		if (gone) {
			json_array_remove(refs, i);
			return;
		}
		json_object_set(o, "SecretID", json_object_get(r, "id"));
		json_object_set(o, "SecretName", json_object_get(r, "name"));
		return;
	}
	if (!gone)
		json_array_append_new(refs, reference(r));
}

/* All at once, and all well: its new tasks run. */
static void roll(struct imagined *w, const json_t *service, const json_t *refs)
{
	const char *id = reply_str(service, "ID");
	json_t *t;
	size_t i;

	json_array_foreach(w->tasks, i, t)
	{
		const char *of = reply_str(t, "ServiceID"),
			   *wish = reply_str(t, "DesiredState");
		json_t *spec = json_object_get(json_object_get(t, "Spec"),
		                               "ContainerSpec");

		if (of == NULL || id == NULL || strcmp(of, id) != 0 || wish == NULL ||
		    strcmp(wish, "running") != 0)
			continue;
		json_object_set_new(spec, "Secrets", json_deep_copy(refs));
	}
}

static void change(struct imagined *w, json_t *service, const json_t *wish)
{
	json_t *spec = json_object_get(service, "Spec"), *container = container_of(spec);
	json_t *was = json_deep_copy(spec), *refs = imagined_refs(spec), *r;
	size_t i;

	if (!json_is_array(refs)) {
		refs = json_array();
		json_object_set_new(container, "Secrets", refs);
	}
	json_array_foreach(wish, i, r) set_ref(refs, r);
	json_object_set_new(service, "PreviousSpec", was);
	json_object_set_new(service, "UpdateStatus",
	                    json_pack("{s:s}", "State", "completed"));
	json_object_set_new(json_object_get(service, "Version"), "Index",
	                    json_integer((json_int_t)++w->index));
	roll(w, service, refs);
}

static bool is_first(const struct imagined *w, const char *binding)
{
	const json_t *o;
	size_t i;

	json_array_foreach(w->updates, i, o)
	{
		if (strcmp(reply_str(o, "binding"), binding) == 0)
			return false;
	}
	return true;
}

static void update(struct imagined *w, const struct imagined_call *c)
{
	json_t *service = imagined_service(w->services, c->service);

	if (service != NULL) {
		bool first = is_first(w, c->binding);

		change(w, service, c->refs);
		note(w, w->updates,
		     json_pack("{s:s, s:s, s:I, s:b, s:I}", "binding", c->binding, "id",
		               c->service, "order",
		               (json_int_t)json_array_size(w->updates) + 1, "canary",
		               first, "after_ms", (json_int_t)w->now));
	}
	machine_done(w->m, c->token, service != NULL ? ERR_OK : ERR_NOENT, "", w->now);
}

/* ---- answers ---- */

bool imagined_answer(struct imagined *w)
{
	struct imagined_call c;

	if (w->n_calls == 0)
		return false;
	c = w->calls[0];
	memmove(w->calls, w->calls + 1, --w->n_calls * sizeof(*w->calls));
	switch (c.kind) {
	case MACHINE_LOOK:
		look(w, &c);
		break;
	case MACHINE_CREATE:
		create(w, &c, binding_of(w, c.binding));
		break;
	case MACHINE_UPDATE:
		update(w, &c);
		break;
	case MACHINE_DELETE:
		delete (w, &c);
		break;
	case MACHINE_STORE:
	case MACHINE_TOUCH:
		machine_done(w->m, c.token, ERR_OK, "", w->now);
		break;
	}
	drop(&c);
	return true;
}

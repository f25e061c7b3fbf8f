/* SPDX-License-Identifier: Apache-2.0 */
/* Making a secret, and whether one of its name is it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "clock.h"
#include "engine_impl.h"
#include "log.h"
#include "text.h"

static void created(struct task *t, const char *id)
{
	if (!docker_swarm_id_ok(id)) {
		engine_finish(t, ERR_UNKNOWN, "Docker's answer cannot be read");
		return;
	}
	if (engine_wanted(t))
		machine_created(t->en->m, t->token, id, t->name,
		                clock_boot(t->en->o.clock));
	engine_task_free(t);
}

static void taken(struct task *t)
{
	log_info(t->adopting ? "a secret of the Swarm has our labels but not the value"
	                     : "a secret of the Swarm has our name but is another",
	         LOG_S("name", t->name));
	if (engine_wanted(t))
		machine_taken(t->en->m, t->token, clock_boot(t->en->o.clock));
	engine_task_free(t);
}

static json_t *labels_of(const struct task *t, const struct engine_secret *s)
{
	char version[24], object[4], epoch[24];

	(void)snprintf(version, sizeof(version), "%" PRId64, t->call.version);
	(void)snprintf(object, sizeof(object), "%zu", t->call.object % MACHINE_REFS);
	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, s->epoch);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", SWARM_LABEL_CLUSTER,
	                 t->en->cluster, SWARM_LABEL_BINDING, t->binding,
	                 SWARM_LABEL_VERSION, version, SWARM_LABEL_OBJECT, object,
	                 SWARM_LABEL_FP, s->fp != NULL ? s->fp : "", SWARM_LABEL_EPOCH,
	                 epoch);
}

static json_t *data_of(const struct engine_secret *s)
{
	char *text = malloc(TEXT_BASE64_LEN(s->n) + 1);
	json_t *o;

	if (text == NULL)
		return NULL;
	(void)text_base64(s->value, s->n, text);
	o = json_string(text);
	explicit_bzero(text, TEXT_BASE64_LEN(s->n));
	free(text);
	return o;
}

/* One that was there before the vault knew of it lacks what only an agent can say; one
 * that is known may have lost it. */
static json_t *labels_after(const struct task *t, const struct engine_secret *s)
{
	const json_t *before = json_object_get(t->spec, "Labels");
	const char *fp = reply_str(before, SWARM_LABEL_FP);
	json_t *labels = json_copy((json_t *)(uintptr_t)before);
	AUTO_JSON ours = NULL;

	if (fp != NULL && *fp != '\0' && !t->call.known)
		return labels;
	if (labels == NULL)
		labels = json_object();
	ours = labels_of(t, s);
	json_object_update(labels, ours);
	return labels;
}

/* Compared, or, if it has no value, only given our labels. */
static int update(struct task *t, const struct engine_secret *s, json_t *labels,
                  struct err *e)
{
	char path[PATH_SIZE];
	AUTO_JSON o = json_copy(t->spec);

	json_object_set_new(o, "Labels", labels);
	if (s->driver == NULL)
		json_object_set_new(o, "Data", data_of(s));
	(void)snprintf(path, sizeof(path), "/secrets/%s/update?version=%" PRIu64, t->id,
	               t->index);
	return engine_post(t, STEP_COMPARE, path, engine_body(o), false, e);
}

/* Who has our name and asks that driver is ours. */
static int judge_driver(struct task *t, const struct engine_secret *s, struct err *e)
{
	const char *is = reply_str(json_object_get(t->spec, "Driver"), "Name");
	json_t *labels = labels_after(t, s);

	if (is != NULL && strcmp(is, s->driver) == 0 &&
	    !json_equal(labels, json_object_get(t->spec, "Labels")))
		return update(t, s, labels, e);
	json_decref(labels);
	if (is != NULL && strcmp(is, s->driver) == 0)
		created(t, t->id);
	else
		taken(t);
	return ERR_OK;
}

static int create(struct task *t, const struct engine_secret *s, struct err *e)
{
	AUTO_JSON o = NULL;

	swarm_name(&(struct swarm_name){ s->path, s->format, t->call.version,
	                                 t->call.object, t->call.other },
	           t->name);
	o = json_pack("{s:s, s:o}", "Name", t->name, "Labels", labels_of(t, s));
	if (s->driver != NULL)
		json_object_set_new(o, "Driver", json_pack("{s:s}", "Name", s->driver));
	else
		json_object_set_new(o, "Data", data_of(s));
	return engine_post(t, STEP_CREATE, "/secrets/create", engine_body(o), true, e);
}

/* With the value: made, or (when there is one of this name) compared. */
int engine_send_value(void *ctx, const struct engine_secret *s, struct err *e)
{
	struct task *t = ctx;

	if (s->driver != NULL)
		return t->spec != NULL ? judge_driver(t, s, e) : create(t, s, e);
	if (s->n == 0 || s->n > ENGINE_VALUE_MAX)
		return err_set(e, ERR_INVALID,
		               "Docker takes secrets of 1 to %u bytes, this has %zu",
		               ENGINE_VALUE_MAX, s->n);
	return t->spec != NULL ? update(t, s, labels_after(t, s), e) : create(t, s, e);
}

void engine_made(struct task *t, const struct docker_result *r)
{
	char path[PATH_SIZE];
	struct err e;

	if (r->rc == ERR_OK) {
		created(t, reply_str(r->doc, "ID"));
		return;
	}
	if (r->status != 409) {
		engine_finish(t, engine_meaning(r), r->e->msg);
		return;
	}
	(void)snprintf(path, sizeof(path), "/secrets/%s", t->name);
	if (engine_get(t, STEP_READ, path, true, &e) != ERR_OK)
		engine_finish(t, ERR_UNKNOWN, e.msg);
}

void engine_read(struct task *t, const struct docker_result *r)
{
	struct machine_secret s;
	struct err e = { ERR_OK, "" };
	bool ours;

	if (r->rc != ERR_OK) { /* it may have gone since: tried again */
		engine_finish(t,
		              r->rc == ERR_NOENT && !t->adopting ? ERR_UNKNOWN
		                                                 : engine_meaning(r),
		              r->e->msg);
		return;
	}
	ours = view_secret(r->doc, t->en->cluster, &s) &&
	       strcmp(s.binding, t->binding) == 0 && s.version == t->call.version &&
	       s.object == t->call.object;
	if (!ours && t->call.known)
		log_warn("labels of a secret of the Swarm are put back",
		         LOG_S("name", t->name));
	if ((!ours && !t->call.known) || s.name == NULL || !docker_swarm_id_ok(s.id)) {
		taken(t);
		return;
	}
	(void)snprintf(t->id, sizeof(t->id), "%s", s.id);
	(void)snprintf(t->name, sizeof(t->name), "%s", s.name);
	t->index = (uint64_t)reply_int(json_object_get(r->doc, "Version"), "Index", 0);
	t->spec = json_incref(json_object_get(r->doc, "Spec"));
	if (t->en->o.ops.secret(t->en->o.ops.ctx, &t->call, engine_send_value, t, &e) !=
	    ERR_OK)
		engine_finish(t, ERR_UNKNOWN, e.msg);
}

void engine_compared(struct task *t, const struct docker_result *r)
{
	if (r->rc == ERR_OK)
		created(t, t->id);
	else if (engine_meaning(r) == ERR_VERIFY)
		taken(t);
	else
		engine_finish(t, engine_meaning(r), r->e->msg);
}

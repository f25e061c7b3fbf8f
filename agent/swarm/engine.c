/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "clock.h"
#include "engine_impl.h"
#include "log.h"
#include "text.h"

#define CALL_MS 30000 /* a leader that has gone is missed for 20 s */

/* --- tasks ---------------------------------------------------------------------------
 */

void engine_task_free(struct task *t)
{
	struct task **at = &t->en->tasks;

	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at != NULL)
		*at = t->next;
	docker_forget(t->en->docker, t);
	json_decref(t->labels);
	json_decref(t->spec);
	json_decref(t->ids);
	json_decref(t->secrets);
	for (size_t i = 0; i < MACHINE_REFS; i++)
		for (size_t k = 0; k < ARRAY_LEN(t->texts[i]); k++)
			free(t->texts[i][k]);
	view_free(t->view);
	free(t);
}

static struct task *task_new(struct engine *en, enum step step)
{
	struct task *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->en = en;
	t->step = step;
	t->serving = en->serving;
	t->next = en->tasks;
	en->tasks = t;
	return t;
}

bool engine_wanted(const struct task *t)
{
	return t->en->m != NULL && t->serving == t->en->serving;
}

void engine_finish(struct task *t, int rc, const char *why)
{
	if (engine_wanted(t))
		machine_done(t->en->m, t->token, rc, why, clock_boot(t->en->o.clock));
	engine_task_free(t);
}

/* --- requests ------------------------------------------------------------------------
 */

static void on_reply(void *ctx, const struct docker_result *r);

static int ask(struct task *t, enum step step, struct docker_query *q, struct err *e)
{
	t->step = step;
	t->en->calls++;
	q->timeout_ms = CALL_MS;
	return docker_request(t->en->docker, q, on_reply, t, e);
}

int engine_get(struct task *t, enum step step, const char *path, bool doc, struct err *e)
{
	struct docker_query q = { .method = "GET", .path = path, .wants_doc = doc };

	return ask(t, step, &q, e);
}

int engine_list(struct task *t, enum step step, const char *what, json_t *filters,
                docker_item_fn each, struct err *e)
{
	AUTO_TEXT text = filters != NULL ? reply_text(filters) : NULL;
	AUTO_FREE char *escaped = text != NULL ? docker_escape(text) : NULL;
	AUTO_FREE char *path = NULL;
	/* one that was left out would pass for one that is not there */
	struct docker_query q = { .method = "GET", .each = each, .whole = true };

	json_decref(filters);
	if (asprintf(&path, "%s%s%s", what, escaped != NULL ? "filters=" : "",
	             escaped != NULL ? escaped : "") < 0) {
		path = NULL;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	q.path = path;
	return ask(t, step, &q, e);
}

/* The text of a document, to be handed to docker_request(); wiped there. */
char *engine_body(const json_t *o)
{
	size_t n = o != NULL ? json_dumpb(o, NULL, 0, JSON_COMPACT) : 0;
	char *text = n > 0 ? calloc(1, n + 1) : NULL;

	if (text != NULL)
		(void)json_dumpb(o, text, n, JSON_COMPACT);
	return text;
}

int engine_post(struct task *t, enum step step, const char *path, char *body, bool doc,
                struct err *e)
{
	struct docker_query q = {
		.method = "POST", .path = path, .body = body, .wants_doc = doc
	};

	if (body == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ask(t, step, &q, e);
}

/* --- a service -----------------------------------------------------------------------
 */

static int on_service(struct task *t, const struct docker_result *r, struct err *e)
{
	char path[PATH_SIZE], *spec = NULL;
	uint64_t index = 0;
	int rc = spec_index(r->text, r->text_len, &index, e);

	if (rc != ERR_OK)
		return rc;
	if (index != t->index)
		return err_set(e, ERR_CONFLICT, "the service has changed since");
	rc = spec_patch(r->text, r->text_len, t->refs, t->call.n_refs, &spec, e);
	if (rc != ERR_OK)
		return rc;
	(void)snprintf(path, sizeof(path), "/services/%s/update?version=%" PRIu64,
	               t->service, index);
	return engine_post(t, STEP_POST, path, spec, false, e);
}

/* --- replies -------------------------------------------------------------------------
 */

static void on_reply(void *ctx, const struct docker_result *r)
{
	struct task *t = ctx;
	struct err e = { ERR_OK, "" };
	int rc;

	if (t->step < STEP_INFO && engine_leaderless(r))
		t->en->o.ops.changed(t->en->o.ops.ctx);
	/* who does not lead any more begins nothing new */
	if (t->step < STEP_INFO && !engine_wanted(t)) {
		engine_task_free(t);
		return;
	}
	switch (t->step) {
	case STEP_CREATE:
		engine_made(t, r);
		return;
	case STEP_READ:
		engine_read(t, r);
		return;
	case STEP_COMPARE:
		engine_compared(t, r);
		return;
	case STEP_SECRETS:
	case STEP_SERVICES:
	case STEP_TASKS:
		engine_looked(t, r);
		return;
	case STEP_GET:
		rc = r->rc == ERR_OK ? on_service(t, r, &e) : engine_meaning(r);
		if (rc != ERR_OK)
			engine_finish(t, rc, r->rc != ERR_OK ? r->e->msg : e.msg);
		return;
	case STEP_POST:
	case STEP_DELETE:
		engine_finish(t, engine_meaning(r), r->e->msg);
		return;
	case STEP_INFO:
		engine_info(t, r);
		return;
	case STEP_NODES:
		engine_told(t, r->rc == ERR_OK ? "" : r->e->msg);
		return;
	}
}

/* --- beginning -----------------------------------------------------------------------
 */

static char *copy(const char *s, bool *ok)
{
	char *out = s != NULL ? strdup(s) : NULL;

	*ok = *ok && (s == NULL || out != NULL);
	return out;
}

static bool keep_refs(struct task *t, const struct machine_call *c)
{
	bool ok = c->n_refs <= MACHINE_REFS;

	for (size_t i = 0; ok && i < c->n_refs; i++) {
		const struct machine_change *from = &c->refs[i];
		char **to = t->texts[i];

		to[0] = copy(from->at->target, &ok);
		to[1] = copy(from->id, &ok);
		to[2] = copy(from->name, &ok);
		to[3] = copy(from->at->uid, &ok);
		to[4] = copy(from->at->gid, &ok);
		t->refs[i] = (struct spec_ref){ to[0], to[1], to[2],
			                        to[3], to[4], from->at->mode };
	}
	return ok;
}

static bool keep(struct task *t, const struct machine_call *c)
{
	t->token = c->token;
	t->call = *c;
	t->index = c->index;
	(void)snprintf(t->binding, sizeof(t->binding), "%s",
	               c->binding != NULL ? c->binding : "");
	(void)snprintf(t->service, sizeof(t->service), "%s",
	               c->service != NULL ? c->service : "");
	t->call.binding = t->binding;
	t->call.service = t->service;
	t->call.row = NULL;
	t->call.refs = NULL;
	t->call.ids = NULL;
	t->call.secret = t->call.secret_name = NULL;
	return keep_refs(t, c);
}

/* The value is not sent unless it still says what it is. */
static int adopt(struct task *t, const struct machine_call *c, struct err *e)
{
	char path[PATH_SIZE];

	if (!docker_swarm_id_ok(c->secret))
		return err_set(e, ERR_USAGE, "this is no secret's id");
	t->adopting = true;
	(void)snprintf(t->name, sizeof(t->name), "%s", c->secret_name);
	(void)snprintf(path, sizeof(path), "/secrets/%s", c->secret);
	return engine_get(t, STEP_READ, path, true, e);
}

static int begin(struct task *t, const struct machine_call *c, struct err *e)
{
	char path[PATH_SIZE];
	struct docker_query gone = { .method = "DELETE", .path = path };

	switch (c->kind) {
	case MACHINE_CREATE:
		if (c->secret != NULL)
			return adopt(t, c, e);
		return t->en->o.ops.secret(t->en->o.ops.ctx, &t->call, engine_send_value,
		                           t, e);
	case MACHINE_LOOK:
		return engine_look(t, c, e);
	case MACHINE_UPDATE:
	case MACHINE_TOUCH:
		if (!docker_swarm_id_ok(t->service))
			return err_set(e, ERR_USAGE, "this is no service's id");
		(void)snprintf(path, sizeof(path), "/services/%s", t->service);
		return engine_get(t, STEP_GET, path, false, e);
	case MACHINE_DELETE:
		if (!docker_swarm_id_ok(c->secret))
			return err_set(e, ERR_USAGE, "this is no secret's id");
		(void)snprintf(path, sizeof(path), "/secrets/%s", c->secret);
		return ask(t, STEP_DELETE, &gone, e);
	case MACHINE_STORE:
		break;
	}
	return err_set(e, ERR_USAGE, "not for Docker");
}

int engine_start(struct engine *en, const struct machine_call *c, struct err *e)
{
	struct task *t;
	int rc;

	if (!docker_is_up(en->docker))
		return err_set(e, ERR_UNREACHABLE, "%s", docker_error(en->docker));
	if ((t = task_new(en, STEP_CREATE)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!keep(t, c)) {
		engine_task_free(t);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if ((rc = begin(t, c, e)) != ERR_OK)
		engine_task_free(t);
	return rc;
}

int engine_ask(struct engine *en, struct err *e)
{
	struct task *t;
	int rc;

	if (!docker_is_up(en->docker))
		return err_set(e, ERR_UNREACHABLE, "%s", docker_error(en->docker));
	if ((t = task_new(en, STEP_INFO)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = engine_get(t, STEP_INFO, "/info", true, e)) != ERR_OK)
		engine_task_free(t);
	return rc;
}

/* --- life ----------------------------------------------------------------------------
 */

/* What happened meanwhile it does not tell: it remembers few events. */
static void on_up(void *ctx)
{
	struct engine *en = ctx;

	if (en->m != NULL)
		machine_rescan(en->m, clock_boot(en->o.clock));
	en->o.ops.changed(en->o.ops.ctx);
}

static void on_down(void *ctx, const char *why)
{
	struct engine *en = ctx;

	log_warn("the Swarm's manager does not answer", LOG_S("why", why));
	en->o.ops.changed(en->o.ops.ctx);
}

/* Most of what happens to other services is no concern of ours. */
static void on_event(void *ctx, const struct docker_event *ev)
{
	struct engine *en = ctx;

	if (strcmp(ev->type, "service") == 0)
		en->o.ops.event(en->o.ops.ctx, ev->id);
	else if (strcmp(ev->type, "secret") == 0 && strcmp(ev->action, "create") != 0)
		en->o.ops.event(en->o.ops.ctx, NULL);
}

int engine_new(const struct engine_options *o, struct engine **out, struct err *e)
{
	struct engine *en = calloc(1, sizeof(*en));
	struct docker_options d = { .socket = o->socket,
		                    .multi = o->multi,
		                    .clock = o->clock,
		                    .swarm = true,
		                    .up = on_up,
		                    .down = on_down,
		                    .event = on_event,
		                    .ctx = en };
	int rc;

	if (en == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	en->o = *o;
	if ((rc = docker_new(&d, &en->docker, e)) != ERR_OK) {
		free(en);
		return rc;
	}
	*out = en;
	return ERR_OK;
}

void engine_free(struct engine *en)
{
	if (en == NULL)
		return;
	while (en->tasks != NULL)
		engine_task_free(en->tasks);
	docker_free(en->docker);
	free(en);
}

bool engine_up(const struct engine *en)
{
	return docker_is_up(en->docker);
}

void engine_serve(struct engine *en, struct machine *m, const char *cluster)
{
	en->m = m;
	en->serving++;
	engine_copy_id(en->cluster, cluster);
}

int64_t engine_due(struct engine *en, int64_t now)
{
	return docker_due(en->docker, now);
}

int64_t engine_calls(const struct engine *en)
{
	return en->calls;
}

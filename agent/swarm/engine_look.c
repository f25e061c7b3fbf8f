/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the Swarm, and what this Engine is in it. */
#include <stdio.h>
#include <string.h>

#include "agent/reply.h"
#include "clock.h"
#include "engine_impl.h"

/* --- looking -------------------------------------------------------------------------
 */

static void on_secret_item(void *ctx, const json_t *item)
{
	struct task *t = ctx;

	json_array_append(t->secrets, (json_t *)(uintptr_t)item);
}

static void on_service_item(void *ctx, const json_t *item)
{
	view_service(((struct task *)ctx)->view, item);
}

static void on_task_item(void *ctx, const json_t *item)
{
	view_task(((struct task *)ctx)->view, item);
}

static int look_at_secrets(struct task *t, struct err *e)
{
	char label[MACHINE_ID + sizeof(SWARM_LABEL_CLUSTER) + 1];

	(void)snprintf(label, sizeof(label), SWARM_LABEL_CLUSTER "=%s", t->en->cluster);
	return engine_list(t, STEP_SECRETS, "/secrets?",
	                   json_pack("{s:[s]}", "label", label), on_secret_item, e);
}

static int look_at_services(struct task *t, struct err *e)
{
	return engine_list(t, STEP_SERVICES, "/services?status=true&",
	                   t->ids != NULL ? json_pack("{s:O}", "id", t->ids) : NULL,
	                   on_service_item, e);
}

static int look_at_tasks(struct task *t, struct err *e)
{
	return engine_list(t, STEP_TASKS, "/tasks?",
	                   t->ids != NULL ? json_pack("{s:O}", "service", t->ids) : NULL,
	                   on_task_item, e);
}

static int show(struct task *t, struct err *e)
{
	int64_t now = clock_boot(t->en->o.clock);
	const json_t *item;
	size_t i;
	int rc = ERR_OK;

	json_array_foreach(t->secrets, i, item)
	{
		struct machine_secret s;

		if (view_secret(item, t->en->cluster, &s) &&
		    (rc = machine_secret(t->en->m, &s, now, e)) != ERR_OK)
			return rc;
	}
	rc = view_show(t->view, t->en->m, now, &t->en->o.ops, e);
	if (rc == ERR_OK && t->ids == NULL && t->en->o.ops.seen != NULL)
		t->en->o.ops.seen(t->en->o.ops.ctx, NULL);
	return rc;
}

void engine_looked(struct task *t, const struct docker_result *r)
{
	struct err e = { ERR_OK, "" };
	int rc = engine_meaning(r);

	if (rc == ERR_OK && t->step == STEP_SECRETS)
		rc = look_at_services(t, &e);
	else if (rc == ERR_OK && t->step == STEP_SERVICES)
		rc = look_at_tasks(t, &e);
	else if (rc == ERR_OK && engine_wanted(t)) {
		rc = show(t, &e);
		engine_finish(t, rc, e.msg);
		return;
	}
	if (rc != ERR_OK || !engine_wanted(t))
		engine_finish(t, rc, r->rc != ERR_OK ? r->e->msg : e.msg);
}

int engine_look(struct task *t, const struct machine_call *c, struct err *e)
{
	if ((t->view = view_new()) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	t->secrets = json_array();
	if (c->ids == NULL)
		return look_at_secrets(t, e);
	t->ids = json_array();
	for (size_t i = 0; i < c->n_ids; i++)
		json_array_append_new(t->ids, json_string(c->ids[i]));
	return look_at_services(t, e);
}

/* --- what it is ----------------------------------------------------------------------
 */

void engine_copy_id(char to[MACHINE_ID], const char *s)
{
	(void)snprintf(to, MACHINE_ID, "%s", docker_swarm_id_ok(s) ? s : "");
}

static void on_node(void *ctx, const json_t *item)
{
	struct engine_about *a = &((struct task *)ctx)->en->about;
	const char *id = reply_str(item, "ID");

	if (id != NULL && strcmp(id, a->node) == 0)
		a->leader = json_is_true(json_object_get(
			json_object_get(item, "ManagerStatus"), "Leader"));
}

void engine_told(struct task *t, const char *why)
{
	struct engine *en = t->en;

	(void)snprintf(en->about.why, sizeof(en->about.why), "%.120s", why);
	engine_task_free(t);
	en->o.ops.about(en->o.ops.ctx, &en->about);
}

void engine_info(struct task *t, const struct docker_result *r)
{
	const json_t *swarm = json_object_get(r->doc, "Swarm");
	const char *why = reply_str(swarm, "Error");
	struct engine_about *a = &t->en->about;
	struct err e = { ERR_OK, "" };

	*a = (struct engine_about){ .manager = false };
	if (r->rc != ERR_OK) {
		engine_told(t, r->e->msg);
		return;
	}
	engine_copy_id(a->node, reply_str(swarm, "NodeID"));
	engine_copy_id(a->cluster, reply_str(json_object_get(swarm, "Cluster"), "ID"));
	a->manager = json_is_true(json_object_get(swarm, "ControlAvailable")) &&
	             (why == NULL || *why == '\0') && a->cluster[0] != '\0';
	if (!a->manager) {
		engine_told(t, why != NULL && *why != '\0'
		                       ? why
		                       : "this is no manager of a Swarm");
		return;
	}
	if (engine_list(t, STEP_NODES, "/nodes?", json_pack("{s:[s]}", "role", "manager"),
	                on_node, &e) != ERR_OK)
		engine_told(t, e.msg);
}

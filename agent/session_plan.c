/* SPDX-License-Identifier: Apache-2.0 */
/* From one plan to the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_impl.h"

const char *session_path(const struct session *s, const struct holding *h)
{
	return s->plan->paths[session_index(s, h)].path;
}

static bool is_wanted(void *ctx, const char *path)
{
	const struct plan *p = ctx;

	return plan_path(p, path) < p->n_paths;
}

void session_forget(struct session *s)
{
	/* A name that is not resolved yet may be any of them. */
	if (plan_unresolved(*s->o.plan))
		return;
	floor_keep(s->o.floor, is_wanted, *s->o.plan);
}

/* What is known of a secret goes along; the leases of those that go are given up. */
static void move_holdings(struct session *s, const struct plan *plan, struct holding *to)
{
	for (size_t i = 0; i < plan->n_paths; i++)
		to[i].want_lease = s->phase == PHASE_READY;
	for (size_t i = 0; i < s->n_holdings; i++) {
		const struct holding *h = &s->holdings[i];
		size_t at = plan_path(plan, s->plan->paths[i].path);

		if (at < plan->n_paths)
			to[at] = *h;
		else if (h->lease_id[0] != '\0')
			json_array_append_new(s->release, json_string(h->lease_id));
	}
}

int session_replan(struct session *s, struct err *e)
{
	const struct plan_input in = { .settings = s->o.settings,
		                       .uses = s->o.uses,
		                       .engine = s->o.engine };
	struct holding *holdings;
	struct plan *plan;
	int rc = plan_build(&in, &plan, e);

	if (rc != ERR_OK)
		return rc;
	holdings = calloc(plan->n_paths + 1, sizeof(*holdings));
	if (holdings == NULL) {
		plan_free(plan);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if ((rc = files_replan(s->o.files, plan, e)) != ERR_OK) {
		free(holdings);
		plan_free(plan);
		return rc;
	}
	move_holdings(s, plan, holdings);
	free(s->holdings);
	s->holdings = holdings;
	s->n_holdings = plan->n_paths;
	plan_free(*s->o.plan);
	*s->o.plan = plan;
	s->plan = plan;
	(void)uses_changed(s->o.uses);
	session_forget(s);
	log_debug("planned anew", LOG_N("secrets", (int64_t)plan->n_paths),
	          LOG_N("files", (int64_t)plan->n_files));
	return ERR_OK;
}

void session_release_strays(struct session *s)
{
	const json_t *item;
	size_t i;

	if (plan_unresolved(s->plan))
		return;
	json_array_foreach(s->strays, i, item)
	{
		if (session_find(s, reply_str(item, "path")) == NULL)
			json_array_append(s->release, json_object_get(item, "lease_id"));
	}
	json_array_clear(s->strays);
}

void session_replan_used(struct session *s)
{
	struct err e = { 0 };

	if (uses_changed(s->o.uses) && session_replan(s, &e) != ERR_OK) {
		snprintf(s->error, sizeof(s->error), "planning: %.150s", e.msg);
		log_error("what templates name cannot be had", LOG_S("why", e.msg));
	}
}

static bool same_group(const struct session *s, size_t i, size_t j)
{
	return s->plan->paths[i].group == s->plan->paths[j].group;
}

void session_group_again(struct session *s, size_t path)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (i != path && same_group(s, i, path) &&
		    s->holdings[i].lease_id[0] != '\0' &&
		    !files_held(s->o.files, i)->present)
			s->holdings[i].want_fetch = true;
}

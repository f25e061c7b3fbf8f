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

/* What a template names can depend on what is not there yet. */
static bool is_settled(const struct session *s)
{
	for (size_t i = 0; i < s->plan->n_files; i++) {
		const struct plan_file *f = &s->plan->files[i];

		for (size_t j = 0; f->template != NULL && j < f->n; j++)
			if (!files_has(s->o.files, f->binding, f->paths[j]))
				return false;
	}
	return !plan_unresolved(s->plan);
}

void session_forget(struct session *s)
{
	if (!is_settled(s))
		return;
	floor_keep(s->o.floor, is_wanted, *s->o.plan);
	session_cache_sweep(s);
	session_rekey_finish(s);
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
			session_give_up(s, h->lease_id, h->rev);
	}
}

/* What goes with a plan, before it takes the place of the other. */
struct next {
	struct plan *plan;
	struct holding *holdings;
	struct gate *gates;
};

static int prepare(const struct session *s, struct next *n, struct err *e)
{
	int rc = plan_build(s->o.want, &n->plan, e);

	if (rc != ERR_OK)
		return rc;
	n->holdings = calloc(n->plan->n_paths + 1, sizeof(*n->holdings));
	n->gates = session_gates(s, n->plan);
	if (n->holdings == NULL || n->gates == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return files_replan(s->o.files, n->plan, e);
}

/* The files have gone over to it already. */
static void take_over(struct session *s, const struct next *n)
{
	move_holdings(s, n->plan, n->holdings);
	free(s->holdings);
	free(s->gates);
	plan_free(*s->o.plan);
	s->holdings = n->holdings;
	s->n_holdings = n->plan->n_paths;
	s->gates = n->gates;
	s->plan = *s->o.plan = n->plan;
}

/* The lease that is still asked for brings its whole group. */
static bool group_waits(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->plan->paths[i].group == s->plan->paths[path].group &&
		    s->holdings[i].want_lease)
			return true;
	return false;
}

/* Files that are wanted otherwise now are made from values, which are not kept. */
static void fetch_for_changed(struct session *s)
{
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (h->lease_id[0] != '\0' && !h->in_call && !group_waits(s, i) &&
		    !session_settled(s, h, h->lease_id, h->version))
			h->want_fetch = true;
	}
}

static bool is_used(void *ctx, const struct uses_key *k)
{
	const struct plan *p = ctx;
	size_t i = plan_file(p, k->binding, k->file);

	return i < p->n_files && strcmp(p->files[i].recipe, k->recipe) == 0;
}

int session_replan(struct session *s, struct err *e)
{
	struct next next = { .plan = NULL };
	int rc = prepare(s, &next, e);

	if (rc != ERR_OK) {
		free(next.holdings);
		free(next.gates);
		plan_free(next.plan);
		return rc;
	}
	take_over(s, &next);
	fetch_for_changed(s);
	uses_keep(s->o.uses, is_used, *s->o.plan);
	(void)uses_changed(s->o.uses);
	session_forget(s);
	session_docker_replan(s);
	session_apply_replan(s);
	log_debug("planned anew", LOG_N("secrets", (int64_t)s->plan->n_paths),
	          LOG_N("files", (int64_t)s->plan->n_files));
	return ERR_OK;
}

static void use_grants(struct session *s, const struct grants *g)
{
	*s->o.grants = *g;
	s->o.want->grants = g->at;
	s->o.want->n_grants = g->n;
}

static void say_refused(const struct plan *p)
{
	for (size_t i = 0; i < p->n_refused; i++)
		log_warn("a granted binding cannot be used here",
		         LOG_S("binding", p->refused[i].name),
		         LOG_S("why", p->refused[i].why));
}

int session_grants(struct session *s, const struct grant *list, size_t n, struct err *e)
{
	struct grants before = *s->o.grants, next;
	int rc;

	if (grants_same(&before, list, n))
		return ERR_OK;
	if ((rc = grants_copy(list, n, &next, e)) != ERR_OK)
		return rc;
	use_grants(s, &next);
	if ((rc = session_replan(s, e)) != ERR_OK) {
		use_grants(s, &before);
		grants_close(&next);
		return rc;
	}
	grants_close(&before);
	say_refused(s->plan);
	if (grants_save(s->o.grants, s->o.settings->state_dir, e) != ERR_OK)
		log_error("which bindings were granted is not remembered",
		          LOG_S("why", e->msg));
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
			session_give_up(s, reply_str(item, "lease_id"),
			                reply_int(item, "rev", 0));
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

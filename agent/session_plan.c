/* SPDX-License-Identifier: Apache-2.0 */
/* From one plan to the next. */
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
	const struct plan_input in = { .settings = s->o.settings };
	struct holding *holdings;
	struct plan *plan;
	int rc = plan_build(&in, &plan, e);

	if (rc != ERR_OK)
		return rc;
	holdings = calloc(plan->n_paths + 1, sizeof(*holdings));
	rc = holdings == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                      : files_replan(s->o.files, plan, e);
	if (rc != ERR_OK) {
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
	session_forget(s);
	return ERR_OK;
}

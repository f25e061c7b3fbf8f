/* SPDX-License-Identifier: Apache-2.0 */
/* farm_end - the faults are over: everything runs to its end, and operators see to what
 * does not by itself. */
#include <stdio.h>
#include <string.h>

#include "farm.h"
#include "vault/limits.h"

#define ROUNDS_MAX  4000 /* until everything has ended */
#define HOST_ROUNDS 40   /* until hosts have what there is */

static bool runs(const struct farm_view *v, bool held_too)
{
	return v->there && v->state < ATTEMPT_CONVERGED &&
	       (held_too || v->state != ATTEMPT_HELD);
}

static int running(const struct farm *f, bool held_too)
{
	int n = 0;

	for (int i = 0; i < FARM_SECRETS; i++)
		n += runs(&f->secret[i].view, held_too);
	return n;
}

static void name_running(struct world *w, const char *what, bool held_too)
{
	for (int i = 0; i < FARM_SECRETS; i++) {
		const struct farm_view *v = &w->farm->secret[i].view;

		if (runs(v, held_too))
			fail(w, "%s: %s, %s: %s (from %s, due in %lld ms): %s", what,
			     farm_plans[i].path, farm_plans[i].strategy,
			     rotation_state_name(v->state),
			     rotation_state_name(v->held_from),
			     (long long)(v->due_ms - w->wall), v->error);
	}
}

static bool hosts_are_awaited(const struct farm *f)
{
	for (int i = 0; i < FARM_SECRETS; i++)
		if (f->secret[i].view.state == ATTEMPT_PROPAGATING ||
		    f->secret[i].view.state == ATTEMPT_REVERTING)
			return true;
	return false;
}

/* Without faults, until nothing goes on any more. */
static void run_out(struct world *w)
{
	for (int i = 0; i < ROUNDS_MAX && w->failure[0] == '\0'; i++) {
		int64_t wait, most;

		farm_hosts(w, 1);
		(void)world_batch(w);
		farm_work(w);
		if (!farm_look(w) || (i > HOST_ROUNDS && running(w->farm, false) == 0))
			return;
		wait = core_wait_ms(w->core);
		most = hosts_are_awaited(w->farm) ? 500 : 60000;
		farm_pass(w, wait < 0 || wait > most ? most : wait > 0 ? wait : 1);
	}
	name_running(w, "does not end", false);
}

/* What an operator does with what is held. */
static void settle_held(struct world *w, const char *verb)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);

	for (int i = 0; i < FARM_SECRETS; i++) {
		struct farm_view *v = &w->farm->secret[i].view;

		if (!v->there || v->state != ATTEMPT_HELD)
			continue;
		/* nobody else can help an account that changes its own value */
		if (farm_plans[i].target != NULL &&
		    strcmp(farm_plans[i].target, "self") == 0)
			memcpy(w->farm->account[farm_plans[i].account].value[0], v->value,
			       FARM_VALUE);
		farm_order(w, i, verb, NULL, a);
	}
}

void farm_finish(struct world *w)
{
	static const char *const verbs[] = { "resume", "adopt", "abort",
		                             "resume", "adopt", "abort" };
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);

	crashvfs_crash_at(w->disk, -1);
	w->farm->faultless = true;
	w->farm->down_until = 0;
	if (w->sealed && !world_unseal(w))
		fail(w, "the vault does not unseal");
	w->sealed = false;
	farm_pass(w, 11 * 60 * 1000); /* failed logins are forgotten */
	for (int i = 0; i < FARM_SECRETS && w->failure[0] == '\0'; i++)
		farm_order(w, i, "pause", NULL, a);
	for (size_t i = 0; w->failure[0] == '\0'; i++) {
		run_out(w);
		if (w->failure[0] != '\0' || running(w->farm, true) == 0)
			break;
		if (i == ARRAY_LEN(verbs)) {
			name_running(w, "nobody can end it", true);
			break;
		}
		settle_held(w, verbs[i]);
		farm_pass(w, 11 * 60 * 1000);
	}
	if (w->failure[0] == '\0')
		farm_judge_end(w);
}

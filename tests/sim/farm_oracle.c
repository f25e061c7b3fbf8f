/* SPDX-License-Identifier: Apache-2.0 */
/* farm_oracle - what must be true of every secret and every account, whatever happened.
 */
#include <stdio.h>
#include <string.h>

#include "audit_record.h"
#include "farm.h"
#include "text.h"
#include "vault/limits.h"

#define WAITED  "not every holder has gone back" /* what hosts have to do */
#define NEITHER "neither the new nor the old value works"

static bool is_single(int i)
{
	return strcmp(farm_plans[i].strategy, "single") == 0;
}

/* ---- at any time ---- */

void farm_observe(struct world *w, int i)
{
	const struct farm_view *v = &w->farm->secret[i].view;
	struct farm_seen *s;
	unsigned char id[16];

	if (!v->there || text_unhex(v->attempt, 32, id, sizeof(id)) != 16)
		return;
	for (int k = w->farm->nseen - 1; k >= 0; k--)
		if (w->farm->seen[k].state == v->state &&
		    memcmp(w->farm->seen[k].attempt, id, sizeof(id)) == 0)
			return;
	if (w->farm->nseen == FARM_SEEN) {
		fail(w, "the simulator's own table of states is full");
		return;
	}
	farm_trace(w, "%s: %.8s is %s, version %lld is served: %s", farm_plans[i].path,
	           v->attempt, rotation_state_name(v->state), (long long)v->current,
	           v->error);
	s = &w->farm->seen[w->farm->nseen++];
	memcpy(s->attempt, id, sizeof(id));
	s->state = v->state;
}

/* Between setting and publishing the only value of a single account is the new one. */
static bool may_be_dead(int i, const struct farm_view *v)
{
	return is_single(i) && v->there && v->state < ATTEMPT_CONVERGED &&
	       v->state != ATTEMPT_PROPAGATING && v->state != ATTEMPT_CLAIMED;
}

static void judge_value(struct world *w, int i)
{
	struct farm_secret *s = &w->farm->secret[i];
	const struct farm_view *v = &s->view;

	if (farm_plans[i].target == NULL)
		return;
	if (farm_works(w, v->user, v->value)) {
		if (!v->there || v->state >= ATTEMPT_CONVERGED)
			s->tampered = false;
		return;
	}
	if (!s->tampered && !may_be_dead(i, v))
		fail(w, "%s, %s: what is served does not work (attempt %s is %s: %s)",
		     farm_plans[i].path, farm_plans[i].strategy, v->attempt,
		     v->there ? rotation_state_name(v->state) : "none", v->error);
}

/* What it is held for is true when it says so; people are not sent to mend what works. */
static void judge_held(struct world *w, int i)
{
	struct farm_secret *s = &w->farm->secret[i];
	const struct farm_view *v = &s->view;
	bool held = v->there && v->state == ATTEMPT_HELD, first = held && !s->held;

	s->held = held;
	if (first && strncmp(v->error, NEITHER, strlen(NEITHER)) == 0 &&
	    farm_works(w, v->user, v->value))
		fail(w, "%s, %s is held as if no value worked, but what is served does",
		     farm_plans[i].path, farm_plans[i].strategy);
	if (held && !s->excused && !s->tampered)
		fail(w, "%s, %s is held without a cause: %s (from %s)",
		     farm_plans[i].path, farm_plans[i].strategy, v->error,
		     rotation_state_name(v->held_from));
}

void farm_judge(struct world *w, int i)
{
	struct farm_secret *s = &w->farm->secret[i];
	const struct farm_view *v = &s->view;

	farm_observe(w, i);
	if (v->attempts > 1)
		fail(w, "%s has %d attempts at once", farm_plans[i].path, v->attempts);
	if (v->there && v->state < ATTEMPT_CONVERGED && w->wall >= v->until_ms)
		s->excused = true; /* it was tried for hours */
	if (v->state == ATTEMPT_HELD && strncmp(v->error, WAITED, strlen(WAITED)) == 0)
		s->excused = true;
	judge_held(w, i);
	if (!v->there || v->state >= ATTEMPT_CONVERGED)
		s->excused = s->waived = false;
	if (v->note != s->note && v->note != s->note_maybe)
		fail(w, "%s: what was written by hand is lost: %lld instead of %lld",
		     farm_plans[i].path, (long long)v->note, (long long)s->note);
	else
		s->note = s->note_maybe = v->note;
	judge_value(w, i);
}

/* A host that is there and has said that it uses the old version still needs it. */
static void judge_host(struct world *w, int i, const struct agent *ag, int64_t old,
                       int64_t new)
{
	const struct farm_view *v = &w->farm->secret[i].view;

	for (int k = 0; k < 2; k++)
		if (strcmp(ag->path[k] + strlen("secret/"), farm_plans[i].path) == 0 &&
		    ag->lease[k][0] != '\0' && ag->applied[k] >= old &&
		    ag->applied[k] < new && ag->maybe[k] < new && v->wait &&
		    !w->farm->secret[i].waived &&strcmp(v->cause, "leak") != 0)
			fail(w, "%s: version %lld is retired, and %s still uses %d",
			     farm_plans[i].path, (long long)old, ag->name,
			     ag->applied[k]);
}

void farm_judge_retire(struct world *w, int i, const struct value *request)
{
	int64_t old = value_int_or(value_get(request, "previous"), "version", 0);
	int64_t new = value_int_or(value_get(request, "current"), "version", 0);

	if (i < 0 || old >= new) /* taking back what nobody has */
		return;
	for (int k = 0; k < AGENTS; k++)
		judge_host(w, i, &w->agent[k], old, new);
}

/* ---- at the end ---- */

/* Every value that opens an account is one that the vault has. */
static void judge_account(struct world *w, int i, const struct farm_account *at)
{
	const struct farm_view *v = &w->farm->secret[i].view;

	for (int k = 0; k < 2; k++) {
		const char *value = at->value[k];

		if (value[0] == '\0' || strcmp(value, "something else") == 0 ||
		    (strcmp(at->name, v->user) == 0 && strcmp(value, v->value) == 0))
			continue;
		fail(w,
		     "%s, %s: account %s takes a value that nobody knows (the last "
		     "attempt %s is %s: %s)",
		     farm_plans[i].path, farm_plans[i].strategy, at->name, v->attempt,
		     v->there ? rotation_state_name(v->state) : "none", v->error);
	}
}

static void take_record(struct world *w, const struct value *record)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	const struct value *note = value_at(record, AUDIT_F_NOTE);
	const struct value *id = value_get(note, "attempt");
	struct farm *f = w->farm;

	if (id == NULL || id->type != V_BYTES || id->len != 16)
		return;
	for (int i = 0; i < f->nseen; i++)
		if (memcmp(f->seen[i].attempt, id->text, 16) == 0 &&
		    value_is_str(value_get(note, "state"),
		                 rotation_state_name(f->seen[i].state)))
			f->seen[i].recorded = true;
}

static void judge_records(struct world *w)
{
	struct farm *f = w->farm;
	char id[33];

	w->on_record = take_record;
	oracle_audit(w);
	for (int i = 0; i < f->nseen && w->failure[0] == '\0'; i++) {
		if (f->seen[i].recorded)
			continue;
		text_hex(f->seen[i].attempt, 16, id);
		fail(w, "audit: attempt %s was %s, and no record says so", id,
		     rotation_state_name(f->seen[i].state));
	}
}

void farm_judge_end(struct world *w)
{
	struct farm *f = w->farm;

	for (int i = 0; i < FARM_SECRETS && w->failure[0] == '\0'; i++) {
		const struct farm_plan *p = &farm_plans[i];
		const struct farm_view *v = &f->secret[i].view;

		if (p->target != NULL && !f->secret[i].tampered &&
		    !farm_works(w, v->user, v->value))
			fail(w, "%s: at the end what is served does not work", p->path);
		for (int k = 0; k < p->accounts && w->failure[0] == '\0'; k++)
			if (!f->secret[i].tampered)
				judge_account(w, i, &f->account[p->account + k]);
	}
	if (w->failure[0] == '\0')
		judge_records(w);
}

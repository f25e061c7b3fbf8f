/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at a service means, in the state that it is in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine_impl.h"

/* --- what is there -------------------------------------------------------------------
 */

static bool same(const struct svc *s, const struct pair *want)
{
	for (size_t k = 0; k < s->b->n_targets; k++)
		if (strcmp(s->now[k].id, want[k].id) != 0)
			return false;
	return true;
}

static bool is_ours(const struct svc *s)
{
	return s->want[0].id[0] != '\0' && same(s, s->want);
}

static bool is_rolling(const struct svc *s)
{
	return s->update == UPDATE_UPDATING || s->update == UPDATE_ROLLING_BACK;
}

static bool is_quiet(const struct svc *s)
{
	return s->converged && !is_rolling(s) && s->update != UPDATE_PAUSED;
}

bool machine_in_flight(const struct svc *s)
{
	return s->state == SWARM_APPLY || s->state == SWARM_OBSERVE ||
	       s->state == SWARM_SOAK || s->state == SWARM_REVERT;
}

void machine_set(struct svc *s, enum machine_state state, const char *reason)
{
	s->state = state;
	s->store_due = true;
	s->update_due = false;
	s->tries = 0;
	s->retry_at = -1;
	machine_reason(s->reason, reason);
}

void machine_look_again(struct svc *s, int64_t at)
{
	if (s->look_at < 0 || at < s->look_at)
		s->look_at = at;
}

/* --- turns ---------------------------------------------------------------------------
 */

/* The first goes alone; then as many as are allowed at once.  Two bindings never have one
 * service in their hands at the same time: nobody would know whose fault it is. */
static bool is_turn(const struct machine *m, const struct svc *s)
{
	unsigned going = 0;
	bool done = false;

	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *o = m->svcs[i];

		if (o == s)
			continue;
		if (machine_in_flight(o) && strcmp(o->id, s->id) == 0)
			return false;
		if (o->b != s->b)
			continue;
		going += machine_in_flight(o) ? 1 : 0;
		done = done || (o->state == SWARM_DONE && o->version == s->b->version);
	}
	return going < (done ? s->b->max_services : 1);
}

/* Somebody's turn is over. */
void machine_next_turn(struct machine *m, int64_t now)
{
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->state == SWARM_GATE ||
		    m->svcs[i]->state == SWARM_DEFERRED)
			machine_look_again(m->svcs[i], now);
}

static bool objects_ready(const struct binding *b)
{
	for (size_t k = 0; k < b->n_targets; k++)
		if (!b->objects[k].ready)
			return false;
	return true;
}

/* --- back ----------------------------------------------------------------------------
 */

int64_t machine_patience(const struct svc *s)
{
	int64_t ms = s->b->deadline_ms > 0 ? s->b->deadline_ms : s->patience_ms;

	return s->b->deadline_ms == 0 && ms < OBSERVE_MIN_MS ? OBSERVE_MIN_MS : ms;
}

/* Of what an earlier life has begun. */
static void begin_patience(struct svc *s, int64_t now)
{
	if (s->until == 0)
		s->until = now + machine_patience(s);
}

static void revert(struct svc *s, const char *why, int64_t now)
{
	machine_set(s, SWARM_REVERT, why);
	s->until = now + machine_patience(s);
	machine_look_again(s, now);
}

/* The version is bad for one: it is taken back from all, and not tried again. */
static void reject(struct machine *m, struct svc *s, const char *why, int64_t now)
{
	struct binding *b = s->b;
	int64_t version = s->version;
	char reason[MACHINE_REASON];

	revert(s, why, now);
	/* One that all had lived with is not bad: this service came later, or something
	 * else is wrong with it. */
	if (version != b->version || version <= b->failed ||
	    machine_was_good(m, b, version))
		return;
	b->failed = version;
	(void)snprintf(reason, sizeof(reason), "service '%.60s': %.50s", s->name,
	               s->reason);
	machine_reason(b->why, reason);
	for (size_t i = 0; i < m->n_svcs; i++) {
		struct svc *o = m->svcs[i];

		if (o == s || o->b != b || o->version != version)
			continue;
		if (o->state == SWARM_OBSERVE || o->state == SWARM_SOAK ||
		    o->state == SWARM_DONE || o->state == SWARM_SUPERSEDED)
			revert(o, b->why, now);
	}
	machine_next_turn(m, now);
}

/* What a revert goes back to: the last good version if there is one, else what was there;
 * never a version that was not found good yet. */
static void remember_base(const struct machine *m, struct svc *s)
{
	bool known = s->base_known;

	for (size_t k = 0; k < s->b->n_targets; k++) {
		const struct secret *good = s->good > 0 && s->good != s->version
		                                    ? machine_find_secret(m, s->b->name,
		                                                          s->good, k)
		                                    : NULL;

		if (good != NULL)
			s->base[k] = good->p;
		else if (!known)
			s->base[k] = s->now[k];
	}
	s->base_known = true;
	s->base_lost = false;
}

/* The same for what an earlier life has begun: what is there now if that is not what was
 * begun, else what Docker says was there before.  Where its past is what was begun, too,
 * nobody knows any more. */
static void recall_base(const struct machine *m, struct svc *s)
{
	if (s->base_known)
		return;
	s->base_lost = false;
	for (size_t k = 0; k < s->b->n_targets; k++) {
		const struct secret *good =
			s->good > 0 ? machine_find_secret(m, s->b->name, s->good, k)
				    : NULL;

		if (good != NULL)
			s->base[k] = good->p;
		else if (strcmp(s->now[k].id, s->want[k].id) != 0)
			s->base[k] = s->now[k];
		else if (s->has_prev && strcmp(s->prev[k].id, s->want[k].id) != 0)
			s->base[k] = s->prev[k];
		else
			s->base_lost = true;
	}
	s->base_known = true;
}

/* What has its references without our doing has nothing to go back to. */
static void keep_base(const struct machine *m, struct svc *s)
{
	if (s->good == 0 && !s->base_known) {
		memcpy(s->base, s->now, sizeof(s->base));
		s->base_known = true;
		s->base_lost = false;
	}
	recall_base(m, s);
}

/* --- judging -------------------------------------------------------------------------
 */

static bool is_empty(const struct svc *s)
{
	for (size_t k = 0; k < s->b->n_targets; k++)
		if (s->now[k].id[0] == '\0')
			return true;
	return false;
}

static const char *foreign(const struct svc *s)
{
	return is_empty(s) ? "a reference was removed by somebody else"
	                   : "its references are somebody else's";
}

/* Put back by something that does not know better: a stack that is deployed again has the
 * names of its file. */
static bool is_older(const struct machine *m, const struct svc *s)
{
	for (size_t k = 0; k < s->b->n_targets; k++) {
		const struct secret *p = machine_find_secret_id(m, s->now[k].id);

		if (p == NULL || strcmp(p->binding, s->b->name) != 0 ||
		    p->version > s->version)
			return s->base_known && same(s, s->base);
	}
	return true;
}

static void judge_gate(struct machine *m, struct svc *s, int64_t now)
{
	struct binding *b = s->b;
	bool deferred = s->state == SWARM_DEFERRED;
	const char *why = "";

	if (s->version != b->version) {
		machine_look_again(s, now);
		return;
	}
	if (s->version == b->failed) {
		machine_set(s, SWARM_HELD, b->why);
		return;
	}
	if (!objects_ready(b)) {
		machine_look_again(s, now + POLL_LONG_MS);
		if (s->reason[0] != '\0')
			return;
		why = "its secret is not there yet";
	} else if (s->retry_at >= 0 && now < s->retry_at) {
		machine_look_again(s, s->retry_at);
		return;
	} else {
		for (size_t k = 0; k < b->n_targets; k++)
			s->want[k] = b->objects[k].p;
		if (!is_turn(m, s)) {
			machine_reason(s->reason, "others go first");
			s->until = now + b->gate_ms;
			machine_look_again(s, now + POLL_LONG_MS);
			return;
		}
		if (is_ours(s)) { /* from before it was bound, or by somebody who did
			             not live to say so */
			keep_base(m, s);
			machine_set(s, SWARM_OBSERVE, "");
			s->until = now + machine_patience(s);
			machine_look_again(s, now);
			return;
		}
		if (s->good > 0 && !is_older(m, s) && !b->enforce) {
			machine_set(s, SWARM_SUPERSEDED, foreign(s));
			return;
		}
		if (s->update == UPDATE_PAUSED)
			why = "an update of the service is paused";
		else if (is_rolling(s))
			why = "an update of the service is under way";
		else if (!s->converged)
			why = "its tasks do not all run";
		else if (s->busy)
			why = "its job is running";
		else if (!m->ops.window(m->ops.ctx, b->name))
			why = "its window is closed";
	}
	if (why[0] != '\0') {
		machine_reason(s->reason, why);
		if (!deferred && now >= s->until)
			machine_set(s, SWARM_DEFERRED, why);
		machine_look_again(s, now + (deferred ? POLL_LONG_MS : POLL_MS));
		return;
	}
	remember_base(m, s);
	machine_set(s, SWARM_APPLY, "");
	s->update_due = true;
}

void machine_begin_observe(struct svc *s, int64_t now)
{
	machine_set(s, SWARM_OBSERVE, "");
	s->missed = 0;
	s->until = now + machine_patience(s);
	machine_look_again(s, now);
}

/* An update whose answer never came. */
static void judge_unsure(struct machine *m, struct svc *s, int64_t now)
{
	s->unsure = false;
	recall_base(m, s);
	if (is_ours(s)) {
		machine_begin_observe(s, now);
	} else if (s->evidence) {
		reject(m, s, "Swarm has rolled it back", now);
	} else {
		machine_set(s, SWARM_GATE, "");
		s->until = now + s->b->gate_ms;
		machine_look_again(s, now);
	}
}

/* Our references are not in the service any more. */
static void lost(struct machine *m, struct svc *s, int64_t now)
{
	if (s->update == UPDATE_ROLLING_BACK || s->update == UPDATE_ROLLED_BACK ||
	    (same(s, s->base) && (s->ill || s->n_failed > 0)))
		reject(m, s,
		       s->update_text[0] != '\0' ? s->update_text
		                                 : "its references were taken back",
		       now);
	else
		machine_set(s, SWARM_SUPERSEDED, "its references are somebody else's");
}

static void succeed(struct machine *m, struct svc *s, int64_t now)
{
	machine_set(s, SWARM_DONE, "");
	machine_next_turn(m, now);
}

static void judge_observe(struct machine *m, struct svc *s, int64_t now)
{
	recall_base(m, s);
	begin_patience(s, now);
	if (!is_ours(s)) {
		lost(m, s, now);
	} else if (s->version == s->b->failed) {
		revert(s, s->b->why, now);
	} else if (s->update == UPDATE_PAUSED) {
		reject(m, s, s->update_text, now);
	} else if (is_quiet(s) && s->b->soak_ms == 0 && s->b->version == s->version) {
		succeed(m, s, now); /* neither a state to be stored nor a look more */
	} else if (is_quiet(s)) {
		machine_set(s, SWARM_SOAK, "");
		s->until = now + s->b->soak_ms;
		s->soak_until = s->until + machine_patience(s);
		machine_look_again(s, s->b->soak_ms < POLL_MS ? s->until : now + POLL_MS);
	} else if (now >= s->until) {
		reject(m, s, "its tasks did not all run in time", now);
	} else {
		machine_look_again(s, now + POLL_MS);
	}
}

static void judge_soak(struct machine *m, struct svc *s, int64_t now)
{
	if (!is_ours(s)) {
		lost(m, s, now);
	} else if (s->version == s->b->failed) {
		revert(s, s->b->why, now);
	} else if (s->ill) {
		reject(m, s, "a task failed after the update", now);
	} else if (s->b->version != s->version && is_quiet(s)) {
		s->state = SWARM_GATE; /* another one waits */
	} else if (now >= s->until && is_quiet(s)) {
		succeed(m, s, now);
	} else if (now >= s->soak_until) {
		reject(m, s, "its tasks did not go on running", now);
	} else {
		int64_t at = now + POLL_MS;

		machine_look_again(s, now < s->until && s->until < at ? s->until : at);
	}
}

static void judge_revert(struct machine *m, struct svc *s, int64_t now)
{
	recall_base(m, s);
	begin_patience(s, now);
	if (s->base_lost && is_ours(s)) {
		/* without any secret it would live still less */
		machine_set(s, SWARM_BROKEN, "what it had before is not known any more");
		machine_next_turn(m, now);
		return;
	}
	if (same(s, s->base)) {
		if (is_quiet(s)) {
			machine_set(s, SWARM_ROLLED_BACK, s->reason);
			machine_next_turn(m, now);
			return;
		}
	} else if (!is_ours(s) && !is_older(m, s)) {
		/* not ours to change; that the version is bad stays true */
		machine_set(s, SWARM_ROLLED_BACK, s->reason);
		machine_next_turn(m, now);
		return;
	} else if (s->retry_at < 0 || now >= s->retry_at) {
		/* stored again: somebody else may lead by now */
		s->store_due = s->update_due = true;
		return;
	}
	if (now >= s->until) {
		machine_set(s, SWARM_BROKEN, s->reason);
		machine_next_turn(m, now);
		return;
	}
	machine_look_again(s, s->retry_at > now ? s->retry_at : now + POLL_MS);
}

/* --- drift ---------------------------------------------------------------------------
 */

static bool may_drift(struct svc *s, int64_t now)
{
	size_t oldest = 0;

	for (size_t i = 0; i < DRIFTS_MAX; i++)
		if (s->drifts[i] < s->drifts[oldest])
			oldest = i;
	if (s->drifts[oldest] >= 0 && now - s->drifts[oldest] < HOUR_MS)
		return false;
	s->drifts[oldest] = now;
	return true;
}

static void report(struct svc *s, const char *why)
{
	if (s->state != SWARM_SUPERSEDED || strcmp(s->reason, why) != 0)
		machine_set(s, SWARM_SUPERSEDED, why);
}

static void judge_rest(struct machine *m, struct svc *s, int64_t now)
{
	if (is_ours(s)) {
		s->drift_at = -1;
		if (s->state == SWARM_SUPERSEDED)
			machine_begin_observe(s, now);
		return;
	}
	if (s->version == s->b->failed || s->version != s->b->version)
		return;
	if (!is_older(m, s) && !s->b->enforce) {
		report(s, foreign(s));
		return;
	}
	report(s, "its references were put back by somebody else");
	if (s->drift_at < 0)
		s->drift_at = now + QUIET_MS;
	if (now < s->drift_at) {
		machine_look_again(s, s->drift_at);
		return;
	}
	s->drift_at = -1;
	if (!may_drift(s, now)) {
		report(s, "its references are put back again and again: held");
		machine_look_again(s, now + HOUR_MS);
		return;
	}
	machine_set(s, SWARM_GATE, "");
	s->until = now + s->b->gate_ms;
	machine_look_again(s, now);
}

void machine_judge(struct machine *m, struct svc *s, int64_t now)
{
	s->fresh = false;
	if (s->call != 0 || s->store_due || s->update_due) {
		s->relook = true;
		return;
	}
	switch (s->state) {
	case SWARM_GATE:
	case SWARM_DEFERRED:
		judge_gate(m, s, now);
		break;
	case SWARM_APPLY:
		judge_unsure(m, s, now);
		break;
	case SWARM_OBSERVE:
		judge_observe(m, s, now);
		break;
	case SWARM_SOAK:
		judge_soak(m, s, now);
		break;
	case SWARM_REVERT:
		judge_revert(m, s, now);
		break;
	case SWARM_DONE:
	case SWARM_SUPERSEDED:
		judge_rest(m, s, now);
		break;
	default:
		break;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One service, from one version to the next or back again: what is stored and done. */
#include <stdlib.h>
#include <string.h>

#include "machine_impl.h"

#define CONFLICT_MIN_MS 50
#define CONFLICT_MAX_MS 500
#define INVALID_MS      30000

/* --- effects -------------------------------------------------------------------------
 */

static void store(struct machine *m, struct svc *s, int64_t now)
{
	const struct machine_row row = {
		.binding = s->b->name,
		.service = s->id,
		.name = s->name,
		.state = s->state,
		.version = s->version,
		.good = s->good,
		.index = s->index,
		.reason = s->reason,
	};
	struct machine_call c = { .kind = MACHINE_STORE,
		                  .binding = s->b->name,
		                  .row = &row };
	struct err e = { ERR_OK, "" };
	int rc;

	if (s->retry_at >= 0 && now < s->retry_at) {
		machine_want(m, s->retry_at);
		return;
	}
	s->storing = true;
	s->call = machine_start(m, &c, &rc, &e);
	if (s->call == 0)
		machine_svc_done(m, s, rc, e.msg, now);
}

static void update(struct machine *m, struct svc *s, int64_t now)
{
	const struct pair *want = s->state == SWARM_REVERT ? s->base : s->want;
	struct machine_change refs[MACHINE_REFS];
	struct machine_call c = { .kind = s->touch_due ? MACHINE_TOUCH : MACHINE_UPDATE,
		                  .binding = s->b->name,
		                  .version = s->version,
		                  .service = s->id,
		                  .index = s->index,
		                  .refs = refs,
		                  .n_refs = s->touch_due ? 0 : s->b->n_targets };
	struct err e = { ERR_OK, "" };
	int rc;

	for (size_t k = 0; k < s->b->n_targets; k++) {
		bool none = want[k].id[0] == '\0';

		refs[k] = (struct machine_change){ none ? NULL : want[k].id,
			                           none ? NULL : want[k].name,
			                           &s->b->targets[k] };
	}
	s->storing = false;
	s->call = machine_start(m, &c, &rc, &e);
	if (s->call == 0)
		machine_svc_done(m, s, rc, e.msg, now);
}

/* Another version is wanted than the one that the state is about. */
static void begin(struct svc *s, int64_t now)
{
	if (s->version == s->b->version && s->state != SWARM_PLANNED)
		return;
	if (machine_in_flight(s))
		return;
	s->version = s->b->version;
	memset(s->want, 0, sizeof(s->want));
	s->drift_at = s->retry_at = -1;
	s->reason[0] = '\0';
	if (s->version == s->b->failed) {
		machine_set(s, SWARM_HELD, s->b->why);
		return;
	}
	s->state = SWARM_GATE;
	s->until = now + s->b->gate_ms;
	machine_look_again(s, now);
}

void machine_svc_due(struct machine *m, struct svc *s, int64_t now)
{
	if (s->call != 0 || (s->b->version == 0 && s->state != SWARM_GONE))
		return;
	if (s->store_due) {
		store(m, s, now);
		return;
	}
	if (s->touch_due || s->update_due) {
		if (s->retry_at >= 0 && now < s->retry_at)
			machine_want(m, s->retry_at);
		else
			update(m, s, now);
		return;
	}
	begin(s, now);
	if (s->state == SWARM_GATE && s->job && !s->b->jobs)
		machine_set(s, SWARM_SKIPPED, "an update would run the job again");
	if (s->store_due)
		store(m, s, now);
}

static void stored(struct machine *m, struct svc *s, int rc, int64_t now)
{
	if (rc == ERR_OK) {
		s->store_due = false;
		s->tries = 0;
		s->retry_at = -1;
	} else if (rc == ERR_DENIED) {
		m->deposed = true;
	} else {
		s->retry_at = now + machine_backoff(m, s->tries++);
	}
	machine_want(m, now);
}

static void applied(struct machine *m, struct svc *s, int rc, const char *why,
                    int64_t now)
{
	s->update_due = false;
	if (rc == ERR_OK) {
		machine_begin_observe(s, now);
	} else if (rc == ERR_CONFLICT) {
		/* looked at, and judged, from the beginning */
		machine_set(s, SWARM_GATE,
		            "the service is being changed by somebody else");
		s->store_due = false;
		s->retry_at = now +
		              (++s->missed > TRIES_MAX
		                       ? BACKOFF_MAX_MS
		                       : CONFLICT_MIN_MS + m->ops.dice(m->ops.ctx) %
		                                                   (CONFLICT_MAX_MS -
		                                                    CONFLICT_MIN_MS));
		machine_look_again(s, s->retry_at);
	} else if (rc == ERR_NOENT) {
		s->state = SWARM_GATE;
		m->scan_at = now;
	} else if (rc == ERR_INVALID) {
		for (size_t k = 0; k < s->b->n_targets; k++)
			s->b->objects[k].ready = false;
		machine_set(s, SWARM_GATE, why);
		s->until = now + s->b->gate_ms;
		s->retry_at = now + INVALID_MS;
		machine_look_again(s, s->retry_at);
	} else {
		s->unsure = true;
		s->relook = false;
		s->retry_at = -1;
		machine_look_again(s, now + machine_backoff(m, s->missed++));
	}
}

static void reverted(struct machine *m, struct svc *s, int rc, const char *why,
                     int64_t now)
{
	s->update_due = false;
	s->retry_at = -1;
	if (rc == ERR_OK) {
		s->until = now + machine_patience(s);
		machine_look_again(s, now);
	} else if (rc == ERR_CONFLICT) {
		s->retry_at = now + CONFLICT_MIN_MS +
		              m->ops.dice(m->ops.ctx) %
		                      (CONFLICT_MAX_MS - CONFLICT_MIN_MS);
		machine_look_again(s, s->retry_at);
	} else if (rc == ERR_INVALID) {
		machine_set(s, SWARM_BROKEN, why);
		machine_next_turn(m, now);
	} else {
		if (rc == ERR_NOENT)
			m->scan_at = now;
		machine_look_again(s, now + machine_backoff(m, s->tries++));
	}
}

/* The vault knows that it is gone.  One that has come back since is found by a look. */
static void drop(struct machine *m, struct svc *s, int64_t now)
{
	size_t kept = 0;

	if (s->relook)
		m->scan_at = now;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i] != s)
			m->svcs[kept++] = m->svcs[i];
	m->n_svcs = kept;
	free(s);
	machine_want(m, now);
}

void machine_svc_done(struct machine *m, struct svc *s, int rc, const char *why,
                      int64_t now)
{
	s->call = 0;
	if (s->storing && rc == ERR_OK && s->state == SWARM_GONE) {
		drop(m, s, now);
		return;
	}
	s->ignore = m->look;
	if (s->storing) {
		stored(m, s, rc, now);
	} else if (s->touch_due) {
		s->touch_due = false;
		s->tries = rc == ERR_OK ? 0 : s->tries + 1;
		s->retry_at = s->tries > 0 ? now + machine_backoff(m, s->tries) : -1;
		m->scan_at = s->tries > 0 ? s->retry_at : now; /* has it helped? */
	} else if (s->state == SWARM_APPLY) {
		applied(m, s, rc, why, now);
	} else if (s->state == SWARM_REVERT) {
		reverted(m, s, rc, why, now);
	}
	if (s->relook && !s->store_due) {
		s->relook = false;
		machine_look_again(s, now);
	}
	machine_want(m, now);
}

void machine_promote(struct machine *m, struct binding *b)
{
	size_t n = 0;

	if (b->version == 0)
		return;
	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *s = m->svcs[i];

		if (s->b != b || s->state == SWARM_SKIPPED)
			continue;
		if (s->state != SWARM_DONE || s->version != b->version || s->store_due ||
		    s->call != 0)
			return;
		n += s->good != b->version ? 1 : 0;
	}
	for (size_t i = 0; n > 0 && i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (s->b != b || s->state != SWARM_DONE || s->good == b->version)
			continue;
		s->good = b->version;
		s->base_known = false;
		s->store_due = true;
	}
}

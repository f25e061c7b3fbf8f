/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at services: at those where something goes on, and at all now and then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine_impl.h"

/* --- beginning -----------------------------------------------------------------------
 */

static void look(struct machine *m, const char *const *ids, size_t n, int64_t now)
{
	struct machine_call c = { .kind = MACHINE_LOOK, .ids = ids, .n_ids = n };
	struct err e = { ERR_OK, "" };
	int rc;

	m->look_all = ids == NULL;
	m->look = machine_start(m, &c, &rc, &e);
	if (m->look == 0)
		machine_look_done(m, rc, now);
}

static void look_at_all(struct machine *m, int64_t now)
{
	m->scan++;
	json_decref(m->used);
	m->used = json_object();
	for (size_t i = 0; i < m->n_svcs; i++) {
		m->svcs[i]->asked = m->svcs[i]->look_at >= 0;
		m->svcs[i]->look_at = -1;
	}
	for (size_t i = 0; i < m->n_bindings; i++)
		m->bindings[i]->crowded = false;
	look(m, NULL, 0, now);
}

static bool has(const char *const *ids, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ids[i], id) == 0)
			return true;
	return false;
}

/* Those that are due, and what is nearly due along with them. */
static void look_at_some(struct machine *m, int64_t now)
{
	const char *ids[LOOK_MAX];
	size_t n = 0;
	int64_t first = -1;

	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->look_at >= 0 &&
		    (first < 0 || m->svcs[i]->look_at < first))
			first = m->svcs[i]->look_at;
	if (first < 0 || first > now) {
		machine_want(m, first);
		return;
	}
	for (size_t i = 0; i < m->n_svcs && n < LOOK_MAX; i++) {
		struct svc *s = m->svcs[i];

		if (s->look_at < 0 || s->look_at > now + EVENT_MS)
			continue;
		if (!has(ids, n, s->id))
			ids[n++] = s->id;
	}
	for (size_t i = 0; i < m->n_svcs; i++)
		if (has(ids, n, m->svcs[i]->id)) {
			m->svcs[i]->look_at = -1;
			m->svcs[i]->asked = true;
		}
	look(m, ids, n, now);
}

void machine_look_due(struct machine *m, int64_t now)
{
	if (m->look != 0)
		return;
	if (now >= m->scan_at)
		look_at_all(m, now);
	else if (m->scanned)
		look_at_some(m, now);
	if (m->look == 0)
		machine_want(m, m->scan_at);
}

/* --- what is seen --------------------------------------------------------------------
 */

int machine_secret(struct machine *m, const struct machine_secret *from, int64_t now,
                   struct err *e)
{
	struct secret *s = machine_find_secret_id(m, from->id), **more;

	if (strlen(from->id) >= MACHINE_ID || strlen(from->name) >= MACHINE_NAME)
		return ERR_OK;
	if (s != NULL) {
		s->scan = m->scan;
		if (s->version != from->version || s->object != from->object ||
		    strcmp(s->binding, from->binding) != 0)
			machine_doubt(m, s, now);
		return ERR_OK;
	}
	more = realloc(m->secrets, (m->n_secrets + 1) * sizeof(*more));
	if (more != NULL)
		m->secrets = more;
	if (more == NULL || (s = calloc(1, sizeof(*s))) == NULL ||
	    (s->binding = strdup(from->binding)) == NULL) {
		free(s);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	(void)snprintf(s->p.id, sizeof(s->p.id), "%s", from->id);
	(void)snprintf(s->p.name, sizeof(s->p.name), "%s", from->name);
	s->version = from->version;
	s->object = from->object;
	s->since = -1;
	s->scan = m->scan;
	m->secrets[m->n_secrets++] = s;
	return ERR_OK;
}

static void use(struct machine *m, const char *id)
{
	if (m->used != NULL && id != NULL)
		json_object_set_new(m->used, id, json_true());
}

/* Nothing that is named here may be deleted. */
static void note_use(struct machine *m, const struct machine_view *v)
{
	for (size_t i = 0; i < v->n_refs; i++)
		use(m, v->refs[i].id);
	for (size_t i = 0; i < v->n_prev; i++)
		use(m, v->prev[i].id);
	for (size_t i = 0; i < v->n_tasks; i++) {
		const struct machine_task *t = &v->tasks[i];

		for (size_t k = 0; k < t->n_secrets; k++)
			if (t->wanted || t->state == TASK_COMING ||
			    t->state == TASK_RUNNING)
				use(m, t->secrets[k]);
	}
}

static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ", ");

		if (len == n && memcmp(list, name, n) == 0)
			return true;
		list += len;
		list += strspn(list, ", ");
	}
	return false;
}

static bool selects(const struct binding *b, const struct machine_view *v)
{
	for (size_t i = 0; i < b->n_services; i++)
		if (strcmp(b->services[i], v->name) == 0 ||
		    strcmp(b->services[i], v->id) == 0)
			return true;
	return !b->named_only && in_list(v->sync, b->name);
}

static bool task_has(const struct machine_task *t, const char *id)
{
	return has(t->secrets, t->n_secrets, id);
}

static bool ref_has(const struct machine_view *v, const char *id)
{
	for (size_t i = 0; i < v->n_refs; i++)
		if (strcmp(v->refs[i].id, id) == 0)
			return true;
	return false;
}

/* Does the task have what the service now says, no more and no less? */
static bool task_fits(const struct machine_view *v, const struct machine_task *t)
{
	for (size_t i = 0; i < v->n_refs; i++)
		if (!task_has(t, v->refs[i].id))
			return false;
	for (size_t i = 0; i < t->n_secrets; i++)
		if (!ref_has(v, t->secrets[i]))
			return false;
	return true;
}

/* It need not have ended: what can start with the secret has it. */
static bool job_converged(const struct machine_view *v)
{
	for (size_t i = 0; i < v->n_tasks; i++)
		if (v->tasks[i].state == TASK_COMING)
			return false;
	return v->running + v->completed >= (v->desired > 0 ? v->desired : 1);
}

static bool is_converged(const struct machine_view *v)
{
	int64_t n = 0;

	if (v->job)
		return job_converged(v);
	for (size_t i = 0; i < v->n_tasks; i++) {
		const struct machine_task *t = &v->tasks[i];

		if (!t->wanted)
			continue;
		if (t->state != TASK_RUNNING || !task_fits(v, t))
			return false;
		n++;
	}
	return n == v->desired;
}

static struct pair at_target(const struct machine_ref *refs, size_t n, const char *target)
{
	struct pair p = { "", "" };

	for (size_t i = 0; i < n; i++)
		if (strcmp(refs[i].target, target) == 0) {
			(void)snprintf(p.id, sizeof(p.id), "%s", refs[i].id);
			(void)snprintf(p.name, sizeof(p.name), "%s", refs[i].name);
		}
	return p;
}

static bool known_failed(const struct svc *s, const char *id)
{
	for (size_t i = 0; i < s->n_failed; i++)
		if (strcmp(s->failed[i], id) == 0)
			return true;
	return false;
}

/* Of those that have what is wanted.  Until it is soaked Swarm itself decides what is too
 * many. */
static void note_failed(struct svc *s, const struct machine_view *v)
{
	s->ill = s->evidence = false;
	if (s->state != SWARM_SOAK)
		s->n_failed = 0;
	for (size_t i = 0; i < v->n_tasks; i++) {
		const struct machine_task *t = &v->tasks[i];

		if (s->want[0].id[0] == '\0' || !task_has(t, s->want[0].id))
			continue;
		s->evidence = true;
		if (t->state != TASK_FAILED || known_failed(s, t->id))
			continue;
		if (s->state == SWARM_SOAK)
			s->ill = true;
		else if (s->n_failed < FAILED_MAX)
			(void)snprintf(s->failed[s->n_failed++], MACHINE_ID, "%s", t->id);
	}
}

static bool is_version(const struct secret *p, const struct svc *s, size_t object)
{
	return p != NULL && p->version == s->version && p->object == object &&
	       strcmp(p->binding, s->b->name) == 0;
}

/* What an earlier life wanted here, by the labels of the secrets; if there are several of
 * that version, the one that the service has. */
static void recall(struct machine *m, struct svc *s)
{
	for (size_t k = 0; k < s->b->n_targets; k++) {
		const struct secret *p = machine_find_secret_id(m, s->now[k].id);

		if (!is_version(p, s, k))
			p = machine_find_secret(m, s->b->name, s->version, k);
		if (s->want[k].id[0] == '\0' && p != NULL && s->version > 0)
			s->want[k] = p->p;
	}
}

/* The oldest version of the binding that the service's past names, at any target: a
 * target may have had another name then. */
static int64_t past_of(const struct machine *m, const struct svc *s,
                       const struct machine_view *v)
{
	int64_t oldest = 0;

	for (size_t i = 0; i < v->n_prev; i++) {
		const struct secret *p = machine_find_secret_id(m, v->prev[i].id);

		if (p != NULL && strcmp(p->binding, s->b->name) == 0 &&
		    (oldest == 0 || p->version < oldest))
			oldest = p->version;
	}
	return oldest;
}

static void note_view(struct machine *m, struct svc *s, const struct machine_view *v)
{
	s->scan = m->scan;
	s->asked = false;
	if (s->call != 0 || s->store_due || s->update_due) {
		s->relook = true;
		return;
	}
	if (s->ignore == m->look) {
		s->look_at = 0;
		return;
	}
	(void)snprintf(s->name, sizeof(s->name), "%.64s", v->name);
	s->index = v->index;
	s->job = v->job;
	s->busy = v->job && v->running > 0;
	s->update = v->update;
	s->patience_ms = v->patience_ms;
	machine_reason(s->update_text, v->update_text);
	s->converged = is_converged(v);
	for (size_t k = 0; k < s->b->n_targets; k++) {
		s->now[k] = at_target(v->refs, v->n_refs, s->b->targets[k].target);
		s->prev[k] = at_target(v->prev, v->n_prev, s->b->targets[k].target);
	}
	s->has_prev = v->has_prev;
	s->past = past_of(m, s, v);
	recall(m, s);
	note_failed(s, v);
	s->fresh = true;
}

/* One service more, and the vault would store nothing of any binding. */
static bool has_room(struct machine *m, struct binding *b, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_svcs; i++) {
		if (m->svcs[i]->b != b)
			continue;
		if (strcmp(m->svcs[i]->id, id) == 0)
			return true;
		n++;
	}
	b->crowded = b->crowded || n >= MACHINE_SERVICES;
	return n < MACHINE_SERVICES;
}

int machine_seen(struct machine *m, const struct machine_view *v, int64_t now UNUSED,
                 struct err *e)
{
	m->changes++;
	m->told = true;
	if (m->look_all)
		note_use(m, v);
	/* without a name there are only its last tasks */
	if (strlen(v->id) >= MACHINE_ID || v->name == NULL || v->name[0] == '\0')
		return ERR_OK;
	for (size_t i = 0; m->look_all && i < m->n_bindings; i++)
		if (selects(m->bindings[i], v) && has_room(m, m->bindings[i], v->id) &&
		    machine_svc(m, m->bindings[i], v->id, e) == NULL)
			return ERR_NOMEM;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (strcmp(m->svcs[i]->id, v->id) == 0 &&
		    (!m->look_all || selects(m->svcs[i]->b, v)))
			note_view(m, m->svcs[i], v);
	return ERR_OK;
}

/* --- the end of it -------------------------------------------------------------------
 */

/* Services that are not there any more, or are not of the binding: the vault has to hear
 * of it, or it would wait for them. */
static void note_gone(struct machine *m)
{
	for (size_t i = 0; i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (s->scan == m->scan || s->call != 0 || s->state == SWARM_GONE)
			continue;
		machine_set(s, SWARM_GONE, "");
		s->touch_due = s->fresh = false;
		s->good = 0;
		s->look_at = -1;
	}
}

static void forget_secrets(struct machine *m, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_secrets; i++) {
		struct secret *s = m->secrets[i];

		if (s->scan == m->scan || s->call != 0) {
			m->secrets[kept++] = s;
			continue;
		}
		machine_doubt(m, s, now);
		machine_secret_free(s);
	}
	m->n_secrets = kept;
}

/* What could not be looked at is looked at again. */
static void look_failed(struct machine *m, int64_t now)
{
	int64_t again = now + machine_backoff(m, 0);

	if (m->look_all)
		m->scan_at = again;
	for (size_t i = 0; i < m->n_svcs; i++) {
		if (m->svcs[i]->asked)
			m->svcs[i]->look_at = again;
		m->svcs[i]->asked = m->svcs[i]->fresh = false;
	}
}

void machine_look_done(struct machine *m, int rc, int64_t now)
{
	bool all = m->look_all;

	m->look = 0;
	if (rc != ERR_OK) {
		look_failed(m, now);
		if (rc == ERR_NOENT && !all) /* Docker finds one of them no more */
			m->scan_at = now;
		machine_want(m, now);
		return;
	}
	if (all) {
		m->scanned = true;
		m->scan_ended = now;
		m->scan_at = now + SCAN_MS + m->ops.dice(m->ops.ctx) % (SCAN_MS / 5);
		note_gone(m);
		for (size_t i = 0; i < m->n_bindings; i++)
			m->bindings[i]->looked = !m->bindings[i]->crowded;
		if (m->rescan)
			m->scan_at = now;
		m->rescan = false;
		forget_secrets(m, now);
	}
	for (size_t i = 0; i < m->n_svcs; i++) {
		if (m->svcs[i]->asked && !all) /* it is not there any more */
			m->scan_at = now;
		m->svcs[i]->asked = false;
	}
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->fresh)
			machine_judge(m, m->svcs[i], now);
	if (all)
		machine_collect(m, now);
}

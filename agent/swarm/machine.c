/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, what is told from outside, and the order of work. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine_impl.h"

/* --- small things that the files share -----------------------------------------------
 */

void machine_want(struct machine *m, int64_t at)
{
	if (at >= 0 && (m->next < 0 || at < m->next))
		m->next = at;
}

void machine_reason(char out[MACHINE_REASON], const char *text)
{
	size_t n = 0;

	for (; text != NULL && *text != '\0' && n + 1 < MACHINE_REASON; text++)
		out[n++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
	out[n] = '\0';
}

int64_t machine_backoff(struct machine *m, unsigned tries)
{
	int64_t ms = (int64_t)BACKOFF_MIN_MS << (tries < 5 ? tries : 5);

	ms = ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
	return ms - (int64_t)(m->ops.dice(m->ops.ctx) % (uint32_t)(ms / 4));
}

uint64_t machine_start(struct machine *m, struct machine_call *call, int *rc,
                       struct err *e)
{
	call->token = ++m->tokens;
	*rc = m->ops.start(m->ops.ctx, call, e);
	return *rc == ERR_OK ? call->token : 0;
}

struct secret *machine_find_secret(const struct machine *m, const char *binding,
                                   int64_t version, size_t object)
{
	for (size_t i = 0; i < m->n_secrets; i++)
		if (m->secrets[i]->version == version &&
		    m->secrets[i]->object == object &&
		    strcmp(m->secrets[i]->binding, binding) == 0)
			return m->secrets[i];
	return NULL;
}

struct secret *machine_find_secret_id(const struct machine *m, const char *id)
{
	for (size_t i = 0; i < m->n_secrets; i++)
		if (strcmp(m->secrets[i]->p.id, id) == 0)
			return m->secrets[i];
	return NULL;
}

bool machine_settled(const struct svc *s)
{
	if (s->version != s->b->version)
		return false;
	switch (s->state) {
	case SWARM_DONE:
	case SWARM_ROLLED_BACK:
	case SWARM_BROKEN:
	case SWARM_HELD:
	case SWARM_SUPERSEDED:
	case SWARM_SKIPPED:
		return true;
	default:
		return false;
	}
}

/* --- life ----------------------------------------------------------------------------
 */

int machine_new(const struct machine_ops *ops, struct machine **out, struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	m->ops = *ops;
	m->scan_ended = -1;
	m->told = true;
	*out = m;
	return ERR_OK;
}

static void clear_binding(struct binding *b)
{
	for (size_t i = 0; i < b->n_services; i++)
		free(b->services[i]);
	free(b->services);
	b->services = NULL;
	b->n_services = 0;
	for (size_t i = 0; i < b->n_targets; i++) {
		free((char *)(uintptr_t)b->targets[i].target);
		free((char *)(uintptr_t)b->targets[i].uid);
		free((char *)(uintptr_t)b->targets[i].gid);
	}
	b->n_targets = 0;
}

static void free_binding(struct binding *b)
{
	clear_binding(b);
	free(b->name);
	free(b);
}

void machine_free(struct machine *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_bindings; i++)
		free_binding(m->bindings[i]);
	for (size_t i = 0; i < m->n_svcs; i++)
		free(m->svcs[i]);
	for (size_t i = 0; i < m->n_secrets; i++)
		machine_secret_free(m->secrets[i]);
	free(m->bindings);
	free(m->svcs);
	free(m->secrets);
	json_decref(m->used);
	free(m);
}

/* --- bindings ------------------------------------------------------------------------
 */

struct binding *machine_find_binding(const struct machine *m, const char *name)
{
	for (size_t i = 0; i < m->n_bindings; i++)
		if (strcmp(m->bindings[i]->name, name) == 0)
			return m->bindings[i];
	return NULL;
}

static struct binding *add_binding(struct machine *m, const char *name)
{
	struct binding **more = realloc(m->bindings, (m->n_bindings + 1) * sizeof(*more));
	struct binding *b = calloc(1, sizeof(*b));

	if (more != NULL)
		m->bindings = more;
	if (more == NULL || b == NULL || (b->name = strdup(name)) == NULL) {
		free(b);
		return NULL;
	}
	m->bindings[m->n_bindings++] = b;
	return b;
}

/* Copies; false: out of memory, and what there is can be freed. */
static bool copy_lists(struct binding *b, const struct machine_binding *from)
{
	b->services = calloc(from->n_services + 1, sizeof(*b->services));
	if (b->services == NULL)
		return false;
	for (; b->n_services < from->n_services; b->n_services++)
		if ((b->services[b->n_services] =
		             strdup(from->services[b->n_services])) == NULL)
			return false;
	for (size_t i = 0; i < from->n_targets; i++) {
		const struct machine_target *t = &from->targets[i];
		struct machine_target *to = &b->targets[b->n_targets++];

		*to = (struct machine_target){
			.target = strdup(t->target),
			.uid = strdup(t->uid != NULL ? t->uid : "0"),
			.gid = strdup(t->gid != NULL ? t->gid : "0"),
			.mode = t->mode,
		};
		if (to->target == NULL || to->uid == NULL || to->gid == NULL)
			return false;
	}
	return true;
}

/* Otherwise it may be of services that nobody has looked at yet. */
static bool same_services(const struct binding *b, const struct machine_binding *from)
{
	if (b->n_services != from->n_services || b->named_only != from->named_only)
		return false;
	for (size_t i = 0; i < b->n_services; i++)
		if (strcmp(b->services[i], from->services[i]) != 0)
			return false;
	return true;
}

static bool same_targets(const struct binding *b, const struct machine_binding *from)
{
	if (b->n_targets != from->n_targets)
		return false;
	for (size_t i = 0; i < b->n_targets; i++) {
		const struct machine_target *t = &b->targets[i], *f = &from->targets[i];

		if (strcmp(t->target, f->target) != 0 || t->mode != f->mode ||
		    strcmp(t->uid, f->uid != NULL ? f->uid : "0") != 0 ||
		    strcmp(t->gid, f->gid != NULL ? f->gid : "0") != 0)
			return false;
	}
	return true;
}

/* Its version aside.  ${b} is new if it has no target. */
static bool same_terms(const struct binding *b, const struct machine_binding *from)
{
	return same_services(b, from) && same_targets(b, from) &&
	       b->max_services == (from->max_services > 0 ? from->max_services : 1) &&
	       b->keep == (from->keep > 0 ? from->keep : 1) &&
	       b->deadline_ms == from->deadline_ms && b->soak_ms == from->soak_ms &&
	       b->gate_ms == from->gate_ms && b->jobs == from->jobs &&
	       b->enforce == from->enforce;
}

/* Another value is another set of secrets.  The one before may have been told as done by
 * what came in just before: then it is what a revert goes back to. */
static void set_version(struct machine *m, struct binding *b, int64_t version)
{
	if (version == b->version)
		return;
	machine_promote(m, b);
	b->version = version;
	memset(b->objects, 0, sizeof(b->objects));
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b)
			m->svcs[i]->tries = 0;
}

int machine_binding(struct machine *m, const struct machine_binding *from, int64_t now,
                    struct err *e)
{
	struct binding *b = machine_find_binding(m, from->name);
	bool same;

	m->changes++;
	m->told = true;
	if (from->n_targets == 0 || from->n_targets > MACHINE_REFS)
		return err_set(e, ERR_INVALID, "binding '%s' has no target, or too many",
		               from->name);
	if (b == NULL && (b = add_binding(m, from->name)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	same = same_terms(b, from);
	b->looked = b->looked && same_services(b, from);
	clear_binding(b);
	if (!copy_lists(b, from))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (from->version >= b->version)
		set_version(m, b, from->version);
	b->max_services = from->max_services > 0 ? from->max_services : 1;
	b->keep = from->keep > 0 ? from->keep : 1;
	b->deadline_ms = from->deadline_ms;
	b->soak_ms = from->soak_ms;
	b->gate_ms = from->gate_ms;
	b->jobs = from->jobs;
	b->enforce = from->enforce;
	b->named_only = from->named_only;
	/* Of a new version alone only the services that it has are looked at. */
	if (!same && m->scanned && m->scan_at > now)
		m->scan_at = now;
	return ERR_OK;
}

void machine_forget(struct machine *m, const char *name)
{
	struct binding *b = machine_find_binding(m, name);
	size_t kept = 0;

	m->changes++;
	m->told = true;
	if (b == NULL)
		return;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b)
			free(m->svcs[i]);
		else
			m->svcs[kept++] = m->svcs[i];
	m->n_svcs = kept;
	kept = 0;
	for (size_t i = 0; i < m->n_bindings; i++)
		if (m->bindings[i] != b)
			m->bindings[kept++] = m->bindings[i];
	m->n_bindings = kept;
	free_binding(b);
}

struct svc *machine_svc(struct machine *m, struct binding *b, const char *id,
                        struct err *e)
{
	struct svc **more, *s;

	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && strcmp(m->svcs[i]->id, id) == 0)
			return m->svcs[i];
	more = realloc(m->svcs, (m->n_svcs + 1) * sizeof(*more));
	if (more != NULL)
		m->svcs = more;
	if (more == NULL || (s = calloc(1, sizeof(*s))) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	(void)snprintf(s->id, sizeof(s->id), "%s", id);
	s->b = b;
	s->look_at = s->retry_at = s->drift_at = -1;
	for (size_t i = 0; i < DRIFTS_MAX; i++)
		s->drifts[i] = -1;
	m->svcs[m->n_svcs++] = s;
	return s;
}

/* The newest version that was found bad, unless all had lived with it before. */
static void recall_failed(const struct machine *m, struct binding *b)
{
	b->failed = 0;
	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *s = m->svcs[i];
		bool bad = s->state == SWARM_REVERT || s->state == SWARM_ROLLED_BACK ||
		           s->state == SWARM_BROKEN || s->state == SWARM_HELD;

		if (s->b != b || !bad || s->version <= b->failed ||
		    machine_was_good(m, b, s->version))
			continue;
		b->failed = s->version;
		memcpy(b->why, s->reason, sizeof(b->why));
	}
}

bool machine_was_good(const struct machine *m, const struct binding *b, int64_t version)
{
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && m->svcs[i]->good == version)
			return true;
	return false;
}

/* What was under way when somebody else had to stop is found out by looking. */
int machine_restore(struct machine *m, const struct machine_row *row, struct err *e)
{
	struct binding *b = machine_find_binding(m, row->binding);
	struct svc *s;

	m->changes++;
	m->told = true;
	if (b == NULL || strlen(row->service) >= MACHINE_ID)
		return ERR_OK;
	if ((s = machine_svc(m, b, row->service, e)) == NULL)
		return ERR_NOMEM;
	(void)snprintf(s->name, sizeof(s->name), "%.60s", row->name);
	machine_reason(s->reason, row->reason);
	s->state = row->state;
	s->version = row->version;
	s->good = row->good;
	s->index = row->index;
	s->unsure = row->state == SWARM_APPLY;
	switch (row->state) {
	case SWARM_GATE:
	case SWARM_DEFERRED:
		s->state = SWARM_PLANNED;
		break;
	case SWARM_SOAK:
		s->state = SWARM_OBSERVE;
		break;
	default:
		break;
	}
	recall_failed(m, b);
	return ERR_OK;
}

void machine_purge(struct machine *m, const char *binding, int64_t now)
{
	struct binding *b = machine_find_binding(m, binding);

	if (b == NULL)
		return;
	b->purge = true;
	m->scan_at = now;
	m->told = true;
}

void machine_retry(struct machine *m, const char *binding, int64_t now)
{
	struct binding *b = machine_find_binding(m, binding);

	if (b == NULL)
		return;
	m->told = true;
	m->scan_at = m->scan_at > now ? now : m->scan_at;
	b->failed = 0;
	b->why[0] = '\0';
	for (size_t i = 0; i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (s->b != b || s->state == SWARM_DONE || !machine_settled(s))
			continue;
		s->state = SWARM_PLANNED;
		machine_look_again(s, now);
	}
}

/* --- what happens --------------------------------------------------------------------
 */

void machine_event(struct machine *m, const char *service, int64_t now)
{
	bool ours = false;
	int64_t at = now + SCAN_SOON_MS;

	for (size_t i = 0; service != NULL && i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (strcmp(s->id, service) != 0)
			continue;
		ours = m->told = true;
		if (s->look_at < 0 || s->look_at > now + EVENT_MS)
			s->look_at = now + EVENT_MS;
	}
	if (ours)
		return;
	if (m->scan_ended >= 0 && at < m->scan_ended + SCAN_GAP_MS)
		at = m->scan_ended + SCAN_GAP_MS;
	if (m->scanned && at < m->scan_at)
		m->scan_at = at;
	machine_want(m, m->scan_at);
}

void machine_rescan(struct machine *m, int64_t now)
{
	m->rescan = m->look != 0 && m->look_all; /* this one may be too old */
	if (m->scan_at > now)
		m->scan_at = now;
	m->told = true;
}

static struct svc *svc_of(const struct machine *m, uint64_t token)
{
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->call == token)
			return m->svcs[i];
	return NULL;
}

static struct secret *doomed_of(const struct machine *m, uint64_t token)
{
	for (size_t i = 0; i < m->n_secrets; i++)
		if (m->secrets[i]->call == token)
			return m->secrets[i];
	return NULL;
}

void machine_done(struct machine *m, uint64_t token, int rc, const char *why, int64_t now)
{
	struct svc *s;
	struct secret *doomed;

	m->changes++;
	m->told = true;
	if (token == 0)
		return;
	if (token == m->look)
		machine_look_done(m, rc, now);
	else if ((s = svc_of(m, token)) != NULL)
		machine_svc_done(m, s, rc, why, now);
	else if ((doomed = doomed_of(m, token)) != NULL)
		machine_gc_done(m, doomed, rc, now);
	else
		machine_object_done(m, token, rc, why, now);
}

/* --- work ----------------------------------------------------------------------------
 */

int64_t machine_due(struct machine *m, int64_t now)
{
	if (!m->told && (m->next < 0 || now < m->next))
		return m->next;
	m->next = -1;
	m->told = false;
	if (m->deposed)
		return -1;
	if (m->scanned) {
		for (size_t i = 0; i < m->n_svcs && !m->deposed; i++)
			machine_svc_due(m, m->svcs[i], now);
		for (size_t i = 0; i < m->n_bindings; i++) {
			machine_promote(m, m->bindings[i]);
			machine_objects_due(m, m->bindings[i], now);
		}
		machine_audit_due(m, now);
		for (size_t i = 0; i < m->n_svcs && !m->deposed; i++)
			if (m->svcs[i]->store_due)
				machine_svc_due(m, m->svcs[i], now);
		machine_gc_due(m, now);
	}
	machine_look_due(m, now);
	return m->next;
}

uint64_t machine_changes(const struct machine *m)
{
	return m->changes;
}

int64_t machine_scanned(const struct machine *m)
{
	return m->scanned ? m->scan_ended : -1;
}

bool machine_deposed(const struct machine *m)
{
	return m->deposed;
}

bool machine_rest(const struct machine *m)
{
	if (!m->scanned || m->look != 0)
		return false;
	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *s = m->svcs[i];

		if (s->b->version != 0 &&
		    (!machine_settled(s) || s->call != 0 || s->store_due || s->touch_due))
			return false;
	}
	for (size_t i = 0; i < m->n_secrets; i++)
		if (m->secrets[i]->doomed)
			return false;
	return true;
}

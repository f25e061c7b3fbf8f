/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that are of no use any more. */
#include <stdlib.h>
#include <string.h>

#include "machine_impl.h"

#define NOTHING_GOOD INT64_MAX

void machine_secret_free(struct secret *s)
{
	free(s->binding);
	free(s);
}

static struct binding *binding_of(const struct machine *m, const struct secret *s)
{
	for (size_t i = 0; i < m->n_bindings; i++)
		if (strcmp(m->bindings[i]->name, s->binding) == 0)
			return m->bindings[i];
	return NULL;
}

/* Is a service of the binding on its way, or could it have to go back to this one? */
static bool is_needed(const struct machine *m, const struct binding *b,
                      const struct secret *p)
{
	int64_t good = NOTHING_GOOD;

	for (size_t i = 0; i < m->n_svcs; i++) {
		const struct svc *s = m->svcs[i];

		if (s->b != b || s->state == SWARM_SKIPPED)
			continue;
		if (!machine_settled(s) || s->call != 0 || s->store_due || s->good == 0)
			return true;
		good = s->good < good ? s->good : good;
		for (size_t k = 0; k < b->n_targets; k++)
			if (strcmp(s->base[k].id, p->p.id) == 0 && s->base_known)
				return true;
	}
	if (good == NOTHING_GOOD)
		good = b->version;
	return p->version >= good - (b->purge ? 0 : (int64_t)b->keep - 1);
}

static bool is_used(const struct machine *m, const struct secret *p)
{
	return json_object_get(m->used, p->p.id) != NULL;
}

static bool all_done(const struct machine *m, const struct binding *b)
{
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && m->svcs[i]->state != SWARM_SKIPPED &&
		    (m->svcs[i]->state != SWARM_DONE || m->svcs[i]->good != b->version))
			return false;
	return true;
}

/* Services whose past names a version that is to go. */
static bool purge(struct machine *m, struct binding *b, int64_t now)
{
	bool any = false;

	if (!all_done(m, b))
		return true; /* later */
	for (size_t i = 0; i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (s->b != b || s->state != SWARM_DONE || s->past == 0 ||
		    s->past >= s->good)
			continue;
		any = true;
		/* an update that is paused would go on, or lose its way back */
		s->touch_due = s->update != UPDATE_UPDATING &&
		               s->update != UPDATE_ROLLING_BACK &&
		               s->update != UPDATE_PAUSED && now >= s->retry_at;
	}
	for (size_t i = 0; i < m->n_secrets; i++)
		if (strcmp(m->secrets[i]->binding, b->name) == 0 &&
		    m->secrets[i]->version < b->version)
			any = true;
	return any;
}

void machine_collect(struct machine *m, int64_t now)
{
	if (m->used == NULL) /* out of memory: nobody knows what is in use */
		return;
	for (size_t i = 0; i < m->n_secrets; i++) {
		struct secret *p = m->secrets[i];
		const struct binding *b = binding_of(m, p);
		int64_t wait = b == NULL ? ORPHAN_MS : b->purge ? 0 : GRACE_MS;

		p->doomed = false;
		if (is_used(m, p) || (b != NULL && is_needed(m, b, p))) {
			p->since = -1;
			continue;
		}
		if (p->since < 0)
			p->since = now;
		p->doomed = now - p->since >= wait && now >= p->retry_at;
	}
	for (size_t i = 0; i < m->n_bindings; i++)
		if (m->bindings[i]->purge)
			m->bindings[i]->purge = purge(m, m->bindings[i], now);
	json_decref(m->used); /* the next look begins anew */
	m->used = NULL;
}

json_t *machine_orphans(const struct machine *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_secrets; i++) {
		const struct secret *p = m->secrets[i];

		if (binding_of(m, p) == NULL)
			json_array_append_new(list,
			                      json_pack("{s:s, s:s, s:I, s:b}", "name",
			                                p->p.name, "binding", p->binding,
			                                "version", (json_int_t)p->version,
			                                "used", p->since < 0 ? 1 : 0));
	}
	return list;
}

/* Right after the look that has shown that nothing names it, or not at all. */
void machine_gc_due(struct machine *m, int64_t now)
{
	for (size_t i = 0; i < m->n_secrets; i++) {
		struct secret *p = m->secrets[i];
		const struct binding *b = binding_of(m, p);
		struct machine_call c = { .kind = MACHINE_DELETE,
			                  .binding = p->binding,
			                  .version = p->version,
			                  .object = p->object,
			                  .secret = p->p.id,
			                  .secret_name = p->p.name };
		struct err e = { ERR_OK, "" };
		int rc;

		if (!p->doomed || p->call != 0)
			continue;
		p->doomed = false;
		if (b != NULL && is_needed(m, b, p))
			continue;
		p->call = machine_start(m, &c, &rc, &e);
		if (p->call == 0)
			machine_gc_done(m, p, rc, now);
	}
}

static void drop(struct machine *m, struct secret *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_secrets; i++)
		if (m->secrets[i] != s)
			m->secrets[kept++] = m->secrets[i];
	m->n_secrets = kept;
	machine_secret_free(s);
}

/* One that is named after all is found by the next look. */
void machine_gc_done(struct machine *m, struct secret *s, int rc, int64_t now)
{
	s->call = 0;
	if (rc == ERR_OK || rc == ERR_NOENT)
		drop(m, s);
	else
		s->retry_at = now + BACKOFF_MAX_MS;
}

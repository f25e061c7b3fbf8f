/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of a binding's newest version: made when a service is about to get them,
 * and looked after then.
 *
 * Docker gives no value back, but says whether one that it is given is the same.  So once
 * a day, and as soon as the labels of one are not what they were, each is sent its value
 * and its labels again: those who have changed the labels are undone, and one with
 * another value is replaced by a new one.
 */
#include <stdio.h>
#include <string.h>

#include "machine_impl.h"

#define DAY_MS     86400000
#define AUDIT_SOON 3600000 /* after it began to lead, and up to as much again */

static struct object *object_of(const struct machine *m, uint64_t token,
                                struct binding **b, size_t *k)
{
	for (size_t i = 0; i < m->n_bindings; i++)
		for (size_t o = 0; o < m->bindings[i]->n_targets; o++)
			if (m->bindings[i]->objects[o].call == token) {
				*b = m->bindings[i];
				*k = o;
				return &m->bindings[i]->objects[o];
			}
	return NULL;
}

static void object_failed(struct machine *m, struct binding *b, struct object *o,
                          const char *why, int64_t now)
{
	o->call = 0;
	o->retry_at = now + machine_backoff(m, o->tries++);
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && m->svcs[i]->state == SWARM_GATE)
			machine_reason(m->svcs[i]->reason, why);
}

void machine_object_done(struct machine *m, uint64_t token, int rc, const char *why,
                         int64_t now)
{
	struct binding *b;
	size_t k;
	struct object *o = object_of(m, token, &b, &k);

	if (o == NULL)
		return;
	if (o->auditing) {
		o->call = 0;
		o->auditing = false;
		o->audit_at = now + SCAN_MS;
		/* neither the list nor Docker knows it */
		if (rc == ERR_NOENT && machine_find_secret_id(m, o->p.id) == NULL) {
			o->ready = false;
			o->p.id[0] = '\0';
		}
		return;
	}
	o->shunned = o->shunned || (o->adopting && rc == ERR_NOENT);
	object_failed(m, b, o, why, now);
}

/* It is not what the vault says: the services get another, when they are quiet. */
static void audit_failed(struct machine *m, struct binding *b, struct object *o,
                         int64_t now)
{
	o->call = 0;
	o->auditing = o->ready = false;
	o->audit_at = 0;
	o->shunned = true;
	o->retry_at = now;
	for (size_t i = 0; i < m->n_svcs; i++) {
		struct svc *s = m->svcs[i];

		if (s->b != b || s->version != b->version ||
		    (s->state != SWARM_DONE && s->state != SWARM_SUPERSEDED))
			continue;
		machine_set(s, SWARM_GATE, "its secret has not the vault's value");
		s->until = now + b->gate_ms;
		machine_look_again(s, now);
	}
}

void machine_created(struct machine *m, uint64_t token, const char *id, const char *name,
                     int64_t now)
{
	struct binding *b;
	size_t k;
	struct object *o = object_of(m, token, &b, &k);
	struct machine_secret seen = { .id = id, .name = name };
	struct err e;

	m->changes++;
	m->told = true;
	if (o == NULL)
		return;
	o->call = 0;
	if (o->auditing)
		o->audit_at = now + DAY_MS;
	o->auditing = false;
	o->tries = 0;
	o->ready = true;
	(void)snprintf(o->p.id, sizeof(o->p.id), "%s", id);
	(void)snprintf(o->p.name, sizeof(o->p.name), "%s", name);
	seen.binding = b->name;
	seen.version = b->version;
	seen.object = k;
	if (machine_secret(m, &seen, now, &e) != ERR_OK)
		m->scan_at = now;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && m->svcs[i]->state == SWARM_GATE)
			m->svcs[i]->look_at = now;
}

void machine_taken(struct machine *m, uint64_t token, int64_t now)
{
	struct binding *b;
	size_t k;
	struct object *o = object_of(m, token, &b, &k);

	m->changes++;
	m->told = true;
	if (o == NULL)
		return;
	if (o->auditing) {
		audit_failed(m, b, o, now);
		return;
	}
	if (o->adopting) {
		o->call = 0;
		o->shunned = true;
		o->retry_at = now;
		return;
	}
	if (o->other >= MACHINE_OTHERS) {
		object_failed(m, b, o, "all names of its secret are taken by others",
		              now);
		return;
	}
	o->call = 0;
	o->other++;
	o->retry_at = now;
}

static bool needs_objects(const struct machine *m, const struct binding *b)
{
	if (b->version == 0 || b->version == b->failed)
		return false;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && m->svcs[i]->state == SWARM_GATE)
			return true;
	return false;
}

void machine_objects_due(struct machine *m, struct binding *b, int64_t now)
{
	struct err e = { ERR_OK, "" };
	int rc;

	if (!needs_objects(m, b))
		return;
	for (size_t k = 0; k < b->n_targets; k++) {
		struct object *o = &b->objects[k];
		const struct secret *there =
			o->shunned ? NULL
				   : machine_find_secret(m, b->name, b->version, k);
		struct machine_call c = {
			.kind = MACHINE_CREATE,
			.binding = b->name,
			.version = b->version,
			.object = k,
			.other = o->other,
			.secret = there != NULL ? there->p.id : NULL,
			.secret_name = there != NULL ? there->p.name : NULL,
		};

		if (o->ready || o->call != 0)
			continue;
		if (now < o->retry_at) {
			machine_want(m, o->retry_at);
			continue;
		}
		o->adopting = there != NULL;
		if ((o->call = machine_start(m, &c, &rc, &e)) == 0) {
			object_failed(m, b, o, e.msg, now);
			machine_want(m, o->retry_at);
		}
	}
}

/* --- looking after them --------------------------------------------------------------
 */

static bool at_rest(const struct machine *m, const struct binding *b)
{
	if (b->version == 0 || b->version == b->failed)
		return false;
	for (size_t i = 0; i < m->n_svcs; i++)
		if (m->svcs[i]->b == b && !machine_settled(m->svcs[i]))
			return false;
	return true;
}

static void audit(struct machine *m, struct binding *b, size_t k, int64_t now)
{
	struct object *o = &b->objects[k];
	struct machine_call c = { .kind = MACHINE_CREATE,
		                  .binding = b->name,
		                  .version = b->version,
		                  .object = k,
		                  .secret = o->p.id,
		                  .secret_name = o->p.name,
		                  .known = true };
	struct err e = { ERR_OK, "" };
	int rc;

	o->auditing = true;
	if ((o->call = machine_start(m, &c, &rc, &e)) == 0) {
		o->auditing = false;
		o->audit_at = now + SCAN_MS;
	}
}

/* Another life may have made it. */
static bool is_known(const struct machine *m, struct binding *b, size_t k)
{
	struct object *o = &b->objects[k];
	const struct secret *s = machine_find_secret(m, b->name, b->version, k);

	if (o->p.id[0] == '\0' && s != NULL && !o->shunned)
		o->p = s->p;
	return o->p.id[0] != '\0';
}

static void binding_audit_due(struct machine *m, struct binding *b, int64_t now)
{
	for (size_t k = 0; k < b->n_targets; k++) {
		struct object *o = &b->objects[k];

		if (o->call != 0 || !is_known(m, b, k))
			continue;
		if (o->audit_at == 0)
			o->audit_at = now + AUDIT_SOON +
			              m->ops.dice(m->ops.ctx) % AUDIT_SOON;
		machine_want(m, o->audit_at);
		if (now >= o->audit_at) {
			audit(m, b, k, now);
			return;
		}
	}
}

void machine_audit_due(struct machine *m, int64_t now)
{
	for (size_t i = 0; i < m->n_bindings; i++)
		for (size_t k = 0; k < m->bindings[i]->n_targets; k++)
			if (m->bindings[i]->objects[k].auditing)
				return; /* one after the other */
	for (size_t i = 0; i < m->n_bindings; i++)
		if (at_rest(m, m->bindings[i]))
			binding_audit_due(m, m->bindings[i], now);
}

void machine_audit(struct machine *m, const char *name, int64_t now)
{
	struct binding *b = machine_find_binding(m, name);

	for (size_t k = 0; b != NULL && k < b->n_targets; k++)
		b->objects[k].audit_at = now;
	m->told = true;
}

void machine_doubt(struct machine *m, const struct secret *s, int64_t now)
{
	struct binding *b = machine_find_binding(m, s->binding);
	struct object *o;

	if (b == NULL || s->version != b->version || s->object >= b->n_targets)
		return;
	o = &b->objects[s->object];
	if (o->p.id[0] != '\0' && strcmp(o->p.id, s->p.id) != 0)
		return;
	if (!at_rest(m, b))
		o->ready = false;
	o->p = s->p;
	o->audit_at = now;
}

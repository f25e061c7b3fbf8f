/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_SWARM_HAND_H
#define TESTS_UNIT_AGENT_SWARM_HAND_H
/*
 * swarm_hand - a Swarm that moves by the hand of the test alone, for agent/swarm/machine.
 *
 * Calls are answered at once: what is to be stored is, secrets are made, an update
 * changes the service's references and begins a roll-out in which nothing happens until
 * the test says what.  What was done is counted and kept for the test to look at.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/swarm/machine.h"
#include "util.h"

#define H_SERVICES 3
#define H_TASKS    8
#define H_SECRETS  24

struct h_task {
	char id[MACHINE_ID];
	enum machine_task_state state;
	bool wanted;
	char secret[2][MACHINE_ID];
};

struct h_service {
	bool there, job;
	char id[MACHINE_ID], ref[2][MACHINE_ID], prev[2][MACHINE_ID];
	const char *sync;
	const char *prev_target; /* another than the binding's */
	bool has_prev;
	uint64_t index;
	enum machine_update update;
	int64_t desired, running, completed;
	struct h_task tasks[H_TASKS];
	size_t n_tasks;
};

static struct hand {
	struct machine *m;
	int64_t now, next;
	struct h_service service[H_SERVICES];
	struct h_secret {
		char id[MACHINE_ID], binding[8];
		int64_t version;
		size_t object;
	} secrets[H_SECRETS];
	size_t n_secrets;
	struct machine_binding b[2];
	struct h_row {
		enum machine_state state;
		int64_t version, good;
		char reason[MACHINE_REASON];
	} row[2][H_SERVICES];
	bool window;
	unsigned taken;  /* names that something else has */
	unsigned audits; /* calls about a secret that is known */
	int audit_rc;    /* ERR_VERIFY: it has another value */
	bool unlabelled; /* somebody took the labels away: until it is put right */
	int store_rc, update_rc, delete_rc;
	unsigned updates, touches, deletes, creates, stores, looks, scans, others;
	uint64_t asked; /* a look that is under way, if they are held */
	bool hold_looks;
	struct {
		uint64_t token;
		enum machine_kind kind;
		size_t service;
		bool known;
		int rc;
	} answers[64];
	size_t n_answers;
} h;

static inline size_t h_index(const char *id)
{
	return (size_t)(id[1] - '0');
}

static inline struct h_secret *h_secret(const char *binding, int64_t version,
                                        size_t object)
{
	struct h_secret *s = &h.secrets[h.n_secrets++];

	cr_assert_leq(h.n_secrets, H_SECRETS);
	*s = (struct h_secret){ .version = version, .object = object };
	snprintf(s->binding, sizeof(s->binding), "%s", binding);
	snprintf(s->id, sizeof(s->id), "%sv%lldo%zu", binding, (long long)version,
	         object);
	return s;
}

static inline struct h_secret *h_find(const char *id)
{
	for (size_t i = 0; i < h.n_secrets; i++)
		if (strcmp(h.secrets[i].id, id) == 0)
			return &h.secrets[i];
	return NULL;
}

static inline void h_set(char to[MACHINE_ID], const char *id)
{
	snprintf(to, MACHINE_ID, "%s", id);
}

/* A task that has what the service says now. */
static inline struct h_task *h_task(struct h_service *s, enum machine_task_state state)
{
	struct h_task *t = &s->tasks[s->n_tasks];

	cr_assert_lt(s->n_tasks, H_TASKS);
	*t = (struct h_task){ .state = state, .wanted = true };
	snprintf(t->id, sizeof(t->id), "t%zu-%zu", (size_t)(s - h.service), s->n_tasks++);
	memcpy(t->secret, s->ref, sizeof(t->secret));
	return t;
}

/* The roll-out is over: what ran before ended. */
static inline void h_rolled(struct h_service *s)
{
	s->n_tasks = 0;
	(void)h_task(s, TASK_RUNNING);
	s->update = UPDATE_COMPLETED;
	s->index++;
}

/* Swarm itself takes the update back. */
static inline void h_rolled_back(struct h_service *s)
{
	memcpy(s->ref, s->prev, sizeof(s->ref));
	memset(s->prev, 0, sizeof(s->prev));
	s->has_prev = false;
	h_rolled(s);
	s->update = UPDATE_ROLLED_BACK;
}

static inline struct h_service *h_service(size_t i, const char *ref)
{
	struct h_service *s = &h.service[i];

	*s = (struct h_service){ .there = true, .index = 1, .desired = 1, .sync = "b0" };
	snprintf(s->id, sizeof(s->id), "s%zu", i);
	h_set(s->ref[0], ref);
	(void)h_task(s, TASK_RUNNING);
	return s;
}

/* --- calls ---------------------------------------------------------------------------
 */

static inline int h_update(const struct machine_call *c)
{
	struct h_service *s = &h.service[h_index(c->service)];

	if (h.update_rc != ERR_OK)
		return h.update_rc;
	if (s->index != c->index)
		return ERR_CONFLICT;
	s->index++;
	memcpy(s->prev, s->ref, sizeof(s->prev));
	s->has_prev = true;
	s->update = c->kind == MACHINE_UPDATE ? UPDATE_UPDATING : UPDATE_NONE;
	for (size_t i = 0; i < c->n_refs; i++)
		h_set(s->ref[c->refs[i].at->target[0] - 'a'],
		      c->refs[i].id != NULL ? c->refs[i].id : "");
	return ERR_OK;
}

static inline int h_delete(const char *id)
{
	struct h_secret *s = h_find(id);

	if (h.delete_rc != ERR_OK)
		return h.delete_rc;
	cr_assert_not_null(s, "%s is not there", id);
	*s = h.secrets[--h.n_secrets];
	return ERR_OK;
}

static inline int h_store(const struct machine_row *r)
{
	struct h_row *to = &h.row[r->binding[1] - '0'][h_index(r->service)];

	if (h.store_rc != ERR_OK)
		return h.store_rc;
	*to = (struct h_row){ r->state, r->version, r->good, "" };
	snprintf(to->reason, sizeof(to->reason), "%s", r->reason);
	return ERR_OK;
}

static inline int h_start(void *ctx UNUSED, const struct machine_call *c,
                          struct err *e UNUSED)
{
	int rc = ERR_OK;

	cr_assert_lt(h.n_answers, ARRAY_LEN(h.answers));
	h.answers[h.n_answers].known = false;
	switch (c->kind) {
	case MACHINE_STORE:
		h.stores++;
		rc = h_store(c->row);
		break;
	case MACHINE_CREATE:
		h.creates += c->known ? 0 : 1;
		h.audits += c->known ? 1 : 0;
		h.others = c->other;
		h.answers[h.n_answers].known = c->known;
		break;
	case MACHINE_LOOK:
		h.looks++;
		h.scans += c->ids == NULL ? 1 : 0;
		break;
	case MACHINE_UPDATE:
		h.updates++;
		rc = h_update(c);
		break;
	case MACHINE_TOUCH:
		h.touches++;
		rc = h_update(c);
		break;
	case MACHINE_DELETE:
		h.deletes++;
		rc = h_delete(c->secret);
		break;
	}
	h.answers[h.n_answers].token = c->token;
	h.answers[h.n_answers].kind = c->kind;
	h.answers[h.n_answers].rc = rc;
	if (c->kind == MACHINE_CREATE)
		h.answers[h.n_answers].service = (size_t)(c->binding[1] - '0') * 8 +
		                                 c->object;
	h.n_answers++;
	return ERR_OK;
}

static inline bool h_window(void *ctx UNUSED, const char *binding UNUSED)
{
	return h.window;
}

static inline uint32_t h_dice(void *ctx UNUSED)
{
	return 7;
}

/* --- looks ---------------------------------------------------------------------------
 */

static inline void h_show_service(const struct h_service *s)
{
	struct machine_ref refs[2], prev[2];
	struct machine_task tasks[H_TASKS];
	const char *ids[H_TASKS][2];
	struct machine_view v = { .id = s->id,
		                  .name = s->id,
		                  .sync = s->sync,
		                  .index = s->index,
		                  .job = s->job,
		                  .update = s->update,
		                  .update_text = "as Swarm says",
		                  .desired = s->desired,
		                  .running = s->running,
		                  .completed = s->completed,
		                  .patience_ms = 60000,
		                  .refs = refs,
		                  .has_prev = s->has_prev,
		                  .prev = prev,
		                  .tasks = tasks,
		                  .n_tasks = s->n_tasks };
	struct err e;

	for (size_t k = 0; k < 2; k++) {
		const char *target = k == 0 ? "a" : "b";

		if (s->ref[k][0] != '\0')
			refs[v.n_refs++] = (struct machine_ref){ target, s->ref[k], "n" };
		if (s->has_prev && s->prev[k][0] != '\0')
			prev[v.n_prev++] = (struct machine_ref){ s->prev_target != NULL
				                                         ? s->prev_target
				                                         : target,
				                                 s->prev[k], "n" };
	}
	for (size_t i = 0; i < s->n_tasks; i++) {
		const struct h_task *t = &s->tasks[i];

		tasks[i] = (struct machine_task){ .id = t->id,
			                          .state = t->state,
			                          .wanted = t->wanted,
			                          .secrets = ids[i] };
		for (size_t k = 0; k < 2; k++)
			if (t->secret[k][0] != '\0')
				ids[i][tasks[i].n_secrets++] = t->secret[k];
	}
	cr_assert_eq(machine_seen(h.m, &v, h.now, &e), ERR_OK);
}

static inline void h_show(void)
{
	struct err e;

	for (size_t i = 0; i < h.n_secrets && !h.unlabelled; i++) {
		const struct h_secret *s = &h.secrets[i];
		const struct machine_secret m = { .id = s->id,
			                          .name = "n",
			                          .binding = s->binding,
			                          .version = s->version,
			                          .object = s->object };

		cr_assert_eq(machine_secret(h.m, &m, h.now, &e), ERR_OK);
	}
	for (size_t i = 0; i < H_SERVICES; i++)
		if (h.service[i].there)
			h_show_service(&h.service[i]);
}

static inline void h_audited(uint64_t token, size_t what)
{
	char binding[3] = { 'b', (char)('0' + what / 8), '\0' }, id[MACHINE_ID];

	snprintf(id, sizeof(id), "%sv%lldo%zu", binding, (long long)h.b[what / 8].version,
	         what % 8);
	if (h.audit_rc == ERR_VERIFY) {
		machine_taken(h.m, token, h.now);
	} else if (h.audit_rc != ERR_OK || h_find(id) == NULL) {
		machine_done(h.m, token, h.audit_rc != ERR_OK ? h.audit_rc : ERR_NOENT,
		             "as it is", h.now);
	} else {
		h.unlabelled = false;
		machine_created(h.m, token, id, "n", h.now);
	}
}

static inline void h_answer(size_t i)
{
	uint64_t token = h.answers[i].token;
	int rc = h.answers[i].rc;
	size_t what = h.answers[i].service;
	char binding[3] = "b0";
	struct h_secret *s;

	if (h.answers[i].known) {
		h_audited(token, what);
		return;
	}
	if (h.answers[i].kind == MACHINE_CREATE && h.taken > 0) {
		h.taken--;
		machine_taken(h.m, token, h.now);
		return;
	}
	if (h.answers[i].kind == MACHINE_CREATE) {
		binding[1] = (char)('0' + what / 8);
		s = h_secret(binding, h.b[what / 8].version, what % 8);
		if (h.others > 0)
			h_set(s->id, "another");
		machine_created(h.m, token, s->id, "n", h.now);
		return;
	}
	if (h.answers[i].kind == MACHINE_LOOK && rc == ERR_OK) {
		if (h.hold_looks) {
			h.asked = token;
			return;
		}
		h_show();
	}
	machine_done(h.m, token, rc, "as it is", h.now);
}

static inline void h_turn(void)
{
	h.next = machine_due(h.m, h.now);
	while (h.n_answers > 0) {
		size_t n = h.n_answers;

		for (size_t i = 0; i < n; i++)
			h_answer(i);
		memmove(h.answers, h.answers + n, (h.n_answers - n) * sizeof(*h.answers));
		h.n_answers -= n;
		h.next = machine_due(h.m, h.now);
	}
}

/* So much time goes by. */
static inline void h_run(int64_t ms)
{
	int64_t end = h.now + ms;

	h_turn();
	for (int i = 0; h.next >= 0 && h.next <= end; i++) {
		cr_assert_lt(i, 20000, "it is never satisfied");
		h.now = h.next > h.now ? h.next : h.now + 1;
		h_turn();
	}
	h.now = end;
	h_turn();
}

/* Something happened to it. */
static inline void h_event(size_t i)
{
	machine_event(h.m, h.service[i].id, h.now);
	h_run(100);
}

/* --- beginning -----------------------------------------------------------------------
 */

static inline void h_tell(int b)
{
	struct err e;

	cr_assert_eq(machine_binding(h.m, &h.b[b], h.now, &e), ERR_OK, "%s", e.msg);
}

static inline void h_version(int b, int64_t version)
{
	h.b[b].version = version;
	h_tell(b);
}

/* It leads, of nothing that was stored before; ${version} of b0, which is called a in its
 * services. */
static inline void h_open(int64_t version)
{
	static const struct machine_binding like = { .targets = { { "a", "0", "0",
		                                                    256 } },
		                                     .n_targets = 1,
		                                     .max_services = 1,
		                                     .keep = 1,
		                                     .soak_ms = 10000,
		                                     .gate_ms = 60000 };
	const struct machine_ops ops = { h_start, h_window, h_dice, NULL };
	struct err e;

	machine_free(h.m);
	memset(&h, 0, sizeof(h));
	h.now = 1000000;
	h.window = true;
	h.b[0] = h.b[1] = like;
	h.b[0].name = "b0";
	h.b[1].name = "b1";
	h.b[1].targets[0].target = "b";
	h.b[0].version = version;
	cr_assert_eq(machine_new(&ops, &h.m, &e), ERR_OK);
	h_tell(0);
}

static inline void h_restore(int b, size_t service, enum machine_state state,
                             int64_t version, int64_t good)
{
	const struct machine_row row = { .binding = b == 0 ? "b0" : "b1",
		                         .service = h.service[service].id,
		                         .name = h.service[service].id,
		                         .state = state,
		                         .version = version,
		                         .good = good,
		                         .reason = "" };
	struct err e;

	cr_assert_eq(machine_restore(h.m, &row, &e), ERR_OK);
}

static inline enum machine_state h_state(int b, size_t i)
{
	return h.row[b][i].state;
}

/* All that there is gets what is new, and lives with it. */
static inline void h_all_done(int64_t version)
{
	for (int n = 0; n < 100; n++) {
		bool all = true;

		h_run(5000);
		for (size_t i = 0; i < H_SERVICES; i++) {
			struct h_service *s = &h.service[i];

			if (s->there && s->update == UPDATE_UPDATING)
				h_rolled(s);
			all = all && (!s->there || (h_state(0, i) == SWARM_DONE &&
			                            h.row[0][i].good == version));
		}
		if (all)
			return;
	}
	cr_assert(false, "not all are done");
}

#endif

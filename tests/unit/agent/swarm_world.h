/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_SWARM_WORLD_H
#define TESTS_UNIT_AGENT_SWARM_WORLD_H
/*
 * swarm_world - a Swarm and a vault, neither of them real, for agent/swarm/machine.
 *
 * Services roll task by task as Docker does it, with its own ideas of pausing and rolling
 * back; calls take time, get lost before or after they had an effect, and other people
 * change services.  Two machines may live at once.  What none may ever do is asserted
 * where it would do it:
 *
 *   - nothing is done that was not stored before, by who leads;
 *   - an update is made of a service that is quiet, unless it takes back;
 *   - a version that was found bad for a service never comes to it again;
 *   - no secret is deleted that a service, its past, or a task names, or that is the last
 *     good one; so what Swarm rolls back to always exists.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/swarm/machine.h"

#define W_MACHINES 2
#define W_BINDINGS 2
#define W_SERVICES 4
#define W_TASKS    3
#define W_SLOTS    40 /* tasks of a service that are remembered */
#define W_SECRETS  400
#define W_CALLS    64
#define W_VERSIONS 60

struct w_secret {
	bool exists;
	int binding, version;
	bool foreign; /* it has our labels, but not our name */
	bool strange; /* its value is not what its labels say */
};

struct w_task {
	char id[MACHINE_ID];
	int secret[W_BINDINGS]; /* index, -1: none */
	enum machine_task_state state;
	bool wanted;
	int64_t at; /* COMING: when it runs or fails; RUNNING: when it fails; -1 */
	bool bad;
};

struct w_service {
	bool exists;
	uint64_t index;
	int ref[W_BINDINGS]; /* secret, -1: none */
	int prev[W_BINDINGS];
	bool has_prev;
	enum machine_update update;
	int action;               /* 0 rollback, 1 pause, 2 continue */
	int64_t monitor_until;    /* of the newest task that was rolled */
	bool stuck;               /* new tasks cannot be scheduled */
	unsigned bad[W_BINDINGS]; /* versions that are multiples of it are bad; 0: none */
	int64_t late; /* bad tasks run so long before they fail; 0: they never run */
	struct w_task tasks[W_SLOTS];
	unsigned born;
	bool manual; /* somebody changed its references */
};

/* What the vault has stored. */
struct w_row {
	bool there;
	enum machine_state state;
	int64_t version, good;
	char reason[MACHINE_REASON];
	uint64_t index;
};

struct w_call {
	int machine;
	unsigned life;
	uint64_t token;
	enum machine_kind kind;
	int binding, service, object, version, secret;
	uint64_t index;
	int want[W_BINDINGS]; /* UPDATE: -2: not changed */
	bool all, ask[W_SERVICES];
	struct w_row row;
	unsigned epoch;
	int64_t due;
	bool lost, effect_lost;
};

static struct world {
	struct machine *m[W_MACHINES];
	unsigned life[W_MACHINES], epoch_of[W_MACHINES], epoch;
	int64_t now, next[W_MACHINES];
	uint32_t seed;
	uint64_t index;
	bool leader;     /* does the Swarm have one? */
	unsigned faults; /* in a hundred */
	struct w_secret secret[W_SECRETS];
	int n_secrets;
	struct w_service service[W_SERVICES];
	struct w_row row[W_BINDINGS][W_SERVICES];
	bool failed[W_BINDINGS][W_SERVICES]
		   [W_VERSIONS]; /* it was stored that it is bad */
	int version[W_BINDINGS];
	bool selects[W_BINDINGS][W_SERVICES];
	int64_t soak, gate;
	struct w_call call[W_CALLS];
	size_t n_calls;
	int64_t looks, updates, deletes, rollbacks, reverts, dones;
	char log[4000];
} w;

static uint32_t w_rand(uint32_t below)
{
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 17;
	w.seed ^= w.seed << 5;
	return below == 0 ? 0 : w.seed % below;
}

static uint32_t w_dice(void *ctx)
{
	(void)ctx;
	return w_rand(UINT32_MAX);
}

#define w_log(...)                                                       \
	do {                                                             \
		size_t n_ = strlen(w.log);                               \
		if (n_ > sizeof(w.log) - 200) {                          \
			memmove(w.log, w.log + n_ / 2, n_ - n_ / 2 + 1); \
			n_ = strlen(w.log);                              \
		}                                                        \
		n_ += (size_t)snprintf(w.log + n_, sizeof(w.log) - n_,   \
		                       "\n%lld: ", (long long)w.now);    \
		snprintf(w.log + n_, sizeof(w.log) - n_, __VA_ARGS__);   \
	} while (0)

static const char *w_id(char kind, int i)
{
	static char text[512][MACHINE_ID];
	static unsigned at;
	char *s = text[at++ % 512];

	snprintf(s, MACHINE_ID, "%c%d", kind, i);
	return s;
}

static int w_number(const char *id)
{
	int n = -1;

	(void)sscanf(id + 1, "%d", &n);
	return n;
}

/* --- the Swarm -----------------------------------------------------------------------
 */

static bool is_bad(const struct w_service *s, int b, int secret)
{
	return secret >= 0 && s->bad[b] != 0 &&
	       (unsigned)w.secret[secret].version % s->bad[b] == 0;
}

static bool task_bad(const struct w_service *s, const struct w_task *t)
{
	for (int b = 0; b < W_BINDINGS; b++)
		if (is_bad(s, b, t->secret[b]))
			return true;
	return false;
}

static bool fits(const struct w_service *s, const struct w_task *t)
{
	return memcmp(t->secret, s->ref, sizeof(s->ref)) == 0;
}

/* The oldest that is over makes room. */
static struct w_task *new_task(int i, int64_t start)
{
	struct w_service *s = &w.service[i];
	struct w_task *t = &s->tasks[0];

	for (int k = 0; k < W_SLOTS; k++) {
		struct w_task *o = &s->tasks[k];
		bool over = o->id[0] == '\0' || !o->wanted;

		if (over && (t->wanted || w_number(o->id) < w_number(t->id)))
			t = o;
	}
	memset(t, 0, sizeof(*t));
	snprintf(t->id, sizeof(t->id), "t%u", s->born++ * W_SERVICES + (unsigned)i);
	memcpy(t->secret, s->ref, sizeof(s->ref));
	for (int b = 0; b < W_BINDINGS; b++)
		if (t->secret[b] >= 0)
			cr_assert(w.secret[t->secret[b]].exists,
			          "a task needs a secret that was deleted: %s", w.log);
	t->wanted = true;
	t->bad = task_bad(s, t);
	t->at = s->stuck ? -1 : start;
	return t;
}

static void swap_past(struct w_service *s, bool keep)
{
	int old[W_BINDINGS];

	memcpy(old, s->ref, sizeof(old));
	memcpy(s->ref, s->prev, sizeof(old));
	memcpy(s->prev, old, sizeof(old));
	s->has_prev = keep;
	if (!keep)
		memset(s->prev, -1, sizeof(s->prev));
}

static void roll_back(int i, bool by_hand)
{
	struct w_service *s = &w.service[i];

	w.rollbacks++;
	s->update = UPDATE_ROLLING_BACK;
	s->index = ++w.index;
	swap_past(s, by_hand);
	w_log("s%d rolls back to %d %d", i, s->ref[0], s->ref[1]);
}

static void judge_failure(int i)
{
	struct w_service *s = &w.service[i];

	if (s->update == UPDATE_ROLLING_BACK) {
		s->update = UPDATE_ROLLED_BACK; /* paused */
		s->index = ++w.index;
	} else if (s->update == UPDATE_UPDATING && s->action == 0 && s->has_prev) {
		roll_back(i, false);
	} else if (s->update == UPDATE_UPDATING && s->action <= 1) {
		s->update = UPDATE_PAUSED;
		s->index = ++w.index;
	}
}

static void task_due(int i, struct w_task *t)
{
	struct w_service *s = &w.service[i];

	if (t->id[0] != '\0' && t->wanted && t->state == TASK_COMING && t->at < 0 &&
	    !s->stuck)
		t->at = w.now + 500;
	if (t->id[0] == '\0' || !t->wanted || t->at < 0 || w.now < t->at)
		return;
	if (t->state == TASK_COMING && (!t->bad || s->late > 0)) {
		t->state = TASK_RUNNING;
		t->at = t->bad ? w.now + s->late : -1;
		return;
	}
	t->state = TASK_FAILED;
	t->wanted = false;
	t->at = -1;
	w_log("s%d task %s failed", i, t->id);
	if (w.now <= s->monitor_until || !s->late)
		judge_failure(i);
	(void)new_task(i, w.now + 1000);
}

/* One after the other gets what the service says now. */
static void service_due(int i)
{
	struct w_service *s = &w.service[i];
	struct w_task *old = NULL;
	bool all_run = true;

	for (int k = 0; k < W_SLOTS; k++)
		task_due(i, &s->tasks[k]);
	for (int k = 0; k < W_SLOTS; k++) {
		struct w_task *t = &s->tasks[k];

		if (t->id[0] == '\0' || !t->wanted)
			continue;
		all_run = all_run && t->state == TASK_RUNNING;
		if (!fits(s, t))
			old = t;
	}
	if (s->update == UPDATE_PAUSED || s->update == UPDATE_ROLLED_BACK)
		return;
	/* those that do not run are replaced whatever happens to others */
	if (old != NULL && (all_run || old->state != TASK_RUNNING)) {
		old->wanted = false;
		if (old->state != TASK_FAILED)
			old->state = TASK_ENDED;
		(void)new_task(i, w.now + 100 + w_rand(900));
		s->monitor_until = w.now + 6000;
	} else if (old == NULL && all_run && w.now > s->monitor_until &&
	           (s->update == UPDATE_UPDATING || s->update == UPDATE_ROLLING_BACK)) {
		s->update = s->update == UPDATE_UPDATING ? UPDATE_COMPLETED
		                                         : UPDATE_ROLLED_BACK;
		s->index = ++w.index;
	}
}

/* An update that was accepted: by us, or by somebody else. */
static void set_refs(int i, const int ref[W_BINDINGS])
{
	struct w_service *s = &w.service[i];
	bool same = memcmp(ref, s->ref, sizeof(s->ref)) == 0;

	memcpy(s->prev, s->ref, sizeof(s->ref));
	memcpy(s->ref, ref, sizeof(s->ref));
	s->has_prev = true;
	s->index = ++w.index;
	s->update = same ? UPDATE_NONE : UPDATE_UPDATING;
	s->monitor_until = w.now;
}

static void w_birth(int i)
{
	struct w_service *s = &w.service[i];

	memset(s, 0, sizeof(*s));
	s->exists = true;
	s->index = ++w.index;
	memset(s->ref, -1, sizeof(s->ref));
	memset(s->prev, -1, sizeof(s->prev));
	for (int k = 0; k < W_TASKS; k++)
		(void)new_task(i, w.now);
}

/* --- what calls do -------------------------------------------------------------------
 */

static bool names(const struct w_service *s, int secret)
{
	for (int b = 0; b < W_BINDINGS; b++)
		if (s->ref[b] == secret)
			return true;
	return false;
}

static void assert_useless(int secret)
{
	const struct w_secret *p = &w.secret[secret];

	for (int i = 0; i < W_SERVICES; i++) {
		const struct w_service *s = &w.service[i];

		if (!s->exists)
			continue;
		for (int b = 0; b < W_BINDINGS; b++)
			cr_assert(!s->has_prev || s->prev[b] != secret,
			          "deletes %d, the past of s%d: %s", secret, i, w.log);
		for (int k = 0; k < W_SLOTS; k++)
			for (int b = 0; b < W_BINDINGS; b++)
				cr_assert(s->tasks[k].id[0] == '\0' ||
				                  !s->tasks[k].wanted ||
				                  s->tasks[k].secret[b] != secret,
				          "deletes %d of a task of s%d: %s", secret, i,
				          w.log);
		cr_assert(!w.selects[p->binding][i] || !w.row[p->binding][i].there ||
		                  w.row[p->binding][i].good != p->version,
		          "deletes the last good one of s%d: %s", i, w.log);
	}
}

static int do_delete(struct w_call *c)
{
	for (int i = 0; i < W_SERVICES; i++)
		if (w.service[i].exists && names(&w.service[i], c->secret))
			return ERR_BUSY;
	if (!w.secret[c->secret].exists)
		return ERR_NOENT;
	assert_useless(c->secret);
	w.secret[c->secret].exists = false;
	w.deletes++;
	return ERR_OK;
}

/* What was stored has to say that this is about to be done. */
static void assert_stored(const struct w_call *c, int b)
{
	const struct w_service *s = &w.service[c->service];
	const struct w_row *r = &w.row[b][c->service];
	int version = c->want[b] >= 0 ? w.secret[c->want[b]].version : 0;

	if (r->there && r->state == SWARM_REVERT) {
		w.reverts++;
		return;
	}
	/* what an earlier life began may still come: Docker compares versions */
	cr_assert(c->epoch != w.epoch ||
	                  (r->there && r->state == SWARM_APPLY && r->version == version),
	          "s%d gets %d of b%d, which was not stored: %s", c->service, version, b,
	          w.log);
	cr_assert_not(w.failed[b][c->service][version],
	              "s%d gets %d of b%d again, which is bad: %s", c->service, version,
	              b, w.log);
	cr_assert(s->update != UPDATE_UPDATING && s->update != UPDATE_ROLLING_BACK &&
	                  s->update != UPDATE_PAUSED,
	          "s%d is being updated, and gets %d of b%d from %d: %s", c->service,
	          version, b, c->machine, w.log);
}

static int do_update(struct w_call *c)
{
	struct w_service *s = &w.service[c->service];
	int ref[W_BINDINGS];

	if (!s->exists)
		return ERR_NOENT;
	if (s->index != c->index)
		return ERR_CONFLICT;
	memcpy(ref, s->ref, sizeof(ref));
	for (int b = 0; b < W_BINDINGS; b++) {
		if (c->want[b] == -2)
			continue;
		if (c->want[b] >= 0 && !w.secret[c->want[b]].exists)
			return ERR_INVALID;
		if (c->kind == MACHINE_UPDATE)
			assert_stored(c, b);
		ref[b] = c->want[b];
	}
	w.updates++;
	w_log("s%d is updated to %d %d by %d", c->service, ref[0], ref[1], c->machine);
	set_refs(c->service, ref);
	return ERR_OK;
}

static int find_secret(int binding, int version)
{
	for (int i = 0; i < w.n_secrets; i++)
		if (w.secret[i].exists && w.secret[i].binding == binding &&
		    w.secret[i].version == version && !w.secret[i].foreign)
			return i;
	return -1;
}

static int do_create(struct w_call *c)
{
	if (c->secret >= 0)
		return !w.secret[c->secret].exists   ? ERR_NOENT
		       : w.secret[c->secret].strange ? ERR_VERIFY
		                                     : ERR_OK;
	c->secret = find_secret(c->binding, c->version);
	if (c->secret >= 0)
		return ERR_OK; /* the value was compared */
	cr_assert_lt(w.n_secrets, W_SECRETS);
	c->secret = w.n_secrets++;
	w.secret[c->secret] = (struct w_secret){ true, c->binding, c->version, false,
		                                 false };
	return ERR_OK;
}

static int do_store(const struct w_call *c)
{
	struct w_row *to = &w.row[c->binding][c->service];

	if (c->epoch != w.epoch)
		return ERR_DENIED;
	*to = c->row;
	to->there = to->state != SWARM_GONE;
	if (!to->there)
		memset(w.failed[c->binding][c->service], 0,
		       sizeof(w.failed[c->binding][c->service]));
	if (to->state == SWARM_DONE)
		w.dones++;
	if (to->version < W_VERSIONS && to->good != to->version &&
	    (to->state == SWARM_REVERT || to->state == SWARM_ROLLED_BACK))
		w.failed[c->binding][c->service][to->version] = true;
	w_log("b%d s%d is %s %lld, good %lld (%s)", c->binding, c->service,
	      machine_state_name(to->state), (long long)to->version, (long long)to->good,
	      to->reason);
	return ERR_OK;
}

static int perform(struct w_call *c)
{
	if (c->kind != MACHINE_STORE && !w.leader)
		return ERR_UNKNOWN;
	switch (c->kind) {
	case MACHINE_STORE:
		return do_store(c);
	case MACHINE_CREATE:
		return do_create(c);
	case MACHINE_UPDATE:
	case MACHINE_TOUCH:
		return do_update(c);
	case MACHINE_DELETE:
		return do_delete(c);
	default:
		return ERR_OK;
	}
}

/* --- looking -------------------------------------------------------------------------
 */

static void show_service(struct machine *m, int i)
{
	const struct w_service *s = &w.service[i];
	struct machine_ref refs[W_BINDINGS], prev[W_BINDINGS];
	struct machine_task tasks[W_SLOTS];
	const char *ids[W_SLOTS][W_BINDINGS];
	char sync[16] = "", name[16];
	struct machine_view v = { .id = w_id('s', i),
		                  .name = name,
		                  .sync = sync,
		                  .index = s->index,
		                  .update = s->update,
		                  .update_text = "as Swarm says",
		                  .desired = W_TASKS,
		                  .patience_ms = 60000,
		                  .refs = refs,
		                  .has_prev = s->has_prev,
		                  .prev = prev,
		                  .tasks = tasks };
	struct err e;

	snprintf(name, sizeof(name), "svc%d", i);
	for (int b = 0; b < W_BINDINGS; b++) {
		const char *target = b == 0 ? "a" : "b";

		if (w.selects[b][i])
			snprintf(sync + strlen(sync), sizeof(sync) - strlen(sync),
			         "%sb%c", sync[0] ? "," : "", '0' + b);
		if (s->ref[b] >= 0)
			refs[v.n_refs++] =
				(struct machine_ref){ target, w_id('x', s->ref[b]), "n" };
		if (s->has_prev && s->prev[b] >= 0)
			prev[v.n_prev++] = (struct machine_ref){ target,
				                                 w_id('x', s->prev[b]),
				                                 "n" };
	}
	for (int k = 0; k < W_SLOTS; k++) {
		const struct w_task *t = &s->tasks[k];
		struct machine_task *to = &tasks[v.n_tasks];

		if (t->id[0] == '\0')
			continue;
		*to = (struct machine_task){ .id = t->id,
			                     .state = t->state,
			                     .wanted = t->wanted,
			                     .secrets = ids[v.n_tasks] };
		for (int b = 0; b < W_BINDINGS; b++)
			if (t->secret[b] >= 0)
				ids[v.n_tasks][to->n_secrets++] = w_id('x', t->secret[b]);
		v.n_tasks++;
	}
	cr_assert_eq(machine_seen(m, &v, w.now, &e), ERR_OK);
}

static void show(struct machine *m, const struct w_call *c)
{
	struct err e;

	w.looks++;
	for (int i = 0; c->all && i < w.n_secrets; i++) {
		char binding[8];
		const struct machine_secret s = { .id = w_id('x', i),
			                          .name = "n",
			                          .binding = binding,
			                          .version = w.secret[i].version };

		snprintf(binding, sizeof(binding), "b%d", w.secret[i].binding);
		if (w.secret[i].exists)
			cr_assert_eq(machine_secret(m, &s, w.now, &e), ERR_OK);
	}
	for (int i = 0; i < W_SERVICES; i++) {
		const struct machine_view left = { .id = w_id('s', i),
			                           .name = "",
			                           .update_text = "" };

		if (!c->all && !c->ask[i])
			continue;
		if (w.service[i].exists)
			show_service(m, i);
		else
			cr_assert_eq(machine_seen(m, &left, w.now, &e), ERR_OK);
	}
}

/* --- calls ---------------------------------------------------------------------------
 */

static int w_start(void *ctx, const struct machine_call *call, struct err *e)
{
	int who = *(int *)ctx;
	struct w_call *c = &w.call[w.n_calls];

	cr_assert_lt(w.n_calls, W_CALLS, "too many calls: %s", w.log);
	if (w.faults > 0 && w_rand(100) < w.faults / 2)
		return err_set(e, ERR_UNREACHABLE, "not today");
	w.n_calls++;
	*c = (struct w_call){
		.machine = who,
		.life = w.life[who],
		.token = call->token,
		.kind = call->kind,
		.version = (int)call->version,
		.index = call->index,
		.epoch = w.epoch_of[who],
		.all = call->ids == NULL,
		.secret = -1,
		.want = {-2, -2}
	};
	c->due = w.now + 1 + w_rand(w.faults > 0 ? 300 : 20);
	c->lost = w_rand(100) < w.faults;
	c->effect_lost = w_rand(2) == 0;
	if (call->binding != NULL)
		c->binding = w_number(call->binding);
	if (call->service != NULL)
		c->service = w_number(call->service);
	if (call->secret != NULL)
		c->secret = w_number(call->secret);
	if (call->row != NULL) {
		c->service = w_number(call->row->service);
		c->row = (struct w_row){ .state = call->row->state,
			                 .version = call->row->version,
			                 .good = call->row->good,
			                 .index = call->row->index };
		snprintf(c->row.reason, sizeof(c->row.reason), "%s", call->row->reason);
	}
	for (size_t i = 0; i < call->n_ids; i++)
		c->ask[w_number(call->ids[i])] = true;
	for (size_t i = 0; i < call->n_refs; i++)
		c->want[call->refs[i].at->target[0] - 'a'] =
			call->refs[i].id != NULL ? w_number(call->refs[i].id) : -1;
	return ERR_OK;
}

static bool w_window(void *ctx, const char *binding)
{
	(void)ctx;
	(void)binding;
	return true;
}

static void answer(struct w_call c)
{
	struct machine *m = w.life[c.machine] == c.life ? w.m[c.machine] : NULL;
	int rc = c.lost && c.effect_lost ? ERR_UNKNOWN : perform(&c);

	if (c.lost)
		rc = ERR_UNKNOWN;
	if (m == NULL) /* it died in the meantime */
		return;
	/* Docker gives no tasks at all where one service is not there. */
	for (int i = 0; c.kind == MACHINE_LOOK && !c.all && i < W_SERVICES; i++)
		if (c.ask[i] && !w.service[i].exists && rc == ERR_OK)
			rc = ERR_NOENT;
	if (c.kind == MACHINE_LOOK && rc == ERR_OK)
		show(m, &c);
	if (c.kind == MACHINE_CREATE && rc == ERR_OK)
		machine_created(m, c.token, w_id('x', c.secret), "n", w.now);
	else if (rc == ERR_VERIFY)
		machine_taken(m, c.token, w.now);
	else
		machine_done(m, c.token, rc, "as it is", w.now);
	w.next[c.machine] = w.now;
}

static void w_calls_due(void)
{
	for (size_t i = 0; i < w.n_calls; i++) {
		struct w_call c = w.call[i];

		if (w.now < c.due)
			continue;
		w.call[i] = w.call[--w.n_calls];
		answer(c);
		i = (size_t)-1;
	}
}

/* --- machines ------------------------------------------------------------------------
 */

static void w_tell(int who, int b)
{
	char name[8];
	const struct machine_binding d = { .name = name,
		                           .version = w.version[b],
		                           .targets = { { b == 0 ? "a" : "b", "0", "0",
		                                          256 } },
		                           .n_targets = 1,
		                           .max_services = 2,
		                           .keep = 1,
		                           .soak_ms = w.soak,
		                           .gate_ms = w.gate };
	struct err e;

	snprintf(name, sizeof(name), "b%d", b);
	if (w.m[who] != NULL)
		cr_assert_eq(machine_binding(w.m[who], &d, w.now, &e), ERR_OK, "%s",
		             e.msg);
	w.next[who] = w.now;
}

static void w_die(int who)
{
	machine_free(w.m[who]);
	w.m[who] = NULL;
	w.life[who]++;
}

/* It leads from now on; what another still does, it does in vain. */
static void w_lead(int who)
{
	static int numbers[W_MACHINES] = { 0, 1 };
	const struct machine_ops ops = { w_start, w_window, w_dice, &numbers[who] };
	struct err e;

	w_die(who);
	w.epoch_of[who] = ++w.epoch;
	w_log("%d leads", who);
	cr_assert_eq(machine_new(&ops, &w.m[who], &e), ERR_OK);
	for (int b = 0; b < W_BINDINGS; b++) {
		w_tell(who, b);
		for (int i = 0; i < W_SERVICES; i++) {
			const struct w_row *r = &w.row[b][i];
			const struct machine_row row = { .binding = w_id('b', b),
				                         .service = w_id('s', i),
				                         .name = "svc",
				                         .state = r->state,
				                         .version = r->version,
				                         .good = r->good,
				                         .index = r->index,
				                         .reason = r->reason };

			if (r->there)
				cr_assert_eq(machine_restore(w.m[who], &row, &e), ERR_OK);
		}
	}
}

static void w_step(int64_t to)
{
	int64_t next = to;

	for (size_t i = 0; i < w.n_calls; i++)
		next = w.call[i].due < next ? w.call[i].due : next;
	for (int i = 0; i < W_MACHINES; i++)
		if (w.m[i] != NULL && w.next[i] >= 0 && w.next[i] < next)
			next = w.next[i];
	/* the Swarm moves by itself */
	if (next > w.now + 250)
		next = w.now + 250;
	w.now = next > w.now ? next : w.now + 1;
	for (int i = 0; i < W_SERVICES; i++)
		if (w.service[i].exists)
			service_due(i);
	w_calls_due();
	for (int i = 0; i < W_MACHINES; i++)
		if (w.m[i] != NULL && w.next[i] >= 0 && w.now >= w.next[i])
			w.next[i] = machine_due(w.m[i], w.now);
}

static void w_run(int64_t ms)
{
	int64_t end = w.now + ms;

	while (w.now < end)
		w_step(end);
}

static void w_open(uint32_t seed)
{
	for (int i = 0; i < W_MACHINES; i++)
		machine_free(w.m[i]);
	memset(&w, 0, sizeof(w));
	w.seed = 2463534242u + seed * 747796405u;
	w.now = 1000;
	w.leader = true;
	w.soak = 60000;
	w.gate = 120000;
	for (int i = 0; i < W_SERVICES; i++)
		w_birth(i);
}

static void w_version(int b)
{
	if (w.version[b] + 1 < W_VERSIONS)
		w.version[b]++;
	w_log("b%d has %d", b, w.version[b]);
	for (int i = 0; i < W_MACHINES; i++)
		w_tell(i, b);
}

#endif

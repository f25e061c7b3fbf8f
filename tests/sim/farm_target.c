/* SPDX-License-Identifier: Apache-2.0 */
/* farm_target - the rotate role and the targets behind it. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "farm.h"
#include "step.h"
#include "vault/limits.h"

#define CALL_ARENA ((size_t)1024 * 1024)

#define DESCRIBE_STRATEGIES "single", "dual_user", "dual_key"
static const char *const ops[] = { "describe", "probe",  "set",   "test",
	                           "retire",   "revert", "login", "create" };

static const char *text_of(const struct farm_call *k, const struct value *o,
                           const char *key)
{
	return value_cstr_or(k->a, o, key, "");
}

static const char *config_of(const struct farm_call *k, const char *key)
{
	return text_of(k, value_get(k->request, "config"), key);
}

/* ---- calls come in ---- */

static int secret_of(const char *path)
{
	for (int i = 0; i < FARM_SECRETS; i++)
		if (strncmp(path, "secret/", 7) == 0 &&
		    strcmp(path + 7, farm_plans[i].path) == 0)
			return i;
	return -1;
}

static void drop_call(struct farm *f, int i)
{
	arena_free(f->call[i].a);
	memmove(&f->call[i], &f->call[i + 1],
	        (size_t)(f->calls - i - 1) * sizeof(f->call[0]));
	f->calls--;
}

static void do_it(struct world *w, struct farm_call *k, struct value *reply,
                  bool garbled);

static bool may_set(struct world *w, const struct farm_call *k);

/* A rotator that is killed has done its work, or has not. */
static void kill_call(struct world *w, int i)
{
	struct farm_call *k = &w->farm->call[i];
	bool done;

	w->farm->heard = false;
	done = rnd(w, 2) == 0 && may_set(w, k);
	farm_trace(w, "%s of %.8s is killed, %sdone", k->op, k->attempt,
	           done ? "" : "not ");
	if (done)
		do_it(w, k, value_object(k->a), false);
	w->farm->heard = true;
	drop_call(w->farm, i);
}

static void take_cancel(struct world *w, uint64_t number, bool running_too)
{
	struct farm *f = w->farm;

	for (int i = 0; i < f->calls; i++) {
		if (f->call[i].number != number)
			continue;
		if (running_too)
			kill_call(w, i);
		else if (rnd(w, 2) == 0) /* it had not begun */
			drop_call(f, i);
		return;
	}
}

static int take_frame(void *ctx, enum ipc_type type, uint64_t id, const struct value *v)
{
	struct world *w = ctx;
	struct farm *f = w->farm;
	struct farm_call *k;
	struct value *frame;
	struct err e;
	unsigned char *p;
	size_t n;

	if (type == IPC_STEP_CANCEL) {
		take_cancel(w, id, v->type == V_TRUE);
		return ERR_OK;
	}
	assert(f->calls < FARM_CALLS);
	k = &f->call[f->calls++];
	*k = (struct farm_call){ .number = id, .a = arena_new(CALL_ARENA) };
	p = value_pack(k->a, v, &n);
	if (p == NULL || value_decode(k->a, p, n, &frame, &e) != ERR_OK) {
		fail(w, "a call that cannot be decoded");
		f->calls--;
		return ERR_OK;
	}
	k->request = value_get(frame, "request");
	k->op = text_of(k, k->request, "op");
	k->attempt = text_of(k, k->request, "attempt");
	k->secret = secret_of(text_of(k, k->request, "secret"));
	k->not_before = w->boot;
	if (!f->faultless && rnd(w, 8) == 0)
		k->not_before += rnd(w, 4) == 0 ? rnd(w, 60000) : rnd(w, 3000);
	return ERR_OK;
}

void farm_link(struct world *w)
{
	const struct step_link l = { .send = take_frame, .ctx = w };

	step_link_up(w->core, &l);
}

void farm_lost(struct world *w)
{
	while (w->farm->calls > 0)
		kill_call(w, 0);
}

/* ---- accounts ---- */

static struct farm_account *find(struct farm *f, const char *name)
{
	for (int i = 0; i < FARM_ACCOUNTS; i++)
		if (strcmp(f->account[i].name, name) == 0)
			return &f->account[i];
	return NULL;
}

bool farm_works(struct world *w, const char *name, const char *value)
{
	struct farm_account *at = find(w->farm, name);

	return at != NULL && value[0] != '\0' &&
	       (strcmp(at->value[0], value) == 0 || strcmp(at->value[1], value) == 0);
}

/* A login as it would be counted by a target that locks accounts. */
static bool login(struct world *w, const char *name, const char *value)
{
	struct farm_account *at = find(w->farm, name);

	if (at == NULL)
		return false;
	if (farm_works(w, name, value)) {
		at->failed = 0;
		return true;
	}
	if (w->boot - at->failed_at >= FARM_LOCK_MS) {
		at->failed = 0;
		at->failed_at = w->boot;
	}
	/* what nobody hears of cannot be counted by who counts */
	if (w->farm->heard && ++at->failed >= FARM_LOCK)
		fail(w, "account %s is locked after %d failed logins", name, at->failed);
	return false;
}

static const struct value *fields_of(const struct farm_call *k, const char *which)
{
	return value_get(value_get(k->request, which), "fields");
}

static const char *user_of(const struct farm_call *k, const char *which)
{
	return text_of(k, fields_of(k, which), "username");
}

static const char *value_of(const struct farm_call *k, const char *which)
{
	return text_of(k, fields_of(k, which), "password");
}

static const char *probe_one(struct world *w, const struct farm_call *k,
                             const char *which)
{
	if (fields_of(k, which) == NULL || w->boot < w->farm->down_until)
		return "unknown";
	return login(w, user_of(k, which), value_of(k, which)) ? "valid" : "invalid";
}

static void copy(char out[FARM_VALUE], const char *value)
{
	assert(strlen(value) < FARM_VALUE);
	memcpy(out, value, strlen(value) + 1);
}

static bool is_first(const struct farm_call *k)
{
	return value_bool_or(k->request, "first", false);
}

/* A second value beside the first, or in its place. */
static void put(struct world *w, const struct farm_call *k, const char *which,
                bool garbled)
{
	struct farm_account *at = find(w->farm, user_of(k, which));
	const char *value = value_of(k, which);
	bool second = strcmp(config_of(k, "strategy"), "dual_key") == 0;
	int slot = 0;

	if (at == NULL || value[0] == '\0') {
		fail(w, "%s of an account that is not the rule's: \"%s\"", k->op,
		     user_of(k, which));
		return;
	}
	if (second && !farm_works(w, at->name, value) && at->value[0][0] != '\0') {
		if (at->value[1][0] != '\0')
			fail(w, "a third value for account %s", at->name);
		slot = 1;
	}
	if (!second || !farm_works(w, at->name, value))
		copy(at->value[slot], value);
	if (garbled)
		copy(at->value[0], "something else");
}

/* The key that an earlier call of the same attempt has made, or a new one. */
static void create(struct world *w, const struct farm_call *k, struct value *reply)
{
	struct farm_account *at = find(w->farm, config_of(k, "account"));
	struct value *fields = value_object(k->a);
	int slot = -1;

	if (at == NULL) {
		fail(w, "create without an account");
		return;
	}
	for (int i = 0; i < 2; i++)
		if (strcmp(at->maker[i], k->attempt) == 0 && at->value[i][0] != '\0')
			slot = i;
	if (slot < 0) {
		slot = at->value[0][0] == '\0' ? 0 : 1;
		if (at->value[slot][0] != '\0')
			fail(w, "a third value for account %s", at->name);
		snprintf(at->value[slot], FARM_VALUE, "made-%u-%s", rnd(w, 1u << 30),
		         k->attempt);
		snprintf(at->maker[slot], sizeof(at->maker[slot]), "%s", k->attempt);
	}
	value_set_str(k->a, fields, "username", at->name);
	value_set_str(k->a, fields, "password", arena_str(k->a, at->value[slot]));
	value_set(reply, "fields", fields);
}

/* The idle one of two accounts is scrambled, whatever it has; of two values the old one
 * goes. */
static void retire(struct world *w, const struct farm_call *k)
{
	struct farm_account *at = find(w->farm, user_of(k, "previous"));
	bool all = strcmp(config_of(k, "strategy"), "dual_user") == 0;

	if (at == NULL) {
		fail(w, "retire of account \"%s\"", user_of(k, "previous"));
		return;
	}
	for (int i = 0; i < 2; i++)
		if (all || strcmp(at->value[i], value_of(k, "previous")) == 0)
			at->value[i][0] = '\0';
}

/* The value of an attempt stays the same until the target refuses it. */
static void note_value(struct world *w, const struct farm_call *k)
{
	struct farm_secret *s = &w->farm->secret[k->secret];
	const char *value = value_of(k, "pending");

	if (strcmp(s->set_by, k->attempt) == 0 && strcmp(s->set, value) != 0)
		fail(w, "%s: another value was made while the first may be set",
		     farm_plans[k->secret].path);
	snprintf(s->set_by, sizeof(s->set_by), "%s", k->attempt);
	copy(s->set, value);
}

static void describe(const struct farm_call *k, struct value *reply)
{
	static const char *const strategies[] = { DESCRIBE_STRATEGIES };
	struct value *d = value_object(k->a), *list = value_array(k->a);
	bool maker = strcmp(config_of(k, "kind"), "maker") == 0;

	for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
		value_add(list, value_str(k->a, strategies[i]));
	value_set(d, "strategies", list);
	list = value_array(k->a);
	for (size_t i = 0; i < ARRAY_LEN(ops) - !maker; i++)
		value_add(list, value_str(k->a, ops[i]));
	value_set(d, "ops", list);
	value_set(reply, "describe", d);
}

static void do_it(struct world *w, struct farm_call *k, struct value *reply, bool garbled)
{
	static const char *const which[] = { "current", "pending", "previous" };
	struct value *probe;

	if (strcmp(k->op, "describe") == 0) {
		describe(k, reply);
	} else if (strcmp(k->op, "probe") == 0) {
		probe = value_object(k->a);
		for (size_t i = 0; i < ARRAY_LEN(which); i++)
			value_set_str(k->a, probe, which[i], probe_one(w, k, which[i]));
		value_set(reply, "probe", probe);
	} else if (strcmp(k->op, "set") == 0) {
		if (is_first(k) &&
		    farm_works(w, user_of(k, "pending"), value_of(k, "pending")))
			fail(w, "a value that the target has is called new");
		put(w, k, "pending", garbled);
	} else if (strcmp(k->op, "create") == 0) {
		create(w, k, reply);
	} else if (strcmp(k->op, "revert") == 0) {
		put(w, k, "current", false);
	} else if (strcmp(k->op, "retire") == 0) {
		farm_judge_retire(w, k->secret, k->request);
		retire(w, k);
	}
}

/* ---- answers ---- */

static void answer(struct world *w, const struct farm_call *k, struct value *reply)
{
	size_t n;
	unsigned char *p;

	value_set_bool(k->a, reply, "started", true);
	p = value_pack(k->a, reply, &n);
	assert(p != NULL);
	step_reply(w->core, k->number, p, n);
}

static void say_error(struct world *w, const struct farm_call *k, const char *class)
{
	struct value *reply = value_object(k->a);

	value_set_str(k->a, reply, "outcome", "reply");
	value_set_str(k->a, reply, "status", "error");
	value_set_str(k->a, reply, "class", class);
	value_set_str(k->a, reply, "message", "the target says no");
	answer(w, k, reply);
}

static bool is_op(const struct farm_call *k, const char *op)
{
	return strcmp(k->op, op) == 0;
}

static enum farm_fault choose_fault(struct world *w, const struct farm_call *k)
{
	bool sets = is_op(k, "set") || is_op(k, "create") || is_op(k, "revert");
	bool dual_key = strcmp(config_of(k, "strategy"), "dual_key") == 0;

	if (w->farm->faultless)
		return FARM_FINE;
	if (w->boot < w->farm->down_until)
		return is_op(k, "probe") ? FARM_FINE : FARM_RETRYABLE;
	switch (rnd(w, 40)) {
	case 0:
	case 1:
	case 2:
	case 3:
		return FARM_SILENT;
	case 4:
	case 5:
	case 6:
	case 7:
		return FARM_LOST;
	case 8:
	case 9:
		return FARM_RETRYABLE;
	case 10:
		return sets ? FARM_REJECTED : FARM_FINE;
	case 11:
		return sets ? FARM_AUTH : FARM_FINE;
	case 12:
		return rnd(w, 2) == 0 ? FARM_PERMANENT : FARM_FINE;
	case 13:
		return is_op(k, "set") && !dual_key ? FARM_GARBLED : FARM_FINE;
	default:
		return FARM_FINE;
	}
}

/* Without an administrator an account changes its own value, and has to log in first. */
static bool may_set(struct world *w, const struct farm_call *k)
{
	const struct value *admin = value_get(k->request, "admin");
	const char *as = is_op(k, "revert") ? "pending" : "current";
	const char *to = is_op(k, "revert") ? "current" : "pending";

	if ((!is_op(k, "set") && !is_op(k, "revert")) ||
	    (admin != NULL && admin->type == V_OBJECT))
		return true;
	return login(w, user_of(k, as), value_of(k, as)) ||
	       farm_works(w, user_of(k, to), value_of(k, to));
}

static void do_one(struct world *w, struct farm_call *k, enum farm_fault f)
{
	struct farm_secret *s = k->secret >= 0 ? &w->farm->secret[k->secret] : NULL;
	struct value *reply = value_object(k->a);
	static const char *const names[] = { "fine",      "silent",   "lost",
		                             "retryable", "rejected", "auth",
		                             "permanent", "garbled" };

	farm_trace(w, "%s of %.8s for %s: %s", k->op, k->attempt,
	           s != NULL ? farm_plans[k->secret].path : "-", names[f]);
	value_set_str(k->a, reply, "outcome", "reply");
	value_set_str(k->a, reply, "status", "ok");
	if (s != NULL && is_op(k, "set"))
		note_value(w, k);
	if (s != NULL && (f == FARM_AUTH || f == FARM_PERMANENT || f == FARM_GARBLED ||
	                  (f == FARM_REJECTED && !is_op(k, "set"))))
		s->excused = true;
	if (s != NULL && f == FARM_REJECTED)
		s->set_by[0] = '\0';
	if (f == FARM_SILENT || f == FARM_LOST) {
		w->farm->heard = false;
		if (f == FARM_SILENT && may_set(w, k))
			do_it(w, k, reply, false);
		w->farm->heard = true;
		reply = value_object(k->a);
		value_set_str(k->a, reply, "outcome", "unknown");
		value_set_str(k->a, reply, "reason", "the rotator was killed");
		answer(w, k, reply);
	} else if (f == FARM_RETRYABLE) {
		say_error(w, k, "retryable");
	} else if (f == FARM_REJECTED) {
		/* as rotators do: is it refused because it is there already? */
		if (is_op(k, "set") && !is_first(k))
			(void)login(w, user_of(k, "pending"), value_of(k, "pending"));
		say_error(w, k, "rejected_value");
	} else if (f == FARM_AUTH || !may_set(w, k)) {
		say_error(w, k, "auth");
	} else if (f == FARM_PERMANENT) {
		say_error(w, k, "permanent");
	} else if (is_op(k, "test") &&
	           !login(w, user_of(k, "pending"), value_of(k, "pending"))) {
		say_error(w, k, "auth");
	} else {
		do_it(w, k, reply, f == FARM_GARBLED);
		answer(w, k, reply);
	}
}

/* One process at a time works for an attempt. */
static bool behind_another(const struct farm *f, int i)
{
	for (int j = 0; j < i; j++)
		if (f->call[j].attempt[0] != '\0' &&
		    strcmp(f->call[j].attempt, f->call[i].attempt) == 0)
			return true;
	return false;
}

void farm_work(struct world *w)
{
	struct farm *f = w->farm;

	for (int i = 0; i < f->calls;) {
		struct farm_call *k = &f->call[i];

		if (behind_another(f, i) ||
		    (!f->faultless && (k->not_before > w->boot || rnd(w, 3) == 0))) {
			i++;
			continue;
		}
		do_one(w, k, choose_fault(w, k));
		drop_call(f, i);
	}
}

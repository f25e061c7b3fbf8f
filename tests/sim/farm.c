/* SPDX-License-Identifier: Apache-2.0 */
/* farm - what operators, hosts, the clock and the power do to rotations. */
#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "farm.h"
#include "step.h"
#include "text.h"
#include "vault/limits.h"

#define STEPS      260
#define CRASHES    4
#define HOUR_MS    (3600ll * 1000)
#define LOOK_ARENA ((size_t)4 * 1024 * 1024)

const struct farm_plan farm_plans[FARM_SECRETS] = {
	{"dir/a",  "single",           "adm",   0, 1, NULL, NULL, NULL     },
	{ "dir/b", "single",           "adm",   1, 1, NULL, "2h", NULL     },
	{ "dir/c", "single",           "self",  2, 1, NULL, NULL, NULL     },
	{ "dir/d", "dual_user",        "adm",   3, 2, "0",  NULL, "wait"   },
	{ "dir/e", "dual_user",        "adm",   5, 2, "5m", "3h", "revert" },
	{ "dir/f", "dual_key",         "adm",   7, 1, "0",  NULL, "proceed"},
	{ "dir/g", "dual_key",         "maker", 8, 1, "1m", NULL, "wait"   },
	{ "dir/h", "verify_then_sign", NULL,    0, 0, "2m", NULL, "wait"   },
	{ "dir/i", "generate",         NULL,    0, 0, NULL, "1h", NULL     },
};

/* Which host holds what. */
static const int held[AGENTS][2] = {
	{3,  4},
	{ 0, 3},
	{ 5, 7}
};

void farm_trace(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!sim_trace)
		return;
	va_start(ap, fmt);
	printf("%10.3f ", (double)(w->boot - 1000000) / 1000);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

/* ---- asking ---- */

static int ask(struct world *w, struct arena *a, enum http_method method, int i,
               const char *verb, struct value *body)
{
	return world_ask(w, a, method,
	                 arena_printf(a, "sys/rotation/%s/secret/%s", verb,
	                              farm_plans[i].path),
	                 w->root, body, NULL);
}

/* Operators are told no, or that it is not to be had now; never anything else. */
int farm_order(struct world *w, int i, const char *verb, struct value *body,
               struct arena *a)
{
	int status;

	if (strcmp(verb, "adopt") == 0) /* with a fresh value */
		w->farm->secret[i].set_by[0] = '\0';
	if (strcmp(verb, "resume") == 0)
		w->farm->secret[i].waived = true;
	status = ask(w, a, HTTP_POST, i, verb, body);
	farm_trace(w, "%s %s: %d", verb, farm_plans[i].path, status);
	if (status != 0 && status != 503 && status != 400 && status != 200 &&
	    status != 204)
		fail(w, "%s of %s: status %d", verb, farm_plans[i].path, status);
	return status;
}

static const char *first_account(const struct farm *f, int i)
{
	return farm_plans[i].accounts > 0 ? f->account[farm_plans[i].account].name
	                                  : "user";
}

/* ---- setting up ---- */

static void set_target(struct world *w, const char *name)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct value *body = value_object(a), *config = value_object(a);
	struct value *admin = value_object(a);

	value_set_str(a, body, "rotator", "fake");
	value_set_str(a, config, "kind", name);
	value_set(body, "config", config);
	value_set_int(a, body, "at_once", 3);
	if (strcmp(name, "self") != 0) {
		value_set_str(a, admin, "username", "root");
		value_set_str(a, admin, "password", "top");
		value_set(body, "admin", admin);
	}
	if (world_ask(w, a, HTTP_POST, arena_printf(a, "sys/rotation/targets/%s", name),
	              w->root, body, NULL) != 204)
		fail(w, "target %s was refused", name);
}

static struct value *data_of(struct arena *a, const char *user, const char *value,
                             int64_t note)
{
	struct value *data = value_object(a);

	value_set_str(a, data, "username", user);
	value_set_str(a, data, "password", value);
	value_set_int(a, data, "note", note);
	return data;
}

static void set_secret(struct world *w, int i)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	const struct farm_plan *p = &farm_plans[i];
	struct value *body = value_object(a), *accounts = value_array(a), *reply = NULL;
	const char *path = arena_printf(a, "secret/data/%s", p->path);

	value_set(body, "data", data_of(a, first_account(w->farm, i), "the first", 0));
	if (world_ask(w, a, HTTP_POST, path, w->root, body, NULL) != 200)
		fail(w, "%s was refused", p->path);
	body = value_object(a);
	value_set_str(a, body, "field", "password");
	value_set_str(a, body, "strategy", p->strategy);
	for (int k = 0; k < p->accounts; k++)
		value_add(accounts, value_str(a, w->farm->account[p->account + k].name));
	if (p->accounts > 0)
		value_set(body, "accounts", accounts);
	if (p->target != NULL)
		value_set_str(a, body, "target", p->target);
	if (p->grace != NULL)
		value_set_str(a, body, "grace", p->grace);
	if (p->every != NULL)
		value_set_str(a, body, "every", p->every);
	if (p->policy != NULL)
		value_set_str(a, body, "policy", p->policy);
	if (world_ask(w, a, HTTP_POST,
	              arena_printf(a, "sys/rotation/config/secret/%s", p->path), w->root,
	              body, &reply) != 204)
		fail(w, "the rule of %s was refused: %s", p->path,
		     value_cstr_or(a, value_at(value_get(reply, "errors"), 0), "", "?"));
}

static void set_rotators(struct farm *f)
{
	struct value *list = value_array(f->a), *one = value_object(f->a);

	value_set_str(f->a, one, "name", "fake");
	value_set_str(f->a, one, "path", "/fake");
	value_set_bool(f->a, one, "builtin", false);
	value_set(one, "sha256", value_null(f->a));
	value_set_int(f->a, one, "timeout_ms", 20000);
	value_add(list, one);
	f->rotators = list;
}

void farm_pass(struct world *w, int64_t ms)
{
	w->boot += ms;
	w->wall += ms;
}

void farm_hosts(struct world *w, uint32_t lazy)
{
	for (int i = 0; i < AGENTS; i++)
		if (!w->call[CLIENTS + i].busy && !w->sealed && rnd(w, lazy) == 0)
			agent_act(w, i);
}

static void setup(struct world *w, uint64_t seed)
{
	static const char *const targets[] = { "adm", "self", "maker" };
	struct farm *f = calloc(1, sizeof(*f));

	assert(f != NULL);
	w->farm = f;
	f->a = arena_new(1024 * 1024);
	f->seen = calloc(FARM_SEEN, sizeof(*f->seen));
	f->faultless = f->heard = true;
	assert(f->a != NULL && f->seen != NULL);
	set_rotators(f);
	for (int i = 0; i < FARM_ACCOUNTS; i++)
		snprintf(f->account[i].name, sizeof(f->account[i].name), "acc%d", i);
	for (int i = 0; i < FARM_SECRETS; i++)
		if (farm_plans[i].accounts > 0)
			snprintf(f->account[farm_plans[i].account].value[0], FARM_VALUE,
			         "the first");
	world_open(w, seed);
	for (size_t i = 0; i < ARRAY_LEN(targets) && w->failure[0] == '\0'; i++)
		set_target(w, targets[i]);
	for (int i = 0; i < FARM_SECRETS && w->failure[0] == '\0'; i++)
		set_secret(w, i);
	for (int i = 0; i < AGENTS && w->failure[0] == '\0'; i++) {
		for (int k = 0; k < 2; k++)
			w->agent[i].path[k] = arena_printf(f->a, "secret/%s",
			                                   farm_plans[held[i][k]].path);
		agent_setup(w, i);
	}
	for (int i = 0; i < 30 && w->failure[0] == '\0'; i++) {
		farm_hosts(w, 1);
		(void)world_batch(w);
		farm_pass(w, 500);
	}
	f->faultless = false;
}

/* ---- looking ---- */

struct looking {
	struct world *w;
	struct arena *a;
};

struct counting {
	struct core *c;
	int *n;
};

static int count_open(void *ctx, struct store_object *o, struct err *e)
{
	const struct counting *k = ctx;
	AUTO_ARENA a = arena_new(LOOK_ARENA);
	struct rotation_attempt t;
	int rc = rotation_attempt_read(k->c, a, o, &t, e);

	if (rc == ERR_OK && !rotation_ended(&t))
		++*k->n;
	return rc;
}

static void see_attempt(struct farm_view *v, const struct rotation_attempt *t)
{
	v->there = true;
	text_hex(t->o.id, 16, v->attempt);
	snprintf(v->cause, sizeof(v->cause), "%s", t->cause);
	snprintf(v->error, sizeof(v->error), "%s", t->error);
	v->state = t->state;
	v->held_from = t->held_from;
	v->version = t->version;
	v->started_ms = t->started_ms;
	v->until_ms = t->hold_ms;
	v->due_ms = t->o.due;
	v->wait = t->policy == POLICY_WAIT;
}

static int see_value(struct core *c, struct arena *a, struct kv_secret *s,
                     struct farm_view *v, struct err *e)
{
	struct value *data;
	int rc = kv_read(c, a, s, 0, &data, e);

	if (rc != ERR_OK)
		return rc;
	v->current = s->current;
	v->note = value_int_or(data, "note", -1);
	snprintf(v->user, sizeof(v->user), "%s", value_cstr_or(a, data, "username", ""));
	snprintf(v->value, sizeof(v->value), "%s",
	         value_cstr_or(a, data, "password", ""));
	return ERR_OK;
}

static int look_at(struct core *c, struct looking *l, int i, struct err *e)
{
	struct farm_view *v = &l->w->farm->secret[i].view;
	struct rotation_attempt t;
	struct rotation_rule rule;
	const struct mount *m;
	struct kv_secret s;
	const char *rest;
	int rc;

	memset(v, 0, sizeof(*v));
	if ((rc = kv_split(c, arena_printf(l->a, "secret/%s", farm_plans[i].path), &m,
	                   &rest, e)) != ERR_OK ||
	    (rc = kv_open(c, l->a, m, rest, &s, e)) != ERR_OK ||
	    (rc = see_value(c, l->a, &s, v, e)) != ERR_OK ||
	    (rc = rotation_rule_load(c, l->a, s.o.id, &rule, e)) != ERR_OK)
		return rc;
	if (!rule.has_attempt)
		return ERR_OK;
	if ((rc = rotation_attempt_load(c, l->a, rule.attempt, &t, e)) != ERR_OK)
		return rc;
	see_attempt(v, &t);
	return store_by_parent(c, l->a, KIND_ATTEMPT, s.o.id, 32, count_open,
	                       &(struct counting){ c, &v->attempts }, e);
}

static int look(struct core *c, void *arg, struct err *e)
{
	int rc = ERR_OK;

	for (int i = 0; rc == ERR_OK && i < FARM_SECRETS; i++)
		rc = look_at(c, arg, i, e);
	return rc;
}

bool farm_look(struct world *w)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA * 4);
	struct looking l = { w, a };
	struct err e = { 0 };

	if (w->sealed)
		return true;
	if (batch_alone(w->core, look, &l, &e) != ERR_OK) {
		if (!crashvfs_crashed(w->disk))
			fail(w, "a secret cannot be looked at: %s", e.msg);
		return false;
	}
	for (int i = 0; i < FARM_SECRETS && w->failure[0] == '\0'; i++)
		farm_judge(w, i);
	return true;
}

/* ---- what happens ---- */

static void forget_clocks(struct farm *f)
{
	for (int i = 0; i < FARM_ACCOUNTS; i++)
		f->account[i].failed = 0;
	for (int i = 0; i < FARM_SECRETS; i++)
		f->secret[i].excused = true;
}

static void pass_time(struct world *w)
{
	uint32_t kind = rnd(w, 100);

	farm_pass(w, kind < 60   ? rnd(w, 300)
	             : kind < 85 ? rnd(w, 8000)
	             : kind < 97 ? rnd(w, 90000)
	                         : rnd(w, HOUR_MS));
	if (rnd(w, 60) == 0)
		w->wall += (int64_t)rnd(w, 20000) - 10000;
	if (rnd(w, 150) == 0) {
		w->wall += (int64_t)rnd(w, 6 * HOUR_MS) - 3 * HOUR_MS;
		forget_clocks(w->farm);
	}
	crashvfs_set_ms(w->disk, w->wall);
}

/* Read, change, write, by somebody who says which version he has read. */
static void write_by_hand(struct world *w, int i, struct arena *a)
{
	struct farm_secret *s = &w->farm->secret[i];
	struct value *body = value_object(a), *options = value_object(a);
	int status;

	if (s->view.current == 0)
		return;
	s->note_maybe = (int64_t)++w->next_tag;
	value_set(body, "data", data_of(a, s->view.user, s->view.value, s->note_maybe));
	value_set_int(a, options, "cas", s->view.current);
	value_set(body, "options", options);
	status = world_ask(w, a, HTTP_POST,
	                   arena_printf(a, "secret/data/%s", farm_plans[i].path), w->root,
	                   body, NULL);
	farm_trace(w, "write %s: %d", farm_plans[i].path, status);
	if (status == 200)
		s->note = s->note_maybe;
	if (status != 0)
		s->note_maybe = s->note;
}

static void tamper(struct world *w, int i)
{
	const struct farm_plan *p = &farm_plans[i];
	struct farm_account *at = &w->farm->account[p->account];

	if (p->target == NULL || strcmp(p->strategy, "single") != 0)
		return;
	snprintf(at->value[0], FARM_VALUE, "by hand %u", rnd(w, 1000));
	w->farm->secret[i].tampered = w->farm->secret[i].excused = true;
	farm_trace(w, "tampered with %s", p->path);
}

static void seal(struct world *w, struct arena *a)
{
	if (world_ask(w, a, HTTP_POST, "sys/seal", w->root, NULL, NULL) == 204)
		w->sealed = true;
}

/* What is held draws attention. */
static int choose_secret(struct world *w)
{
	int i = (int)rnd(w, FARM_SECRETS);

	for (int k = 0; k < FARM_SECRETS && rnd(w, 3) != 0; k++) {
		int at = (i + k) % FARM_SECRETS;

		if (w->farm->secret[at].view.state == ATTEMPT_HELD &&
		    w->farm->secret[at].view.there)
			return at;
	}
	return i;
}

static void operate(struct world *w)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct value *body = value_object(a);
	int i = choose_secret(w);

	switch (rnd(w, 18)) {
	case 0:
		farm_order(w, i, "abort", NULL, a);
		break;
	case 1:
	case 16:
	case 17:
		farm_order(w, i, "resume", NULL, a);
		break;
	case 2:
		farm_order(w, i, "adopt", NULL, a);
		break;
	case 3:
	case 4:
		write_by_hand(w, i, a);
		break;
	case 5:
		value_set_bool(a, body, "wait", false);
		farm_order(w, i, "check", body, a);
		break;
	case 6:
		if (rnd(w, 2) == 0)
			tamper(w, i);
		break;
	case 7:
		if (rnd(w, 4) == 0)
			seal(w, a);
		break;
	case 8:
		if (rnd(w, 4) == 0)
			w->farm->down_until = w->boot + rnd(w, 60000);
		break;
	case 9:
		w->farm->secret[i].waived = true; /* it ends what is under way, too */
		value_set_bool(a, body, "leaked", true);
		value_set_bool(a, body, "wait", false);
		farm_order(w, i, "rotate", body, a);
		break;
	default:
		value_set_bool(a, body, "wait", false);
		farm_order(w, i, "rotate", body, a);
	}
}

static void restart_rotate(struct world *w)
{
	farm_trace(w, "rotate ends");
	step_link_down(w->core, w);
	farm_lost(w);
	farm_link(w);
}

static void recover(struct world *w)
{
	farm_trace(w, "power fails");
	for (int i = 0; i < FARM_ACCOUNTS; i++) /* what was said is lost */
		w->farm->account[i].failed = 0;
	farm_lost(w);
	if (world_reboot(w))
		world_drop_calls(w);
}

static void one_step(struct world *w)
{
	if (w->sealed) {
		if (rnd(w, 6) == 0 && world_unseal(w))
			w->sealed = false;
	} else if (rnd(w, 3) == 0) {
		operate(w);
	}
	if (!crashvfs_crashed(w->disk)) {
		farm_hosts(w, 4);
		w->disk_full = rnd(w, 60) == 0;
		if (w->disk_full)
			crashvfs_fail(w->disk, CRASHVFS_WRITE, 1 + (long)rnd(w, 4),
			              CRASHVFS_ENOSPC, false);
		(void)world_batch(w);
		crashvfs_fail(w->disk, CRASHVFS_ANY, 0, CRASHVFS_ENOSPC, false);
		w->disk_full = false;
	}
	if (!crashvfs_crashed(w->disk)) {
		farm_work(w);
		if (rnd(w, 50) == 0)
			restart_rotate(w);
	}
	if (!crashvfs_crashed(w->disk))
		(void)farm_look(w);
	if (crashvfs_crashed(w->disk)) {
		recover(w);
		if (w->failure[0] == '\0')
			(void)farm_look(w);
	}
	pass_time(w);
}

static void plan_crash(struct world *w, int step)
{
	if (w->crashes < CRASHES && step > w->crashes * STEPS / CRASHES + 8 &&
	    rnd(w, 12) == 0)
		crashvfs_crash_at(w->disk,
		                  crashvfs_events(w->disk) + 1 + (long)rnd(w, 40));
}

void farm_run(struct world *w, uint64_t seed)
{
	setup(w, seed);
	for (int step = 0; step < STEPS && w->failure[0] == '\0'; step++) {
		plan_crash(w, step);
		one_step(w);
	}
	if (w->failure[0] == '\0')
		farm_finish(w);
	farm_lost(w);
	world_stop(w);
	free(w->farm->seen);
	arena_free(w->farm->a);
	free(w->farm);
	w->farm = NULL;
}

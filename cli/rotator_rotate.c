/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rotator_kit.h"

/* The checks that change the target.  Whatever happens, k->account has the value that the
 * target accepts, as far as a probe can tell. */

#define KILL_WINDOW_PERCENT 120 /* of what an undisturbed call takes */
#define TINY_DEADLINES      3
#define AGAIN               10
#define AGAIN_MS            100

/* One rotation on its way. */
struct turn {
	struct kit_account *from, *to; /* the same but for dual_user */
	char old[KIT_VALUE_MAX + 1];   /* of from */
	char next[KIT_VALUE_MAX + 1];  /* of to */
};

static void begin(struct kit *k, struct turn *t)
{
	t->from = &k->account[k->current];
	t->to = kit_next(k);
	memcpy(t->old, t->from->value, sizeof(t->old));
	kit_value(k, t->next);
	k->version++;
	kit_attempt(k);
}

/* "current" and "pending" as they are before the new value is published. */
static struct kit_call call_of(struct kit *k, const struct turn *t, const char *op)
{
	return (struct kit_call){
		.op = op,
		.current = kit_fields(k, t->from, t->old),
		.pending = kit_fields(k, t->to, t->next),
	};
}

/* … and after that. */
static struct kit_call call_after(struct kit *k, const struct turn *t, const char *op)
{
	return (struct kit_call){
		.op = op,
		.current = kit_fields(k, t->to, t->next),
		.previous = kit_fields(k, t->from, t->old),
	};
}

static void published(struct kit *k, struct turn *t)
{
	memcpy(t->to->value, t->next, sizeof(t->next));
	k->current = (size_t)(t->to - k->account);
}

static int run_op(struct kit *k, struct kit_call call, struct kit_answer *a,
                  struct err *e)
{
	int rc = kit_run(k, &call, a, e);

	if (rc == ERR_OK)
		kit_answer_clear(a);
	return rc;
}

/* Twice, as after a reply that was lost. */
static int twice(struct kit *k, const struct turn *t, const char *op, bool after,
                 const char *check, struct err *e)
{
	struct kit_answer a;
	int rc;

	for (int i = 0; i < 2; i++) {
		rc = run_op(k, after ? call_after(k, t, op) : call_of(k, t, op), &a, e);
		if (rc != ERR_OK)
			return rc;
		if (!a.ok) {
			kit_fail(k, check, "%s call: %s", i == 0 ? "first" : "second",
			         kit_saw(&a));
			return ERR_OK;
		}
	}
	kit_pass(k, check);
	return ERR_OK;
}

static int probe(struct kit *k, const struct turn *t, bool after, struct kit_answer *a,
                 struct err *e)
{
	return run_op(k, after ? call_after(k, t, "probe") : call_of(k, t, "probe"), a,
	              e);
}

/* --- a rotation without a disturbance --- */

static int check_set(struct kit *k, struct turn *t, struct err *e)
{
	struct kit_answer a;
	int rc;

	if ((rc = twice(k, t, "set", false, "set: twice", e)) != ERR_OK ||
	    (rc = probe(k, t, false, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "set: the new value is valid", a.pending == KIT_VALID, "%s",
	         kit_saw(&a));
	if (k->strategy == KIT_SINGLE)
		kit_that(k, "set: the old value is not", a.current == KIT_INVALID, "%s",
		         kit_saw(&a));
	else
		kit_that(k, "set: the old value is valid, too", a.current == KIT_VALID,
		         "%s", kit_saw(&a));
	return twice(k, t, "test", false, "test: twice", e);
}

static int check_retire(struct kit *k, struct turn *t, struct err *e)
{
	const char *how = json_string_value(json_object_get(k->config, "retire"));
	bool kept = how != NULL && strcmp(how, "keep") == 0;
	struct kit_answer a;
	int rc;

	published(k, t);
	if (!kit_has_op(k, "retire")) {
		kit_skip(k, "retire: twice", "there is no retire");
		return ERR_OK;
	}
	if ((rc = twice(k, t, "retire", true, "retire: twice", e)) != ERR_OK ||
	    (rc = probe(k, t, true, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "retire: the value in use stays valid", a.current == KIT_VALID, "%s",
	         kit_saw(&a));
	if (!kept)
		kit_that(k, "retire: the old value is not valid any more",
		         a.previous != KIT_VALID, "%s", kit_saw(&a));
	return ERR_OK;
}

/* The old value must have an end, and the one in use must not be it. */
static int check_retire_guard(struct kit *k, struct turn *t, struct err *e)
{
	struct kit_answer a;
	int rc;

	if (!kit_has_op(k, "retire") || k->strategy == KIT_SINGLE)
		return ERR_OK;
	struct kit_call call = {
		.op = "retire",
		.current = kit_fields(k, t->to, t->next),
		.previous = kit_fields(k, t->to, t->next),
	};

	if ((rc = run_op(k, call, &a, e)) != ERR_OK ||
	    (rc = probe(k, t, true, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "retire: never of the value in use", a.current == KIT_VALID, "%s",
	         kit_saw(&a));
	return ERR_OK;
}

static int check_revert(struct kit *k, struct err *e)
{
	struct kit_answer a;
	struct turn t;
	int rc;

	if (!kit_has_op(k, "revert") || k->strategy != KIT_SINGLE)
		return ERR_OK;
	begin(k, &t);
	if ((rc = run_op(k, call_of(k, &t, "set"), &a, e)) != ERR_OK ||
	    (rc = twice(k, &t, "revert", false, "revert: twice", e)) != ERR_OK ||
	    (rc = probe(k, &t, false, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "revert: the old value is valid again", a.current == KIT_VALID, "%s",
	         kit_saw(&a));
	kit_that(k, "revert: the new one is not", a.pending == KIT_INVALID, "%s",
	         kit_saw(&a));
	if (a.current != KIT_VALID && a.pending == KIT_VALID)
		published(k, &t);
	sodium_memzero(&t, sizeof(t));
	return ERR_OK;
}

/* --- disturbances --- */

/* It is known what is accepted, and something is.  Both values of one account may seem to
 * be: the target may end what was cut off between one look and the other. */
static bool sane(const struct kit *k, const struct kit_answer *a)
{
	bool known = a->current != KIT_UNKNOWN && a->pending != KIT_UNKNOWN;
	bool one = a->current == KIT_VALID || a->pending == KIT_VALID;

	return known && (k->strategy == KIT_SINGLE ? one : a->current == KIT_VALID);
}

/* As vaultd does it: what may succeed later is tried later.  The target may be busy yet
 * with what was cut off. */
static int set_again(struct kit *k, const struct turn *t, struct kit_answer *a,
                     struct err *e)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000 };

	for (int i = 0; i < AGAIN; i++) {
		int rc = run_op(k, call_of(k, t, "set"), a, e);

		if (rc != ERR_OK || strcmp(a->class, "retryable") != 0)
			return rc;
		nanosleep(&pause, NULL);
	}
	return ERR_OK;
}

/* After ${op} was cut off: look, do it again, look again. */
static int recover(struct kit *k, struct turn *t, const char *check, bool *good,
                   struct err *e)
{
	struct kit_answer a;
	int rc = probe(k, t, false, &a, e);

	if (rc != ERR_OK)
		return rc;
	if (!sane(k, &a)) {
		kit_fail(k, check, "afterwards: %s", kit_saw(&a));
		*good = false;
	}
	if ((rc = set_again(k, t, &a, e)) != ERR_OK)
		return rc;
	if (!a.ok && *good) {
		kit_fail(k, check, "set again: %s", kit_saw(&a));
		*good = false;
	}
	if ((rc = probe(k, t, false, &a, e)) != ERR_OK)
		return rc;
	if (a.pending == KIT_VALID)
		published(k, t);
	else if (*good) {
		kit_fail(k, check, "after set again: %s", kit_saw(&a));
		*good = false;
	}
	return ERR_OK;
}

static int retire_killed(struct kit *k, struct turn *t, int64_t kill_us,
                         const char *check, bool *good, struct err *e)
{
	struct kit_call call;
	struct kit_answer a;
	int rc;

	if (!kit_has_op(k, "retire") || k->strategy == KIT_SINGLE || !*good)
		return ERR_OK;
	call = call_after(k, t, "retire");
	call.kill_us = kill_us;
	if ((rc = run_op(k, call, &a, e)) != ERR_OK ||
	    (rc = run_op(k, call_after(k, t, "retire"), &a, e)) != ERR_OK)
		return rc;
	if (!a.ok) {
		kit_fail(k, check, "retire again: %s", kit_saw(&a));
		*good = false;
	}
	if ((rc = probe(k, t, true, &a, e)) != ERR_OK)
		return rc;
	if (a.current != KIT_VALID && *good) {
		kit_fail(k, check, "after retire: %s", kit_saw(&a));
		*good = false;
	}
	return ERR_OK;
}

static int check_kills(struct kit *k, int64_t usual_us, struct err *e)
{
	static const char check[] = "killed at random moments, it can go on";
	uint32_t window = (uint32_t)(usual_us * KILL_WINDOW_PERCENT / 100);
	bool good = true;
	int rc = ERR_OK;

	for (unsigned i = 0; rc == ERR_OK && good && i < k->rounds; i++) {
		int64_t at = 1 + randombytes_uniform(window > 0 ? window : 1);
		struct kit_call call;
		struct kit_answer a;
		struct turn t;

		begin(k, &t);
		call = call_of(k, &t, "set");
		call.kill_us = at;
		if ((rc = run_op(k, call, &a, e)) == ERR_OK &&
		    (rc = recover(k, &t, check, &good, e)) == ERR_OK)
			rc = retire_killed(k, &t, at, check, &good, e);
		sodium_memzero(&t, sizeof(t));
	}
	if (rc == ERR_OK && good)
		kit_pass(k, check);
	return rc;
}

static int check_deadlines(struct kit *k, int64_t usual_us, struct err *e)
{
	static const char check[] = "cut short by its deadline, it can go on";
	int64_t usual_ms = usual_us / 1000;
	bool good = true;
	int rc = ERR_OK;

	for (int i = 1; rc == ERR_OK && good && i <= TINY_DEADLINES; i++) {
		struct kit_call call;
		struct kit_answer a;
		struct turn t;

		begin(k, &t);
		call = call_of(k, &t, "set");
		call.deadline_ms = 1 + usual_ms * i / (TINY_DEADLINES + 1);
		rc = run_op(k, call, &a, e);
		if (rc == ERR_OK && a.end == ROTATOR_LATE) {
			kit_fail(k, check, "with %lld ms: %s",
			         (long long)call.deadline_ms, kit_saw(&a));
			good = false;
		}
		if (rc == ERR_OK)
			rc = recover(k, &t, check, &good, e);
		if (rc == ERR_OK)
			rc = retire_killed(k, &t, 0, check, &good, e);
		sodium_memzero(&t, sizeof(t));
	}
	if (rc == ERR_OK && good)
		kit_pass(k, check);
	return rc;
}

/* --- and back --- */

static int restore_one(struct kit *k, size_t account, bool *good, struct err *e)
{
	struct kit_account *to = &k->account[account];
	struct kit_answer a;
	struct turn t;
	int rc;

	if (to->original[0] == '\0' ||
	    (account == k->current && strcmp(to->value, to->original) == 0))
		return ERR_OK;
	/* dual_user: only the one that is not in use can be changed. */
	begin(k, &t);
	if (t.to != to)
		return ERR_OK;
	memcpy(t.next, to->original, sizeof(t.next));
	if ((rc = run_op(k, call_of(k, &t, "set"), &a, e)) == ERR_OK) {
		*good = *good && a.ok;
		if (a.ok)
			published(k, &t);
		if (a.ok && k->strategy == KIT_DUAL_KEY)
			rc = run_op(k, call_after(k, &t, "retire"), &a, e);
	}
	sodium_memzero(&t, sizeof(t));
	return rc;
}

static int restore(struct kit *k, struct err *e)
{
	bool good = true;
	int rc = ERR_OK;

	/* The one that is idle first, then the other. */
	for (size_t i = 0; rc == ERR_OK && i < k->accounts; i++)
		rc = restore_one(k, (size_t)(kit_next(k) - k->account), &good, e);
	if (rc == ERR_OK)
		kit_that(k, "the values of the file are set again", good,
		         "the target refused: the file's values are out of date now");
	return rc;
}

/* --- all --- */

/* What an undisturbed set takes, measured on a rotation that is thrown away. */
static int measure(struct kit *k, int64_t *us, struct err *e)
{
	struct kit_answer a;
	struct turn t;
	int rc;

	begin(k, &t);
	rc = run_op(k, call_of(k, &t, "set"), &a, e);
	*us = a.took_us;
	if (rc == ERR_OK && a.ok)
		published(k, &t);
	sodium_memzero(&t, sizeof(t));
	return rc;
}

int rotator_rotate_checks(struct kit *k, struct err *e)
{
	int64_t usual_us = 0;
	struct turn t;
	int rc;

	begin(k, &t);
	if ((rc = check_set(k, &t, e)) != ERR_OK ||
	    (rc = check_retire(k, &t, e)) != ERR_OK ||
	    (rc = check_retire_guard(k, &t, e)) != ERR_OK)
		return rc;
	sodium_memzero(&t, sizeof(t));
	if ((rc = check_revert(k, e)) != ERR_OK ||
	    (rc = measure(k, &usual_us, e)) != ERR_OK ||
	    (rc = check_kills(k, usual_us, e)) != ERR_OK ||
	    (rc = check_deadlines(k, usual_us, e)) != ERR_OK)
		return rc;
	return restore(k, e);
}

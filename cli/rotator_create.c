/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rotator_kit.h"

/* The checks of rotators whose target makes the values: certificates, key pairs, API
 * keys. What such a value looks like only the rotator knows; that it is accepted, that
 * there is no second one after a repeated call, and that it ends can be seen all the
 * same.
 *
 * The value of the file stays in use, if there is one, and each new one is ended again.
 * Else the first is made here, and each new one takes the place of that before it. */

#define KILL_WINDOW_PERCENT 120 /* of what an undisturbed call takes */
#define TINY_DEADLINES      3
#define AGAIN               10
#define AGAIN_MS            100

static bool ends_old(const struct kit *k)
{
	return k->strategy == KIT_DUAL_KEY;
}

static void begin(struct kit *k)
{
	k->version++;
	kit_attempt(k);
}

/* --- calls --- */

/* What a call is told; all of it is borrowed, and NULL is null. */
struct told {
	const char *op;
	const json_t *current, *pending, *previous;
	int64_t deadline_ms, kill_us; /* 0: as usual, and never */
};

static json_t *made_or_null(struct kit *k, const json_t *fields)
{
	return fields != NULL ? kit_made(k, fields) : NULL;
}

/* *fields: what a create has made, owned; NULL if nothing. */
static int call(struct kit *k, const struct told *t, struct kit_answer *a,
                json_t **fields, struct err *e)
{
	struct kit_call c = {
		.op = t->op,
		.current = made_or_null(k, t->current),
		.pending = made_or_null(k, t->pending),
		.previous = made_or_null(k, t->previous),
		.deadline_ms = t->deadline_ms,
		.kill_us = t->kill_us,
	};
	json_t *made;
	int rc = kit_run(k, &c, a, e);

	if (rc != ERR_OK)
		return rc;
	made = json_object_get(a->reply, "fields");
	if (fields != NULL)
		*fields = a->ok && json_object_size(made) > 0 ? json_incref(made) : NULL;
	kit_answer_clear(a);
	return ERR_OK;
}

static int create(struct kit *k, struct kit_answer *a, json_t **fields, struct err *e)
{
	return call(k, &(struct told){ .op = "create", .current = k->holding }, a, fields,
	            e);
}

static int probe(struct kit *k, const json_t *current, const json_t *pending,
                 struct kit_answer *a, struct err *e)
{
	return call(
		k,
		&(struct told){ .op = "probe", .current = current, .pending = pending },
		a, NULL, e);
}

static int retire(struct kit *k, const json_t *stays, const json_t *goes,
                  struct kit_answer *a, struct err *e)
{
	return call(k,
	            &(struct told){ .op = "retire", .current = stays, .previous = goes },
	            a, NULL, e);
}

/* What is in use after ${new} was made, and what ends.  Both are borrowed. */
static const json_t *stays(const struct kit *k, const json_t *new)
{
	return k->keeps ? k->holding : new;
}

static const json_t *goes(const struct kit *k, const json_t *new)
{
	return k->keeps ? new : k->holding;
}

static void published(struct kit *k, json_t *new)
{
	if (k->keeps)
		return;
	json_decref(k->holding);
	k->holding = json_incref(new);
}

static const char *saw_made(const struct kit_answer *a, const json_t *fields)
{
	return a->ok && fields == NULL ? "a reply without 'fields'" : kit_saw(a);
}

/* --- the first value, and whether the rotator knows it --- */

static int check_first(struct kit *k, struct err *e)
{
	json_t *given = json_object_get(k->file, "current");
	struct kit_answer a;
	int rc;

	k->keeps = json_object_size(given) > 0;
	if (k->keeps) {
		k->holding = json_incref(given);
		return ERR_OK;
	}
	begin(k);
	if ((rc = create(k, &a, &k->holding, e)) == ERR_OK)
		kit_that(k, "create: makes the first value", k->holding != NULL, "%s",
		         saw_made(&a, k->holding));
	return rc;
}

static bool all_texts(const json_t *fields)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)fields, key,
	                    v) if (!json_is_string(v)) return false;
	return true;
}

static int check_truth(struct kit *k, struct err *e)
{
	json_t *wrong = kit_garbled(k, k->holding);
	struct kit_answer a;
	int rc = ERR_OK;

	kit_that(k, "create: the fields are texts", all_texts(k->holding),
	         "one of them is not");
	for (int i = 0; rc == ERR_OK && i < 2; i++) {
		if ((rc = probe(k, k->holding, wrong, &a, e)) != ERR_OK)
			break;
		kit_that(k,
		         i == 0 ? "probe: the value in use is valid"
		                : "probe: and still is after a probe",
		         a.current == KIT_VALID, "%s", kit_saw(&a));
		kit_that(k,
		         i == 0 ? "probe: what is no value is not valid"
		                : "probe: and still is not after a probe of it",
		         a.pending != KIT_VALID, "%s", kit_saw(&a));
	}
	if (rc == ERR_OK &&
	    (rc = call(k,
	               &(struct told){
			       .op = "test", .current = k->holding, .pending = wrong },
	               &a, NULL, e)) == ERR_OK)
		kit_that(k, "test: what is no value does not pass", !a.ok, "%s",
		         kit_saw(&a));
	json_decref(wrong);
	return rc;
}

/* --- without a disturbance --- */

static int test_twice(struct kit *k, const json_t *new, struct err *e)
{
	const struct told t = { .op = "test", .current = k->holding, .pending = new };
	struct kit_answer a = { .ok = true };
	int rc = ERR_OK;

	for (int i = 0; rc == ERR_OK && a.ok && i < 2; i++)
		rc = call(k, &t, &a, NULL, e);
	if (rc == ERR_OK)
		kit_that(k, "test: twice", a.ok, "%s", kit_saw(&a));
	return rc;
}

/* The reply to the first call was lost: nobody will ever end what it has made. */
static int check_lost(struct kit *k, const json_t *lost, const json_t *new, struct err *e)
{
	static const char check[] = "create: a second call leaves no second value";
	struct kit_answer a;
	int rc;

	if (!ends_old(k) ||
	    json_equal((json_t *)(uintptr_t)lost, (json_t *)(uintptr_t) new))
		return ERR_OK;
	if ((rc = probe(k, NULL, lost, &a, e)) == ERR_OK)
		kit_that(k, check, a.pending == KIT_INVALID, "the first is there: %s",
		         kit_saw(&a));
	return rc;
}

static int look_at_new(struct kit *k, const json_t *new, struct err *e)
{
	struct kit_answer a;
	int rc = probe(k, k->holding, new, &a, e);

	if (rc != ERR_OK)
		return rc;
	kit_that(k, "create: the new value is valid", a.pending == KIT_VALID, "%s",
	         kit_saw(&a));
	kit_that(k, "create: the old value is valid, too", a.current == KIT_VALID, "%s",
	         kit_saw(&a));
	return test_twice(k, new, e);
}

/* Twice, as after a reply that was lost.  *new is owned, and NULL if nothing was made. */
static int check_create(struct kit *k, json_t **new, struct err *e)
{
	json_t *lost = NULL;
	struct kit_answer a;
	int rc;

	*new = NULL;
	begin(k);
	if ((rc = create(k, &a, &lost, e)) != ERR_OK)
		return rc;
	if (lost == NULL)
		kit_fail(k, "create: twice", "first call: %s", saw_made(&a, lost));
	else if ((rc = create(k, &a, new, e)) == ERR_OK &&
	         kit_that(k, "create: twice", *new != NULL, "second call: %s",
	                  saw_made(&a, *new)) &&
	         (rc = check_lost(k, lost, *new, e)) == ERR_OK)
		rc = look_at_new(k, *new, e);
	json_decref(lost);
	return rc;
}

struct ending {
	const char *twice, *stays, *goes, *guard;
};

/* "It is done" means that the value is of no use any more; "noop" may mean that it ends
 * by itself. */
static int check_retire(struct kit *k, const json_t *in_use, const json_t *old,
                        const struct ending *said, struct err *e)
{
	struct kit_answer first, a;
	int rc;

	if ((rc = retire(k, in_use, old, &first, e)) != ERR_OK)
		return rc;
	if (!kit_that(k, said->twice, first.ok, "first call: %s", kit_saw(&first)))
		return ERR_OK;
	if ((rc = retire(k, in_use, old, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, said->twice, a.ok, "second call: %s", kit_saw(&a));
	if ((rc = probe(k, in_use, old, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, said->stays, a.current == KIT_VALID, "%s", kit_saw(&a));
	if (ends_old(k) || !first.noop)
		kit_that(k, said->goes, a.pending == KIT_INVALID, "%s", kit_saw(&a));
	if (!ends_old(k))
		return ERR_OK;
	if ((rc = retire(k, in_use, in_use, &a, e)) != ERR_OK ||
	    (rc = probe(k, in_use, NULL, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, said->guard, a.current == KIT_VALID, "%s", kit_saw(&a));
	return ERR_OK;
}

static int check_turn(struct kit *k, bool *good, struct err *e)
{
	static const struct ending said = {
		"retire: twice",
		"retire: the value in use stays valid",
		"retire: the old value is invalid then",
		"retire: never of the value in use",
	};
	json_t *new;
	int rc = check_create(k, &new, e);

	*good = new != NULL;
	if (rc != ERR_OK || new == NULL) {
		json_decref(new);
		return rc;
	}
	if (kit_has_op(k, "retire"))
		rc = check_retire(k, stays(k, new), goes(k, new), &said, e);
	else
		kit_skip(k, said.twice, "there is no retire");
	published(k, new);
	json_decref(new);
	return rc;
}

/* An attempt that fails: its value goes, and that before it stays. */
static int check_taken_back(struct kit *k, struct err *e)
{
	static const struct ending said = {
		"taken back: twice",
		"taken back: the value in use stays valid",
		"taken back: the new value is invalid then",
		"taken back: never the value in use",
	};
	json_t *new = NULL;
	struct kit_answer a;
	int rc;

	if (!ends_old(k) || k->keeps) /* then every turn is like that */
		return ERR_OK;
	begin(k);
	if ((rc = create(k, &a, &new, e)) != ERR_OK)
		return rc;
	if (new == NULL)
		kit_fail(k, said.twice, "create: %s", saw_made(&a, new));
	else
		rc = check_retire(k, k->holding, new, &said, e);
	json_decref(new);
	return rc;
}

/* --- disturbances --- */

/* As vaultd does it: what may succeed later is tried later. */
static int create_again(struct kit *k, struct kit_answer *a, json_t **new, struct err *e)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000 };
	int rc = ERR_OK;

	*new = NULL;
	for (int i = 0; i < AGAIN; i++) {
		rc = create(k, a, new, e);
		if (rc != ERR_OK || strcmp(a->class, "retryable") != 0)
			return rc;
		nanosleep(&pause, NULL);
	}
	return rc;
}

static void fails(struct kit *k, const char *check, bool *good, const char *when,
                  const struct kit_answer *a)
{
	if (*good)
		kit_fail(k, check, "%s: %s", when, kit_saw(a));
	*good = false;
}

static int retire_cut(struct kit *k, const json_t *new, const struct told *cut,
                      const char *check, bool *good, struct err *e)
{
	struct told t = {
		.op = "retire",
		.current = stays(k, new),
		.previous = goes(k, new),
		.deadline_ms = cut->deadline_ms,
		.kill_us = cut->kill_us,
	};
	struct kit_answer a;
	int rc;

	if (!kit_has_op(k, "retire"))
		return ERR_OK;
	if ((rc = call(k, &t, &a, NULL, e)) != ERR_OK ||
	    (rc = retire(k, t.current, t.previous, &a, e)) != ERR_OK)
		return rc;
	if (!a.ok)
		fails(k, check, good, "retire again", &a);
	if ((rc = probe(k, t.current, t.previous, &a, e)) != ERR_OK)
		return rc;
	if (a.current != KIT_VALID || (ends_old(k) && a.pending != KIT_INVALID))
		fails(k, check, good, "after retire", &a);
	return ERR_OK;
}

/* One attempt, whose calls are cut short. */
static int attempt_cut(struct kit *k, const struct told *cut, const char *check,
                       bool *good, struct err *e)
{
	struct told first = *cut;
	json_t *new = NULL;
	struct kit_answer a;
	int rc;

	begin(k);
	first.op = "create";
	first.current = k->holding;
	if ((rc = call(k, &first, &a, NULL, e)) != ERR_OK)
		return rc;
	if (a.end == ROTATOR_LATE)
		fails(k, check, good, "create", &a);
	if ((rc = create_again(k, &a, &new, e)) != ERR_OK)
		return rc;
	if (new == NULL) {
		fails(k, check, good, "create again", &a);
		return ERR_OK;
	}
	if ((rc = probe(k, k->holding, new, &a, e)) == ERR_OK) {
		if (a.current != KIT_VALID || a.pending != KIT_VALID)
			fails(k, check, good, "after create again", &a);
		rc = retire_cut(k, new, cut, check, good, e);
		published(k, new);
	}
	json_decref(new);
	return rc;
}

static int check_kills(struct kit *k, int64_t usual_us, struct err *e)
{
	static const char check[] = "killed at random moments, it can go on";
	uint32_t window = (uint32_t)(usual_us * KILL_WINDOW_PERCENT / 100);
	bool good = true;
	int rc = ERR_OK;

	for (unsigned i = 0; rc == ERR_OK && good && i < k->rounds; i++) {
		struct told cut = { .kill_us = 1 + randombytes_uniform(window > 0 ? window
			                                                          : 1) };

		rc = attempt_cut(k, &cut, check, &good, e);
	}
	if (rc == ERR_OK && good)
		kit_pass(k, check);
	return rc;
}

static int check_deadlines(struct kit *k, int64_t usual_us, struct err *e)
{
	static const char check[] = "cut short by its deadline, it can go on";
	bool good = true;
	int rc = ERR_OK;

	for (int i = 1; rc == ERR_OK && good && i <= TINY_DEADLINES; i++) {
		struct told cut = {
			.deadline_ms = 1 + usual_us / 1000 * i / (TINY_DEADLINES + 1),
		};

		rc = attempt_cut(k, &cut, check, &good, e);
	}
	if (rc == ERR_OK && good)
		kit_pass(k, check);
	return rc;
}

/* What an undisturbed create takes; its value goes as all others do. */
static int measure(struct kit *k, int64_t *us, struct err *e)
{
	json_t *new = NULL;
	struct kit_answer a;
	int rc;

	begin(k);
	if ((rc = create(k, &a, &new, e)) != ERR_OK)
		return rc;
	*us = a.took_us;
	if (new != NULL && kit_has_op(k, "retire"))
		rc = retire(k, stays(k, new), goes(k, new), &a, e);
	if (new != NULL)
		published(k, new);
	json_decref(new);
	return rc;
}

/* --- all --- */

static int check_login(struct kit *k, struct err *e)
{
	struct kit_answer a;
	int rc;

	if (!kit_has_op(k, "login") || k->admin == NULL)
		return ERR_OK;
	rc = call(k, &(struct told){ .op = "login" }, &a, NULL, e);
	if (rc == ERR_OK)
		kit_that(k, "login: as the administrator", a.ok, "%s", kit_saw(&a));
	return rc;
}

/* The last one that was made here; nobody uses it, and a secret without a value of this
 * kind is what there was before the first. */
static int clean_up(struct kit *k, struct err *e)
{
	static const char check[] = "what was made here is ended";
	json_t *nothing;
	struct kit_answer a;
	int rc;

	if (k->keeps || !kit_has_op(k, "retire"))
		return ERR_OK;
	begin(k);
	nothing = json_pack("{s:s}", "note", "no value yet");
	if ((rc = retire(k, nothing, k->holding, &a, e)) == ERR_OK) {
		if (a.ok)
			kit_pass(k, check);
		else
			kit_skip(k, check, kit_saw(&a));
	}
	json_decref(nothing);
	return rc;
}

int rotator_create_checks(struct kit *k, struct err *e)
{
	int64_t usual_us = 0;
	bool good = false;
	int rc = check_login(k, e);

	if (rc != ERR_OK || (rc = check_first(k, e)) != ERR_OK || k->holding == NULL ||
	    (rc = check_truth(k, e)) != ERR_OK ||
	    (rc = rotator_away_checks(k, e)) != ERR_OK)
		return rc;
	if (k->failed > 0) {
		kit_skip(k, "rotations", "after those failures nothing more is made");
		return clean_up(k, e);
	}
	if ((rc = check_turn(k, &good, e)) != ERR_OK)
		return rc;
	if (good && ((rc = check_taken_back(k, e)) != ERR_OK ||
	             (rc = measure(k, &usual_us, e)) != ERR_OK ||
	             (rc = check_kills(k, usual_us, e)) != ERR_OK ||
	             (rc = check_deadlines(k, usual_us, e)) != ERR_OK))
		return rc;
	return clean_up(k, e);
}

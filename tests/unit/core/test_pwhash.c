/* SPDX-License-Identifier: Apache-2.0 */
/* pwhash and lockout, with the real thread where it matters. */
#include "core_rig.h"

#include <poll.h>

#include "batch.h"
#include "lockout.h"
#include "mounts.h"
#include "pwhash.h"

/* "U*U" and its hash, from the test vectors of crypt_blowfish. */
static const char bcrypt_stored[] =
	"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

static void threaded(void)
{
	rig.pw_thread = true;
	rig_start();
}

TestSuite(pwhash, .init = threaded, .fini = rig_stop, .timeout = 120);

static struct pwhash_result finish(const unsigned char ticket[PWHASH_TICKET])
{
	struct pwhash_result out = { 0 };
	int rc;

	while ((rc = pwhash_take(rig.core, ticket, &out)) == ERR_BUSY) {
		struct pollfd p = { .fd = pwhash_fd(rig.core), .events = POLLIN };

		cr_assert_gt(poll(&p, 1, 60000), 0, "the thread does not answer");
		pwhash_wake(rig.core);
	}
	cr_assert_eq(rc, ERR_OK);
	return out;
}

static struct pwhash_result check(const char *stored, const char *password)
{
	unsigned char ticket[PWHASH_TICKET];
	struct err e = { 0 };

	cr_assert_eq(pwhash_check(rig.core, stored, password, strlen(password), ticket,
	                          &e),
	             ERR_OK, "%s", e.msg);
	return finish(ticket);
}

static struct pwhash_result make(const char *password)
{
	unsigned char ticket[PWHASH_TICKET];
	struct err e = { 0 };

	cr_assert_eq(pwhash_make(rig.core, password, strlen(password), ticket, &e),
	             ERR_OK, "%s", e.msg);
	return finish(ticket);
}

Test(pwhash, knows_a_password_again)
{
	struct pwhash_result made = make("correct horse"), twice = make("correct horse");

	cr_assert(pwhash_supported(made.stored));
	cr_assert_str_neq(made.stored, twice.stored, "there is no salt");
	cr_assert(strstr(made.stored, "$argon2id$v=19$m=65536,t=3,p=1$") == made.stored,
	          "%s", made.stored);
	cr_assert(check(made.stored, "correct horse").match);
	cr_assert(!check(made.stored, "correct hors").match);
	cr_assert(!check(made.stored, "").match);
}

Test(pwhash, nobody_matches_nothing)
{
	cr_assert(!check(NULL, "").match);
	cr_assert(!check(NULL, "password").match);
}

Test(pwhash, imported_bcrypt)
{
	cr_assert(pwhash_supported(bcrypt_stored));
	cr_assert(check(bcrypt_stored, "U*U").match);
	cr_assert(!check(bcrypt_stored, "U*V").match);
	cr_assert(!pwhash_supported("$1$abc$xyz"));
	cr_assert(!pwhash_supported("plain"));
	cr_assert(!pwhash_supported(""));
}

#define SALT_AND_SUM "$/4S6xfEBvvq+eqPVk/zGFw$Q2jc5Y+axus1gAQ1J9HRP4piGOeV2PSp2Sd0nScpjD0"
#define BCRYPT_REST  "$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

/* One thread checks all passwords: no stored one may keep it, or take its memory. */
Test(pwhash, what_costs_too_much_is_refused)
{
	static const struct {
		const char *stored;
		bool want;
	} c[] = {
		{"$argon2id$v=19$m=65536,t=3,p=1" SALT_AND_SUM,               true },
		{ "$argon2id$v=19$m=262144,t=10,p=4" SALT_AND_SUM,            true },
		{ "$argon2id$v=19$m=262145,t=3,p=1" SALT_AND_SUM,             false},
		{ "$argon2id$v=19$m=65536,t=11,p=1" SALT_AND_SUM,             false},
		{ "$argon2id$v=19$m=65536,t=3,p=17" SALT_AND_SUM,             false},
		{ "$argon2id$v=19$m=4294967297,t=3,p=1" SALT_AND_SUM,         false},
		{ "$argon2id$v=19$m=-1,t=3,p=1" SALT_AND_SUM,                 false},
		{ "$argon2id$v=19$m=65536,t=,p=1" SALT_AND_SUM,               false},
		{ "$argon2id$v=16$m=65536,t=3,p=1" SALT_AND_SUM,              false},
		{ "$argon2id$m=65536,t=3,p=1" SALT_AND_SUM,                   false},
		{ "$argon2id$v=19$m=65536,t=3,p=1" SALT_AND_SUM SALT_AND_SUM, false},
		{ "$2b$04" BCRYPT_REST,                                       true },
		{ "$2b$15" BCRYPT_REST,                                       true },
		{ "$2b$16" BCRYPT_REST,                                       false},
		{ "$2b$31" BCRYPT_REST,                                       false},
		{ "$2b$03" BCRYPT_REST,                                       false},
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		cr_assert_eq(pwhash_supported(c[i].stored), c[i].want, "%s", c[i].stored);
}

Test(pwhash, queue_is_bounded_and_results_are_given_once)
{
	unsigned char ticket[5][PWHASH_TICKET];
	struct pwhash_result out;
	struct err e = { 0 };

	for (int i = 0; i < 4; i++) {
		cr_assert(pwhash_ready(rig.core));
		cr_assert_eq(pwhash_check(rig.core, NULL, "x", 1, ticket[i], &e), ERR_OK);
	}
	cr_assert(!pwhash_ready(rig.core));
	cr_assert_eq(pwhash_check(rig.core, NULL, "x", 1, ticket[4], &e), ERR_BUSY);
	for (int i = 0; i < 4; i++) {
		finish(ticket[i]);
		cr_assert_eq(pwhash_take(rig.core, ticket[i], &out), ERR_NOENT);
	}
	cr_assert(pwhash_ready(rig.core));
}

Test(pwhash, a_result_that_nobody_takes_makes_room)
{
	unsigned char ticket[PWHASH_TICKET];
	struct err e = { 0 };

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pwhash_check(rig.core, NULL, "x", 1, ticket, &e), ERR_OK);
	while (pwhash_take(rig.core, ticket, &(struct pwhash_result){ 0 }) == ERR_BUSY) {
		struct pollfd p = { .fd = pwhash_fd(rig.core), .events = POLLIN };

		cr_assert_gt(poll(&p, 1, 60000), 0);
		pwhash_wake(rig.core);
	}
	cr_assert_eq(pwhash_check(rig.core, NULL, "x", 1, ticket, &e), ERR_OK);
	cr_assert(!pwhash_ready(rig.core));
	finish(ticket); /* in order: the three others are done by now */
	rig.core->boot_ms += 61000;
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pwhash_check(rig.core, NULL, "x", 1, ticket, &e), ERR_OK,
		             "%s", e.msg);
}

Test(pwhash, too_long_a_password_is_refused)
{
	char big[PWHASH_PASSWORD + 1];
	unsigned char ticket[PWHASH_TICKET];
	struct err e = { 0 };

	memset(big, 'x', sizeof(big));
	cr_assert_eq(pwhash_check(rig.core, NULL, big, PWHASH_PASSWORD, ticket, &e),
	             ERR_INVALID);
	cr_assert_eq(pwhash_check(rig.core, NULL, big, PWHASH_PASSWORD - 1, ticket, &e),
	             ERR_OK);
}

TestSuite(lockout, .init = rig_start, .fini = rig_stop, .timeout = 60);

static const struct mount_lockout rule = {
	.attempts = 5,
	.duration_ms = 15 * 60 * 1000,
	.reset_ms = 15 * 60 * 1000,
};
static const unsigned char mount[16] = { 1 }, other_mount[16] = { 2 };

/* Each in a transaction of its own, as requests are. */
static int run_count(struct core *c, void *arg, struct err *e)
{
	return lockout_count(c, rig.a, mount, arg, &rule, e);
}

static int run_clear(struct core *c, void *arg, struct err *e)
{
	return lockout_clear(c, rig.a, mount, arg, e);
}

static int run_expire(struct core *c, void *arg, struct err *e)
{
	(void)arg;
	return lockout_expire_due(c, rig.a, 10, e);
}

static void run(int (*fn)(struct core *c, void *arg, struct err *e), const char *name)
{
	char copy[32];
	struct err e = { 0 };

	snprintf(copy, sizeof(copy), "%s", name);
	cr_assert_eq(batch_alone(rig.core, fn, copy, &e), ERR_OK, "%s", e.msg);
}

static bool locked(const unsigned char on[16], const char *name)
{
	struct err e = { 0 };
	bool out = false;

	rig.core->now_ms = rig.wall;
	cr_assert_eq(lockout_locked(rig.core, rig.a, on, name, &out, &e), ERR_OK, "%s",
	             e.msg);
	return out;
}

Test(lockout, the_fifth_failure_locks_that_name_there)
{
	for (int i = 0; i < 4; i++)
		run(run_count, "ann");
	cr_assert(!locked(mount, "ann"));
	run(run_count, "ann");
	cr_assert(locked(mount, "ann"));
	cr_assert(!locked(mount, "bob"));
	cr_assert(!locked(other_mount, "ann"));
	rig_advance(15 * 60 * 1000 - 1);
	cr_assert(locked(mount, "ann"));
	rig_advance(1);
	cr_assert(!locked(mount, "ann"));
	run(run_count, "ann"); /* counts from the start again */
	cr_assert(!locked(mount, "ann"));
}

Test(lockout, success_and_time_forget)
{
	for (int i = 0; i < 4; i++)
		run(run_count, "ann");
	run(run_clear, "ann");
	for (int i = 0; i < 4; i++)
		run(run_count, "ann");
	cr_assert(!locked(mount, "ann"));
	rig_advance(15 * 60 * 1000);
	for (int i = 0; i < 4; i++)
		run(run_count, "ann");
	cr_assert(!locked(mount, "ann"));
}

Test(lockout, rows_vanish_and_survive_a_restart_until_then)
{
	for (int i = 0; i < 5; i++)
		run(run_count, "ann");
	rig_reopen();
	cr_assert(locked(mount, "ann"));
	cr_assert_eq(store_count(rig.core, KIND_LOCKOUT), 1);
	rig_advance(15 * 60 * 1000);
	run(run_expire, "");
	cr_assert_eq(store_count(rig.core, KIND_LOCKOUT), 0);
}

static int lock_many(struct core *c, void *arg, struct err *e)
{
	static const struct mount_lockout at_once = { .attempts = 1,
		                                      .duration_ms = 60000,
		                                      .reset_ms = 60000 };
	int rc = ERR_OK;

	for (int i = 0; rc == ERR_OK && i < 600; i++)
		rc = lockout_count(c, rig.a, arg, arena_printf(rig.a, "user-%03d", i),
		                   i % 2 == 0 ? &at_once : &rule, e);
	return rc;
}

/* However many names somebody has tried: a slice at a time. */
Test(lockout, the_locked_are_listed_in_slices)
{
	unsigned char id[16];
	struct err e = { 0 };
	int before;

	ASK(204, HTTP_POST, "sys/auth/userpass", "{\"type\":\"userpass\"}");
	memcpy(id, mounts_at(rig.core, "auth/userpass/")->id, sizeof(id));
	cr_assert_eq(batch_alone(rig.core, lock_many, id, &e), ERR_OK, "%s", e.msg);
	before = rig.replies;
	rig_submit(HTTP_GET, "sys/locked-users", rig.root, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before, "at one go");
	for (int i = 0; i < 10 && rig.replies == before; i++)
		rig_run();
	cr_assert_eq(rig.status, 200);
	GOT("data.total", "300");
	GOT("data.by_namespace.0.mount_accessors.0.counts", "300");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator of a database changes its own password while others need it: nobody
 * is refused for that, and nobody's refusals keep the change from being ended. */
#include "target_rig.h"

#define CONFIG "database/config/db"
#define ROLE   "database/roles/app"
#define CREDS  "database/creds/app"
#define ROOT   "database/rotate-root/db"

static void setup(void)
{
	tgt_start();
	tgt_account("root", "top");
	ASK(204, HTTP_POST, "sys/mounts/database", "{\"type\":\"database\"}");
	TGT(204, HTTP_POST, CONFIG,
	    "{\"plugin_name\":\"fake\",\"host\":\"db\",\"allowed_roles\":\"*\","
	    "\"username\":\"root\",\"password\":\"top\"}");
	ASK(204, HTTP_POST, ROLE,
	    "{\"db_name\":\"db\",\"creation_statements\":[\"CREATE {{name}}\"],"
	    "\"default_ttl\":\"10m\",\"max_ttl\":\"1h\"}");
	tgt.log[0] = '\0';
}

TestSuite(database_admin, .init = setup, .fini = rig_stop, .timeout = 120);

static void some_runs(int n)
{
	for (int i = 0; i < n; i++) {
		rig_run();
		rig_advance(10);
	}
}

/* The first ${n} calls that wait are done. */
static void answer(size_t n)
{
	size_t all = tgt.queued;

	cr_assert(n <= all);
	for (size_t i = 0; i < n; i++)
		tgt_one(tgt.queue[i].number, tgt.queue[i].frame);
	memmove(tgt.queue, tgt.queue + n, (all - n) * sizeof(tgt.queue[0]));
	tgt.queued = all - n;
}

static const char *queued_op(void)
{
	return tgt.queued == 0 ? ""
	                       : tgt_text(value_get(tgt.queue[0].frame, "request"), "op");
}

/* Somebody has asked for it, and the database has not heard of it yet. */
static void until_set(void)
{
	rig_submit(HTTP_POST, ROOT, rig.root, NULL);
	for (int i = 0; i < 50 && tgt.queued == 0; i++)
		some_runs(1);
	cr_assert(strcmp(queued_op(), "set") == 0);
}

Test(database_admin, accounts_are_made_when_the_change_is_over)
{
	int before = rig.replies;

	until_set();
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	rig_submit(HTTP_POST, CONFIG, rig.root, "{\"max_open_connections\":7}");
	some_runs(20);
	cr_assert_eq(tgt.queued, 1, "nobody logs in meanwhile");
	tgt_run();
	cr_assert_eq(rig.replies, before + 3);
	cr_assert_eq(tgt.logins_refused, 0);
	cr_assert(strstr(tgt.log, "user_create") != NULL);
	TGT(200, HTTP_GET, CREDS, NULL);
}

/* Not for ever. */
Test(database_admin, who_waits_too_long_is_told)
{
	int before = rig.replies;

	until_set();
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	some_runs(20);
	cr_assert_eq(rig.replies, before);
	rig_advance(21 * 1000);
	some_runs(2);
	cr_assert_eq(rig.replies, before + 1);
	cr_assert_eq(rig.status, 503);
	cr_assert(strstr(rig_got("errors.0"), "is being changed") != NULL);
	tgt_later(5000);
	TGT(200, HTTP_GET, CREDS, NULL);
}

/* It was on its way when the change began, and is refused for that. */
static void overtaken(void)
{
	rig_submit(HTTP_POST, CONFIG, rig.root, "{\"max_open_connections\":7}");
	for (int i = 0; i < 50 && strcmp(queued_op(), "login") != 0; i++) {
		answer(tgt.queued);
		some_runs(1);
	}
	cr_assert(strcmp(queued_op(), "login") == 0);
}

Test(database_admin, a_login_that_was_overtaken_does_not_count)
{
	for (int i = 0; i < 4; i++) {
		char now[160];

		overtaken();
		/* The change, as another session of the database has it done. */
		rig_submit(HTTP_POST, ROOT, rig.root, NULL);
		some_runs(30);
		cr_assert_eq(tgt.queued, 2);
		memcpy(now, tgt.account[0].value[0], sizeof(now));
		tgt_one(tgt.queue[1].number, tgt.queue[1].frame);
		cr_assert(strcmp(now, tgt.account[0].value[0]) != 0);
		tgt.queued = 1;
		answer(1);
		tgt_run();
	}
	cr_assert_eq(tgt.logins_refused, 4);
	TGT(204, HTTP_POST, CONFIG, "{\"max_open_connections\":8}");
	TGT(204, HTTP_POST, ROOT, NULL);
}

/* What somebody else changes by hand is no rotation. */
Test(database_admin, a_wrong_password_counts_when_nothing_changes_it)
{
	TGT(204, HTTP_POST, ROOT, NULL);
	rig_advance(60 * 1000);
	snprintf(tgt.account[0].value[0], 160, "changed by hand");
	for (int i = 0; i < 3; i++)
		TGT(400, HTTP_POST, CONFIG, "{\"max_open_connections\":7}");
	ASK(429, HTTP_POST, CONFIG, "{\"max_open_connections\":7}");
	ASK(429, HTTP_GET, CREDS, NULL);
}

/* Accounts go when it is over; that is no failure of theirs. */
Test(database_admin, accounts_go_when_the_change_is_over)
{
	TGT(200, HTTP_GET, CREDS, NULL);
	rig_advance(11 * 60 * 1000);
	until_set();
	some_runs(50);
	cr_assert_eq(tgt.queued, 1, "nobody logs in meanwhile");
	tgt_later(5000);
	cr_assert_eq(tgt.accounts, 1);
	cr_assert_eq(tgt.logins_refused, 0);
}

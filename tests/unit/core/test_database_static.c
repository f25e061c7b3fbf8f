/* SPDX-License-Identifier: Apache-2.0 */
/* Static roles and administrators' credentials of the database engine, on the rotation
 * machine. */
#include "target_rig.h"

#define CONFIG "database/config/db"
#define ROLE   "database/static-roles/app"
#define CREDS  "database/static-creds/app"
#define ROTATE "database/rotate-role/app"
#define ROOT   "database/rotate-root/db"
#define BODY   "{\"db_name\":\"db\",\"username\":\"svc\",\"rotation_period\":\"1h\"}"

static void setup(void)
{
	tgt_start();
	tgt_account("root", "top");
	tgt_account("svc", "first-value");
	ASK(204, HTTP_POST, "sys/mounts/database", "{\"type\":\"database\"}");
	TGT(204, HTTP_POST, CONFIG,
	    "{\"plugin_name\":\"fake\",\"host\":\"db\",\"allowed_roles\":\"*\","
	    "\"username\":\"root\",\"password\":\"top\"}");
	tgt.log[0] = '\0';
}

TestSuite(database_static, .init = setup, .fini = rig_stop, .timeout = 120);

/* What is served opens the target. */
static const char *works(void)
{
	const char *password;

	ASK(200, HTTP_GET, CREDS, NULL);
	password = rig_got("data.password");
	GOT("data.username", "svc");
	cr_assert(tgt_works("svc", password), "%s is dead", password);
	return password;
}

static bool root_works(void)
{
	TGT(204, HTTP_POST, CONFIG, "{\"max_open_connections\":5}");
	return true;
}

/* Run until core has handed a call of this kind to rotate, which has not begun it. */
static void until_call(const char *op)
{
	for (int i = 0; i < 400; i++) {
		rig_run();
		if (tgt.queued > 0) {
			const struct value *rq = value_get(tgt.queue[0].frame, "request");

			if (strcmp(tgt_text(rq, "op"), op) == 0)
				return;
			tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
			tgt.queued = 0;
		}
		rig_advance(3);
	}
	cr_assert_fail("no %s was called: %s", op, tgt.log);
}

static void nothing_left(void)
{
	ASK(404, HTTP_GET, ROLE, NULL);
	ASK(400, HTTP_GET, CREDS, NULL);
	GOT("errors.0", "unknown role: app");
	cr_assert_eq(store_count(rig.core, KIND_SECRET), 0);
	cr_assert_eq(store_count(rig.core, KIND_ROTATION), 0);
	cr_assert_eq(store_count(rig.core, KIND_ATTEMPT), 0);
	cr_assert_eq(store_count(rig.core, KIND_DB_ROLE), 0);
}

/* ---- static roles ---- */

Test(database_static, rotated_at_creation_then_by_period)
{
	const char *first;

	TGT(204, HTTP_POST, ROLE, BODY);
	cr_assert_str_eq(tgt.log, "set test ");
	first = works();
	cr_assert_eq(strlen(first), 20);
	GOT("lease_id", "-");
	GOT("data.rotation_period", "3600");
	rig_advance(600 * 1000);
	works();
	cr_assert(strncmp(rig_got("data.ttl"), "29", 2) == 0 ||
	                  strncmp(rig_got("data.ttl"), "300", 3) == 0,
	          "it counts down: %s", rig_got("data.ttl"));
	rig_advance(3001 * 1000);
	tgt_run();
	cr_assert_str_neq(works(), first);
	ASK(200, HTTP_GET, ROLE, NULL);
	GOT("data.username", "svc");
	GOT("data.db_name", "db");
	cr_assert_str_neq(rig_got("data.last_vault_rotation"), "-");
	ASK(200, HTTP_LIST, "database/static-roles", NULL);
	GOT("data.keys.0", "app");
	ASK(404, HTTP_LIST, "database/roles", NULL);
}

/* The connection would go on with a password that is dead. */
Test(database_static, the_administrator_is_no_static_role)
{
	const char *root =
		"{\"db_name\":\"db\",\"username\":\"root\",\"rotation_period\":\"1h\"}";

	TGT(400, HTTP_POST, ROLE, root);
	cr_assert(strstr(rig_got("errors.0"), "rotate-root") != NULL);
	ASK(404, HTTP_GET, ROLE, NULL);
	cr_assert(tgt_works("root", "top"));
	TGT(204, HTTP_POST, ROOT, NULL);
	TGT(400, HTTP_POST, ROLE, root);
	cr_assert(root_works());
}

Test(database_static, rotated_on_demand)
{
	const char *first;

	TGT(400, HTTP_POST, ROTATE, NULL);
	GOT("errors.0", "no static role found for role name");
	TGT(204, HTTP_POST, ROLE, BODY);
	first = works();
	rig_advance(60 * 1000);
	TGT(204, HTTP_POST, ROTATE, NULL);
	cr_assert_str_neq(works(), first);
	GOT("data.ttl", "3600");
	tgt_fault("set", F_PERMANENT, 10);
	TGT(500, HTTP_POST, ROTATE, NULL);
	GOT("errors.0", "the target says no");
	works();
}

Test(database_static, what_it_refuses)
{
	static const struct {
		const char *body, *error;
	} rows[] = {
		{"{\"username\":\"svc\",\"rotation_period\":60}",
                 "database name is a required field"											  },
		{ "{\"db_name\":\"db\",\"rotation_period\":60}",
                 "username is a required field to create a static account"                                                                    },
		{ "{\"db_name\":\"db\",\"username\":\"svc\"}",
                 "one of rotation_schedule or rotation_period must be provided to create a "
		  "static account"													    },
		{ "{\"db_name\":\"db\",\"username\":\"svc\",\"rotation_period\":4}",
                 "rotation_period must be 5 seconds or more"										  },
		{ "{\"db_name\":\"db\",\"username\":\"svc\",\"rotation_period\":60,"
		  "\"rotation_schedule\":\"0 3 * * *\"}",           "mutually exclusive fields rotation_period and rotation_schedule were "
		  "both specified; only one of them can be provided"},
		{ "{\"db_name\":\"db\",\"username\":\"svc\",\"rotation_period\":60,"
		  "\"rotation_window\":\"2h\"}",		    "rotation_window is invalid with use of rotation_period" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		TGT(400, HTTP_POST, ROLE, rows[i].body);
		GOT("errors.0", rows[i].error);
	}
	TGT(204, HTTP_POST, ROLE, BODY);
	TGT(400, HTTP_POST, ROLE, "{\"username\":\"other\"}");
	GOT("errors.0", "cannot update static account username");
	TGT(400, HTTP_POST, "database/roles/app", "{\"db_name\":\"db\"}");
	GOT("errors.0", "Role and Static Role names must be unique");
	TGT(204, HTTP_POST, ROLE,
	    "{\"rotation_schedule\":\"0 3 * * *\",\"rotation_window\":\"1h\"}");
	works();
	GOT("data.rotation_schedule", "0 3 * * *");
	GOT("data.rotation_window", "3600");
}

Test(database_static, a_failure_leaves_nothing)
{
	tgt_fault("set", F_PERMANENT, 10);
	TGT(500, HTTP_POST, ROLE, BODY);
	GOT("errors.0", "the target says no");
	nothing_left();
	tgt.faults = 0;
	tgt_fault("test", F_PERMANENT, 1);
	TGT(500, HTTP_POST, ROLE, BODY);
	nothing_left();
	TGT(204, HTTP_POST, ROLE, BODY);
	works();
}

Test(database_static, a_lost_answer_is_asked_for)
{
	tgt_fault("set", F_LOST, 1);
	TGT(204, HTTP_POST, ROLE, BODY);
	works();
	tgt_fault("set", F_SILENT, 1);
	TGT(204, HTTP_POST, ROTATE, NULL);
	works();
}

static void crash(bool done)
{
	rig_submit(HTTP_POST, ROLE, rig.root, BODY);
	until_call("set");
	tgt_crash(done);
	tgt_later(30 * 1000);
	works();
	ASK(204, HTTP_DELETE, ROLE, NULL);
	nothing_left();
}

Test(database_static, a_crash_in_between_is_gone_on_with)
{
	crash(true);
	crash(false);
}

Test(database_static, a_target_that_is_down_is_said_so)
{
	tgt.down = true;
	TGT(500, HTTP_POST, ROLE, BODY);
	nothing_left();
}

Test(database_static, a_secret_for_everything_else)
{
	TGT(204, HTTP_POST, ROLE, BODY);
	TGT(200, HTTP_POST, "sys/rotation/rotate/" CREDS, "{}");
	GOT("data.state", "converged");
	works();
	ASK(200, HTTP_GET, "sys/rotation/status/" CREDS, NULL);
	ASK(400, HTTP_POST, "sys/rotation/config/" CREDS, "{\"length\":40}");
	ASK(400, HTTP_DELETE, "sys/rotation/config/" CREDS, NULL);
	ASK(404, HTTP_GET, "database/data/static-creds/app", NULL);
	ASK(400, HTTP_POST, "sys/rotation/rotate/database/roles/app", "{}");
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"database\",\"to\":\"pg\"}");
	tgt_run();
	TGT(200, HTTP_POST, "sys/rotation/rotate/pg/static-creds/app", "{}");
	GOT("data.path", "pg/static-creds/app");
	ASK(204, HTTP_DELETE, "sys/mounts/pg", NULL);
	tgt_run();
	cr_assert_eq(store_count(rig.core, KIND_SECRET), 0);
	cr_assert_eq(store_count(rig.core, KIND_TARGET), 0);
	cr_assert_eq(tgt.accounts, 2, "the account stays");
}

/* ---- the administrator ---- */

Test(database_static, root_is_rotated_as_itself)
{
	TGT(204, HTTP_POST, ROOT, NULL);
	cr_assert_str_eq(tgt.log, "set test ");
	cr_assert_not(tgt_works("root", "top"));
	cr_assert(root_works());
	TGT(204, HTTP_POST, ROLE, BODY);
	works();
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.username", "root");
	GOT("data.connection_details.password", "-");
	ASK(405, HTTP_GET, ROOT, NULL);
	ASK(200, HTTP_GET, "sys/rotation/status/" ROOT, NULL);
	TGT(204, HTTP_POST, ROOT, NULL);
	cr_assert(root_works());
}

static void root_crash(bool done)
{
	rig_submit(HTTP_POST, ROOT, rig.root, NULL);
	until_call("set");
	tgt_crash(done);
	tgt_later(30 * 1000);
	cr_assert(root_works());
}

Test(database_static, root_survives_a_crash)
{
	root_crash(true);
	root_crash(false);
	tgt_fault("set", F_SILENT, 1);
	TGT(204, HTTP_POST, ROOT, NULL);
	cr_assert(root_works());
}

Test(database_static, a_new_root_takes_the_place_of_a_rotated_one)
{
	TGT(204, HTTP_POST, ROOT, NULL);
	tgt_make("root", "set-by-hand");
	TGT(204, HTTP_POST, CONFIG, "{\"password\":\"set-by-hand\"}");
	cr_assert_eq(store_count(rig.core, KIND_SECRET), 0);
	TGT(204, HTTP_POST, ROOT, NULL);
	cr_assert(root_works());
	cr_assert_not(tgt_works("root", "set-by-hand"));
}

Test(database_static, an_engine_is_not_unmounted_while_root_is_in_doubt)
{
	tgt_fault("set", F_SILENT, 1);
	rig_submit(HTTP_POST, ROOT, rig.root, NULL);
	until_call("set");
	tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
	tgt.queued = 0;
	ASK(400, HTTP_DELETE, "sys/mounts/database", NULL);
	tgt_make("root", "set-by-hand");
	tgt_run();
	tgt_later(10 * 1000);
	ASK(200, HTTP_GET, "sys/rotation/status/" ROOT, NULL);
	GOT("data.last.state", "held");
	ASK(400, HTTP_DELETE, "sys/mounts/database", NULL);
	cr_assert(strstr(rig_got("errors"), "is held") != NULL, "%s", rig_got(""));
	TGT(204, HTTP_POST, CONFIG, "{\"password\":\"set-by-hand\"}");
	ASK(204, HTTP_DELETE, "sys/mounts/database", NULL);
	tgt_run();
	cr_assert_eq(store_count(rig.core, KIND_TARGET), 0);
}

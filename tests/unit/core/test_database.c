/* SPDX-License-Identifier: Apache-2.0 */
/* The database engine against a target that can do anything: whatever is lost, an account
 * that nobody was told of goes, and a credential that is served works. */
#include "target_rig.h"

#include "server/core/database/db_lease.h"

#define CONFIG "database/config/db"
#define ROLE   "database/roles/app"
#define CREDS  "database/creds/app"
#define LATER  (40ll * 1000)

static void setup(void)
{
	tgt_start();
	tgt_account("root", "top");
	tgt_account("svc", "first-value");
	ASK(204, HTTP_POST, "sys/mounts/database", "{\"type\":\"database\"}");
	TGT(204, HTTP_POST, CONFIG,
	    "{\"plugin_name\":\"fake\",\"host\":\"db\",\"allowed_roles\":\"*\","
	    "\"username\":\"root\",\"password\":\"top\"}");
	ASK(204, HTTP_POST, ROLE,
	    "{\"db_name\":\"db\",\"creation_statements\":[\"CREATE {{name}}\"],"
	    "\"default_ttl\":\"10m\",\"max_ttl\":\"1h\"}");
	tgt.log[0] = '\0';
}

TestSuite(database, .init = setup, .fini = rig_stop, .timeout = 120);

/* Accounts beside those that were there before. */
static size_t made(void)
{
	return tgt.accounts - 2;
}

static int64_t rows(void)
{
	return store_count(rig.core, KIND_DB_LEASE);
}

static const char *got_creds(void)
{
	TGT(200, HTTP_GET, CREDS, NULL);
	return rig_got("lease_id");
}

static const char *lease_body(const char *lease)
{
	return arena_printf(rig.a, "{\"lease_id\":\"%s\"}", lease);
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

/* ---- connections ---- */

Test(database, config_never_shows_a_password)
{
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.plugin_name", "fake");
	GOT("data.connection_details.username", "root");
	GOT("data.connection_details.host", "db");
	GOT("data.connection_details.password", "-");
	GOT("data.allowed_roles.0", "*");
	TGT(200, HTTP_POST, CONFIG, "{\"connection_url\":\"pg://adm:s%40ck@h:1/x@y\"}");
	cr_assert(strstr(rig_got("warnings"), "Password found") != NULL);
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.connection_url",
	    "pg://{{username}}:{{password}}@h:1/x@y");
	GOT("data.connection_details.username", "adm");
	cr_assert_null(strstr(rig_got(""), "ck"));
	TGT(200, HTTP_POST, CONFIG, "{\"connection_url\":\"adm:p:@/w@tcp(h:1)/x\"}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.connection_url",
	    "{{username}}:{{password}}@tcp(h:1)/x");
	TGT(400, HTTP_POST, CONFIG, "{\"connection_url\":\"host=h password=geheim\"}");
	cr_assert_null(strstr(rig_got(""), "geheim"));
}

/* Wherever it stands in the URL. */
Test(database, config_hides_a_password_beside_a_placeholder)
{
	static const char *const refused[] = {
		"pg://{{username}}@h/x?password=geheim",
		"pg://h/x?sslpassword=geheim",
		"host=h user={{username}} password = 'geheim'",
		"pg://{{username}}:{{password}}@h/x?password={{password}}&Password=geheim",
	};
	static const char *const kept[] = {
		"pg://{{username}}:{{password}}@h/x",
		"pg://{{ username }}:{{ password }}@h/x?sslmode=require",
		"host=h user={{username}} password='{{password}}'",
		"pg://h/x",
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		TGT(400, HTTP_POST, CONFIG,
		    arena_printf(rig.a, "{\"connection_url\":\"%s\"}", refused[i]));
		cr_assert_null(strstr(rig_got(""), "geheim"), "%s", refused[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		TGT(204, HTTP_POST, CONFIG,
		    arena_printf(rig.a, "{\"connection_url\":\"%s\"}", kept[i]));
		ASK(200, HTTP_GET, CONFIG, NULL);
		GOT("data.connection_details.connection_url", kept[i]);
	}
	TGT(200, HTTP_POST, CONFIG, "{\"connection_url\":\"pg://adm:top@h/x?a={{b}}\"}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.connection_url",
	    "pg://{{username}}:{{password}}@h/x?a={{b}}");
	TGT(200, HTTP_POST, CONFIG, "{\"connection_url\":\"pg://{{username}}:top@h/x\"}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.connection_url",
	    "pg://{{username}}:{{password}}@h/x");
}

Test(database, config_proves_that_it_can_connect)
{
	tgt_fault("login", F_AUTH, 1);
	TGT(400, HTTP_POST, "database/config/two",
	    "{\"plugin_name\":\"fake\",\"username\":\"u\",\"password\":\"p\"}");
	cr_assert(strstr(rig_got("errors"), "error verifying connection") != NULL);
	ASK(404, HTTP_GET, "database/config/two", NULL);
	TGT(400, HTTP_POST, "database/config/two", "{\"username\":\"u\"}");
	GOT("errors.0", "empty plugin name");
	TGT(204, HTTP_POST, "database/config/two",
	    "{\"plugin_name\":\"fake\",\"verify_connection\":false}");
	ASK(200, HTTP_LIST, "database/config", NULL);
	GOT("data.keys.1", "two");
	ASK(204, HTTP_DELETE, "database/config/two", NULL);
	ASK(204, HTTP_POST, "database/reset/db", NULL);
	ASK(400, HTTP_POST, "database/reset/two", NULL);
}

/* Connections that are there, and such that are not. */
Test(database, writing_a_connection_again_and_again_locks_no_administrator_out)
{
	static const char *const path[] = { CONFIG, "database/config/new" };
	static const char *const bad =
		"{\"plugin_name\":\"fake\",\"username\":\"root\",\"password\":\"bad\"}";

	for (size_t i = 0; i < ARRAY_LEN(path); i++) {
		for (int n = 0; n < 3; n++) {
			TGT(400, HTTP_POST, path[i], bad);
			cr_assert(strstr(rig_got("errors.0"),
			                 "error verifying connection") != NULL);
		}
		tgt.log[0] = '\0';
		ASK(429, HTTP_POST, path[i], bad);
		cr_assert_str_eq(tgt.log, "");
	}
	ASK(404, HTTP_GET, path[1], NULL);
	ASK(204, HTTP_POST, "database/reset/db", NULL);
	TGT(204, HTTP_POST, CONFIG, "{\"username\":\"root\",\"password\":\"top\"}");
}

/* Making an account, and removing what may have been made, are logins too. */
Test(database, asking_for_accounts_again_and_again_locks_no_administrator_out)
{
	tgt_make("root", "changed by somebody");
	for (int i = 0; i < 4; i++)
		(void)tgt_ask(HTTP_GET, CREDS, NULL);
	tgt_later(400 * 1000);
	ASK(429, HTTP_GET, CREDS, NULL);
	cr_assert_leq(tgt.logins_refused, 3, "%d failed logins", tgt.logins_refused);
	tgt_make("root", "top");
	tgt_later(600 * 1000);
	tgt.logins_refused = 0;
	TGT(200, HTTP_GET, CREDS, NULL);
	cr_assert_eq(tgt.logins_refused, 0);
	ASK(200, HTTP_LIST, "sys/leases/lookup/database/creds/app", NULL);
	GOT("data.keys.1", "-"); /* nothing is left of what was never made */
}

/* ---- accounts for a while ---- */

Test(database, creds_live_as_long_as_their_lease)
{
	const char *lease, *user;

	TGT(200, HTTP_GET, CREDS, NULL);
	lease = rig_got("lease_id");
	user = rig_got("data.username");
	GOT("renewable", "true");
	GOT("lease_duration", "600");
	cr_assert(strncmp(lease, "database/creds/app/", 19) == 0, "%s", lease);
	cr_assert(strncmp(user, "v-root-app-", 11) == 0, "%s", user);
	cr_assert(tgt_works(user, rig_got("data.password")));
	ASK(200, HTTP_POST, "sys/leases/lookup", lease_body(lease));
	GOT("data.ttl", "600");
	rig_advance(300 * 1000);
	TGT(200, HTTP_POST, "sys/leases/renew", lease_body(lease));
	GOT("lease_duration", "600");
	ASK(200, HTTP_LIST, "sys/leases/lookup/database/creds/app", NULL);
	rig_advance(599 * 1000);
	tgt_run();
	cr_assert_eq(made(), 1);
	rig_advance(2 * 1000);
	tgt_run();
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
	cr_assert_str_eq(tgt.log, "user_create user_renew user_revoke ");
	ASK(400, HTTP_POST, "sys/leases/lookup", lease_body(lease));
	GOT("errors.0", "invalid lease");
}

Test(database, renewals_end_at_the_maximum)
{
	const char *lease = got_creds();

	rig_advance(590 * 1000);
	TGT(200, HTTP_POST, "sys/leases/renew",
	    arena_printf(rig.a, "{\"lease_id\":\"%s\",\"increment\":\"2h\"}", lease));
	cr_assert(strncmp(rig_got("lease_duration"), "30", 2) == 0, "%s",
	          rig_got("lease_duration"));
}

Test(database, roles_say_who_may)
{
	TGT(400, HTTP_GET, "database/creds/none", NULL);
	GOT("errors.0", "unknown role: none");
	TGT(204, HTTP_POST, CONFIG, "{\"allowed_roles\":\"x*,*y\"}");
	TGT(500, HTTP_GET, CREDS, NULL);
	GOT("errors.0", "\"app\" is not an allowed role");
	TGT(204, HTTP_POST, CONFIG, "{\"allowed_roles\":\"*pp\"}");
	TGT(200, HTTP_GET, CREDS, NULL);
	ASK(204, HTTP_DELETE, CONFIG, NULL);
	TGT(500, HTTP_GET, CREDS, NULL);
	GOT("errors.0", "failed to find entry for connection with name: \"db\"");
	ASK(200, HTTP_GET, ROLE, NULL);
	GOT("data.default_ttl", "600");
	GOT("data.creation_statements.0", "CREATE {{name}}");
}

Test(database, password_policies_make_passwords)
{
	ASK(204, HTTP_POST, "sys/policies/password/hex",
	    "{\"policy\":\"length=40 rule \\\"charset\\\" { charset = "
	    "\\\"0123456789bcdef\\\" }\"}");
	TGT(204, HTTP_POST, CONFIG, "{\"password_policy\":\"hex\"}");
	TGT(200, HTTP_GET, CREDS, NULL);
	cr_assert_eq(strlen(rig_got("data.password")), 40);
	cr_assert_eq(strspn(rig_got("data.password"), "0123456789bcdef"), 40);
}

static void goes_away(enum fault f)
{
	tgt_fault("user_create", f, 1);
	TGT(502, HTTP_GET, CREDS, NULL);
	tgt_later(LATER);
	cr_assert_eq(made(), 0, "%s", tgt.log);
	cr_assert_eq(rows(), 0);
}

Test(database, what_was_made_unheard_of_is_revoked)
{
	goes_away(F_SILENT);
	goes_away(F_LOST);
	goes_away(F_PERMANENT);
	goes_away(F_RETRYABLE);
}

Test(database, an_account_that_comes_late_is_revoked)
{
	tgt_fault("user_create", F_LOST, 1);
	TGT(502, HTTP_GET, CREDS, NULL);
	tgt_run();
	cr_assert_neq(strstr(tgt.log, "user_revoke"), NULL);
	cr_assert_eq(rows(), 1, "the call may still do its work");
	tgt_make(tgt.asked, "late");
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

static void crash(bool done)
{
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	until_call("user_create");
	tgt_crash(done);
	cr_assert_eq(rows(), 1, "the row was there first");
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, a_crash_while_it_is_made_leaves_nothing)
{
	crash(true);
	crash(false);
}

Test(database, a_client_that_has_gone_leaves_nothing)
{
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	until_call("user_create");
	core_cancel(rig.core, 1, rig.next_id);
	tgt_run();
	cr_assert_eq(made(), 1);
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, revoked_on_demand)
{
	const char *lease = got_creds();

	TGT(204, HTTP_POST, "sys/leases/revoke", lease_body(lease));
	cr_assert_eq(made(), 0);
	TGT(204, HTTP_POST, "sys/leases/revoke", lease_body(lease));
	got_creds();
	got_creds();
	cr_assert_eq(made(), 2);
	TGT(204, HTTP_POST, "sys/leases/revoke-prefix/database/creds", NULL);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, a_crash_while_it_is_revoked_revokes_it)
{
	got_creds();
	rig_advance(601 * 1000);
	until_call("user_revoke");
	tgt_crash(false);
	cr_assert_eq(made(), 1);
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, what_cannot_be_revoked_is_seen)
{
	const char *lease = got_creds();

	tgt_fault("user_revoke", F_PERMANENT, 100);
	TGT(502, HTTP_POST, "sys/leases/revoke", lease_body(lease));
	ASK(200, HTTP_GET, "sys/leases/count", "{\"type\":\"irrevocable\"}");
	GOT("data.lease_count", "0");
	for (int i = 0; i < DB_REVOKE_TRIES; i++) {
		rig_advance(600 * 1000);
		tgt_run();
	}
	ASK(200, HTTP_GET, "sys/leases/count", "{\"type\":\"irrevocable\"}");
	GOT("data.lease_count", "1");
	ASK(200, HTTP_GET, "sys/leases", "{\"type\":\"irrevocable\"}");
	GOT("data.leases.0.lease_id", lease);
	GOT("data.leases.0.error", "the target says no");
	rig_advance(3600 * 1000);
	tgt_run();
	cr_assert_eq(rows(), 1);
	TGT(204, HTTP_POST, "sys/leases/revoke-force/database", NULL);
	cr_assert_eq(rows(), 0);
	cr_assert_eq(made(), 1, "that is what force means");
}

Test(database, creds_end_with_their_token)
{
	const char *token;
	int before;

	ASK(204, HTTP_POST, "sys/policies/acl/db",
	    "{\"policy\":\"path \\\"database/creds/*\\\" { capabilities = "
	    "[\\\"read\\\"] }\"}");
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":\"db\",\"ttl\":\"1h\"}");
	token = rig_got("auth.client_token");
	for (int i = 0; i < 2; i++) {
		before = rig.replies;
		rig_submit(HTTP_GET, CREDS, token, NULL);
		tgt_run();
		cr_assert_eq(rig.replies, before + 1);
		cr_assert_eq(rig.status, 200, "%s", rig_got(""));
	}
	got_creds();
	cr_assert_eq(made(), 3);
	ASK(204, HTTP_POST, "auth/token/revoke",
	    arena_printf(rig.a, "{\"token\":\"%s\"}", token));
	tgt_run();
	cr_assert_eq(made(), 1, "the other token's stays");
	cr_assert_eq(rows(), 1);
}

Test(database, an_unmounted_engine_takes_its_accounts_along)
{
	got_creds();
	got_creds();
	tgt_fault("user_revoke", F_RETRYABLE, 1);
	ASK(204, HTTP_DELETE, "sys/mounts/database", NULL);
	TGT(404, HTTP_GET, CREDS, NULL);
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
	cr_assert_eq(store_count(rig.core, KIND_DB_ROLE), 0);
	cr_assert_eq(store_count(rig.core, KIND_TARGET), 0);
}

Test(database, a_moved_engine_goes_on)
{
	got_creds();
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"database\",\"to\":\"pg\"}");
	tgt_run();
	cr_assert_eq(made(), 0, "leases end, as in Vault");
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"pg\",\"to\":\"other\"}");
	TGT(200, HTTP_GET, "other/creds/app", NULL);
	cr_assert(strncmp(rig_got("lease_id"), "other/creds/app/", 16) == 0);
	tgt_run();
	cr_assert_eq(made(), 1, "what is made at the new place stays");
}

Test(database, a_lease_without_its_connection_is_irrevocable_in_the_end)
{
	const char *lease = got_creds();

	ASK(204, HTTP_DELETE, CONFIG, NULL);
	TGT(502, HTTP_POST, "sys/leases/revoke", lease_body(lease));
	GOT("errors.0",
	    "failed to revoke entry: failed to find entry for connection with "
	    "name: \"db\"");
	for (int i = 0; i < DB_REVOKE_TRIES; i++) {
		rig_advance(600 * 1000);
		tgt_run();
	}
	ASK(200, HTTP_GET, "sys/leases/count", "{\"type\":\"irrevocable\"}");
	GOT("data.lease_count", "1");
	TGT(204, HTTP_POST, CONFIG,
	    "{\"plugin_name\":\"fake\",\"username\":\"root\",\"password\":\"top\"}");
	TGT(204, HTTP_POST, "sys/leases/revoke", lease_body(lease));
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, what_statements_cannot_carry_is_not_made)
{
	for (int i = 0; i < 3000; i++) {
		AUTO_ARENA a = arena_new(65536);
		const char *password = "";
		struct err e;

		cr_assert_eq(db_password(rig.core, a, "", "xyz", &password, &e), ERR_OK);
		cr_assert_null(strpbrk(password, "xyz"));
		cr_assert_null(strstr(password, "--"), "%s", password);
		cr_assert_eq(strlen(password), 20);
	}
	ASK(204, HTTP_POST, "database/roles/my--role", "{\"db_name\":\"db\"}");
	TGT(200, HTTP_GET, "database/creds/my--role", NULL);
	cr_assert(strncmp(rig_got("data.username"), "v-root-my-_role-", 16) == 0, "%s",
	          rig_got("data.username"));
}

Test(database, revoked_while_it_is_being_made)
{
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	until_call("user_create");
	rig_submit(HTTP_POST, "sys/leases/revoke-prefix/database", rig.root, NULL);
	for (int i = 0; i < 50; i++) {
		rig_advance(100);
		rig_run();
	}
	cr_assert_eq(tgt.queued, 1, "nothing else is asked meanwhile");
	tgt_run();
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
	cr_assert_str_eq(tgt.log, "user_create user_revoke ");
}

/* ---- names, and what was made in part ---- */

static const char *statement_of(const char *op)
{
	const struct value *rq;

	until_call(op);
	rq = value_get(tgt.queue[0].frame, "request");
	return value_to_cstr(
		value_at(value_get(value_get(rq, "config"), "statements"), 0), rig.a);
}

static void role_with_rollback(void)
{
	ASK(204, HTTP_POST, ROLE,
	    "{\"db_name\":\"db\",\"creation_statements\":[\"CREATE\"],"
	    "\"revocation_statements\":[\"DROP\"],\"rollback_statements\":[\"UNDO\"]}");
}

Test(database, what_was_not_made_whole_is_rolled_back)
{
	role_with_rollback();
	tgt_fault("user_create", F_PERMANENT, 1);
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	cr_assert_str_eq(statement_of("user_revoke"), "UNDO");
	tgt_run();
	cr_assert_eq(rows(), 0);
	/* A crash says nothing of how far it came. */
	rig_submit(HTTP_GET, CREDS, rig.root, NULL);
	until_call("user_create");
	tgt_crash(true);
	cr_assert_eq(made(), 1);
	rig_advance(LATER);
	cr_assert_str_eq(statement_of("user_revoke"), "UNDO");
	tgt_later(LATER);
	cr_assert_eq(made(), 0);
	cr_assert_eq(rows(), 0);
}

Test(database, what_was_made_is_revoked)
{
	role_with_rollback();
	rig_submit(HTTP_POST, "sys/leases/revoke", rig.root, lease_body(got_creds()));
	cr_assert_str_eq(statement_of("user_revoke"), "DROP");
}

Test(database, names_are_made_by_a_template)
{
	TGT(204, HTTP_POST, CONFIG,
	    "{\"username_template\":\"x-{{ .RoleName | uppercase }}-{{ random 12 }}\"}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.connection_details.username_template",
	    "x-{{ .RoleName | uppercase }}-{{ random 12 }}");
	TGT(200, HTTP_GET, CREDS, NULL);
	cr_assert_eq(strncmp(rig_got("data.username"), "x-APP-", 6), 0);
	cr_assert_eq(strlen(rig_got("data.username")), 6 + 12);
	/* what goes into statements is tame, and whole */
	TGT(204, HTTP_POST, CONFIG,
	    "{\"username_template\":\"a'; DROP--{{ random 12 }}\"}");
	TGT(200, HTTP_GET, CREDS, NULL);
	cr_assert_eq(strncmp(rig_got("data.username"), "a___DROP-_", 10), 0, "%s",
	             rig_got("data.username"));
	TGT(204, HTTP_POST, CONFIG, "{\"username_template\":\"{{ random 64 }}\"}");
	ASK(400, HTTP_GET, CREDS, NULL);
	cr_assert_eq(rows(), 2);
	ASK(400, HTTP_POST, CONFIG, "{\"username_template\":\"{{ .RoleName }}\"}");
	cr_assert(strstr(rig_got("errors.0"), "need 'random'") != NULL);
	TGT(204, HTTP_POST, CONFIG, "{\"username_template\":\"\"}");
	TGT(200, HTTP_GET, CREDS, NULL);
	cr_assert_eq(strncmp(rig_got("data.username"), "v-root-app-", 11), 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: arithmetic in tables, the rest through the dispatcher, against a real store. */
#include "token_rig.h"

#include <sqlite3.h>

#include "server/core/audit/audit.h"
#include "server/core/loop/batch.h"
#include "server/core/storage/store.h"
#include "server/core/token/token_impl.h"

TestSuite(token, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define HOUR       3600000ll
#define DEFAULT_MS TOKEN_TTL_MAX_MS

/* --- arithmetic --- */

struct ttl_case {
	char name[32];
	int64_t asked, period, explicit_max, age;
	int64_t want; /* -1: past the maximum */
	char warning[120];
};
ParameterizedTestParameters(token_ttl, table)
{
	/* clang-format off */
	static struct ttl_case c[] = {
		{ "default", 0, 0, 0, 0, DEFAULT_MS, "" },
		{ "asked", HOUR, 0, 0, 0, HOUR, "" },
		{ "asked too much", DEFAULT_MS + HOUR, 0, 0, 0, DEFAULT_MS,
		  "TTL of \"769h0m0s\" exceeded the effective max_ttl of "
		  "\"768h0m0s\"; TTL value is capped accordingly" },
		{ "explicit", 2 * HOUR, 0, HOUR, 0, HOUR,
		  "TTL of \"2h0m0s\" exceeded the effective max_ttl of \"1h0m0s\"; "
		  "TTL value is capped accordingly" },
		{ "explicit alone", 0, 0, HOUR, 0, HOUR, "" },
		{ "explicit above the cap", 0, 0, DEFAULT_MS * 2, 0, DEFAULT_MS, "" },
		{ "renewed within", HOUR, 0, 0, HOUR, HOUR, "" },
		{ "shortened", 1000, 0, 0, HOUR, 1000, "" },
		{ "near the end", HOUR, 0, 0, DEFAULT_MS - 60500, 60500,
		  "TTL of \"1h0m0s\" exceeded the effective max_ttl of \"1m0s\"; TTL "
		  "value is capped accordingly" },
		{ "at the end", HOUR, 0, 0, DEFAULT_MS, -1, "" },
		{ "past explicit", HOUR, 0, HOUR, 2 * HOUR, -1, "" },
		{ "period", HOUR, 60000, 0, DEFAULT_MS * 3, 60000, "" },
		{ "period ignores increment", 5000, 60000, 0, 0, 60000, "" },
		{ "period too long", 0, DEFAULT_MS + HOUR, 0, 0, DEFAULT_MS,
		  "period of \"769h0m0s\" exceeded the effective max_ttl of "
		  "\"768h0m0s\"; period value is capped accordingly" },
		{ "period with explicit", 0, HOUR, 90 * 60000, HOUR, 30 * 60000,
		  "TTL of \"1h0m0s\" exceeded the effective max_ttl of \"30m0s\"; TTL "
		  "value is capped accordingly" },
		{ "period past explicit", 0, HOUR, HOUR, HOUR, -1, "" },
	};
	/* clang-format on */
	return cr_make_param_array(struct ttl_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct ttl_case *c, token_ttl, table)
{
	struct token_terms t = {
		.asked_ms = c->asked,
		.period_ms = c->period,
		.explicit_max_ms = c->explicit_max,
		.issued_ms = 1000,
		.now_ms = 1000 + c->age,
	};
	char warning[TOKEN_WARNING_MAX];
	struct err e = { 0 };
	int64_t got = -1;
	int rc = token_ttl(&t, &got, warning, &e);

	cr_assert_eq(rc, c->want < 0 ? ERR_INVALID : ERR_OK, "%s", c->name);
	cr_assert_eq(got, c->want, "%s: %lld", c->name, (long long)got);
	if (c->want < 0)
		cr_assert_str_eq(e.msg, "past the max TTL, cannot renew");
	cr_assert_str_eq(warning, c->warning, "%s: %s", c->name, warning);
}

static int64_t ttl_of(struct token_terms t)
{
	char warning[TOKEN_WARNING_MAX];
	struct err e = { 0 };
	int64_t got = -1;

	return token_ttl(&t, &got, warning, &e) == ERR_OK ? got : -1;
}

Test(token_ttl, mounts_and_roles)
{
	const int64_t day = 24 * HOUR;

	/* nothing asked: the role's or the mount's; a mount may pass the system */
	cr_assert_eq(ttl_of((struct token_terms){ .default_ms = HOUR }), HOUR);
	cr_assert_eq(
		ttl_of((struct token_terms){ .max_ms = 40 * day, .asked_ms = 39 * day }),
		39 * day);
	cr_assert_eq(ttl_of((struct token_terms){ .max_ms = HOUR, .asked_ms = day }),
	             HOUR);
	cr_assert_eq(ttl_of((struct token_terms){ .max_ms = HOUR, .period_ms = day }),
	             HOUR);
	/* a role only lowers */
	cr_assert_eq(ttl_of((struct token_terms){ .max_ms = day, .role_max_ms = HOUR }),
	             HOUR);
	cr_assert_eq(ttl_of((struct token_terms){ .max_ms = HOUR, .role_max_ms = day }),
	             HOUR);
	cr_assert_eq(ttl_of((struct token_terms){ .role_max_ms = day,
	                                          .explicit_max_ms = HOUR }),
	             HOUR);
	cr_assert_eq(ttl_of((struct token_terms){ .role_max_ms = day, .now_ms = day }),
	             -1, "past the role's maximum");
}

/* --- through the API --- */

Test(token, shape_of_create_and_lookup)
{
	const char *t = create(rig.root,
	                       "{\"policies\":[\"p2\",\"P1\"],\"ttl\":\"1h\","
	                       "\"meta\":{\"k\":\"v\"},\"display_name\":\"my app!\"}");

	GOT("auth.policies", "[default,p1,p2]");
	GOT("auth.token_policies", "[default,p1,p2]");
	GOT("auth.metadata", "{k:v}");
	GOT("auth.lease_duration", "3600");
	GOT("auth.renewable", "true");
	GOT("auth.token_type", "service");
	GOT("auth.orphan", "false");
	GOT("auth.num_uses", "0");
	GOT("auth.entity_id", "");
	GOT("data", "-");
	GOT("warnings", "[Policy \"p1\" does not exist,Policy \"p2\" does not exist]");
	cr_assert(strncmp(t, "vlt_s_", 6) == 0);
	rig_advance(600 * 1000);
	ASK_AS(200, t, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("data.id", t);
	GOT("data.display_name", "token-my-app");
	GOT("data.path", "auth/token/create");
	GOT("data.policies", "[default,p1,p2]");
	GOT("data.meta", "{k:v}");
	GOT("data.ttl", "3000");
	GOT("data.creation_ttl", "3600");
	GOT("data.creation_time", "1767225600");
	GOT("data.issue_time", "2026-01-01T00:00:00Z");
	GOT("data.expire_time", "2026-01-01T01:00:00Z");
	GOT("data.explicit_max_ttl", "0");
	GOT("data.type", "service");
	GOT("data.orphan", "false");
	GOT("data.last_renewal", "-");
	GOT("data.period", "-");
}

Test(token, root_never_expires_and_is_not_renewable)
{
	ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("data.expire_time", "null");
	GOT("data.ttl", "0");
	GOT("data.policies", "[root]");
	GOT("data.meta", "null");
	GOT("data.orphan", "true");
	GOT("data.renewable", "false");
	ASK(400, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[lease is not renewable]");
	create(rig.root, NULL);
	GOT("auth.policies", "[root]");
	GOT("auth.lease_duration", "0");
}

Test(token, unknown_tokens_are_refused_alike)
{
	static const char *const bad[] = {
		"",
		"x",
		"hvs.abc",
		"vlt_s_0000000000000000000000000000000000000000000000000",
		"vlt_j_0000000000000000000000000000000000000000000000000",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_eq(status_of(bad[i]), 403);
		GOT("errors", "[permission denied]");
	}
	cr_assert_eq(status_of(NULL), 403);
	ASK(403, HTTP_POST, "auth/token/lookup", "{\"token\":\"nope\"}");
	GOT("errors", "[bad token]");
	ASK(400, HTTP_POST, "auth/token/lookup", NULL);
	GOT("errors", "[missing token]");
	ASK(400, HTTP_POST, "auth/token/lookup-accessor", "{\"accessor\":\"nope\"}");
	GOT("errors", "[invalid accessor]");
	ASK(400, HTTP_POST, "auth/token/renew", "{\"token\":\"nope\"}");
	GOT("errors", "[token not found]");
	ASK(204, HTTP_POST, "auth/token/revoke", "{\"token\":\"nope\"}");
	ASK(400, HTTP_POST, "auth/token/revoke-orphan", "{\"token\":\"nope\"}");
	GOT("errors", "[token to revoke not found]");
	ASK(400, HTTP_POST, "auth/token/revoke-accessor", "{\"accessor\":\"nope\"}");
}

Test(token, expires_by_the_wall_clock)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");

	rig.wall += 59999;
	cr_assert_eq(status_of(t), 200);
	rig.wall += 1;
	cr_assert_eq(status_of(t), 403);
	GOT("errors", "[permission denied]");
}

Test(token, expires_by_the_boot_clock_when_the_wall_clock_is_set_back)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");

	rig.wall -= 24 * HOUR;
	rig.boot += 59999;
	cr_assert_eq(status_of(t), 200);
	GOT("data.ttl", "0");
	rig.boot += 1;
	cr_assert_eq(status_of(t), 403);
}

Test(token, lives_on_after_a_reboot)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");

	rig.boot = 10;
	rig.wall += 30000;
	rig_reopen();
	cr_assert_eq(status_of(t), 200);
	GOT("data.ttl", "30");
	rig.wall += 30000;
	cr_assert_eq(status_of(t), 403);
}

Test(token, the_timer_removes_expired_tokens_and_their_children)
{
	int64_t before, records;
	const char *parent, *child;

	creator_policy("maker", "\\\"update\\\"");
	before = store_count(rig.core, KIND_TOKEN);
	parent = create(rig.root, "{\"policies\":[\"maker\"],\"ttl\":60}");
	child = create(parent, "{\"ttl\":\"10h\"}");
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before + 2);
	rig_advance(60001);
	records = audit_size(rig.core);
	cr_assert_eq(core_wait_ms(rig.core), 0);
	rig_run();
	cr_assert_eq(audit_size(rig.core), records + 2, "one record per token");
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before);
	cr_assert_eq(status_of(child), 403);
}

/* Who can write the file can damage a row, not stop what has nothing to do with it. */
static void damage_timed(enum store_kind kind)
{
	char path[128], sql[200];
	sqlite3 *db;

	core_close(rig.core);
	snprintf(path, sizeof(path), "%s/vault.db", rig.dir);
	snprintf(
		sql, sizeof(sql),
		"UPDATE object SET sealed = zeroblob(length(sealed)) "
		"WHERE kind = %d AND due = (SELECT min(due) FROM object WHERE kind = %d)",
		(int)kind, (int)kind);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
	rig_open();
	rig_unseal();
}

Test(token, a_damaged_row_stops_no_other_timer)
{
	(void)create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");
	ASK(200, HTTP_POST, "secret/data/db", "{\"data\":{\"password\":\"old\"}}");
	ASK(204, HTTP_POST, "sys/rotation/config/secret/db", "{\"every\":\"1h\"}");
	damage_timed(KIND_TOKEN);
	rig_advance(2 * HOUR);
	rig_run(); /* what was missed is done some time later */
	rig_advance(HOUR / 2);
	rig_run();
	ASK(200, HTTP_GET, "secret/data/db", NULL);
	GOT("data.metadata.version", "2");
	cr_assert_neq(core_wait_ms(rig.core), 0, "it is not spun on");
}

Test(token, a_damaged_token_keeps_no_other_one_alive)
{
	const char *t;
	int64_t before;

	(void)create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");
	t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":61}");
	damage_timed(KIND_TOKEN);
	before = store_count(rig.core, KIND_TOKEN);
	rig_advance(62000);
	rig_run();
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before - 1);
	cr_assert_eq(status_of(t), 403);
	cr_assert_eq(store_next_due(rig.core, KIND_TOKEN), 0, "it is not tried again");
	t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");
	cr_assert_eq(store_next_due(rig.core, KIND_TOKEN), rig.wall + 60000);
	rig_advance(60001);
	rig_run();
	cr_assert_eq(status_of(t), 403);
}

Test(token, renewals)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":\"1h\"}");
	const char *max = create(
		rig.root,
		"{\"policies\":[\"default\"],\"ttl\":\"1h\",\"explicit_max_ttl\":\"90m\"}");
	const char *fixed = create(rig.root,
	                           "{\"policies\":[\"default\"],\"renewable\":false}");
	char fields[200];

	GOT("auth.renewable", "false");
	rig_advance(45 * 60000);
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("auth.lease_duration", "3600");
	GOT("auth.client_token", t);
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":\"30s\"}");
	GOT("auth.lease_duration", "30");
	ASK_AS(200, t, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("data.last_renewal_time", "1767228300");
	GOT("data.creation_ttl", "3600");
	ASK_AS(200, max, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("auth.lease_duration", "2700");
	GOT("warnings.0",
	    "TTL of \"1h0m0s\" exceeded the effective max_ttl of \"45m0s\"; TTL value is "
	    "capped accordingly");
	ASK_AS(400, fixed, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[lease is not renewable]");
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\",\"increment\":\"2h\"}", t);
	ASK(200, HTTP_POST, "auth/token/renew", fields);
	GOT("auth.lease_duration", "7200");
	snprintf(fields, sizeof(fields), "{\"accessor\":\"%s\"}",
	         rig_got("auth.accessor"));
	ASK(200, HTTP_POST, "auth/token/renew-accessor", fields);
	GOT("auth.client_token", "");
	rig.boot += HOUR; /* the boot clock was renewed too */
	rig.wall += HOUR - 1;
	cr_assert_eq(status_of(t), 403);
}

/* Renewals go no further than creation: that of the mount counts, as it is now. */
Test(token, the_mounts_maximum_holds_for_renewals)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"ttl\":\"1h\"}");

	ASK(204, HTTP_POST, "sys/auth/token/tune",
	    "{\"default_lease_ttl\":\"1h\",\"max_lease_ttl\":\"2h\"}");
	rig_advance(30 * 60000);
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":\"8h\"}");
	GOT("auth.lease_duration", "5400");
	ASK(204, HTTP_POST, "sys/auth/token/tune", "{\"max_lease_ttl\":\"2000h\"}");
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":\"1900h\"}");
	GOT("auth.lease_duration", "6840000");
}

static const char *meta_of(int members, int bytes)
{
	const char *list = "";

	for (int i = 0; i < members; i++)
		list = arena_printf(rig.a, "%s%s\"%04d=%0*d\"", list, i > 0 ? "," : "", i,
		                    bytes - 5, 0);
	return arena_printf(rig.a, "{\"policies\":\"default\",\"meta\":[%s]}", list);
}

Test(token, metadata_is_bounded)
{
	ASK(200, HTTP_POST, "auth/token/create", meta_of(64, 256));
	ASK(400, HTTP_POST, "auth/token/create", meta_of(65, 10));
	GOT("errors", "[meta: at most 64 members of 16384 bytes]");
	ASK(400, HTTP_POST, "auth/token/create", meta_of(64, 257));
}

/* However long the text: no more items than an array of the body may have. */
Test(token, lists_given_as_text_are_bounded)
{
	enum { N = 10000 };
	static char text[2 * N + 1];

	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 1; i < sizeof(text) - 1; i += 2)
		text[i] = ',';
	ASK(400, HTTP_POST, "sys/capabilities-self",
	    arena_printf(rig.a, "{\"paths\":\"%s\"}", text));
	GOT("errors", "[at most 256 paths at a time]");
	ASK(400, HTTP_POST, "sys/capabilities-self",
	    arena_printf(rig.a, "{\"paths\":\"%sa\"}", text));
	cr_assert_not_null(strstr(rig_got("errors"), "fewer members"), "%s", rig_got(""));
}

Test(token, periodic_tokens_live_as_long_as_they_are_renewed)
{
	const char *t = create(rig.root,
	                       "{\"policies\":[\"default\"],\"period\":\"24h\"}");

	GOT("auth.lease_duration", "86400");
	for (int day = 0; day < 60; day++) {
		rig_advance(23 * HOUR);
		ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":5}");
		GOT("auth.lease_duration", "86400");
	}
	ASK_AS(200, t, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("data.period", "86400");
	rig_advance(24 * HOUR);
	cr_assert_eq(status_of(t), 403);
}

Test(token, uses_are_counted_even_when_denied)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"num_uses\":3}");

	GOT("auth.num_uses", "3");
	cr_assert_eq(status_of(t), 200);
	GOT("data.num_uses", "2");
	ASK_AS(403, t, HTTP_GET, "secret/data/x", NULL);
	cr_assert_eq(status_of(t), 200);
	GOT("data.num_uses", "0");
	cr_assert_eq(status_of(t), 403);
	GOT("errors", "[permission denied]");
}

Test(token, a_used_up_token_cannot_be_found_or_renewed)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"num_uses\":1}");
	char fields[200], accessor[64];

	snprintf(accessor, sizeof(accessor), "{\"accessor\":\"%s\"}",
	         rig_got("auth.accessor"));
	cr_assert_eq(status_of(t), 200);
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", t);
	ASK(403, HTTP_POST, "auth/token/lookup", fields);
	ASK(400, HTTP_POST, "auth/token/renew", fields);
	ASK(400, HTTP_POST, "auth/token/lookup-accessor", accessor);
	rig_advance(2 * HOUR);
	rig_run();
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), 1);
}

Test(token, a_single_use_is_single_within_one_batch)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"],\"num_uses\":1}");
	int before = rig.replies;

	rig_submit(HTTP_GET, "auth/token/lookup-self", t, NULL);
	rig_submit(HTTP_GET, "auth/token/lookup-self", t, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before + 2);
	cr_assert_eq(rig.status, 403, "the second of two uses");
}

Test(token, a_token_revoked_in_a_batch_is_dead_later_in_it)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"]}");
	int before = rig.replies;

	rig_submit(HTTP_POST, "auth/token/revoke-self", t, NULL);
	rig_submit(HTTP_GET, "auth/token/lookup-self", t, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before + 2);
	cr_assert_eq(rig.status, 403);
}

Test(token, revoking_takes_all_descendants)
{
	const char *tree[5], *orphan, *sibling;
	char fields[128];

	creator_policy("maker", "\\\"update\\\"");
	tree[0] = create(rig.root, "{\"policies\":[\"maker\"]}");
	tree[1] = create(tree[0], NULL);
	tree[2] = create(tree[1], NULL);
	tree[3] = create(tree[1], NULL);
	tree[4] = create(tree[3], NULL);
	sibling = create(tree[0], NULL);
	ASK_AS(200, tree[1], HTTP_POST, "auth/token/create-orphan", NULL);
	GOT("auth.orphan", "true");
	orphan = arena_str(rig.a, rig_got("auth.client_token"));
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", tree[1]);
	ASK(204, HTTP_POST, "auth/token/revoke", fields);
	cr_assert_eq(status_of(tree[0]), 200);
	for (int i = 1; i < 5; i++)
		cr_assert_eq(status_of(tree[i]), 403, "%d", i);
	cr_assert_eq(status_of(sibling), 200);
	cr_assert_eq(status_of(orphan), 200);
	GOT("data.path", "auth/token/create-orphan");
}

static int host_tokens(struct core *c, void *arg, struct err *e)
{
	static const unsigned char hosts[2][16] = { "host one", "host two" };
	struct token_made made[3];
	struct store_object o;
	struct token_spec spec = {
		.display_name = "web-1",
		.path = "auth/host/login",
		.policies = value_array(rig.a),
		.ttl_ms = HOUR,
	};

	(void)arg;
	for (int i = 0; i < 3; i++) {
		spec.host_id = hosts[i / 2];
		cr_assert_eq(token_create(c, rig.a, &spec, &made[i], e), ERR_OK, "%s",
		             e->msg);
	}
	cr_assert_eq(token_revoke_host(c, rig.a, hosts[0], e), ERR_OK, "%s", e->msg);
	cr_assert_eq(token_load(c, rig.a, made[0].id, &o, e), ERR_NOENT);
	cr_assert_eq(token_load(c, rig.a, made[1].id, &o, e), ERR_NOENT);
	cr_assert_eq(token_load(c, rig.a, made[2].id, &o, e), ERR_OK);
	cr_assert_not_null(token_auth_block(rig.a, c, &made[2]));
	cr_assert_null(token_auth_block(rig.a, c, &made[1]));
	return ERR_OK;
}

Test(token, tokens_of_a_host_go_together)
{
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, host_tokens, NULL, &e), ERR_OK, "%s", e.msg);
}

Test(token, revoke_orphan_leaves_the_children)
{
	const char *parent, *child, *grandchild;
	char fields[128];

	creator_policy("maker", "\\\"update\\\"");
	parent = create(rig.root, "{\"policies\":[\"maker\"]}");
	child = create(parent, NULL);
	grandchild = create(child, NULL);
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", parent);
	ASK_AS(403, child, HTTP_POST, "auth/token/revoke-orphan", fields);
	ASK(204, HTTP_POST, "auth/token/revoke-orphan", fields);
	cr_assert_eq(status_of(parent), 403);
	cr_assert_eq(status_of(child), 200);
	GOT("data.orphan", "true");
	cr_assert_eq(status_of(grandchild), 200);
	GOT("data.orphan", "false");
}

Test(token, accessors_stand_for_tokens_without_showing_them)
{
	const char *t = create(rig.root, "{\"policies\":[\"default\"]}");
	char fields[80], accessor[40];

	snprintf(accessor, sizeof(accessor), "%s", rig_got("auth.accessor"));
	snprintf(fields, sizeof(fields), "{\"accessor\":\"%s\"}", accessor);
	ASK(200, HTTP_POST, "auth/token/lookup-accessor", fields);
	GOT("data.id", "");
	GOT("data.accessor", accessor);
	ASK(200, HTTP_LIST, "auth/token/accessors", NULL);
	cr_assert_not_null(strstr(rig_got("data.keys"), accessor));
	ASK_AS(403, t, HTTP_LIST, "auth/token/accessors", NULL);
	ASK(204, HTTP_POST, "auth/token/revoke-accessor", fields);
	cr_assert_eq(status_of(t), 403);
	ASK(200, HTTP_LIST, "auth/token/accessors", NULL);
	cr_assert_null(strstr(rig_got("data.keys"), accessor));
}

struct refusal {
	char by[8]; /* root, sudo, plain, uses, short */
	char fields[120];
	char error[100];
};
ParameterizedTestParameters(token, refusals)
{
	/* clang-format off */
	static struct refusal c[] = {
		{ "plain", "{\"policies\":[\"other\"]}",
		  "[child policies must be subset of parent]" },
		{ "plain", "{\"no_parent\":true}",
		  "[root or sudo privileges required to create orphan token]" },
		{ "plain", "{\"id\":\"mine\"}",
		  "[root or sudo privileges required to specify token id]" },
		{ "plain", "{\"period\":\"1h\"}",
		  "[root or sudo privileges required to create periodic token]" },
		{ "plain", "{\"policies\":[\"root\"]}",
		  "[child policies must be subset of parent]" },
		{ "sudo", "{\"policies\":[\"root\"]}",
		  "[root tokens may not be created without parent token being root]" },
		{ "short", "{}",
		  "[expiring root tokens cannot create non-expiring root tokens]" },
		{ "uses", "{}", "[restricted use token cannot generate child tokens]" },
		{ "root", "{\"type\":\"batch\"}", "[batch tokens cannot be root tokens]" },
		{ "root", "{\"type\":\"batch\",\"policies\":\"other\",\"num_uses\":2}",
		  "[batch tokens cannot have \"num_uses\" set]" },
		{ "root", "{\"type\":\"batch\",\"policies\":\"other\",\"period\":2}",
		  "[batch tokens cannot have \"period\" set]" },
		{ "root",
		  "{\"type\":\"batch\",\"policies\":\"other\",\"explicit_max_ttl\":2}",
		  "[batch tokens cannot have \"explicit_max_ttl\" set]" },
		{ "root", "{\"type\":\"batch\",\"policies\":\"other\",\"id\":\"mine\"}",
		  "[batch tokens cannot have \"id\" set]" },
		{ "root", "{\"entity_alias\":\"x\"}",
		  "['entity_alias' is only allowed in combination with token role]" },
		{ "root", "{\"type\":\"x\"}", "[invalid 'token_type' value]" },
		{ "root", "{\"ttl\":\"-1s\"}", "[ttl must be positive]" },
		{ "root", "{\"num_uses\":-1}", "[number of uses cannot be negative]" },
		{ "root", "{\"policies\":[\"response-wrapping\"]}",
		  "[cannot assign policy \"response-wrapping\"]" },
	};
	/* clang-format on */
	return cr_make_param_array(struct refusal, c, ARRAY_LEN(c));
}
ParameterizedTest(struct refusal *c, token, refusals)
{
	const char *by = rig.root;
	int64_t before;

	creator_policy("plain", "\\\"update\\\"");
	creator_policy("sudo", "\\\"update\\\", \\\"sudo\\\"");
	policy("other", "# nothing");
	if (strcmp(c->by, "plain") == 0)
		by = create(rig.root, "{\"policies\":[\"plain\"]}");
	if (strcmp(c->by, "sudo") == 0)
		by = create(rig.root, "{\"policies\":[\"sudo\"]}");
	if (strcmp(c->by, "short") == 0)
		by = create(rig.root, "{\"ttl\":\"1h\"}");
	if (strcmp(c->by, "uses") == 0)
		by = create(rig.root, "{\"policies\":[\"plain\"],\"num_uses\":5}");
	before = store_count(rig.core, KIND_TOKEN);
	ASK_AS(400, by, HTTP_POST, "auth/token/create", c->fields);
	GOT("errors", c->error);
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before);
}

Test(token, given_ids)
{
	ASK(200, HTTP_POST, "auth/token/create",
	    "{\"id\":\"my-own\",\"policies\":[\"default\"]}");
	GOT("auth.client_token", "my-own");
	cr_assert_eq(status_of("my-own"), 200);
	ASK(400, HTTP_POST, "auth/token/create", "{\"id\":\"my-own\"}");
	GOT("errors", "[cannot create a token with a duplicate ID]");
	ASK(400, HTTP_POST, "auth/token/create", "{\"id\":\"a.b\"}");
	ASK(400, HTTP_POST, "auth/token/create", "{\"id\":\"vlt_s_x\"}");
	cr_assert_eq(status_of("my-own"), 200);
}

Test(token, default_policy_is_added_or_left_out)
{
	const char *t;

	creator_policy("plain", "\\\"update\\\"");
	create(rig.root, "{\"policies\":[\"plain\"],\"no_default_policy\":true}");
	GOT("auth.policies", "[plain]");
	t = arena_str(rig.a, rig_got("auth.client_token"));
	create(t, "{\"policies\":[\"plain\"]}");
	GOT("auth.policies", "[plain]");
	create(t, NULL);
	GOT("auth.policies", "[plain]");
	t = create(rig.root, "{\"policies\":\"plain\"}");
	GOT("auth.policies", "[default,plain]");
	create(t, NULL);
	GOT("auth.policies", "[default,plain]");
}

Test(token, policies_change_live_tokens_and_roll_back_with_a_refused_write)
{
	const char *t;

	policy("p", "path \\\"secret/data/a\\\" { capabilities = [\\\"read\\\"] }");
	t = create(rig.root, "{\"policies\":[\"p\"]}");
	ASK_AS(404, t, HTTP_GET, "secret/data/a", NULL);
	ASK(400, HTTP_POST, "sys/policies/acl/p", "{\"policy\":\"path\"}");
	ASK_AS(404, t, HTTP_GET, "secret/data/a", NULL);
	policy("p", "path \\\"secret/data/b\\\" { capabilities = [\\\"read\\\"] }");
	ASK_AS(403, t, HTTP_GET, "secret/data/a", NULL);
	ASK_AS(404, t, HTTP_GET, "secret/data/b", NULL);
	rig_reopen();
	ASK_AS(404, t, HTTP_GET, "secret/data/b", NULL);
	ASK(204, HTTP_DELETE, "sys/policies/acl/p", NULL);
	ASK_AS(403, t, HTTP_GET, "secret/data/b", NULL);
	ASK(404, HTTP_GET, "sys/policies/acl/p", NULL);
}

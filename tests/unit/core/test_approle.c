/* SPDX-License-Identifier: Apache-2.0 */
/* AppRole: who gets in, how often, until when; and what is left behind. */
#include "token_rig.h"

#include "server/core/auth/approle.h"
#include "server/core/storage/store.h"

#define HOUR 3600000ll

static void setup(void)
{
	rig_start();
	ASK(204, HTTP_POST, "sys/auth/approle", "{\"type\":\"approle\"}");
}

TestSuite(approle, .init = setup, .fini = rig_stop, .timeout = 60);

static const char *at(const char *role, const char *rest)
{
	return arena_printf(rig.a, "auth/approle/role/%s%s", role, rest);
}

/* The role's role id. */
static const char *role(const char *name, const char *fields)
{
	ASK(204, HTTP_POST, at(name, ""), fields);
	ASK(200, HTTP_GET, at(name, "/role-id"), NULL);
	return arena_str(rig.a, rig_got("data.role_id"));
}

static const char *secret(const char *name, const char *fields)
{
	ASK(200, HTTP_POST, at(name, "/secret-id"), fields);
	return arena_str(rig.a, rig_got("data.secret_id"));
}

static int login(const char *role_id, const char *secret_id)
{
	const char *fields = arena_printf(
		rig.a, "{\"role_id\":\"%s\",\"secret_id\":\"%s\"}", role_id, secret_id);

	return rig_ask_as(NULL, HTTP_POST, "auth/approle/login", fields);
}

static void refused(const char *role_id, const char *secret_id, const char *error)
{
	cr_assert_eq(login(role_id, secret_id), 400, "%s", rig_got(""));
	GOT("errors", error);
}

#define INVALID "[invalid role or secret ID]"

Test(approle, login_shape)
{
	const char *id = role("web", "{\"token_policies\":\"app\",\"token_ttl\":\"1h\"}");
	const char *s = secret(
		"web",
		"{\"metadata\":\"{\\\"k\\\":\\\"v\\\",\\\"role_name\\\":\\\"x\\\"}\"}");
	const char *t;

	cr_assert_eq(login(id, s), 200, "%s", rig_got(""));
	GOT("auth.policies", "[app,default]");
	GOT("auth.metadata", "{k:v,role_name:web}");
	GOT("auth.orphan", "true");
	GOT("auth.lease_duration", "3600");
	GOT("auth.renewable", "true");
	GOT("auth.token_type", "service");
	t = arena_str(rig.a, rig_got("auth.client_token"));
	cr_assert_eq(status_of(t), 200);
	GOT("data.path", "auth/approle/login");
	GOT("data.display_name", "approle");
}

Test(approle, one_text_for_all_that_is_wrong)
{
	const char *id = role("web", "{}"), *other = role("other", "{}");
	const char *s = secret("web", NULL), *once = secret("web", "{\"num_uses\":1}");
	const char *brief = secret("web", "{\"ttl\":60}");
	int64_t rows = store_count(rig.core, KIND_TOKEN);

	refused("nobody", s, INVALID);
	refused(id, "wrong", INVALID);
	refused(other, s, INVALID);
	refused(id, "", "[missing secret_id]");
	refused("nobody", "", "[missing secret_id]");
	refused("", s, "[missing role_id]");
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), rows);
	cr_assert_eq(login(id, once), 200);
	refused(id, once, INVALID);
	rig_advance(60000);
	refused(id, brief, INVALID);
	ASK(204, HTTP_DELETE, at("web", ""), NULL);
	refused(id, s, INVALID);
}

Test(approle, uses_are_counted_by_successful_logins)
{
	const char *id = role("web", "{\"secret_id_num_uses\":3}");
	const char *s = secret("web", NULL);
	const char *look = arena_printf(rig.a, "{\"secret_id\":\"%s\"}", s);

	rig.remote = "10.0.0.1";
	refused(id, "other", INVALID);
	for (int left = 2; left >= 0; left--) {
		cr_assert_eq(login(id, s), 200, "%d", left);
		ASK(left > 0 ? 200 : 204, HTTP_POST, at("web", "/secret-id/lookup"),
		    look);
		if (left > 0)
			GOT("data.secret_id_num_uses", arena_printf(rig.a, "%d", left));
	}
	refused(id, s, INVALID);
	cr_assert_eq(store_count(rig.core, KIND_SECRET_ID), 0);
}

Test(approle, the_last_use_is_one_within_a_batch)
{
	const char *id = role("web", "{}"), *s = secret("web", "{\"num_uses\":1}");
	const char *fields =
		arena_printf(rig.a, "{\"role_id\":\"%s\",\"secret_id\":\"%s\"}", id, s);
	int64_t before = store_count(rig.core, KIND_TOKEN);
	int replies = rig.replies;

	for (int i = 0; i < 20; i++)
		rig_submit(HTTP_POST, "auth/approle/login", NULL, fields);
	rig_run();
	cr_assert_eq(rig.replies, replies + 20);
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before + 1);
}

Test(approle, addresses)
{
	const char *id = role("web", "{\"secret_id_bound_cidrs\":\"10.0.0.0/8\","
	                             "\"token_bound_cidrs\":\"10.0.0.0/8\"}");
	const char *s, *t;

	ASK(400, HTTP_POST, at("web", "/secret-id"), "{\"cidr_list\":\"11.0.0.0/8\"}");
	GOT("errors",
	    "[CIDR blocks on the secret ID should be a subset of CIDR blocks on the role]");
	ASK(400, HTTP_POST, at("web", "/secret-id"),
	    "{\"token_bound_cidrs\":\"10.0.0.0/7\"}");
	s = secret("web", "{\"cidr_list\":\"10.1.0.0/16\",\"num_uses\":1,"
	                  "\"token_bound_cidrs\":\"10.1.2.0/24\"}");
	rig.remote = "10.2.0.1";
	refused(id, s,
	        "[source address \"10.2.0.1\" unauthorized through CIDR restrictions on the "
	        "secret ID]");
	rig.remote = "10.1.0.1";
	cr_assert_eq(login(id, s), 403, "the token would be of no use there");
	rig.remote = "10.1.2.9";
	cr_assert_eq(login(id, s), 200, "what was refused is no use: %s", rig_got(""));
	t = arena_str(rig.a, rig_got("auth.client_token"));
	cr_assert_eq(status_of(t), 200);
	rig.remote = "10.1.3.9";
	cr_assert_eq(status_of(t), 403);
}

static const char *cidrs_of(const char *token)
{
	ASK_AS(200, token, HTTP_GET, "auth/token/lookup-self", NULL);
	return arena_str(rig.a, rig_got("data.bound_cidrs"));
}

/* What a role says now holds for secret ids that are older. */
Test(approle, a_role_that_is_narrowed_narrows_its_secret_ids)
{
	const char *id = role("web",
	                      "{\"token_bound_cidrs\":\"10.0.0.0/8,2001:db8::/32\"}");
	const char *s = secret("web", "{\"token_bound_cidrs\":\"10.1.0.0/16,10.2.3.0/24,"
	                              "2001:db8::/48\"}");
	const char *t;

	rig.remote = "10.1.2.3";
	cr_assert_eq(login(id, s), 200, "%s", rig_got(""));
	cr_assert_str_eq(cidrs_of(arena_str(rig.a, rig_got("auth.client_token"))),
	                 "[10.1.0.0/16,10.2.3.0/24,2001:db8::/48]");
	ASK(204, HTTP_POST, at("web", ""),
	    "{\"token_bound_cidrs\":\"10.1.2.0/24,10.2.0.0/16,10.9.0.0/16\"}");
	cr_assert_eq(login(id, s), 200, "%s", rig_got(""));
	t = arena_str(rig.a, rig_got("auth.client_token"));
	cr_assert_str_eq(cidrs_of(t), "[10.2.3.0/24,10.1.2.0/24]");
	rig.remote = "10.1.3.3";
	cr_assert_eq(status_of(t), 403);
	cr_assert_eq(login(id, s), 403);
	rig.remote = "10.1.2.3";
	ASK(204, HTTP_POST, at("web", ""), "{\"token_bound_cidrs\":\"10.9.0.0/16\"}");
	cr_assert_eq(login(id, s), 403, "nothing in common is nowhere, not anywhere");
}

Test(approle, a_role_without_secret_ids)
{
	const char *id;

	ASK(400, HTTP_POST, at("net", ""), "{\"bind_secret_id\":false}");
	GOT("errors", "[at least one constraint should be enabled on the role]");
	id = role("net", "{\"bind_secret_id\":false,"
	                 "\"secret_id_bound_cidrs\":\"10.0.0.0/8\"}");
	ASK(400, HTTP_POST, at("net", "/secret-id"), "{}");
	GOT("errors", "[bind_secret_id is not set on the role]");
	refused(id, "",
	        "[source address \"127.0.0.1\" unauthorized by CIDR restrictions on the "
	        "role]");
	rig.remote = "10.0.0.1";
	cr_assert_eq(login(id, ""), 200, "%s", rig_got(""));
}

Test(approle, secret_ids_expire_by_the_timer_and_either_clock)
{
	const char *id = role("web", "{\"secret_id_ttl\":60}"), *s = secret("web", NULL);

	GOT("data.secret_id_ttl", "60");
	rig.wall -= 2 * HOUR;
	rig.boot += 60000;
	refused(id, s, INVALID);
	rig.wall += 3 * HOUR;
	rig_run();
	cr_assert_eq(store_count(rig.core, KIND_SECRET_ID), 0);
}

Test(approle, a_role_made_again_has_none_of_the_old_secret_ids)
{
	const char *id = role("web", "{\"role_id\":\"mine\"}"), *s, *t;

	for (int i = 0; i < 300; i++)
		(void)secret("web", NULL);
	s = secret("web", NULL);
	cr_assert_eq(login(id, s), 200);
	t = arena_str(rig.a, rig_got("auth.client_token"));
	ASK(204, HTTP_DELETE, at("web", ""), NULL);
	cr_assert_gt(store_count(rig.core, KIND_SECRET_ID), 0, "the job has the rest");
	(void)role("web", "{\"role_id\":\"mine\"}");
	refused("mine", s, INVALID);
	ASK(404, HTTP_LIST, at("web", "/secret-id"), NULL);
	for (int i = 0; i < 20; i++) {
		rig_advance(10);
		rig_run();
	}
	cr_assert_eq(store_count(rig.core, KIND_SECRET_ID), 0);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	ASK_AS(400, t, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[role \"web\" does not exist during renewal]");
}

Test(approle, renewal_reads_the_role_again)
{
	const char *id = role("web", "{\"token_ttl\":\"1h\"}"), *s = secret("web", NULL);
	const char *t;

	cr_assert_eq(login(id, s), 200);
	t = arena_str(rig.a, rig_got("auth.client_token"));
	ASK(204, HTTP_POST, at("web", "/token-max-ttl"), "{\"token_max_ttl\":\"90m\"}");
	rig_advance(HOUR / 2);
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":\"10h\"}");
	GOT("auth.lease_duration", "3600");
	GOT("warnings.0",
	    "TTL of \"10h0m0s\" exceeded the effective max_ttl of \"1h0m0s\"; TTL value is "
	    "capped accordingly");
	rig_advance(HOUR - 1000);
	ASK(204, HTTP_DELETE, at("web", ""), NULL);
	ASK_AS(400, t, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[role \"web\" does not exist during renewal]");
}

Test(approle, unmounting_takes_all)
{
	const char *id = role("web", "{}"), *s = secret("web", NULL), *t;

	for (int i = 0; i < 100; i++)
		(void)secret("web", NULL);
	cr_assert_eq(login(id, s), 200);
	t = arena_str(rig.a, rig_got("auth.client_token"));
	ASK(204, HTTP_DELETE, "sys/auth/approle", NULL);
	cr_assert_eq(status_of(t), 403);
	for (int i = 0; i < 60; i++) {
		rig_advance(10);
		rig_run();
	}
	cr_assert_eq(store_count(rig.core, KIND_SECRET_ID), 0);
	cr_assert_eq(store_count(rig.core, KIND_APPROLE), 0);
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), 1);
}

Test(approle, batch_tokens_by_role_and_mount)
{
	const char *id = role("web",
	                      "{\"token_type\":\"batch\",\"token_policies\":\"p\"}");
	const char *s = secret("web", NULL), *t;
	int64_t tokens = store_count(rig.core, KIND_TOKEN);

	cr_assert_eq(login(id, s), 200, "%s", rig_got(""));
	GOT("auth.token_type", "batch");
	GOT("auth.metadata", "{role_name:web}");
	t = arena_str(rig.a, rig_got("auth.client_token"));
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), tokens);
	cr_assert_eq(status_of(t), 200);
	ASK(204, HTTP_DELETE, "sys/auth/approle", NULL);
	cr_assert_eq(status_of(t), 403, "it dies with the mount");
}

Test(approle, root_is_not_for_logins)
{
	const char *id = role("web", "{\"token_policies\":\"root\"}");

	refused(id, secret("web", NULL), "[auth methods cannot create root tokens]");
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} metas[] = {
	{"{}",				     "{}"       },
	{ "",				      "{}"       },
	{ " {\"a\" : \"b\" , \"c\":\"\\u0064\"} ", "{a:b,c:d}"},
	{ "{\"a\":1}",			     NULL       },
	{ "{\"a\":\"b\",}",                        NULL       },
	{ "{\"a\":\"b\"} x",                       NULL       },
	{ "{\"a\":\"b\"",			  NULL       },
	{ "{\"a\":\"b\",\"a\":\"c\"}",             NULL       },
	{ "{\"a\":{}}",			    NULL       },
	{ "[\"a\"]",			       NULL       },
	{ "a = \"b\"",			     NULL       },
	{ "{",				     NULL       },
};

Test(approle, metadata)
{
	for (size_t i = 0; i < ARRAY_LEN(metas); i++) {
		struct value *out = NULL;
		struct err e = { 0 };
		int rc = approle_metadata(rig.a, value_str(rig.a, metas[i].text), &out,
		                          &e);

		cr_assert_eq(rc, metas[i].want != NULL ? ERR_OK : ERR_INVALID, "%s",
		             metas[i].text);
		if (rc != ERR_OK)
			continue;
		rig.body = out;
		cr_assert_str_eq(rig_got(""), metas[i].want);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Token roles: what they say of the tokens that are made through them. */
#include "token_rig.h"

#include "server/core/token/token_role.h"

TestSuite(token_role, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define HOUR 3600000ll

static void role(const char *name, const char *fields)
{
	ASK(204, HTTP_POST, arena_printf(rig.a, "auth/token/roles/%s", name), fields);
}

static const char *via(const char *by, const char *name, const char *fields)
{
	return create_at(by, arena_printf(rig.a, "auth/token/create/%s", name), fields);
}

static void refused(const char *by, const char *name, const char *fields,
                    const char *error)
{
	ASK_AS(400, by, HTTP_POST, arena_printf(rig.a, "auth/token/create/%s", name),
	       fields);
	GOT("errors", error);
}

static const char *maker(void)
{
	creator_policy("maker", "\\\"update\\\"");
	return create(rig.root, "{\"policies\":[\"maker\"]}");
}

Test(token_role, is_stored_read_merged_listed_and_deleted)
{
	ASK(404, HTTP_LIST, "auth/token/roles", NULL);
	ASK(404, HTTP_GET, "auth/token/roles/web", NULL);
	role("web", "{}");
	ASK(200, HTTP_GET, "auth/token/roles/web", NULL);
	GOT("data",
	    "{name:web,allowed_policies:[],disallowed_policies:[],"
	    "allowed_policies_glob:[],disallowed_policies_glob:[],"
	    "allowed_entity_aliases:[],path_suffix:,orphan:false,renewable:true,period:0,"
	    "explicit_max_ttl:0,token_period:0,token_explicit_max_ttl:0,token_num_uses:0,"
	    "token_bound_cidrs:[],token_no_default_policy:false,"
	    "token_strictly_bind_ip:false,token_type:default-service}");
	role("web", "{\"allowed_policies\":\"b,a,A\",\"orphan\":true,\"period\":\"1h\","
	            "\"allowed_policies_glob\":[\"DEV-*\"],\"path_suffix\":\"x.y\","
	            "\"token_bound_cidrs\":\"10.0.0.0/8\"}");
	role("web", "{\"renewable\":false,\"token_explicit_max_ttl\":7200}");
	ASK(200, HTTP_GET, "auth/token/roles/WEB", NULL);
	GOT("data.allowed_policies", "[a,b]");
	GOT("data.allowed_policies_glob", "[dev-*]");
	GOT("data.orphan", "true");
	GOT("data.renewable", "false");
	GOT("data.path_suffix", "x.y");
	GOT("data.period", "3600");
	GOT("data.token_period", "3600");
	GOT("data.explicit_max_ttl", "7200");
	GOT("data.token_bound_cidrs", "[10.0.0.0/8]");
	role("api", "{}");
	ASK(200, HTTP_LIST, "auth/token/roles", NULL);
	GOT("data.keys", "[api,web]");
	ASK(204, HTTP_DELETE, "auth/token/roles/web", NULL);
	ASK(204, HTTP_DELETE, "auth/token/roles/web", NULL);
	ASK(404, HTTP_GET, "auth/token/roles/web", NULL);
	rig_reopen();
	ASK(200, HTTP_LIST, "auth/token/roles", NULL);
	GOT("data.keys", "[api]");
}

Test(token_role, what_a_role_may_not_say)
{
	static const struct {
		const char *fields, *error;
	} c[] = {
		{"{\"path_suffix\":\"a/b\"}",
                 "[given role path suffix contains invalid characters; must match "
		  "^\\w(([\\w-.]+)?\\w)?$]"									 },
		{ "{\"path_suffix\":\"-a\"}",
                 "[given role path suffix contains invalid characters; must match "
		  "^\\w(([\\w-.]+)?\\w)?$]"									 },
		{ "{\"token_type\":\"gold\"}",                               "[invalid 'token_type' value \"gold\"]"},
		{ "{\"token_type\":\"batch\",\"token_period\":5}",
                 "['token_type' cannot be 'batch' or 'default_batch' when set to generate "
		  "periodic tokens]"										},
		{ "{\"token_type\":\"batch\",\"token_explicit_max_ttl\":5}",
                 "['token_type' cannot be 'batch' when role is set to generate tokens with "
		  "an explicit max TTL]"									    },
		{ "{\"token_num_uses\":-1}",                                 "['token_num_uses' cannot be negative]"},
		{ "{\"allowed_policies\":\"response-wrapping\"}",
                 "[cannot assign policy \"response-wrapping\"]"                                                     },
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		ASK(400, HTTP_POST, "auth/token/roles/web", c[i].fields);
		GOT("errors", c[i].error);
	}
	ASK(400, HTTP_POST, "auth/token/roles/a%20b", "{}");
	ASK(404, HTTP_GET, "auth/token/roles/web", NULL);
}

Test(token_role, allowed_policies_take_the_place_of_the_parents)
{
	const char *by = maker();

	refused(by, "none", "{}", "[unknown role none]");
	role("web",
	     "{\"allowed_policies\":[\"a\",\"b\"],\"allowed_policies_glob\":\"dev-*\"}");
	via(by, "web", "{}");
	GOT("auth.policies", "[a,b,default]");
	via(by, "web", "{\"policies\":[\"a\",\"dev-1\"]}");
	GOT("auth.policies", "[a,default,dev-1]");
	via(by, "web", "{\"policies\":[\"a\"],\"no_default_policy\":true}");
	GOT("auth.policies", "[a]");
	refused(by, "web", "{\"policies\":[\"maker\"]}",
	        "[token policies (\"maker\" is one) must be subset of the role's allowed "
	        "policies]");
	refused(rig.root, "web", "{\"policies\":[\"root\"]}",
	        "[token policies (\"root\" is one) must be subset of the role's allowed "
	        "policies]");
	role("any", "{\"allowed_policies_glob\":\"*\"}");
	refused(by, "any", "{\"policies\":[\"root\"]}",
	        "[root tokens may not be created without parent token being root]");
	via(by, "any", "{}");
	GOT("auth.policies", "[default]");
}

Test(token_role, disallowed_policies_always_refuse)
{
	const char *by = maker();

	role("web",
	     "{\"disallowed_policies\":\"secret,default\","
	     "\"disallowed_policies_glob\":\"adm*\",\"allowed_policies_glob\":\"*\"}");
	via(by, "web", "{\"policies\":\"x\"}");
	GOT("auth.policies", "[x]");
	refused(by, "web", "{\"policies\":\"x,secret\"}",
	        "[token policy \"secret\" is disallowed by this role]");
	refused(by, "web", "{\"policies\":\"admin\"}",
	        "[token policy \"admin\" is disallowed by this role]");
	refused(by, "web", "{\"policies\":\"default\"}",
	        "[token policy \"default\" is disallowed by this role]");
}

Test(token_role, one_that_says_nothing_leaves_the_subset_rule)
{
	const char *by = maker();

	role("web", "{}");
	via(by, "web", "{}");
	GOT("auth.policies", "[default,maker]");
	refused(by, "web", "{\"policies\":\"other\"}",
	        "[child policies must be subset of parent]");
}

Test(token_role, shapes_its_tokens)
{
	const char *by = maker(), *t;

	role("web", "{\"orphan\":true,\"path_suffix\":\"ci\",\"token_num_uses\":5,"
	            "\"token_explicit_max_ttl\":\"2h\",\"renewable\":false}");
	t = via(by, "web", "{\"num_uses\":9}");
	GOT("auth.orphan", "true");
	GOT("auth.num_uses", "5");
	GOT("auth.lease_duration", "7200");
	GOT("auth.renewable", "false");
	ASK_AS(200, t, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("data.path", "auth/token/create/web/ci");
	GOT("data.role", "web");
	GOT("data.explicit_max_ttl", "7200");
	GOT("data.num_uses", "4");
	via(by, "web", "{\"num_uses\":2,\"explicit_max_ttl\":60}");
	GOT("auth.num_uses", "2");
	GOT("auth.lease_duration", "60");
}

Test(token_role, decides_the_type)
{
	const char *by = maker();

	role("b", "{\"token_type\":\"batch\"}");
	role("s", "{\"token_type\":\"service\"}");
	role("db", "{\"token_type\":\"default-batch\"}");
	via(by, "b", "{\"type\":\"service\"}");
	GOT("auth.token_type", "batch");
	via(by, "s", "{\"type\":\"batch\"}");
	GOT("auth.token_type", "service");
	via(by, "db", "{}");
	GOT("auth.token_type", "batch");
	via(by, "db", "{\"type\":\"service\"}");
	GOT("auth.token_type", "service");
}

Test(token_role, is_read_again_at_a_renewal)
{
	const char *by = maker(), *t;

	role("web", "{\"token_period\":\"1h\",\"orphan\":true}");
	t = via(by, "web", "{}");
	GOT("auth.lease_duration", "3600");
	role("web", "{\"token_period\":\"30m\"}");
	ASK_AS(200, t, HTTP_POST, "auth/token/renew-self", "{\"increment\":\"5h\"}");
	GOT("auth.lease_duration", "1800");
	ASK(204, HTTP_DELETE, "auth/token/roles/web", NULL);
	ASK_AS(400, t, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[original token role \"web\" could not be found, not renewing]");
	cr_assert_eq(status_of(t), 200, "it lives on until its time is over");
}

Test(token_role, binds_its_tokens_to_addresses)
{
	const char *by = maker(), *t, *child;

	role("net", "{\"token_bound_cidrs\":[\"10.1.0.0/16\",\"192.0.2.9\"]}");
	role("wide", "{\"token_bound_cidrs\":[\"10.0.0.0/8\"]}");
	role("other", "{\"token_bound_cidrs\":[\"172.16.0.0/12\"]}");
	t = via(by, "net", "{}");
	cr_assert_eq(status_of(t), 403);
	GOT("errors", "[permission denied]");
	rig.remote = "10.1.2.3";
	cr_assert_eq(status_of(t), 200);
	GOT("data.bound_cidrs", "[10.1.0.0/16,192.0.2.9]");
	child = via(t, "wide", "{}");
	cr_assert_eq(status_of(child), 200);
	GOT("data.bound_cidrs", "[10.1.0.0/16]");
	child = create(t, "{}");
	cr_assert_eq(status_of(child), 200);
	GOT("data.bound_cidrs", "[10.1.0.0/16,192.0.2.9]");
	refused(t, "other", "{}",
	        "[the role's addresses are outside of those that the parent token is bound "
	        "to]");
	rig.remote = "10.2.0.1";
	cr_assert_eq(status_of(t), 403);
	cr_assert_eq(status_of(child), 403);
	rig.remote = "unix";
	cr_assert_eq(status_of(t), 403, "the socket has no address");
}

/* A list that grew with each generation would take ever more of the loop's time. */
Test(token_role, blocks_do_not_multiply_from_child_to_child)
{
	const char *t = maker();

	role("nest", "{\"token_bound_cidrs\":\"127.0.0.0/8,127.0.0.0/16,127.0.0.1\"}");
	for (int i = 0; i < 12; i++)
		t = via(t, "nest", "{}");
	cr_assert_eq(status_of(t), 200);
	GOT("data.bound_cidrs", "[127.0.0.0/8]");
	role("inner", "{\"token_bound_cidrs\":\"127.0.0.2,127.0.0.1,10.0.0.0/8\"}");
	t = via(t, "inner", "{}");
	cr_assert_eq(status_of(t), 200);
	GOT("data.bound_cidrs", "[127.0.0.2,127.0.0.1]");
}

Test(token_role, may_bind_to_the_one_address)
{
	const char *by = maker(), *t;

	role("here", "{\"token_strictly_bind_ip\":true}");
	rig.remote = "192.0.2.1";
	t = via(by, "here", "{}");
	cr_assert_eq(status_of(t), 200);
	GOT("data.bound_cidrs", "[192.0.2.1]");
	rig.remote = "192.0.2.2";
	cr_assert_eq(status_of(t), 403);
	rig.remote = "unix";
	ASK_AS(403, by, HTTP_POST, "auth/token/create/here", "{}");
}

/* A rule for the one spelling holds for all of them, and so does revocation. */
Test(token_role, case_is_no_way_round_a_policy)
{
	const char *by;

	role("admin", "{\"allowed_policies\":\"ops\"}");
	policy("most",
	       "path \\\"auth/token/create/*\\\" { capabilities = [\\\"update\\\"] } "
	       "path \\\"auth/token/create/admin\\\" { capabilities = [\\\"deny\\\"] }");
	by = create(rig.root, "{\"policies\":[\"most\"]}");
	ASK_AS(403, by, HTTP_POST, "auth/token/create/admin", "{}");
	ASK_AS(403, by, HTTP_POST, "auth/token/create/ADMIN", "{}");
	ASK(200, HTTP_POST, "auth/token/create/Admin", "{}");
	by = arena_str(rig.a, rig_got("auth.client_token"));
	ASK(204, HTTP_POST, "sys/leases/revoke-prefix/auth/token/create/admin", "{}");
	ASK_AS(403, by, HTTP_GET, "auth/token/lookup-self", NULL);
}

Test(token_role, aliases)
{
	const char *by = maker();

	role("web", "{\"allowed_entity_aliases\":\"app-*\"}");
	via(by, "web", "{\"entity_alias\":\"app-1\"}");
	GOT("auth.entity_id", "");
	refused(by, "web", "{\"entity_alias\":\"other\"}",
	        "[invalid 'entity_alias' value]");
	role("web", "{\"allowed_entity_aliases\":\"App-*\"}");
	via(by, "web", "{\"entity_alias\":\"App-1\"}");
	via(by, "web", "{\"entity_alias\":\"app-1\"}");
}

static const struct {
	const char *pattern, *text;
	bool want;
} globs[] = {
	{"*",      "",       true },
        { "*",     "a",      true },
        { "a*",    "a",      true },
	{ "a*",    "ba",     false},
        { "*a",    "bba",    true },
        { "*a",    "ab",     false},
	{ "a*c",   "abbc",   true },
        { "a*c",   "abcb",   false},
        { "a*b*c", "axbxbc", true },
	{ "a*b*c", "axc",    false},
        { "abc",   "abc",    true },
        { "abc",   "ab",     false},
	{ "ab",    "abc",    false},
        { "**a",   "a",      true },
        { "",      "",       true },
	{ "",      "a",      false},
        { "*ab*",  "aab",    true },
        { "a*ab",  "aab",    true },
	{ "a*ab",  "ab",     false},
};

Test(token_role, globs)
{
	for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
		struct value *list = value_array(rig.a);

		value_add(list, value_str(rig.a, globs[i].pattern));
		cr_assert_eq(token_glob_any(list, globs[i].text), globs[i].want, "%s %s",
		             globs[i].pattern, globs[i].text);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule demands beyond capabilities, and what one may ask about it. */
#include "core_rig.h"

#include "server/core/policy/policy_impl.h"

TestSuite(limits, .init = rig_start, .fini = rig_stop, .timeout = 60);

/* A token with one policy: ${text} is written with ' for ". */
static const char *token_under(const char *text)
{
	char fields[1024], *p;
	size_t n = 0;

	n += (size_t)snprintf(fields, sizeof(fields), "{\"policy\":\"");
	for (const char *c = text; *c != '\0' && n < sizeof(fields) - 8; c++)
		n += (size_t)snprintf(fields + n, 4, *c == '\'' ? "\\\"" : "%c", *c);
	snprintf(fields + n, sizeof(fields) - n, "\"}");
	ASK(204, HTTP_POST, "sys/policies/acl/limited", fields);
	ASK(200, HTTP_POST, "auth/token/create",
	    "{\"policies\":[\"limited\"],\"no_default_policy\":true}");
	p = arena_str(rig.a, rig_got("auth.client_token"));
	return p;
}

#define CREATE "path 'auth/token/create' { capabilities = ['update', 'sudo'] "

/* Beside a text of many bytes: what is not searched is denied, and not allowed. */
Test(limits, long_texts_are_not_searched)
{
	static const struct {
		const char *limits;
		int of_few, of_many;
	} cases[] = {
		{"denied_parameters = { 'display_name' = ['*zz*'] }",        200, 403},
		{ "denied_parameters = { 'display_name' = ['zz*', '*zz'] }", 200, 400},
		{ "allowed_parameters = { 'display_name' = ['*xx*'] }",      200, 403},
		{ "allowed_parameters = { 'display_name' = ['x*'] }",        200, 400},
		{ "denied_parameters = { 'policies' = ['zz'] }",             200, 403},
		{ "allowed_parameters = { '*' = [], 'policies' = ['x*'] }",  200, 403},
		{ "allowed_parameters = { '*' = [] }",                       200, 403},
	};
	static char few[17000], many[17100];

	memset(few, 'x', 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];
		const char *field = strstr(cases[i].limits, "display") ? "display_name"
		                                                       : "policies";
		const char *t;

		snprintf(text, sizeof(text), CREATE "%s }", cases[i].limits);
		t = token_under(text);
		memset(many, 'x', 16500);
		if (strcmp(field, "policies") == 0)
			for (size_t k = 1; k < 16500; k += 2)
				many[k] = ',';
		cr_assert_eq(
			rig_ask_as(t, HTTP_POST, "auth/token/create",
		                   arena_printf(rig.a, "{\"%s\":\"%s\"}", field, few)),
			cases[i].of_few, "%s", cases[i].limits);
		cr_assert_eq(
			rig_ask_as(t, HTTP_POST, "auth/token/create",
		                   arena_printf(rig.a, "{\"%s\":\"%s\"}", field, many)),
			cases[i].of_many, "%s", cases[i].limits);
	}
}

struct limit_case {
	char limits[160];
	char fields[120];
	int status;
};
ParameterizedTestParameters(limits, parameters)
{
	/* clang-format off */
	static struct limit_case c[] = {
		{ "required_parameters = ['ttl']", "{}", 403 },
		{ "required_parameters = ['ttl']", "{\"ttl\":\"1h\"}", 200 },
		{ "required_parameters = ['TTL']", "{\"ttl\":null}", 200 },
		{ "required_parameters = ['ttl']", "{\"TTL\":\"1h\"}", 403 },
		{ "allowed_parameters = { 'ttl' = ['1h', '2*'] }", "{}", 200 },
		{ "allowed_parameters = { 'ttl' = ['1h', '2*'] }", "{\"ttl\":\"1h\"}", 200 },
		{ "allowed_parameters = { 'ttl' = ['1h', '2*'] }", "{\"ttl\":\"20m\"}", 200 },
		{ "allowed_parameters = { 'ttl' = ['1h', '2*'] }", "{\"ttl\":\"3h\"}", 403 },
		{ "allowed_parameters = { 'ttl' = ['1h', '2*'] }", "{\"ttl\":3600}", 403 },
		{ "allowed_parameters = { 'ttl' = ['1h'] }", "{\"num_uses\":1}", 403 },
		{ "allowed_parameters = { 'ttl' = ['1h'] '*' = [] }", "{\"num_uses\":1}", 200 },
		{ "allowed_parameters = { 'ttl' = ['1h'] '*' = [] }", "{\"ttl\":\"2h\"}", 403 },
		{ "allowed_parameters = { 'num_uses' = [1] }", "{\"num_uses\":2}", 403 },
		{ "allowed_parameters = { 'num_uses' = [1] }", "{\"num_uses\":\"1\"}", 403 },
		{ "allowed_parameters = {}", "{\"num_uses\":1}", 200 },
		{ "denied_parameters = { 'num_uses' = [] }", "{\"num_uses\":1}", 403 },
		{ "denied_parameters = { 'num_uses' = [] }", "{\"NUM_USES\":1}", 403 },
		{ "denied_parameters = { 'num_uses' = [7] }", "{\"num_uses\":8}", 200 },
		{ "denied_parameters = { 'num_uses' = [7] }", "{\"num_uses\":7}", 403 },
		{ "denied_parameters = { 'num_uses' = [7] }", "{\"num_uses\":\"07\"}", 403 },
		{ "denied_parameters = { 'num_uses' = ['7'] }", "{\"num_uses\":7}", 403 },
		{ "denied_parameters = { 'renewable' = [true] }", "{\"renewable\":\"1\"}", 403 },
		{ "denied_parameters = { '*' = [] }", "{\"ttl\":\"1h\"}", 403 },
		{ "denied_parameters = { '*' = [] }", "{}", 200 },
		/* however a handler would read the list */
		{ "denied_parameters = { 'policies' = ['lim*'] }", "{\"policies\":[\"limited\"]}", 403 },
		{ "denied_parameters = { 'policies' = ['lim*'] }", "{\"policies\":\"limited\"}", 403 },
		{ "denied_parameters = { 'policies' = ['lim*'] }", "{\"policies\":\"x, LIMITED\"}", 403 },
		{ "denied_parameters = { 'policies' = ['lim*'] }", "{\"policies\":[\"x\",\"Limited\"]}", 403 },
		{ "allowed_parameters = { 'policies' = ['lim*'] }", "{\"policies\":\"limited\"}", 200 },
		{ "allowed_parameters = { 'policies' = ['lim*'] }", "{\"policies\":\"limited,root\"}", 403 },
		{ "allowed_parameters = { 'policies' = ['lim*'] }", "{\"policies\":[\"limited\"]}", 403 },
		{ "allowed_parameters = { 'policies' = [['limited']] }", "{\"policies\":[\"limited\"]}", 200 },
	};
	/* clang-format on */
	return cr_make_param_array(struct limit_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct limit_case *c, limits, parameters)
{
	char text[512];
	const char *t;

	snprintf(text, sizeof(text), CREATE "%s }", c->limits);
	t = token_under(text);
	cr_assert_eq(rig_ask_as(t, HTTP_POST, "auth/token/create", c->fields), c->status,
	             "%s %s", c->limits, c->fields);
}

Test(limits, a_read_has_no_parameters_but_may_have_to_be_wrapped)
{
	const char *t = token_under("path 'secret/data/a' { capabilities = ['read'] "
	                            "required_parameters = ['x'] }");

	ASK_AS(404, t, HTTP_GET, "secret/data/a", NULL);
	t = token_under("path 'secret/data/a' { capabilities = ['read'] "
	                "min_wrapping_ttl = 1 }");
	ASK_AS(403, t, HTTP_GET, "secret/data/a", NULL);
}

Test(limits, templates_give_nothing_without_an_identity)
{
	const char *t = token_under("path 'secret/data/{{identity.entity.name}}' { "
	                            "capabilities = ['read'] }");

	ASK_AS(403, t, HTTP_GET, "secret/data/", NULL);
	ASK_AS(403, t, HTTP_GET, "secret/data/a", NULL);
	ASK_AS(403, t, HTTP_GET, "secret/data/{{identity.entity.name}}", NULL);
}

Test(limits, the_policy_of_wrapping_tokens_is_built_in)
{
	ASK(200, HTTP_LIST, "sys/policies/acl", NULL);
	GOT("data.keys", "[default,root]");
	ASK(200, HTTP_GET, "sys/policies/acl/response-wrapping", NULL);
	cr_assert_not_null(strstr(rig_got("data.policy"), "sys/wrapping/unwrap"));
	ASK(400, HTTP_POST, "sys/policies/acl/response-wrapping", "{\"policy\":\"#\"}");
	GOT("errors", "[cannot update \"response-wrapping\" policy]");
	ASK(400, HTTP_DELETE, "sys/policies/acl/response-wrapping", NULL);
	ASK(400, HTTP_POST, "auth/token/create",
	    "{\"policies\":[\"response-wrapping\"]}");
	cr_assert(policies_exist(rig.core, "response-wrapping"));
}

Test(limits, capabilities_of_another_token)
{
	const char *t =
		token_under("path 'secret/*' { capabilities = ['update','read'] }");
	char fields[200], accessor[64];

	snprintf(accessor, sizeof(accessor), "%s", rig_got("auth.accessor"));
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\",\"paths\":[\"secret/x\"]}",
	         t);
	ASK(200, HTTP_POST, "sys/capabilities", fields);
	GOT("data", "{secret/x:[read,update],capabilities:[read,update]}");
	GOT("inject", "true");
	snprintf(fields, sizeof(fields), "{\"accessor\":\"%s\",\"path\":\"a,secret/x\"}",
	         accessor);
	ASK(200, HTTP_POST, "sys/capabilities-accessor", fields);
	GOT("data", "{a:[deny],secret/x:[read,update]}");
	ASK_AS(403, t, HTTP_POST, "sys/capabilities-accessor", fields);
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\",\"path\":\"x\"}", rig.root);
	ASK(200, HTTP_POST, "sys/capabilities", fields);
	GOT("data.x", "[root]");
	ASK(400, HTTP_POST, "sys/capabilities", "{\"token\":\"none\",\"path\":\"x\"}");
	GOT("errors", "[invalid token]");
	ASK(400, HTTP_POST, "sys/capabilities-accessor",
	    "{\"accessor\":\"none\",\"path\":\"x\"}");
	GOT("errors", "[invalid accessor]");
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", t);
	ASK(400, HTTP_POST, "sys/capabilities", fields);
	GOT("errors", "[paths must be supplied]");
}

Test(limits, all_that_a_token_may)
{
	const char *t = token_under(
		"path 'sys/internal/ui/resultant-acl' { capabilities = ['read'] } "
		"path 'a/*' { capabilities = ['update'] allowed_parameters = { 'x' = [1] } "
		"max_wrapping_ttl = '90s' } "
		"path 'a/*' { capabilities = ['list'] allowed_parameters = { 'X' = [2] 'y' = [] } "
		"denied_parameters = { 'z' = [] } required_parameters = ['x'] } "
		"path 'b/+/*' { capabilities = ['read'] } path 'c' { capabilities = ['deny'] }");

	ASK_AS(200, t, HTTP_GET, "sys/internal/ui/resultant-acl", NULL);
	GOT("data.root", "false");
	GOT("data.exact_paths",
	    "{c:{capabilities:[deny]},sys/internal/ui/resultant-acl:{capabilities:[read]}}");
	GOT("data.glob_paths.b/+/*", "{capabilities:[read]}");
	GOT("data.glob_paths.a/.capabilities", "[list,update]");
	GOT("data.glob_paths.a/.max_wrapping_ttl", "90");
	GOT("data.glob_paths.a/.denied_parameters", "{z:[]}");
	GOT("data.glob_paths.a/.required_parameters", "[x]");
	GOT("data.glob_paths.a/.allowed_parameters.y", "[]");
	cr_assert_eq(strlen(rig_got("data.glob_paths.a/.allowed_parameters.x")), 5);
	ASK(200, HTTP_GET, "sys/internal/ui/resultant-acl", NULL);
	GOT("data", "{root:true}");
}

Test(limits, the_default_policy_is_whole)
{
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"default\"]}");
	ASK_AS(200, arena_str(rig.a, rig_got("auth.client_token")), HTTP_POST,
	       "sys/capabilities-self",
	       "{\"paths\":\"sys/wrapping/unwrap,sys/wrapping/rewrap,cubbyhole/x/,"
	       "identity/oidc/provider/p/authorize,sys/leases/revoke,identity/entity/id/x\"}");
	GOT("data",
	    "{sys/wrapping/unwrap:[update],sys/wrapping/rewrap:[deny],"
	    "cubbyhole/x/:[create,delete,list,read,update],"
	    "identity/oidc/provider/p/authorize:[read,update],sys/leases/revoke:[deny],"
	    "identity/entity/id/x:[deny]}");
}

Test(limits, base64_may_come_in_lines)
{
	ASK(204, HTTP_POST, "sys/policies/acl/b64",
	    "{\"policy\":\"cGF0aCAic2VjcmV0L2RhdGEvYiIgeyBjYXBhYmls\\n"
	    "aXRpZXMgPSBbInJlYWQiXSB9\\n\"}");
	ASK(200, HTTP_GET, "sys/policies/acl/b64", NULL);
	GOT("data.policy", "path \"secret/data/b\" { capabilities = [\"read\"] }");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, mounts, init, unseal and seal as clients meet them. */
#include "core_rig.h"

#include "server/core/loop/batch.h"
#include "server/core/policy/policy_impl.h"
#include "server/core/sys/sys_state.h"

TestSuite(sys, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define READ_A "path \\\"secret/data/a\\\" { capabilities = [\\\"read\\\"] }"

static const char *token_with(const char *policies)
{
	char fields[128];

	snprintf(fields, sizeof(fields), "{\"policies\":%s}", policies);
	ASK(200, HTTP_POST, "auth/token/create", fields);
	return arena_str(rig.a, rig_got("auth.client_token"));
}

Test(sys, policies_have_two_forms)
{
	ASK(204, HTTP_POST, "sys/policies/acl/p1", "{\"policy\":\"" READ_A "\"}");
	ASK(200, HTTP_GET, "sys/policies/acl/p1", NULL);
	GOT("data",
	    "{name:p1,policy:path \"secret/data/a\" { capabilities = [\"read\"] }}");
	GOT("inject", "-");
	ASK(200, HTTP_GET, "sys/policy/p1", NULL);
	GOT("data",
	    "{name:p1,rules:path \"secret/data/a\" { capabilities = [\"read\"] }}");
	GOT("inject", "true");
	ASK(204, HTTP_POST, "sys/policy/p2", "{\"rules\":\"" READ_A "\"}");
	ASK(200, HTTP_LIST, "sys/policies/acl", NULL);
	GOT("data", "{keys:[default,p1,p2,root]}");
	ASK(200, HTTP_GET, "sys/policy", NULL);
	GOT("data", "{keys:[default,p1,p2,root],policies:[default,p1,p2,root]}");
	ASK(204, HTTP_DELETE, "sys/policy/p2", NULL);
	ASK(204, HTTP_DELETE, "sys/policies/acl/p2", NULL);
	ASK(404, HTTP_GET, "sys/policies/acl/p2", NULL);
	GOT("", "{errors:[]}");
	/* base64 of: path "secret/data/b" { capabilities = ["read"] } */
	ASK(204, HTTP_POST, "sys/policies/acl/b64",
	    "{\"policy\":\"cGF0aCAic2VjcmV0L2RhdGEvYiIgeyBjYXBhYmlsaXRpZXMgPSBbInJlYWQiXSB9\"}");
	ASK(200, HTTP_GET, "sys/policies/acl/b64", NULL);
	GOT("data.policy", "path \"secret/data/b\" { capabilities = [\"read\"] }");
}

/* Another spelling of a name must not be judged by another rule. */
Test(sys, a_slash_at_the_end_changes_no_decision)
{
	const char *t;

	ASK(200, HTTP_POST, "secret/data/foo", "{\"data\":{\"k\":\"v\"}}");
	ASK(204, HTTP_POST, "sys/policies/acl/wide",
	    "{\"policy\":\"path \\\"secret/*\\\" { capabilities = [\\\"read\\\", "
	    "\\\"delete\\\"] } path \\\"secret/data/foo\\\" { capabilities = [\\\"deny\\\"] } "
	    "path \\\"secret/metadata/foo\\\" { capabilities = [\\\"deny\\\"] }\"}");
	ASK(204, HTTP_POST, "sys/policies/acl/below",
	    "{\"policy\":\"path \\\"secret/data/foo/*\\\" { capabilities = "
	    "[\\\"read\\\"] }\"}");
	t = token_with("[\"wide\"]");
	ASK_AS(403, t, HTTP_GET, "secret/data/foo", NULL);
	ASK_AS(403, t, HTTP_GET, "secret/data/foo/", NULL);
	ASK_AS(403, t, HTTP_GET, "secret/metadata/foo/", NULL);
	ASK_AS(403, t, HTTP_DELETE, "secret/data/foo/", NULL);
	ASK_AS(403, t, HTTP_DELETE, "secret/metadata/foo/", NULL);
	t = token_with("[\"below\"]");
	ASK_AS(403, t, HTTP_GET, "secret/data/foo/", NULL);
	ASK(200, HTTP_GET, "secret/data/foo/", NULL);
	ASK(400, HTTP_POST, "secret/data/foo/", "{\"data\":{}}");
	ASK(400, HTTP_POST, "secret/", "{\"data\":{}}");
}

struct text_case {
	int method;
	char path[40];
	char fields[100];
	char error[100];
};
ParameterizedTestParameters(sys, policy_refusals)
{
	/* clang-format off */
	static struct text_case c[] = {
		{ HTTP_POST, "sys/policies/acl/p", "{}",
		  "['policy' parameter not supplied or empty]" },
		{ HTTP_POST, "sys/policies/acl/p", "{\"policy\":\"\"}",
		  "['policy' parameter not supplied or empty]" },
		{ HTTP_POST, "sys/policies/acl/p", "{\"policy\":\"x {\"}",
		  "[failed to parse policy: line 1: invalid key \"x\"]" },
		{ HTTP_POST, "sys/policies/acl/root", "{\"policy\":\"#\"}",
		  "[cannot update \"root\" policy]" },
		{ HTTP_POST, "sys/policy/ROOT", "{\"policy\":\"#\"}",
		  "[cannot update \"root\" policy]" },
		{ HTTP_DELETE, "sys/policies/acl/default", "{}",
		  "[cannot delete default policy]" },
		{ HTTP_DELETE, "sys/policy/root", "{}",
		  "[cannot delete \"root\" policy]" },
	};
	/* clang-format on */
	return cr_make_param_array(struct text_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct text_case *c, sys, policy_refusals)
{
	ASK(400, c->method, c->path, c->fields);
	GOT("errors", c->error);
	ASK(200, HTTP_LIST, "sys/policies/acl", NULL);
	GOT("data.keys", "[default,root]");
}

Test(sys, policy_names_are_folded)
{
	ASK(200, HTTP_POST, "sys/policies/acl/MyTeam", "{\"policy\":\"" READ_A "\"}");
	GOT("warnings", "[policy name was converted to myteam]");
	ASK(200, HTTP_GET, "sys/policies/acl/MYTEAM", NULL);
	GOT("data.name", "myteam");
	ASK(400, HTTP_POST, "sys/policies/acl/my team", "{\"policy\":\"" READ_A "\"}");
}

Test(sys, the_default_policy_can_be_changed_and_is_there_after_init)
{
	const char *t = token_with("[\"default\"]");

	ASK_AS(200, t, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(204, HTTP_POST, "sys/policies/acl/default", "{\"policy\":\"" READ_A "\"}");
	ASK_AS(403, t, HTTP_GET, "auth/token/lookup-self", NULL);
	rig_reopen();
	ASK_AS(403, t, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK_AS(404, t, HTTP_GET, "secret/data/a", NULL);
}

static int change_and_fail(struct core *c, void *arg, struct err *e)
{
	static const char text[] = "path \"secret/data/a\" { capabilities = [\"deny\"] }";

	(void)arg;
	cr_assert_eq(policies_put(c, rig.a, "p", text, sizeof(text) - 1, e), ERR_OK);
	cr_assert_eq(policies_put(c, rig.a, "fresh", text, sizeof(text) - 1, e), ERR_OK);
	cr_assert_eq(policies_delete(c, rig.a, "q", e), ERR_OK);
	cr_assert(!policies_exist(c, "q"));
	return err_set(e, ERR_INVALID, "on purpose");
}

Test(sys, the_mirror_of_policies_is_rolled_back)
{
	const char *t;
	struct err e = { 0 };

	ASK(204, HTTP_POST, "sys/policies/acl/p", "{\"policy\":\"" READ_A "\"}");
	ASK(204, HTTP_POST, "sys/policies/acl/q", "{\"policy\":\"" READ_A "\"}");
	t = token_with("[\"p\"]");
	cr_assert_eq(batch_alone(rig.core, change_and_fail, NULL, &e), ERR_INVALID);
	ASK_AS(404, t, HTTP_GET, "secret/data/a", NULL);
	cr_assert(policies_exist(rig.core, "q"));
	cr_assert(!policies_exist(rig.core, "fresh"));
	ASK(200, HTTP_LIST, "sys/policies/acl", NULL);
	GOT("data.keys", "[default,p,q,root]");
}

Test(sys, capabilities_self)
{
	const char *t;

	ASK(204, HTTP_POST, "sys/policies/acl/p",
	    "{\"policy\":\"path \\\"secret/*\\\" { capabilities = [\\\"update\\\",\\\"read\\\"] } "
	    "path \\\"secret/no\\\" { capabilities = [\\\"deny\\\"] } "
	    "path \\\"secret/dir\\\" { capabilities = [\\\"list\\\"] }\"}");
	t = token_with("[\"p\"]");
	ASK_AS(200, t, HTTP_POST, "sys/capabilities-self", "{\"paths\":[\"secret/x\"]}");
	GOT("data", "{secret/x:[read,update],capabilities:[read,update]}");
	GOT("inject", "true");
	ASK_AS(200, t, HTTP_POST, "sys/capabilities-self",
	       "{\"paths\":\"secret/no,other,/secret/x,secret/dir/\"}");
	GOT("data",
	    "{secret/no:[deny],other:[deny],/secret/x:[read,update],secret/dir/:[list]}");
	ASK(200, HTTP_POST, "sys/capabilities-self", "{\"path\":\"x\"}");
	GOT("data", "{x:[root],capabilities:[root]}");
	ASK(400, HTTP_POST, "sys/capabilities-self", NULL);
	GOT("errors", "[paths must be supplied]");
}

#define WS    300
#define ASKED 200

/* Prefixes of many lengths: a path that is looked up visits each of them. */
static void policy_of_many_lengths(const char *name)
{
	char *fields = arena_alloc(rig.a, 200000), path[64];
	size_t n;

	cr_assert_not_null(fields);
	n = (size_t)snprintf(fields, 200000, "{\"policy\":\"");
	for (int i = 1; i <= WS; i++) {
		n += (size_t)snprintf(fields + n, 200000 - n, "path \\\"");
		memset(fields + n, 'w', (size_t)i);
		n += (size_t)i;
		n += (size_t)snprintf(fields + n, 200000 - n,
		                      "*\\\"{capabilities=[\\\"%s\\\"]}",
		                      i % 2 ? "read" : "list");
	}
	snprintf(fields + n, 200000 - n, "\"}");
	snprintf(path, sizeof(path), "sys/policies/acl/%s", name);
	ASK(204, HTTP_POST, path, fields);
}

/* "w-", "ww-", "www-" … */
static const char *many_paths(void)
{
	char *fields = arena_alloc(rig.a, 100000);
	size_t n;

	cr_assert_not_null(fields);
	n = (size_t)snprintf(fields, 100000, "{\"paths\":[");
	for (int i = 1; i <= ASKED; i++) {
		n += (size_t)snprintf(fields + n, 100000 - n, "%s\"", i > 1 ? "," : "");
		memset(fields + n, 'w', (size_t)i);
		n += (size_t)i;
		n += (size_t)snprintf(fields + n, 100000 - n, "-\"");
	}
	snprintf(fields + n, 100000 - n, "]}");
	return fields;
}

static void expect_names(const struct value *data)
{
	int i = 1;

	cr_assert_eq(data->len, ASKED);
	for (const struct value *v = data->first; v != NULL; v = v->next, i++) {
		cr_assert_eq(v->key_len, (uint32_t)i + 1);
		cr_assert_eq(v->len, 1);
		cr_assert(value_is_str(v->first, i % 2 ? "read" : "list"), "path %d", i);
	}
}

Test(sys, capabilities_of_many_paths_are_looked_up_in_slices)
{
	const char *t, *accessor;
	char fields[256];
	int before, batches = 0;

	policy_of_many_lengths("long");
	t = token_with("[\"long\",\"default\"]");
	accessor = arena_str(rig.a, rig_got("auth.accessor"));
	before = rig.replies;
	rig_submit(HTTP_POST, "sys/capabilities-self", t, many_paths());
	for (; rig.replies == before; batches++)
		rig_run();
	cr_assert_eq(rig.status, 200, "%s", rig_got(""));
	cr_assert_gt(batches, 5);
	expect_names(value_get(rig.body, "data"));
	GOT("inject", "true");
	/* who may do that no longer does not get the rest */
	rig_submit(HTTP_POST, "sys/capabilities-self", t, many_paths());
	rig_run();
	cr_assert_eq(rig.replies, before + 1);
	snprintf(fields, sizeof(fields), "{\"accessor\":\"%s\"}", accessor);
	rig_submit(HTTP_POST, "auth/token/revoke-accessor", rig.root, fields);
	while (rig.replies < before + 3)
		rig_run();
	cr_assert_eq(rig.status, 403);
}

Test(sys, sudo_paths_need_sudo)
{
	const char *t;

	ASK(204, HTTP_POST, "sys/policies/acl/p",
	    "{\"policy\":\"path \\\"sys/seal\\\" { capabilities = [\\\"update\\\"] }\"}");
	t = token_with("[\"p\"]");
	ASK_AS(403, t, HTTP_POST, "sys/seal", NULL);
	GOT("errors", "[1 error occurred:\n\t* permission denied\n\n]");
	ASK(204, HTTP_POST, "sys/policies/acl/p",
	    "{\"policy\":\"path \\\"sys/seal\\\" { capabilities = [\\\"update\\\",\\\"sudo\\\"] }\"}");
	ASK_AS(204, t, HTTP_POST, "sys/seal", NULL);
	ASK_AS(503, t, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("errors", "[Vault is sealed]");
}

Test(sys, mounts_and_the_preflight_of_clients)
{
	const char *t;

	ASK(200, HTTP_GET, "sys/mounts", NULL);
	GOT("inject", "true");
	GOT("data.secret/.type", "kv");
	GOT("data.secret/.options", "{version:2}");
	GOT("data.sys/.type", "system");
	ASK(200, HTTP_GET, "sys/mounts/secret", NULL);
	GOT("data.type", "kv");
	ASK(400, HTTP_GET, "sys/mounts/nope", NULL);
	GOT("errors", "[No secret engine mount at nope/]");
	ASK(200, HTTP_GET, "sys/auth", NULL);
	GOT("data.token/.type", "token");
	ASK(200, HTTP_GET, "sys/internal/ui/mounts/secret/app/db", NULL);
	GOT("data.path", "secret/");
	GOT("data.options.version", "2");
	t = token_with("[\"default\"]");
	ASK_AS(403, t, HTTP_GET, "sys/internal/ui/mounts/secret/app", NULL);
	GOT("errors",
	    "[preflight capability check returned 403, please ensure client's policies "
	    "grant access to path \"secret/app/\"]");
	ASK(204, HTTP_POST, "sys/policies/acl/p",
	    "{\"policy\":\"path \\\"secret/data/deep/+\\\" { capabilities = [\\\"read\\\"] }\"}");
	t = token_with("[\"p\"]");
	ASK_AS(200, t, HTTP_GET, "sys/internal/ui/mounts/secret", NULL);
	GOT("data.path", "secret/");
	ASK_AS(200, t, HTTP_GET, "sys/internal/ui/mounts", NULL);
	GOT("data.secret.secret/.type", "kv");
	ASK_AS(403, t, HTTP_GET, "sys/internal/ui/mounts/other", NULL);
	ASK_AS(403, NULL, HTTP_GET, "sys/internal/ui/mounts/secret", NULL);
	ASK(204, HTTP_POST, "sys/policies/acl/p",
	    "{\"policy\":\"path \\\"secret/*\\\" { capabilities = [\\\"deny\\\"] }\"}");
	ASK_AS(403, t, HTTP_GET, "sys/internal/ui/mounts/secret", NULL);
}

Test(sys, status_says_what_is_not_enforced)
{
	ASK(200, HTTP_GET, "sys/vaultd/status", NULL);
	cr_assert_str_neq(rig_got("data.memory"), "-");
	cr_assert_str_neq(rig_got("data.audit_size"), "-");
	cr_assert_str_neq(rig_got("data.schema"), "-");
	GOT("data.unsealed_for", "0");
}

/* --- a vault with shares --- */

TestSuite(unseal, .init = rig_start, .fini = rig_stop, .timeout = 60);

static char keys[5][80];

/* Put a second, fresh core in the place of the first. */
static void start_again(void)
{
	core_close(rig.core);
	nftw(rig.dir, rig_remove, 8, FTW_DEPTH | FTW_PHYS);
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/core-rig-XXXXXX");
	cr_assert_not_null(mkdtemp(rig.dir));
	rig_open();
}

static void init_5_3(void)
{
	char path[24];

	start_again();
	ASK_AS(200, NULL, HTTP_GET, "sys/init", NULL);
	GOT("", "{initialized:false}");
	ASK_AS(200, NULL, HTTP_POST, "sys/init",
	       "{\"secret_shares\":5,\"secret_threshold\":3,\"stored_shares\":5}");
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "keys.%d", i);
		snprintf(keys[i], sizeof(keys[i]), "%s", rig_got(path));
		cr_assert_eq(strlen(keys[i]), 66);
	}
	snprintf(rig.root, sizeof(rig.root), "%s", rig_got("root_token"));
	ASK_AS(200, NULL, HTTP_GET, "sys/init", NULL);
	GOT("", "{initialized:true}");
	ASK_AS(400, NULL, HTTP_POST, "sys/init",
	       "{\"secret_shares\":1,\"secret_threshold\":1}");
	GOT("errors", "[Vault is already initialized]");
}

static int offer(const char *key)
{
	char fields[200];

	snprintf(fields, sizeof(fields), "{\"Key\":\"%s\"}", key);
	return rig_ask_as(NULL, HTTP_POST, "sys/unseal", fields);
}

Test(unseal, takes_as_many_shares_as_the_threshold)
{
	init_5_3();
	ASK_AS(503, rig.root, HTTP_GET, "auth/token/lookup-self", NULL);
	cr_assert_eq(offer(keys[4]), 200);
	GOT("progress", "1");
	GOT("sealed", "true");
	GOT("t", "3");
	GOT("n", "5");
	GOT("type", "shamir");
	GOT("storage_type", "sqlite");
	cr_assert_eq(strlen(rig_got("nonce")), 36);
	cr_assert_eq(offer(keys[4]), 200);
	GOT("progress", "1");
	cr_assert_eq(offer(keys[0]), 200);
	GOT("progress", "2");
	cr_assert_eq(offer(keys[2]), 200);
	GOT("sealed", "false");
	GOT("progress", "0");
	GOT("nonce", "");
	cr_assert_eq(strlen(rig_got("cluster_id")), 36);
	ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(200, HTTP_GET, "sys/mounts", NULL);
	cr_assert_eq(offer(keys[1]), 200);
	GOT("sealed", "false");
	ASK_AS(400, NULL, HTTP_POST, "sys/unseal", "{\"reset\":true}");
	GOT("errors", "[vault is unsealed]");
	ASK(204, HTTP_POST, "sys/seal", NULL);
	ASK(503, HTTP_GET, "sys/mounts", NULL);
}

Test(unseal, forgets_on_reset_and_refuses_what_is_no_share)
{
	char bad[80];

	init_5_3();
	cr_assert_eq(offer(keys[0]), 200);
	ASK_AS(200, NULL, HTTP_POST, "sys/unseal", "{\"reset\":true}");
	GOT("progress", "0");
	ASK_AS(400, NULL, HTTP_POST, "sys/unseal", NULL);
	GOT("errors",
	    "['key' must be specified in request body as JSON, or 'reset' set to true]");
	cr_assert_eq(offer("not a key!"), 400);
	GOT("errors", "['key' must be a valid hex or base64 string]");
	cr_assert_eq(offer("aabb"), 400);
	GOT("errors", "[key is shorter than minimum 16 bytes]");
	snprintf(bad, sizeof(bad), "%s", keys[1]);
	bad[10] = bad[10] == '0' ? '1' : '0';
	cr_assert_eq(offer(keys[0]), 200);
	cr_assert_eq(offer(bad), 400);
	cr_assert_eq(offer(keys[1]), 200);
	GOT("progress", "2");
	cr_assert_eq(offer(keys[2]), 200);
	GOT("sealed", "false");
}

struct init_case {
	char fields[120];
	char error[110];
};
ParameterizedTestParameters(unseal, init_refusals)
{
	/* clang-format off */
	static struct init_case c[] = {
		{ "{}", "[invalid seal configuration: shares must be at least one]" },
		{ "{\"secret_shares\":1}",
		  "[invalid seal configuration: threshold must be at least one]" },
		{ "{\"secret_shares\":2,\"secret_threshold\":1}",
		  "[invalid seal configuration: threshold must be greater than one "
		  "for multiple shares]" },
		{ "{\"secret_shares\":256,\"secret_threshold\":2}",
		  "[invalid seal configuration: shares must be less than 256]" },
		{ "{\"secret_shares\":2,\"secret_threshold\":3}",
		  "[invalid seal configuration: threshold cannot be larger than shares]" },
		{ "{\"secret_shares\":1,\"secret_threshold\":1,\"recovery_shares\":1}",
		  "[parameters recovery_shares,recovery_threshold not applicable to "
		  "seal type shamir]" },
		{ "{\"secret_shares\":1,\"secret_threshold\":1,\"pgp_keys\":[\"x\"]}",
		  "[pgp_keys is not supported]" },
	};
	/* clang-format on */
	return cr_make_param_array(struct init_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct init_case *c, unseal, init_refusals)
{
	start_again();
	ASK_AS(400, NULL, HTTP_POST, "sys/init", c->fields);
	GOT("errors", c->error);
	ASK_AS(400, NULL, HTTP_POST, "sys/unseal",
	       "{\"key\":\"00112233445566778899aabbccddeeff\"}");
	GOT("errors", "[Vault is not initialized]");
	ASK_AS(200, NULL, HTTP_POST, "sys/init",
	       "{\"secret_shares\":1,\"secret_threshold\":1}");
}

Test(unseal, state_for_net)
{
	struct value *state = value_object(rig.a);

	sys_state(rig.core, rig.a, state);
	cr_assert(value_bool_or(state, "initialized", false));
	cr_assert(!value_bool_or(state, "sealed", true));
	cr_assert_not_null(value_get(state, "cluster_name"));
	init_5_3();
	state = value_object(rig.a);
	sys_state(rig.core, rig.a, state);
	cr_assert(value_bool_or(state, "sealed", false));
	cr_assert_null(value_get(state, "cluster_name"));
	cr_assert_eq(value_int_or(state, "n", 0), 5);
}

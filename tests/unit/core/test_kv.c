/* SPDX-License-Identifier: Apache-2.0 */
/* KV version 2, through the dispatcher, against a real store. */
#include "core_rig.h"

#include "server/core/kv/kv_api.h"
#include "server/core/kv/readers.h"
#include "server/core/loop/batch.h"
#include "server/core/storage/store.h"
#include "vault/limits.h"

TestSuite(kv, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define NOT_FOUND "{errors:[]}"

static void put(const char *path, int n)
{
	char fields[64];

	snprintf(fields, sizeof(fields), "{\"data\":{\"n\":%d}}", n);
	ASK(200, HTTP_POST, path, fields);
}

Test(kv, reads_what_was_written)
{
	ASK(200, HTTP_POST, "secret/data/app/db",
	    "{\"data\":{\"user\":\"u\",\"deep\":{\"a\":[1,null,true,\"x\"]}}}");
	GOT("data",
	    "{created_time:2026-01-01T00:00:00Z,custom_metadata:null,deletion_time:,"
	    "destroyed:false,version:1}");
	ASK(200, HTTP_GET, "secret/data/app/db", NULL);
	GOT("data.data", "{user:u,deep:{a:[1,null,true,x]}}");
	GOT("data.metadata", "{created_time:2026-01-01T00:00:00Z,custom_metadata:null,"
	                     "deletion_time:,destroyed:false,version:1}");
	rig_reopen();
	ASK(200, HTTP_GET, "secret/data/app/db", NULL);
	GOT("data.data", "{user:u,deep:{a:[1,null,true,x]}}");
}

Test(kv, numbers_keep_their_text)
{
	static const char *const literals[] = { "18446744073709551616", "1e400", "-0",
		                                "0.1000000000000000055511151231257827",
		                                "1E+2" };
	struct core *c = rig.core;
	struct arena *a = rig.a;

	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		struct value *rq = value_array(a), *body = value_object(a),
			     *data = value_object(a);
		size_t n;
		unsigned char *p;

		value_set(data, "n", value_number(a, literals[i], strlen(literals[i])));
		value_set(body, "data", data);
		value_add(rq, value_int(a, HTTP_POST));
		value_add(rq, value_str(a, "secret/data/num"));
		value_add(rq, value_str(a, rig.root));
		value_add(rq, value_str(a, "127.0.0.1"));
		value_add(rq, value_null(a));
		value_add(rq, body);
		value_add(rq, value_int(a, 0));
		value_add(rq, value_int(a, IPC_ON_API));
		value_add(rq, value_int(a, 0));
		value_add(rq, value_null(a));
		p = value_pack(a, rq, &n);
		cr_assert_eq(core_submit(c, 1, ++rig.next_id, p, n), ERR_OK);
		rig_run();
		cr_assert_eq(rig.status, 200, "%s", rig_got(""));
		ASK(200, HTTP_GET, "secret/data/num", NULL);
		GOT("data.data.n", literals[i]);
	}
}

Test(kv, missing_things_are_a_bare_404)
{
	ASK(404, HTTP_GET, "secret/data/none", NULL);
	GOT("", NOT_FOUND);
	ASK(404, HTTP_GET, "secret/metadata/none", NULL);
	GOT("", NOT_FOUND);
	ASK(404, HTTP_LIST, "secret/metadata", NULL);
	GOT("", NOT_FOUND);
	ASK(404, HTTP_LIST, "secret/metadata/none/", NULL);
	GOT("", NOT_FOUND);
	put("secret/data/a", 1);
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":\"2\"}");
	GOT("", NOT_FOUND);
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":\"-1\"}");
	GOT("", NOT_FOUND);
	ASK(204, HTTP_DELETE, "secret/data/none", NULL);
	ASK(204, HTTP_DELETE, "secret/metadata/none", NULL);
	ASK(204, HTTP_POST, "secret/destroy/none", "{\"versions\":[1]}");
	ASK(404, HTTP_PATCH, "secret/data/none", "{\"data\":{\"a\":1}}");
	GOT("", NOT_FOUND);
	ASK(404, HTTP_PATCH, "secret/metadata/none", "{\"max_versions\":1}");
}

struct cas_case {
	char name[32];
	int stored;
	char options[40];
	int status;
	char error[80];
};
ParameterizedTestParameters(kv, checks_and_sets)
{
	/* clang-format off */
	static struct cas_case c[] = {
		{ "create", 0, "{\"cas\":0}", 200, "" },
		{ "create twice", 1, "{\"cas\":0}", 400,
		  "[check-and-set parameter did not match the current version]" },
		{ "right version", 2, "{\"cas\":2}", 200, "" },
		{ "version as text", 2, "{\"cas\":\"2\"}", 200, "" },
		{ "stale", 2, "{\"cas\":1}", 400,
		  "[check-and-set parameter did not match the current version]" },
		{ "future", 2, "{\"cas\":3}", 400,
		  "[check-and-set parameter did not match the current version]" },
		{ "negative", 0, "{\"cas\":-1}", 400,
		  "[check-and-set parameter did not match the current version]" },
		{ "no number", 1, "{\"cas\":\"x\"}", 400,
		  "[error parsing check-and-set parameter]" },
		{ "null", 1, "{\"cas\":null}", 200, "" },
		{ "none", 1, "{}", 200, "" },
	};
	/* clang-format on */
	return cr_make_param_array(struct cas_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct cas_case *c, kv, checks_and_sets)
{
	char fields[128];

	for (int i = 0; i < c->stored; i++)
		put("secret/data/p", i);
	snprintf(fields, sizeof(fields), "{\"data\":{\"new\":1},\"options\":%s}",
	         c->options);
	ASK(c->status, HTTP_POST, "secret/data/p", fields);
	if (c->error[0] != '\0')
		GOT("errors", c->error);
	rig_ask(HTTP_GET, "secret/metadata/p", NULL);
	cr_assert_eq(strtoll(rig_got("data.current_version"), NULL, 10),
	             c->stored + (c->status == 200), "%s", c->name);
	/* Nothing of a refused write is left behind, and the next one works. */
	put("secret/data/other", 1);
}

Test(kv, cas_may_be_required_by_key_or_mount)
{
	ASK(204, HTTP_POST, "secret/metadata/k", "{\"cas_required\":true}");
	ASK(400, HTTP_POST, "secret/data/k", "{\"data\":{}}");
	GOT("errors", "[check-and-set parameter required for this call]");
	ASK(200, HTTP_POST, "secret/data/k", "{\"data\":{},\"options\":{\"cas\":0}}");
	ASK(204, HTTP_POST, "secret/config", "{\"cas_required\":true}");
	ASK(400, HTTP_POST, "secret/data/m", "{\"data\":{}}");
	ASK(400, HTTP_POST, "secret/data/m", "{\"options\":{\"cas\":0}}");
	GOT("errors", "[no data provided]");
	ASK(400, HTTP_POST, "secret/data/m", "{\"data\":\"text\"}");
}

Test(kv, deleted_versions_answer_404_with_their_metadata)
{
	put("secret/data/a", 1);
	put("secret/data/a", 2);
	rig_advance(1500);
	ASK(204, HTTP_DELETE, "secret/data/a", NULL);
	ASK(404, HTTP_GET, "secret/data/a", NULL);
	GOT("data.data", "null");
	GOT("data.metadata",
	    "{created_time:2026-01-01T00:00:00Z,custom_metadata:null,"
	    "deletion_time:2026-01-01T00:00:01.5Z,destroyed:false,version:2}");
	ASK(200, HTTP_GET, "secret/data/a", "{\"version\":\"1\"}");
	GOT("data.data.n", "1");
	/* A deleted newest version still counts for check-and-set. */
	ASK(400, HTTP_POST, "secret/data/a", "{\"data\":{},\"options\":{\"cas\":0}}");
	ASK(204, HTTP_POST, "secret/undelete/a", "{\"versions\":[\"2\",7]}");
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	GOT("data.data.n", "2");
	GOT("data.metadata.deletion_time", "");
	ASK(204, HTTP_POST, "secret/delete/a", "{\"versions\":\"1,2\"}");
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":1}");
	ASK(400, HTTP_POST, "secret/delete/a", "{\"versions\":[]}");
	GOT("errors", "[No version number provided]");
	ASK(400, HTTP_POST, "secret/destroy/a", NULL);
	GOT("errors", "[no version number provided]");
	ASK(400, HTTP_POST, "secret/delete/a", "{\"versions\":[\"x\"]}");
}

Test(kv, destroyed_is_final)
{
	struct kv_secret s;
	struct err e;
	const struct mount *m;
	const char *rest;
	unsigned char *p, id[32];
	size_t n;

	put("secret/data/a", 1);
	put("secret/data/a", 2);
	ASK(204, HTTP_POST, "secret/delete/a", "{\"versions\":[1]}");
	ASK(204, HTTP_POST, "secret/destroy/a", "{\"versions\":[1,1]}");
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":1}");
	GOT("data.data", "null");
	GOT("data.metadata.destroyed", "true");
	ASK(204, HTTP_POST, "secret/undelete/a", "{\"versions\":[1]}");
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":1}");
	GOT("data.metadata.destroyed", "true");
	GOT("data.metadata.deletion_time", "2026-01-01T00:00:00Z");
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	cr_assert_eq(kv_split(rig.core, "secret/a", &m, &rest, &e), ERR_OK);
	cr_assert_eq(kv_open(rig.core, rig.a, m, rest, &s, &e), ERR_OK);
	memcpy(id, s.o.id, sizeof(id));
	cr_assert_eq(payload_get(rig.core, rig.a, id, 1, rig.wall, &p, &n, &e),
	             ERR_NOENT);
	cr_assert_eq(payload_get(rig.core, rig.a, id, 2, rig.wall, &p, &n, &e), ERR_OK);
}

Test(kv, old_versions_are_trimmed)
{
	for (int i = 1; i <= 12; i++)
		put("secret/data/a", i);
	ASK(404, HTTP_GET, "secret/data/a", "{\"version\":2}");
	GOT("", NOT_FOUND);
	ASK(200, HTTP_GET, "secret/data/a", "{\"version\":3}");
	ASK(200, HTTP_GET, "secret/metadata/a", NULL);
	GOT("data.oldest_version", "3");
	GOT("data.current_version", "12");
	GOT("data.versions.2", "-");
	GOT("data.versions.3",
	    "{created_time:2026-01-01T00:00:00Z,deletion_time:,destroyed:false}");
	/* The larger of the two settings counts. */
	ASK(204, HTTP_POST, "secret/config", "{\"max_versions\":2}");
	ASK(204, HTTP_POST, "secret/metadata/a", "{\"max_versions\":3}");
	put("secret/data/a", 13);
	ASK(200, HTTP_GET, "secret/metadata/a", NULL);
	GOT("data.oldest_version", "11");
	ASK(400, HTTP_POST, "secret/config", "{\"max_versions\":-1}");
	ASK(400, HTTP_POST, "secret/config", "{\"max_versions\":100000}");
	ASK(200, HTTP_GET, "secret/config", NULL);
	GOT("data", "{cas_required:false,delete_version_after:0s,max_versions:2}");
}

Test(kv, versions_age)
{
	ASK(204, HTTP_POST, "secret/config", "{\"delete_version_after\":\"2h\"}");
	ASK(204, HTTP_POST, "secret/metadata/a",
	    "{\"delete_version_after\":\"3h25m19s\"}");
	ASK(204, HTTP_POST, "secret/metadata/never",
	    "{\"delete_version_after\":\"-1s\"}");
	put("secret/data/a", 1);
	put("secret/data/never", 1);
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	GOT("data.metadata.deletion_time", "2026-01-01T02:00:00Z");
	rig_advance(2 * 3600 * 1000 - 1);
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	rig_advance(1);
	ASK(404, HTTP_GET, "secret/data/a", NULL);
	GOT("data.data", "null");
	ASK(200, HTTP_GET, "secret/data/never", NULL);
	ASK(200, HTTP_GET, "secret/metadata/a", NULL);
	GOT("data.delete_version_after", "3h25m19s");
}

Test(kv, patch_merges)
{
	ASK(200, HTTP_POST, "secret/data/a",
	    "{\"data\":{\"keep\":1,\"drop\":2,\"deep\":{\"x\":1,\"y\":2},\"list\":[1]}}");
	ASK(200, HTTP_PATCH, "secret/data/a",
	    "{\"data\":{\"drop\":null,\"deep\":{\"y\":null,\"z\":{\"n\":null,\"m\":3}},"
	    "\"list\":[2],\"new\":\"v\"}}");
	GOT("data.version", "2");
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	GOT("data.data", "{deep:{x:1,z:{m:3}},keep:1,list:[2],new:v}");
	ASK(400, HTTP_PATCH, "secret/data/a", "{\"data\":{},\"options\":{\"cas\":1}}");
	ASK(204, HTTP_DELETE, "secret/data/a", NULL);
	ASK(404, HTTP_PATCH, "secret/data/a", "{\"data\":{\"a\":1}}");
	GOT("data.metadata.version", "2");
}

Test(kv, metadata_of_a_key)
{
	ASK(204, HTTP_POST, "secret/metadata/a",
	    "{\"custom_metadata\":{\"owner\":\"me\",\"k\":\"v\"},\"max_versions\":\"4\"}");
	ASK(200, HTTP_GET, "secret/metadata/a", NULL);
	GOT("data",
	    "{cas_required:false,created_time:2026-01-01T00:00:00Z,current_version:0,"
	    "custom_metadata:{owner:me,k:v},delete_version_after:0s,max_versions:4,"
	    "oldest_version:0,updated_time:2026-01-01T00:00:00Z,versions:{}}");
	ASK(404, HTTP_GET, "secret/data/a", NULL);
	GOT("", NOT_FOUND);
	ASK(200, HTTP_POST, "secret/data/a", "{\"data\":{},\"options\":{\"cas\":0}}");
	GOT("data.custom_metadata", "{owner:me,k:v}");
	ASK(204, HTTP_PATCH, "secret/metadata/a",
	    "{\"custom_metadata\":{\"owner\":null,\"x\":\"y\"}}");
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	GOT("data.metadata.custom_metadata", "{k:v,x:y}");
	ASK(204, HTTP_POST, "secret/metadata/a", "{\"custom_metadata\":{}}");
	ASK(200, HTTP_GET, "secret/metadata/a", NULL);
	GOT("data.custom_metadata", "null");
	ASK(400, HTTP_POST, "secret/metadata/a", "{\"custom_metadata\":{\"n\":1}}");
	GOT("errors", "[custom_metadata validation failed: values must be strings]");
	ASK(400, HTTP_POST, "secret/metadata/a", "{\"custom_metadata\":{\"\":\"x\"}}");
}

Test(kv, folders_are_listed_and_vanish)
{
	put("secret/data/b", 1);
	put("secret/data/a", 1);
	put("secret/data/a/x", 1);
	put("secret/data/a/y/z", 1);
	put("secret/data/B", 1);
	ASK(200, HTTP_LIST, "secret/metadata", NULL);
	GOT("data.keys", "[B,a,a/,b]");
	ASK(200, HTTP_LIST, "secret/metadata/a", NULL);
	GOT("data.keys", "[x,y/]");
	ASK(200, HTTP_LIST, "secret/metadata/a/y/", NULL);
	GOT("data.keys", "[z]");
	ASK(204, HTTP_DELETE, "secret/data/a/y/z", NULL);
	ASK(200, HTTP_LIST, "secret/metadata/a/y/", NULL);
	ASK(204, HTTP_DELETE, "secret/metadata/a/y/z", NULL);
	ASK(404, HTTP_LIST, "secret/metadata/a/y/", NULL);
	ASK(200, HTTP_LIST, "secret/metadata/a", NULL);
	GOT("data.keys", "[x]");
	ASK(204, HTTP_DELETE, "secret/metadata/a/x", NULL);
	ASK(200, HTTP_LIST, "secret/metadata", NULL);
	GOT("data.keys", "[B,a,b]");
	cr_assert_eq(store_count(rig.core, KIND_DIR), 0);
	ASK(404, HTTP_GET, "secret/metadata/a/x", NULL);
	put("secret/data/a/x", 5);
	GOT("data.version", "1");
}

Test(kv, long_listings_are_sliced_and_sorted, .timeout = 120)
{
	char path[64], want[16];
	const char *token;
	const struct value *keys, *v;
	int before, n = 2 * (int)LIMIT_LIST_INLINE + 50, i = 0;

	for (int k = 0; k < n; k++) {
		snprintf(path, sizeof(path), "secret/data/big/%05d%s", k,
		         k % 100 == 7 ? "/x" : "");
		rig_submit(HTTP_POST, path, rig.root, "{\"data\":{}}");
		if (k % 200 == 0)
			rig_run();
	}
	while (rig.replies < n)
		rig_run();
	/* Its last use is good for all the slices. */
	ASK(200, HTTP_POST, "auth/token/create", "{\"num_uses\":1}");
	token = arena_str(rig.a, rig_got("auth.client_token"));
	before = rig.replies;
	rig_submit(HTTP_LIST, "secret/metadata/big", token, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before, "a long listing must not hold the loop");
	cr_assert_eq(core_wait_ms(rig.core), 0);
	while (rig.replies == before)
		rig_run();
	cr_assert_eq(rig.status, 200);
	keys = value_get(value_get(rig.body, "data"), "keys");
	cr_assert_eq(keys->len, (uint32_t)n);
	for (v = keys->first; v != NULL; v = v->next, i++) {
		snprintf(want, sizeof(want), "%05d%s", i, i % 100 == 7 ? "/" : "");
		cr_assert(value_is_str(v, want), "%d: %.*s", i, (int)v->len, v->text);
	}
	ASK_AS(403, token, HTTP_LIST, "secret/metadata/big", NULL);
}

Test(kv, values_have_a_limit)
{
	static char big[LIMIT_SECRET_VALUE + 200];
	int n = snprintf(big, sizeof(big), "{\"data\":{\"v\":\"");

	memset(big + n, 'x', LIMIT_SECRET_VALUE);
	snprintf(big + n + LIMIT_SECRET_VALUE, 8, "\"}}");
	ASK(413, HTTP_POST, "secret/data/a", big);
	ASK(404, HTTP_GET, "secret/metadata/a", NULL);
	snprintf(big + n + LIMIT_SECRET_VALUE - 100, 8, "\"}}");
	ASK(200, HTTP_POST, "secret/data/a", big);
}

Test(kv, paths_of_version_1_are_answered_with_advice)
{
	ASK(404, HTTP_GET, "secret/foo", NULL);
	GOT("warnings.0",
	    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate "
	    "API endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation.");
	ASK(404, HTTP_POST, "secret/foo", "{\"a\":1}");
	cr_assert_not_null(strstr(rig_got("warnings.0"), "'vault kv put'"));
	ASK(404, HTTP_GET, "secret/", NULL);
	GOT("errors",
	    "[Non-listing operations on the root of a K/V v2 mount are not supported.]");
	ASK(405, HTTP_LIST, "secret/data/a", NULL);
	ASK(404, HTTP_GET, "secret/data", NULL);
}

Test(kv, subkeys_show_no_values)
{
	ASK(200, HTTP_POST, "secret/data/a",
	    "{\"data\":{\"p\":\"SECRET\",\"q\":{\"r\":{\"s\":\"SECRET\"}},\"l\":[\"SECRET\"]}}");
	ASK(200, HTTP_GET, "secret/subkeys/a", NULL);
	GOT("data.subkeys", "{p:null,q:{r:{s:null}},l:null}");
	ASK(200, HTTP_GET, "secret/subkeys/a", "{\"depth\":\"1\"}");
	GOT("data.subkeys", "{p:null,q:null,l:null}");
	ASK(200, HTTP_GET, "secret/subkeys/a", "{\"depth\":2}");
	GOT("data.subkeys", "{p:null,q:{r:null},l:null}");
}

Test(kv, create_and_update_are_told_apart)
{
	char token[64];

	ASK(204, HTTP_POST, "sys/policies/acl/creator",
	    "{\"policy\":\"path \\\"secret/data/*\\\" { capabilities = [\\\"create\\\"] }\"}");
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"creator\"]}");
	snprintf(token, sizeof(token), "%s", rig_got("auth.client_token"));
	ASK_AS(200, token, HTTP_POST, "secret/data/new", "{\"data\":{}}");
	ASK_AS(403, token, HTTP_POST, "secret/data/new", "{\"data\":{}}");
	GOT("errors", "[1 error occurred:\n\t* permission denied\n\n]");
	ASK_AS(403, token, HTTP_GET, "secret/data/new", NULL);
}

Test(kv, internal_calls_see_what_clients_see)
{
	const struct mount *m = NULL;
	const char *rest = NULL;
	struct kv_secret s, by_id;
	struct value *data = NULL;
	struct err e = { 0 };

	put("secret/data/app/db", 1);
	put("secret/data/app/db", 2);
	cr_assert_eq(kv_split(rig.core, "secret/app/db", &m, &rest, &e), ERR_OK);
	cr_assert_str_eq(rest, "app/db");
	cr_assert_eq(kv_split(rig.core, "secret/", &m, &rest, &e), ERR_INVALID);
	cr_assert_eq(kv_split(rig.core, "sys/x", &m, &rest, &e), ERR_INVALID);
	cr_assert_eq(kv_split(rig.core, "secret/../x", &m, &rest, &e), ERR_INVALID);
	cr_assert_eq(kv_split(rig.core, "secret/app/db", &m, &rest, &e), ERR_OK);
	cr_assert_eq(kv_open(rig.core, rig.a, m, rest, &s, &e), ERR_OK);
	cr_assert_eq(kv_open_id(rig.core, rig.a, s.o.id, &by_id, &e), ERR_OK);
	cr_assert_str_eq(kv_full_path(rig.a, &by_id), "secret/app/db");
	cr_assert_eq(by_id.current, 2);
	cr_assert_eq(kv_read(rig.core, rig.a, &by_id, 0, &data, &e), ERR_OK);
	cr_assert_eq(value_int_or(data, "n", 0), 2);
	cr_assert_eq(kv_read(rig.core, rig.a, &by_id, 1, &data, &e), ERR_OK);
	cr_assert_eq(kv_read(rig.core, rig.a, &by_id, 3, &data, &e), ERR_NOENT);
}

static int write_twice(struct core *c, void *arg, struct err *e)
{
	const struct mount *m = NULL;
	const char *rest = NULL;
	int64_t version = 0;
	int rc;

	(void)arg;
	cr_assert_eq(kv_split(c, "secret/app/db", &m, &rest, e), ERR_OK);
	cr_assert_eq(kv_write(c, rig.a, m, rest, rig_json("{\"n\":1}"), 0, &version, e),
	             ERR_OK);
	cr_assert_eq(kv_write(c, rig.a, m, rest, rig_json("{\"n\":2}"), -1, &version, e),
	             ERR_OK);
	cr_assert_eq(version, 2);
	rc = kv_write(c, rig.a, m, rest, rig_json("{\"n\":3}"), 1, &version, e);
	cr_assert_eq(rc, ERR_CONFLICT);
	cr_assert_str_eq(e->msg,
	                 "check-and-set parameter did not match the current version");
	return kv_write(c, rig.a, m, rest, rig_json("{\"n\":4}"), 2, &version, e);
}

Test(kv, internal_writes_are_checked_and_set)
{
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, write_twice, NULL, &e), ERR_OK, "%s", e.msg);
	ASK(200, HTTP_GET, "secret/data/app/db", NULL);
	GOT("data.data.n", "4");
	GOT("data.metadata.version", "3");
}

Test(kv, readers_are_remembered_after_commit)
{
	const struct mount *m = NULL;
	const char *rest = NULL;
	struct kv_secret s;
	struct value *list;
	struct err e = { 0 };

	put("secret/data/a", 1);
	cr_assert_eq(kv_split(rig.core, "secret/a", &m, &rest, &e), ERR_OK);
	cr_assert_eq(kv_open(rig.core, rig.a, m, rest, &s, &e), ERR_OK);
	cr_assert_eq(readers_list(rig.core, rig.a, s.o.id)->len, 0);
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	rig_advance(1000);
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	ASK(200, HTTP_POST, "auth/token/create", "{\"display_name\":\"ci\"}");
	ASK_AS(200, arena_str(rig.a, rig_got("auth.client_token")), HTTP_GET,
	       "secret/data/a", NULL);
	list = readers_list(rig.core, rig.a, s.o.id);
	cr_assert_eq(list->len, 2);
	for (int i = 0; i < 6000; i++) {
		char who[32];

		snprintf(who, sizeof(who), "reader %d", i);
		readers_note(rig.core, s.o.id, who, rig.wall + i);
	}
	list = readers_list(rig.core, rig.a, s.o.id);
	cr_assert_leq(list->len, READERS_MAX);
	cr_assert(value_is_str(value_get(value_at(list, 0), "who"), "reader 5999"));
}

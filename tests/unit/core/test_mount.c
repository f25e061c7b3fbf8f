/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts below the API: the mirror and its undo, rows of older releases, unmounting. */
#include "host_rig.h"

#include "server/core/kv/kv_impl.h"
#include "server/core/mount/mount_impl.h"
#include "server/core/token/auth_token.h"

TestSuite(mount, .init = rig_start, .fini = rig_stop, .timeout = 120);

static void ask_value(const char *path, int n)
{
	ASK(200, HTTP_POST, path, arena_printf(rig.a, "{\"data\":{\"n\":%d}}", n));
}

/* Everything that the mirror says, as text. */
static void list_one(void *ctx, const struct mount *m)
{
	char **text = ctx;

	*text = arena_printf(rig.a, "%s%s %s %d %s %lld %zu;", *text, m->path, m->engine,
	                     m->kv_version, m->description,
	                     (long long)m->config.default_ttl_ms, m->options.n);
}

static char *mirror(void)
{
	char *text = arena_str(rig.a, "");

	mounts_each(rig.core, list_one, &text);
	return text;
}

static int change_everything(struct core *c, void *arg, struct err *e)
{
	const struct mount *old = mounts_at(c, "secret/");
	struct mount m = *old;

	(void)arg;
	m.description = "changed";
	m.config.default_ttl_ms = 5000;
	m.options.n = 0;
	cr_assert_eq(mounts_replace(c, rig.a, old, &m, e), ERR_OK, "%s", e->msg);
	cr_assert_str_eq(mounts_at(c, "secret/")->description, "changed");
	cr_assert_eq(mounts_create_kv(c, "a/", e), ERR_OK, "%s", e->msg);
	cr_assert_eq(mounts_create_kv(c, "z/", e), ERR_OK, "%s", e->msg);
	cr_assert_eq(mounts_remove(c, rig.a, mounts_at(c, "a/"), e), ERR_OK, "%s",
	             e->msg);
	cr_assert_null(mounts_at(c, "a/"));
	m = *mounts_at(c, "secret/");
	m.path = "moved/";
	cr_assert_eq(mounts_replace(c, rig.a, mounts_at(c, "secret/"), &m, e), ERR_OK);
	cr_assert_null(mounts_at(c, "secret/"));
	cr_assert_not_null(mounts_at(c, "moved/"));
	return arg != NULL ? ERR_OK : err_set(e, ERR_INVALID, "wanted");
}

Test(mount, changes_are_undone_with_the_savepoint)
{
	char *before = mirror();
	struct err e = { 0 };
	int yes = 1;

	cr_assert_eq(batch_alone(rig.core, change_everything, NULL, &e), ERR_INVALID);
	cr_assert_str_eq(mirror(), before);
	cr_assert_eq(store_count(rig.core, KIND_MOUNT), 1);
	ask_value("secret/data/x", 1);
	cr_assert_eq(batch_alone(rig.core, change_everything, &yes, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_null(mounts_at(rig.core, "secret/"));
	before = mirror();
	rig_reopen();
	cr_assert_str_eq(mirror(), before, "what is stored is what was mirrored");
	ASK(200, HTTP_GET, "moved/data/x", NULL);
}

Test(mount, the_longest_path_serves)
{
	static const struct {
		const char *path, *mount, *rest;
	} cases[] = {
		{"secret/x",       "secret/",     "x"     },
		{ "secret/",       "secret/",     ""      },
		{ "secret",        NULL,          NULL    },
		{ "secrets/x",     NULL,          NULL    },
		{ "t/a/x",         "t/a/",        "x"     },
		{ "t/a-b/x/y",     "t/a-b/",      "x/y"   },
		{ "t/a./x",        "t/a./",       "x"     },
		{ "t/x",           NULL,          NULL    },
		{ "auth/token/x",  "auth/token/", "x"     },
		{ "auth/tokens/x", NULL,          NULL    },
		{ "sys/mounts",    "sys/",        "mounts"},
		{ "cubbyhole/x",   "cubbyhole/",  "x"     },
		{ "",              NULL,          NULL    },
		{ "zzz",           NULL,          NULL    },
	};
	const char *rest;

	ASK(204, HTTP_POST, "sys/mounts/t/a", "{\"type\":\"kv\"}");
	ASK(204, HTTP_POST, "sys/mounts/t/a-b", "{\"type\":\"kv\"}");
	ASK(204, HTTP_POST, "sys/mounts/t/a.", "{\"type\":\"kv\"}");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct mount *m = mounts_match(rig.core, cases[i].path, &rest);

		if (cases[i].mount == NULL) {
			cr_assert_null(m, "%s", cases[i].path);
			continue;
		}
		cr_assert_not_null(m, "%s", cases[i].path);
		cr_assert_str_eq(m->path, cases[i].mount);
		cr_assert_str_eq(rest, cases[i].rest);
	}
}

static int put_old_row(struct core *c, void *arg, struct err *e)
{
	struct store_object o = { .kind = KIND_MOUNT, .id_len = 16 };

	memcpy(o.id, "0123456789abcdef", 16);
	o.body = rig_json(arg);
	return store_put(c, &o, e);
}

Test(mount, rows_of_older_releases_load)
{
	char old[] = "{\"path\":\"old/\",\"type\":\"kv\",\"version\":2,\"accessor\":"
		     "\"kv_01234567\",\"uuid\":\"u\",\"description\":\"d\"}";
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, put_old_row, old, &e), ERR_OK, "%s", e.msg);
	rig_reopen();
	ASK(200, HTTP_GET, "sys/mounts/old", NULL);
	GOT("data.options", "{version:2}");
	GOT("data.accessor", "kv_01234567");
	GOT("data.config", "{default_lease_ttl:0,force_no_cache:false,max_lease_ttl:0}");
	ask_value("old/data/x", 1);
}

Test(mount, a_newer_type_is_kept_and_serves_nothing)
{
	char newer[] = "{\"path\":\"future/\",\"type\":\"transit\",\"accessor\":"
		       "\"transit_01234567\",\"uuid\":\"u\",\"description\":\"\"}";
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, put_old_row, newer, &e), ERR_OK, "%s", e.msg);
	rig_reopen();
	ASK(200, HTTP_GET, "sys/mounts/future", NULL);
	GOT("data.type", "transit");
	ASK(404, HTTP_GET, "future/keys/x", NULL);
	GOT("errors", "[1 error occurred:\n\t* unsupported path\n\n]");
}

Test(mount, tuning_a_built_in_mount_outlives_a_restart)
{
	ASK(204, HTTP_POST, "sys/auth/token/tune", "{\"max_lease_ttl\":\"2h\"}");
	ASK(204, HTTP_POST, "sys/auth/token/tune", "{\"description\":\"ours\"}");
	rig_reopen();
	ASK(200, HTTP_GET, "sys/auth/token", NULL);
	GOT("data.config.max_lease_ttl", "7200");
	GOT("data.description", "ours");
	GOT("data.type", "token");
	cr_assert_eq(store_count(rig.core, KIND_MOUNT), 2);
}

/* --- unmounting --- */

#define FOLDERS 6
#define EACH    12

/* FOLDERS folders, one below the other and beside it, EACH secrets with two versions. */
static void fill(const char *mount)
{
	for (int f = 0; f < FOLDERS; f++) {
		for (int i = 0; i < EACH; i++) {
			char *path = arena_printf(rig.a, "%s/data/%s%s%d", mount,
			                          f > 2 ? "deep/er/" : "",
			                          f % 3 == 0   ? ""
			                          : f % 3 == 1 ? "a/"
			                                       : "a/b/",
			                          i);

			ask_value(path, 1);
			ask_value(path, 2);
		}
	}
}

static int64_t rows(void)
{
	return store_count(rig.core, KIND_SECRET) + store_count(rig.core, KIND_DIR) +
	       store_count(rig.core, KIND_ENTRY);
}

static void run_jobs(int n)
{
	for (int i = 0; i < n && store_count(rig.core, KIND_JOB) > 0; i++) {
		rig_advance(2);
		rig_run();
	}
}

static struct kv_secret secret_at(const char *path)
{
	const struct mount *m;
	const char *rest;
	struct kv_secret s = { .current = 0 };
	struct err e = { 0 };

	cr_assert_eq(kv_split(rig.core, path, &m, &rest, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(kv_open(rig.core, rig.a, m, rest, &s, &e), ERR_OK, "%s", e.msg);
	return s;
}

Test(mount, unmounting_destroys_everything_across_restarts)
{
	struct kv_secret s;
	struct kv_version v;
	unsigned char *p;
	struct err e = { 0 };
	int64_t before, left;
	size_t n;
	int cuts = 0;

	fill("secret");
	ASK(204, HTTP_POST, "secret/config", "{\"max_versions\":5}");
	s = secret_at("secret/deep/er/a/b/3");
	cr_assert(kv_meta_version(s.o.body, 2, &v));
	cr_assert_eq(payload_get(rig.core, rig.a, s.o.id, 2, v.created_ms, &p, &n, &e),
	             ERR_OK);
	before = rows();
	cr_assert_eq(before, FOLDERS * EACH + 6);
	ASK(204, HTTP_DELETE, "sys/mounts/secret", NULL);
	ASK(404, HTTP_GET, "secret/data/0", NULL);
	GOT("errors", "[no handler for route \"secret/data/0\". route entry not found.]");
	cr_assert_gt(rows(), before / 2, "not all in the request");
	ASK(204, HTTP_POST, "sys/mounts/secret", "{\"type\":\"kv-v2\"}");
	ASK(404, HTTP_GET, "secret/data/0", NULL);
	ASK(404, HTTP_LIST, "secret/metadata", NULL);
	ask_value("secret/data/0", 7);
	while (store_count(rig.core, KIND_JOB) > 0 && cuts < 200) {
		run_jobs(1);
		rig_reopen();
		cuts++;
	}
	cr_assert_gt(cuts, 3, "cut off in the middle: %d", cuts);
	left = rows();
	cr_assert_eq(left, 1, "%lld", (long long)left);
	cr_assert_eq(payload_get(rig.core, rig.a, s.o.id, 2, v.created_ms, &p, &n, &e),
	             ERR_NOENT);
	ASK(200, HTTP_GET, "secret/data/0", NULL);
	GOT("data.data.n", "7");
	ASK(200, HTTP_GET, "secret/config", NULL);
	GOT("data.max_versions", "0");
}

Test(mount, a_secret_with_very_many_versions_goes_in_several_slices)
{
	ASK(204, HTTP_POST, "secret/metadata/many", "{\"max_versions\":400}");
	for (int i = 0; i < 300; i++)
		ask_value("secret/data/many", i);
	ASK(204, HTTP_DELETE, "sys/mounts/secret", NULL);
	run_jobs(3);
	cr_assert_eq(store_count(rig.core, KIND_SECRET), 1, "still there");
	run_jobs(1000);
	cr_assert_eq(rows(), 0);
}

Test(mount, who_holds_a_secret_of_the_mount_is_told)
{
	struct kv_secret s;
	struct err e = { 0 };
	struct rotation_rule rule;

	ask_value("secret/data/app/db", 1);
	ASK(204, HTTP_POST, "sys/rotation/config/secret/app/db", "{\"every\":\"1h\"}");
	holders(3, 1);
	s = secret_at("secret/app/db");
	ASK(204, HTTP_DELETE, "sys/mounts/secret", NULL);
	cr_assert_eq(kv_open_id(rig.core, rig.a, s.o.id, &s, &e), ERR_NOENT,
	             "nobody gets it between unmounting and destruction");
	rig_advance(2 * 3600 * 1000);
	run_jobs(1000);
	cr_assert_eq(rotation_rule_load(rig.core, rig.a, s.o.id, &rule, &e), ERR_OK);
	cr_assert_eq(rule.o.version, 0, "the rule is gone");
	cr_assert_eq(store_count(rig.core, KIND_ROTATION), 0);
	cr_assert_eq(store_count(rig.core, KIND_ATTEMPT), 0);
	ASK(200, HTTP_LIST, "sys/vault-leases", NULL);
	for (size_t i = 0; i < 3; i++) {
		const struct value *info = value_get(value_get(rig.body, "data"),
		                                     "key_info");

		cr_assert(value_is_str(value_get(value_at(info, i), "state"),
		                       "revoked") ||
		                  value_is_str(value_get(value_at(info, i), "state"),
		                               "expired"),
		          "%s", rig_got("data.key_info"));
	}
}

/* --- moving --- */

static int revoke_one(struct core *c, void *arg, struct err *e)
{
	struct leases ls = { .a = rig.a };
	int rc = store_each(c, rig.a, KIND_LEASE, NULL, 0, 1, lease_collect, &ls, e);

	(void)arg;
	return rc == ERR_OK ? lease_end_now(c, rig.a, &ls.at[0], END_OPERATOR, 1, e) : rc;
}

Test(mount, what_remembers_paths_follows_a_move)
{
	struct rotation_rule rule;
	struct kv_secret s;
	const struct value *info;
	struct err e = { 0 };
	int moved = 0, kept = 0;

	ask_value("secret/data/app/db", 1);
	ASK(204, HTTP_POST, "sys/rotation/config/secret/app/db", "{\"every\":\"1h\"}");
	holders(40, 1);
	cr_assert_eq(batch_alone(rig.core, revoke_one, NULL, &e), ERR_OK, "%s", e.msg);
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"secret\",\"to\":\"between\"}");
	ASK(204, HTTP_POST, "sys/mounts/secret", "{\"type\":\"kv-v2\"}");
	ask_value("secret/data/app/db", 5);
	run_jobs(1);
	rig_reopen();
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"between\",\"to\":\"there/now\"}");
	run_jobs(50);
	s = secret_at("there/now/app/db");
	cr_assert_eq(rotation_rule_load(rig.core, rig.a, s.o.id, &rule, &e), ERR_OK);
	cr_assert(rule.configured);
	cr_assert_str_eq(rule.path, "there/now/app/db");
	cr_assert_str_eq(kv_full_path(rig.a, &s), "there/now/app/db");
	ASK(200, HTTP_LIST, "sys/vault-leases", "{\"path\":\"there/now/app/db\"}");
	info = value_get(value_get(rig.body, "data"), "key_info");
	cr_assert_eq(info->len, 40);
	for (const struct value *v = info->first; v != NULL; v = v->next) {
		moved += value_is_str(value_get(v, "ended_by"), "moved");
		if (value_is_str(value_get(v, "ended_by"), "operator")) {
			cr_assert(value_is_str(value_get(v, "path"), "there/now/app/db"));
			kept++;
		}
	}
	cr_assert_eq(moved, 39);
	cr_assert_eq(kept, 1);
	ASK(200, HTTP_POST, "sys/rotation/rotate/there/now/app/db", "{}");
	cr_assert_eq(store_count(rig.core, KIND_JOB), 2, "they answer how it went");
	rig_advance(24ll * 3600 * 1000 + 10);
	run_jobs(20);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
}

/* Whoever is given the id of a token that is gone neither sees what that kept nor loses
 * what is kept anew. */
Test(mount, cubbyhole_is_not_that_of_the_same_id_before)
{
	static const char make[] = "{\"id\":\"given\",\"policies\":[\"default\"]}";

	ASK(200, HTTP_POST, "auth/token/create", make);
	for (int i = 0; i < 300; i++)
		ASK_AS(204, "given", HTTP_POST, arena_printf(rig.a, "cubbyhole/a/%d", i),
		       "{\"k\":\"old\"}");
	rig_submit(HTTP_POST, "auth/token/revoke", rig.root, "{\"token\":\"given\"}");
	for (int i = 0; i < 10 && store_count(rig.core, KIND_TOKEN) > 1; i++) {
		rig_advance(2);
		rig_run();
	}
	ASK(200, HTTP_POST, "auth/token/create", make);
	cr_assert_gt(store_count(rig.core, KIND_ENTRY), 0, "not all is gone yet");
	ASK_AS(404, "given", HTTP_LIST, "cubbyhole/a", NULL);
	ASK_AS(204, "given", HTTP_POST, "cubbyhole/a/299", "{\"k\":\"new\"}");
	run_jobs(1000);
	ASK_AS(200, "given", HTTP_GET, "cubbyhole/a/299", NULL);
	GOT("data.k", "new");
	cr_assert_eq(store_count(rig.core, KIND_ENTRY), 1);
}

/* --- tokens of an auth method --- */

static int make_token(struct core *c, void *arg, struct err *e)
{
	struct token_made *made = arg;
	struct value *policies = rig_json("[\"root\"]");
	const struct token_spec spec = {
		.display_name = "m",
		.path = "auth/m/login",
		.policies = policies,
		.ttl_ms = 3600000,
		.mount_id = mounts_at(c, "auth/m/")->id,
	};

	return token_create(c, rig.a, &spec, made, e);
}

Test(mount, tokens_of_an_auth_method_die_with_it)
{
	struct token_made made;
	char child[80];
	struct err e = { 0 };
	int64_t tokens = store_count(rig.core, KIND_TOKEN);

	ASK(204, HTTP_POST, "sys/auth/m", "{\"type\":\"userpass\"}");
	cr_assert_eq(batch_alone(rig.core, make_token, &made, &e), ERR_OK, "%s", e.msg);
	for (int i = 0; i < 150; i++)
		ASK(200, HTTP_POST, "auth/token/create", "{}");
	ASK_AS(200, made.text, HTTP_POST, "auth/token/create", "{\"ttl\":\"1h\"}");
	snprintf(child, sizeof(child), "%s", rig_got("auth.client_token"));
	ASK_AS(200, child, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(204, HTTP_DELETE, "sys/auth/m", NULL);
	ASK_AS(403, made.text, HTTP_GET, "auth/token/lookup-self", NULL);
	run_jobs(1);
	rig_reopen();
	run_jobs(1000);
	ASK_AS(403, child, HTTP_GET, "auth/token/lookup-self", NULL);
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), tokens + 150);
	ASK(204, HTTP_POST, "sys/auth/m", "{\"type\":\"userpass\"}");
	ASK_AS(403, made.text, HTTP_GET, "auth/token/lookup-self", NULL);
}

static int put_rows(struct core *c, void *arg, struct err *e)
{
	static const enum store_kind kinds[] = { KIND_APPROLE, KIND_USER, KIND_CERT,
		                                 KIND_LOCKOUT, KIND_CRL };
	int rc = ERR_OK;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (int i = 0; rc == ERR_OK && i < 40; i++) {
			struct store_object o = { .kind = kinds[k],
				                  .id_len = 32,
				                  .parent_len = 16 };

			randombytes_buf(o.id, 32);
			memcpy(o.parent, arg, 16);
			o.body = value_object(rig.a);
			if (k == 0) /* secret ids hang on it */
				value_set_bytes(rig.a, o.body, "family",
				                arena_dup(rig.a, o.id, 32), 32);
			rc = store_put(c, &o, e);
			for (int s = 0; rc == ERR_OK && k == 0 && s < 5; s++) {
				struct store_object id = { .kind = KIND_SECRET_ID,
					                   .id_len = 32,
					                   .parent_len = 32 };

				randombytes_buf(id.id, 32);
				memcpy(id.parent, o.id, 32);
				id.body = value_object(rig.a);
				rc = store_put(c, &id, e);
			}
		}
	}
	return rc;
}

Test(mount, rows_of_auth_methods_are_destroyed)
{
	static const char *const types[] = { "approle", "userpass", "cert" };
	unsigned char id[16], other[16] = "another's rows..";
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, put_rows, other, &e), ERR_OK, "%s", e.msg);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		ASK(204, HTTP_POST, "sys/auth/m",
		    arena_printf(rig.a, "{\"type\":\"%s\"}", types[i]));
		memcpy(id, mounts_at(rig.core, "auth/m/")->id, 16);
		cr_assert_eq(batch_alone(rig.core, put_rows, id, &e), ERR_OK, "%s",
		             e.msg);
		ASK(204, HTTP_DELETE, "sys/auth/m", NULL);
		run_jobs(1000);
		cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	}
	cr_assert_eq(store_count(rig.core, KIND_APPROLE), 40);
	cr_assert_eq(store_count(rig.core, KIND_SECRET_ID), 200);
	cr_assert_eq(store_count(rig.core, KIND_USER), 40);
	cr_assert_eq(store_count(rig.core, KIND_CERT), 40);
	cr_assert_eq(store_count(rig.core, KIND_LOCKOUT), 40);
}

/* --- KV version 1 to 2, cubbyholes --- */

static void fill_v1(const char *mount)
{
	for (int i = 0; i < 90; i++)
		ASK(204, HTTP_POST,
		    arena_printf(rig.a, "%s/%s%d", mount, i % 3 == 0 ? "" : "a/b/", i),
		    arena_printf(rig.a, "{\"n\":%d}", i));
}

static void check_v2(const char *mount)
{
	for (int i = 0; i < 90; i++) {
		ASK(200, HTTP_GET,
		    arena_printf(rig.a, "%s/data/%s%d", mount, i % 3 == 0 ? "" : "a/b/",
		                 i),
		    NULL);
		GOT("data.data.n", arena_printf(rig.a, "%d", i));
		GOT("data.metadata.version", "1");
	}
}

Test(mount, kv_is_upgraded_across_restarts)
{
	int cuts = 0;

	ASK(204, HTTP_POST, "sys/mounts/v1", "{\"type\":\"kv\"}");
	fill_v1("v1");
	ASK(200, HTTP_POST, "auth/token/create", "{}");
	ASK_AS(204, arena_str(rig.a, rig_got("auth.client_token")), HTTP_POST,
	       "cubbyhole/x", "{\"k\":1}");
	ASK(200, HTTP_POST, "sys/mounts/v1/tune", "{\"options\":{\"version\":\"2\"}}");
	while (store_count(rig.core, KIND_JOB) > 0 && cuts < 100) {
		ASK(400, HTTP_GET, "v1/data/0", NULL);
		ASK(400, HTTP_POST, "v1/data/0", "{\"data\":{}}");
		ASK(400, HTTP_LIST, "v1/metadata", NULL);
		GOT("errors",
		    "[Upgrading from non-versioned to versioned data. This backend "
		    "will be unavailable for a brief period and will resume service "
		    "shortly.]");
		rig_advance(2);
		rig_run();
		rig_reopen();
		cuts++;
	}
	cr_assert_gt(cuts, 3);
	check_v2("v1");
	cr_assert_eq(store_count(rig.core, KIND_ENTRY), 1, "the cubbyhole's");
	/* folders are counted as before: they vanish with the last secret */
	for (int i = 0; i < 90; i++)
		ASK(204, HTTP_DELETE,
		    arena_printf(rig.a, "v1/metadata/%s%d", i % 3 == 0 ? "" : "a/b/", i),
		    NULL);
	cr_assert_eq(store_count(rig.core, KIND_DIR), 0);
}

Test(mount, an_upgrade_is_cut_short_by_unmounting)
{
	ASK(204, HTTP_POST, "sys/mounts/v1", "{\"type\":\"kv\"}");
	fill_v1("v1");
	ASK(200, HTTP_POST, "sys/mounts/v1/tune", "{\"options\":{\"version\":\"2\"}}");
	run_jobs(3);
	cr_assert_gt(store_count(rig.core, KIND_SECRET), 0);
	cr_assert_gt(store_count(rig.core, KIND_ENTRY), 0);
	ASK(204, HTTP_DELETE, "sys/mounts/v1", NULL);
	run_jobs(1000);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	cr_assert_eq(rows(), 0);
}

Test(mount, large_values_are_upgraded_a_few_at_a_time)
{
	char *body = arena_alloc(rig.a, 400 * 1024);
	int slices = 0;

	memset(body, 'x', 400 * 1024 - 1);
	memcpy(body, "{\"v\":\"", 6);
	memcpy(body + 400 * 1024 - 3, "\"}", 2);
	ASK(204, HTTP_POST, "sys/mounts/v1", "{\"type\":\"kv\"}");
	for (int i = 0; i < 10; i++)
		ASK(204, HTTP_POST, arena_printf(rig.a, "v1/%d", i), body);
	ASK(200, HTTP_POST, "sys/mounts/v1/tune", "{\"options\":{\"version\":\"2\"}}");
	for (; store_count(rig.core, KIND_JOB) > 0 && slices < 100; slices++)
		run_jobs(1);
	cr_assert_gt(slices, 3, "%d", slices);
	cr_assert_eq(store_count(rig.core, KIND_SECRET), 10);
	ASK(200, HTTP_GET, "v1/data/9", NULL);
}

Test(mount, a_cubbyhole_goes_with_its_token)
{
	char token[80], child[80];

	ASK(200, HTTP_POST, "auth/token/create", "{\"ttl\":\"1h\"}");
	snprintf(token, sizeof(token), "%s", rig_got("auth.client_token"));
	ASK_AS(200, token, HTTP_POST, "auth/token/create", "{\"ttl\":\"30m\"}");
	snprintf(child, sizeof(child), "%s", rig_got("auth.client_token"));
	for (int i = 0; i < 70; i++)
		ASK_AS(204, token, HTTP_POST, arena_printf(rig.a, "cubbyhole/a/%d", i),
		       "{\"k\":1}");
	ASK_AS(204, child, HTTP_POST, "cubbyhole/x", "{\"k\":1}");
	ASK(204, HTTP_POST, "cubbyhole/x", "{\"k\":2}");
	cr_assert_eq(rows(), 73);
	rig_advance(31 * 60 * 1000);
	rig_run();
	run_jobs(1000);
	cr_assert_eq(rows(), 72, "the child's went when it expired");
	ASK(204, HTTP_POST, "auth/token/revoke",
	    arena_printf(rig.a, "{\"token\":\"%s\"}", token));
	run_jobs(1);
	rig_reopen();
	run_jobs(1000);
	cr_assert_eq(rows(), 1);
	ASK(200, HTTP_GET, "cubbyhole/x", NULL);
	GOT("data.k", "2");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Names of folders in memory: a list never says what the database does not. */
#include "core_rig.h"

#include "server/core/kv/kv_impl.h"
#include "server/core/loop/batch.h"
#include "server/core/mount/mounts.h"
#include "server/core/storage/folders.h"
#include "vault/limits.h"

TestSuite(folders, .init = rig_start, .fini = rig_stop, .timeout = 120);

static void put(const char *path)
{
	char where[128];

	snprintf(where, sizeof(where), "secret/data/%s", path);
	ASK(200, HTTP_POST, where, "{\"data\":{\"k\":\"v\"}}");
}

static bool kept_in(const char *mount, enum store_kind items, const char *folder)
{
	const char *rest;
	const struct mount *m = mounts_match(rig.core, mount, &rest);
	struct folder_names names;
	unsigned char id[32];

	cr_assert_not_null(m);
	kv_dir_id(rig.core, m->id, folder, strlen(folder), id);
	return folders_get(rig.core, items, id, &names);
}

static bool kept(const char *folder)
{
	return kept_in("secret/", KIND_SECRET, folder);
}

static void list(const char *folder, const char *want)
{
	char path[128];

	snprintf(path, sizeof(path), "secret/metadata/%s", folder);
	ASK(want != NULL ? 200 : 404, HTTP_LIST, path, NULL);
	if (want != NULL)
		GOT("data.keys", want);
}

Test(folders, what_was_listed_is_kept_and_says_the_same)
{
	put("app/b");
	put("app/a");
	put("app/c/deep");
	cr_assert_not(kept("app/"));
	list("app", "[a,b,c/]");
	cr_assert(kept("app/"));
	cr_assert_not(kept("app/c/"));
	cr_assert_not(kept_in("secret/", KIND_ENTRY, "app/"));
	list("app", "[a,b,c/]");
	ASK(200, HTTP_LIST, "secret/metadata/app", "{\"after\":\"a\",\"limit\":1}");
	GOT("data.keys", "[b]");
	ASK(404, HTTP_LIST, "secret/metadata/app", "{\"after\":\"c/\"}");
	ASK(200, HTTP_LIST, "secret/detailed-metadata/app", "{\"limit\":2}");
	GOT("data.keys", "[a,b]");
	ASK(200, HTTP_SCAN, "secret/metadata/app", NULL);
	GOT("data.keys", "[a,b,c/deep]");
}

Test(folders, a_name_that_comes_or_goes_is_seen_at_once)
{
	put("app/a");
	list("app", "[a]");
	list("", "[app/]");
	put("app/b");
	cr_assert_not(kept("app/"));
	cr_assert(kept(""), "its parent has not changed");
	list("app", "[a,b]");
	ASK(204, HTTP_DELETE, "secret/metadata/app/a", NULL);
	list("app", "[b]");
	put("app/x/y");
	list("app", "[b,x/]");
	ASK(204, HTTP_DELETE, "secret/metadata/app/x/y", NULL);
	list("app", "[b]");
	ASK(204, HTTP_DELETE, "secret/metadata/app/b", NULL);
	list("app", NULL);
	list("", NULL);
}

Test(folders, a_new_version_changes_no_list)
{
	put("app/a");
	list("app", "[a]");
	put("app/a");
	ASK(204, HTTP_DELETE, "secret/data/app/a", NULL);
	cr_assert(kept("app/"));
	list("app", "[a]");
}

/* Requests of one batch, and what the last of them says. */
static void batch(const char *last_path, const char *want)
{
	int before = rig.replies;

	rig_submit(HTTP_LIST, last_path, rig.root, NULL);
	for (int i = 0; i < 10 && (rig.replies == before || i < 1); i++)
		rig_run();
	GOT("data.keys", want);
}

Test(folders, nothing_is_kept_that_may_not_be_committed)
{
	put("app/a");
	rig_submit(HTTP_POST, "secret/data/app/b", rig.root, "{\"data\":{}}");
	batch("secret/metadata/app", "[a,b]");
	cr_assert_not(kept("app/"));
	list("app", "[a,b]");
	cr_assert(kept("app/"));
}

/* A secret comes, is listed, and was never there. */
static int write_list_and_fail(struct core *c, void *arg, struct err *e)
{
	struct kv_list_of of = { .items = KIND_SECRET, .folder = "app/" };
	const struct mount *m = NULL;
	struct kv_list *l;
	const char *rest;
	int64_t version;

	(void)arg;
	cr_assert_eq(kv_split(c, "secret/app/lost", &m, &rest, e), ERR_OK);
	cr_assert_eq(kv_write(c, rig.a, m, rest, value_object(rig.a), -1, &version, e),
	             ERR_OK);
	of.space = m->id;
	l = kv_list_start(c, rig.a, &of);
	while (!l->done)
		cr_assert_eq(kv_list_slice(c, rig.a, l, 100, e), ERR_OK);
	cr_assert_eq(l->name_runs.items, 2);
	return err_set(e, ERR_INVALID, "wanted");
}

Test(folders, what_was_rolled_back_is_not_listed)
{
	struct err e = { 0 };

	put("app/a");
	list("app", "[a]");
	cr_assert(kept("app/"));
	cr_assert_eq(batch_alone(rig.core, write_list_and_fail, NULL, &e), ERR_INVALID);
	cr_assert_not(kept("app/"));
	list("app", "[a]");
	list("app", "[a]");
	cr_assert(kept("app/"));
}

/* More than one slice can read. */
static void fill(const char *folder, int n)
{
	char path[96];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "secret/data/%s/n%06d", folder,
		         i * 7919 % n);
		rig_submit(HTTP_POST, path, rig.root, "{\"data\":{}}");
		if (i % 100 == 99)
			rig_run();
	}
	rig_run();
}

#define MANY 2500

static void expect_all(int n)
{
	const struct value *keys = value_get(value_get(rig.body, "data"), "keys");
	char want[32];
	int i = 0;

	cr_assert_eq(keys->len, (uint32_t)n);
	for (const struct value *v = keys->first; v != NULL; v = v->next) {
		snprintf(want, sizeof(want), "n%06d", i++);
		cr_assert(value_is_str(v, want), "%.*s is not %s", (int)v->len, v->text,
		          want);
	}
}

static int list_in_batches(const char *path)
{
	int before = rig.replies, n = 0;

	rig_submit(HTTP_LIST, path, rig.root, NULL);
	for (; rig.replies == before; n++)
		rig_run();
	cr_assert_eq(rig.status, 200);
	return n;
}

Test(folders, a_list_in_slices_is_kept_whole)
{
	fill("many", MANY);
	cr_assert_gt(list_in_batches("secret/metadata/many"), 2);
	expect_all(MANY);
	cr_assert_eq(list_in_batches("secret/metadata/many"), 1);
	expect_all(MANY);
}

Test(folders, a_list_that_was_overtaken_is_not_kept)
{
	int before;

	fill("many", MANY);
	before = rig.replies;
	rig_submit(HTTP_LIST, "secret/metadata/many", rig.root, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before);
	rig_submit(HTTP_POST, "secret/data/many/zz", rig.root, "{\"data\":{}}");
	while (rig.replies < before + 2)
		rig_run();
	cr_assert_not(kept("many/"));
	cr_assert_gt(list_in_batches("secret/metadata/many"), 1);
	cr_assert(kept("many/"));
	cr_assert_eq(value_get(value_get(rig.body, "data"), "keys")->len, MANY + 1);
}

Test(folders, sealing_forgets_them)
{
	put("app/a");
	list("app", "[a]");
	ASK(204, HTTP_POST, "sys/seal", NULL);
	rig_unseal();
	cr_assert_not(kept("app/"));
	list("app", "[a]");
	rig_reopen();
	list("app", "[a]");
}

Test(folders, a_listing_from_before_the_seal_keeps_nothing)
{
	static const unsigned char id[32] = { 1 };
	const struct folder_names names = { (const unsigned char *)"names", 5 };
	struct folder_names got;
	uint64_t ticket;

	list("", NULL); /* nothing is kept in the batch that unseals */
	ticket = folders_ticket(rig.core);
	folders_keep(rig.core, ticket + 1, KIND_SECRET, id, &names);
	cr_assert_not(folders_get(rig.core, KIND_SECRET, id, &got), "of the future");
	folders_keep(rig.core, ticket, KIND_SECRET, id, &names);
	cr_assert(folders_get(rig.core, KIND_SECRET, id, &got));
	ASK(204, HTTP_POST, "sys/seal", NULL);
	cr_assert_not(folders_get(rig.core, KIND_SECRET, id, &got));
	folders_keep(rig.core, ticket, KIND_SECRET, id, &names);
	rig_unseal();
	list("", NULL);
	folders_keep(rig.core, ticket, KIND_SECRET, id, &names);
	cr_assert_not(folders_get(rig.core, KIND_SECRET, id, &got));
}

Test(folders, mounts_that_move_or_go_take_theirs_along)
{
	ASK(204, HTTP_POST, "sys/mounts/one",
	    "{\"type\":\"kv\",\"options\":{\"version\":\"1\"}}");
	ASK(204, HTTP_POST, "one/app/a", "{\"k\":\"v\"}");
	ASK(200, HTTP_LIST, "one/app", NULL);
	GOT("data.keys", "[a]");
	cr_assert(kept_in("one/", KIND_ENTRY, "app/"));
	ASK(200, HTTP_POST, "sys/remount", "{\"from\":\"one\",\"to\":\"two\"}");
	for (int i = 0; i < 10; i++)
		rig_run();
	ASK(200, HTTP_LIST, "two/app", NULL);
	GOT("data.keys", "[a]");
	ASK(404, HTTP_LIST, "one/app", NULL);
	ASK(204, HTTP_DELETE, "sys/mounts/two", NULL);
	ASK(404, HTTP_LIST, "two/app", NULL);
	ASK(204, HTTP_POST, "sys/mounts/two",
	    "{\"type\":\"kv\",\"options\":{\"version\":\"1\"}}");
	ASK(404, HTTP_LIST, "two/app", NULL);
	ASK(204, HTTP_POST, "two/app/b", "{\"k\":\"v\"}");
	ASK(200, HTTP_LIST, "two/app", NULL);
	GOT("data.keys", "[b]");
}

/* An id of its own for each, spread over the sets. */
static void id_of(unsigned i, unsigned char id[32])
{
	memset(id, 0, 32);
	id[0] = (unsigned char)i;
	id[1] = (unsigned char)(i >> 8);
}

static bool keep(unsigned i, const unsigned char *p, size_t n)
{
	struct folder_names names = { p, n };
	unsigned char id[32];

	id_of(i, id);
	folders_keep(rig.core, folders_ticket(rig.core), KIND_SECRET, id, &names);
	return folders_get(rig.core, KIND_SECRET, id, &names);
}

static bool has(unsigned i)
{
	struct folder_names names;
	unsigned char id[32];

	id_of(i, id);
	return folders_get(rig.core, KIND_SECRET, id, &names);
}

Test(folders, those_not_asked_for_the_longest_give_way)
{
	unsigned char *p = arena_alloc(rig.a, LIMIT_FOLDER_KEPT + 1);
	unsigned n = LIMIT_FOLDERS_KEPT / LIMIT_FOLDER_KEPT, held = 0;

	cr_assert_not_null(p);
	list("", NULL);
	cr_assert_not(keep(0, p, LIMIT_FOLDER_KEPT + 1), "too large for one");
	for (unsigned i = 0; i < 3 * n; i++) {
		cr_assert(keep(i, p, LIMIT_FOLDER_KEPT));
		cr_assert(i == 0 || has(i - 1));
	}
	for (unsigned i = 0; i < 3 * n; i++)
		held += has(i);
	cr_assert_leq(held, n);
	/* many small ones are bounded too, and so are those of one set */
	for (unsigned i = 0; i < 20000; i++)
		cr_assert(keep(i, p, 10));
	held = 0;
	for (unsigned i = 0; i < 20000; i++)
		held += has(i);
	cr_assert_leq(held, 1024);
	cr_assert(has(19999));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Scans of many folders, in slices, while others write. */
#include "core_rig.h"

#include "vault/limits.h"

TestSuite(kv_scan, .init = rig_start, .fini = rig_stop, .timeout = 60);

static void put(const char *path)
{
	char where[96];

	snprintf(where, sizeof(where), "secret/data/%s", path);
	ASK(200, HTTP_POST, where, "{\"data\":{\"k\":\"v\"}}");
}

#define FOLDERS 300

static void fill(void)
{
	char path[64];

	for (int i = 0; i < FOLDERS; i++) {
		snprintf(path, sizeof(path), "many/f%03d/a", i);
		put(path);
		snprintf(path, sizeof(path), "many/f%03d/deep/b", i);
		put(path);
	}
}

static size_t count(const struct value *names, const char *name)
{
	size_t n = 0;

	for (const struct value *v = names->first; v != NULL; v = v->next)
		n += value_is_str(v, name);
	return n;
}

/* In each of the first slices something comes and something goes. */
#define DISTURBED 5

static void disturb(int round)
{
	char path[64];

	snprintf(path, sizeof(path), "secret/data/many/new%d/x", round);
	rig_submit(HTTP_POST, path, rig.root, "{\"data\":{}}");
	snprintf(path, sizeof(path), "secret/metadata/many/f%03d/deep/b", 7 * round);
	rig_submit(HTTP_DELETE, path, rig.root, NULL);
}

/* The names, and in how many batches. */
static const struct value *scanned(const char *path, bool disturbed, int *n)
{
	int replies = rig.replies + 1 + (disturbed ? 2 * DISTURBED : 0);

	rig_submit(HTTP_SCAN, path, rig.root, NULL);
	for (*n = 0; rig.replies < replies; (*n)++) {
		if (disturbed && *n < DISTURBED)
			disturb(*n);
		rig_run();
		cr_assert_lt(*n, 10000);
	}
	cr_assert_eq(rig.status, 200, "%d", rig.status);
	return value_get(value_get(rig.body, "data"), "keys");
}

Test(kv_scan, many_folders_take_many_slices)
{
	const struct value *names, *info, *last = NULL;
	int n;

	fill();
	names = scanned("secret/metadata/many", false, &n);
	cr_assert_eq(names->len, 2 * FOLDERS);
	cr_assert_gt(n, 3, "%d slices", n);
	for (const struct value *v = names->first; v != NULL; last = v, v = v->next)
		cr_assert(last == NULL ||
		          memcmp(last->text, v->text,
		                 last->len < v->len ? last->len : v->len) < 0);
	cr_assert_eq(count(names, "f299/deep/b"), 1);
	names = scanned("secret/detailed-metadata/many", false, &n);
	info = value_get(value_get(rig.body, "data"), "key_info");
	cr_assert_eq(names->len, 2 * FOLDERS);
	cr_assert_eq(info->len, 2 * FOLDERS);
	for (const struct value *k = names->first, *i = info->first; k != NULL;
	     k = k->next, i = i->next) {
		cr_assert(k->len == i->key_len && memcmp(k->text, i->key, k->len) == 0);
		cr_assert_eq(value_int_or(i, "current_version", 0), 1);
	}
}

Test(kv_scan, what_stays_is_there_once_whatever_comes_and_goes)
{
	const struct value *names;
	char path[64];
	int n;

	fill();
	names = scanned("secret/metadata/many", true, &n);
	cr_assert_gt(n, DISTURBED + 1);
	for (int i = 0; i < FOLDERS; i++) {
		size_t deep;

		snprintf(path, sizeof(path), "f%03d/a", i);
		cr_assert_eq(count(names, path), 1, "%s", path);
		snprintf(path, sizeof(path), "f%03d/deep/b", i);
		deep = count(names, path);
		if (i % 7 == 0 && i / 7 < DISTURBED)
			cr_assert_leq(deep, 1, "%s", path);
		else
			cr_assert_eq(deep, 1, "%s", path);
	}
}

/* Who scans is authorised again for each slice. */
Test(kv_scan, a_token_that_is_revoked_meanwhile_gets_nothing)
{
	const char *t;
	int before;

	fill();
	ASK(204, HTTP_POST, "sys/policies/acl/s",
	    "{\"policy\":\"path \\\"secret/metadata/*\\\" { capabilities = [\\\"scan\\\"] }\"}");
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"s\"]}");
	t = arena_str(rig.a, rig_got("auth.client_token"));
	before = rig.replies;
	rig_submit(HTTP_SCAN, "secret/metadata/many", t, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before, "it takes more than one slice");
	rig_submit(HTTP_DELETE, "sys/policies/acl/s", rig.root, NULL);
	while (rig.replies < before + 2)
		rig_run();
	cr_assert_eq(rig.status, 403, "%d", rig.status);
	ASK_AS(403, t, HTTP_SCAN, "secret/metadata/many", NULL);
}

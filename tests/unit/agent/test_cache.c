/* SPDX-License-Identifier: Apache-2.0 */
/* The encrypted cache: what it gives back, to whom, and what it refuses. */
#include "rig.h"

#include <dirent.h>

#include "agent/cache/cache.h"

#define PATH "secret/app/db"

static struct identity *id;
static struct cache *c;
static struct arena *a;

static const struct floor_lease as_kept = { .lease_id = "L1", .rev = 10, .version = 3 };

static void setup(void)
{
	rig_open();
	a = arena_new(16 << 20);
	id = identity_new();
	identity_make_keys(id);
	memset(id->host_id, 7, sizeof(id->host_id));
	cr_assert_eq(cache_open(rig_dir, id, &c, &e), ERR_OK, "%s", e.msg);
}

static void teardown(void)
{
	cache_close(c);
	identity_free(id);
	arena_free(a);
	rig_close();
}

TestSuite(cache, .init = setup, .fini = teardown, .timeout = 30);

static int put(const char *path, int64_t version, int64_t rev, const char *text)
{
	struct value *data = value_object(a);
	const struct cache_record r = {
		.lease_id = "L1",
		.version = version,
		.rev = rev,
		.expires = 5000,
		.data = data,
	};

	value_set_str(a, data, "password", text);
	return cache_put(c, path, &r, &e);
}

static int get(const char *path, const struct floor_lease *low, struct cache_record *out)
{
	return cache_get(c, a, path, low, out, &e);
}

static int check(const struct floor_lease *low)
{
	struct cache_record r;

	return get(PATH, low, &r);
}

/* The only file that is no index. */
static const char *the_file(void)
{
	static char path[PATH_MAX];
	char dir_path[PATH_MAX];
	DIR *dir = opendir(rig_path(CACHE_DIR, dir_path));
	const struct dirent *entry;
	int found = 0;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "index") == 0)
			continue;
		found++;
		snprintf(path, sizeof(path), "%.2000s/%.255s", dir_path, entry->d_name);
	}
	closedir(dir);
	cr_assert_leq(found, 1);
	return found > 0 ? path : NULL;
}

static size_t slurp(const char *path, unsigned char out[4096])
{
	AUTO_CLOSE int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, out, 4096);

	cr_assert_gt(n, 0);
	return (size_t)n;
}

static void spill(const char *path, const unsigned char *p, size_t n)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_TRUNC);

	cr_assert_eq(write(fd, p, n), (ssize_t)n);
}

Test(cache, gives_back_what_was_kept)
{
	struct cache_record r;

	cr_assert_eq(get(PATH, &as_kept, &r), ERR_NOENT);
	cr_assert_eq(put(PATH, 3, 10, "hunter2"), ERR_OK, "%s", e.msg);
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(r.lease_id, "L1");
	cr_assert(r.version == 3 && r.rev == 10 && r.expires == 5000);
	cr_assert(value_is_str(value_get(r.data, "password"), "hunter2"));
	cr_assert_null(r.metadata);
	cr_assert_eq(cache_version(c, PATH), 3);
	cr_assert_eq(cache_version(c, "secret/other"), 0);
	cr_assert_not(rig_holds("hunter2"), "nothing in the clear");
	cr_assert_not(rig_holds("app/db"), "not even its name");
}

Test(cache, keeps_the_newest_alone)
{
	struct cache_record r;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	cr_assert_eq(put(PATH, 4, 11, "two"), ERR_OK);
	cr_assert_not_null(the_file());
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_OK, "newer than the floor: %s", e.msg);
	cr_assert(value_is_str(value_get(r.data, "password"), "two"));
}

Test(cache, refuses_what_the_floor_does_not_allow)
{
	struct floor_lease low = as_kept;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	cr_assert_eq(check(NULL), ERR_INTEGRITY, "never had");
	low.version = 4;
	cr_assert_eq(check(&low), ERR_INTEGRITY, "older");
	low = as_kept;
	low.rev = 11;
	cr_assert_eq(check(&low), ERR_INTEGRITY, "older by its revision");
	low = as_kept;
	low.gone = true;
	cr_assert_eq(check(&low), ERR_INTEGRITY, "taken away");
	low = as_kept;
	low.lease_id[1] = '2';
	cr_assert_eq(check(&low), ERR_INTEGRITY, "another lease");
	cr_assert_eq(check(&as_kept), ERR_OK);
}

Test(cache, goes_back_to_what_was_good)
{
	struct floor_lease low = { .lease_id = "L1", .rev = 11, .version = 4 };
	struct cache_record r;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	cache_keep_good(c, PATH);
	cr_assert_eq(put(PATH, 4, 11, "two"), ERR_OK);
	cr_assert_eq(get(PATH, &low, &r), ERR_OK, "not judged yet: %s", e.msg);
	cache_keep_good(c, PATH);
	cr_assert_eq(put(PATH, 5, 12, "three"), ERR_OK);
	cache_verdict(c, PATH, false);
	cr_assert_eq(get(PATH, &low, &r), ERR_INTEGRITY, "the floor does not know it");
	low.good = 3;
	cr_assert_eq(get(PATH, &low, &r), ERR_OK, "%s", e.msg);
	cr_assert(value_is_str(value_get(r.data, "password"), "one"));
	cache_verdict(c, PATH, false);
	cr_assert_eq(get(PATH, &low, &r), ERR_OK, "once is enough");
	cache_keep_good(c, PATH);
	cr_assert_eq(put(PATH, 6, 13, "four"), ERR_OK);
	cache_verdict(c, PATH, true);
	cache_verdict(c, PATH, false);
	cr_assert_eq(cache_version(c, PATH), 6);
	cache_keep_good(c, PATH);
	cache_drop(c, PATH);
	cr_assert_null(the_file());
}

Test(cache, refuses_every_changed_bit_and_every_cut)
{
	unsigned char raw[4096];
	size_t n;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	n = slurp(the_file(), raw);
	for (size_t i = 0; i < 8 * n; i++) {
		raw[i / 8] ^= (unsigned char)(1u << i % 8);
		spill(the_file(), raw, n);
		cr_assert_eq(check(&as_kept), ERR_INTEGRITY, "bit %zu", i);
		raw[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	for (size_t i = 0; i < n; i++) {
		spill(the_file(), raw, i);
		cr_assert_eq(check(&as_kept), ERR_INTEGRITY, "%zu bytes", i);
	}
	spill(the_file(), raw, n);
	cr_assert_eq(check(&as_kept), ERR_OK);
}

Test(cache, is_bound_to_host_key_and_path)
{
	struct cache_record r;
	unsigned char raw[4096];
	char other[PATH_MAX];
	size_t n;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	snprintf(other, sizeof(other), "%s", the_file());
	n = slurp(other, raw);
	cr_assert_eq(unlink(other), 0);
	cr_assert_eq(put("secret/app/else", 3, 10, "two"), ERR_OK);
	spill(the_file(), raw, n);
	cr_assert_eq(get("secret/app/else", &as_kept, &r), ERR_INTEGRITY, "another path");
	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	identity_make_keys(id);
	cr_assert_eq(check(&as_kept), ERR_INTEGRITY, "another key");
}

Test(cache, follows_the_host_to_a_new_key)
{
	struct cache_record r;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	memcpy(id->last_box_sk, id->box_sk, 32);
	id->has_last = true;
	identity_make_keys(id);
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_OK, "sealed with the last: %s", e.msg);
	cr_assert_eq(cache_reseal(c, PATH, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(cache_reseal(c, "secret/none", &e), ERR_OK, "%s", e.msg);
	id->has_last = false;
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_OK, "sealed with the new: %s", e.msg);
	cr_assert(value_is_str(value_get(r.data, "password"), "one"));
}

Test(cache, has_an_index)
{
	struct cache_index i = { .heard = 1234 };
	struct value *names = value_object(a);

	cr_assert_eq(cache_get_index(c, a, &i, &e), ERR_NOENT);
	value_set_str(a, names, "/v1/secret/data/app/db", PATH);
	i.names = names;
	cr_assert_eq(cache_put_index(c, &i, &e), ERR_OK, "%s", e.msg);
	i = (struct cache_index){ .heard = 0 };
	cr_assert_eq(cache_get_index(c, a, &i, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(i.heard, 1234);
	cr_assert(value_is_str(value_get(i.names, "/v1/secret/data/app/db"), PATH));
	cr_assert_not(rig_holds("app/db"));
}

static const char *wanted(void *ctx, size_t i)
{
	return i == 0 ? ctx : NULL;
}

Test(cache, forgets)
{
	struct cache_record r;
	const struct cache_index i = { .heard = 1 };
	struct cache_index got;
	char path[] = PATH;

	cr_assert_eq(put(PATH, 3, 10, "one"), ERR_OK);
	cr_assert_eq(put("secret/b", 3, 10, "two"), ERR_OK);
	cr_assert_eq(cache_put_index(c, &i, &e), ERR_OK);
	cache_sweep(c, wanted, path, 2);
	cr_assert_eq(get("secret/b", &as_kept, &r), ERR_NOENT);
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_OK);
	cr_assert_eq(cache_get_index(c, a, &got, &e), ERR_OK);
	cache_drop(c, PATH);
	cr_assert_eq(get(PATH, &as_kept, &r), ERR_NOENT);
	cache_wipe(rig_dir);
	cr_assert_not(rig_exists(CACHE_DIR));
}

Test(cache, wants_a_directory_of_its_own)
{
	struct cache *again = NULL;
	char path[PATH_MAX];

	cr_assert_eq(chmod(rig_path(CACHE_DIR, path), 0755), 0);
	cr_assert_eq(cache_open(rig_dir, id, &again, &e), ERR_DENIED);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(symlink("/dev/shm", path), 0);
	cr_assert_neq(cache_open(rig_dir, id, &again, &e), ERR_OK);
	cr_assert_eq(unlink(path), 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/floor.h"
#include "file.h"

#define A "secret/a"
#define B "secret/b"
static struct floor f;

static void deliver(const char *path, const char *lease_id, int64_t rev, int64_t version)
{
	cr_assert_eq(floor_deliver(&f, path, lease_id, rev, version, &e), ERR_OK, "%s",
	             e.msg);
}

static void setup(void)
{
	rig_open();
	cr_assert_eq(floor_open(&f, rig_dir, &e), ERR_OK, "%s", e.msg);
}

static void teardown(void)
{
	floor_close(&f);
	rig_close();
}

TestSuite(floor, .init = setup, .fini = teardown, .timeout = 20);

static void again(void)
{
	cr_assert_eq(floor_save(&f, &e), ERR_OK, "%s", e.msg);
	floor_close(&f);
	cr_assert_eq(floor_open(&f, rig_dir, &e), ERR_OK, "%s", e.msg);
}

Test(floor, is_empty_at_first)
{
	cr_assert_eq(f.rev, 0);
	cr_assert_eq(floor_of(&f, A, "aa").version, 0);
	cr_assert_eq(floor_save(&f, &e), ERR_OK);
	cr_assert_not(rig_exists(FLOOR_FILE), "nothing to keep");
}

Test(floor, outlives_a_restart)
{
	deliver(B, "aa11", 40, 7);
	floor_see(&f, 50);
	floor_see(&f, 45);
	again();
	cr_assert_eq(f.rev, 50);
	cr_assert_eq(floor_of(&f, B, "aa11").version, 7);
	cr_assert_eq(floor_of(&f, B, "aa11").rev, 40);
	cr_assert_eq(floor_of(&f, A, "aa11").version, 0, "of another secret");
}

Test(floor, is_of_one_lease)
{
	deliver(A, "aa11", 40, 7);
	cr_assert_eq(floor_of(&f, A, "bb22").version, 0);
	deliver(A, "bb22", 41, 1);
	cr_assert_eq(floor_of(&f, A, "bb22").version, 1);
	cr_assert_eq(floor_of(&f, A, "aa11").version, 0);
}

static bool is_b(void *ctx UNUSED, const char *path)
{
	return strcmp(path, B) == 0;
}

Test(floor, forgets_secrets_that_are_not_wanted_any_more)
{
	deliver(A, "aa11", 40, 7);
	deliver(B, "bb22", 41, 8);
	again();
	floor_keep(&f, is_b, NULL);
	again();
	cr_assert_eq(floor_of(&f, A, "aa11").version, 0);
	cr_assert_eq(floor_of(&f, B, "bb22").version, 8);
	cr_assert_eq(f.rev, 41);
}

Test(floor, that_is_damaged_is_no_floor)
{
	char path[PATH_MAX];

	cr_assert_eq(file_write_path(rig_path(FLOOR_FILE, path), "junk", 4, 0600, &e),
	             ERR_OK);
	floor_close(&f);
	cr_assert_eq(floor_open(&f, rig_dir, &e), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "join again"), "%s", e.msg);
	floor_close(&f);
	floor_forget(rig_dir);
	cr_assert_eq(floor_open(&f, rig_dir, &e), ERR_OK);
}

Test(floor, remembers_what_was_taken_away)
{
	deliver(A, "aa11", 40, 7);
	deliver(B, "bb22", 41, 8);
	cr_assert_null(floor_find(&f, "secret/none"));
	floor_end(&f, A);
	floor_end(&f, "secret/none");
	again();
	cr_assert(floor_find(&f, A)->gone);
	cr_assert_not(floor_find(&f, B)->gone);
	cr_assert_eq(floor_of(&f, A, "aa11").version, 7, "the floor is as it was");
	deliver(A, "aa11", 50, 9);
	again();
	cr_assert_not(floor_find(&f, A)->gone, "it was given again");
	floor_end(&f, NULL);
	again();
	cr_assert(floor_find(&f, A)->gone && floor_find(&f, B)->gone);
}

Test(floor, remembers_what_was_good)
{
	deliver(A, "aa11", 40, 7);
	floor_back(&f, A, 6);
	floor_back(&f, "secret/none", 1);
	again();
	cr_assert(floor_find(&f, A)->good == 6 && floor_find(&f, A)->version == 7);
	deliver(A, "aa11", 41, 8);
	again();
	cr_assert_eq(floor_find(&f, A)->good, 0);
}

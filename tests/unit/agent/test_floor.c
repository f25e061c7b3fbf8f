/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/floor.h"
#include "file.h"

static const char *paths[] = { "secret/a", "secret/b" };
static struct settings s;
static struct floor f;

static void setup(void)
{
	rig_open();
	s = (struct settings){ .state_dir = rig_dir };
	s.paths = paths;
	s.n_paths = 2;
	cr_assert_eq(floor_open(&f, &s, &e), ERR_OK, "%s", e.msg);
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
	cr_assert_eq(floor_open(&f, &s, &e), ERR_OK, "%s", e.msg);
}

Test(floor, is_empty_at_first)
{
	cr_assert_eq(f.rev, 0);
	cr_assert_eq(floor_of(&f, 0, "aa").version, 0);
	cr_assert_eq(floor_save(&f, &e), ERR_OK);
	cr_assert_not(rig_exists(FLOOR_FILE), "nothing to keep");
}

Test(floor, outlives_a_restart)
{
	floor_deliver(&f, 1, "aa11", 40, 7);
	floor_see(&f, 50);
	floor_see(&f, 45);
	again();
	cr_assert_eq(f.rev, 50);
	cr_assert_eq(floor_of(&f, 1, "aa11").version, 7);
	cr_assert_eq(floor_of(&f, 1, "aa11").rev, 40);
	cr_assert_eq(floor_of(&f, 0, "aa11").version, 0, "of another secret");
}

Test(floor, is_of_one_lease)
{
	floor_deliver(&f, 0, "aa11", 40, 7);
	cr_assert_eq(floor_of(&f, 0, "bb22").version, 0);
	floor_deliver(&f, 0, "bb22", 41, 1);
	cr_assert_eq(floor_of(&f, 0, "bb22").version, 1);
	cr_assert_eq(floor_of(&f, 0, "aa11").version, 0);
}

Test(floor, forgets_secrets_that_are_not_wanted_any_more)
{
	floor_deliver(&f, 0, "aa11", 40, 7);
	floor_deliver(&f, 1, "bb22", 41, 8);
	cr_assert_eq(floor_save(&f, &e), ERR_OK);
	floor_close(&f);
	s.paths++;
	s.n_paths = 1;
	cr_assert_eq(floor_open(&f, &s, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(floor_of(&f, 0, "bb22").version, 8);
	cr_assert_eq(f.rev, 41);
}

Test(floor, that_is_damaged_is_no_floor)
{
	char path[PATH_MAX];

	cr_assert_eq(file_write_path(rig_path(FLOOR_FILE, path), "junk", 4, 0600, &e),
	             ERR_OK);
	floor_close(&f);
	cr_assert_eq(floor_open(&f, &s, &e), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "join again"), "%s", e.msg);
	floor_close(&f);
	floor_forget(rig_dir);
	cr_assert_eq(floor_open(&f, &s, &e), ERR_OK);
}

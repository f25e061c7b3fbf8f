/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/uses.h"

static struct uses *u;

static void setup(void)
{
	u = uses_new();
	cr_assert_not_null(u);
}

static void teardown(void)
{
	uses_free(u);
}

TestSuite(uses, .init = setup, .fini = teardown, .timeout = 20);

static int set(const char *file, const char *x, const char *y)
{
	const char *list[] = { x, y };

	return uses_set(u, "b", file, list, y != NULL ? 2 : (size_t)(x != NULL), &e);
}

Test(uses, remembers_what_each_file_named)
{
	const char *const *list;
	size_t n = 9;

	cr_assert_null(uses_of(u, "b", "f", &n));
	cr_assert_eq(set("f", "/v1/a", "/v1/b"), ERR_OK);
	cr_assert_eq(set("g", NULL, NULL), ERR_OK);
	list = uses_of(u, "b", "f", &n);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(list[1], "/v1/b");
	cr_assert_not_null(uses_of(u, "b", "g", &n), "it was run, and named nothing");
	cr_assert_eq(n, 0);
	cr_assert(uses_changed(u));
	cr_assert_not(uses_changed(u));
	cr_assert_eq(set("f", "/v1/b", "/v1/a"), ERR_OK);
	cr_assert_not(uses_changed(u), "the same in another order");
	cr_assert_eq(set("f", "/v1/b", NULL), ERR_OK);
	cr_assert(uses_changed(u));
}

Test(uses, gives_up_on_a_template_that_never_settles)
{
	char name[16];

	for (unsigned i = 0; i < USES_RUNS_MAX; i++) {
		snprintf(name, sizeof(name), "/v1/%u", i);
		cr_assert_eq(set("f", name, NULL), ERR_OK, "%u", i);
	}
	cr_assert_eq(set("f", "/v1/other", NULL), ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "file 'b/f'"), "%s", e.msg);
	uses_done(u, "b", "f");
	cr_assert_eq(set("f", "/v1/other", NULL), ERR_OK, "after it found all");
}

Test(uses, knows_what_names_mean)
{
	cr_assert_null(uses_path(u, "/v1/secret/data/a"));
	cr_assert_eq(uses_name(u, "/v1/secret/data/a", "secret/a", &e), ERR_OK);
	cr_assert_eq(uses_name(u, "/v1/secret/data/b", "secret/b", &e), ERR_OK);
	cr_assert_str_eq(uses_path(u, "/v1/secret/data/a"), "secret/a");
	cr_assert(uses_changed(u));
	cr_assert_eq(uses_name(u, "/v1/secret/data/a", "secret/a", &e), ERR_OK);
	cr_assert_not(uses_changed(u));
	cr_assert_eq(uses_name(u, "/v1/secret/data/a", "moved/a", &e), ERR_OK);
	cr_assert_str_eq(uses_path(u, "/v1/secret/data/a"), "moved/a");
	cr_assert_str_eq(uses_path(u, "/v1/secret/data/b"), "secret/b");
}

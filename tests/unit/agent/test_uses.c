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

	const struct uses_key k = { "b", file, "r" };

	return uses_set(u, &k, list, y != NULL ? 2 : (size_t)(x != NULL), &e);
}

static const struct uses_key f = { "b", "f", "r" }, g = { "b", "g", "r" };

static const char *const *of(const char *file, size_t *n)
{
	return uses_of(u, *file == 'f' ? &f : &g, n);
}

static bool is_f(void *ctx UNUSED, const struct uses_key *k)
{
	return strcmp(k->file, "f") == 0 && strcmp(k->binding, "b") == 0 &&
	       strcmp(k->recipe, "r") == 0;
}

Test(uses, another_text_is_another_template)
{
	const struct uses_key other = { "b", "f", "r2" };
	size_t n;

	cr_assert_eq(set("f", "/v1/a", NULL), ERR_OK);
	cr_assert_null(uses_of(u, &other, &n));
	cr_assert_eq(uses_set(u, &other, NULL, 0, &e), ERR_OK);
	cr_assert_str_eq(of("f", &n)[0], "/v1/a", "while both are known");
	cr_assert_eq(set("g", NULL, NULL), ERR_OK);
	uses_keep(u, is_f, NULL);
	cr_assert_str_eq(of("f", &n)[0], "/v1/a");
	cr_assert_null(uses_of(u, &other, &n));
	cr_assert_null(of("g", &n));
	cr_assert_eq(set("g", "/v1/b", NULL), ERR_OK);
	cr_assert_eq(of("g", &n) != NULL, true);
}

Test(uses, remembers_what_each_file_named)
{
	const char *const *list;
	size_t n = 9;

	cr_assert_null(of("f", &n));
	cr_assert_eq(set("f", "/v1/a", "/v1/b"), ERR_OK);
	cr_assert_eq(set("g", NULL, NULL), ERR_OK);
	list = of("f", &n);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(list[1], "/v1/b");
	cr_assert_not_null(of("g", &n), "it was run, and named nothing");
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
	uses_done(u, &f);
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

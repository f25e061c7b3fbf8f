/* SPDX-License-Identifier: Apache-2.0 */
/* What the vault granted outlives the agent. */
#include "agent/grants.h"
#include "rig.h"

static const struct grant two[] = {
	{"app",  "{\"files\": [{\"path\": \"secret/a\", \"field\": \"pw\"}]}"},
	{ "web", "{\"files\": []}"					   },
};
static struct grants g;

static void teardown(void)
{
	grants_close(&g);
	rig_close();
}

TestSuite(grants, .init = rig_open, .fini = teardown, .timeout = 10);

static void write_file(const char *text, mode_t mode)
{
	char path[PATH_MAX];
	int fd = open(rig_path(GRANTS_FILE, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

Test(grants, are_there_after_a_restart)
{
	char path[PATH_MAX];
	struct stat st;

	cr_assert_eq(grants_open(&g, rig_dir, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(g.n, 0);
	cr_assert_eq(grants_copy(two, 2, &g, &e), ERR_OK, "%s", e.msg);
	cr_assert_neq(g.at[0].name, two[0].name);
	cr_assert_eq(grants_save(&g, rig_dir, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(stat(rig_path(GRANTS_FILE, path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	grants_close(&g);
	cr_assert_eq(grants_open(&g, rig_dir, &e), ERR_OK, "%s", e.msg);
	cr_assert(grants_same(&g, two, 2));
}

Test(grants, any_change_is_one)
{
	struct grant other[2] = { two[0], two[1] };

	cr_assert(grants_same(&g, NULL, 0));
	cr_assert_eq(grants_copy(two, 2, &g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(grants_same(&g, two, 1));
	other[1].spec = "{}";
	cr_assert_not(grants_same(&g, other, 2));
	other[1] = two[1];
	cr_assert(grants_same(&g, other, 2));
	other[0].name = "App";
	cr_assert_not(grants_same(&g, other, 2));
}

Test(grants, what_others_could_have_written_does_not_count)
{
	static const char good[] = "{\"grants\": [{\"name\": \"x\", \"spec\": \"{}\"}]}";

	write_file(good, 0600);
	cr_assert_eq(grants_open(&g, rig_dir, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(g.n, 1);
	grants_close(&g);
	write_file(good, 0640);
	cr_assert_eq(grants_open(&g, rig_dir, &e), ERR_DENIED);
	cr_assert_eq(g.n, 0);
}

Test(grants, what_cannot_be_read_is_none)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"grants\": {}}",
		"{\"grants\": [1]}",
		"{\"grants\": [{\"name\": \"x\"}]}",
		"{\"grants\": [{\"name\": \"x\", \"spec\": {}}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file(bad[i], 0600);
		cr_assert_eq(grants_open(&g, rig_dir, &e), ERR_INVALID, "%s", bad[i]);
		cr_assert_eq(g.n, 0);
		cr_assert_not_null(strstr(e.msg, "grants'"), "%s", e.msg);
	}
}

Test(grants, are_limited)
{
	static struct grant many[GRANTS_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = two[1];
	cr_assert_eq(grants_copy(many, GRANTS_MAX, &g, &e), ERR_OK, "%s", e.msg);
	grants_close(&g);
	cr_assert_eq(grants_copy(many, GRANTS_MAX + 1, &g, &e), ERR_INVALID);
}

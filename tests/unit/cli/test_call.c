/* SPDX-License-Identifier: Apache-2.0 */
/* call and fields: what a command line becomes on the wire. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "fields.h"

TestSuite(call, .timeout = 20);

static const struct flag flags[] = {
	{"mount",      FLAG_STRING, "PATH", "" },
	{ "token-ttl",      FLAG_STRING, "D", "" },
	{ "orphan",           FLAG_BOOL, NULL, "" },
	{ "yes",FLAG_BOOL, NULL, "" },
	{ 0         },
};
static const struct command command = { "thing", "do", NULL, 0, -1, flags, "", "", NULL };

/* A command line, its words parted by '|'. */
static struct cli given(const char *line)
{
	static char kept[4][200]; /* arguments are borrowed */
	static unsigned turn;
	char *argv[16], *save = NULL, *text = kept[turn++ % 4];
	struct cli c = { 0 };
	struct err e = { 0 };
	int argc = 0;

	snprintf(text, 200, "%s", line);
	for (char *w = strtok_r(text, "|", &save); w != NULL;
	     w = strtok_r(NULL, "|", &save))
		argv[argc++] = w;
	cr_assert_eq(cli_parse(&c, &command, argc, argv, &e), ERR_OK, "%s", e.msg);
	return c;
}

static const char *path(struct cli *c, const char *template)
{
	static char out[200];
	struct err e = { 0 };

	cr_assert_eq(call_path(c, template, out, sizeof(out), &e), ERR_OK, "%s", e.msg);
	return out;
}

Test(call, templates_are_filled_and_encoded)
{
	struct cli c = given("a b/c?d|--mount|team/x");
	struct cli plain = given("web");
	struct cli nothing = given("--yes");

	cr_assert_str_eq(path(&c, "auth/{mount=approle}/role/{1}"),
	                 "auth/team/x/role/a%20b/c%3Fd");
	cr_assert_str_eq(path(&plain, "auth/{mount=approle}/role/{1}"),
	                 "auth/approle/role/web");
	cr_assert_str_eq(path(&nothing, "sys/mounts/{1}"), "sys/mounts");
	cr_assert_str_eq(path(&plain, "{1}/{2}"), "web");
}

Test(call, a_path_that_is_too_long_is_refused)
{
	struct cli c = given("abcdefghij");
	struct err e = { 0 };
	char out[16];

	cr_assert_eq(call_path(&c, "prefix/{1}", out, sizeof(out), &e), ERR_INVALID);
}

Test(call, flags_become_members)
{
	struct cli c = given("web|--mount|x|--token-ttl|1h|--orphan|--yes");
	json_t *body = call_body(&c, "auth/{mount=approle}/role/{1}");

	cr_assert_eq(json_object_size(body), 2);
	cr_assert_str_eq(json_string_value(json_object_get(body, "token_ttl")), "1h");
	cr_assert(json_is_true(json_object_get(body, "orphan")));
	json_decref(body);
}

static int collect(struct cli *c, bool plain, json_t **out, struct err *e)
{
	*out = json_object();
	return fields_collect(c, 1, plain, out, e);
}

Test(call, plain_values_are_json_or_text)
{
	struct cli c = given("p|n:=12|t:=true|s:=some text|l:=[1,\"x\"]|q:=\"12\"|e:=");
	struct err e = { 0 };
	json_t *body;

	cr_assert_eq(collect(&c, true, &body, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(json_integer_value(json_object_get(body, "n")), 12);
	cr_assert(json_is_true(json_object_get(body, "t")));
	cr_assert_str_eq(json_string_value(json_object_get(body, "s")), "some text");
	cr_assert_eq(json_array_size(json_object_get(body, "l")), 2);
	cr_assert_str_eq(json_string_value(json_object_get(body, "q")), "12");
	cr_assert_str_eq(json_string_value(json_object_get(body, "e")), "");
	json_decref(body);
}

Test(call, values_on_the_command_line_are_refused_and_not_repeated)
{
	struct cli c = given("p|password=hunter2"), kv = given("p|password:=hunter2");
	struct err e = { 0 };
	json_t *body;

	cr_assert_eq(collect(&c, true, &body, &e), ERR_USAGE);
	cr_assert_null(strstr(e.msg, "hunter2"), "%s", e.msg);
	json_decref(body);
	cr_assert_eq(collect(&kv, false, &body, &e), ERR_USAGE);
	cr_assert_null(strstr(e.msg, "hunter2"), "%s", e.msg);
	json_decref(body);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What fields become in a file; env is read back by a real shell. */
#include "rig.h"

#include <sys/wait.h>
#include <unistd.h>

#include "agent/deliver/render.h"

static struct arena *a;
static struct settings_file file;
static struct value *data;
static const char *out;
static size_t n;

static void setup(void)
{
	rig_open();
	a = arena_new(16 << 20);
	data = value_object(a);
	file = (struct settings_file){ .binding = "b", .name = "f" };
}

static void teardown(void)
{
	arena_free(a);
	rig_close();
}

TestSuite(render, .init = setup, .fini = teardown, .timeout = 30);

static const char *render(int format)
{
	char *text;

	file.format = format;
	if (render_fields(a, &file, data, &out, &n, &e) != ERR_OK)
		return NULL;
	text = arena_dup(a, out, n);
	cr_assert_eq(strlen(text), n);
	return text;
}

Test(render, json_is_compact_and_sorted_and_keeps_numbers)
{
	struct value *list = value_array(a), *sub = value_object(a);

	value_set_str(a, data, "b", "q\"\\\n\x01\x7f/\u00e9");
	value_set(data, "a", value_number(a, "18446744073709551616.50", 23));
	value_set_bool(a, data, "ab", true);
	value_set(data, "aa", value_null(a));
	value_add(list, value_int(a, 1));
	value_add(list, value_bool(a, false));
	value_set_str(a, sub, "y", "");
	value_set(sub, "x", list);
	value_set(data, "c", sub);
	cr_assert_str_eq(render(FORMAT_JSON),
	                 "{\"a\":18446744073709551616.50,\"aa\":null,\"ab\":true,"
	                 "\"b\":\"q\\\"\\\\\\n\\u0001\\u007f/\u00e9\","
	                 "\"c\":{\"x\":[1,false],\"y\":\"\"}}");
}

Test(render, json_of_some_fields)
{
	const char *fields[] = { "z", "a" };

	file.fields = (struct config_list){ fields, 2 };
	value_set_str(a, data, "a", "1");
	value_set_str(a, data, "b", "2");
	value_set_str(a, data, "z", "3");
	cr_assert_str_eq(render(FORMAT_JSON), "{\"a\":\"1\",\"z\":\"3\"}");
	fields[1] = "none";
	cr_assert_null(render(FORMAT_JSON));
	cr_assert_not_null(strstr(e.msg, "no field 'none' (file 'b/f')"), "%s", e.msg);
}

Test(render, of_nothing_is_empty)
{
	cr_assert_str_eq(render(FORMAT_ENV), "");
	cr_assert_str_eq(render(FORMAT_JSON), "{}");
}

/* What /bin/sh has in V after reading the file. */
static const char *shell_reads(const char *text)
{
	static char got[4096];
	char path[PATH_MAX];
	int fd = open(rig_path("env", path), O_WRONLY | O_CREAT | O_TRUNC, 0600), p[2];
	ssize_t len, at = 0;
	pid_t pid;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	cr_assert_eq(pipe(p), 0);
	cr_assert_geq(pid = fork(), 0);
	if (pid == 0) {
		(void)dup2(p[1], 1);
		close(p[0]);
		execl("/bin/sh", "sh", "-c", "set -a; . \"$0\"; exec printenv V", path,
		      (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	while ((len = read(p[0], got + at, sizeof(got) - 1 - (size_t)at)) > 0)
		at += len;
	close(p[0]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	got[at > 0 ? at - 1 : 0] = '\0'; /* printenv's line feed */
	return got;
}

Test(render, env_is_what_a_shell_reads)
{
	static const char *const values[] = {
		"",         "plain",     "a b",       " lead",
		"$HOME",    "`id`",      "a'b",       "a\"b",
		"a\\b",     "'$x\\\"`'", "#x",        "x#y",
		"!history", "*",         "~",         "a;b&c|d<e>f",
		"(x)",      "{a,b}",     "tab\there", "\u00e9\u20ac",
		"=",        "a=b",       "-n",        "\\",
		"'",        "''",        "\"'\"",     "%s%d",
		"x\\",      "$(id)'",
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		data = value_object(a);
		value_set_str(a, data, "V", values[i]);
		cr_expect_str_eq(shell_reads(render(FORMAT_ENV)), values[i],
		                 "%s gives %s", values[i], out);
	}
}

Test(render, env_writes_bare_what_every_reader_takes_as_it_is)
{
	value_set_str(a, data, "A", "postgres://u:p%40x@host:5432/db,x+y=z");
	value_set(data, "N", value_int(a, 12));
	value_set_bool(a, data, "_t", true);
	cr_assert_str_eq(render(FORMAT_ENV),
	                 "A=postgres://u:p%40x@host:5432/db,x+y=z\nN=12\n_t=true\n");
}

Test(render, env_without_quotes)
{
	file.quote = QUOTE_NONE;
	value_set_str(a, data, "A", "it's \"$x\"");
	cr_assert_str_eq(render(FORMAT_ENV), "A=it's \"$x\"\n");
}

Test(render, env_refuses_what_cannot_be_written_and_names_the_field_alone)
{
	static const struct {
		const char *key, *value, *want;
	} cases[] = {
		{"a-b",  "secretvalue",      "field 'a-b' is no name of a variable"},
		{ "1a",  "secretvalue",      "field '1a' is no name"               },
		{ "",    "secretvalue",      "field '' is no name"                 },
		{ "a=b", "secretvalue",      "field 'a=b' is no name"              },
		{ "a",   "secretvalue\nB=1", "field 'a' has a line break"          },
		{ "a",   "secretvalue\r",    "field 'a' has a line break"          },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		data = value_object(a);
		value_set_str(a, data, cases[i].key, cases[i].value);
		cr_expect_null(render(FORMAT_ENV));
		cr_expect_not_null(strstr(e.msg, cases[i].want), "%s", e.msg);
		cr_expect_null(strstr(e.msg, "secretvalue"), "%s", e.msg);
	}
	data = value_object(a);
	value_set(data, "a", value_strn(a, "x\0y", 3));
	cr_expect_null(render(FORMAT_ENV));
	data = value_object(a);
	value_set(data, "a", value_null(a));
	cr_expect_null(render(FORMAT_ENV));
	cr_expect_not_null(strstr(e.msg, "field 'a' is no text"), "%s", e.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a template sees of the world, its bounds, and its errors.  That it writes what
 * consul-template writes is in tests/fixtures/template.
 */
#include "agent/template/template.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)
#define CANARY    "CANARY-4711"

static struct arena *a, *run_arena;
static struct err e;

/* The world, and what was asked of it. */
static struct {
	bool pending;
	unsigned reads, lists;
	char path[64];
	int64_t now;
} world;

static int on_secret(void *ctx, const char *path, const struct value **out,
                     struct err *why)
{
	struct value *reply, *data;

	cr_assert_eq(ctx, &world);
	world.reads++;
	snprintf(world.path, sizeof(world.path), "%s", path);
	if (strstr(path, "denied") != NULL)
		return err_set(why, ERR_DENIED, "permission denied");
	*out = NULL;
	if (world.pending)
		return ERR_OK;
	reply = value_object(run_arena);
	data = value_object(run_arena);
	value_set_int(run_arena, reply, "lease_duration", 60);
	value_set_bool(run_arena, reply, "renewable", true);
	value_set_str(run_arena, reply, "lease_id", "lease/1");
	value_set(reply, "data", data);
	value_set_str(run_arena, data, "password", CANARY);
	value_set(data, "port", value_number(run_arena, "5432.10", 7));
	*out = reply;
	return ERR_OK;
}

static int on_secrets(void *ctx UNUSED, const char *folder, const struct value **out,
                      struct err *why UNUSED)
{
	struct value *names = value_array(run_arena);

	world.lists++;
	snprintf(world.path, sizeof(world.path), "%s", folder);
	value_add(names, value_str(run_arena, "b"));
	value_add(names, value_str(run_arena, "a/"));
	value_add(names, value_str(run_arena, "b"));
	*out = world.pending ? NULL : names;
	return ERR_OK;
}

static int on_file(void *ctx UNUSED, const char *path, struct arena *to, const char **p,
                   size_t *n, struct err *why)
{
	if (strcmp(path, "/etc/motd") != 0)
		return err_set(why, ERR_DENIED, "not below a template_dirs");
	*p = arena_str(to, "hello\n");
	*n = 6;
	return ERR_OK;
}

static const char *on_env(void *ctx UNUSED, const char *name)
{
	return strcmp(name, "SET") == 0     ? "value"
	       : strcmp(name, "EMPTY") == 0 ? ""
	                                    : NULL;
}

static int64_t on_now(void *ctx UNUSED)
{
	return world.now;
}

static const struct template_ops ops = { on_secret, on_secrets, on_file, on_env,
	                                 &world,    on_now,     NULL };

static void setup(void)
{
	memset(&world, 0, sizeof(world));
	a = arena_new(ARENA_MAX);
	run_arena = arena_new(ARENA_MAX);
	cr_assert(a != NULL && run_arena != NULL);
}

static void teardown(void)
{
	arena_free(a);
	arena_free(run_arena);
}

TestSuite(template, .init = setup, .fini = teardown, .timeout = 60);

static struct template *parsed(const char *text)
{
	struct template *t = NULL;

	cr_assert_eq(template_parse(a, "t", text, strlen(text), &t, &e), ERR_OK, "%s: %s",
	             text, e.msg);
	return t;
}

/* What a template makes; NULL and ${e} if it fails. */
static const char *made(const char *text)
{
	const char *out = NULL;
	size_t n = 0;

	arena_reset(run_arena);
	e = (struct err){ .code = ERR_OK };
	if (template_run(parsed(text), &ops, run_arena, &out, &n, &e) != ERR_OK)
		return NULL;
	cr_assert_eq(out[n], '\0');
	cr_assert_eq(strlen(out), n);
	return out;
}

static void check(const char *text, const char *got, const char *want)
{
	cr_assert(got != NULL && strcmp(got, want) == 0, "%s\n want %s\n got  %s", text,
	          want, got != NULL ? got : "nothing");
}

static void makes(const char *text, const char *want)
{
	const char *got = made(text);

	check(text, got != NULL ? got : e.msg, want);
}

static void fails(const char *text, enum errcode code, const char *want)
{
	const char *got = made(text);

	check(text, got != NULL ? got : e.msg, want);
	cr_assert_eq(e.code, code);
}

Test(template, gives_the_members_of_a_reply)
{
	makes("{{ with secret \"secret/x\" }}{{ .Data.password }} {{ .Data.port }} "
	      "{{ .LeaseDuration }} {{ .LeaseID }} {{ .Renewable }}{{ .RequestID }}{{ end }}",
	      CANARY " 5432.10 60 lease/1 true");
	makes("{{ with secret \"x\" }}{{ toJSON . }}{{ end }}",
	      "{\"RequestID\":\"\",\"LeaseID\":\"lease/1\",\"LeaseDuration\":60,"
	      "\"Renewable\":true,\"Data\":{\"password\":\"" CANARY
	      "\",\"port\":5432.10},\"Warnings\":null,\"Auth\":null,\"WrapInfo\":null}");
	makes("{{ secret \"x\" }}",
	      "{ lease/1 60 true map[password:" CANARY " port:5432.10] [] <nil> <nil>}");
}

Test(template, reads_a_secret_once_a_run)
{
	makes("{{ $a := secret \"/secret/x/ \" }}{{ $b := secret \"secret/x\" }}"
	      "{{ $a.Data.password | eq $b.Data.password }}",
	      "true");
	cr_assert_eq(world.reads, 1);
	cr_assert_str_eq(world.path, "secret/x");
	makes("{{ with secret \"secret/x?version=2\" }}{{ end }}", "");
	cr_assert_str_eq(world.path, "secret/x?version=2");
}

Test(template, lists_names_in_order_and_once)
{
	makes("{{ range secrets \"secret/metadata/app/\" }}{{ . }} {{ end }}", "a/ b ");
	cr_assert_str_eq(world.path, "secret/metadata/app");
	makes("{{ range secrets \"\" }}x{{ else }}none{{ end }}", "none");
	cr_assert_eq(world.lists, 1);
}

Test(template, goes_on_without_what_is_not_there_yet)
{
	const char *text = "{{ with secret \"a\" }}{{ .Data.x }}{{ end }}"
			   "{{ range secrets \"b\" }}{{ end }}"
			   "{{ (secret \"c\").Data.x | toUpper }}{{ secret \"d\" }}";

	world.pending = true;
	fails(text, ERR_BUSY, "t: a secret is not there yet");
	cr_assert_eq(world.reads, 2, "the failure behind the second one ends the run");
	cr_assert_eq(world.lists, 1);
	world.pending = false;
	fails("{{ (secret \"c\").Data.x | toUpper }}", ERR_INVALID,
	      "t:1:26: no value where a string is expected");
}

Test(template, says_where_the_world_refused)
{
	fails("\n {{ secret \"denied\" }}", ERR_DENIED, "t:2:5: permission denied");
	fails("{{ file \"/etc/shadow\" }}", ERR_DENIED,
	      "t:1:4: not below a template_dirs");
	world.pending = true;
	fails("{{ secret \"a\" }}{{ secret \"denied\" }}", ERR_BUSY,
	      "t: a secret is not there yet");
}

Test(template, reads_files_and_environment)
{
	makes("{{ file \" /etc/motd\\n\" }}{{ file \"\" }}", "hello\n");
	makes("{{ env \"SET\" }}|{{ env \"EMPTY\" }}|{{ env \"UNSET\" }}|"
	      "{{ envOrDefault \"EMPTY\" \"d\" }}|{{ envOrDefault \"UNSET\" \"d\" }}|"
	      "{{ mustEnv \"SET\" }}",
	      "value||||d|value");
	fails("{{ mustEnv \"EMPTY\" }}", ERR_INVALID,
	      "t:1:4: mustEnv: the variable is not set");
	fails("{{ env \"a\\x00b\" }}", ERR_INVALID, "t:1:4: env: a name with a NUL");
}

Test(template, does_without_a_world)
{
	const struct template_ops none = { .ctx = NULL };
	static const char *const texts[] = { "{{ secret \"x\" }}", "{{ secrets \"x\" }}",
		                             "{{ file \"x\" }}" };
	const char *out;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		cr_assert_eq(template_run(parsed(texts[i]), &none, run_arena, &out, &n,
		                          &e),
		             ERR_INVALID);
	cr_assert_eq(
		template_run(parsed("{{ env \"SET\" }}{{ timestamp \"unix\" | len }}"),
	                     &none, run_arena, &out, &n, &e),
		ERR_OK);
	cr_assert_str_eq(out, "10");
}

/* What Go writes for 2009-02-13 23:31:30.250 UTC, and for 2024-02-29 00:05:09. */
Test(template, writes_times_by_example)
{
	world.now = 1234567890250;
	makes("{{ timestamp }}", "2009-02-13T23:31:30Z");
	makes("{{ timestamp \"unix\" }}", "1234567890");
	makes("{{ timestamp \"Mon Jan _2 15:04:05 MST 2006\" }}",
	      "Fri Feb 13 23:31:30 UTC 2009");
	makes("{{ timestamp \"Monday, 02-January-06 03:04:05.000 PM -0700\" }}",
	      "Friday, 13-February-09 11:31:30.250 PM +0000");
	makes("{{ timestamp \"2006-01-02T15:04:05.999999Z07:00 -07:00 -07 Z0700\" }}",
	      "2009-02-13T23:31:30.25Z +00:00 +00 Z");
	makes("{{ timestamp \"1/2/06 3:4:5pm 002 __2 _2006 Janus 15.04 5,000000000\" }}",
	      "2/13/09 11:31:30pm 044  44 _2009 Janus 23.31 30,250000000");
	world.now = 1709165109000;
	makes("{{ timestamp \"Jan _2 03:04:05.999 3 PM pm -070000 -07:00:00 002\" }}",
	      "Feb 29 12:05:09 12 AM am +000000 +00:00:00 060");
	fails("{{ timestamp \"a\" \"b\" }}", ERR_INVALID,
	      "t:1:4: wrong number of arguments for timestamp: want at most 1 got 2");
}

Test(template, keeps_nothing_of_the_text_it_was_parsed_from)
{
	char text[] =
		"a{{ \"b\" }}{{ `c` }}{{ $x := 1 }}{{ $x }}{{ define \"d\" }}e{{ end }}"
		"{{ template \"d\" }}{{ (parseJSON \"{}\").f }}";
	char name[] = "name";
	struct template *t;
	const char *out;
	size_t n;

	cr_assert_eq(template_parse(a, name, text, strlen(text), &t, &e), ERR_OK);
	memset(text, 'X', strlen(text));
	memset(name, 'X', strlen(name));
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(template_run(t, &ops, run_arena, &out, &n, &e), ERR_OK);
		cr_assert_str_eq(out, "abc1e<no value>");
		arena_reset(run_arena);
	}
}

Test(template, takes_bytes_that_are_no_text)
{
	static const char text[] = "\0{{ \"a\\x00b\" }}\xff{{ `\xfe` | len }}";
	static const char want[] = "\0a\0b\xff"
				   "1";
	struct template *t;
	const char *out;
	size_t n;

	cr_assert_eq(template_parse(a, "t", text, sizeof(text) - 1, &t, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_eq(template_run(t, &ops, run_arena, &out, &n, &e), ERR_OK);
	cr_assert_eq(n, sizeof(want) - 1);
	cr_assert_arr_eq(out, want, n);
	cr_assert_eq(template_parse(a, "t", "{{ a\0 }}", 8, &t, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "t:1:5: bad character U+0000 in a name");
}

/* Whatever fails, its message has types and names, never a value. */
Test(template, never_says_a_value)
{
	static const char *const rest[] = {
		"add 1 .Data.password",
		".Data.password.x",
		".Data.password | parseJSON",
		".Data.password | parseYAML | len | toUpper",
		"printf \"{a: [%s\" .Data.password | parseYAML",
		".Data.password | parseInt",
		".Data.password | parseBool",
		".Data.password | parseFloat",
		".Data.password | parseUint",
		".Data.password | base64Decode",
		"index .Data .Data.password .Data.password",
		"index .Data.password .Data.password",
		"eq .Data.password 1",
		"lt .Data .Data.password",
		"loop .Data.password",
		"range .Data.password }}{{ end",
		"index (split \"\" .Data.password) 99",
		"indent .Data.password \"x\"",
		"join .Data.password .Data.password",
		"scratch.Set .Data.password 1 }}{{ scratch.MapSet .Data.password \"a\" 1",
		"env (printf \"%s\\x00\" .Data.password)",
		"mustEnv .Data.password",
		"slice .Data.password 50",
		"printf (print \"%#v\" .Data.password) .Data.password",
		"printf (print \"%[\" .Data.password) 1",
		"timestamp .Data.password .Data.password",
	};

	for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
		char text[256];

		snprintf(text, sizeof(text), "{{ with secret \"x\" }}{{ %s }}{{ end }}",
		         rest[i]);
		cr_assert_null(made(text), "%s", text);
		cr_assert_eq(strncmp(e.msg, "t:1:", 4), 0, "%s: %s", text, e.msg);
		cr_assert_null(strstr(e.msg, "CANARY"), "%s: %s", text, e.msg);
	}
}

static void too_much(const char *text, const char *what)
{
	cr_assert_null(made(text), "%s", text);
	cr_assert_eq(e.code, ERR_TOO_BIG, "%s: %s", text, e.msg);
	cr_assert_not_null(strstr(e.msg, what), "%s: %s", text, e.msg);
}

/* Each of these would go on for hours, or fill all memory. */
Test(template, is_bounded_when_it_runs)
{
	const char *long_text = "{{ $s := \"x\" }}{{ range loop 40 }}"
				"{{ $s = print $s $s }}{{ end }}";
	const char *steps = "takes too long", *deep = "nested more than 512 deep";

	too_much("{{ range loop 9223372036854775807 }}{{ end }}", steps);
	too_much("{{ range 9223372036854775807 }}x{{ end }}", "more than 1048576 bytes");
	too_much("{{ indent 4000000000 \"x\" }}", "more than 4194304 bytes");
	too_much(
		"{{ printf \"%1000000d%1000000d%1000000d%1000000d%1000000d\" 1 2 3 4 5 }}",
		"more than 4194304 bytes");
	too_much(long_text, "more than 4194304 bytes");
	too_much("{{ $s := indent 4000000 \"x\" }}{{ range loop 1000000 }}"
	         "{{ $t := eq $s $s }}{{ end }}",
	         steps);
	too_much("{{ $s := indent 1000000 \"x\" }}{{ range loop 1000000 }}"
	         "{{ $t := trimSpace $s }}{{ end }}",
	         steps);
	too_much("{{ $s := indent 1000000 \"x\" }}{{ range loop 1000000 }}"
	         "{{ $t := contains \"y\" $s }}{{ end }}",
	         steps);
	too_much("{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
	         deep);
	too_much("{{ scratch.MapSet \"m\" \"m\" 1 }}{{ $m := scratch.Get \"m\" }}"
	         "{{ scratch.MapSet \"m\" \"m\" $m }}{{ $m }}",
	         deep);
	too_much("{{ scratch.MapSet \"m\" \"m\" 1 }}{{ $m := scratch.Get \"m\" }}"
	         "{{ scratch.MapSet \"m\" \"m\" $m }}{{ toYAML $m }}",
	         deep);
	too_much("{{ $s := \"[\" }}{{ range loop 12 }}{{ $s = print $s $s }}{{ end }}"
	         "{{ parseJSON $s }}",
	         deep);
	too_much("{{ $s := \"[\" }}{{ range loop 12 }}{{ $s = print $s $s }}{{ end }}"
	         "{{ parseYAML $s }}",
	         deep);
}

static struct template *of_many(const char *part, size_t times, int want)
{
	size_t n = strlen(part), all = n * times;
	char *text = malloc(all);
	struct template *t = NULL;

	cr_assert_not_null(text);
	for (size_t i = 0; i < all; i++)
		text[i] = part[i % n];
	cr_assert_eq(template_parse(a, "t", text, all, &t, &e), want, "%s: %s", part,
	             e.msg);
	free(text);
	return t;
}

Test(template, is_bounded_when_it_is_parsed)
{
	of_many("x", TEMPLATE_TEXT_MAX, ERR_OK);
	of_many("x", TEMPLATE_TEXT_MAX + 1, ERR_TOO_BIG);
	of_many("{{.}}", TEMPLATE_NODES_MAX / 4 - 1, ERR_OK);
	of_many("{{.}}", TEMPLATE_NODES_MAX / 4, ERR_TOO_BIG);
	of_many("{{ ((((", 1000, ERR_INVALID);
	of_many("{{if 1}}", 1000, ERR_INVALID);
	of_many("{{block `a` 1}}", 1000, ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "nested more than 64 deep"), "%s", e.msg);
}

/* A chain of else if is no nesting, however long. */
Test(template, takes_long_chains)
{
	char text[20000] = "{{ if 0 }}x";
	size_t n = strlen(text);

	for (int i = 0; i < 800; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "{{ else if 0 }}");
	snprintf(text + n, sizeof(text) - n, "{{ else }}end{{ end }}");
	makes(text, "end");
}

/* With less memory than it takes: an error, at whatever point. */
Test(template, fails_cleanly_for_want_of_memory)
{
	const char *text =
		"{{ define \"t\" }}{{ . }}{{ end }}{{ $x := secret \"x\" }}{{ $y := 1 }}"
		"{{ range $k, $v := $x.Data }}{{ $k }}={{ print $v | toUpper }};{{ end }}"
		"{{ template \"t\" (print 1 2 3 4 5) }}{{ $x.Data | toJSON | parseJSON | "
		"toYAML | parseYAML }}{{ split \",\" \"a,b\" | join \"-\" }}"
		"{{ scratch.MapSet \"a\" \"b\" 1 }}{{ secrets \"x\" }}";
	size_t got = 0, tried = 0;
	struct template *t;
	const char *out;
	size_t n;

	for (size_t max = 16; got < 2; max += 48, tried++) {
		struct arena *small = arena_new(max);
		int rc;

		cr_assert_not_null(small);
		rc = got == 0 ? template_parse(small, "t", text, strlen(text), &t, &e)
		              : template_run(parsed(text), &ops, small, &out, &n, &e);
		cr_assert(rc == ERR_OK || rc == ERR_NOMEM, "%zu: %d %s", max, rc, e.msg);
		if (rc == ERR_OK && ++got == 1)
			max = 16;
		arena_free(small);
		arena_reset(run_arena);
	}
	cr_assert_gt(tried, 100);
}

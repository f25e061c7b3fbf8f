/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "ht.h"

static struct arena *arena;

static void setup(void)
{
	arena = arena_new(4 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(http, .init = setup, .fini = teardown, .timeout = 60);

/* A request whose pending password is ${value}. */
static int fill(const char *text, enum ht_place place, const char *value, char **out)
{
	struct request r = { .arena = arena, .attempt = "0123", .secret = "kv/a" };
	struct ht_scope s = { .r = &r, .pending = &r.pending };
	struct answer a = { 0 };

	r.pending = (struct credential){ .given = true, .password = value };
	return ht_fill(&s, text, place, out, &a);
}

static void expect(const char *text, enum ht_place place, const char *value,
                   const char *want)
{
	char *out = NULL;

	cr_assert_eq(fill(text, place, value, &out), 0, "%s", text);
	cr_expect_str_eq(out, want);
}

Test(http, values_are_written_for_where_they_stand)
{
	expect("a{{pending.password}}b", HT_PLAIN, "x\"y", "ax\"yb");
	expect("\"{{ pending.password }}\"", HT_JSON, "\"\\\n\x01/",
	       "\"\\\"\\\\\\u000a\\u0001/\"");
	expect("?a={{pending.password}}&b", HT_URL, "a&b=c d%/+~",
	       "?a=a%26b%3Dc%20d%25%2F%2B~&b");
	expect("{{pending.password}}", HT_URL, "\xc3\xbc", "%C3%BC");
	expect("Bearer {{pending.password}}", HT_HEADER, "x y", "Bearer x y");
	expect("", HT_PLAIN, "x", "");
	expect("{{attempt}}{{secret}}", HT_PLAIN, "x", "0123kv/a");
}

Test(http, a_value_is_no_template)
{
	expect("{{pending.password}}", HT_PLAIN, "{{attempt}}", "{{attempt}}");
}

Test(http, what_cannot_be_filled_in)
{
	static const char *const bad[] = {
		"{{",
		"{{}}",
		"{{ }}",
		"{{attempt}",
		"{{att empt}}",
		"{{nothing}}",
		"{{admin.}}",
		"{{admin.token}}",
		"{{pending.nothing}}",
		"{{found.id}}",
		"{{vars.x}}",
		"{{account}}",
		"{{credential.password}}",
	};
	char *out;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(fill(bad[i], HT_PLAIN, "x", &out), CLASS_PERMANENT, "%s",
		             bad[i]);
	cr_expect_eq(fill("{{pending.password}}", HT_HEADER, "a\r\nb", &out),
	             CLASS_REJECTED);
	cr_expect_eq(fill("{{pending.password}}", HT_URL, "..", &out), CLASS_REJECTED);
	cr_expect_eq(fill("{{pending.password}}", HT_JSON, "\xff", &out), CLASS_REJECTED);
}

Test(http, a_request_has_a_largest_size)
{
	size_t n = HT_TEXT_MAX + 1;
	char *text = arena_alloc(arena, n + 1), *out;

	memset(text, 'a', n);
	cr_expect_eq(fill(text, HT_PLAIN, "x", &out), CLASS_PERMANENT);
	text[n - 1] = '\0';
	cr_expect_eq(fill(text, HT_PLAIN, "x", &out), 0);
}

/* The examples of RFC 6901 section 5, and what leads nowhere. */
Test(http, pointers)
{
	json_t *doc = json_loads("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, "
	                         "\"c%d\": 2, \"m~n\": 8, \" \": 7}",
	                         0, NULL);
	static const char *const numbers[] = { "/", "/a~1b", "/c%d", "/m~0n", "/ " };
	static const int values[] = { 0, 1, 2, 8, 7 };
	static const char *const nowhere[] = {
		"foo",     "/bar",  "/foo/2",   "/foo/-", "/foo/01",
		"/foo/0x", "/foo/", "/foo/0/x", "/a~2b",  "/a~",
	};

	cr_expect_eq(ht_pointer(doc, ""), doc);
	cr_expect_str_eq(json_string_value(ht_pointer(doc, "/foo/1")), "baz");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		cr_expect_eq(json_integer_value(ht_pointer(doc, numbers[i])), values[i],
		             "%s", numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
		cr_expect_null(ht_pointer(doc, nowhere[i]), "%s", nowhere[i]);
	cr_expect_null(ht_pointer(NULL, "/x"));
	json_decref(doc);
}

Test(http, values_as_text)
{
	json_t *list = json_loads("[\"a\", 12, 1.5, true, null, [], \"a\\u0000b\"]",
	                          JSON_ALLOW_NUL, NULL);

	cr_expect_str_eq(ht_as_text(arena, json_array_get(list, 0)), "a");
	cr_expect_str_eq(ht_as_text(arena, json_array_get(list, 1)), "12");
	for (size_t i = 2; i < json_array_size(list); i++)
		cr_expect_null(ht_as_text(arena, json_array_get(list, i)));
	json_decref(list);
}

Test(http, statuses)
{
	cr_expect_eq(ht_default_class(401, true), CLASS_AUTH);
	cr_expect_eq(ht_default_class(401, false), CLASS_AUTH);
	cr_expect_eq(ht_default_class(403, false), CLASS_AUTH);
	cr_expect_eq(ht_default_class(403, true), CLASS_RETRYABLE);
	cr_expect_eq(ht_default_class(429, false), CLASS_RETRYABLE);
	cr_expect_eq(ht_default_class(503, false), CLASS_RETRYABLE);
	cr_expect_eq(ht_default_class(302, false), CLASS_PERMANENT);
	cr_expect_eq(ht_default_class(422, false), CLASS_PERMANENT);
}

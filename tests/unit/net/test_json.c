/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "server/net/json.h"
#include "vault/limits.h"

static struct arena *a;
static struct err e;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	a = arena_new((size_t)64 << 20);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(json, .init = setup, .fini = teardown, .timeout = 20);

static int parse(const char *text, size_t n, struct value **v)
{
	*v = NULL;
	memset(&e, 0, sizeof(e));
	return json_parse(a, text, n, v, &e);
}

/* in: the text; out: what the writer makes of it, or the message behind the prefix. */
struct text_case {
	char in[128];
	unsigned len;
	char out[128];
};

#define CASE(in, out)                   \
	{                               \
		in, sizeof(in) - 1, out \
	}

ParameterizedTestParameters(json, reads_and_writes)
{
	static struct text_case c[] = {
		CASE("{}", "{}"),
		CASE("[]", "[]"),
		CASE(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\":{} } \n",
		     "{\"a\":[1,2],\"b\":{}}"),
		CASE("null", "null"),
		CASE("true", "true"),
		CASE("[false,null,\"\"]", "[false,null,\"\"]"),
		CASE("0", "0"),
		CASE("-0", "-0"),
		CASE("1e400", "1e400"),
		CASE("1E+5", "1E+5"),
		CASE("-12.500e-3", "-12.500e-3"),
		CASE("18446744073709551616", "18446744073709551616"),
		CASE("0.1000000000000000055511151231257827",
		     "0.1000000000000000055511151231257827"),
		CASE("\"a\\\"b\\\\c\\/d\"", "\"a\\\"b\\\\c/d\""),
		CASE("\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\"",
		     "\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\""),
		CASE("\"\\u00e9\\u20ac\\uD83D\\uDE00\"",
		     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
		CASE("\"\x7f\"", "\"\\u007f\""),
		CASE("\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\""),
		CASE("\"\\uFFFF\\uE000\\uD7FF\"",
		     "\"\xef\xbf\xbf\xee\x80\x80\xed\x9f\xbf\""),
	};

	return cr_make_param_array(struct text_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct text_case *c, json, reads_and_writes)
{
	struct jbuf b = { NULL, 0, 0, false };
	struct value *v, *again;

	cr_assert_eq(parse(c->in, c->len, &v), ERR_OK, "%s: %s", c->in, e.msg);
	json_write(&b, v);
	cr_assert(!b.failed);
	cr_assert(b.len == strlen(c->out) && memcmp(b.p, c->out, b.len) == 0, "%.*s",
	          (int)b.len, b.p);
	cr_assert_eq(parse(b.p, b.len, &again), ERR_OK);
	cr_assert(value_equal(v, again));
	jbuf_free(&b);
	cr_assert(b.p == NULL && b.len == 0);
}

ParameterizedTestParameters(json, refuses)
{
	static struct text_case c[] = {
		CASE("", "unexpected end at offset 0"),
		CASE("  ", "unexpected end at offset 2"),
		CASE("{", "expected a key at offset 1"),
		CASE("{\"a\"", "expected ':' at offset 4"),
		CASE("{\"a\":", "unexpected end at offset 5"),
		CASE("{\"a\":1", "expected ',' or the end of the list at offset 6"),
		CASE("{\"a\":1,}", "expected a key at offset 7"),
		CASE("{a:1}", "expected a key at offset 1"),
		CASE("{\"a\" 1}", "expected ':' at offset 5"),
		CASE("[1,]", "invalid number at offset 3"),
		CASE("[1 2]", "expected ',' or the end of the list at offset 3"),
		CASE("[1}", "expected ',' or the end of the list at offset 2"),
		CASE("{}{}", "trailing bytes at offset 2"),
		CASE("{}\0", "trailing bytes at offset 2"),
		CASE("\xef\xbb\xbf{}", "invalid number at offset 0"),
		CASE("01", "trailing bytes at offset 1"),
		CASE("+1", "invalid number at offset 0"),
		CASE(".5", "invalid number at offset 0"),
		CASE("1.", "invalid number at offset 2"),
		CASE("1e", "invalid number at offset 2"),
		CASE("1e+", "invalid number at offset 3"),
		CASE("-", "invalid number at offset 1"),
		CASE("NaN", "invalid number at offset 0"),
		CASE("Infinity", "invalid number at offset 0"),
		CASE("tru", "invalid character at offset 0"),
		CASE("nulL", "invalid character at offset 0"),
		CASE("'a'", "invalid number at offset 0"),
		CASE("\"a", "unexpected end inside a string at offset 2"),
		CASE("\"a\\", "unexpected end inside a string at offset 4"),
		CASE("\"a\\\"", "unexpected end inside a string at offset 4"),
		CASE("\"a\nb\"", "control character inside a string at offset 2"),
		CASE("\"a\0b\"", "control character inside a string at offset 2"),
		CASE("\"\\x41\"", "invalid escape at offset 1"),
		CASE("\"\\\x01\"", "invalid escape at offset 1"),
		CASE("\"\\u12\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\u12g4\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\ud800\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\udc00\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\ud800\\u0041\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\ud800\\ud800\"", "invalid Unicode escape at offset 1"),
		CASE("\"\\ud83d\\ude0\"", "invalid Unicode escape at offset 1"),
		CASE("\"\xed\xa0\x80\"", "invalid UTF-8 in a string at offset 1"),
		CASE("\"\xc0\x80\"", "invalid UTF-8 in a string at offset 1"),
		CASE("\"\xf4\x90\x80\x80\"", "invalid UTF-8 in a string at offset 1"),
		CASE("\"\xe2\x82\"", "invalid UTF-8 in a string at offset 1"),
		CASE("\"\\\xff\"", "invalid UTF-8 in a string at offset 1"),
		CASE("{\"a\":1,\"b\":2,\"a\":3}", "duplicate key at offset 16"),
		CASE("{\"a\":1,\"\\u0061\":3}", "duplicate key at offset 15"),
		CASE("{\"\":1,\"\":3}", "duplicate key at offset 8"),
		CASE("{\"a\":{\"x\":1,\"x\":2}}", "duplicate key at offset 15"),
		CASE("10000000000000000000000000000000000000000000000000000000000000000",
		     "number is too long at offset 65"),
	};

	return cr_make_param_array(struct text_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct text_case *c, json, refuses)
{
	char want[256];
	struct value *v;

	snprintf(want, sizeof(want), "failed to decode JSON input: %s", c->out);
	cr_assert_eq(parse(c->in, c->len, &v), ERR_INVALID, "%s", c->in);
	cr_assert_str_eq(e.msg, want, "%s: %s", c->in, e.msg);
	cr_assert(v == NULL);
}

/* ${n} times ${unit}, between two texts. */
static char *repeat(const char *before, const char *unit, size_t n, const char *after,
                    size_t *len)
{
	size_t size = strlen(before) + n * strlen(unit) + strlen(after) + 1;
	char *text = malloc(size), *p = text;

	p += snprintf(p, size, "%s", before);
	for (size_t i = 0; i < n; i++, p += strlen(unit))
		memcpy(p, unit, strlen(unit));
	snprintf(p, size - (size_t)(p - text), "%s", after);
	*len = strlen(text);
	return text;
}

/* What this process has computed: others on the machine do not count. */
static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void expect_quick(const char *text, size_t n, int want)
{
	int64_t from = cpu_ms();
	struct value *v;

	cr_assert_eq(parse(text, n, &v), want, "%s", e.msg);
	cr_assert_leq(cpu_ms() - from, 20, "too slow");
	cr_assert_leq(arena_used(a), (size_t)3 << 20, "too much memory");
	arena_reset(a);
}

Test(json, depth_is_limited)
{
	for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
		char text[2 * LIMIT_JSON_DEPTH + 3];

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		expect_quick(text, 2 * depth,
		             depth <= LIMIT_JSON_DEPTH ? ERR_OK : ERR_INVALID);
	}
	{
		size_t n;
		char *text = repeat("[{}", ",[{}]", 2 * LIMIT_JSON_DEPTH, "]", &n);

		expect_quick(text, n,
		             ERR_OK); /* beside each other is not in each other */
		free(text);
	}
	for (size_t i = 0; i < 2; i++) {
		size_t n;
		char *text = repeat("", i == 0 ? "[" : "{\"a\":", 100000, "", &n);

		expect_quick(text, n, ERR_INVALID);
		free(text);
	}
}

Test(json, members_are_limited)
{
	size_t n;
	char *text = repeat("[0", ",0", LIMIT_JSON_MEMBERS - 1, "]", &n);

	expect_quick(text, n, ERR_OK);
	free(text);
	text = repeat("[0", ",0", LIMIT_JSON_MEMBERS, "]", &n);
	expect_quick(text, n, ERR_INVALID);
	free(text);
	text = repeat("[0", ",0", 1000000, "]", &n);
	expect_quick(text, n, ERR_INVALID);
	free(text);
}

Test(json, long_strings_are_taken_as_they_are)
{
	size_t n;
	char *text = repeat("\"", "x", (size_t)127 << 10, "\"", &n);
	struct value *v;

	cr_assert_eq(parse(text, n, &v), ERR_OK);
	cr_assert_eq(v->len, (size_t)127 << 10);
	cr_assert(v->text == text + 1, "a string without escapes is not copied");
	free(text);
	text = repeat("\"", "\\u0041", 20000, "\"", &n);
	cr_assert_eq(parse(text, n, &v), ERR_OK);
	cr_assert_eq(v->len, 20000);
	cr_assert_eq(v->text[19999], 'A');
	free(text);
}

/* ${n} different keys, then the one of member ${again} once more. */
static char *many_keys(size_t n, size_t again, size_t *len)
{
	char *text = malloc(n * 16 + 64), *p = text;

	*p++ = '{';
	for (size_t i = 0; i < n; i++)
		p += snprintf(p, 16, "\"k%zu\":%zu,", i, i % 10);
	p += snprintf(p, 32, "\"k%zu\":1}", again);
	*len = (size_t)(p - text);
	return text;
}

Test(json, one_duplicate_among_many_keys_is_found)
{
	static const size_t at[] = { 0, 7, 8, 9, 31, 32, 33, 500, 4999 };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		size_t n;
		char *text = many_keys(5000, at[i], &n);

		expect_quick(text, n, ERR_INVALID);
		cr_assert(strstr(e.msg, "duplicate key") != NULL, "%s", e.msg);
		free(text);
	}
	{
		size_t n;
		char *text = many_keys(LIMIT_JSON_MEMBERS - 1, LIMIT_JSON_MEMBERS, &n);

		expect_quick(text, n, ERR_OK);
		free(text);
	}
}

Test(json, messages_show_nothing_of_the_input)
{
	static const char text[] = "{\"password\":\"hunter2\" \"x\"}";
	struct value *v;

	cr_assert_eq(parse(text, sizeof(text) - 1, &v), ERR_INVALID);
	cr_assert(strstr(e.msg, "hunter2") == NULL && strstr(e.msg, "password") == NULL);
}

Test(json, running_out_of_memory_is_told_apart)
{
	struct arena *small = arena_new(256);
	struct value *v;
	static const char text[] = "[1,2,3,4,5,6,7,8,9,10]";

	cr_assert_eq(json_parse(small, text, sizeof(text) - 1, &v, &e), ERR_NOMEM);
	arena_free(small);
}

Test(json, bytes_are_written_as_base64)
{
	struct jbuf b = { NULL, 0, 0, false };

	json_write(&b, value_bytes(a, "\x00\xff\x10", 3));
	json_write(&b, value_bytes(a, "\xfb\xff", 2));
	json_write(&b, value_bytes(a, "", 0));
	json_write(&b, NULL);
	cr_assert(b.len == 6 + 6 + 2 + 4 &&
	                  memcmp(b.p, "\"AP8Q\"\"+/8=\"\"\"null", b.len) == 0,
	          "%.*s", (int)b.len, b.p);
	jbuf_free(&b);
}

Test(json, a_buffer_grows_and_keeps_its_text)
{
	struct jbuf b = { NULL, 0, 0, false };

	for (int i = 0; i < 10000; i++)
		jbuf_lit(&b, "0123456789");
	cr_assert(!b.failed);
	cr_assert_eq(b.len, 100000);
	for (size_t i = 0; i < b.len; i++)
		cr_assert_eq(b.p[i], (char)('0' + i % 10));
	cr_assert(!jbuf_room(&b, SIZE_MAX / 2));
	cr_assert(b.failed);
	jbuf_add(&b, "x", 1);
	cr_assert_eq(b.len, 100000);
	jbuf_free(&b);
}

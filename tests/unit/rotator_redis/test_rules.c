/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "rd.h"

TestSuite(redis, .timeout = 60);

Test(redis, classes_of_error_replies)
{
	cr_expect_eq(rd_class("WRONGPASS invalid username-password pair"), CLASS_AUTH);
	cr_expect_eq(rd_class("NOAUTH Authentication required."), CLASS_AUTH);
	cr_expect_eq(rd_class("LOADING Redis is loading"), CLASS_RETRYABLE);
	cr_expect_eq(rd_class("READONLY You can't write"), CLASS_RETRYABLE);
	cr_expect_eq(rd_class("ERR max number of clients reached"), CLASS_RETRYABLE);
	cr_expect_eq(rd_class("NOPERM this user has no permissions"), CLASS_PERMANENT);
	cr_expect_eq(rd_class("ERR Error in ACL SETUSER modifier"), CLASS_PERMANENT);
	cr_expect_eq(rd_class(""), CLASS_PERMANENT);
}

Test(redis, hashes)
{
	char hash[RD_HASH + 1];

	rd_hash('#', "abc", hash);
	cr_expect_str_eq(hash, "#ba7816bf8f01cfea414140de5dae2223"
	                       "b00361a396177a9cb410ff61f20015ad");
}

static int rules(struct arena *arena, const char *text, const char **out, size_t *n)
{
	struct request r = { .arena = arena };
	struct answer a = { 0 };

	*n = 0;
	return rd_rules(&r, text, out, n, 4, &a);
}

Test(redis, rules_are_words_or_an_array)
{
	AUTO_ARENA arena = arena_new(1024 * 1024);
	const char *out[4];
	size_t n;

	cr_expect_eq(rules(arena, "  ~a:*  +@read\n", out, &n), 0);
	cr_assert_eq(n, 2u);
	cr_expect_str_eq(out[0], "~a:*");
	cr_expect_str_eq(out[1], "+@read");
	cr_expect_eq(rules(arena, " [\"~a b\",\"\",\"+get\"]", out, &n), 0);
	cr_assert_eq(n, 2u);
	cr_expect_str_eq(out[0], "~a b");
	cr_expect_eq(rules(arena, "", out, &n), 0);
	cr_expect_eq(n, 0u);
	cr_expect_eq(rules(arena, "a b c d", out, &n), 0);
	cr_expect_eq(rules(arena, "a b c d e", out, &n), CLASS_PERMANENT);
}

Test(redis, rules_about_passwords_are_refused)
{
	static const char *const bad[] = {
		">x",     "<x",    "#00",       "!00", "nopass",
		"NOPASS", "reset", "resetpass", "off", "on",
	};
	AUTO_ARENA arena = arena_new(1024 * 1024);
	const char *out[4];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(rules(arena, bad[i], out, &n), CLASS_PERMANENT, "%s",
		             bad[i]);
	cr_expect_eq(rules(arena, "[", out, &n), CLASS_PERMANENT);
	cr_expect_eq(rules(arena, "[1]", out, &n), CLASS_PERMANENT);
	cr_expect_eq(rules(arena, "[\"a\"] x", out, &n), CLASS_PERMANENT);
}

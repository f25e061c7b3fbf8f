/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "text.h"

TestSuite(err, .timeout = 20);

static char long_text[1000];

static void setup(void)
{
	memset(long_text, 'x', sizeof(long_text) - 1);
}

Test(err, set_returns_its_code_and_keeps_the_message)
{
	struct err e;

	cr_assert_eq(err_set(&e, ERR_NOENT, "'%s' is gone", "a/b"), ERR_NOENT);
	cr_assert_eq(e.code, ERR_NOENT);
	cr_assert_str_eq(e.msg, "'a/b' is gone");
}

Test(err, without_a_place_for_the_message_only_the_code_counts)
{
	cr_assert_eq(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	cr_assert_eq(err_sys(NULL, ERR_IO, ENOENT, "x"), ERR_IO);
	cr_assert_neq(err_wrap(NULL, "x"), ERR_OK);
}

Test(err, wrap_puts_context_in_front_and_keeps_the_code)
{
	struct err e;

	(void)err_set(&e, ERR_DB, "disk is full");
	cr_assert_eq(err_wrap(&e, "reading '%s'", "k"), ERR_DB);
	cr_assert_eq(err_wrap(&e, "outer"), ERR_DB);
	cr_assert_str_eq(e.msg, "outer: reading 'k': disk is full");
}

Test(err, sys_appends_what_errno_means)
{
	struct err e;

	cr_assert_eq(err_sys(&e, ERR_IO, ENOENT, "opening '%s'", "f"), ERR_IO);
	cr_assert_str_eq(e.msg, "opening 'f': No such file or directory");
}

Test(err, over_long_messages_are_cut, .init = setup)
{
	struct err e;

	(void)err_set(&e, ERR_IO, "%s", long_text);
	cr_assert_eq(strlen(e.msg), ERR_MSG_MAX - 1);
	(void)err_wrap(&e, "context");
	cr_assert_eq(strlen(e.msg), ERR_MSG_MAX - 1);
	cr_assert_eq(memcmp(e.msg, "context: xxx", 12), 0);
	(void)err_sys(&e, ERR_IO, ENOENT, "%s", long_text);
	cr_assert_eq(strlen(e.msg), ERR_MSG_MAX - 1);
}

Test(err, a_cut_never_splits_a_character, .init = setup)
{
	for (size_t lead = 0; lead < 4; lead++) {
		struct err e;
		char text[1000] = "";

		for (size_t i = 0; i + 4 < sizeof(text) - lead; i += 4)
			memcpy(text + lead + i, "\xf0\x9f\x94\x91", 5);
		memset(text, 'a', lead);
		(void)err_set(&e, ERR_IO, "%s", text);
		cr_assert(text_utf8_ok(e.msg, strlen(e.msg)), "%zu", lead);
		cr_assert_geq(strlen(e.msg), ERR_MSG_MAX - 8);
		(void)err_wrap(&e, "x");
		cr_assert(text_utf8_ok(e.msg, strlen(e.msg)), "%zu", lead);
	}
}

/* Scripts and the documentation rest on both. */
Test(err, every_class_has_a_name_of_its_own_and_a_plausible_status)
{
	for (int i = 0; i < ERR__MAX; i++) {
		const struct errclass *c = &errclasses[i];

		cr_assert_not_null(c->wire, "class %d", i);
		cr_assert(c->http_status >= 200 && c->http_status <= 599, "%s", c->wire);
		cr_assert(c->exit_status >= 0 && c->exit_status < 126, "%s", c->wire);
		for (int j = 0; j < i; j++) {
			cr_assert_str_neq(c->wire, errclasses[j].wire);
			cr_assert_neq(c->exit_status, errclasses[j].exit_status, "%s",
			              c->wire);
		}
	}
	cr_assert_eq(errclasses[ERR_OK].exit_status, 0);
}

Test(err, a_refusal_s_status_is_the_one_of_its_class)
{
	static const enum errcode plain[] = { ERR_INVALID, ERR_DENIED,  ERR_NOENT,
		                              ERR_METHOD,  ERR_TOO_BIG, ERR_RATE,
		                              ERR_BUSY };

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		cr_expect_eq(err_of_status(errclasses[plain[i]].http_status, ERR_IO),
		             plain[i], "%s", errclasses[plain[i]].wire);
	cr_expect_eq(err_of_status(401, ERR_IO), ERR_DENIED);
	cr_expect_eq(err_of_status(409, ERR_IO), ERR_CONFLICT);
	cr_expect_eq(err_of_status(500, ERR_IO), ERR_IO);
	cr_expect_eq(err_of_status(418, ERR_UNREACHABLE), ERR_UNREACHABLE);
	cr_expect_eq(err_of_status(0, ERR_INTERNAL), ERR_INTERNAL);
}

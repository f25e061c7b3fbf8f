/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_rotate: the exit status of each state of an attempt; fields: settings and files. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "cmd_rotate.h"
#include "fields.h"

TestSuite(rotate_verdict, .timeout = 20);

struct end_case {
	char state[16];
	enum errcode code;
	char says[40];
};
ParameterizedTestParameters(rotate_verdict, of_each_state)
{
	/* clang-format off */
	static struct end_case cases[] = {
		{ "claimed",     ERR_OK,          "" },
		{ "setting",     ERR_OK,          "" },
		{ "set",         ERR_OK,          "" },
		{ "tested",      ERR_OK,          "" },
		{ "published",   ERR_OK,          "" },
		{ "retiring",    ERR_OK,          "" },
		{ "reverting",   ERR_OK,          "" },
		{ "converged",   ERR_OK,          "" },
		{ "late",        ERR_LATE,        "2 of 3 holders" },
		{ "held",        ERR_HELD,        "rotation resume" },
		{ "failed",      ERR_NOT_ROTATED, "the old value is valid" },
		{ "reverted",    ERR_NOT_ROTATED, "the old value is the current one" },
		{ "aborted",     ERR_NOT_ROTATED, "rotate again" },
		{ "retire-late", ERR_RETIRE_LATE, "could not be revoked" },
	};
	/* clang-format on */
	return cr_make_param_array(struct end_case, cases, ARRAY_LEN(cases));
}
ParameterizedTest(struct end_case *c, rotate_verdict, of_each_state)
{
	json_t *v = json_pack("{s:s,s:s,s:i,s:i,s:[{s:s,s:b},{s:s,s:b}]}", "state",
	                      c->state, "error", "the reason", "holders_waiting", 2,
	                      "holders_total", 3, "holders", "host", "web1", "late", 1,
	                      "host", "web2", "late", 0);
	struct err e = { 0 };

	cr_assert_not_null(v);
	cr_assert_eq(rotate_verdict(v, &e), c->code);
	cr_assert(strstr(e.msg, c->says) != NULL, "%s", e.msg);
	if (c->code != ERR_OK && c->code != ERR_LATE)
		cr_assert(strstr(e.msg, "the reason") != NULL, "%s", e.msg);
	if (c->code == ERR_LATE)
		cr_assert(strstr(e.msg, "web1") != NULL && strstr(e.msg, "web2") == NULL);
	json_decref(v);
}

Test(rotate_verdict, who_has_rejected_it_is_told_from_who_is_slow)
{
	json_t *v = json_pack("{s:s,s:i,s:i,s:[{s:s,s:b,s:s},{s:s,s:b,s:s}]}", "state",
	                      "late", "holders_waiting", 2, "holders_total", 2, "holders",
	                      "host", "web1", "late", 1, "state", "rejected", "host",
	                      "web2", "late", 1, "state", "delivered");
	struct err e = { 0 };

	cr_assert_eq(rotate_verdict(v, &e), ERR_LATE);
	cr_assert_not_null(strstr(e.msg, ": web1 (rejected it), web2"), "%s", e.msg);
	json_decref(v);
}

Test(rotate_verdict, the_advice_survives_a_long_reason)
{
	char reason[300];
	json_t *v;
	struct err e = { 0 };

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	v = json_pack("{s:s,s:s}", "state", "held", "error", reason);
	cr_assert_eq(rotate_verdict(v, &e), ERR_HELD);
	cr_assert_str_eq(strstr(e.msg, "'adopt'"), "'adopt' (set a fresh value)");
	json_decref(v);
}

Test(rotate_verdict, settings_are_json_or_text)
{
	json_t *data = json_object();
	struct err e = { 0 };

	cr_assert_eq(fields_setting(data, "port=5432", &e), ERR_OK);
	cr_assert_eq(fields_setting(data, "host=db.example", &e), ERR_OK);
	cr_assert_eq(fields_setting(data, "tls:={\"ca\": \"x\"}", &e), ERR_OK);
	cr_assert_eq(fields_setting(data, "url=a=b", &e), ERR_OK);
	cr_assert_eq(json_integer_value(json_object_get(data, "port")), 5432);
	cr_assert_str_eq(rotate_text(data, "host"), "db.example");
	cr_assert_str_eq(rotate_text(data, "url"), "a=b");
	cr_assert(json_is_object(json_object_get(data, "tls")));
	cr_assert_eq(fields_setting(data, "=x", &e), ERR_USAGE);
	cr_assert_eq(fields_setting(data, "alone", &e), ERR_USAGE);
	json_decref(data);
}

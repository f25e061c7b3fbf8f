/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pg.h"

TestSuite(postgres, .timeout = 60);

Test(postgres, classes_of_sqlstates)
{
	static const struct {
		const char *state;
		bool sets;
		enum answer_class want;
	} cases[] = {
		{"",       false, CLASS_RETRYABLE},
                { "08006", false, CLASS_RETRYABLE},
		{ "57P03", false, CLASS_RETRYABLE},
                { "57P04", false, CLASS_PERMANENT},
		{ "53300", false, CLASS_RETRYABLE},
                { "40001", true,  CLASS_RETRYABLE},
		{ "25006", true,  CLASS_RETRYABLE},
                { "25001", true,  CLASS_PERMANENT},
		{ "55P03", true,  CLASS_RETRYABLE},
                { "55006", true,  CLASS_PERMANENT},
		{ "28P01", false, CLASS_AUTH     },
                { "28000", false, CLASS_AUTH     },
		{ "28P01", true,  CLASS_REJECTED },
                { "22023", true,  CLASS_REJECTED },
		{ "22023", false, CLASS_PERMANENT},
                { "42501", true,  CLASS_PERMANENT},
		{ "42601", true,  CLASS_PERMANENT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(pg_class(cases[i].state, cases[i].sets), cases[i].want, "%s",
		             cases[i].state);
}

Test(postgres, what_refuses_a_password)
{
	cr_expect(pg_refused("28P01", "password authentication failed"));
	cr_expect(pg_refused("28000", "role \"x\" is not permitted to log in"));
	cr_expect_not(pg_refused("28000", "no pg_hba.conf entry for host"));
	cr_expect_not(pg_refused("53300", "too many clients"));
	cr_expect_not(pg_refused("", "no route to host"));
}

Test(postgres, the_sqlstate_of_a_verbose_message)
{
	static const char *const cases[][2] = {
		{"connection to server at \"::1\", port 5 failed: FATAL:  28P01: password\n"
		  "LOCATION:  auth_failed, auth.c:326\n", "28P01"},
		{ "FATAL:  53300: sorry, too many\n",                      "53300"},
		{ "FATALE:  57P03: il sistema\n",                          "57P03"},
		{ "connection refused\n",                                  ""     },
		{ "FATAL:  sorry\n",				       ""     },
		{ "a:  08001: first\nb:  28000: second\n",                 "28000"},
		{ "x:  28P0",					      ""     },
	};
	char state[6];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pg_find_state(cases[i][0], state);
		cr_expect_str_eq(state, cases[i][1], "%s", cases[i][0]);
	}
}

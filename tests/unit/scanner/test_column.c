/* SPDX-License-Identifier: Apache-2.0 */
/* judge_column: which column of a table a value is in. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "verdict/context.h"
#include "verdict/judge.h"

TestSuite(column, .timeout = 20);

#define VALUE "Tq7vz2#Lm9xw"

/* The verdict on VALUE in ${table}, which ends where the memory does. */
static enum drop judge(const char *table)
{
	size_t n = strlen(table), len = strlen(VALUE);
	char *text = malloc(n);
	const char *at = strstr(table, VALUE);
	struct place p;
	enum drop drop;

	cr_assert(text != NULL && at != NULL, "%s", table);
	memcpy(text, table, n);
	context_place(text, n, (size_t)(at - table), len, &p);
	p.path = "accounts";
	drop = judge_column(&p, text + p.at, len);
	free(text);
	return drop;
}

Test(column, under_a_name_that_promises_a_secret)
{
	static const char *const tables[] = {
		"host,user,password,note\nw,,,\nf,ag," VALUE ",shared",
		"host,user,password\r\nf,ag," VALUE "\r\n",
		"\"host\",\"user name, or none\",\"Admin Password\"\n\"f\",\"a,g\",\"" VALUE
		"\"\n",
		"password;host\n" VALUE ";db\n",
		"| host | password |\n|---|:-:|\n| db1 | `" VALUE "` |",
		"host | password\n--- | ---\ndb1 | " VALUE,
		"{| class=\"wikitable\"\n! Printer !! Password\n|-\n| ZT410 || " VALUE
		"\n|}",
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		cr_expect_eq(judge(tables[i]), DROP_NONE, "%s", tables[i]);
}

Test(column, under_another_name_or_none)
{
	static const char *const tables[] = {
		"host,password,note\nf,," VALUE "\n",
		"host,user\nf," VALUE "\n",
		"host,password\n\nf," VALUE "\n",
		"host,password\nf,ag," VALUE "\n",
		"| password | host |\n|---|---|\n| db1 | " VALUE " |",
		"{| class=\"wikitable\"\n! Password !! Printer\n|-\n| ZT410 || " VALUE,
		/* not the names, but a row of values */
		"id,type,subject\n1,password,reset\n2," VALUE ",x\n",
		"| a | b |\n|---|---|\n| 1 | password |\n| 2 | " VALUE " |",
		"host,KfPWd\nf," VALUE "\n",
		"," VALUE,
		"|" VALUE,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		cr_expect_eq(judge(tables[i]), DROP_NAME, "%s", tables[i]);
	cr_expect_eq(judge(VALUE), DROP_CONTEXT);
	cr_expect_eq(judge("f(host,password)\nf(host," VALUE ")\n"), DROP_CONTEXT);
}

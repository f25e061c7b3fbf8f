/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "statement.h"

TestSuite(statement, .timeout = 60);

static const struct variable vars[] = {
	{.name = "name",        .value = "app"   },
	{ .name = "password",   .value = "s3cret"},
	{ .name = "expiration", .value = NULL    },
};

static int fill(struct arena *arena, const char *text, char **out, struct answer *a)
{
	*a = (struct answer){ 0 };
	return statement_fill(arena, text, vars, ARRAY_LEN(vars), out, a);
}

Test(statement, references_are_replaced_and_nothing_else)
{
	static const char *const cases[][2] = {
		{"ALTER USER \"{{name}}\" PASSWORD '{{password}}'",
                 "ALTER USER \"app\" PASSWORD 's3cret'"                              },
		{ "{{name}}{{ name }}{{  name}}",                   "appappapp"      },
		{ "",					       ""               },
		{ "no reference",				   "no reference"   },
		{ "'{{1,2},{3,4}}'",                                "'{{1,2},{3,4}}'"},
		{ "{{name",					 "{{name"         },
		{ "{{{name}}}",				     "{app}"          },
		{ "{{}}",					   "{{}}"           },
		{ "{{Name}}",				       "{{Name}}"       },
		{ "a {{ b {{name}}",                                "a {{ b app"     },
	};
	AUTO_ARENA arena = arena_new(16u * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer a;
		char *out = NULL;

		cr_expect_eq(fill(arena, cases[i][0], &out, &a), 0, "%s: %s", cases[i][0],
		             a.message);
		cr_expect_str_eq(out, cases[i][1]);
	}
}

Test(statement, what_is_unknown_or_missing_is_an_error)
{
	AUTO_ARENA arena = arena_new(16u * 1024 * 1024);
	struct answer a;
	char *out = NULL;

	cr_expect_eq(fill(arena, "x {{nam}}", &out, &a), CLASS_PERMANENT);
	cr_expect(strstr(a.message, "{{nam}}") != NULL, "%s", a.message);
	cr_expect_eq(fill(arena, "{{expiration}}", &out, &a), CLASS_PERMANENT);
	cr_expect_null(out);
}

Test(statement, values_that_could_end_a_quotation_are_refused)
{
	static const char *const bad[] = {
		"a'b", "a\"b", "a`b", "a\\b", "a$b", "a;b", "a--b", "a/*b", "a*/", "a\nb",
	};
	AUTO_ARENA arena = arena_new(16u * 1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct variable v[] = {
			{.name = "name",    .value = bad[i]},
			{              .name = "password",  .value = bad[i]              },
			{ .name = "made", .value = bad[i],               .verbatim = true },
		};
		struct answer a = { 0 };
		char *out = NULL;

		cr_expect_not(statement_plain(bad[i]), "%s", bad[i]);
		cr_expect_eq(statement_fill(arena, "{{name}}", v, 3, &out, &a),
		             CLASS_PERMANENT, "%s", bad[i]);
		cr_expect_eq(statement_fill(arena, "{{password}}", v, 3, &out, &a),
		             CLASS_REJECTED, "%s", bad[i]);
		cr_expect_null(strstr(a.message, bad[i]));
		cr_expect_eq(statement_fill(arena, "{{made}}", v, 3, &out, &a), 0);
	}
	cr_expect(statement_plain(
		"v-token-my_role@corp.example/x y-Ab1=+-!#%&()*,.:<>?[]"));
}

Test(statement, length_is_bounded)
{
	AUTO_ARENA arena = arena_new(16u * 1024 * 1024);
	char *text = arena_alloc(arena, STATEMENT_MAX + 16), *out = NULL;
	struct answer a;

	memset(text, 'x', STATEMENT_MAX - 1);
	cr_expect_eq(fill(arena, text, &out, &a), 0);
	cr_expect_eq(strlen(out), STATEMENT_MAX - 1);
	memset(text, 'x', STATEMENT_MAX);
	cr_expect_eq(fill(arena, text, &out, &a), CLASS_PERMANENT);
	memcpy(text + STATEMENT_MAX - 8, "{{name}}", 9); /* fits if it is not filled in */
	memcpy(text, "{{password}}", 12);
	text[STATEMENT_MAX - 8] = '\0';
	cr_expect_eq(fill(arena, text, &out, &a), 0);
	for (size_t i = 0; i + 8 < 4096; i += 8)
		memcpy(text + i, "{{name}}", 8);
	cr_expect_eq(fill(arena, text, &out, &a), 0);
}

Test(statement, uses_finds_references_alone)
{
	cr_expect(statement_uses("a {{ password }} b", "password"));
	cr_expect(statement_uses("{{name}}{{password}}", "password"));
	cr_expect_not(
		statement_uses("{{passwords}} password {{ pass word }}", "password"));
	cr_expect_not(statement_uses("", "password"));
}

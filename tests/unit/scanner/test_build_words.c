/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a Dockerfile's instructions, and the variables in them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sources/build_words.h"

TestSuite(build_words, .timeout = 60);

static struct build_variables variables;

static void free_variables(void)
{
	build_variables_free(&variables);
}

Test(build_words, words_without_their_quotes)
{
	static const char *const expected[] = { "a", "b c", "d\\ e", "it's", "", "f\"g" };
	const char *at = " a \"b c\"\td\\ e \"it's\"  '' f'\"'g \r";
	char word[BUILD_WORD_MAX];

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		cr_assert(build_word(&at, word), "word %zu", i);
		cr_expect_str_eq(word, expected[i]);
	}
	cr_expect_not(build_word(&at, word));
	cr_expect_str_empty(at);
}

Test(build_words, a_word_that_does_not_fit)
{
	char text[BUILD_WORD_MAX + 8], word[BUILD_WORD_MAX];
	const char *at = text;

	memset(text, 'x', sizeof(text));
	memcpy(text + BUILD_WORD_MAX, " next", 6);
	cr_assert_not(build_word(&at, word));
	cr_assert(build_word(&at, word));
	cr_expect_str_eq(word, "next");
	at = text;
	text[BUILD_WORD_MAX - 1] = ' ';
	cr_assert(build_word(&at, word));
	cr_expect_eq(strlen(word), BUILD_WORD_MAX - 1);
}

Test(build_words, variables_have_what_arg_or_env_gave_them, .fini = free_variables)
{
	static const struct {
		const char *word, *expanded;
	} rows[] = {
		{"plain/*.env",                   "plain/*.env"},
		{ "$A/b",                         "one/b"      },
		{ "x${A}y",                       "xoney"      },
		{ "$AB",			  "*"          },
		{ "${B}",                         "two words"  },
		{ "$OLD",                         "all of this"},
		{ "$DECLARED",                    "*"          },
		{ "${A:-other}",                  "one"        },
		{ "${EMPTY:-other}/${EMPTY:-$A}", "other/*"    },
		{ "${NONE:-other}",               "*"          },
		{ "${A:+yes}${EMPTY:+no}",        "yes"        },
		{ "${NONE:+x}",                   "*"          },
		{ "${A%e}",                       "*"          },
		{ "${NONE:-${A:-b}}x",            "*x"         },
		{ "${A",			  "${A"        },
		{ "$",			    "$"          },
		{ "$/",			   "$/"         },
		{ "\\$A a\\ b",                   "$A a b"     },
		{ "$FROM_A",                      "one-1"      },
		{ "$A$A",                         "oneone"     },
		{ "",			     ""           },
	};
	char out[BUILD_WORD_MAX];

	build_variables_set(&variables, "A=zero DECLARED", false);
	build_variables_set(&variables, "A=one B='two words' EMPTY=", true);
	build_variables_set(&variables, "OLD all of this", true);
	build_variables_set(&variables, "FROM_A=${A}-1", true);
	build_variables_set(&variables, "A", false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert(build_expand(&variables, rows[i].word, out));
		cr_expect_str_eq(out, rows[i].expanded, "%s: %s", rows[i].word, out);
	}
}

Test(build_words, more_than_there_is_room_for, .fini = free_variables)
{
	char text[BUILD_WORD_MAX], out[BUILD_WORD_MAX];

	memset(text, 'v', sizeof(text));
	memcpy(text, "A=", 2);
	text[sizeof(text) - 1] = '\0';
	build_variables_set(&variables, text, false);
	cr_assert(build_expand(&variables, "$A", out));
	cr_assert_not(build_expand(&variables, "$A$A", out));
	for (unsigned i = 0; i < 2 * BUILD_VARIABLES; i++) {
		(void)snprintf(text, sizeof(text), "V%u=x", i);
		build_variables_set(&variables, text, false);
	}
	cr_assert(build_expand(&variables, "$V1$V100", out));
	cr_assert_str_eq(out, "x*");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "server/core/database/username_template.h"

static struct arena *a;

static void setup(void)
{
	cr_assert(sodium_init() >= 0);
	a = arena_new((size_t)8 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(username_template, .init = setup, .fini = teardown);

static const struct username_vars vars = { .display_name = "Token-Ops",
	                                   .role_name = "read_only",
	                                   .now_ms = 1700000000123 };

static const char *made(const char *text)
{
	const char *out = "";
	struct err e;

	cr_assert_eq(username_template_make(a, text, &vars, &out, &e), ERR_OK, "%s: %s",
	             text, e.msg);
	return out;
}

Test(username_template, what_is_always_the_same)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"plain",							 "plain"        },
		{ "{{.DisplayName}}",					     "Token-Ops"    },
		{ "a {{ .RoleName }} b",					  "a read_only b"},
		{ "a {{- .RoleName -}} b",                                        "aread_onlyb"  },
		{ "{{ .DisplayName | truncate 5 }}",                              "Token"        },
		{ "{{ truncate 5 .DisplayName }}",                                "Token"        },
		{ "{{ truncate 50 .DisplayName }}",                               "Token-Ops"    },
		{ "{{ .DisplayName | lowercase | truncate 3 | uppercase }}",      "TOK"          },
		{ "{{ .RoleName | replace \"_\" \".\" }}",                        "read.only"    },
		{ "{{ replace \"o\" \"\" \"foo\" }}",                             "f"            },
		{ "{{ replace `\"` `'` \"a\\\"b\" }}",                            "a'b"          },
		{ "{{unix_time}}",						"1700000000"   },
		{ "{{unix_time_millis}}",                                         "1700000000123"},
		{ "{{ sha256 \"abc\" | truncate 8 }}",                            "ba7816bf"     },
		{ "{{ base64 \"abc\" }}",                                         "YWJj"         },
		{ "{{ truncate_sha256 20 .DisplayName }}",                        "Token-Ops"    },
		{ "{{ printf \"%s-%d-%v%%\" (.RoleName | truncate 4) 7 \"x\" }}",
                 "read-7-x%"								     },
		{ "{{ printf \"v-%s\" (unix_time) | truncate 5 }}",               "v-170"        },
		{ "{{ (((.RoleName))) }}",                                        "read_only"    },
		{ "{{ 12 }}",						     "12"           },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_assert_str_eq(made(rows[i].text), rows[i].want, "%s: %s", rows[i].text,
		                 made(rows[i].text));
}

Test(username_template, what_is_cut_off_counts)
{
	const char *x = made("{{ truncate_sha256 12 \"abcdefghijklmnop\" }}");
	const char *y = made("{{ truncate_sha256 12 \"abcdefghijklmnoq\" }}");

	cr_assert_eq(strlen(x), 12);
	cr_assert_eq(strncmp(x, "abcd", 4), 0);
	cr_assert_str_neq(x, y);
}

Test(username_template, what_is_another_one_each_time)
{
	cr_assert_eq(strlen(made("{{ random 20 }}")), 20);
	cr_assert_str_neq(made("{{ random 20 }}"), made("{{ random 20 }}"));
	cr_assert_eq(strlen(made("{{ uuid }}")), 36);
	/* Vault's own */
	cr_assert_eq(
		strncmp(made("{{ printf \"v-%s-%s-%s-%s\" (.DisplayName | truncate 8) "
	                     "(.RoleName | truncate 8) (random 20) (unix_time) | "
	                     "truncate 63 }}"),
	                "v-Token-Op-read_onl-", 20),
		0);
}

Test(username_template, what_is_none)
{
	static const char *const bad[] = {
		"",
		"{{",
		"{{ }}",
		"{{ .RoleName",
		"{{ .RoleName }",
		"{{ .Password }}",
		"{{ .RoleName.x }}",
		"{{ $x }}",
		"{{ if true }}x{{ end }}",
		"{{ random }}",
		"{{ random 0 }}",
		"{{ random 1025 }}",
		"{{ random 99999999999999999999 }}",
		"{{ random -1 }}",
		"{{ random \"8\" }}",
		"{{ random 8 9 }}",
		"{{ truncate .RoleName 5 }}",
		"{{ truncate 0 .RoleName }}",
		"{{ truncate_sha256 8 .RoleName }}",
		"{{ .RoleName 5 }}",
		"{{ 5 | .RoleName }}",
		"{{ .RoleName | }}",
		"{{ | truncate 5 }}",
		"{{ (random 8 }}",
		"{{ random 8) }}",
		"{{ \"x }}",
		"{{ `x }}",
		"{{ \"\\n\" }}",
		"{{ nosuch 1 }}",
		"{{ replace \"\" \"x\" .RoleName }}",
		"{{ printf \"%s\" }}",
		"{{ printf \"%x\" 1 }}",
		"{{ printf \"%\" }}",
		"{{ printf \"x\" 1 }}",
		"{{ printf \"%s%s%s%s%s%s%s%s%s\" 1 2 3 4 5 6 7 8 9 }}",
		"{{ random 1000 }}{{ random 1000 }}",
		"{{ ((((((((((((((((((((((1)))))))))))))))))))))) }}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *out = NULL;
		struct err e;

		cr_assert_eq(username_template_make(a, bad[i], &vars, &out, &e),
		             ERR_INVALID, "%s", bad[i]);
		cr_assert_eq(strncmp(e.msg, "username_template: ", 19), 0, "%s", e.msg);
	}
}

/* A text that grows with each step grows no further than it may. */
Test(username_template, what_grows_has_an_end)
{
	const char *out;
	struct err e;

	cr_assert_eq(
		username_template_make(
			a,
			"{{ random 1000 | replace \"a\" \"aaaaaaaaaaaaaaaaaaaaaaaa\" | "
			"base64 | base64 | base64 }}",
			&vars, &out, &e),
		ERR_INVALID);
}

Test(username_template, names_have_to_differ)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{"{{ random 8 }}",												   ERR_OK     },
		{ "{{ uuid }}",												      ERR_OK     },
		{ "x{{ random 20 | truncate 12 }}",										  ERR_OK     },
		{ "{{ random 7 }}",												  ERR_INVALID},
		{ "{{ .RoleName }}",												 ERR_INVALID},
		{ "{{ unix_time }}",												 ERR_INVALID},
		{ "x{{ random 20 | truncate 1 | sha256 | truncate 1 | replace \"0\" \"1\" | printf \"%s\" | base64 | truncate 1 }}",
                 ERR_INVALID														    },
		{ "{{ \"x\" | printf \"%s%s\" (random 20) | truncate_sha256 }}",
                 ERR_INVALID														    },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;

		cr_assert_eq(username_template_check(a, rows[i].text, &e), rows[i].want,
		             "%s", rows[i].text);
	}
}

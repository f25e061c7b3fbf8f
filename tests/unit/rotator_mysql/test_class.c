/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "my.h"

TestSuite(mysql, .timeout = 60);

Test(mysql, what_errors_mean)
{
	static const struct {
		unsigned error;
		bool sets;
		enum answer_class class;
		enum login login;
	} cases[] = {
		{1045,  false, CLASS_AUTH,      LOGIN_REFUSED},
		{ 1698, false, CLASS_AUTH,      LOGIN_REFUSED},
		{ 1040, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 1203, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 1226, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 2002, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 2003, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 2005, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 2013, true,  CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 2026, false, CLASS_PERMANENT, LOGIN_UNKNOWN},
		{ 4150, false, CLASS_AUTH,      LOGIN_UNKNOWN},
		{ 4151, false, CLASS_AUTH,      LOGIN_UNKNOWN},
		{ 1049, false, CLASS_PERMANENT, LOGIN_BARRED },
		{ 1044, false, CLASS_PERMANENT, LOGIN_BARRED },
		{ 1819, true,  CLASS_REJECTED,  LOGIN_UNKNOWN},
		{ 1819, false, CLASS_PERMANENT, LOGIN_UNKNOWN},
		{ 3638, true,  CLASS_REJECTED,  LOGIN_UNKNOWN},
		{ 1227, true,  CLASS_PERMANENT, LOGIN_UNKNOWN},
		{ 1290, false, CLASS_RETRYABLE, LOGIN_UNKNOWN},
		{ 0,    false, CLASS_PERMANENT, LOGIN_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect_eq(my_class(cases[i].error, cases[i].sets), cases[i].class,
		             "%u", cases[i].error);
		cr_expect_eq(my_verdict(cases[i].error), cases[i].login, "%u",
		             cases[i].error);
	}
}

/* As MariaDB 10.11's PASSWORD() and ed25519_password() say. */
Test(mysql, hashes_are_those_of_the_server)
{
	char native[MY_HASH_NATIVE + 1], key[MY_HASH_ED25519 + 1];

	my_hash_native("secret", native);
	cr_expect_str_eq(native, "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
	cr_expect_eq(my_hash_ed25519("secret", key), 0);
	cr_expect_str_eq(key, "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY");
	cr_expect_eq(my_hash_ed25519("a much longer password than thirty-two bytes", key),
	             0);
	cr_expect_eq(strlen(key), MY_HASH_ED25519);
}

Test(mysql, plugins)
{
	cr_expect_eq(my_plugin_kind("mysql_native_password"), MY_PLUGIN_NATIVE);
	cr_expect_eq(my_plugin_kind(""), MY_PLUGIN_NATIVE);
	cr_expect_eq(my_plugin_kind("ed25519"), MY_PLUGIN_ED25519);
	cr_expect_eq(my_plugin_kind("caching_sha2_password"), MY_PLUGIN_OTHER_PASSWORD);
	cr_expect_eq(my_plugin_kind("unix_socket"), MY_PLUGIN_NO_PASSWORD);
	cr_expect_eq(my_plugin_kind("pam"), MY_PLUGIN_NO_PASSWORD);
}

Test(mysql, statements_end_at_semicolons_of_their_own)
{
	static const char *const cases[][2] = {
		{"",                 ""             },
		{ ";a",              ""             },
		{ "a b;c",           "a b"          },
		{ "a",               "a"            },
		{ "a ';' b;c",       "a ';' b"      },
		{ "a ';'';' b;c",    "a ';'';' b"   },
		{ "a '\\';' b;c",    "a '\\';' b"   },
		{ "a \";\" `;\\`;c", "a \";\" `;\\`"},
		{ "a /* ; */ b;c",   "a /* ; */ b"  },
		{ "a -- ;\nb;c",     "a -- ;\nb"    },
		{ "a # ;\nb;c",      "a # ;\nb"     },
		{ "a--;b",           "a--"          },
		{ "a ';",            "a ';"         },
		{ "a '\\",           "a '\\"        },
		{ "a /* ;",          "a /* ;"       },
		{ "a -- ;",          "a -- ;"       },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_expect_eq(my_statement_length(cases[i][0]), strlen(cases[i][1]), "%s",
		             cases[i][0]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "request.h"
#include "rotator.h"

TestSuite(request, .timeout = 60);

#define ATTEMPT "\"attempt\":\"0123456789abcdef0123456789abcdef\""
#define HEAD    "{\"v\":1,\"op\":\"set\"," ATTEMPT

static int parse(const char *text, struct request *r, struct answer *a)
{
	*a = (struct answer){ 0 };
	return request_parse(text, strlen(text), r, a);
}

Test(request, everything_that_the_contract_has_is_read)
{
	static const char text[] =
		"{\"v\":1,\"op\":\"probe\"," ATTEMPT
		",\"secret\":\"kv/db\",\"version\":18,\"deadline_ms\":5000,\"new\":[1],"
		"\"config\":{\"accounts\":[\"a\",\"b\"],\"statements\":[\"x\",\" ;\",\"y\"]},"
		"\"admin\":{\"username\":\"root\",\"password\":\"adminpw\"},"
		"\"current\":{\"version\":17,\"fields\":{\"username\":\"a\","
		"\"password\":\"old\",\"host\":5}},"
		"\"pending\":{\"version\":18,\"fields\":{\"username\":\"b\","
		"\"password\":\"newer\",\"expiration\":\"2030\"}},\"previous\":null}";
	struct request r;
	struct answer a;

	cr_assert_eq(parse(text, &r, &a), 0, "%s", a.message);
	cr_expect_eq(r.op, OP_PROBE);
	cr_expect_str_eq(r.secret, "kv/db");
	cr_expect_eq(r.version, 18);
	cr_expect_eq(r.deadline_ms, 5000);
	cr_expect(request_left_ms(&r) > 0 && request_left_ms(&r) <= 5000);
	cr_expect_eq(r.accounts, 2u);
	cr_expect_eq(r.statements, 2u);
	cr_expect_str_eq(r.statement[1], "y");
	cr_expect_str_eq(r.admin.password, "adminpw");
	cr_expect_eq(r.current.version, 17);
	cr_expect_str_eq(r.pending.expiration, "2030");
	cr_expect_not(r.previous.given);
	request_free(&r);
}

struct bad_case {
	char text[256];
	char says[64];
};

ParameterizedTestParameters(request, refusals)
{
	static struct bad_case c[] = {
		{"",								      "not one JSON object"  },
		{ "[]",								   "not one JSON object"  },
		{ "{} {}",								"not one JSON object"  },
		{ "{\"v\":1,\"v\":1}",						    "not one JSON object"  },
		{ "{}",								   "'v' is not 1"         },
		{ "{\"v\":2,\"op\":\"set\"}",                                             "'v' is not 1"         },
		{ "{\"v\":\"1\"}",							"'v' is not 1"         },
		{ "{\"v\":1}",							    "'op' is missing"      },
		{ "{\"v\":1,\"op\":\"Set\"}",                                             "'op' is none"         },
		{ "{\"v\":1,\"op\":\"set\"}",                                             "'attempt'"            },
		{ "{\"v\":1,\"op\":\"set\",\"attempt\":\"0123\"}",                        "'attempt'"            },
		{ HEAD ",\"deadline_ms\":0}",                                             "'deadline_ms'"        },
		{ HEAD ",\"deadline_ms\":-1}",                                            "'deadline_ms'"        },
		{ HEAD ",\"deadline_ms\":600001}",                                        "'deadline_ms'"        },
		{ HEAD ",\"deadline_ms\":\"9\"}",                                         "'deadline_ms'"        },
		{ HEAD ",\"first\":1}",						   "'first'"              },
		{ HEAD ",\"config\":[]}",						 "'config'"             },
		{ HEAD ",\"secret\":7}",						  "'secret'"             },
		{ HEAD ",\"config\":{\"account\":\"\"}}",                                 "no name"              },
		{ HEAD ",\"config\":{\"account\":\"a\\u0000b\"}}",
                 "not one JSON object"									   },
		{ HEAD ",\"config\":{\"account\":\"a\",\"accounts\":[\"a\",\"b\"]}}",
                 "both"											  },
		{ HEAD ",\"config\":{\"accounts\":[\"a\"]}}",                             "two names"            },
		{ HEAD ",\"config\":{\"accounts\":[\"a\",\"a\"]}}",                       "twice"                },
		{ HEAD ",\"config\":{\"accounts\":[\"a\",\"b\",\"c\"]}}",                 "two names"            },
		{ HEAD ",\"config\":{\"statements\":\"x\"}}",                             "config.statements"    },
		{ HEAD ",\"config\":{\"statements\":[1]}}",                               "no text"              },
		{ HEAD ",\"admin\":\"x\"}",					       "admin has no fields"  },
		{ HEAD ",\"admin\":{\"username\":1}}",                                    "admin.username"       },
		{ HEAD ",\"admin\":{\"username\":\"\"}}",                                 "admin.username"       },
		{ HEAD ",\"current\":{\"version\":1}}",                                   "current has no fields"},
		{ HEAD ",\"pending\":{\"fields\":{\"password\":\"a\\nb\"}}}",
                 "pending.password"									      },
		{ HEAD ",\"pending\":{\"fields\":{\"password\":\"a\\u0000b\"}}}",
                 "not one JSON object"									   },
		{ HEAD ",\"config\":{\"password_field\":1},\"pending\":{\"fields\":{}}}",
                 "config.password_field"									 },
	};
	return cr_make_param_array(struct bad_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct bad_case *c, request, refusals)
{
	struct request r;
	struct answer a;

	cr_assert_eq(parse(c->text, &r, &a), CLASS_PERMANENT, "%s", c->text);
	cr_expect(strstr(a.message, c->says) != NULL, "%s: %s", c->text, a.message);
	request_free(&r);
}

Test(request, fields_may_have_other_names)
{
	static const char text[] = HEAD
		",\"config\":{\"username_field\":\"user\",\"password_field\":\"pw\"},"
		"\"admin\":{\"username\":\"root\",\"password\":\"adminpw\"},"
		"\"pending\":{\"fields\":{\"user\":\"a\",\"pw\":\"x\","
		"\"username\":\"mallory\"}}}";
	struct request r;
	struct answer a;

	cr_assert_eq(parse(text, &r, &a), 0, "%s", a.message);
	cr_expect_str_eq(r.pending.username, "a");
	cr_expect_str_eq(r.pending.password, "x");
	cr_expect_str_eq(r.admin.username, "root");
	request_free(&r);
}

Test(request, only_accounts_of_the_configuration_are_allowed)
{
	struct request r;
	struct answer a;

	cr_assert_eq(parse(HEAD ",\"config\":{\"accounts\":[\"a\",\"b\"]}}", &r, &a), 0);
	cr_expect_eq(request_allows(&r, "a", &a), 0);
	cr_expect_eq(request_allows(&r, "b", &a), 0);
	cr_expect_eq(request_allows(&r, "A", &a), CLASS_PERMANENT);
	cr_expect_eq(request_allows(&r, "", &a), CLASS_PERMANENT);
	request_free(&r);
	cr_assert_eq(parse(HEAD "}", &r, &a), 0);
	cr_expect_eq(request_allows(&r, "a", &a), CLASS_PERMANENT);
	request_free(&r);
}

Test(request, the_strategy_is_told_or_follows_from_the_accounts)
{
	static const struct {
		const char *config;
		int rc;
		enum strategy want;
	} cases[] = {
		{"{\"account\":\"a\"}",                                   0,               STRATEGY_SINGLE   },
		{ "{\"accounts\":[\"a\",\"b\"]}",                         0,               STRATEGY_DUAL_USER},
		{ "{\"account\":\"a\",\"strategy\":\"dual_key\"}",        0,               STRATEGY_DUAL_KEY },
		{ "{\"account\":\"a\",\"strategy\":\"dual_user\"}",       CLASS_PERMANENT,
                 STRATEGY_SINGLE									     },
		{ "{\"accounts\":[\"a\",\"b\"],\"strategy\":\"single\"}", CLASS_PERMANENT,
                 STRATEGY_SINGLE									     },
		{ "{\"account\":\"a\",\"strategy\":\"triple\"}",          CLASS_PERMANENT,
                 STRATEGY_SINGLE									     },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];
		enum strategy s = STRATEGY_SINGLE;
		struct request r;
		struct answer a;

		snprintf(text, sizeof(text), HEAD ",\"config\":%s}", cases[i].config);
		cr_assert_eq(parse(text, &r, &a), 0, "%s", a.message);
		cr_expect_eq(rotator_strategy(&r, &s, &a), cases[i].rc, "%s", text);
		if (cases[i].rc == 0)
			cr_expect_eq(s, cases[i].want, "%s", text);
		request_free(&r);
	}
}

Test(request, secrets_are_taken_out_of_messages)
{
	static const char text[] = HEAD
		",\"admin\":{\"username\":\"root\",\"password\":\"adminpw\"},"
		"\"pending\":{\"fields\":{\"username\":\"a\",\"password\":\"newer\","
		"\"api_key\":\"k-1234\"}}}";
	char message[] = "adminpw at newer or newer, k-1234 of root";
	struct request r;
	struct answer a;

	cr_assert_eq(parse(text, &r, &a), 0, "%s", a.message);
	request_scrub(&r, message);
	cr_expect_str_eq(message, "******* at ***** or *****, ****** of root");
	request_free(&r);
}

Test(request, replies_are_json_of_one_line)
{
	struct answer a = { 0 };
	char *text;

	cr_expect_eq(answer_fail(&a, CLASS_REJECTED, "a\nb \"%s\"\xff\n", "c"),
	             CLASS_REJECTED);
	text = answer_text(&a);
	cr_expect_str_eq(text,
	                 "{\"v\":1,\"status\":\"error\",\"class\":\"rejected_value\","
	                 "\"message\":\"a b \\\"c\\\"?\"}");
	answer_release(text);

	a = (struct answer){ .probed = true, .current = VERDICT_VALID };
	a.previous = VERDICT_UNKNOWN;
	text = answer_text(&a);
	cr_expect_str_eq(text,
	                 "{\"v\":1,\"status\":\"ok\",\"probe\":{\"current\":\"valid\","
	                 "\"previous\":\"unknown\"}}");
	answer_release(text);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "vault/limits.h"
#include "wire.h"

static struct arena *a;

static void setup(void)
{
	wire_init();
	a = arena_new(1024u * 1024);
	cr_assert_not_null(a);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(wire, .init = setup, .fini = teardown);

Test(wire, a_request_is_written_as_it_is_but_for_the_deadline)
{
	AUTO_BUF b = { .max = 4096 };
	struct value *v = value_object(a), *in = value_object(a), *list = value_array(a);
	struct err e = { 0 };

	value_add(list, value_bool(a, true));
	value_add(list, value_null(a));
	value_set_int(a, v, "v", 1);
	value_set_int(a, v, "deadline_ms", 99);
	value_set_str(a, in, "pass\"word", "a\\b\n\x01 \xc3\xa4");
	value_set(in, "n", value_number(a, "1.50", 4));
	value_set(v, "current", in);
	value_set(v, "l", list);
	cr_assert_eq(wire_request(&b, v, 1234, &e), ERR_OK, "%s", e.msg);
	cr_assert(buf_add(&b, "", 1));
	cr_assert_str_eq((char *)b.p + b.start,
	                 "{\"deadline_ms\":1234,\"v\":1,\"current\":{\"pass\\u0022word\":"
	                 "\"a\\u005cb\\u000a\\u0001 \xc3\xa4\",\"n\":1.50},"
	                 "\"l\":[true,null]}\n");
}

Test(wire, a_request_that_is_none_is_refused)
{
	struct buf b = { .max = 64 };
	struct value *v = value_object(a), *deep = v;
	struct err e;

	cr_assert_eq(wire_request(&b, NULL, 1, &e), ERR_INVALID);
	cr_assert_eq(wire_request(&b, value_array(a), 1, &e), ERR_INVALID);
	value_set_str(a, v, "s", "more than 64 bytes: ..............................");
	cr_assert_eq(wire_request(&b, v, 1, &e), ERR_TOO_BIG);
	buf_free(&b);
	b.max = 4096;
	for (unsigned i = 0; i < LIMIT_JSON_DEPTH + 1; i++) {
		struct value *in = value_object(a);

		value_set(deep, "d", in);
		deep = in;
	}
	cr_assert_neq(wire_request(&b, v, 1, &e), ERR_OK);
	buf_free(&b);
}

struct said {
	char json[200];
	char why[64]; /* empty: it is a reply */
};
ParameterizedTestParameters(wire, a_reply_keeps_the_contract)
{
	static struct said s[] = {
		{"{\"v\":1,\"status\":\"ok\"}",                                    ""                     },
		{ " {\"status\":\"noop\",\"v\":1,\"other\":[1]}\n",                ""                     },
		{ "{\"v\":1,\"status\":\"error\",\"class\":\"auth\"}",             ""                     },
		{ "{\"v\":1,\"status\":\"ok\",\"probe\":{\"current\":\"valid\"}}", ""                     },
		{ "{\"v\":1,\"status\":\"ok\",\"fields\":null,\"probe\":null}",    ""                     },
		{ "",							      "it has not replied"   },
		{ "{",							     "not one JSON document"},
		{ "{\"v\":1,\"status\":\"ok\"}{}",                                 "not one JSON document"},
		{ "{\"v\":1,\"v\":1,\"status\":\"ok\"}",                           "not one JSON document"},
		{ "{\"v\":1,\"status\":\"o\\u0000k\"}",                            "not one JSON document"},
		{ "[]",							    "it is no object"      },
		{ "{\"status\":\"ok\"}",					   "\"v\" is not 1"       },
		{ "{\"v\":\"1\",\"status\":\"ok\"}",                               "\"v\" is not 1"       },
		{ "{\"v\":1}",						     "\"status\""           },
		{ "{\"v\":1,\"status\":\"error\"}",                                "\"class\""            },
		{ "{\"v\":1,\"status\":\"error\",\"class\":\"x\"}",                "\"class\""            },
		{ "{\"v\":1,\"status\":\"ok\",\"message\":1}",                     "\"message\""          },
		{ "{\"v\":1,\"status\":\"ok\",\"fields\":{\"a\":1}}",              "\"fields\""           },
		{ "{\"v\":1,\"status\":\"ok\",\"fields\":[]}",                     "\"fields\""           },
		{ "{\"v\":1,\"status\":\"ok\",\"probe\":{\"current\":\"yes\"}}",
                 "\"probe\""									      },
		{ "{\"v\":1,\"status\":\"ok\",\"describe\":[]}",                   "\"describe\""         },
		{ "{\"v\":1,\"status\":\"ok\",\"retry_after_ms\":-1}",
                 "\"retry_after_ms\""								     },
		{ "{\"v\":1,\"status\":\"ok\",\"retry_after_ms\":1.5}",
                 "\"retry_after_ms\""								     },
	};

	return cr_make_param_array(struct said, s, ARRAY_LEN(s));
}
ParameterizedTest(struct said *s, wire, a_reply_keeps_the_contract)
{
	struct value *v = NULL;
	struct err e = { 0 };
	int rc = wire_reply(a, s->json, strlen(s->json), &v, &e);

	cr_assert_eq(rc, s->why[0] == '\0' ? ERR_OK : ERR_INVALID, "%s: %s", s->json,
	             e.msg);
	cr_assert_not_null(strstr(e.msg, s->why), "%s: %s", s->json, e.msg);
	cr_assert((v != NULL) == (rc == ERR_OK));
}

Test(wire, a_reply_keeps_its_members)
{
	static const char json[] =
		"{\"v\":1,\"status\":\"ok\",\"message\":\"m\",\"fields\":{\"k\":\"v\"},"
		"\"describe\":{\"n\":7,\"x\":1.5,\"b\":true,\"l\":[null]},"
		"\"retry_after_ms\":3}";
	struct value *v = NULL, *d;
	struct err e = { 0 };

	cr_assert_eq(wire_reply(a, json, strlen(json), &v, &e), ERR_OK, "%s", e.msg);
	cr_assert(value_is_str(value_get(v, "status"), "ok"));
	cr_assert(value_is_str(value_get(value_get(v, "fields"), "k"), "v"));
	d = value_get(v, "describe");
	cr_assert_eq(value_int_or(d, "n", 0), 7);
	cr_assert_eq(value_get(d, "x")->type, V_NUMBER);
	cr_assert_eq(value_get(d, "b")->type, V_TRUE);
	cr_assert_eq(value_get(d, "l")->first->type, V_NULL);
	cr_assert_eq(value_int_or(v, "retry_after_ms", 0), 3);
	cr_assert_eq(value_get(v, "class")->type, V_NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "x5.h"

#define DOCS_MAX 64u

static struct arena *arena;
static json_t *docs[DOCS_MAX]; /* that plans point into */
static size_t doc_count;

static void setup(void)
{
	arena = arena_new(4 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(arena);
	while (doc_count > 0)
		json_decref(docs[--doc_count]);
}

TestSuite(x509, .init = setup, .fini = teardown, .timeout = 60);

static int parse(const char *text, struct x5_name *out)
{
	struct answer a = { 0 };

	return x5_name_parse(arena, text, out, &a);
}

Test(x509, names_are_what_they_look_like)
{
	static const struct {
		const char *text;
		enum x5_kind kind;
		const char *is;
	} cases[] = {
		{"Db1.Example.COM",                X5_DNS,   "db1.example.com"            },
		{ "*.example.com",                 X5_DNS,   "*.example.com"              },
		{ "DNS:1.2.3.4",                   X5_DNS,   "1.2.3.4"                    },
		{ "_srv.example.com",              X5_DNS,   "_srv.example.com"           },
		{ "10.1.2.3",                      X5_IP,    "10.1.2.3"                   },
		{ "ip:2001:db8::1",                X5_IP,    "2001:db8::1"                },
		{ "spiffe://example.com/orders",   X5_URI,   "spiffe://example.com/orders"},
		{ "uri:https://u@example.com:1/x", X5_URI,   "https://u@example.com:1/x"  },
		{ "ops@example.com",               X5_EMAIL, "ops@example.com"            },
	};
	struct x5_name n;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_eq(parse(cases[i].text, &n), 0, "%s", cases[i].text);
		cr_expect_eq(n.kind, cases[i].kind, "%s", cases[i].text);
		cr_expect_str_eq(n.text, cases[i].is);
	}
}

Test(x509, what_is_no_name_is_refused)
{
	static const char *const bad[] = {
		"",
		".",
		"a..b",
		"-a.example",
		"a-.example",
		"a b",
		"a\nb",
		"*",
		"*.",
		"a.*.example",
		"*a.example",
		"example.com.",
		"b\xc3\xbc"
		"cher.example",
		"IP:1.2.3",
		"IP:10.0.0.0/8",
		"@example",
		"a@",
		"a@b c",
		"://x",
		"spiffe://",
		"http://[::1]/",
		"URI:mailto:x",
		"email:example.com",
	};
	struct x5_name n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(parse(bad[i], &n), CLASS_PERMANENT, "%s", bad[i]);
}

Test(x509, domains_hold_themselves_and_what_is_below)
{
	static const struct {
		const char *name, *domain;
		bool within;
	} cases[] = {
		{"example.com",                     "example.com",     true },
		{ "a.b.EXAMPLE.com",                "Example.com",     true },
		{ "example.com",                    ".example.com",    false},
		{ "a.example.com",                  ".example.com",    true },
		{ "badexample.com",                 "example.com",     false},
		{ "example.com.evil.org",           "example.com",     false},
		{ "com",			    "example.com",     false},
		{ "*.example.com",                  "example.com",     true },
		{ "*.example.com",                  ".example.com",    true },
		{ "*.com",                          "example.com",     false},
		{ "a.example.com",                  "",                false},
		{ "a.example.com",                  ".",               false},
		{ "10.1.2.3",                       "10.0.0.0/8",      true },
		{ "11.1.2.3",                       "10.0.0.0/8",      false},
		{ "10.1.2.3",                       "example.com",     false},
		{ "2001:db8::1",                    "2001:db8::/32",   true },
		{ "spiffe://example.com/x",         "example.com",     true },
		{ "spiffe://evil.org/example.com",  "example.com",     false},
		{ "https://example.com@evil.org/",  "example.com",     false},
		{ "https://evil.org#@example.com/", "example.com",     false},
		{ "ops@example.com",                "example.com",     true },
		{ "ops@mail.example.com",           "example.com",     true },
		{ "ops@example.com",                "ops@example.com", true },
		{ "dev@example.com",                "ops@example.com", false},
	};
	struct x5_name n;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_eq(parse(cases[i].name, &n), 0, "%s", cases[i].name);
		cr_expect_eq(x5_name_within(&n, cases[i].domain), cases[i].within,
		             "%s in %s", cases[i].name, cases[i].domain);
	}
}

static int plan(const char *config, struct x5_plan *p, struct answer *a)
{
	json_t *doc = json_loads(config, 0, NULL);
	struct request r = { .arena = arena, .config = doc };

	cr_assert_not_null(doc, "%s", config);
	cr_assert_lt(doc_count, DOCS_MAX);
	docs[doc_count++] = doc;
	*a = (struct answer){ 0 };
	return x5_plan_read(&r, p, a);
}

Test(x509, a_plan_has_defaults)
{
	struct x5_plan p;
	struct answer a;

	cr_assert_eq(plan("{\"common_name\": \"A.example.com\", \"sans\": \"10.0.0.1, "
	                  "a.example.com\", \"allowed_domains\": [\"example.com\", "
	                  "\"10.0.0.0/24\"]}",
	                  &p, &a),
	             0, "%s", a.message);
	cr_expect_eq(p.n, 2u, "the same name is there once");
	cr_expect_str_eq(p.common_name, "a.example.com");
	cr_expect_eq(p.ttl_s, X5_TTL_S);
	cr_expect_str_eq(p.key_type->name, "ec-p256");
	cr_expect_eq(p.usages, X5_SERVER | X5_CLIENT);
}

Test(x509, a_plan_stays_within_what_the_target_allows)
{
#define BASE "\"common_name\": \"a.example.com\", \"allowed_domains\": \"example.com\""
	static const struct {
		const char *config, *why;
	} cases[] = {
		{"{}",						"common_name"    },
		{ "{\"common_name\": \"a.example.com\"}",             "allowed_domains"},
		{ "{" BASE ", \"sans\": [\"evil.org\"]}",             "evil.org"       },
		{ "{" BASE ", \"sans\": [1]}",                        "sans"           },
		{ "{" BASE ", \"sans\": {}}",                         "sans"           },
		{ "{" BASE ", \"ttl\": \"2h\", \"max_ttl\": \"1h\"}", "max_ttl"        },
		{ "{" BASE ", \"ttl\": 0}",                           "ttl"            },
		{ "{" BASE ", \"ttl\": \"-1h\"}",                     "ttl"            },
		{ "{" BASE ", \"ttl\": \"soon\"}",                    "ttl"            },
		{ "{" BASE ", \"key_type\": \"rsa-1024\"}",           "key_type"       },
		{ "{" BASE ", \"usages\": [\"sign\"]}",               "usages"         },
		{ "{" BASE ", \"country\": \"Germany\"}",             "country"        },
		{ "{" BASE ", \"organization\": \"a\\nb\"}",          "organization"   },
	};
	struct x5_plan p;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect_eq(plan(cases[i].config, &p, &a), CLASS_PERMANENT, "%s",
		             cases[i].config);
		cr_expect(strstr(a.message, cases[i].why) != NULL, "%s: %s",
		          cases[i].config, a.message);
	}
	cr_expect_eq(plan("{" BASE ", \"max_ttl\": \"1h\"}", &p, &a), 0);
	cr_expect_eq(p.ttl_s, 3600);
}

Test(x509, serial_numbers_come_from_the_attempt)
{
	unsigned char x[X5_SERIAL], y[X5_SERIAL];
	char text[3 * X5_SERIAL];
	char attempt[33];

	for (int i = 0; i < 200; i++) {
		snprintf(attempt, sizeof(attempt), "%032x", i);
		x5_serial("ca", 2, attempt, x);
		cr_expect(x[0] >= 0x40 && x[0] < 0x80, "positive, of full length");
		x5_serial("ca", 2, attempt, y);
		cr_expect_eq(memcmp(x, y, sizeof(x)), 0);
		x5_serial("other", 5, attempt, y);
		cr_expect_neq(memcmp(x, y, sizeof(x)), 0);
	}
	x5_serial_text((const unsigned char *)"\x0a\xff", 2, text);
	cr_expect_str_eq(text, "0a:ff");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "target.h"

TestSuite(target, .timeout = 60);

Test(target, accounts_are_cut_out_of_urls)
{
	static const char *const cases[][2] = {
		{"postgresql://{{username}}:{{password}}@h:5432/db?sslmode=require",
                 "postgresql://h:5432/db?sslmode=require"                                                     },
		{ "postgresql://u:p@w@h/db",                                         "postgresql://h/db"      },
		{ "postgresql://h/db?x=a@b",                                         "postgresql://h/db?x=a@b"},
		{ "postgresql://h",						  "postgresql://h"         },
		{ "{{username}}:{{password}}@tcp(h:1)/d",                            "tcp(h:1)/d"             },
		{ "u:p/w@x@unix(/run/my.sock)/d",                                    "unix(/run/my.sock)/d"   },
		{ "tcp(h:1)/",						       "tcp(h:1)/"              },
		{ "host=h user=x",						   "host=h user=x"          },
	};
	AUTO_ARENA arena = arena_new(1024 * 1024);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer a = { 0 };
		char *out = NULL;

		cr_assert_eq(target_cut_user(arena, cases[i][0], &out, &a), 0);
		cr_expect_str_eq(out, cases[i][1]);
	}
}

Test(target, tls_by_default_depends_on_where_the_server_is)
{
	cr_expect_eq(target_tls(TLS_DEFAULT, "db.example", NULL), TLS_REQUIRE);
	cr_expect_eq(target_tls(TLS_DEFAULT, "db.example", "/ca"), TLS_VERIFY_FULL);
	cr_expect_eq(target_tls(TLS_DEFAULT, "127.0.0.1", NULL), TLS_PREFER);
	cr_expect_eq(target_tls(TLS_DEFAULT, "localhost", NULL), TLS_PREFER);
	cr_expect_eq(target_tls(TLS_DEFAULT, "127.0.0.1.evil.example", NULL),
	             TLS_REQUIRE);
	cr_expect_eq(target_tls(TLS_VERIFY_FULL, "/run/sock", "/ca"), TLS_OFF);
	cr_expect_eq(target_tls(TLS_OFF, "db.example", "/ca"), TLS_OFF);
}

static int read_config(struct arena *arena, const char *config, struct target *t,
                       struct answer *a)
{
	struct request r = { .arena = arena };
	int rc;

	r.doc = json_loads(config, 0, NULL);
	r.config = r.doc;
	*a = (struct answer){ 0 };
	rc = target_read(&r, t, a);
	cr_expect(rc != 0 || t->ca == NULL || access(t->ca, R_OK) == 0 ||
	          t->ca[1] == 'n');
	request_free(&r);
	return rc;
}

Test(target, configurations)
{
	AUTO_ARENA arena = arena_new(1024 * 1024);
	struct target t;
	struct answer a;

	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"port\":\"77\"}", &t, &a), 0);
	cr_expect_eq(t.port, 77);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"tls\":true}", &t, &a), 0);
	cr_expect_eq(t.tls, TLS_VERIFY_FULL);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"tls\":\"skip-verify\"}", &t,
	                         &a),
	             0);
	cr_expect_eq(t.tls, TLS_REQUIRE);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"ca\":\"-----BEGIN X\"}", &t,
	                         &a),
	             0);
	cr_expect(t.ca != NULL && strncmp(t.ca, "/proc/self/fd/", 14) == 0);

	cr_expect_eq(read_config(arena, "{}", &t, &a), CLASS_PERMANENT);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"connection_url\":\"u\"}", &t,
	                         &a),
	             CLASS_PERMANENT);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"port\":65536}", &t, &a),
	             CLASS_PERMANENT);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"port\":\"7x\"}", &t, &a),
	             CLASS_PERMANENT);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"sslmode\":\"maybe\"}", &t, &a),
	             CLASS_PERMANENT);
	cr_expect_eq(read_config(arena, "{\"host\":\"h\",\"ca\":\"ca.pem\"}", &t, &a),
	             CLASS_PERMANENT);
}

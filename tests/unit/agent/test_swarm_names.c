/* SPDX-License-Identifier: Apache-2.0 */
/* What a version is called in a Swarm: always the same, always what Docker takes. */
#include "agent/swarm/names.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(swarm_names, .timeout = 20);

struct name_case {
	char path[80], format[8];
	long long version;
	size_t object;
	unsigned other;
	char want[SWARM_NAME_MAX + 1];
};

ParameterizedTestParameters(swarm_names, they_say_what_is_in_them)
{
	static struct name_case c[] = {
		{"secret/app/db",				    "raw",  7, 0, 0, "secret-app-db.raw.7"   },
		{ "secret/app/db",				   "env",  7, 0, 1, "secret-app-db.env.7.b" },
		{ "secret/app/db",				   "json", 7, 2, 0, "secret-app-db.json.2.7"},
		{ "//A_b-c.d",				       "raw",  1, 0, 0, "A_b-c-d.raw.1"         },
		{ "secret/0123456789012345678901234567890123456789", "raw",  1, 0, 0,
                 "secret-012345678901234567890123-9e38e92e.raw.1"                                             },
		{ "\xc3\xa9",					"raw",  1, 0, 0, "s-4a99557e.raw.1"      },
	};

	return cr_make_param_array(struct name_case, c, sizeof(c) / sizeof(*c));
}

ParameterizedTest(struct name_case *c, swarm_names, they_say_what_is_in_them)
{
	const struct swarm_name n = { c->path, c->format, c->version, c->object,
		                      c->other };
	char out[SWARM_NAME_MAX + 1];

	swarm_name(&n, out);
	cr_assert_str_eq(out, c->want);
}

Test(swarm_names, the_longest_fits)
{
	char path[600], out[SWARM_NAME_MAX + 1];
	struct swarm_name n = { path, "json", INT64_MAX, 3, 25 };

	memset(path, 'x', sizeof(path));
	for (size_t len = 0; len < sizeof(path); len++) {
		path[len] = '\0';
		swarm_name(&n, out);
		cr_assert_leq(strlen(out), SWARM_NAME_MAX, "%zu: %s", len, out);
		cr_assert_str_eq(out + strlen(out) - 2, ".z", "%s", out);
		path[len] = 'x';
	}
}

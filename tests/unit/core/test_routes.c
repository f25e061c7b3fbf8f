/* SPDX-License-Identifier: Apache-2.0 */
/* The route table itself: every row is reached, and nothing is open by accident. */
#include "core_rig.h"

#include "route.h"

TestSuite(routes, .init = rig_start, .fini = rig_stop, .timeout = 60);

/* What may be asked without a token, and nothing else: each line was decided on. */
static const char *const anonymous[] = {
	"system GET init",
	"system POST init",
	"system POST unseal",
	"host POST join",
	"host POST challenge",
	"host POST login",
	"userpass POST login/:name",
	"cert POST login",
	"approle POST login",
	"system GET wrapping/lookup",
	"system POST wrapping/lookup",
	"system POST wrapping/unwrap",
	"system POST wrapping/rewrap",
	"system GET internal/ui/mounts",
};

static const struct {
	unsigned bit;
	enum http_method method;
	const char *name;
} methods[] = {
	{M_GET,     HTTP_GET,    "GET"   },
        { M_LIST,   HTTP_LIST,   "LIST"  },
	{ M_POST,   HTTP_POST,   "POST"  },
        { M_PATCH,  HTTP_PATCH,  "PATCH" },
	{ M_DELETE, HTTP_DELETE, "DELETE"},
        { M_SCAN,   HTTP_SCAN,   "SCAN"  },
};

static bool may_be_anonymous(const struct route *row, const char *method)
{
	char line[200];

	snprintf(line, sizeof(line), "%s %s %s", row->mount_type, method, row->pattern);
	for (size_t i = 0; i < ARRAY_LEN(anonymous); i++)
		if (strcmp(line, anonymous[i]) == 0)
			return true;
	return false;
}

static void check_anonymous(void *ctx, const struct route *row)
{
	(void)ctx;
	if (!(row->flags & (R_ANON | R_MAYBE_ANON | R_WRAP_TOKEN)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (row->methods & methods[i].bit)
			cr_expect(may_be_anonymous(row, methods[i].name),
			          "%s %s %s needs no token: is that meant?",
			          row->mount_type, methods[i].name, row->pattern);
}

Test(routes, only_these_need_no_token)
{
	route_each(check_anonymous, NULL);
}

static void check_shape(void *ctx, const struct route *row)
{
	static const char *const types[] = { "string",  "int",    "bool", "duration",
		                             "strings", "object", "any" };
	unsigned params = 0, rests = 0;

	(void)ctx;
	cr_expect(row->handler != NULL && row->help != NULL && row->help[0] != '\0', "%s",
	          row->pattern);
	cr_expect(row->methods != 0, "%s", row->pattern);
	for (const char *p = row->pattern; *p != '\0'; p++) {
		params += *p == ':' || *p == '*';
		rests += *p == '*';
	}
	cr_expect_leq(rests, 1, "%s", row->pattern);
	cr_expect_leq(params, REQ_PARAMS, "%s", row->pattern);
	for (const struct field *f = row->fields; f != NULL && f->name != NULL; f++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			known = known || strcmp(f->type, types[i]) == 0;
		cr_expect(known, "%s: %s has the type '%s'", row->pattern, f->name,
		          f->type);
		cr_expect(f->help != NULL, "%s: %s", row->pattern, f->name);
	}
}

Test(routes, rows_are_well_formed)
{
	route_each(check_shape, NULL);
}

/* A KV mount whose entries wait to be converted to version 2. */
static const char *upgrading(void)
{
	cr_assert_eq(rig_ask(HTTP_POST, "sys/mounts/up", "{\"type\":\"kv\"}"), 204);
	cr_assert_eq(rig_ask(HTTP_POST, "up/x", "{\"k\":1}"), 204);
	cr_assert_eq(rig_ask(HTTP_POST, "sys/mounts/up/tune",
	                     "{\"options\":{\"version\":\"2\"}}"),
	             200);
	return "up/";
}

/* Where an engine is mounted; made here if it is not built in. */
static const char *path_of(const char *engine)
{
	static const struct {
		const char *engine, *path, *make, *body;
	} places[] = {
		{"system",     "sys/",           NULL,                  NULL                  },
		{ "token",     "auth/token/",    NULL,                  NULL                  },
		{ "host",      "auth/host/",     NULL,                  NULL                  },
		{ "kv",        "two/",           "sys/mounts/two",      "{\"type\":\"kv-v2\"}"},
		{ "kv1",       "one/",           "sys/mounts/one",      "{\"type\":\"kv\"}"   },
		{ "cubbyhole", "cubbyhole/",     NULL,                  NULL                  },
		{ "identity",  "identity/",      NULL,                  NULL                  },
		{ "approle",   "auth/approle/",  "sys/auth/approle",
                 "{\"type\":\"approle\"}"						     },
		{ "userpass",  "auth/userpass/", "sys/auth/userpass",
                 "{\"type\":\"userpass\"}"						    },
		{ "cert",      "auth/cert/",     "sys/auth/cert",       "{\"type\":\"cert\"}" },
		{ "database",  "database/",      "sys/mounts/database",
                 "{\"type\":\"database\"}"						    },
	};
	static bool made[ARRAY_LEN(places)];

	if (strcmp(engine, "kv_upgrade") == 0)
		return upgrading();
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (strcmp(places[i].engine, engine) != 0)
			continue;
		if (places[i].make != NULL && !made[i])
			cr_assert_eq(rig_ask(HTTP_POST, places[i].make, places[i].body),
			             204, "%s: %s", places[i].make, rig_got("errors"));
		made[i] = true;
		return places[i].path;
	}
	cr_assert_fail("the test does not know where a '%s' is mounted", engine);
	return NULL;
}

/* A path that the pattern is meant for. */
static void sample(const struct route *row, char out[300])
{
	size_t n = (size_t)snprintf(out, 300, "%s", path_of(row->mount_type));

	for (const char *p = row->pattern; *p != '\0'; p++) {
		const char *text = *p == ':'   ? "sample"
		                   : *p == '*' ? "sample/rest"
		                               : NULL;

		if (text == NULL) {
			out[n++] = *p;
			continue;
		}
		n += (size_t)snprintf(out + n, 300 - n, "%s", text);
		p += strcspn(p, "/") - 1;
	}
	out[n] = '\0';
}

static void check_reached(void *ctx, const struct route *row)
{
	char path[300];

	(void)ctx;
	sample(row, path);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct req r = { .core = rig.core,
			         .a = rig.a,
			         .method = methods[i].method,
			         .path = path,
			         .path_len = strlen(path) };

		if (!(row->methods & methods[i].bit))
			continue;
		cr_expect_eq(route_find(&r), ERR_OK, "%s %s", methods[i].name, path);
		cr_expect_eq(r.route, row, "%s %s is answered by '%s', not by '%s'",
		             methods[i].name, path,
		             r.route != NULL ? r.route->pattern : "", row->pattern);
	}
}

Test(routes, no_row_hides_another)
{
	route_each(check_reached, NULL);
}

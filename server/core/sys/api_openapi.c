/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_openapi - sys/internal/specs/openapi: the route table as an OpenAPI document.
 *
 * What is mounted is not everybody's business: only a root token sees its own paths,
 * others get each engine once under "{<engine>_mount_path}", and so does everybody when
 * there are many mounts.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "mounts.h"
#include "route.h"
#include "vault/version.h"

#define MOUNTS_MAX 12u /* with the built-in ones: more would take too long in one go */
#define PATH_MAX_  512u

struct doc {
	struct req *r;
	struct arena *a;
	struct value *paths;
	const char *base;   /* "secret/", "{kv_mount_path}/" */
	const char *engine; /* whose rows are written */
	bool generic;
};

static struct value *schema(struct arena *a, const char *type)
{
	struct value *s = value_object(a), *items;

	if (strcmp(type, "strings") == 0) {
		items = value_object(a);
		value_set_str(a, items, "type", "string");
		value_set_str(a, s, "type", "array");
		value_set(s, "items", items);
	} else if (strcmp(type, "int") == 0) {
		value_set_str(a, s, "type", "integer");
	} else if (strcmp(type, "bool") == 0) {
		value_set_str(a, s, "type", "boolean");
	} else if (strcmp(type, "duration") == 0) {
		value_set_str(a, s, "type", "string");
		value_set_str(a, s, "format", "duration");
	} else if (strcmp(type, "any") != 0) {
		value_set_str(a, s, "type", type);
	}
	return s;
}

static void add_parameter(struct doc *d, struct value *list, const char *name,
                          const char *in, const struct field *f)
{
	struct value *p = value_object(d->a);
	bool in_path = in[0] == 'p';

	value_set_str(d->a, p, "name", name);
	value_set_str(d->a, p, "in", in);
	value_set_bool(d->a, p, "required", in_path);
	if (f != NULL && f->help != NULL)
		value_set_str(d->a, p, "description", f->help);
	value_set(p, "schema", schema(d->a, f != NULL ? f->type : "string"));
	value_add(list, p);
}

/* "policies/acl/:name" as "/sys/policies/acl/{name}". */
static const char *path_of(struct doc *d, const struct route *row, bool list)
{
	char out[PATH_MAX_];
	int n = snprintf(out, sizeof(out), "/%s", d->base);

	for (const char *p = row->pattern; *p != '\0' && n < (int)sizeof(out) - 8;) {
		size_t len = strcspn(p, "/");
		bool var = *p == ':' || *p == '*';

		n += snprintf(out + n, sizeof(out) - (size_t)n, var ? "{%.*s}" : "%.*s",
		              (int)len - var, p + var);
		p += len;
		if (*p == '/' && n < (int)sizeof(out) - 2) {
			out[n++] = *p++;
			out[n] = '\0';
		}
	}
	if (n > 1 && out[n - 1] == '/')
		out[--n] = '\0';
	if (list && n < (int)sizeof(out) - 1)
		memcpy(out + n, "/", 2);
	return arena_str(d->a, out);
}

static void path_parameters(struct doc *d, struct value *list, const char *path)
{
	static const struct field name = { "", "string", NULL };

	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p, '{')) {
		size_t len = strcspn(++p, "}");

		add_parameter(d, list, arena_printf(d->a, "%.*s", (int)len, p), "path",
		              &name);
	}
}

static bool in_path(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{'))
		if (strncmp(p + 1, name, n) == 0 && p[1 + n] == '}')
			return true;
	return false;
}

static void query_parameters(struct doc *d, struct value *list, const struct route *row,
                             const char *path)
{
	for (const struct field *f = row->fields; f != NULL && f->name != NULL; f++)
		if (!in_path(path, f->name))
			add_parameter(d, list, f->name, "query", f);
}

static struct value *request_body(struct doc *d, const struct route *row,
                                  const char *type)
{
	struct arena *a = d->a;
	struct value *body = value_object(a), *content = value_object(a),
		     *media = value_object(a), *object = value_object(a),
		     *members = value_object(a);

	for (const struct field *f = row->fields; f != NULL && f->name != NULL; f++) {
		struct value *s = schema(a, f->type);

		if (f->help != NULL)
			value_set_str(a, s, "description", f->help);
		value_set(members, f->name, s);
	}
	value_set_str(a, object, "type", "object");
	value_set(object, "properties", members);
	value_set(media, "schema", object);
	value_set(content, type, media);
	value_set(body, "content", content);
	return body;
}

static void set_responses(struct doc *d, struct value *op, bool reads)
{
	struct value *all = value_object(d->a), *ok = value_object(d->a);

	value_set_str(d->a, ok, "description",
	              reads ? "OK" : "OK, or nothing to say (204)");
	value_set(all, "200", ok);
	value_set(op, "responses", all);
}

/* Unique, since method and path are: "get-sys-policies-acl-by-name". */
static const char *operation_id(struct doc *d, const char *verb, const char *path)
{
	char out[PATH_MAX_ + 64];
	size_t n = (size_t)snprintf(out, sizeof(out), "%s", verb);

	for (const char *p = path; *p != '\0' && n < sizeof(out) - 8; p++) {
		bool word = isalnum((unsigned char)*p) || *p == '_';

		if (!word && out[n - 1] != '-')
			out[n++] = '-';
		if (*p == '{') {
			memcpy(out + n, "by-", 3);
			n += 3;
		} else if (word) {
			out[n++] = *p;
		}
	}
	while (n > 1 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	return arena_str(d->a, out);
}

struct verb {
	unsigned method;
	const char *name; /* of the member of a path */
	const char *id;
};

static void add_operation(struct doc *d, const struct route *row, const struct verb *v)
{
	struct arena *a = d->a;
	const char *path = path_of(d, row, v->method == M_LIST);
	struct value *item = value_get(d->paths, path), *op = value_object(a),
		     *parameters = value_array(a);
	static const struct field list = { "list", "bool", "must be true" },
				  lists = { "list", "bool",
		                            "this, or scan, must be true" },
				  scan = {
					  "scan", "bool",
					  "all that is below, not the next level alone"
				  };
	bool scans = (row->methods & M_SCAN) != 0;

	if (item == NULL) {
		item = value_object(a);
		value_set(d->paths, path, item);
	}
	if (value_get(item, v->name) != NULL)
		return;
	value_set_str(a, op, "operationId", operation_id(d, v->id, path));
	if (row->help != NULL)
		value_set_str(a, op, "summary", row->help);
	path_parameters(d, parameters, path);
	if (v->method == M_POST || v->method == M_PATCH)
		value_set(op, "requestBody",
		          request_body(d, row,
		                       v->method == M_PATCH
		                               ? "application/merge-patch+json"
		                               : "application/json"));
	else
		query_parameters(d, parameters, row, path);
	if (v->method == M_LIST)
		add_parameter(d, parameters, "list", "query", scans ? &lists : &list);
	if (v->method == M_LIST && scans)
		add_parameter(d, parameters, "scan", "query", &scan);
	if (parameters->len > 0)
		value_set(op, "parameters", parameters);
	if (row->flags & R_ANON)
		value_set(op, "security", value_array(a));
	if (row->flags & R_ANON)
		value_set_bool(a, op, "x-vault-unauthenticated", true);
	if (row->flags & R_SUDO)
		value_set_bool(a, op, "x-vault-sudo", true);
	set_responses(d, op, v->method == M_GET || v->method == M_LIST);
	value_set(item, v->name, op);
}

static void add_row(void *ctx, const struct route *row)
{
	static const struct verb verbs[] = {
		{M_GET,     "get",    "read"  },
                { M_LIST,   "get",    "list"  },
		{ M_POST,   "post",   "write" },
                { M_PATCH,  "patch",  "patch" },
		{ M_DELETE, "delete", "delete"},
	};
	struct doc *d = ctx;

	if (strcmp(row->mount_type, d->engine) != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (row->methods & verbs[i].method)
			add_operation(d, row, &verbs[i]);
}

/* Built-in mounts are where they are in every vault. */
static bool is_fixed(const char *engine)
{
	return strcmp(engine, "system") == 0 || strcmp(engine, "token") == 0 ||
	       strcmp(engine, "host") == 0;
}

static const char *fixed_base(const char *engine)
{
	return strcmp(engine, "system") == 0  ? "sys/"
	       : strcmp(engine, "token") == 0 ? "auth/token/"
	                                      : "auth/host/";
}

static void add_mount(void *ctx, const struct mount *m)
{
	struct doc *d = ctx;

	if (is_fixed(m->engine))
		return;
	d->base = m->path;
	d->engine = m->engine;
	route_each(add_row, d);
}

/* Each engine of the table once. */
struct engines {
	const char *seen[64];
	size_t n;
};

static void note_engine(void *ctx, const struct route *row)
{
	struct engines *e = ctx;

	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->seen[i], row->mount_type) == 0)
			return;
	if (e->n < ARRAY_LEN(e->seen))
		e->seen[e->n++] = row->mount_type;
}

static void add_engine(struct doc *d, const char *engine)
{
	d->engine = engine;
	d->base = is_fixed(engine) ? fixed_base(engine)
	                           : arena_printf(d->a, "{%s_mount_path}/", engine);
	route_each(add_row, d);
}

static void count_mount(void *ctx, const struct mount *m)
{
	(void)m;
	++*(size_t *)ctx;
}

static void fill_head(struct doc *d, struct value *out)
{
	struct arena *a = d->a;
	struct value *info = value_object(a), *components = value_object(a),
		     *schemes = value_object(a), *token = value_object(a),
		     *security = value_array(a), *needs = value_object(a),
		     *servers = value_array(a), *server = value_object(a);

	value_set_str(a, out, "openapi", "3.0.2");
	value_set_str(a, info, "title", "vaultd");
	value_set_str(a, info, "description", "Secrets, leases, rotation and audit.");
	value_set_str(a, info, "version", VAULT_VERSION);
	value_set(out, "info", info);
	value_set_str(a, server, "url", "/v1");
	value_add(servers, server);
	value_set(out, "servers", servers);
	value_set(out, "paths", d->paths);
	value_set_str(a, token, "type", "apiKey");
	value_set_str(a, token, "in", "header");
	value_set_str(a, token, "name", "X-Vault-Token");
	value_set(schemes, "token", token);
	value_set(components, "securitySchemes", schemes);
	value_set(out, "components", components);
	value_set(needs, "token", value_array(a));
	value_add(security, needs);
	value_set(out, "security", security);
}

static int h_openapi(struct req *r)
{
	struct doc d = { .r = r, .a = r->a, .paths = value_object(r->a) };
	struct engines engines = { .n = 0 };
	bool generic = false, present;
	size_t mounts = 0;
	int rc = req_bool(r, "generic_mount_paths", &generic, &present);

	if (rc != ERR_OK)
		return rc;
	mounts_each(r->core, count_mount, &mounts);
	generic = generic || !r->id.root || mounts > MOUNTS_MAX;
	route_each(note_engine, &engines);
	for (size_t i = 0; i < engines.n; i++)
		if (generic || is_fixed(engines.seen[i]))
			add_engine(&d, engines.seen[i]);
	if (!generic)
		mounts_each(r->core, add_mount, &d);
	fill_head(&d, reply_bare(r));
	return ERR_OK;
}

/* clang-format off */
static const struct field openapi_fields[] = {
	{ "generic_mount_paths", "bool", "each engine once, under a parameter" },
	{ "context", "string", "ignored" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "internal/specs/openapi", R_SELF, openapi_fields, h_openapi, NULL,
	  "this document" },
};
/* clang-format on */

const struct route_table routes_openapi = { rows, ARRAY_LEN(rows) };

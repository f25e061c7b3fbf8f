/* SPDX-License-Identifier: Apache-2.0 */
/* api_mount - which engines are where; read only so far, mounts are made at init. */
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "policy_impl.h"
#include "route.h"

static bool is_auth(const struct mount *m)
{
	return strncmp(m->path, "auth/", 5) == 0;
}

/* Strings are copied: the mirror may be gone when the reply is encoded. */
static struct value *entry(struct arena *a, const struct mount *m)
{
	struct value *o = value_object(a), *config = value_object(a),
		     *options = value_null(a);

	if (m->kv_version != 0) {
		options = value_object(a);
		value_set_str(a, options, "version", m->kv_version == 2 ? "2" : "1");
	}
	value_set_int(a, config, "default_lease_ttl", 0);
	value_set_bool(a, config, "force_no_cache", false);
	value_set_int(a, config, "max_lease_ttl", 0);
	value_set_str(a, o, "accessor", arena_str(a, m->accessor));
	value_set(o, "config", config);
	value_set_str(a, o, "deprecation_status", "supported");
	value_set_str(a, o, "description", arena_str(a, m->description));
	value_set_bool(a, o, "external_entropy_access", false);
	value_set_bool(a, o, "local", false);
	value_set(o, "options", options);
	value_set_str(a, o, "plugin_version", "");
	value_set_str(a, o, "running_plugin_version", "");
	value_set_str(a, o, "running_sha256", "");
	value_set_bool(a, o, "seal_wrap", false);
	value_set_str(a, o, "type", arena_str(a, m->type));
	value_set_str(a, o, "uuid", arena_str(a, m->uuid));
	return o;
}

struct collect {
	struct req *r;
	struct value *secret, *auth;
	bool visible_only; /* leave out what the caller's policies do not touch */
};

static void add_mount(void *ctx, const struct mount *m)
{
	struct collect *k = ctx;
	struct arena *a = k->r->a;
	const char *path;

	if (k->visible_only &&
	    !policies_touch_mount(k->r->core, k->r->id.policies, m->path))
		return;
	path = arena_str(a, is_auth(m) ? m->path + 5 : m->path);
	if (path != NULL)
		value_set(is_auth(m) ? k->auth : k->secret, path, entry(a, m));
}

static struct collect collect(struct req *r, bool visible_only)
{
	struct collect k = { r, value_object(r->a), value_object(r->a), visible_only };

	mounts_each(r->core, add_mount, &k);
	return k;
}

static int reply_map(struct req *r, struct value *map)
{
	value_set(reply_envelope(r), "data", map);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_mounts(struct req *r)
{
	return reply_map(r, collect(r, false).secret);
}

static int h_auth(struct req *r)
{
	return reply_map(r, collect(r, false).auth);
}

static int reply_one(struct req *r, const struct value *map, const char *what)
{
	const char *path = arena_printf(r->a, "%s/", r->param[0].text);
	const struct value *found = path != NULL ? value_get(map, path) : NULL;

	if (found == NULL)
		return req_fail(r, ERR_INVALID, "No %s at %.150s", what,
		                path != NULL ? path : "");
	return reply_map(r, value_copy(r->a, found));
}

static int h_mount(struct req *r)
{
	return reply_one(r, collect(r, false).secret, "secret engine mount");
}

static int h_auth_one(struct req *r)
{
	return reply_one(r, collect(r, false).auth, "auth engine");
}

static int h_preflight(struct req *r)
{
	const char *wanted = r->param[0].text, *rest;
	struct value *out;
	const struct mount *m;
	char *path;

	if (wanted == NULL || wanted[0] == '\0') {
		struct collect k = collect(r, true);

		out = reply_data(r);
		value_set(out, "secret", k.secret);
		value_set(out, "auth", k.auth);
		return ERR_OK;
	}
	if ((path = arena_printf(r->a, "%s/", wanted)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	m = mounts_match(r->core, path, &rest);
	if (m == NULL || !policies_touch_mount(r->core, r->id.policies, m->path))
		return req_fail(
			r, ERR_DENIED,
			"preflight capability check returned 403, please ensure client's "
			"policies grant access to path \"%.100s\"",
			path);
	out = entry(r->a, m);
	value_set_str(r->a, out, "path", arena_str(r->a, m->path));
	value_set(reply_envelope(r), "data", out);
	return ERR_OK;
}

/* clang-format off */
static const struct route rows[] = {
	{ "system", M_GET, "mounts", 0, NULL, h_mounts, NULL, "list secret engines" },
	{ "system", M_GET, "mounts/*path", 0, NULL, h_mount, NULL,
	  "read one secret engine" },
	{ "system", M_GET, "auth", 0, NULL, h_auth, NULL, "list auth methods" },
	{ "system", M_GET, "auth/*path", R_SUDO, NULL, h_auth_one, NULL,
	  "read one auth method" },
	{ "system", M_GET, "internal/ui/mounts/*path", R_SELF, NULL, h_preflight, NULL,
	  "which engine serves a path, for clients" },
};
/* clang-format on */

const struct route_table routes_mount = { rows, ARRAY_LEN(rows) };

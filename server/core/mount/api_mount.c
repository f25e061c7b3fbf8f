/* SPDX-License-Identifier: Apache-2.0 */
/* api_mount - which engines are where; the route table of everything about mounts. */
#include <string.h>

#include "arena.h"
#include "mount_impl.h"
#include "policy_impl.h"
#include "route.h"

static void set_lockout(struct arena *a, struct value *out, const struct mount_lockout *l)
{
	struct value *v = value_object(a);

	value_set_int(a, v, "lockout_counter_reset_duration", l->reset_ms / 1000);
	value_set_bool(a, v, "lockout_disable", l->disabled);
	value_set_int(a, v, "lockout_duration", l->duration_ms / 1000);
	value_set_int(a, v, "lockout_threshold", l->attempts);
	value_set(out, "user_lockout_config", v);
}

/* The mirror may be gone when the reply is encoded: everything is copied. */
static struct value *unpacked(struct arena *a, const struct mount_packed *k)
{
	void *copy = k->n > 0 ? arena_dup(a, k->p, k->n) : NULL;
	struct value *v = NULL;
	struct err e;

	if (copy == NULL || value_decode(a, copy, k->n, &v, &e) != ERR_OK)
		return value_null(a);
	return v;
}

void mount_set_config(struct arena *a, struct value *out, const struct mount *m)
{
	const struct mount_config *k = &m->config;
	const struct value *lists = unpacked(a, &k->lists);

	for (const struct value *v = lists->type == V_OBJECT ? lists->first : NULL;
	     v != NULL; v = v->next)
		value_setn(out, v->key, v->key_len, value_copy(a, v));
	if (k->listing[0] != '\0')
		value_set_str(a, out, "listing_visibility", arena_str(a, k->listing));
	if (k->token_type[0] != '\0')
		value_set_str(a, out, "token_type", arena_str(a, k->token_type));
	if (k->lockout.set)
		set_lockout(a, out, &k->lockout);
}

struct value *mount_entry(struct arena *a, const struct mount *m)
{
	struct value *o = value_object(a), *config = value_object(a);

	value_set_int(a, config, "default_lease_ttl", m->config.default_ttl_ms / 1000);
	value_set_bool(a, config, "force_no_cache", m->config.force_no_cache);
	value_set_int(a, config, "max_lease_ttl", m->config.max_ttl_ms / 1000);
	mount_set_config(a, config, m);
	value_set_str(a, o, "accessor", arena_str(a, m->accessor));
	value_set(o, "config", config);
	value_set_str(a, o, "deprecation_status", "supported");
	value_set_str(a, o, "description", arena_str(a, m->description));
	value_set_bool(a, o, "external_entropy_access", m->external_entropy);
	value_set_bool(a, o, "local", m->local);
	value_set(o, "options", unpacked(a, &m->options));
	value_set_str(a, o, "plugin_version", "");
	value_set_str(a, o, "running_plugin_version", "");
	value_set_str(a, o, "running_sha256", "");
	value_set_bool(a, o, "seal_wrap", m->seal_wrap);
	value_set_str(a, o, "type", arena_str(a, m->type));
	value_set_str(a, o, "uuid", arena_str(a, m->uuid));
	return o;
}

/* Does the caller hear of a mount?  Without a token: of those that are to be seen. */
static bool visible(const struct req *r, const struct mount *m)
{
	if (strcmp(m->config.listing, "unauth") == 0)
		return true;
	return r->id.type != IDENT_NONE &&
	       policies_touch_mount(r->core, r->id.policies, m->path);
}

/* What strangers see of a mount. */
static struct value *brief(struct arena *a, const struct mount *m)
{
	struct value *o = value_object(a);

	value_set_str(a, o, "description", arena_str(a, m->description));
	value_set(o, "options", unpacked(a, &m->options));
	value_set_str(a, o, "type", arena_str(a, m->type));
	return o;
}

struct collect {
	struct req *r;
	struct value *secret, *auth;
	bool visible_only;
};

static void add_mount(void *ctx, const struct mount *m)
{
	struct collect *k = ctx;
	struct arena *a = k->r->a;
	const char *path;

	if (k->visible_only && !visible(k->r, m))
		return;
	path = arena_str(a, mount_is_auth(m) ? m->path + 5 : m->path);
	if (path != NULL)
		value_set(mount_is_auth(m) ? k->auth : k->secret, path,
		          k->r->id.type == IDENT_NONE ? brief(a, m) : mount_entry(a, m));
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

static int h_visible(struct req *r)
{
	struct collect k = collect(r, true);
	struct value *out = reply_data(r);

	value_set(out, "secret", k.secret);
	value_set(out, "auth", k.auth);
	return ERR_OK;
}

/* Clients ask this before they read a secret.  They take 404 for an old server. */
static int h_preflight(struct req *r)
{
	const char *path = arena_printf(r->a, "%s/", r->param[0].text), *rest;
	const struct mount *m;
	struct value *out;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	m = mounts_match(r->core, path, &rest);
	if (m == NULL || !policies_touch_mount(r->core, r->id.policies, m->path))
		return req_fail(
			r, ERR_DENIED,
			"preflight capability check returned 403, please ensure client's "
			"policies grant access to path \"%.100s\"",
			path);
	out = mount_entry(r->a, m);
	value_set_str(r->a, out, "path", arena_str(r->a, m->path));
	value_set(reply_envelope(r), "data", out);
	return ERR_OK;
}

/* clang-format off */
#define CONFIG_FIELDS \
	{ "default_lease_ttl", "duration", "lifetime of what it issues; \"system\": the default" }, \
	{ "max_lease_ttl", "duration", "the longest lifetime; \"system\": the default" }, \
	{ "force_no_cache", "bool", "kept and shown" }, \
	{ "listing_visibility", "string", "unauth: listed without a token; hidden; empty" }, \
	{ "audit_non_hmac_request_keys", "strings", "kept and shown" }, \
	{ "audit_non_hmac_response_keys", "strings", "kept and shown" }, \
	{ "passthrough_request_headers", "strings", "kept and shown" }, \
	{ "allowed_response_headers", "strings", "kept and shown" }, \
	{ "token_type", "string", "default-service, default-batch, service or batch" }, \
	{ "user_lockout_config", "object", "when failed logins lock a name" }, \
	{ "plugin_version", "string", "not used: engines are built in" }, \
	{ "plugin_name", "string", "not used: engines are built in" }, \
	{ "description", "string", "for people" }, \
	{ "options", "object", "version: 1 or 2, for KV" }

static const struct field enable_fields[] = {
	{ "type", "string", "kv, kv-v1, kv-v2; approle, userpass, cert" },
	{ "config", "object", "lifetimes and visibility, as tune takes them" },
	{ "local", "bool", "kept and shown" },
	{ "seal_wrap", "bool", "kept and shown" },
	{ "external_entropy_access", "bool", "kept and shown" },
	{ "plugin_version", "string", "not used: engines are built in" },
	{ "plugin_name", "string", "not used: engines are built in" },
	{ "description", "string", "for people" },
	{ "options", "object", "version: 1 or 2, for KV" },
	{ NULL, NULL, NULL },
};
static const struct field remount_fields[] = {
	{ "from", "string", "where the mount is: team/kv, auth/approle" },
	{ "to", "string", "where it is to be" },
	{ NULL, NULL, NULL },
};
static const struct field tune_fields[] = { CONFIG_FIELDS, { NULL, NULL, NULL } };

/* Tuning comes first: its pattern is the narrower one. */
static const struct route rows[] = {
	{ "system", M_GET, "mounts", 0, NULL, h_mounts, NULL, "list secret engines" },
	{ "system", M_GET, "mounts/auth/*path/tune", R_SUDO, NULL, mount_h_tune_read_auth, NULL,
	  "another name of auth/:path/tune" },
	{ "system", M_POST, "mounts/auth/*path/tune", R_SUDO, tune_fields, mount_h_tune_auth,
	  NULL, "another name of auth/:path/tune" },
	{ "system", M_GET, "mounts/*path/tune", 0, NULL, mount_h_tune_read, NULL,
	  "read what holds for a mount" },
	{ "system", M_POST, "mounts/*path/tune", 0, tune_fields, mount_h_tune, NULL,
	  "change a mount" },
	{ "system", M_GET, "mounts/*path", 0, NULL, h_mount, NULL,
	  "read one secret engine" },
	{ "system", M_POST, "mounts/*path", 0, enable_fields, mount_h_enable, NULL,
	  "mount a secret engine" },
	{ "system", M_DELETE, "mounts/*path", 0, NULL, mount_h_disable, NULL,
	  "unmount a secret engine and destroy what it holds" },
	{ "system", M_GET, "auth", 0, NULL, h_auth, NULL, "list auth methods" },
	{ "system", M_GET, "auth/*path/tune", R_SUDO, NULL, mount_h_tune_read_auth, NULL,
	  "read what holds for an auth method" },
	{ "system", M_POST, "auth/*path/tune", R_SUDO, tune_fields, mount_h_tune_auth, NULL,
	  "change an auth method" },
	{ "system", M_GET, "auth/*path", R_SUDO, NULL, h_auth_one, NULL,
	  "read one auth method" },
	{ "system", M_POST, "auth/*path", R_SUDO, enable_fields, mount_h_enable_auth, NULL,
	  "mount an auth method" },
	{ "system", M_DELETE, "auth/*path", R_SUDO, NULL, mount_h_disable_auth, NULL,
	  "unmount an auth method and revoke its tokens" },
	{ "system", M_POST, "remount", R_SUDO, remount_fields, mount_h_remount, NULL,
	  "move a mount to another path" },
	{ "system", M_GET, "remount/status/:id", 0, NULL, mount_h_remount_status, NULL,
	  "how far a move is" },
	{ "system", M_GET, "internal/ui/mounts", R_MAYBE_ANON, NULL, h_visible, NULL,
	  "the mounts that the caller may know of" },
	{ "system", M_GET, "internal/ui/mounts/*path", R_SELF, NULL, h_preflight, NULL,
	  "which engine serves a path, for clients" },
};
/* clang-format on */

const struct route_table routes_mount = { rows, ARRAY_LEN(rows) };

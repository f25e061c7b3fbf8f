/* SPDX-License-Identifier: Apache-2.0 */
/* api_mount_write - mounting, unmounting and tuning engines. */
#include <string.h>

#include "arena.h"
#include "kv_walk.h"
#include "mount_destroy.h"
#include "mount_impl.h"

#define MOUNTS_MAX 1000

/* What a client's type says, without the version that it may imply. */
static const char *plain_type(const char *type, int64_t *version)
{
	static const struct {
		const char *name;
		int64_t version;
	} aliases[] = {
		{"kv",       0},
		{ "kv-v1",   1},
		{ "kv-v2",   2},
		{ "generic", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (strcmp(aliases[i].name, type) == 0) {
			*version = aliases[i].version;
			return "kv";
		}
	}
	*version = 0;
	return type;
}

static int refuse_type(struct req *r, const char *type, bool auth)
{
	if (!auth && mount_type_kept(type))
		return req_fail(r, ERR_DENIED, "mount type of \"%.60s\" is not mountable",
		                type);
	if (auth && mount_type_kept(type))
		return req_fail(r, ERR_INVALID,
		                "%.60s credential backend cannot be instantiated", type);
	return req_fail(r, ERR_INVALID, "plugin not found in the catalog: %.100s", type);
}

static int take_type(struct req *r, bool auth, struct mount *m, int64_t *implied)
{
	const struct value *v = value_get(r->body, "type");
	const char *type = v != NULL ? value_to_cstr(v, r->a) : NULL;
	const struct mount_type *known;

	if (type == NULL || type[0] == '\0')
		return req_fail(r, ERR_INVALID,
		                "backend type must be specified as a string");
	type = plain_type(type, implied);
	if ((known = mount_type_find(type, auth)) == NULL)
		return refuse_type(r, type, auth);
	m->type = known->name;
	return ERR_OK;
}

/* A type that names a version is like an option that does. */
static int set_version(struct req *r, struct mount *m, int64_t implied)
{
	int64_t version;
	struct value *options;
	int rc;

	if (implied != 0) {
		options = value_object(r->a);
		value_set_str(r->a, options, "version", implied == 2 ? "2" : "1");
		m->options.p = value_pack(r->a, options, &m->options.n);
		if (m->options.p == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
	}
	if ((rc = mount_take_options(r, m, &version)) != ERR_OK)
		return rc;
	if (strcmp(m->type, "kv") == 0)
		m->kv_version = version != 0   ? (int)version
		                : implied != 0 ? (int)implied
		                               : 1;
	m->engine = mount_engine(m->type, m->kv_version, false);
	return ERR_OK;
}

static int check_place(struct req *r, const struct mount *m, bool auth)
{
	static const char *const kept[] = { "sys/", "auth/", "cubbyhole/", "identity/",
		                            "audit/" };

	for (size_t i = 0; !auth && i < ARRAY_LEN(kept); i++)
		if (strncmp(m->path, kept[i], strlen(kept[i])) == 0)
			return req_fail(r, ERR_DENIED, "cannot mount \"%.100s\"",
			                m->path);
	return mount_path_free(r->core, m->path, NULL, &r->e);
}

static int take_flags(struct req *r, struct mount *m)
{
	bool present;
	int rc;

	if ((rc = req_bool(r, "local", &m->local, &present)) != ERR_OK ||
	    (rc = req_bool(r, "seal_wrap", &m->seal_wrap, &present)) != ERR_OK ||
	    (rc = req_bool(r, "external_entropy_access", &m->external_entropy,
	                   &present)) != ERR_OK)
		return rc;
	return mount_take_description(r, m);
}

static void count(void *ctx, const struct mount *m)
{
	(void)m;
	(*(size_t *)ctx)++;
}

static int enable(struct req *r, bool auth)
{
	struct mount m = {
		.description = "",
		.config = {.listing = "",
                           .token_type = auth ? "default-service" : "",
                           .lockout = { .attempts = MOUNT_LOCKOUT_ATTEMPTS,
		                         .duration_ms = MOUNT_LOCKOUT_MS,
		                         .reset_ms = MOUNT_LOCKOUT_MS }},
	};
	const struct value *config = NULL;
	int64_t implied = 0;
	size_t n = 0;
	bool present;
	int rc;

	if ((rc = mount_path(r->a, r->param[0].text, auth, &m.path, &r->e)) != ERR_OK ||
	    (rc = take_type(r, auth, &m, &implied)) != ERR_OK ||
	    (rc = set_version(r, &m, implied)) != ERR_OK ||
	    (rc = take_flags(r, &m)) != ERR_OK ||
	    (rc = req_object(r, "config", &config, &present)) != ERR_OK ||
	    (config != NULL && (rc = mount_take_config(r, config, &m)) != ERR_OK) ||
	    (rc = check_place(r, &m, auth)) != ERR_OK)
		return rc;
	mounts_each(r->core, count, &n);
	if (n >= MOUNTS_MAX)
		return req_fail(r, ERR_INVALID, "there may be %d mounts", MOUNTS_MAX);
	if ((rc = mount_name_new(r->a, &m, &r->e)) != ERR_OK ||
	    (rc = mounts_add(r->core, r->a, &m, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "mount", m.path);
	req_note_str(r, "type", m.type);
	return ERR_OK;
}

int mount_h_enable(struct req *r)
{
	return enable(r, false);
}

int mount_h_enable_auth(struct req *r)
{
	return enable(r, true);
}

/* ---- unmounting ---- */

static int disable(struct req *r, bool auth)
{
	const char *path = arena_printf(r->a, "%s%s/", auth ? "auth/" : "",
	                                r->param[0].text);
	const struct mount *m = path != NULL ? mounts_at(r->core, path) : NULL;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (m == NULL)
		return ERR_OK;
	if (!auth && (mount_built_in(m) || mount_is_auth(m)))
		return req_fail(r, ERR_INVALID, "cannot unmount \"%.150s\"", path);
	if (mount_built_in(m))
		return req_fail(r, ERR_INVALID,
		                "%.60s credential backend cannot be disabled", m->type);
	req_note_str(r, "mount", path);
	return mount_unmount(r->core, r->a, m, &r->e);
}

int mount_h_disable(struct req *r)
{
	return disable(r, false);
}

int mount_h_disable_auth(struct req *r)
{
	return disable(r, true);
}

/* ---- tuning ---- */

/* The mount that a tune is about, or NULL; *path is what it was called. */
static const struct mount *find_tuned(struct req *r, bool auth, const char **path)
{
	*path = arena_printf(r->a, "%s%s/", auth ? "auth/" : "", r->param[0].text);
	return *path != NULL ? mounts_at(r->core, *path) : NULL;
}

static int tune_read(struct req *r, bool auth)
{
	const char *path;
	const struct mount *m = find_tuned(r, auth, &path);
	struct value *out, *entry;

	if (m == NULL)
		return req_fail(r, ERR_INVALID,
		                "cannot fetch sysview for path \"%.150s\"",
		                path != NULL ? path : "");
	out = reply_data(r);
	entry = mount_entry(r->a, m);
	value_set_int(r->a, out, "default_lease_ttl", mount_default_ttl(m) / 1000);
	value_set_str(r->a, out, "description", arena_str(r->a, m->description));
	value_set_bool(r->a, out, "force_no_cache", m->config.force_no_cache);
	value_set_int(r->a, out, "max_lease_ttl", mount_max_ttl(m) / 1000);
	value_set(out, "options", value_copy(r->a, value_get(entry, "options")));
	mount_set_config(r->a, out, m);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

int mount_h_tune_read(struct req *r)
{
	return tune_read(r, false);
}

int mount_h_tune_read_auth(struct req *r)
{
	return tune_read(r, true);
}

static int check_tunable(struct req *r, const char *path)
{
	static const char *const kept[] = { "sys/", "cubbyhole/", "identity/", "audit/" };

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strncmp(path, kept[i], strlen(kept[i])) == 0)
			return req_fail(r, ERR_INVALID, "cannot tune \"%.150s\"", path);
	return ERR_OK;
}

static int upgrade(struct req *r, struct mount *m)
{
	reply_warning(r,
	              "Upgrading mount from version 1 to version 2. This mount will be "
	              "unavailable for a brief period and will resume service "
	              "shortly.");
	return kv_upgrade_start(r->core, r->a, m, &r->e);
}

static int change_version(struct req *r, struct mount *m, int64_t version)
{
	if (version == 0 || strcmp(m->type, "kv") != 0 || version == m->kv_version)
		return ERR_OK;
	if (version < m->kv_version)
		return req_fail(r, ERR_INVALID, "cannot downgrade mount from version %d",
		                m->kv_version);
	return upgrade(r, m);
}

static int tune(struct req *r, bool auth)
{
	const char *path;
	const struct mount *old = find_tuned(r, auth, &path);
	struct mount m;
	int64_t version = 0;
	int rc;

	if (path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = check_tunable(r, path)) != ERR_OK)
		return rc;
	if (old == NULL)
		return req_fail(r, ERR_INVALID,
		                "tune of path \"%.150s\" failed: no mount entry found",
		                path);
	m = *old;
	if ((rc = mount_take_config(r, r->body, &m)) != ERR_OK ||
	    (rc = mount_take_description(r, &m)) != ERR_OK ||
	    (rc = mount_take_options(r, &m, &version)) != ERR_OK ||
	    (rc = change_version(r, &m, version)) != ERR_OK ||
	    (rc = mounts_replace(r->core, r->a, old, &m, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "mount", path);
	return ERR_OK;
}

int mount_h_tune(struct req *r)
{
	return tune(r, false);
}

int mount_h_tune_auth(struct req *r)
{
	return tune(r, true);
}

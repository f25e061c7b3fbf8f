/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_kv - KV version 2 as Vault's clients know it: data, and its versions' life.
 *
 * Reading is the path that matters: one row of metadata, one payload, and the payload
 * goes out as it is encoded, never decoded.
 */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "kv_api.h"
#include "lease.h"
#include "mutant.h"
#include "readers.h"
#include "rotation.h"
#include "route.h"
#include "vault/limits.h"

#define UNSUPPORTED_PATH "1 error occurred:\n\t* unsupported path\n\n"
#define UNSUPPORTED_OP   "1 error occurred:\n\t* unsupported operation\n\n"

int kv_api_path(struct req *r, const char **path)
{
	*path = r->param[0].text != NULL ? r->param[0].text : "";
	return **path != '\0' ? ERR_OK : req_fail(r, ERR_NOENT, UNSUPPORTED_PATH);
}

const char *kv_api_time(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0)
		return "";
	clock_rfc3339(ms, text);
	return arena_str(a, text);
}

int kv_api_exists(struct req *r, bool *exists)
{
	struct kv_secret s = { 0 };
	const char *path;
	int rc;

	if ((rc = kv_api_path(r, &path)) != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, r->mount, path, &s, &r->e);
	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

void kv_api_note(struct req *r, const unsigned char secret_id[32], int64_t version)
{
	req_note_bytes(r, "secret", secret_id, 32);
	if (version > 0)
		req_note_int(r, "version", version);
}

/* The secret and the version that a read asks for.  *gone: it is there, but not its data.
 */
static int open_version(struct req *r, struct kv_secret *s, struct kv_version *v,
                        bool *found, bool *gone)
{
	const char *path;
	int64_t version = 0;
	bool given;
	int rc;

	*found = *gone = false;
	if ((rc = kv_api_path(r, &path)) != ERR_OK ||
	    (rc = req_int(r, "version", &version, &given)) != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, r->mount, path, s, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (!kv_meta_version(s->o.body, version != 0 ? version : s->current, v))
		return ERR_OK;
	*found = true;
	*gone = kv_version_gone(v, r->core->now_ms);
	kv_api_note(r, s->o.id, v->number);
	return ERR_OK;
}

static struct value *reply_version(struct req *r, const char *what, struct value *data,
                                   const struct kv_secret *s, const struct kv_version *v)
{
	struct value *out = reply_data(r), *meta = value_object(r->a);

	value_set(out, what, data);
	kv_version_shown(r->a, meta, value_get(s->o.body, "f"), v);
	value_set(out, "metadata", meta);
	return out;
}

void kv_note_reader(struct req *r, const struct kv_secret *s)
{
	const char *name = r->id.display_name != NULL ? r->id.display_name : "";
	char who[READERS_WHO_MAX];
	size_t room = sizeof(who) - sizeof(r->id.accessor) - 2, n = strlen(name);
	size_t n_accessor = strlen(r->id.accessor);

	if (n > room)
		n = room;
	memcpy(who, name, n);
	who[n++] = ' ';
	memcpy(who + n, r->id.accessor, n_accessor);
	who[n + n_accessor] = '\0';
	readers_note(r->core, s->o.id, who, r->core->now_ms);
}

static int h_data_read(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_version v = { 0 };
	bool found, gone;
	unsigned char *p;
	size_t n;
	int rc = open_version(r, &s, &v, &found, &gone);

	if (rc != ERR_OK || !found)
		return rc;
	if (gone) {
		reply_version(r, "data", value_null(r->a), &s, &v);
		reply_status(r, 404);
		return ERR_OK;
	}
	if ((rc = kv_payload(r->core, r->a, &s, &v, &p, &n, &r->e)) != ERR_OK)
		return rc;
	reply_version(r, "data", value_encoded(r->a, p, n), &s, &v);
	kv_note_reader(r, &s);
	return ERR_OK;
}

static int h_subkeys_read(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_version v = { 0 };
	struct value *data;
	int64_t depth = 0;
	bool found, gone, given;
	int rc = req_int(r, "depth", &depth, &given);

	if (rc != ERR_OK || (rc = open_version(r, &s, &v, &found, &gone)) != ERR_OK ||
	    !found)
		return rc;
	if (gone) {
		reply_version(r, "subkeys", value_null(r->a), &s, &v);
		reply_status(r, 404);
		return ERR_OK;
	}
	if ((rc = kv_read(r->core, r->a, &s, v.number, &data, &r->e)) != ERR_OK)
		return rc;
	if (data->len > 0)
		data = kv_subkeys(r->a, data, depth > 0 ? depth : 0);
	reply_version(r, "subkeys", data, &s, &v);
	return ERR_OK;
}

static int check_cas(struct req *r, const struct kv_secret *s, const struct kv_meta *meta)
{
	const struct value *options = NULL, *given;
	struct kv_config k;
	int64_t cas;
	bool present;
	int rc = req_object(r, "options", &options, &present);

	if (rc != ERR_OK ||
	    (rc = kv_config_get(r->core, r->a, s->mount, &k, &r->e)) != ERR_OK)
		return rc;
	given = value_get(options, "cas");
	if (given == NULL || given->type == V_NULL) {
		if (meta->cas_required || k.cas_required)
			return req_fail(r, ERR_INVALID,
			                "check-and-set parameter required for this call");
		return ERR_OK;
	}
	if (value_to_int(given, &cas) != 0)
		return req_fail(r, ERR_INVALID, "error parsing check-and-set parameter");
	if (cas != meta->current && !MUTANT(MUTANT_NO_CAS))
		return req_fail(
			r, ERR_CONFLICT,
			"check-and-set parameter did not match the current version");
	return ERR_OK;
}

/* Common to a write and a patch: the body, and the secret as it is. */
static int open_for_write(struct req *r, const struct value **data, struct kv_secret *s,
                          struct kv_meta *meta)
{
	const char *path;
	bool present;
	int rc;

	if ((rc = kv_api_path(r, &path)) != ERR_OK ||
	    (rc = req_object(r, "data", data, &present)) != ERR_OK)
		return rc;
	if (!present)
		return req_fail(r, ERR_INVALID, "no data provided");
	rc = kv_open_or_new(r->core, r->a, r->mount, path, s, meta, &r->e);
	return rc;
}

static int write_and_reply(struct req *r, struct kv_secret *s, struct kv_meta *meta,
                           const struct value *data)
{
	struct kv_version v = { 0 };
	int rc = kv_write_version(r->core, r->a, s, meta, data, &v, &r->e);

	if (rc != ERR_OK)
		return rc;
	kv_api_note(r, s->o.id, v.number);
	kv_version_shown(r->a, reply_data(r), meta->custom, &v);
	return ERR_OK;
}

static int h_data_write(struct req *r)
{
	const struct value *data = NULL;
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	int rc = open_for_write(r, &data, &s, &meta);

	if (rc != ERR_OK || (rc = check_cas(r, &s, &meta)) != ERR_OK)
		return rc;
	return write_and_reply(r, &s, &meta, data);
}

static int h_data_patch(struct req *r)
{
	const struct value *patch = NULL, *merged;
	struct value *data;
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	struct kv_version *v;
	int rc = open_for_write(r, &patch, &s, &meta);

	if (rc != ERR_OK)
		return rc;
	v = kv_meta_find(&meta, meta.current);
	if (v == NULL) {
		reply_errors(r, 404, NULL, NULL);
		return ERR_OK;
	}
	if (kv_version_gone(v, r->core->now_ms)) {
		reply_version(r, "data", value_null(r->a), &s, v);
		reply_status(r, 404);
		return ERR_OK;
	}
	if ((rc = check_cas(r, &s, &meta)) != ERR_OK ||
	    (rc = kv_read(r->core, r->a, &s, v->number, &data, &r->e)) != ERR_OK)
		return rc;
	if ((merged = kv_merge_patch(r->a, data, patch)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	return write_and_reply(r, &s, &meta, merged);
}

/* One change of one version's state; false if it was so already. */
typedef bool (*version_fn)(const struct core *c, struct kv_version *v);

static bool soft_delete(const struct core *c, struct kv_version *v)
{
	if (kv_version_gone(v, c->now_ms))
		return false;
	v->deleted_ms = c->now_ms;
	v->deleted = true;
	return true;
}

static bool undelete(const struct core *c, struct kv_version *v)
{
	(void)c;
	if (v->destroyed || v->deleted_ms == 0)
		return false;
	v->deleted_ms = 0;
	v->deleted = false;
	return true;
}

static bool destroy(const struct core *c, struct kv_version *v)
{
	(void)c;
	if (v->destroyed)
		return false;
	v->destroyed = true;
	return true;
}

/* "1,2,5", cut short if there are very many. */
struct version_list {
	char text[200];
	size_t n;
};

static void list_version(struct version_list *l, int64_t number)
{
	size_t room = sizeof(l->text) - l->n;
	int n = snprintf(l->text + l->n, room, "%s%lld", l->n > 0 ? "," : "",
	                 (long long)number);

	if (n > 0 && (size_t)n < room)
		l->n += (size_t)n;
	else
		l->text[l->n] = '\0';
}

/* What was changed. */
struct changed {
	struct kv_version *at;
	size_t n;
	struct version_list list;
	bool current; /* the current version was among them */
};

static int change_each(struct req *r, struct kv_meta *meta, const struct value *numbers,
                       version_fn fn, struct changed *out)
{
	int64_t number;

	out->at = arena_alloc(r->a, (numbers->len + 1) * sizeof(*out->at));
	if (out->at == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (const struct value *i = numbers->first; i != NULL; i = i->next) {
		struct kv_version *v;

		if (value_to_int(i, &number) != 0)
			return req_fail(r, ERR_INVALID, "versions: not a version number");
		if ((v = kv_meta_find(meta, number)) == NULL || !fn(r->core, v))
			continue;
		out->at[out->n++] = *v;
		list_version(&out->list, number);
		out->current = out->current || number == meta->current;
	}
	return ERR_OK;
}

/* Holders hear of it when the version that they follow has gone, or is back.  What is
 * destroyed is so for everyone at once; the answer comes when the payloads are gone. */
static int change_versions(struct req *r, struct kv_secret *s, struct kv_meta *meta,
                           const struct value *numbers, version_fn fn)
{
	struct changed ch = { .n = 0 };
	struct kv_later later = { .any = false };
	struct core *c = r->core;
	int rc = change_each(r, meta, numbers, fn, &ch);

	if (rc != ERR_OK || ch.n == 0)
		return rc;
	if (ch.current && (rc = rotation_may_write(c, r->a, s->o.id, &r->e)) != ERR_OK)
		return rc;
	req_note_bytes(r, "secret", s->o.id, 32);
	req_note_str(r, "versions", ch.list.text);
	if ((rc = kv_save(c, r->a, s, meta, &r->e)) != ERR_OK)
		return rc;
	if (fn == destroy &&
	    (rc = kv_erase(c, r->a, s->o.id, &(struct kv_versions){ ch.at, ch.n }, &later,
	                   &r->e)) != ERR_OK)
		return rc;
	if (ch.current)
		rc = lease_secret_changed(c, r->a, s->o.id, meta->current,
		                          fn == undelete ? "update" : "revoke", &r->e);
	return rc == ERR_OK && later.any ? job_wait(r, &later.job, 1) : rc;
}

static int open_meta(struct req *r, struct kv_secret *s, struct kv_meta *meta,
                     bool *found)
{
	const char *path;
	int rc;

	*found = false;
	if ((rc = kv_api_path(r, &path)) != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, r->mount, path, s, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	*found = true;
	return kv_meta_read(r->a, s->o.body, meta, &r->e);
}

static int change_listed(struct req *r, version_fn fn, const char *empty)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	struct value *numbers = NULL;
	bool present, found;
	int rc = req_strings(r, "versions", &numbers, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || numbers == NULL || numbers->len == 0)
		return req_fail(r, ERR_INVALID, "%s", empty);
	if (numbers->len > KV_VERSIONS_MAX)
		return req_fail(r, ERR_INVALID, "versions: at most %d at a time",
		                KV_VERSIONS_MAX);
	if ((rc = open_meta(r, &s, &meta, &found)) != ERR_OK || !found)
		return rc;
	return change_versions(r, &s, &meta, numbers, fn);
}

static int h_delete(struct req *r)
{
	return change_listed(r, soft_delete, "No version number provided");
}

static int h_undelete(struct req *r)
{
	return change_listed(r, undelete, "No version number provided");
}

static int h_destroy(struct req *r)
{
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	return change_listed(r, destroy, "no version number provided");
}

static int h_data_delete(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	struct value *newest = value_array(r->a);
	bool found;
	int rc = open_meta(r, &s, &meta, &found);

	if (rc != ERR_OK || !found)
		return rc;
	value_add(newest, value_int(r->a, meta.current));
	return newest != NULL ? change_versions(r, &s, &meta, newest, soft_delete)
	                      : ERR_OK;
}

/* What would be a path of a version 1 mount; clients that took it for one are told. */
static int h_invalid_path(struct req *r)
{
	static const char *const known[] = { "config",
		                             "data",
		                             "delete",
		                             "undelete",
		                             "destroy",
		                             "metadata",
		                             "detailed-metadata",
		                             "subkeys" };
	static const char *const verb[OP__MAX] = {
		[OP_READ] = "get",   [OP_LIST] = "list",   [OP_CREATE] = "put",
		[OP_UPDATE] = "put", [OP_PATCH] = "patch", [OP_DELETE] = "delete",
		[OP_SCAN] = "scan",
	};
	const char *path = r->param[0].text;
	size_t n = strcspn(path, "/");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == n && memcmp(known[i], path, n) == 0)
			return req_fail(r, ERR_METHOD, UNSUPPORTED_OP);
	if (n == 0 && !op_lists(r->op)) {
		reply_errors(
			r, 404,
			"Non-listing operations on the root of a K/V v2 mount are not "
			"supported.",
			NULL);
		return ERR_OK;
	}
	reply_warning(
		r,
		"Invalid path for a versioned K/V secrets engine. See the API docs for the "
		"appropriate API endpoints to use. If using the Vault CLI, use 'vault kv %s' "
		"for this operation.",
		verb[r->op]);
	reply_status(r, 404);
	return ERR_OK;
}

/* clang-format off */
static const struct field read_fields[] = {
	{ "version", "int", "version to read; 0 or absent: the current one" },
	{ NULL, NULL, NULL },
};
static const struct field subkey_fields[] = {
	{ "version", "int", "version to read; 0 or absent: the current one" },
	{ "depth", "int", "how many levels to show; 0: all" },
	{ NULL, NULL, NULL },
};
static const struct field write_fields[] = {
	{ "data", "object", "the secret: any object" },
	{ "options", "object", "{\"cas\": N}: write only if N is the current version" },
	{ NULL, NULL, NULL },
};
static const struct field version_fields[] = {
	{ "versions", "strings", "version numbers" },
	{ NULL, NULL, NULL },
};
static const struct field config_fields[] = {
	{ "max_versions", "int", "versions to keep; 0: 10" },
	{ "cas_required", "bool", "refuse writes without options.cas" },
	{ "delete_version_after", "duration",
	  "age at which a version is deleted; 0s: never" },
	{ NULL, NULL, NULL },
};
static const struct field meta_fields[] = {
	{ "max_versions", "int", "versions to keep; 0: the mount's setting" },
	{ "cas_required", "bool", "refuse writes without options.cas" },
	{ "delete_version_after", "duration", "age at which a version is deleted" },
	{ "custom_metadata", "object", "map of strings, replaced as a whole" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "kv", M_GET, "config", 0, NULL, kv_h_config_read, NULL,
	  "read the mount's settings" },
	{ "kv", M_POST, "config", 0, config_fields, kv_h_config_write, NULL,
	  "change the mount's settings" },
	{ "kv", M_GET, "data/*path", 0, read_fields, h_data_read, NULL, "read a secret" },
	{ "kv", M_POST, "data/*path", 0, write_fields, h_data_write, kv_api_exists,
	  "write a new version" },
	{ "kv", M_PATCH, "data/*path", 0, write_fields, h_data_patch, NULL,
	  "merge into the current version" },
	{ "kv", M_DELETE, "data/*path", 0, NULL, h_data_delete, NULL,
	  "delete the current version (undelete brings it back)" },
	{ "kv", M_POST, "delete/*path", 0, version_fields, h_delete, NULL,
	  "delete versions" },
	{ "kv", M_POST, "undelete/*path", 0, version_fields, h_undelete, NULL,
	  "bring deleted versions back" },
	{ "kv", M_POST, "destroy/*path", 0, version_fields, h_destroy, NULL,
	  "destroy versions for good" },
	{ "kv", M_GET, "subkeys/*path", 0, subkey_fields, h_subkeys_read, NULL,
	  "read the names in a secret without values" },
	{ "kv", M_GET, "metadata/*path", 0, NULL, kv_h_meta_read, NULL,
	  "read a secret's metadata and versions" },
	{ "kv", M_LIST | M_SCAN, "metadata/*path", 0, kv_list_fields, kv_h_meta_list, NULL,
	  "list a folder" },
	{ "kv", M_LIST | M_SCAN, "detailed-metadata/*path", 0, kv_list_fields,
	  kv_h_detailed_list, NULL, "list a folder with the metadata of its secrets" },
	{ "kv", M_POST, "metadata/*path", 0, meta_fields, kv_h_meta_write, kv_api_exists,
	  "change a secret's metadata" },
	{ "kv", M_PATCH, "metadata/*path", 0, meta_fields, kv_h_meta_patch, NULL,
	  "merge into a secret's metadata" },
	{ "kv", M_DELETE, "metadata/*path", 0, NULL, kv_h_meta_delete, NULL,
	  "remove a secret with all versions" },
	{ "kv", M_GET | M_LIST | M_SCAN | M_POST | M_PATCH | M_DELETE, "*path",
	  R_OPEN_BODY, NULL, h_invalid_path, NULL, "paths of version 1: answered with advice" },
};
/* clang-format on */

const struct route_table routes_kv = { rows, ARRAY_LEN(rows) };

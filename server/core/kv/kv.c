/* SPDX-License-Identifier: Apache-2.0 */
#include "kv.h"

#include <string.h>

#include "arena.h"
#include "database.h"
#include "kv_folder.h"
#include "kv_impl.h"
#include "lease.h"
#include "path.h"
#include "rotation.h"
#include "vault/limits.h"

bool kv_holds_secrets(const struct mount *m, const char *rest)
{
	if (m == NULL)
		return false;
	return strcmp(m->engine, "kv") == 0 ||
	       (strcmp(m->engine, "database") == 0 &&
	        strncmp(rest, DB_STATIC, strlen(DB_STATIC)) == 0);
}

/* "data/app/db" of a KV version 2 mount to "app/db", and the listing "metadata/app/" to
 * "app/"; who leaves the verb out means the same. */
static const char *skip_verb(const char *rest)
{
	const char *verb = kv_is_folder(rest) ? "metadata/" : "data/";

	return strncmp(rest, verb, strlen(verb)) == 0 ? rest + strlen(verb) : rest;
}

int kv_named(struct core *c, struct arena *a, const char *text, char **path,
             struct err *e)
{
	static const char api[] = "/v1/";
	const struct mount *m;
	const char *named = text, *rest;
	int rc;

	if (strncmp(text, api, strlen(api)) == 0)
		named += strlen(api);
	if ((rc = path_check(named, strlen(named), e)) != ERR_OK)
		return rc;
	m = named != text ? mounts_match(c, named, &rest) : NULL;
	*path = m != NULL && strcmp(m->engine, "kv") == 0
	                ? arena_printf(a, "%s%s", m->path, skip_verb(rest))
	                : arena_str(a, named);
	return *path != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

int kv_split(struct core *c, const char *full_path, const struct mount **m,
             const char **rest, struct err *e)
{
	size_t n = strlen(full_path);
	const struct mount *found;
	const char *tail;
	int rc = path_check(full_path, n, e);

	if (rc != ERR_OK)
		return rc;
	found = mounts_match(c, full_path, &tail);
	if (!kv_holds_secrets(found, tail))
		return err_set(e, ERR_INVALID, "\"%.150s\" is not below a KV mount",
		               full_path);
	if (tail[0] == '\0' || full_path[n - 1] == '/')
		return err_set(e, ERR_INVALID, "\"%.150s\" does not name a secret",
		               full_path);
	*m = found;
	*rest = tail;
	return ERR_OK;
}

void kv_secret_id(struct core *c, const struct mount *m, const char *path,
                  unsigned char out[32])
{
	store_blind(c, out, "secret", m->id, sizeof(m->id), path, strlen(path));
}

int kv_open(struct core *c, struct arena *a, const struct mount *m, const char *path,
            struct kv_secret *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	kv_secret_id(c, m, path, id);
	if ((rc = store_get(c, a, KIND_SECRET, id, sizeof(id), &out->o, e)) != ERR_OK)
		return rc;
	out->mount = m;
	out->path = path;
	out->current = value_int_or(out->o.body, "n", 0);
	return ERR_OK;
}

int kv_open_id(struct core *c, struct arena *a, const unsigned char secret_id[32],
               struct kv_secret *out, struct err *e)
{
	const struct value *mount;
	int rc = store_get(c, a, KIND_SECRET, secret_id, 32, &out->o, e);

	if (rc != ERR_OK)
		return rc;
	mount = value_get(out->o.body, "m");
	out->mount = mount != NULL && mount->len == 16
	                     ? mounts_by_id(c, (const unsigned char *)mount->text)
	                     : NULL;
	out->path = value_cstr_or(a, out->o.body, "p", NULL);
	out->current = value_int_or(out->o.body, "n", 0);
	if (mount == NULL || mount->len != 16 || out->path == NULL)
		return err_set(e, ERR_INTEGRITY, "metadata of a secret is malformed");
	/* The data of a mount that is gone wait for their destruction. */
	return out->mount != NULL ? ERR_OK : err_set(e, ERR_NOENT, "no such secret");
}

int kv_open_or_new(struct core *c, struct arena *a, const struct mount *m,
                   const char *path, struct kv_secret *s, struct kv_meta *meta,
                   struct err *e)
{
	int rc = kv_open(c, a, m, path, s, e);

	if (rc == ERR_OK)
		return kv_meta_read(a, s->o.body, meta, e);
	if (rc != ERR_NOENT)
		return rc;
	*s = (struct kv_secret){ .mount = m, .path = path };
	s->o.kind = KIND_SECRET;
	s->o.id_len = s->o.parent_len = 32;
	kv_secret_id(c, m, path, s->o.id);
	kv_dir_id(c, m->id, path, kv_dir_len(path), s->o.parent);
	*meta = (struct kv_meta){ .created_ms = c->now_ms, .updated_ms = c->now_ms };
	meta->versions = arena_alloc(a, sizeof(*meta->versions));
	return meta->versions != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

int kv_save(struct core *c, struct arena *a, struct kv_secret *s, const struct kv_meta *m,
            struct err *e)
{
	bool is_new = s->o.version == 0;
	int rc;

	s->o.body = kv_meta_body(a, s, m);
	if (s->o.body == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->current = m->current;
	if ((rc = store_put(c, &s->o, e)) != ERR_OK)
		return rc;
	return is_new ? kv_dir_enter(c, a, s->mount->id, s->path, e) : ERR_OK;
}

char *kv_full_path(struct arena *a, const struct kv_secret *s)
{
	return arena_printf(a, "%s%s", s->mount->path, s->path);
}

static void config_id(struct core *c, const unsigned char mount_id[MOUNT_ID],
                      unsigned char out[32])
{
	store_blind(c, out, "kv-config", mount_id, MOUNT_ID, NULL, 0);
}

int kv_config_forget(struct core *c, struct arena *a,
                     const unsigned char mount_id[MOUNT_ID], struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	config_id(c, mount_id, id);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &o, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return store_delete(c, &o, e);
}

int kv_config_get(struct core *c, struct arena *a, const struct mount *m,
                  struct kv_config *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(out, 0, sizeof(*out));
	config_id(c, m->id, id);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &out->o, e);
	if (rc == ERR_NOENT) {
		memset(out, 0, sizeof(*out));
		out->o.kind = KIND_SETTING;
		memcpy(out->o.id, id, sizeof(id));
		out->o.id_len = sizeof(id);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	out->max_versions = value_int_or(out->o.body, "max_versions", 0);
	out->delete_after_ms = value_int_or(out->o.body, "delete_after_ms", 0);
	out->cas_required = value_bool_or(out->o.body, "cas_required", false);
	return ERR_OK;
}

int kv_config_put(struct core *c, struct arena *a, struct kv_config *k, struct err *e)
{
	k->o.body = value_object(a);
	value_set_int(a, k->o.body, "max_versions", k->max_versions);
	value_set_int(a, k->o.body, "delete_after_ms", k->delete_after_ms);
	value_set_bool(a, k->o.body, "cas_required", k->cas_required);
	return store_put(c, &k->o, e);
}

int kv_payload(struct core *c, struct arena *a, const struct kv_secret *s,
               const struct kv_version *v, unsigned char **out, size_t *n, struct err *e)
{
	int rc = payload_get(c, a, s->o.id, v->number, v->created_ms, out, n, e);

	/* The metadata says that it is there. */
	if (rc == ERR_NOENT)
		return err_set(e, ERR_INTEGRITY,
		               "payload of a secret version is missing");
	return rc;
}

int kv_read(struct core *c, struct arena *a, struct kv_secret *s, int64_t version,
            struct value **data, struct err *e)
{
	struct kv_version v;
	unsigned char *p;
	size_t n;
	int rc;

	if (!kv_meta_version(s->o.body, version != 0 ? version : s->current, &v) ||
	    kv_version_gone(&v, c->now_ms))
		return err_set(e, ERR_NOENT, "no such version");
	if ((rc = kv_payload(c, a, s, &v, &p, &n, e)) != ERR_OK)
		return rc;
	return value_decode(a, p, n, data, e);
}

static int64_t deletion_time(const struct core *c, const struct kv_meta *meta,
                             const struct kv_config *k)
{
	int64_t after = meta->delete_after_ms;

	/* A negative one, which means never, is the smaller of the two and stays. */
	if (k->delete_after_ms > 0 && (after == 0 || k->delete_after_ms < after))
		after = k->delete_after_ms;
	return after > 0 ? c->now_ms + after : 0;
}

/* The oldest versions go; nobody waits for the end of their payloads. */
static int trim(struct core *c, struct arena *a, const struct kv_secret *s,
                struct kv_meta *meta, const struct kv_config *k, struct err *e)
{
	int64_t keep = meta->max_versions > k->max_versions ? meta->max_versions
	                                                    : k->max_versions;
	struct kv_versions gone = { .at = meta->versions };
	struct kv_later later;
	int rc;

	if (keep <= 0)
		keep = LIMIT_VERSIONS_DEFAULT;
	while (gone.n < meta->n && gone.at[gone.n].number <= meta->current - keep)
		gone.n++;
	if (gone.n == 0)
		return ERR_OK;
	if ((rc = kv_erase(c, a, s->o.id, &gone, &later, e)) != ERR_OK)
		return rc;
	meta->n -= gone.n;
	memmove(meta->versions, meta->versions + gone.n,
	        meta->n * sizeof(*meta->versions));
	meta->oldest = meta->current - keep + 1;
	return ERR_OK;
}

/* A payload may be there that outlived a deleted secret of the same name: its end has
 * been put off (kv_erase.c). */
static int put_payload(struct core *c, const struct kv_secret *s,
                       const struct kv_version *v, const void *p, size_t n, struct err *e)
{
	int rc = payload_put(c, s->o.id, v->number, v->created_ms, p, n, e);

	if (rc != ERR_CONFLICT)
		return rc;
	if ((rc = payload_destroy(c, s->o.id, v->number, e)) != ERR_OK)
		return rc;
	return payload_put(c, s->o.id, v->number, v->created_ms, p, n, e);
}

int kv_write_version(struct core *c, struct arena *a, struct kv_secret *s,
                     struct kv_meta *meta, const struct value *data,
                     struct kv_version *out, struct err *e)
{
	size_t size = value_size(data), n;
	struct kv_config k;
	struct kv_version v = { .number = meta->current + 1, .created_ms = c->now_ms };
	unsigned char *p;
	int rc;

	if (size > LIMIT_SECRET_VALUE)
		return err_set(e, ERR_TOO_BIG, "secret value is larger than %u bytes",
		               LIMIT_SECRET_VALUE);
	if ((p = value_pack(a, data, &n)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = rotation_may_write(c, a, s->o.id, e)) != ERR_OK ||
	    (rc = kv_config_get(c, a, s->mount, &k, e)) != ERR_OK ||
	    (rc = put_payload(c, s, &v, p, n, e)) != ERR_OK)
		return rc;
	v.deleted_ms = deletion_time(c, meta, &k);
	meta->versions[meta->n++] = v;
	meta->current = v.number;
	meta->updated_ms = c->now_ms;
	if ((rc = trim(c, a, s, meta, &k, e)) != ERR_OK ||
	    (rc = kv_save(c, a, s, meta, e)) != ERR_OK)
		return rc;
	*out = v;
	if ((rc = rotation_written(c, a, s->o.id, e)) != ERR_OK)
		return rc;
	return lease_secret_changed(c, a, s->o.id, v.number, "update", e);
}

int kv_write(struct core *c, struct arena *a, const struct mount *m, const char *path,
             const struct value *data, int64_t cas, int64_t *version, struct err *e)
{
	struct kv_secret s;
	struct kv_meta meta = { 0 };
	struct kv_version v = { 0 };
	int rc = kv_open_or_new(c, a, m, path, &s, &meta, e);

	if (rc != ERR_OK)
		return rc;
	if (cas >= 0 && cas != meta.current)
		return err_set(
			e, ERR_CONFLICT,
			"check-and-set parameter did not match the current version");
	if ((rc = kv_write_version(c, a, &s, &meta, data, &v, e)) == ERR_OK)
		*version = v.number;
	return rc;
}

int kv_delete_all(struct core *c, struct arena *a, struct kv_secret *s,
                  const struct kv_meta *meta, struct kv_later *later, struct err *e)
{
	const struct kv_versions all = { meta->versions, meta->n };
	int rc;

	if ((rc = rotation_may_write(c, a, s->o.id, e)) != ERR_OK ||
	    (rc = kv_erase(c, a, s->o.id, &all, later, e)) != ERR_OK ||
	    (rc = store_delete(c, &s->o, e)) != ERR_OK ||
	    (rc = kv_dir_leave(c, a, s->mount->id, s->path, e)) != ERR_OK ||
	    (rc = lease_secret_changed(c, a, s->o.id, meta->current, "revoke", e)) !=
	            ERR_OK)
		return rc;
	/* Another secret of this name is none of its business. */
	return rotation_forget(c, a, s->o.id, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "entry.h"

#include <string.h>

#include "arena.h"
#include "duration.h"
#include "lease.h"
#include "vault/limits.h"

void entry_id(struct core *c, const unsigned char space[KV_SPACE], const char *path,
              unsigned char out[32])
{
	store_blind(c, out, "entry", space, KV_SPACE, path, strlen(path));
}

int entry_read(struct arena *a, const struct store_object *o, struct entry *out,
               struct err *e)
{
	const struct value *space = value_get(o->body, "m");

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->path = value_cstr_or(a, o->body, "p", NULL);
	out->writes = value_int_or(o->body, "n", 0);
	out->updated_ms = value_int_or(o->body, "u", 0);
	out->ttl_ms = value_int_or(o->body, "t", 0);
	if (out->path == NULL || out->writes < 1 || space == NULL ||
	    space->type != V_BYTES || space->len != KV_SPACE || o->id_len != 32)
		return err_set(e, ERR_INTEGRITY, "an entry's record is malformed");
	out->space = (const unsigned char *)space->text;
	return ERR_OK;
}

int entry_open(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
               const char *path, struct entry *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	entry_id(c, space, path, id);
	if ((rc = store_get(c, a, KIND_ENTRY, id, sizeof(id), &o, e)) != ERR_OK)
		return rc;
	return entry_read(a, &o, out, e);
}

int entry_value(struct core *c, struct arena *a, const struct entry *en,
                unsigned char **out, size_t *n, struct err *e)
{
	int rc = payload_get(c, a, en->o.id, en->writes, en->updated_ms, out, n, e);

	return rc == ERR_NOENT
	               ? err_set(e, ERR_INTEGRITY, "payload of an entry is missing")
	               : rc;
}

static int open_or_new(struct core *c, struct arena *a,
                       const unsigned char space[KV_SPACE], const char *path,
                       struct entry *en, struct err *e)
{
	int rc = entry_open(c, a, space, path, en, e);

	if (rc != ERR_NOENT)
		return rc;
	memset(en, 0, sizeof(*en));
	en->space = space;
	en->path = path;
	en->o.kind = KIND_ENTRY;
	en->o.id_len = en->o.parent_len = 32;
	entry_id(c, space, path, en->o.id);
	kv_dir_id(c, space, path, kv_dir_len(path), en->o.parent);
	return ERR_OK;
}

static int put_row(struct core *c, struct arena *a, struct entry *en, struct err *e)
{
	bool is_new = en->o.version == 0;
	struct value *b = value_object(a);
	int rc;

	value_set_str(a, b, "p", en->path);
	value_set_bytes(a, b, "m", en->space, KV_SPACE);
	value_set_int(a, b, "n", en->writes);
	value_set_int(a, b, "u", en->updated_ms);
	if (en->ttl_ms > 0)
		value_set_int(a, b, "t", en->ttl_ms);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	en->o.body = b;
	if ((rc = store_put(c, &en->o, e)) != ERR_OK || !is_new)
		return rc;
	return kv_dir_enter(c, a, en->space, en->path, e);
}

/* Nobody else has what is in a cubbyhole. */
static int tell(struct core *c, struct arena *a, const struct entry *en, const char *op,
                struct err *e)
{
	if (mounts_by_id(c, en->space) == NULL)
		return ERR_OK;
	return lease_secret_changed(c, a, en->o.id, en->writes, op, e);
}

/* A number of seconds or a duration; what is neither says nothing. */
static int64_t ttl_of(const struct value *data)
{
	const struct value *v = value_get(data, "ttl");
	struct err ignored;
	int64_t n = 0;

	if (v == NULL)
		v = value_get(data, "lease");
	if (v == NULL)
		return 0;
	if (v->type == V_STRING)
		return duration_parse(v->text, v->len, &n, &ignored) == ERR_OK ? n : 0;
	return v->type == V_NUMBER && value_to_int(v, &n) == 0 && n < INT64_MAX / 1000
	               ? n * 1000
	               : 0;
}

int entry_write(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                const char *path, const struct value *data, struct err *e)
{
	struct entry en = { .writes = 0 };
	unsigned char *p;
	size_t n;
	int rc;

	if (value_size(data) > LIMIT_SECRET_VALUE)
		return err_set(e, ERR_TOO_BIG, "secret value is larger than %u bytes",
		               LIMIT_SECRET_VALUE);
	if ((p = value_pack(a, data, &n)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = open_or_new(c, a, space, path, &en, e)) != ERR_OK ||
	    (rc = payload_destroy(c, en.o.id, en.writes, e)) != ERR_OK)
		return rc;
	en.writes++;
	en.updated_ms = c->now_ms;
	en.ttl_ms = ttl_of(data);
	if ((rc = payload_put(c, en.o.id, en.writes, en.updated_ms, p, n, e)) != ERR_OK)
		return rc;
	if ((rc = put_row(c, a, &en, e)) != ERR_OK)
		return rc;
	return tell(c, a, &en, "update", e);
}

int entry_erase(struct core *c, const struct entry *en, struct err *e)
{
	int rc = payload_destroy(c, en->o.id, en->writes, e);

	return rc == ERR_OK ? store_delete(c, &en->o, e) : rc;
}

int entry_delete(struct core *c, struct arena *a, struct entry *en, struct err *e)
{
	int rc = entry_erase(c, en, e);

	if (rc != ERR_OK || (rc = kv_dir_leave(c, a, en->space, en->path, e)) != ERR_OK)
		return rc;
	return tell(c, a, en, "revoke", e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kv_leased.h"

#include <string.h>

#include "arena.h"
#include "entry.h"
#include "path.h"

static bool has_entries(const struct mount *m)
{
	return m != NULL && strcmp(m->engine, "kv1") == 0;
}

bool kv_leased_on(const struct mount *m, const char *rest)
{
	return has_entries(m) || kv_holds_secrets(m, rest);
}

/* *m NULL: no mount with entries. */
static int split(struct core *c, const char *path, const struct mount **m,
                 const char **rest, struct err *e)
{
	size_t n = strlen(path);
	int rc = path_check(path, n, e);

	if (rc != ERR_OK)
		return rc;
	*m = mounts_match(c, path, rest);
	if (!has_entries(*m)) {
		*m = NULL;
		return ERR_OK;
	}
	if (**rest == '\0' || path[n - 1] == '/')
		return err_set(e, ERR_INVALID, "\"%.150s\" does not name a secret", path);
	return ERR_OK;
}

int kv_leased_id(struct core *c, const char *path, unsigned char id[32], struct err *e)
{
	const struct mount *m;
	const char *rest;
	int rc = split(c, path, &m, &rest, e);

	if (rc != ERR_OK)
		return rc;
	if (m != NULL) {
		entry_id(c, m->id, rest, id);
		return ERR_OK;
	}
	if ((rc = kv_split(c, path, &m, &rest, e)) == ERR_OK)
		kv_secret_id(c, m, rest, id);
	return rc;
}

static int take_secret(struct core *c, struct arena *a, struct kv_secret *s,
                       struct kv_leased *out, struct err *e)
{
	int rc = kv_read(c, a, s, 0, &out->data, e);

	if (rc != ERR_OK)
		return rc;
	memcpy(out->id, s->o.id, sizeof(out->id));
	out->path = kv_full_path(a, s);
	out->version = s->current;
	out->metadata = kv_metadata(a, s);
	return ERR_OK;
}

static int take_entry(struct core *c, struct arena *a, const struct mount *m,
                      const struct entry *en, struct kv_leased *out, struct err *e)
{
	unsigned char *p;
	size_t n;
	int rc = entry_value(c, a, en, &p, &n, e);

	if (rc != ERR_OK || (rc = value_decode(a, p, n, &out->data, e)) != ERR_OK)
		return rc;
	memcpy(out->id, en->o.id, sizeof(out->id));
	out->path = arena_printf(a, "%s%s", m->path, en->path);
	out->version = en->writes;
	out->metadata = NULL;
	return ERR_OK;
}

static int find(struct core *c, struct arena *a, const char *path, struct kv_leased *out,
                struct err *e)
{
	struct kv_secret s = { .current = 0 };
	const struct mount *m;
	const char *rest;
	struct entry en;
	int rc = split(c, path, &m, &rest, e);

	if (rc != ERR_OK)
		return rc;
	if (m != NULL) {
		rc = entry_open(c, a, m->id, rest, &en, e);
		return rc == ERR_OK ? take_entry(c, a, m, &en, out, e) : rc;
	}
	if ((rc = kv_split(c, path, &m, &rest, e)) != ERR_OK ||
	    (rc = kv_open(c, a, m, rest, &s, e)) != ERR_OK)
		return rc;
	return take_secret(c, a, &s, out, e);
}

static int open_entry(struct core *c, struct arena *a, const unsigned char id[32],
                      struct kv_leased *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	const struct mount *m;
	struct entry en;
	int rc = store_get(c, a, KIND_ENTRY, id, 32, &o, e);

	if (rc != ERR_OK || (rc = entry_read(a, &o, &en, e)) != ERR_OK)
		return rc;
	/* What is left of a mount that is gone waits for its destruction. */
	m = mounts_by_id(c, en.space);
	return m != NULL ? take_entry(c, a, m, &en, out, e) : ERR_NOENT;
}

static int by_id(struct core *c, struct arena *a, const unsigned char id[32],
                 struct kv_leased *out, struct err *e)
{
	struct kv_secret s = { .current = 0 };
	int rc = kv_open_id(c, a, id, &s, e);

	if (rc == ERR_NOENT)
		return open_entry(c, a, id, out, e);
	return rc == ERR_OK ? take_secret(c, a, &s, out, e) : rc;
}

static int judge(int rc, const struct kv_leased *out, struct err *e)
{
	if (rc == ERR_NOENT)
		return err_set(e, rc, "no such secret");
	if (rc == ERR_OK && out->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return rc;
}

int kv_leased_find(struct core *c, struct arena *a, const char *path,
                   struct kv_leased *out, struct err *e)
{
	return judge(find(c, a, path, out, e), out, e);
}

int kv_leased_open(struct core *c, struct arena *a, const unsigned char id[32],
                   struct kv_leased *out, struct err *e)
{
	return judge(by_id(c, a, id, out, e), out, e);
}

int kv_leased_version(struct core *c, struct arena *a, const unsigned char id[32],
                      int64_t version, struct value **data, struct err *e)
{
	struct kv_secret s = { .current = 0 };
	struct kv_leased now;
	int rc = kv_open_id(c, a, id, &s, e);

	if (rc == ERR_OK)
		rc = kv_read(c, a, &s, version, data, e);
	else if (rc == ERR_NOENT && (rc = open_entry(c, a, id, &now, e)) == ERR_OK) {
		*data = now.data;
		rc = now.version == version ? ERR_OK : ERR_NOENT;
	}
	return rc == ERR_NOENT ? err_set(e, rc, "there is no such version any more") : rc;
}

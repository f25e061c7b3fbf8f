/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts - what is served where: the built-in mounts, and the stored ones in memory.
 *
 * KIND_MOUNT body: {path, type, version, accessor, uuid, description}.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "kv.h"
#include "kv_impl.h"
#include "path.h"
#include "readers.h"
#include "rng.h"
#include "text.h"
#include "vault/limits.h"

static const struct mount built_in[] = {
	{
         .path = "sys/",
         .type = "system",
         .accessor = "system_00000000",
         .uuid = "",
         .description = "system endpoints used for control, policy and debugging",
	 },
	{
         .path = "auth/token/",
         .type = "token",
         .accessor = "auth_token_00000000",
         .uuid = "",
         .description = "token based credentials",
	 },
	{
         .path = "auth/host/",
         .type = "host",
         .accessor = "auth_host_00000000",
         .uuid = "",
         .description = "hosts with their agents",
	 },
};

struct mounts {
	struct mount **at; /* each with its strings in one allocation */
	size_t n, cap;
	int64_t unsealed_ms; /* boot clock */
};

static const char *take(char **p, const char *s)
{
	size_t n = strlen(s) + 1;
	char *out = *p;

	memcpy(out, s, n);
	*p += n;
	return out;
}

static struct mount *mount_new(const struct mount *from)
{
	size_t n = strlen(from->path) + strlen(from->type) + strlen(from->accessor) +
	           strlen(from->uuid) + strlen(from->description) + 5;
	struct mount *m = malloc(sizeof(*m) + n);
	char *p = (char *)(m + 1);

	if (m == NULL)
		return NULL;
	*m = *from;
	m->path = take(&p, from->path);
	m->type = take(&p, from->type);
	m->accessor = take(&p, from->accessor);
	m->uuid = take(&p, from->uuid);
	m->description = take(&p, from->description);
	return m;
}

static int mirror_add(struct mounts *ms, const struct mount *from, struct err *e)
{
	struct mount *m;

	if (ms->n == ms->cap) {
		size_t cap = ms->cap > 0 ? ms->cap * 2 : 8;
		struct mount **at = realloc(ms->at, cap * sizeof(struct mount *));

		if (at == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		ms->at = at;
		ms->cap = cap;
	}
	if ((m = mount_new(from)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ms->at[ms->n++] = m;
	return ERR_OK;
}

static void drop_last(void *arg)
{
	struct core *c = arg;

	if (c->mounts != NULL && c->mounts->n > 0)
		free(c->mounts->at[--c->mounts->n]);
}

struct load {
	struct core *c;
	struct arena *a;
};

static int load_one(void *ctx, struct store_object *o, struct err *e)
{
	struct load *l = ctx;
	struct mount m = {
		.path = value_cstr_or(l->a, o->body, "path", ""),
		.type = value_cstr_or(l->a, o->body, "type", ""),
		.kv_version = (int)value_int_or(o->body, "version", 0),
		.accessor = value_cstr_or(l->a, o->body, "accessor", ""),
		.uuid = value_cstr_or(l->a, o->body, "uuid", ""),
		.description = value_cstr_or(l->a, o->body, "description", ""),
	};

	memcpy(m.id, o->id, sizeof(m.id));
	return mirror_add(l->c->mounts, &m, e);
}

int mounts_load(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);
	struct load l = { c, a };
	int rc;

	if (a == NULL || (c->mounts = calloc(1, sizeof(*c->mounts))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->mounts->unsealed_ms = c->boot_ms;
	rc = store_each(c, a, KIND_MOUNT, NULL, 0, 0, load_one, &l, e);
	if (rc != ERR_OK)
		mounts_free(c);
	return rc;
}

void mounts_free(struct core *c)
{
	struct mounts *ms = c->mounts;

	readers_free(c);
	if (ms == NULL)
		return;
	for (size_t i = 0; i < ms->n; i++)
		free(ms->at[i]);
	free(ms->at);
	free(ms);
	c->mounts = NULL;
}

int64_t mounts_unsealed_ms(const struct core *c)
{
	return c->mounts != NULL ? c->mounts->unsealed_ms : 0;
}

static void consider(const struct mount *m, const char *path, const struct mount **best)
{
	size_t n = strlen(m->path);

	if (strncmp(path, m->path, n) == 0 &&
	    (*best == NULL || n > strlen((*best)->path)))
		*best = m;
}

const struct mount *mounts_match(struct core *c, const char *path, const char **rest)
{
	const struct mount *best = NULL;

	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		consider(&built_in[i], path, &best);
	for (size_t i = 0; c->mounts != NULL && i < c->mounts->n; i++)
		consider(c->mounts->at[i], path, &best);
	if (best != NULL)
		*rest = path + strlen(best->path);
	return best;
}

void mounts_each(struct core *c, void (*fn)(void *ctx, const struct mount *m), void *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		fn(ctx, &built_in[i]);
	for (size_t i = 0; c->mounts != NULL && i < c->mounts->n; i++)
		fn(ctx, c->mounts->at[i]);
}

const struct mount *mounts_by_id(struct core *c, const unsigned char id[16])
{
	for (size_t i = 0; c->mounts != NULL && i < c->mounts->n; i++)
		if (memcmp(c->mounts->at[i]->id, id, 16) == 0)
			return c->mounts->at[i];
	return NULL;
}

static int check_new_path(struct core *c, const char *path, struct err *e)
{
	size_t n = strlen(path);
	const char *rest;
	const struct mount *m;
	int rc = path_check(path, n, e);

	if (rc != ERR_OK)
		return rc;
	if (n < 2 || path[n - 1] != '/')
		return err_set(e, ERR_INVALID, "mount path must end in '/'");
	if (strncmp(path, "auth/", 5) == 0 || strncmp(path, "sys/", 4) == 0)
		return err_set(e, ERR_DENIED, "cannot mount \"%.*s\"",
		               (int)strcspn(path, "/") + 1, path);
	m = mounts_match(c, path, &rest);
	for (size_t i = 0; m == NULL && i < c->mounts->n; i++)
		if (strncmp(c->mounts->at[i]->path, path, n) == 0)
			m = c->mounts->at[i];
	if (m != NULL)
		return err_set(e, ERR_INVALID, "path is already in use at %.100s",
		               m->path);
	return ERR_OK;
}

static int store_mount(struct core *c, const struct mount *m, struct err *e)
{
	AUTO_ARENA a = arena_new(16384);
	struct store_object o = { .kind = KIND_MOUNT, .id_len = sizeof(m->id) };

	if (a == NULL || (o.body = value_object(a)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(o.id, m->id, sizeof(m->id));
	value_set_str(a, o.body, "path", m->path);
	value_set_str(a, o.body, "type", m->type);
	value_set_int(a, o.body, "version", m->kv_version);
	value_set_str(a, o.body, "accessor", m->accessor);
	value_set_str(a, o.body, "uuid", m->uuid);
	value_set_str(a, o.body, "description", m->description);
	return store_put(c, &o, e);
}

int mounts_create_kv(struct core *c, const char *path, struct err *e)
{
	char uuid[37], accessor[16] = "kv_";
	unsigned char tail[4];
	struct mount m = {
		.path = path,
		.type = "kv",
		.kv_version = 2,
		.accessor = accessor,
		.uuid = uuid,
		.description = "key/value secret storage",
	};
	int rc = check_new_path(c, path, e);

	if (rc != ERR_OK)
		return rc;
	rng_uuid4(uuid);
	rng_bytes(tail, sizeof(tail));
	text_hex(tail, sizeof(tail), accessor + 3);
	rng_bytes(m.id, sizeof(m.id));
	if ((rc = store_mount(c, &m, e)) != ERR_OK ||
	    (rc = mirror_add(c->mounts, &m, e)) != ERR_OK)
		return rc;
	core_undo(c, drop_last, c);
	return ERR_OK;
}

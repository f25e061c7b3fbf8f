/* SPDX-License-Identifier: Apache-2.0 */
/* mounts - the mirror of all mounts, and its changes. */
#include "mounts.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mount_impl.h"
#include "readers.h"

struct mounts {
	struct mount **at; /* in order of path; each with its texts in one allocation */
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

static struct mount_packed take_packed(char **p, const struct mount_packed *k)
{
	struct mount_packed out = { NULL, k->n };

	if (k->n > 0) {
		memcpy(*p, k->p, k->n);
		out.p = (const unsigned char *)*p;
		*p += k->n;
	}
	return out;
}

static struct mount *mount_dup(const struct mount *from)
{
	const struct mount_config *k = &from->config;
	size_t n = strlen(from->path) + strlen(from->type) + strlen(from->engine) +
	           strlen(from->accessor) + strlen(from->uuid) +
	           strlen(from->description) + strlen(k->listing) +
	           strlen(k->token_type) + 8 + from->options.n + k->lists.n;
	struct mount *m = malloc(sizeof(*m) + n);
	char *p = (char *)(m + 1);

	if (m == NULL)
		return NULL;
	*m = *from;
	m->path = take(&p, from->path);
	m->type = take(&p, from->type);
	m->engine = take(&p, from->engine);
	m->accessor = take(&p, from->accessor);
	m->uuid = take(&p, from->uuid);
	m->description = take(&p, from->description);
	m->config.listing = take(&p, k->listing);
	m->config.token_type = take(&p, k->token_type);
	m->options = take_packed(&p, &from->options);
	m->config.lists = take_packed(&p, &k->lists);
	return m;
}

/* The first mount whose path is not before ${path}. */
static size_t place_of(const struct mounts *ms, const char *path)
{
	size_t lo = 0, hi = ms->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(ms->at[mid]->path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int reserve(struct mounts *ms, struct err *e)
{
	size_t cap = ms->cap > 0 ? ms->cap * 2 : 16;
	struct mount **at;

	if (ms->n < ms->cap)
		return ERR_OK;
	if ((at = realloc(ms->at, cap * sizeof(struct mount *))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ms->at = at;
	ms->cap = cap;
	return ERR_OK;
}

/* There is room: reserved, or left by one that was taken out. */
static void put_in(struct mounts *ms, struct mount *m)
{
	size_t i = place_of(ms, m->path);

	if (ms->at == NULL)
		return;
	memmove(ms->at + i + 1, ms->at + i, (ms->n - i) * sizeof(struct mount *));
	ms->at[i] = m;
	ms->n++;
}

static void take_out(struct mounts *ms, const struct mount *m)
{
	for (size_t i = 0; i < ms->n; i++) {
		if (ms->at[i] != m)
			continue;
		ms->n--;
		memmove(ms->at + i, ms->at + i + 1, (ms->n - i) * sizeof(struct mount *));
		return;
	}
}

/* One change of the mirror: NULL for what was not there before, or is not after it. */
struct change {
	struct core *c;
	struct mount *before, *after;
};

static void change_undo(void *arg)
{
	struct change *ch = arg;
	struct mounts *ms = ch->c->mounts;

	if (ch->after != NULL)
		take_out(ms, ch->after);
	if (ch->before != NULL)
		put_in(ms, ch->before);
	free(ch->after);
	free(ch);
}

/* The mirror may be gone by now: the vault may have been sealed in the same batch. */
static void change_done(void *arg)
{
	struct change *ch = arg;

	free(ch->before);
	free(ch);
}

static int change(struct core *c, const struct mount *before, const struct mount *after,
                  struct err *e)
{
	struct change *ch = calloc(1, sizeof(*ch));
	int rc = reserve(c->mounts, e);

	if (ch != NULL && after != NULL)
		ch->after = mount_dup(after);
	if (rc != ERR_OK || ch == NULL || (after != NULL && ch->after == NULL)) {
		if (ch != NULL)
			free(ch->after);
		free(ch);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	ch->c = c;
	ch->before = (struct mount *)(uintptr_t)before;
	if (before != NULL)
		take_out(c->mounts, before);
	if (after != NULL)
		put_in(c->mounts, ch->after);
	core_undo(c, change_undo, ch);
	core_after_commit(c, change_done, ch);
	return ERR_OK;
}

int mounts_add(struct core *c, struct arena *a, const struct mount *m, struct err *e)
{
	int rc = mount_store(c, a, m, e);

	return rc == ERR_OK ? change(c, NULL, m, e) : rc;
}

int mounts_replace(struct core *c, struct arena *a, const struct mount *old,
                   const struct mount *m, struct err *e)
{
	int rc = mount_store(c, a, m, e);

	return rc == ERR_OK ? change(c, old, m, e) : rc;
}

int mounts_remove(struct core *c, struct arena *a, const struct mount *m, struct err *e)
{
	int rc = mount_unstore(c, a, m, e);

	return rc == ERR_OK ? change(c, m, NULL, e) : rc;
}

struct load {
	struct core *c;
	struct arena *a;
};

static int load_mount(struct core *c, const struct mount *m, struct err *e)
{
	struct mount *copy;
	int rc = reserve(c->mounts, e);

	if (rc != ERR_OK)
		return rc;
	if ((copy = mount_dup(m)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	put_in(c->mounts, copy);
	return ERR_OK;
}

/* A row of a built-in mount takes its place. */
static int load_one(void *ctx, struct store_object *o, struct err *e)
{
	struct load *l = ctx;
	struct mount *old;
	struct mount m;
	int rc = mount_read(l->a, o, &m, e);

	if (rc == ERR_OK && mount_built_in(&m))
		rc = mount_name_built_in(l->c, l->a, &m, e);
	if (rc != ERR_OK)
		return rc;
	old = (struct mount *)(uintptr_t)mounts_by_id(l->c, m.id);
	if (old != NULL) {
		take_out(l->c->mounts, old);
		free(old);
	}
	return load_mount(l->c, &m, e);
}

int mounts_load(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);
	struct load l = { c, a };
	int rc = ERR_OK;

	if (a == NULL || (c->mounts = calloc(1, sizeof(*c->mounts))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->mounts->unsealed_ms = c->boot_ms;
	for (size_t i = 0; rc == ERR_OK && i < mount_built_ins_n; i++) {
		struct mount m = mount_built_ins[i];

		if ((rc = mount_name_built_in(c, a, &m, e)) == ERR_OK)
			rc = load_mount(c, &m, e);
	}
	if (rc == ERR_OK)
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

static bool serves(const struct mount *m, const char *path)
{
	return strncmp(m->path, path, strlen(m->path)) == 0;
}

/* The one that sorts last of those not behind ${path}: between a mount's path and a path
 * below it there is none but mounts below it, and there are no such. */
static const struct mount *match_loaded(const struct mounts *ms, const char *path)
{
	size_t i = place_of(ms, path);

	if (i < ms->n && strcmp(ms->at[i]->path, path) == 0)
		return ms->at[i];
	return i > 0 && serves(ms->at[i - 1], path) ? ms->at[i - 1] : NULL;
}

static const struct mount *match_built_in(const char *path)
{
	for (size_t i = 0; i < mount_built_ins_n; i++)
		if (serves(&mount_built_ins[i], path))
			return &mount_built_ins[i];
	return NULL;
}

const struct mount *mounts_match(struct core *c, const char *path, const char **rest)
{
	const struct mount *m = c->mounts != NULL ? match_loaded(c->mounts, path)
	                                          : match_built_in(path);

	if (m != NULL)
		*rest = path + strlen(m->path);
	return m;
}

const struct mount *mounts_at(struct core *c, const char *path)
{
	const char *rest;
	const struct mount *m = mounts_match(c, path, &rest);

	return m != NULL && *rest == '\0' ? m : NULL;
}

void mounts_each(struct core *c, void (*fn)(void *ctx, const struct mount *m), void *ctx)
{
	for (size_t i = 0; c->mounts != NULL && i < c->mounts->n; i++)
		fn(ctx, c->mounts->at[i]);
}

const struct mount *mounts_by_id(const struct core *c, const unsigned char id[MOUNT_ID])
{
	for (size_t i = 0; c->mounts != NULL && i < c->mounts->n; i++)
		if (memcmp(c->mounts->at[i]->id, id, MOUNT_ID) == 0)
			return c->mounts->at[i];
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "uses.h"

#include <stdlib.h>
#include <string.h>

/* A list of texts that owns them. */
struct texts {
	size_t n, cap;
	char **at;
};

struct file_uses {
	char *binding, *file, *recipe;
	struct texts asked;
	unsigned runs; /* since it found all that it named, each with another list */
};

struct uses {
	size_t n, cap;
	struct file_uses *files;
	struct texts asked, paths; /* paths.at[i] is what asked.at[i] is */
	bool changed;
};

static void texts_free(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i]);
	free(t->at);
	*t = (struct texts){ .n = 0 };
}

static int texts_add(struct texts *t, const char *s)
{
	if (t->n == t->cap) {
		size_t cap = 2 * t->cap + 4;
		char **grown = realloc(t->at, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		t->at = grown;
		t->cap = cap;
	}
	t->at[t->n] = strdup(s);
	if (t->at[t->n] == NULL)
		return -1;
	t->n++;
	return 0;
}

static size_t texts_find(const struct texts *t, const char *s)
{
	size_t i = 0;

	while (i < t->n && strcmp(t->at[i], s) != 0)
		i++;
	return i;
}

/* In any order: templates name each once. */
static bool same_texts(const struct texts *t, const char *const *list, size_t n)
{
	if (t->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (texts_find(t, list[i]) == t->n)
			return false;
	return true;
}

struct uses *uses_new(void)
{
	return calloc(1, sizeof(struct uses));
}

static void drop(struct file_uses *f)
{
	free(f->binding);
	free(f->file);
	free(f->recipe);
	texts_free(&f->asked);
}

void uses_free(struct uses *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < u->n; i++)
		drop(&u->files[i]);
	free(u->files);
	texts_free(&u->asked);
	texts_free(&u->paths);
	free(u);
}

static struct file_uses *find(const struct uses *u, const struct uses_key *k)
{
	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->files[i].binding, k->binding) == 0 &&
		    strcmp(u->files[i].file, k->file) == 0 &&
		    strcmp(u->files[i].recipe, k->recipe) == 0)
			return &u->files[i];
	return NULL;
}

static struct file_uses *add(struct uses *u, const struct uses_key *k)
{
	struct file_uses *f;

	if (u->n == u->cap) {
		size_t cap = 2 * u->cap + 4;
		struct file_uses *grown = realloc(u->files, cap * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		u->files = grown;
		u->cap = cap;
	}
	f = &u->files[u->n];
	*f = (struct file_uses){ .binding = strdup(k->binding),
		                 .file = strdup(k->file),
		                 .recipe = strdup(k->recipe) };
	if (f->binding == NULL || f->file == NULL || f->recipe == NULL) {
		drop(f);
		return NULL;
	}
	u->n++;
	return f;
}

const char *const *uses_of(const struct uses *u, const struct uses_key *k, size_t *n)
{
	static const char *const none[1];
	const struct file_uses *f = find(u, k);

	*n = f != NULL ? f->asked.n : 0;
	if (f == NULL)
		return NULL;
	return f->asked.at != NULL ? (const char *const *)f->asked.at : none;
}

int uses_set(struct uses *u, const struct uses_key *k, const char *const *asked, size_t n,
             struct err *e)
{
	struct file_uses *f = find(u, k);
	struct texts next = { .n = 0 };

	if (f != NULL && same_texts(&f->asked, asked, n))
		return ERR_OK;
	if (f != NULL && f->runs >= USES_RUNS_MAX)
		return err_set(e, ERR_INVALID,
		               "file '%s/%s': the template names other secrets in each "
		               "of %u runs",
		               k->binding, k->file, USES_RUNS_MAX);
	for (size_t i = 0; i < n; i++)
		if (texts_add(&next, asked[i]) != 0) {
			texts_free(&next);
			return err_set(e, ERR_NOMEM, "out of memory");
		}
	if (f == NULL && (f = add(u, k)) == NULL) {
		texts_free(&next);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	texts_free(&f->asked);
	f->asked = next;
	f->runs++;
	u->changed = true;
	return ERR_OK;
}

void uses_done(struct uses *u, const struct uses_key *k)
{
	struct file_uses *f = find(u, k);

	if (f != NULL)
		f->runs = 0;
}

void uses_keep(struct uses *u, bool (*wanted)(void *ctx, const struct uses_key *k),
               void *ctx)
{
	size_t left = 0;

	for (size_t i = 0; i < u->n; i++) {
		struct file_uses *f = &u->files[i];
		const struct uses_key k = { f->binding, f->file, f->recipe };

		if (wanted(ctx, &k))
			u->files[left++] = *f;
		else
			drop(f);
	}
	u->n = left;
}

const char *uses_path(const struct uses *u, const char *asked)
{
	size_t i = texts_find(&u->asked, asked);

	return i < u->asked.n ? u->paths.at[i] : NULL;
}

int uses_name(struct uses *u, const char *asked, const char *path, struct err *e)
{
	size_t i = texts_find(&u->asked, asked);
	char *copy;

	if (i < u->asked.n && strcmp(u->paths.at[i], path) == 0)
		return ERR_OK;
	if (i < u->asked.n) { /* mounts can be moved */
		if ((copy = strdup(path)) == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		free(u->paths.at[i]);
		u->paths.at[i] = copy;
	} else if (texts_add(&u->paths, path) != 0) {
		return err_set(e, ERR_NOMEM, "out of memory");
	} else if (texts_add(&u->asked, asked) != 0) {
		free(u->paths.at[--u->paths.n]);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	u->changed = true;
	return ERR_OK;
}

bool uses_at(const struct uses *u, size_t i, const char **asked, const char **path)
{
	if (u == NULL || i >= u->asked.n)
		return false;
	*asked = u->asked.at[i];
	*path = u->paths.at[i];
	return true;
}

bool uses_changed(struct uses *u)
{
	bool changed = u->changed;

	u->changed = false;
	return changed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "grants.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "reply.h"

#define GRANTS_BYTES (8u * 1024 * 1024) /* the vault's answer has at most 4 MiB */

static void path_of(const char *dir, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/" GRANTS_FILE, dir);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

int grants_copy(const struct grant *list, size_t n, struct grants *out, struct err *e)
{
	struct grants g = { .n = n };
	struct grant *at;

	if (n > GRANTS_MAX)
		return err_set(e, ERR_INVALID, "more than %u bindings were granted",
		               GRANTS_MAX);
	if ((g.a = arena_new(2 * GRANTS_BYTES)) == NULL)
		return no_memory(e);
	at = arena_alloc(g.a, (n + 1) * sizeof(*at));
	for (size_t i = 0; at != NULL && i < n; i++)
		at[i] = (struct grant){ arena_str(g.a, list[i].name),
			                arena_str(g.a, list[i].spec) };
	if (at == NULL || arena_failed(g.a)) {
		arena_free(g.a);
		return no_memory(e);
	}
	g.at = at;
	*out = g;
	return ERR_OK;
}

void grants_close(struct grants *g)
{
	arena_free(g->a);
	*g = (struct grants){ .n = 0 };
}

static int take(const json_t *list, struct grants *g, struct err *e)
{
	struct grant at[GRANTS_MAX] = {
		{NULL, NULL}
	};
	const json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > GRANTS_MAX)
		return err_set(e, ERR_INVALID, "there is no list of grants in it");
	json_array_foreach(list, i, item)
	{
		at[i] = (struct grant){ reply_str(item, "name"),
			                reply_str(item, "spec") };
		if (at[i].name == NULL || at[i].spec == NULL)
			return err_set(e, ERR_INVALID,
			               "a grant has no name or no definition");
	}
	return grants_copy(at, json_array_size(list), g, e);
}

static int load(const char *path, struct grants *g, struct err *e)
{
	AUTO_ARENA a = arena_new(2 * GRANTS_BYTES);
	AUTO_JSON doc = NULL;
	char *text;
	size_t n;
	int rc;

	if (a == NULL)
		return no_memory(e);
	if ((rc = file_check_private(path, e)) != ERR_OK ||
	    (rc = file_read(a, path, GRANTS_BYTES, &text, &n, e)) != ERR_OK)
		return rc;
	doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	return take(json_object_get(doc, "grants"), g, e);
}

int grants_open(struct grants *g, const char *dir, struct err *e)
{
	char path[PATH_MAX];
	int rc;

	*g = (struct grants){ .n = 0 };
	path_of(dir, path);
	if (access(path, F_OK) != 0)
		return ERR_OK;
	rc = load(path, g, e);
	return rc == ERR_OK ? rc : err_wrap(e, "'%.150s'", path);
}

bool grants_same(const struct grants *g, const struct grant *list, size_t n)
{
	if (g->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(g->at[i].name, list[i].name) != 0 ||
		    strcmp(g->at[i].spec, list[i].spec) != 0)
			return false;
	return true;
}

int grants_save(const struct grants *g, const char *dir, struct err *e)
{
	json_t *list = json_array();
	AUTO_JSON doc = json_pack("{s:o}", "grants", list);
	AUTO_TEXT text = NULL;
	char path[PATH_MAX];

	for (size_t i = 0; i < g->n; i++)
		if (json_array_append_new(list,
		                          json_pack("{s:s, s:s}", "name", g->at[i].name,
		                                    "spec", g->at[i].spec)) != 0)
			return no_memory(e);
	if (doc == NULL || (text = reply_text(doc)) == NULL)
		return no_memory(e);
	path_of(dir, path);
	return file_write_path(path, text, strlen(text), 0600, e);
}

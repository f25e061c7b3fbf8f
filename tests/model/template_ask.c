/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_ask - what our engine makes of templates, to be compared with what
 * consul-template makes of them.
 *
 *     template-ask WORLD.json
 *
 * The world: {"secrets": {path: reply}, "lists": {path: [name, …]}, "env": {name: text},
 * "files": {path: text}, "now": milliseconds}.  A line in: {"name": …, "text": …}.  A
 * line out: "ok" and the text in hex; "refused" at load, "failed" or "pending" when it
 * ran, and the message.
 */
#include <stdio.h>
#include <string.h>

#include "agent/template/template.h"
#include "lib/file.h"
#include "server/net/json.h"
#include "text.h"

#define ARENA_MAX ((size_t)256 << 20)
#define WORLD_MAX ((size_t)4 << 20)

/* A member whose name is ${name}; a secret that is null is not there yet. */
static const struct value *find(const struct value *world, const char *part,
                                const char *name)
{
	return value_get(value_get(world, part), name);
}

static int on_secret(void *ctx, const char *path, const struct value **out, struct err *e)
{
	const struct value *v = find(ctx, "secrets", path);

	if (v == NULL)
		return err_set(e, ERR_NOENT, "no secret exists at %.128s", path);
	*out = v->type == V_NULL ? NULL : v;
	return ERR_OK;
}

static int on_secrets(void *ctx, const char *path, const struct value **out,
                      struct err *e)
{
	const struct value *v = find(ctx, "lists", path);

	if (v == NULL)
		return err_set(e, ERR_NOENT, "no list exists at %.128s", path);
	*out = v->type == V_NULL ? NULL : v;
	return ERR_OK;
}

static int on_file(void *ctx, const char *path, struct arena *a UNUSED, const char **p,
                   size_t *n, struct err *e)
{
	const struct value *v = find(ctx, "files", path);

	if (v == NULL)
		return err_set(e, ERR_DENIED, "file: not below a template_dirs");
	*p = v->text;
	*n = v->len;
	return ERR_OK;
}

static struct arena *env_arena;

static const char *on_env(void *ctx, const char *name)
{
	const struct value *v = find(ctx, "env", name);

	return v != NULL ? value_to_cstr(v, env_arena) : NULL;
}

static int64_t on_now(void *ctx)
{
	return value_int_or(ctx, "now", 0);
}

static void answer(struct value *world, const char *name, const char *text, size_t n)
{
	const struct template_ops ops = { on_secret, on_secrets, on_file, on_env,
		                          world,     on_now,     NULL };
	AUTO_ARENA a = arena_new(ARENA_MAX);
	AUTO_ARENA run = arena_new(ARENA_MAX);
	struct template *t;
	const char *out;
	size_t len;
	struct err e;
	int rc;

	if (a == NULL || run == NULL ||
	    template_parse(a, name, text, n, &t, &e) != ERR_OK) {
		printf("refused %s\n", e.msg);
		return;
	}
	rc = template_run(t, &ops, run, &out, &len, &e);
	if (rc != ERR_OK) {
		printf("%s %s\n", rc == ERR_BUSY ? "pending" : "failed", e.msg);
		return;
	}
	fputs("ok ", stdout);
	for (size_t i = 0; i < len; i++)
		printf("%02x", (unsigned char)out[i]);
	putchar('\n');
}

static int run_line(struct value *world, const char *line, size_t len)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	const struct value *text;
	struct value *in;
	struct err e;

	if (a == NULL || json_parse(a, line, len, &in, &e) != ERR_OK)
		return -1;
	text = value_get(in, "text");
	if (text == NULL || text->type != V_STRING)
		return -1;
	answer(world, value_cstr_or(a, in, "name", "template"), text->text, text->len);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	AUTO_FREE char *line = NULL;
	struct value *world;
	size_t cap = 0, len;
	char *text;
	struct err e = { 0 };
	ssize_t n;

	env_arena = a;
	if (argc != 2 || a == NULL ||
	    file_read(a, argv[1], WORLD_MAX, &text, &len, &e) != ERR_OK ||
	    json_parse(a, text, len, &world, &e) != ERR_OK) {
		fprintf(stderr, "usage: template-ask WORLD.json\n%s\n", e.msg);
		return 2;
	}
	while ((n = getline(&line, &cap, stdin)) > 0)
		if (run_line(world, line, (size_t)n) != 0)
			return 1;
	return 0;
}

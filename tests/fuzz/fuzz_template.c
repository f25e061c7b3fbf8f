/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_template - any text is refused with its place or becomes a template that runs to
 * an end: with the same text twice, or with the same error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/template/template.h"

#define ARENA_MAX ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena *world;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A path with "later" is not there yet, one with "never" is refused. */
static int ask(const char *path, const struct value *v, const struct value **out,
               struct err *e)
{
	must(path[0] != '\0' && path[0] != '/');
	if (strstr(path, "never") != NULL)
		return err_set(e, ERR_DENIED, "permission denied");
	*out = strstr(path, "later") != NULL ? NULL : v;
	return ERR_OK;
}

static int on_secret(void *ctx UNUSED, const char *path, const struct value **out,
                     struct err *e)
{
	struct value *reply = value_object(world), *data = value_object(world);
	struct value *list = value_array(world);

	value_set_int(world, reply, "lease_duration", 60);
	value_set(reply, "data", data);
	value_set(data, "data", value_copy(world, data));
	value_set_str(world, data, "s", "text: \xC3\xA9\n- 'x' <&>\n");
	value_set(data, "n", value_number(world, "12.50", 5));
	value_set_bool(world, data, "b", true);
	value_set(data, "z", value_null(world));
	value_add(list, value_str(world, "a"));
	value_add(list, value_int(world, 1));
	value_set(data, "l", list);
	return ask(path, reply, out, e);
}

static int on_secrets(void *ctx UNUSED, const char *path, const struct value **out,
                      struct err *e)
{
	struct value *names = value_array(world);

	value_add(names, value_str(world, "b/"));
	value_add(names, value_str(world, "a"));
	return ask(path, names, out, e);
}

static int on_file(void *ctx UNUSED, const char *path, struct arena *a UNUSED,
                   const char **p, size_t *n, struct err *e)
{
	if (path[0] != '/')
		return err_set(e, ERR_DENIED, "not below a template_dirs");
	*p = path;
	*n = strlen(path);
	return ERR_OK;
}

static const char *on_env(void *ctx UNUSED, const char *name)
{
	return name[0] == 'A' ? name : NULL;
}

static int64_t on_now(void *ctx UNUSED)
{
	return 1700000000123;
}

static int run(const struct template *t, struct arena *a, const char **out, size_t *n,
               struct err *e)
{
	const struct template_ops ops = { on_secret, on_secrets, on_file, on_env,
		                          NULL,      on_now,     NULL };
	int rc = template_run(t, &ops, a, out, n, e);

	must(rc != ERR_OK || (*n <= TEMPLATE_OUTPUT_MAX && (*out)[*n] == '\0'));
	must(rc == ERR_OK || e->msg[0] != '\0');
	arena_reset(world);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA parsed = arena_new(ARENA_MAX);
	AUTO_ARENA first = arena_new(ARENA_MAX);
	AUTO_ARENA second = arena_new(ARENA_MAX);
	struct err e = { 0 }, again = { 0 };
	const char *out = "", *out2 = "";
	size_t n = 0, n2 = 0;
	struct template *t;
	int rc;

	if (world == NULL)
		world = arena_new(ARENA_MAX);
	must(world != NULL && parsed != NULL && first != NULL && second != NULL);
	rc = template_parse(parsed, "t", (const char *)data, size, &t, &e);
	if (rc != ERR_OK) {
		must(rc != ERR_INVALID || strncmp(e.msg, "t:", 2) == 0);
		return 0;
	}
	rc = run(t, first, &out, &n, &e);
	must(rc == run(t, second, &out2, &n2, &again));
	must(rc == ERR_OK || strcmp(e.msg, again.msg) == 0);
	must(n == n2 && memcmp(out, out2, n) == 0);
	return 0;
}

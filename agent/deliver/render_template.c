/* SPDX-License-Identifier: Apache-2.0 */
#include "render_template.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "path.h"
#include "vault/limits.h"

#define INCLUDE_MAX (1024u * 1024)

struct running {
	struct render_run *run;
	struct arena *a;
};

/* Templates may write "/secret/…" and "secret/…/".  NULL on failure. */
static const char *canonical(struct arena *a, const char *written, const char *end,
                             struct err *e)
{
	const char *asked;
	size_t n;

	while (*written == '/')
		written++;
	n = strlen(written);
	while (n > 0 && written[n - 1] == '/')
		n--;
	if (path_check(written, n, e) != ERR_OK) {
		err_wrap(e, "the path of a secret");
		return NULL;
	}
	asked = arena_printf(a, "/v1/%.*s%s", (int)n, written, end);
	if (asked == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return asked;
}

static int note(struct running *r, const char *asked, struct err *e)
{
	struct render_run *run = r->run;

	for (size_t i = 0; i < run->n_asked; i++)
		if (strcmp(run->asked[i], asked) == 0)
			return ERR_OK;
	if (run->n_asked == LIMIT_AGENT_ITEMS)
		return err_set(e, ERR_INVALID, "a template names more than %u secrets",
		               LIMIT_AGENT_ITEMS);
	if (run->n_asked == run->cap_asked) {
		size_t cap = 2 * run->cap_asked + 8;
		const char **grown = arena_alloc(r->a, cap * sizeof(*grown));

		if (grown == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (run->n_asked > 0)
			memcpy(grown, run->asked, run->n_asked * sizeof(*grown));
		run->asked = grown;
		run->cap_asked = cap;
	}
	run->asked[run->n_asked++] = asked;
	return ERR_OK;
}

/* The value behind a path as it is written, and its name remembered. */
static int find(struct running *r, const char *written, const char *end,
                struct render_secret *out, struct err *e)
{
	const char *asked = canonical(r->a, written, end, e);
	int rc;

	if (asked == NULL)
		return (int)e->code;
	if ((rc = note(r, asked, e)) != ERR_OK)
		return rc;
	*out = r->run->find(r->run->ctx, asked);
	if (out->data == NULL && r->run->missing == NULL)
		r->run->missing = asked;
	return ERR_OK;
}

/* The members that a read has, so that templates written for it find theirs. */
static int on_secret(void *ctx, const char *path, const struct value **out, struct err *e)
{
	struct running *r = ctx;
	struct render_secret s = { .data = NULL };
	struct value *reply, *data;
	int rc = find(r, path, "", &s, e);

	*out = NULL;
	if (rc != ERR_OK || s.data == NULL)
		return rc;
	data = value_copy(r->a, s.data);
	if (s.metadata != NULL) {
		struct value *outer = value_object(r->a);

		value_set(outer, "data", data);
		value_set(outer, "metadata", value_copy(r->a, s.metadata));
		data = outer;
	}
	reply = value_object(r->a);
	value_set_str(r->a, reply, "request_id", "");
	value_set_str(r->a, reply, "lease_id", "");
	value_set_int(r->a, reply, "lease_duration", 0);
	value_set_bool(r->a, reply, "renewable", false);
	value_set(reply, "data", data);
	if (arena_failed(r->a))
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = reply;
	return ERR_OK;
}

static int on_secrets(void *ctx, const char *folder, const struct value **out,
                      struct err *e)
{
	struct running *r = ctx;
	struct render_secret s = { .data = NULL };
	int rc = find(r, folder, "/", &s, e);

	*out = NULL;
	if (rc != ERR_OK || s.data == NULL)
		return rc;
	*out = value_get(s.data, "keys");
	if (*out == NULL || (*out)->type != V_ARRAY)
		return err_set(e, ERR_INVALID, "a listing has no keys");
	return ERR_OK;
}

static bool is_below(const char *path, const char *dir)
{
	char real[PATH_MAX];
	size_t n;

	if (realpath(dir, real) == NULL)
		return false;
	n = strlen(real);
	return strncmp(path, real, n) == 0 && path[n] == '/';
}

static int on_file(void *ctx, const char *path, struct arena *a, const char **p,
                   size_t *n, struct err *e)
{
	const struct running *r = ctx;
	const char *const *dirs = r->run->dirs != NULL ? r->run->dirs->items : NULL;
	char real[PATH_MAX], *text = NULL;

	if (path[0] != '/' || realpath(path, real) == NULL)
		return err_set(e, ERR_INVALID, "file: '%.150s' cannot be found", path);
	for (size_t i = 0; dirs != NULL && i < r->run->dirs->n; i++) {
		int rc;

		if (!is_below(real, dirs[i]))
			continue;
		rc = file_read(a, real, INCLUDE_MAX, &text, n, e);
		*p = text;
		return rc;
	}
	return err_set(e, ERR_DENIED, "file: '%.150s' is not below a template_dirs",
	               path);
}

static const char *on_env(void *ctx UNUSED, const char *name)
{
	return getenv(name);
}

int render_template(struct arena *a, struct render_run *run, struct err *e)
{
	struct running r = { run, a };
	const struct template_ops ops = {
		.secret = on_secret,
		.secrets = on_secrets,
		.read_file = on_file,
		.env = on_env,
		.ctx = &r,
	};
	int rc = run->engine->run(run->template, &ops, a, &run->text, &run->len, e);

	/* Whether all was there is judged here, whatever the engine makes of it. */
	if ((rc == ERR_OK || rc == ERR_BUSY) && run->missing != NULL)
		return err_set(e, ERR_BUSY, "waits for '%.150s'", run->missing + 4);
	return rc;
}

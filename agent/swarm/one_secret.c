/* SPDX-License-Identifier: Apache-2.0 */
#include "one_secret.h"

#include <string.h>

#include "agent/settings.h"
#include "agent/template/template.h"

#define API   "/v1/"
#define DATA  "data/" /* between the mount and the rest, where there are versions */
#define STEPS TEMPLATE_BUDGET

static const struct render_engine engine = { template_parse, template_run };

/* "/v1/secret/data/app/db" is "secret/app/db". */
static bool is_same(const char *asked, const struct one_secret *s)
{
	const char *at;

	if (strncmp(asked, API, strlen(API)) != 0)
		return false;
	asked += strlen(API);
	if (s->value.metadata == NULL)
		return strcmp(asked, s->path) == 0;
	for (at = strchr(asked, '/'); at != NULL; at = strchr(at + 1, '/')) {
		size_t n = (size_t)(at - asked) + 1; /* of the mount */

		if (strncmp(at + 1, DATA, strlen(DATA)) == 0 &&
		    strncmp(asked, s->path, n) == 0 &&
		    strcmp(at + 1 + strlen(DATA), s->path + n) == 0)
			return true;
	}
	return false;
}

static struct render_secret find(void *ctx, const char *asked)
{
	const struct one_secret *s = ctx;

	return is_same(asked, s) ? s->value : (struct render_secret){ NULL, NULL };
}

static int run(struct arena *a, const char *text, const struct one_secret *s,
               struct render_run *r, struct err *e)
{
	struct template *t;
	int rc = engine.parse(a, "template_text", text, strlen(text), &t, e);

	if (rc != ERR_OK)
		return rc;
	r->template = t;
	rc = render_template(a, r, e);
	if (r->missing != NULL)
		return err_set(e, ERR_INVALID,
		               "the template names '%.100s': the binding is of '%.100s' "
		               "alone",
		               r->missing + strlen(API), s->path);
	return rc;
}

int one_secret_render(struct arena *a, const char *text, const struct one_secret *s,
                      const char **p, size_t *n, struct err *e)
{
	static const struct config_list nowhere = { NULL, 0 };
	struct render_run r = { .engine = &engine,
		                .dirs = &nowhere,
		                .granted = true,
		                .find = find,
		                .ctx = (void *)(uintptr_t)s,
		                .steps = STEPS };
	int rc = run(a, text, s, &r, e);

	*p = r.text;
	*n = r.len;
	return rc;
}

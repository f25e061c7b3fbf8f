/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/httpd.h"
#include "util.h"

#define CLIENTS 64u
#define TYPE    "application/vnd.docker.plugins.v1.2+json"

struct plugin {
	struct httpd *httpd;
	char *path, *name;
	struct plugin_kind kinds[PLUGIN_KINDS];
	size_t n;
};

/* --- answers -------------------------------------------------------------------------
 */

void plugin_answer_text(struct httpd_client *c, const char *text)
{
	httpd_reply(c, text != NULL ? "200 OK" : "500 Internal Server Error", TYPE,
	            text != NULL ? text : "{\"Err\":\"vault-agent is out of memory\"}");
}

void plugin_answer(struct httpd_client *c, json_t *doc)
{
	size_t n = doc != NULL ? json_dumpb(doc, NULL, 0, JSON_COMPACT) : 0;
	char *text = n > 0 ? calloc(1, n + 1) : NULL;

	if (text != NULL)
		(void)json_dumpb(doc, text, n, JSON_COMPACT);
	plugin_answer_text(c, text);
	free(text);
	json_decref(doc);
}

void plugin_fail(struct httpd_client *c, const char *why)
{
	plugin_answer(c, json_pack("{s:s}", "Err", why));
}

/* --- calls ---------------------------------------------------------------------------
 */

static void activate(const struct plugin *p, struct httpd_client *c)
{
	json_t *kinds = json_array();

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(kinds, json_string(p->kinds[i].name));
	plugin_answer(c, json_pack("{s:o}", "Implements", kinds));
}

/* The kind whose call it is, and *verb. */
static const struct plugin_kind *kind_of(const struct plugin *p, const char *path,
                                         const char **verb)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t n = strlen(p->kinds[i].calls);

		if (path[0] == '/' && strncmp(path + 1, p->kinds[i].calls, n) == 0 &&
		    path[n + 1] == '.') {
			*verb = path + n + 2;
			return &p->kinds[i];
		}
	}
	return NULL;
}

static bool call(const struct plugin *p, struct httpd_client *c,
                 const struct httpd_request *q)
{
	const char *verb = "";
	const struct plugin_kind *kind = kind_of(p, q->path, &verb);
	json_t *doc;
	bool known;

	if (strcmp(q->method, "POST") != 0)
		return false;
	if (strcmp(q->path, "/Plugin.Activate") == 0) {
		activate(p, c);
		return true;
	}
	if (kind == NULL)
		return false;
	doc = json_loadb(q->body, q->len, 0, NULL);
	known = kind->call(kind->ctx, c, verb, json_is_object(doc) ? doc : NULL);
	json_decref(doc);
	return known;
}

static void on_request(void *ctx, struct httpd_client *c, const struct httpd_request *q)
{
	if (!call(ctx, c, q))
		httpd_reply(c, "404 Not Found", TYPE,
		            "{\"Err\":\"there is no such call\"}");
}

static void on_gone(void *ctx, struct httpd_client *c)
{
	const struct plugin *p = ctx;

	for (size_t i = 0; i < p->n; i++)
		if (p->kinds[i].gone != NULL)
			p->kinds[i].gone(p->kinds[i].ctx, c);
}

/* --- the socket ----------------------------------------------------------------------
 */

static int make_directories(const char *path, struct err *e)
{
	char *copy = strdup(path);
	int rc = ERR_OK;

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (char *at = strchr(copy + 1, '/'); at != NULL && rc == ERR_OK;
	     at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			rc = err_sys(e, ERR_IO, errno, "making '%s'", copy);
		*at = '/';
	}
	free(copy);
	return rc;
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	const char *end = strrchr(name, '.');

	return strndup(name, end != NULL ? (size_t)(end - name) : strlen(name));
}

int plugin_listen(const char *path, struct plugin **out, struct err *e)
{
	struct plugin *p = calloc(1, sizeof(*p));
	const struct httpd_options h = {
		.path = path,
		.mode = 0600,
		.clients = CLIENTS,
		.request_max = PLUGIN_REQUEST_MAX,
		.trusted = true,
		.serve = on_request,
		.gone = on_gone,
		.ctx = p,
	};
	int rc;

	if (p == NULL || (p->path = strdup(path)) == NULL ||
	    (p->name = name_of(path)) == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else if ((rc = make_directories(path, e)) == ERR_OK)
		rc = httpd_listen(&h, &p->httpd, e);
	if (rc != ERR_OK) {
		plugin_free(p);
		return rc;
	}
	*out = p;
	return ERR_OK;
}

void plugin_free(struct plugin *p)
{
	if (p == NULL)
		return;
	httpd_free(p->httpd);
	free(p->path);
	free(p->name);
	free(p);
}

int plugin_serve(struct plugin *p, const struct plugin_kind *kind, struct err *e)
{
	if (p->n == ARRAY_LEN(p->kinds))
		return err_set(e, ERR_FULL, "a plugin's socket serves %u kinds",
		               PLUGIN_KINDS);
	p->kinds[p->n++] = *kind;
	return ERR_OK;
}

void plugin_leave(struct plugin *p, const void *ctx)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->kinds[i].ctx == ctx) {
			p->kinds[i] = p->kinds[--p->n];
			return;
		}
}

int plugin_attach(struct plugin *p, int epoll_fd, struct err *e)
{
	return httpd_attach(p->httpd, epoll_fd, e);
}

bool plugin_event(struct plugin *p, int fd, unsigned events)
{
	return httpd_event(p->httpd, fd, events);
}

const char *plugin_path(const struct plugin *p)
{
	return p->path;
}

const char *plugin_name(const struct plugin *p)
{
	return p->name;
}

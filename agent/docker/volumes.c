/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's volume plugin protocol, version 1. */
#include "volumes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/deliver/generation.h"
#include "arena.h"
#include "clock.h"
#include "file.h"
#include "log.h"
#include "plugin.h"
#include "text.h"

#define STATE_FILE "volumes.json"
#define STATE_MAX  (1024u * 1024u)
#define NAME_MAX_  255u

struct volume {
	char *name;
	char *binding;
};

/* A container that is being started, until its files are there. */
struct waiter {
	struct waiter *next;
	struct httpd_client *client;
	char *name, *binding; /* of the volume */
	uint64_t wanted;
	int64_t deadline;
};

struct volumes {
	struct volumes_options o;
	char *run_dir, *state_file;
	struct plugin *plugin;
	struct volume *list;
	size_t n;
	struct waiter *waiters;
};

/* --- what is remembered --------------------------------------------------------------
 */

static struct volume *find(const struct volumes *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->list[i].name, name) == 0)
			return &v->list[i];
	return NULL;
}

static int add(struct volumes *v, const char *name, const char *binding, struct err *e)
{
	struct volume *list, new = { strdup(name), strdup(binding) };

	if (v->n >= VOLUMES_MAX) {
		free(new.name);
		free(new.binding);
		return err_set(e, ERR_FULL, "there are %u volumes already", VOLUMES_MAX);
	}
	list = reallocarray(v->list, v->n + 1, sizeof(*list));
	if (list != NULL)
		v->list = list;
	if (list == NULL || new.name == NULL || new.binding == NULL) {
		free(new.name);
		free(new.binding);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	v->list[v->n++] = new;
	return ERR_OK;
}

static void take_out(struct volumes *v, struct volume *it)
{
	free(it->name);
	free(it->binding);
	*it = v->list[--v->n];
}

static bool name_ok(const char *s)
{
	return s != NULL && *s != '\0' && strlen(s) <= NAME_MAX_ &&
	       text_printable(s, strlen(s));
}

static int save(const struct volumes *v, struct err *e)
{
	json_t *list = json_array(),
	       *doc = json_pack("{s:i, s:O}", "version", 1, "volumes", list);
	char *text = NULL;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < v->n; i++)
		if (json_array_append_new(list, json_pack("{s:s, s:s}", "name",
		                                          v->list[i].name, "binding",
		                                          v->list[i].binding)) != 0) {
			json_decref(doc);
			doc = NULL;
		}
	if (doc != NULL && (n = json_dumpb(doc, NULL, 0, JSON_INDENT(1))) > 0 &&
	    (text = malloc(n)) != NULL)
		(void)json_dumpb(doc, text, n, JSON_INDENT(1));
	rc = text != NULL ? file_write_path(v->state_file, text, n, 0600, e)
	                  : err_set(e, ERR_NOMEM, "out of memory");
	free(text);
	json_decref(doc);
	json_decref(list);
	return rc;
}

static int load_text(struct volumes *v, const char *text, size_t n, struct err *e)
{
	json_t *doc = json_loadb(text, n, 0, NULL);
	const json_t *item;
	size_t i;
	int rc = json_is_object(doc)
	                 ? ERR_OK
	                 : err_set(e, ERR_INVALID, "'%s' cannot be read", v->state_file);

	json_array_foreach(json_object_get(doc, "volumes"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *binding = json_string_value(json_object_get(item, "binding"));

		if (rc == ERR_OK && name_ok(name) && binding != NULL &&
		    generation_name_check(binding, "binding", NULL) == ERR_OK &&
		    find(v, name) == NULL)
			rc = add(v, name, binding, e);
	}
	json_decref(doc);
	return rc;
}

/* A file that is damaged is not worth a host without secrets. */
static int load(struct volumes *v, struct err *e)
{
	AUTO_ARENA a = arena_new(2 * STATE_MAX);
	struct err why = { ERR_OK, "" };
	char *text = NULL;
	size_t n = 0;
	int rc = a != NULL ? file_read(a, v->state_file, STATE_MAX, &text, &n, &why)
	                   : err_set(&why, ERR_NOMEM, "out of memory");

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc == ERR_OK)
		rc = load_text(v, text, n, &why);
	if (rc == ERR_INVALID || rc == ERR_TOO_BIG) {
		log_error(
			"the names of volumes are lost: make them again with docker volume "
			"create",
			LOG_S("why", why.msg));
		return ERR_OK;
	}
	return rc == ERR_OK ? ERR_OK : err_set(e, why.code, "%s", why.msg);
}

/* --- answers -------------------------------------------------------------------------
 */

static json_t *place_of(const struct volumes *v, const struct volume *it)
{
	return json_sprintf("%s/%s", v->run_dir, it->binding);
}

static bool is_ready(const struct volumes *v, const char *binding)
{
	return v->o.ops.ready(v->o.ops.ctx, binding);
}

static json_t *about(const struct volumes *v, const struct volume *it)
{
	return json_pack("{s:s, s:o, s:{s:s, s:b}}", "Name", it->name, "Mountpoint",
	                 place_of(v, it), "Status", "binding", it->binding, "ready",
	                 is_ready(v, it->binding));
}

/* --- waiting -------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
	return clock_boot(clock_system());
}

static void free_waiter(struct waiter *w)
{
	free(w->name);
	free(w->binding);
	free(w);
}

static enum volumes_answer judge(const struct volumes *v, const struct waiter *w)
{
	if (v->o.ops.judge != NULL)
		return v->o.ops.judge(v->o.ops.ctx, w->name, w->binding, w->wanted);
	return is_ready(v, w->binding) ? VOLUMES_MOUNT : VOLUMES_LATER;
}

static void on_gone(void *ctx, struct httpd_client *c)
{
	struct volumes *v = ctx;

	for (struct waiter **at = &v->waiters; *at != NULL; at = &(*at)->next)
		if ((*at)->client == c) {
			struct waiter *w = *at;

			*at = w->next;
			free_waiter(w);
			return;
		}
}

static void give_up(const struct volumes *v, struct waiter *w, bool ever)
{
	const char *why = v->o.ops.why != NULL ? v->o.ops.why(v->o.ops.ctx, w->binding)
	                                       : NULL;
	char text[512];

	(void)snprintf(text, sizeof(text),
	               "vault-agent has no files of the binding '%s' %s%s%s", w->binding,
	               ever ? "yet" : "for it", why != NULL && *why != '\0' ? ": " : "",
	               why != NULL ? why : "");
	log_warn("a container was not started", LOG_S("binding", w->binding),
	         LOG_S("why", why));
	plugin_fail(w->client, text);
}

/* false: it has to wait. */
static bool settle(const struct volumes *v, struct waiter *w, int64_t now)
{
	enum volumes_answer is = judge(v, w);

	if (is == VOLUMES_LATER && now < w->deadline)
		return false;
	if (is == VOLUMES_MOUNT)
		plugin_answer(w->client,
		              json_pack("{s:o}", "Mountpoint",
		                        json_sprintf("%s/%s", v->run_dir, w->binding)));
	else
		give_up(v, w, is == VOLUMES_LATER);
	return true;
}

int64_t volumes_due(struct volumes *v, int64_t now)
{
	struct waiter **at = &v->waiters;
	int64_t next = -1;

	while (*at != NULL) {
		struct waiter *w = *at;

		if (!settle(v, w, now)) {
			next = next < 0 || w->deadline < next ? w->deadline : next;
			at = &w->next;
			continue;
		}
		*at = w->next;
		free_waiter(w);
	}
	return next;
}

struct plugin *volumes_plugin(const struct volumes *v)
{
	return v->plugin;
}

const char *volumes_driver(const struct volumes *v)
{
	return plugin_name(v->plugin);
}

const char *volumes_binding(const struct volumes *v, const char *name)
{
	const struct volume *it = find(v, name);

	return it != NULL ? it->binding : NULL;
}

bool volumes_wants(const struct volumes *v, const char *binding)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->list[i].binding, binding) == 0)
			return true;
	return false;
}

/* --- verbs ---------------------------------------------------------------------------
 */

/* Of the volume that the request names; NULL: there is none. */
typedef void (*verb_fn)(struct volumes *v, struct httpd_client *c, const json_t *q,
                        const char *name, struct volume *it);

static void on_capabilities(struct volumes *v UNUSED, struct httpd_client *c,
                            const json_t *q UNUSED, const char *name UNUSED,
                            struct volume *it UNUSED)
{
	plugin_answer(c, json_pack("{s:{s:s}}", "Capabilities", "Scope", "local"));
}

static int binding_of(const json_t *q, const char *name, const char **out, struct err *e)
{
	const json_t *opts = json_object_get(q, "Opts"), *value;
	const char *key;

	*out = name;
	json_object_foreach((json_t *)opts, key, value)
	{
		if (strcmp(key, "binding") != 0)
			return err_set(e, ERR_INVALID, "the only option is binding=NAME");
		if ((*out = json_string_value(value)) == NULL)
			return err_set(e, ERR_INVALID, "a binding's name is a text");
	}
	return generation_name_check(*out, "binding", e);
}

static int create(struct volumes *v, const json_t *q, const char *name,
                  const struct volume *it, struct err *e)
{
	const char *binding;
	int rc = binding_of(q, name, &binding, e);

	if (rc != ERR_OK)
		return rc;
	if (it != NULL)
		return strcmp(it->binding, binding) == 0
		               ? ERR_OK
		               : err_set(e, ERR_CONFLICT,
		                         "the volume is of another binding");
	if ((rc = add(v, name, binding, e)) != ERR_OK)
		return rc;
	if ((rc = save(v, e)) != ERR_OK)
		take_out(v, &v->list[v->n - 1]);
	else
		(void)v->o.ops.want(v->o.ops.ctx, binding);
	return rc;
}

static void on_create(struct volumes *v, struct httpd_client *c, const json_t *q,
                      const char *name, struct volume *it)
{
	struct err e = { ERR_OK, "" };

	if (create(v, q, name, it, &e) != ERR_OK)
		plugin_fail(c, e.msg);
	else
		plugin_answer(c, json_object());
}

static void on_remove(struct volumes *v, struct httpd_client *c, const json_t *q UNUSED,
                      const char *name UNUSED, struct volume *it)
{
	struct err e = { ERR_OK, "" };

	if (it != NULL) {
		take_out(v, it);
		if (save(v, &e) != ERR_OK)
			log_error("a volume that was removed will be back",
			          LOG_S("why", e.msg));
	}
	plugin_answer(c, json_object());
}

static void on_mount(struct volumes *v, struct httpd_client *c, const json_t *q UNUSED,
                     const char *name UNUSED, struct volume *it)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (w == NULL || (w->name = strdup(it->name)) == NULL ||
	    (w->binding = strdup(it->binding)) == NULL) {
		if (w != NULL)
			free_waiter(w);
		plugin_fail(c, "vault-agent is out of memory");
		return;
	}
	w->client = c;
	w->wanted = v->o.ops.want(v->o.ops.ctx, it->binding);
	w->deadline = now_ms() + v->o.wait_ms;
	if (settle(v, w, now_ms())) {
		free_waiter(w);
		return;
	}
	w->next = v->waiters;
	v->waiters = w;
}

static void on_unmount(struct volumes *v UNUSED, struct httpd_client *c,
                       const json_t *q UNUSED, const char *name UNUSED,
                       struct volume *it UNUSED)
{
	plugin_answer(c, json_object());
}

static void on_path(struct volumes *v, struct httpd_client *c, const json_t *q UNUSED,
                    const char *name UNUSED, struct volume *it)
{
	plugin_answer(c, json_pack("{s:o}", "Mountpoint", place_of(v, it)));
}

static void on_get(struct volumes *v, struct httpd_client *c, const json_t *q UNUSED,
                   const char *name UNUSED, struct volume *it)
{
	plugin_answer(c, json_pack("{s:o}", "Volume", about(v, it)));
}

static void on_list(struct volumes *v, struct httpd_client *c, const json_t *q UNUSED,
                    const char *name UNUSED, struct volume *it UNUSED)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++)
		(void)json_array_append_new(list, about(v, &v->list[i]));
	plugin_answer(c, json_pack("{s:o}", "Volumes", list));
}

static const struct verb {
	const char *name;
	verb_fn run;
	bool named;  /* the request names a volume, */
	bool exists; /* that has to be there */
} verbs[] = {
	{"Capabilities", on_capabilities, false, false},
	{ "List",        on_list,         false, false},
	{ "Create",      on_create,       true,  false},
	{ "Remove",      on_remove,       true,  false},
	{ "Unmount",     on_unmount,      true,  false},
	{ "Mount",       on_mount,        true,  true },
	{ "Path",        on_path,         true,  true },
	{ "Get",         on_get,          true,  true },
};

static const struct verb *verb_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static bool on_call(void *ctx, struct httpd_client *c, const char *what, const json_t *q)
{
	struct volumes *v = ctx;
	const struct verb *verb = verb_of(what);
	const char *name = json_string_value(json_object_get(q, "Name"));
	struct volume *it = name_ok(name) ? find(v, name) : NULL;

	if (verb == NULL)
		return false;
	if (verb->named && !name_ok(name))
		plugin_fail(c, "this is no name of a volume");
	else if (verb->exists && it == NULL)
		plugin_fail(c, "vault-agent knows no such volume");
	else
		verb->run(v, c, q, name, it);
	return true;
}

/* --- the outside ---------------------------------------------------------------------
 */

static int prepare(struct volumes *v, const struct volumes_options *o, struct err *e)
{
	const struct plugin_kind kind = {
		.name = "VolumeDriver",
		.calls = "VolumeDriver",
		.call = on_call,
		.gone = on_gone,
		.ctx = v,
	};
	int rc;

	if ((v->run_dir = strdup(o->run_dir)) == NULL ||
	    asprintf(&v->state_file, "%s/" STATE_FILE, o->state_dir) < 0) {
		v->state_file = NULL;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if ((rc = load(v, e)) != ERR_OK ||
	    (rc = plugin_listen(o->socket, &v->plugin, e)) != ERR_OK)
		return rc;
	return plugin_serve(v->plugin, &kind, e);
}

int volumes_listen(const struct volumes_options *o, struct volumes **out, struct err *e)
{
	struct volumes *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	v->o = *o;
	if (v->o.wait_ms == 0)
		v->o.wait_ms = VOLUMES_WAIT_MS;
	if ((rc = prepare(v, o, e)) != ERR_OK) {
		volumes_free(v);
		return rc;
	}
	*out = v;
	return ERR_OK;
}

void volumes_free(struct volumes *v)
{
	if (v == NULL)
		return;
	plugin_free(v->plugin);
	while (v->waiters != NULL) {
		struct waiter *w = v->waiters;

		v->waiters = w->next;
		free_waiter(w);
	}
	while (v->n > 0)
		take_out(v, &v->list[v->n - 1]);
	free(v->list);
	free(v->run_dir);
	free(v->state_file);
	free(v);
}

int volumes_attach(struct volumes *v, int epoll_fd, struct err *e)
{
	return plugin_attach(v->plugin, epoll_fd, e);
}

bool volumes_event(struct volumes *v, int fd, unsigned events)
{
	return plugin_event(v->plugin, fd, events);
}

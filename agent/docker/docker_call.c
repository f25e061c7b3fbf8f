/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls: a queue, and as many connections as there are calls under way.
 *
 * Nothing is started, and no callback is called, from inside a call's own function: those
 * who call may be in the middle of something.
 */
#include <stdio.h>
#include <string.h>

#include "docker_impl.h"

#define NEVER_WAIT_LESS 1     /* ms that a request gets at least */
#define LIST_TIMEOUT_MS 30000 /* of a list */
#define GRACE_MAX_S     3600

/* --- making one ----------------------------------------------------------------------
 */

struct docker_call *docker_call_new(struct docker *d, int64_t timeout_ms,
                                    docker_done_fn done, void *ctx, struct err *e)
{
	struct docker_call *c;

	if (d->n_calls >= DOCKER_CALLS_MAX) {
		err_set(e, ERR_BUSY, "too many calls of Docker are waiting");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->d = d;
	c->method = "POST";
	c->deadline = clock_boot(d->o.clock) + timeout_ms;
	c->done = done;
	c->ctx = ctx;
	c->split = (struct json_split){ .max = DOCKER_ITEM_MAX, .level = 1 };
	c->output.max = DOCKER_OUTPUT_MAX;
	return c;
}

void docker_call_free(struct docker_call *c)
{
	if (c == NULL)
		return;
	json_split_free(&c->split);
	demux_free(&c->output);
	free(c->path);
	if (c->body != NULL)
		explicit_bzero(c->body, strlen(c->body));
	free(c->body);
	free(c);
}

void docker_call_add(struct docker_call *c)
{
	struct docker_call **at = &c->d->calls;

	while (*at != NULL)
		at = &(*at)->next;
	*at = c;
	c->d->n_calls++;
}

static int add_with_path(struct docker_call *c, char *path, struct err *e)
{
	if (path == NULL) {
		docker_call_free(c);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	c->path = path;
	docker_call_add(c);
	return ERR_OK;
}

static int check_id(const char *id, struct err *e)
{
	return docker_id_ok(id) ? ERR_OK
	                        : err_set(e, ERR_USAGE, "this is no container's id");
}

/* "/containers/ID/VERB?QUERY" */
static char *container_path(const char *id, const char *verb, const char *query)
{
	char *path = NULL;

	if (query == NULL || asprintf(&path, "/containers/%s/%s%s%s", id, verb,
	                              *query != '\0' ? "?" : "", query) < 0)
		return NULL;
	return path;
}

/* --- what may be called --------------------------------------------------------------
 */

static bool signal_ok(const char *s)
{
	size_t n = s == NULL ? 0 : strlen(s);

	return n > 0 && n <= 16 &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == n;
}

/* The parts of a call, and whom it is for. */
/* NOLINTNEXTLINE(readability-function-size) */
int docker_kill(struct docker *d, const char *id, const char *signal, int64_t timeout_ms,
                docker_done_fn done, void *ctx, struct err *e)
{
	AUTO_FREE char *name = NULL;
	char query[64];
	struct docker_call *c;
	int rc = check_id(id, e);

	if (rc != ERR_OK)
		return rc;
	if (!signal_ok(signal))
		return err_set(e, ERR_USAGE, "this is no signal");
	if ((c = docker_call_new(d, timeout_ms, done, ctx, e)) == NULL)
		return (int)e->code;
	name = docker_escape(signal);
	if (name != NULL)
		(void)snprintf(query, sizeof(query), "signal=%s", name);
	return add_with_path(c, container_path(id, "kill", name != NULL ? query : NULL),
	                     e);
}

struct stop {
	const char *id;
	const char *verb;
	int grace_s;
	int64_t timeout_ms;
};

static int stop(struct docker *d, const struct stop *s, docker_done_fn done, void *ctx,
                struct err *e)
{
	int grace = s->grace_s < 0             ? 0
	            : s->grace_s > GRACE_MAX_S ? GRACE_MAX_S
	                                       : s->grace_s;
	char query[16];
	struct docker_call *c;
	int rc = check_id(s->id, e);

	if (rc != ERR_OK)
		return rc;
	if ((c = docker_call_new(d, s->timeout_ms, done, ctx, e)) == NULL)
		return (int)e->code;
	(void)snprintf(query, sizeof(query), "t=%d", grace);
	return add_with_path(c, container_path(s->id, s->verb, query), e);
}

/* NOLINTNEXTLINE(readability-function-size) */
int docker_restart(struct docker *d, const char *id, int grace_s, int64_t timeout_ms,
                   docker_done_fn done, void *ctx, struct err *e)
{
	return stop(d, &(struct stop){ id, "restart", grace_s, timeout_ms }, done, ctx,
	            e);
}

/* NOLINTNEXTLINE(readability-function-size) */
int docker_stop(struct docker *d, const char *id, int grace_s, int64_t timeout_ms,
                docker_done_fn done, void *ctx, struct err *e)
{
	return stop(d, &(struct stop){ id, "stop", grace_s, timeout_ms }, done, ctx, e);
}

int docker_inspect(struct docker *d, const char *id, int64_t timeout_ms,
                   docker_done_fn done, void *ctx, struct err *e)
{
	struct docker_call *c;
	int rc = check_id(id, e);

	if (rc != ERR_OK)
		return rc;
	if ((c = docker_call_new(d, timeout_ms, done, ctx, e)) == NULL)
		return (int)e->code;
	c->method = "GET";
	c->wants_doc = true;
	return add_with_path(c, container_path(id, "json", ""), e);
}

/* {"id":["…","…"]} as a query; NULL if out of memory or no ids. */
static char *filter_ids(const char *const *ids, size_t n)
{
	json_t *list = json_array(), *filters = json_pack("{s:o}", "id", list);
	char *text = NULL, *query = NULL;

	for (size_t i = 0; i < n; i++)
		if (!docker_id_ok(ids[i]) ||
		    json_array_append_new(list, json_string(ids[i])) != 0) {
			json_decref(filters);
			return NULL;
		}
	text = filters != NULL ? json_dumps(filters, JSON_COMPACT) : NULL;
	query = text != NULL ? docker_escape(text) : NULL;
	json_decref(filters);
	if (text != NULL) {
		json_free_t put;

		json_get_alloc_funcs(NULL, &put);
		put(text);
	}
	return query;
}

/* NOLINTNEXTLINE(readability-function-size) */
int docker_list(struct docker *d, const char *const *ids, size_t n, docker_item_fn each,
                docker_done_fn done, void *ctx, struct err *e)
{
	struct docker_call *c = docker_call_new(d, LIST_TIMEOUT_MS, done, ctx, e);
	AUTO_FREE char *filters = NULL;
	char *path = NULL;

	if (c == NULL)
		return (int)e->code;
	c->method = "GET";
	c->each = each;
	if (n > 0)
		filters = filter_ids(ids, n);
	if ((n > 0 && filters == NULL) ||
	    asprintf(&path, "/containers/json?all=1%s%s", n > 0 ? "&filters=" : "",
	             n > 0 ? filters : "") < 0)
		path = NULL;
	return add_with_path(c, path, e);
}

int docker_request(struct docker *d, const struct docker_query *q, docker_done_fn done,
                   void *ctx, struct err *e)
{
	struct docker_call *c = docker_call_new(d, q->timeout_ms, done, ctx, e);

	if (c == NULL) {
		if (q->body != NULL)
			explicit_bzero(q->body, strlen(q->body));
		free(q->body);
		return (int)e->code;
	}
	c->method = q->method;
	c->body = q->body;
	c->wants_doc = q->wants_doc;
	c->each = q->each;
	c->whole = q->whole;
	if (q->whole)
		c->split.max = DOCKER_WHOLE_MAX;
	return add_with_path(c, strdup(q->path), e);
}

void docker_forget(struct docker *d, const void *ctx)
{
	for (struct docker_call *c = d->calls; c != NULL; c = c->next)
		if (c->ctx == ctx) {
			c->done = NULL;
			c->each = NULL;
		}
}

/* --- carrying them out ---------------------------------------------------------------
 */

static void put_client(struct docker *d, struct docker_call *c)
{
	http_stream(c->http, NULL, NULL);
	d->idle[d->n_idle++] = c->http;
	d->n_active--;
	c->http = NULL;
}

/* Out of the list, whose next place ${at} then is. */
static struct docker_call *take(struct docker *d, struct docker_call **at)
{
	struct docker_call *c = *at;

	*at = c->next;
	c->next = NULL;
	d->n_calls--;
	return c;
}

static void take_this(struct docker_call *c)
{
	struct docker_call **at = &c->d->calls;

	while (*at != c)
		at = &(*at)->next;
	(void)take(c->d, at);
}

/* One that is in no list any more. */
static void finish(struct docker_call *c, struct docker_result *r, const struct err *e)
{
	r->rc = e->code;
	r->e = e;
	r->output = c->output.p != NULL ? c->output.p : "";
	r->output_len = c->output.n;
	r->output_cut = c->output.cut;
	if (c->done != NULL)
		c->done(c->ctx, r);
	docker_call_free(c);
}

static void on_item(void *ctx, const char *text, size_t n)
{
	struct docker_call *c = ctx;
	json_t *doc = docker_parse(text, n);

	if (!json_is_object(doc))
		c->odd = true;
	else if (c->each != NULL)
		c->each(c->ctx, doc);
	json_decref(doc);
}

static bool on_list(void *ctx, const char *p, size_t n)
{
	struct docker_call *c = ctx;

	json_split_feed(&c->split, p, n, on_item, c);
	return true;
}

/* What is no list, or not all of one, must not pass for an empty one. */
static int judge_list(const struct docker_call *c, struct err *e)
{
	if (c->split.first != '[' || c->split.depth != 0 || c->split.in_string ||
	    (c->whole && c->odd))
		return err_set(e, ERR_INVALID, "Docker's list cannot be read");
	return ERR_OK;
}

static int judge(struct docker_call *c, const struct http_reply *reply, json_t **doc,
                 struct err *e)
{
	if (reply->status == 304)
		return ERR_OK;
	if (reply->status / 100 != 2)
		return docker_refused(reply, e);
	if (c->each != NULL)
		return judge_list(c, e);
	if (!c->wants_doc)
		return ERR_OK;
	*doc = docker_parse(reply->body, reply->len);
	return json_is_object(*doc)
	               ? ERR_OK
	               : err_set(e, ERR_INVALID, "Docker's answer cannot be read");
}

static void on_done(void *ctx, int rc, struct http_reply *reply, const struct err *why)
{
	struct docker_call *c = ctx;
	struct docker_result r = { 0 };
	struct err e = { ERR_OK, "" };
	json_t *doc = NULL;
	bool over = true;

	put_client(c->d, c);
	if (rc == ERR_OK) {
		r.status = reply->status;
		r.text = reply->body;
		r.text_len = reply->len;
	}
	if (rc != ERR_OK)
		e = *why;
	else if (judge(c, reply, &doc, &e) == ERR_OK && c->step != CALL_PLAIN)
		over = exec_step(c, reply, &r, &e);
	r.doc = doc;
	if (over) {
		take_this(c);
		finish(c, &r, &e);
	}
	json_decref(doc);
}

static struct http_client *get_client(struct docker *d, struct err *e)
{
	return d->n_idle > 0 ? d->idle[--d->n_idle] : docker_client(d, e);
}

static int start(struct docker_call *c, int64_t now, struct err *e)
{
	struct docker *d = c->d;
	AUTO_FREE char *path = NULL;
	int64_t left = c->deadline - now;
	int rc;

	if (c->step != CALL_PLAIN && (rc = exec_prepare(c, e)) != ERR_OK)
		return rc;
	if ((path = docker_path(d, c->path)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((c->http = get_client(d, e)) == NULL)
		return (int)e->code;
	d->n_active++;
	if (c->each != NULL)
		http_stream(c->http, on_list, c);
	else if (c->step == CALL_START)
		http_stream(c->http, exec_data, c);
	rc = http_multi_start(d->o.multi, c->http, c->method, path, NULL, c->body,
	                      (long)(left < NEVER_WAIT_LESS ? NEVER_WAIT_LESS : left),
	                      on_done, c, e);
	if (rc != ERR_OK)
		put_client(d, c);
	return rc;
}

/* The first whose time is over while it waits, or that was forgotten. */
static struct docker_call *take_late(struct docker *d, int64_t now)
{
	for (struct docker_call **at = &d->calls; *at != NULL; at = &(*at)->next)
		if ((*at)->http == NULL &&
		    ((*at)->done == NULL || now >= (*at)->deadline))
			return take(d, at);
	return NULL;
}

/* The first that waits to be started. */
static struct docker_call *take_waiting(struct docker *d, int64_t now)
{
	for (struct docker_call **at = &d->calls; *at != NULL; at = &(*at)->next)
		if ((*at)->http == NULL && now >= (*at)->not_before)
			return take(d, at);
	return NULL;
}

/* Callbacks change the list: it is looked at anew after each. */
static void end_late(struct docker *d, int64_t now)
{
	struct docker_call *c;

	while ((c = take_late(d, now)) != NULL) {
		struct docker_result r = { 0 };
		struct err e = { ERR_OK, "" };

		err_set(&e, ERR_TIMEOUT, "Docker did not answer in time%s%s",
		        d->error[0] != '\0' ? ": " : "", d->error);
		finish(c, &r, &e);
	}
}

static void start_waiting(struct docker *d, int64_t now)
{
	struct docker_call *c;

	while (docker_is_up(d) && d->n_active < DOCKER_ACTIVE_MAX &&
	       (c = take_waiting(d, now)) != NULL) {
		struct docker_result r = { 0 };
		struct err e = { ERR_OK, "" };

		if (start(c, now, &e) != ERR_OK) {
			finish(c, &r, &e);
			continue;
		}
		c->next = d->calls; /* those under way have no order */
		d->calls = c;
		d->n_calls++;
	}
}

static int64_t next_time(const struct docker *d, int64_t now)
{
	int64_t next = -1;

	for (const struct docker_call *c = d->calls; c != NULL; c = c->next) {
		int64_t at = c->deadline;

		if (c->http != NULL)
			continue;
		if (docker_is_up(d) && c->not_before > now && c->not_before < at)
			at = c->not_before;
		if (next < 0 || at < next)
			next = at;
	}
	return next;
}

int64_t calls_due(struct docker *d, int64_t now)
{
	end_late(d, now);
	start_waiting(d, now);
	while (d->n_idle > 0)
		http_free(d->idle[--d->n_idle]);
	return next_time(d, now);
}

void calls_free(struct docker *d)
{
	while (d->calls != NULL) {
		struct docker_call *c = d->calls;

		d->calls = c->next;
		http_free(c->http);
		docker_call_free(c);
	}
	while (d->n_idle > 0)
		http_free(d->idle[--d->n_idle]);
}

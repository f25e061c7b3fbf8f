/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of a Swarm's secrets: fetched when one is to be made, by the lease of the
 * cluster's binding, and wiped soon after.
 */
#include <stdio.h>
#include <string.h>

#include "agent/deliver/render.h"
#include "log.h"
#include "sealed.h"
#include "session_swarm_impl.h"
#include "swarm/one_secret.h"

#define KEEP_MS     60000 /* Docker may have to be asked twice */
#define FETCH_ITEMS 16u
#define VALUE_ARENA (64u * 1024 * 1024)

/* --- what is at hand -----------------------------------------------------------------
 */

static void value_free(struct swarm_value *v)
{
	arena_free(v->a);
	free(v);
}

void swarm_values_clear(struct session_swarm *d)
{
	while (d->values != NULL) {
		struct swarm_value *v = d->values;

		d->values = v->next;
		value_free(v);
	}
	while (d->creates != NULL) {
		struct swarm_create *c = d->creates;

		d->creates = c->next;
		free(c);
	}
}

static void drop(struct session_swarm *d, const char *name)
{
	for (struct swarm_value **at = &d->values; *at != NULL;) {
		struct swarm_value *v = *at;

		if (strcmp(v->name, name) != 0) {
			at = &v->next;
			continue;
		}
		*at = v->next;
		value_free(v);
	}
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	return x == y || json_equal(x, y);
}

void swarm_value_note(struct session_swarm *d, const char *name, const json_t *b,
                      const json_t *before)
{
	if (before == NULL)
		return;
	if (same(b, before, "path") && same(b, before, "format") &&
	    same(b, before, "field") && same(b, before, "fields") &&
	    same(b, before, "quote") && same(b, before, "template_text"))
		return;
	drop(d, name);
	if (same(b, before, "path"))
		machine_audit(d->m, name, session_now(d->s));
	else
		swarm_forget(d, name);
}

int64_t swarm_values_due(struct session_swarm *d, int64_t now)
{
	int64_t next = -1;

	for (struct swarm_value **at = &d->values; *at != NULL;) {
		struct swarm_value *v = *at;

		if (now >= v->until) {
			*at = v->next;
			value_free(v);
			continue;
		}
		if (next < 0 || v->until < next)
			next = v->until;
		at = &v->next;
	}
	return next;
}

static const struct swarm_value *find_value(const struct session_swarm *d,
                                            const char *name, int64_t version)
{
	for (const struct swarm_value *v = d->values; v != NULL; v = v->next)
		if (v->version == version && strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

int swarm_secret(void *ctx, const struct machine_call *call, engine_make_fn make,
                 void *make_ctx, struct err *e)
{
	struct session_swarm *d = ctx;
	AUTO_JSON b = swarm_binding(d, call->binding);
	const struct swarm_value *v = find_value(d, call->binding, call->version);
	const char *format = reply_str(b, "format");
	struct engine_secret s = {
		.path = reply_str(b, "path"),
		.format = format != NULL ? format : "raw",
		.epoch = (uint64_t)d->epoch,
	};

	if (swarm_is_driver(b) && s.path != NULL) {
		if ((s.driver = swarm_driver_name(d)) == NULL)
			return err_set(e, ERR_UNREACHABLE, "the secret driver is off");
		return make(make_ctx, &s, e);
	}
	if (v == NULL || s.path == NULL)
		return err_set(e, ERR_NOENT, "the value is not at hand");
	s.fp = v->fp;
	s.value = v->p;
	s.n = v->n;
	return make(make_ctx, &s, e);
}

int swarm_create(struct session_swarm *d, const struct machine_call *call, struct err *e)
{
	AUTO_JSON b = swarm_binding(d, call->binding);
	bool driver = swarm_is_driver(b), here;
	struct swarm_create *c;

	if (driver && swarm_driver_name(d) == NULL)
		return err_set(e, ERR_UNREACHABLE,
		               "there is no secret driver on the leading manager");
	/* What tasks have been given before needs no value to be looked at. */
	if (driver)
		here = call->known || call->version < reply_int(b, "version", 0) ||
		       driver_has(d->driver, call->binding, call->version);
	else
		here = find_value(d, call->binding, call->version) != NULL;
	if (here)
		return engine_start(d->engine, call, e);
	if ((c = calloc(1, sizeof(*c))) == NULL || strlen(call->binding) > LIMIT_NAME) {
		free(c);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	c->call = *call;
	c->driver = driver;
	(void)snprintf(c->name, sizeof(c->name), "%s", call->binding);
	c->call.binding = c->name;
	if (call->secret != NULL) {
		(void)snprintf(c->secret, sizeof(c->secret), "%s", call->secret);
		(void)snprintf(c->secret_name, sizeof(c->secret_name), "%s",
		               call->secret_name);
		c->call.secret = c->secret;
		c->call.secret_name = c->secret_name;
	}
	c->next = d->creates;
	d->creates = c;
	return ERR_OK;
}

/* --- fetching ------------------------------------------------------------------------
 */

/* Before another request is made none is under way: what was asked for is not to come. */
bool session_swarm_fetch_due(struct session *s, int64_t now UNUSED)
{
	struct session_swarm *d = s->swarm;

	bool any = false;

	if (d == NULL || !session_takes_values(s))
		return false;
	for (struct swarm_create *c = d->creates; c != NULL; c = c->next) {
		c->in_call = false;
		any = any || !c->driver;
	}
	return any;
}

json_t *session_swarm_fetch_body(struct session *s)
{
	struct session_swarm *d = s->swarm;
	json_t *ids = json_array();

	for (struct swarm_create *c = d->creates;
	     c != NULL && json_array_size(ids) < FETCH_ITEMS; c = c->next) {
		AUTO_JSON b = c->driver ? NULL : swarm_binding(d, c->name);
		const char *id = reply_str(b, "lease_id");

		if (c->driver)
			continue;
		c->in_call = true;
		if (id != NULL)
			json_array_append_new(ids, json_string(id));
	}
	return json_pack("{s:o}", "leases", ids);
}

static void settings_of(const json_t *b, struct arena *a, struct settings_file *f)
{
	const char *format = reply_str(b, "format"), *quote = reply_str(b, "quote");
	const json_t *fields = json_object_get(b, "fields");
	size_t n = json_array_size(fields);
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));

	*f = (struct settings_file){
		.path = reply_str(b, "path"),
		.field = reply_str(b, "field"),
		.format = FORMAT_RAW,
		.quote = quote != NULL && strcmp(quote, "none") == 0 ? QUOTE_NONE
		                                                     : QUOTE_SHELL,
	};
	if (format != NULL && strcmp(format, "env") == 0)
		f->format = FORMAT_ENV;
	else if (format != NULL && strcmp(format, "json") == 0)
		f->format = FORMAT_JSON;
	for (size_t i = 0; names != NULL && i < n; i++)
		names[f->fields.n++] = json_string_value(json_array_get(fields, i));
	f->fields.items = names;
}

int swarm_open(struct session_swarm *d, const json_t *b, const json_t *item,
               int64_t version, struct swarm_value *v, struct err *e)
{
	struct session *s = d->s;
	const struct sealed_expect want = {
		.request = session_expects(s->on, "fetch"),
		.lease_id = reply_str(b, "lease_id"),
		.path = reply_str(b, "path"),
		.min_version = version,
	};
	const char *why = reply_str(item, "error");
	struct sealed_value got = { .data = NULL };
	struct one_secret one;
	struct settings_file f;
	const char *text;
	int rc;

	if (reply_str(item, "sealed") == NULL)
		return err_set(e, ERR_NOENT, "%.150s",
		               why != NULL ? why : "the vault sent no value");
	rc = sealed_open(s->o.identity, v->a, reply_str(item, "sealed"), &want, &got, e);
	if (rc != ERR_OK) {
		session_distrust(s, e);
		return rc;
	}
	settings_of(b, v->a, &f);
	text = reply_str(b, "template_text");
	one = (struct one_secret){
		reply_str(b, "path"), {got.data, got.metadata}
	};
	rc = text != NULL ? one_secret_render(v->a, text, &one, &v->p, &v->n, e)
	                  : render_fields(v->a, &f, got.data, &v->p, &v->n, e);
	if (rc != ERR_OK)
		return rc;
	v->version = got.version;
	(void)snprintf(v->fp, sizeof(v->fp), "%s", got.fp != NULL ? got.fp : "");
	return ERR_OK;
}

const json_t *swarm_item(const json_t *items, const char *lease)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		const char *id = reply_str(item, "lease_id");

		if (id != NULL && lease != NULL && strcmp(id, lease) == 0)
			return item;
	}
	return NULL;
}

/* Among those that are at hand. */
static int take_value(struct session_swarm *d, const char *name, const json_t *items,
                      struct err *e)
{
	AUTO_JSON b = swarm_binding(d, name);
	struct swarm_value *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL || (v->a = arena_new(VALUE_ARENA)) == NULL) {
		free(v);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	rc = swarm_open(d, b, swarm_item(items, reply_str(b, "lease_id")),
	                reply_int(b, "version", 0), v, e);
	if (rc != ERR_OK) {
		value_free(v);
		return rc;
	}
	v->until = session_now(d->s) + KEEP_MS;
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	v->next = d->values;
	d->values = v;
	return ERR_OK;
}

/* What it is made for goes on, with the value or without. */
static void go_on(struct session_swarm *d, struct swarm_create *c, int rc,
                  const struct err *why)
{
	struct err e = *why;
	bool here = c->driver ? driver_has(d->driver, c->name, c->call.version)
	                      : find_value(d, c->name, c->call.version) != NULL;

	if (rc == ERR_OK && !here)
		rc = err_set(&e, ERR_NOENT, "there is a newer version already");
	if (rc == ERR_OK)
		rc = engine_start(d->engine, &c->call, &e);
	if (rc != ERR_OK && d->m != NULL)
		machine_done(d->m, c->call.token, rc, e.msg, session_now(d->s));
	free(c);
}

int session_swarm_fetch_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	struct session_swarm *d = s->swarm;
	const json_t *items = json_object_get(json_object_get(doc, "data"), "items");

	for (struct swarm_create **at = &d->creates; *at != NULL;) {
		struct swarm_create *c = *at;
		struct err why = { ERR_OK, "" };
		int rc = ERR_OK;

		if (!c->in_call) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		if (find_value(d, c->name, c->call.version) == NULL)
			rc = take_value(d, c->name, items, &why);
		if (rc != ERR_OK)
			log_warn("no value for the Swarm", LOG_S("binding", c->name),
			         LOG_S("why", why.msg));
		if (rc == ERR_OK && find_value(d, c->name, c->call.version) == NULL)
			session_swarm_again(s);
		go_on(d, c, rc, &why);
	}
	return ERR_OK;
}

void session_swarm_fetch_failed(struct session *s, long status UNUSED,
                                const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	for (struct swarm_create **at = &d->creates; *at != NULL;) {
		struct swarm_create *c = *at;

		if (!c->in_call) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		go_on(d, c, e->code != ERR_OK ? (int)e->code : ERR_UNKNOWN, e);
	}
}

void swarm_settle(struct session_swarm *d, const char *name, int64_t version, int rc,
                  const char *why)
{
	for (struct swarm_create **at = &d->creates; *at != NULL;) {
		struct swarm_create *c = *at;
		struct err e = { .code = ERR_OK };

		if (!c->driver || strcmp(c->name, name) != 0 ||
		    (rc == ERR_OK && version < c->call.version)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		if (rc != ERR_OK)
			(void)err_set(&e, (enum errcode)rc, "%.190s", why);
		go_on(d, c, rc, &e);
	}
}

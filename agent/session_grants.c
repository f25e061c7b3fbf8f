/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bindings of the vault this host has: docs/host-protocol.md, "Bindings that the
 * vault defines".
 *
 * The vault hears of all containers that ask for any, and answers for all.  A binding
 * that it refuses goes at once, with its files, once the audit log was proven to go on;
 * one that nobody asks for any more goes after docker.unused.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "session_docker_impl.h"

#define ASK_CONTAINERS 1000u /* what the vault takes in one request */
#define ASK_PAIRS      2000u
#define ASK_NAMES      256u
#define ASK_AGAIN_MS   30000 /* after it could not be understood */

/* --- who asks for what ---------------------------------------------------------------
 */

static bool is_own(const struct session *s, const char *name)
{
	size_t i = plan_binding(s->plan, name);

	return i < s->plan->n_bindings && !s->plan->bindings[i].granted;
}

/* Names of the vault's bindings are the same in any case. */
static bool asks_for(const struct container *c, const char *name)
{
	for (size_t i = 0; i < c->n_bindings; i++)
		if (strcasecmp(c->bindings[i], name) == 0)
			return true;
	for (size_t i = 0; i < c->n_mounts; i++)
		if (strcasecmp(c->mounts[i].binding, name) == 0)
			return true;
	return false;
}

static bool has_text(const json_t *list, const char *s)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *is = json_string_value(item);

		if (is != NULL && strcasecmp(is, s) == 0)
			return true;
	}
	return false;
}

static void add_name(const struct session *s, json_t *list, const char *name)
{
	if (*name != '\0' && !is_own(s, name) && !has_text(list, name))
		json_array_append_new(list, json_string(name));
}

/* What the container asks the vault for, the caller's. */
static json_t *wishes(const struct session *s, const struct container *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_bindings; i++)
		add_name(s, list, c->bindings[i]);
	for (size_t i = 0; i < c->n_mounts; i++)
		add_name(s, list, c->mounts[i].binding);
	return list;
}

static bool has_wishes(const struct session *s, const struct container *c)
{
	AUTO_JSON list = wishes(s, c);

	return json_array_size(list) > 0;
}

static bool is_refused_to(const json_t *refused, const char *id, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(refused, i, item)
	{
		const char *is = reply_str(item, "name");
		const char *of = reply_str(item, "container");

		if (is != NULL && of != NULL && strcasecmp(is, name) == 0 &&
		    strcmp(of, id) == 0)
			return true;
	}
	return false;
}

/* By somebody who has it, or may get it. */
static bool is_asked_for(const struct session_docker *d, const char *name)
{
	for (size_t i = 0; i < containers_count(d->table); i++) {
		const struct container *c = containers_at(d->table, i);

		if (asks_for(c, name) && !is_refused_to(d->refused, c->id, name))
			return true;
	}
	return false;
}

/* When it was that a binding lost its last container. */
static void note_use(struct session_docker *d)
{
	int64_t now = session_now(d->s);

	d->noted = d->changes;
	for (size_t i = 0; i < d->n_bound; i++) {
		struct bound *b = &d->bound[i];

		if (is_asked_for(d, b->name))
			b->unused_since = 0;
		else if (b->unused_since == 0)
			b->unused_since = now;
	}
}

static void forget_refusals(struct session_docker *d, const char *id)
{
	for (size_t i = json_array_size(d->refused); i > 0; i--) {
		const char *of = reply_str(json_array_get(d->refused, i - 1),
		                           "container");

		if (of != NULL && strcmp(of, id) == 0)
			json_array_remove(d->refused, i - 1);
	}
}

void bind_changed(struct session_docker *d, const struct container *c,
                  enum containers_change what)
{
	if (what == CONTAINER_NEW && has_wishes(d->s, c))
		d->ask = true;
	if (what == CONTAINER_GONE)
		forget_refusals(d, c->id);
}

/* --- asking --------------------------------------------------------------------------
 */

void session_bind_again(struct session *s)
{
	struct session_docker *d = s->docker;

	if (d == NULL)
		return;
	json_decref(d->answer);
	d->answer = NULL;
	d->ask = true;
	d->ask_at = 0;
}

bool session_bind_due(struct session *s, int64_t now)
{
	const struct session_docker *d = s->docker;

	return d != NULL && d->ask && d->answer == NULL && now >= d->ask_at &&
	       s->phase == PHASE_READY && s->o.settings->docker.labels &&
	       containers_known(d->table);
}

static json_t *describe(const struct container *c, json_t *names)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", c->id, "name",
	                 c->name, "image", c->image, "image_id", c->image_id, "service",
	                 c->service, "project", c->project, "bindings", names);
}

static void count_names(json_t *all, const json_t *names)
{
	const json_t *item;
	size_t i;

	json_array_foreach(names, i, item) if (!has_text(all, json_string_value(item)))
		json_array_append(all, (json_t *)(uintptr_t)item);
}

/* Those that do not fit are left out as a whole; nobody else has to suffer. */
json_t *session_bind_body(struct session *s)
{
	struct session_docker *d = s->docker;
	json_t *list = json_array(), *all = json_array();
	size_t pairs = 0, left_out = 0;

	d->ask = false;
	d->asks++;
	for (size_t i = 0; i < containers_count(d->table); i++) {
		const struct container *c = containers_at(d->table, i);
		json_t *names = wishes(s, c);
		size_t n = json_array_size(names);

		if (n > 0 && json_array_size(list) < ASK_CONTAINERS &&
		    pairs + n <= ASK_PAIRS && json_array_size(all) + n <= ASK_NAMES) {
			pairs += n;
			count_names(all, names);
			json_array_append_new(list, describe(c, names));
			continue;
		}
		left_out += n > 0 ? 1 : 0;
		json_decref(names);
	}
	json_decref(all);
	if (left_out > 0)
		log_warn("containers ask for more bindings than the vault hears",
		         LOG_N("not_asked_for", (int64_t)left_out));
	return json_pack("{s:o}", "containers", list);
}

int session_bind_done(struct session *s, const json_t *doc, struct err *e)
{
	struct session_docker *d = s->docker;
	json_t *data = json_object_get(doc, "data");

	if (!json_is_array(json_object_get(data, "grants")) ||
	    !json_is_array(json_object_get(data, "refused")))
		return err_set(e, ERR_INVALID,
		               "what the vault grants containers cannot be read");
	session_prove(s, json_object_get(data, "checkpoint"));
	d->error[0] = '\0';
	d->answer = json_incref(data);
	return ERR_OK;
}

void session_bind_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                         const struct err *e)
{
	struct session_docker *d = s->docker;

	if (strncmp(d->error, e->msg, 190) != 0)
		log_warn("asking for the containers' bindings failed",
		         LOG_S("why", e->msg));
	snprintf(d->error, sizeof(d->error), "%.190s", e->msg);
	d->ask = true;
	d->ask_at = session_now(s) + ASK_AGAIN_MS;
}

/* --- what was said -------------------------------------------------------------------
 */

static struct bound *bound_of(const struct session_docker *d, const char *name)
{
	for (size_t i = 0; i < d->n_bound; i++)
		if (strcasecmp(d->bound[i].name, name) == 0)
			return &d->bound[i];
	return NULL;
}

/* From a container that had it, or may have had it in an earlier life.  That others do
 * not get it is no reason to take it from one that is being made anew. */
static bool is_taken_back(const json_t *refused, const struct bound *b)
{
	const json_t *item;
	size_t i;

	json_array_foreach(refused, i, item)
	{
		const char *id = reply_str(item, "container");

		/* Without a container: it did not fit in the answer. */
		if (id != NULL && *id != '\0' && is_refused_to(refused, id, b->name) &&
		    (b->containers == NULL || has_text(b->containers, id)))
			return true;
	}
	return false;
}

static bool was_refused(const json_t *refused, const json_t *item)
{
	const json_t *each;
	size_t i;

	json_array_foreach(refused, i, each) if (json_equal(each, item)) return true;
	return false;
}

static const char *name_of(const struct session_docker *d, const char *id)
{
	const struct container *c = id != NULL ? containers_find(d->table, id) : NULL;

	return c != NULL ? c->name : "";
}

/* Each is said once. */
static void take_refusals(struct session_docker *d, json_t *refused)
{
	const json_t *item;
	size_t i;

	json_array_foreach(refused, i, item) if (!was_refused(d->refused, item))
		log_warn("a container does not get a binding",
	                 LOG_S("container", name_of(d, reply_str(item, "container"))),
	                 LOG_S("binding", reply_str(item, "name")),
	                 LOG_S("why", reply_str(item, "error")));
	json_decref(d->refused);
	d->refused = json_incref(refused);
}

/* A list in the making: what is to be granted from now on. */
struct list {
	struct grant at[GRANTS_MAX];
	struct bound rows[GRANTS_MAX];
	char *texts[GRANTS_MAX]; /* of specs, or NULL */
	size_t n;
};

static void clear(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		json_decref(l->rows[i].containers);
		reply_text_free(l->texts[i]);
	}
	free(l);
}

static bool put_granted(struct list *l, const json_t *item)
{
	const char *name = reply_str(item, "name");
	const json_t *spec = json_object_get(item, "spec");
	struct bound *row = &l->rows[l->n];

	if (l->n == GRANTS_MAX || name == NULL || !json_is_object(spec) ||
	    generation_name_check(name, "binding", NULL) != ERR_OK ||
	    (l->texts[l->n] = reply_text(spec)) == NULL)
		return false;
	*row = (struct bound){ .version = reply_int(item, "version", 0) };
	memcpy(row->name, name, strlen(name) + 1);
	row->containers = json_incref(json_object_get(item, "containers"));
	l->at[l->n] = (struct grant){ row->name, l->texts[l->n] };
	l->n++;
	return true;
}

/* One of those that we have: its spec is kept with the plan. */
static void put_kept(const struct session_docker *d, struct list *l,
                     const struct bound *b)
{
	const struct grants *have = d->s->o.grants;

	for (size_t i = 0; i < have->n && l->n < GRANTS_MAX; i++) {
		if (strcmp(have->at[i].name, b->name) != 0)
			continue;
		l->rows[l->n] = *b;
		json_incref(b->containers);
		l->texts[l->n] = NULL;
		l->at[l->n] = (struct grant){ l->rows[l->n].name, have->at[i].spec };
		l->n++;
		return;
	}
}

/* From now on these are granted, and no others. */
static int use(struct session_docker *d, struct list *l, struct err *e)
{
	struct bound *rows = calloc(l->n + 1, sizeof(*rows));
	int rc = rows != NULL ? session_grants(d->s, l->at, l->n, e)
	                      : err_set(e, ERR_NOMEM, "out of memory");

	if (rc != ERR_OK) {
		free(rows);
		return rc;
	}
	for (size_t i = 0; i < d->n_bound; i++)
		json_decref(d->bound[i].containers);
	free(d->bound);
	d->bound = rows;
	d->n_bound = l->n;
	for (size_t i = 0; i < l->n; i++) {
		rows[i] = l->rows[i];
		l->rows[i].containers = NULL;
	}
	note_use(d);
	if (d->l.uses != NULL)
		d->l.uses(d->l.ctx);
	return ERR_OK;
}

static bool in_list(const struct list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].name, name) == 0)
			return true;
	return false;
}

static void say_changes(const struct session_docker *d, const struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (bound_of(d, l->at[i].name) == NULL)
			log_info("granted", LOG_S("binding", l->at[i].name));
	for (size_t i = 0; i < d->n_bound; i++)
		if (!in_list(l, d->bound[i].name))
			log_info("no longer granted", LOG_S("binding", d->bound[i].name));
}

static int take_grants(struct session_docker *d, const json_t *answer, struct err *e)
{
	const json_t *refused = json_object_get(answer, "refused"), *item;
	struct list *l = calloc(1, sizeof(*l));
	size_t i;
	int rc;

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	json_array_foreach(json_object_get(answer, "grants"), i,
	                   item) if (!put_granted(l, item))
		log_error("a granted binding cannot be taken over",
	                  LOG_S("binding", reply_str(item, "name")));
	for (i = 0; i < d->n_bound; i++)
		if (!in_list(l, d->bound[i].name) &&
		    !is_taken_back(refused, &d->bound[i]))
			put_kept(d, l, &d->bound[i]);
	say_changes(d, l);
	rc = use(d, l, e);
	clear(l);
	return rc;
}

static void take_answer(struct session_docker *d)
{
	AUTO_JSON answer = d->answer;
	struct err e = { ERR_OK, "" };

	d->answer = NULL;
	d->answered = d->asks;
	take_refusals(d, json_object_get(answer, "refused"));
	if (take_grants(d, answer, &e) != ERR_OK)
		session_bind_failed(d->s, 0, NULL, &e);
}

/* --- what nobody uses ----------------------------------------------------------------
 */

static int64_t over_at(const struct session_docker *d, const struct bound *b)
{
	return b->unused_since + d->s->o.settings->docker.unused_ms;
}

static bool is_over(const struct session_docker *d, const struct bound *b, int64_t now)
{
	return b->unused_since != 0 && now >= over_at(d, b);
}

static void drop_unused(struct session_docker *d, int64_t now)
{
	struct list *l = calloc(1, sizeof(*l));
	struct err e = { ERR_OK, "" };

	if (l == NULL)
		return;
	for (size_t i = 0; i < d->n_bound; i++)
		if (!is_over(d, &d->bound[i], now))
			put_kept(d, l, &d->bound[i]);
		else
			log_info("the last container of a binding is gone",
			         LOG_S("binding", d->bound[i].name));
	if (use(d, l, &e) != ERR_OK) {
		log_error("a binding that nobody uses stays", LOG_S("why", e.msg));
		for (size_t i = 0; i < d->n_bound; i++)
			if (is_over(d, &d->bound[i], now))
				d->bound[i].unused_since = now;
	}
	clear(l);
}

/* While the Engine is away nothing is known to be unused. */
static int64_t sweep(struct session_docker *d, int64_t now)
{
	int64_t next = -1;

	if (!containers_known(d->table))
		return -1;
	if (d->noted != d->changes)
		note_use(d);
	for (size_t i = 0; i < d->n_bound; i++) {
		int64_t at = over_at(d, &d->bound[i]);

		if (is_over(d, &d->bound[i], now)) {
			drop_unused(d, now);
			return now;
		}
		if (d->bound[i].unused_since != 0 && (next < 0 || at < next))
			next = at;
	}
	return next;
}

int64_t bind_due(struct session_docker *d, int64_t now)
{
	int64_t next;

	if (d->answer != NULL && d->s->phase == PHASE_READY && !session_unproven(d->s) &&
	    witness_trusts(d->s->o.witness))
		take_answer(d);
	next = sweep(d, now);
	if (d->ask && d->ask_at > now && (next < 0 || d->ask_at < next))
		next = d->ask_at;
	return next;
}

/* --- the outside ---------------------------------------------------------------------
 */

int bind_open(struct session_docker *d, struct err *e)
{
	const struct grants *g = d->s->o.grants;

	d->refused = json_array();
	d->bound = calloc(g->n + 1, sizeof(*d->bound));
	if (d->bound == NULL || d->refused == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < g->n; i++)
		snprintf(d->bound[i].name, sizeof(d->bound[i].name), "%s", g->at[i].name);
	d->n_bound = g->n;
	d->ask = true;
	return ERR_OK;
}

void bind_close(struct session_docker *d)
{
	for (size_t i = 0; i < d->n_bound; i++)
		json_decref(d->bound[i].containers);
	free(d->bound);
	json_decref(d->refused);
	json_decref(d->answer);
}

const char *bind_refusal(const struct session_docker *d, const char *binding)
{
	const json_t *item;
	size_t i;

	json_array_foreach(d->refused, i, item)
	{
		const char *name = reply_str(item, "name");

		if (name != NULL && strcasecmp(name, binding) == 0)
			return reply_str(item, "error");
	}
	return NULL;
}

bool bind_granted(const struct session_docker *d, const struct container *c,
                  const char *binding)
{
	const struct bound *b = bound_of(d, binding);

	if (b == NULL)
		return false;
	return b->containers != NULL ? has_text(b->containers, c->id)
	                             : asks_for(c, binding);
}

bool bind_refused(const struct session_docker *d, const struct container *c,
                  const char *binding)
{
	return is_refused_to(d->refused, c->id, binding);
}

bool bind_certain(const struct session_docker *d, const char *binding)
{
	const struct bound *b = bound_of(d, binding);

	return b != NULL && b->containers != NULL;
}

void bind_status(const struct session_docker *d, json_t *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_bound; i++) {
		const struct bound *b = &d->bound[i];
		json_t *row = json_pack("{s:s, s:I, s:O?}", "name", b->name, "version",
		                        (json_int_t)b->version, "containers",
		                        b->containers);

		if (b->unused_since != 0)
			json_object_set_new(
				row, "unused_for",
				json_integer((session_now(d->s) - b->unused_since) /
			                     1000));
		json_array_append_new(list, row);
	}
	json_object_set_new(o, "granted", list);
	json_object_set(o, "refused", d->refused);
	if (d->error[0] != '\0')
		json_object_set_new(o, "error", json_string(d->error));
}

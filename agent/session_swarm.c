/* SPDX-License-Identifier: Apache-2.0 */
#include "session_swarm.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "session_swarm_impl.h"

#define ASK_MS     120000 /* the Engine, what it is in its Swarm */
#define ASK_SOON   5000
#define PLAN_MS    600000
#define TTL_MS     15000
#define AGAIN_MS   30000
#define DAY_MIN    1440
#define WINDOW_LEN 11u

/* --- leading -------------------------------------------------------------------------
 */

void swarm_stop(struct session_swarm *d, const char *why)
{
	if (d->leader)
		log_info("does not lead the Swarm's secrets any more", LOG_S("why", why));
	engine_serve(d->engine, NULL, NULL);
	machine_free(d->m);
	d->m = NULL;
	d->leader = d->want_plan = d->looks_in_call = false;
	swarm_values_clear(d);
	while (d->stores != NULL) {
		struct swarm_store *w = d->stores;

		d->stores = w->next;
		json_decref(w->row);
		free(w);
	}
	json_array_clear(d->looks);
	json_object_clear(d->looked);
	json_object_clear(d->bindings);
	d->noted = 0;
}

int64_t swarm_moment(struct session_swarm *d)
{
	int64_t now = session_now(d->s);

	d->said_ms = now > d->said_ms ? now : d->said_ms + 1;
	return d->said_ms;
}

bool session_swarm_lead_due(struct session *s, int64_t now)
{
	const struct session_swarm *d = s->swarm;

	return d != NULL && d->about.manager && s->phase == PHASE_READY &&
	       now >= d->lead_at;
}

json_t *session_swarm_lead_body(struct session *s)
{
	struct session_swarm *d = s->swarm;

	d->lead_sent = session_now(s);
	d->lead_at = d->lead_sent + d->ttl_ms / 3;
	return json_pack("{s:s, s:s, s:b, s:I}", "cluster", d->about.cluster, "node",
	                 d->about.node, "raft_leader", d->about.leader ? 1 : 0, "boot_ms",
	                 (json_int_t)swarm_moment(d));
}

bool swarm_is_here(const struct session_swarm *d, const json_t *data)
{
	const char *cluster = reply_str(data, "cluster");

	return cluster != NULL && strcmp(cluster, d->about.cluster) == 0;
}

/* What each answer says: true: it is this host, still with the same epoch.  One that has
 * stopped meanwhile, or is in another Swarm by now, does not begin again by it. */
bool swarm_still_leads(struct session_swarm *d, const json_t *data)
{
	if (d->leader && swarm_is_here(d, data) &&
	    json_is_true(json_object_get(data, "leader")) &&
	    reply_int(data, "epoch", -1) == d->epoch)
		return true;
	swarm_stop(d, "another does");
	return false;
}

int session_swarm_lead_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	struct session_swarm *d = s->swarm;
	const json_t *data = json_object_get(doc, "data");
	const char *holder = reply_str(data, "holder"),
		   *reason = reply_str(data, "reason");
	int64_t epoch = reply_int(data, "epoch", 0);
	int64_t ttl = reply_int(data, "ttl_ms", TTL_MS);

	if (!swarm_is_here(d, data))
		return ERR_OK;
	d->want_driven = d->want_driven || !d->known;
	d->known = true;
	(void)snprintf(d->holder, sizeof(d->holder), "%s", holder != NULL ? holder : "");
	(void)snprintf(d->error, sizeof(d->error), "%.190s",
	               reason != NULL ? reason : "");
	d->ttl_ms = ttl < 1000 ? 1000 : ttl;
	d->lead_at = session_now(s) + d->ttl_ms / 3;
	if (!json_is_true(json_object_get(data, "leader"))) {
		swarm_stop(d, "another does");
		return ERR_OK;
	}
	d->heard = d->lead_sent;
	if (d->leader && epoch == d->epoch)
		return ERR_OK;
	swarm_stop(d, "it has a new epoch");
	d->leader = d->want_plan = true;
	d->epoch = epoch;
	log_info("leads the Swarm's secrets", LOG_S("cluster", d->about.cluster),
	         LOG_N("epoch", epoch));
	return ERR_OK;
}

void session_swarm_lead_failed(struct session *s, long status UNUSED,
                               const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	if (strncmp(d->error, e->msg, 190) != 0)
		log_warn("asking who leads the Swarm's secrets failed",
		         LOG_S("why", e->msg));
	(void)snprintf(d->error, sizeof(d->error), "%.190s", e->msg);
	d->lead_at = session_now(s) + AGAIN_MS;
}

/* --- what the machine wants ----------------------------------------------------------
 */

static int store(struct session_swarm *d, const struct machine_call *call, struct err *e)
{
	const struct machine_row *r = call->row;
	struct swarm_store *w = calloc(1, sizeof(*w)), **at = &d->stores;

	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->token = call->token;
	w->row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "binding",
	                   r->binding, "service", r->service, "name", r->name, "state",
	                   machine_state_name(r->state), "version",
	                   (json_int_t)r->version, "good", (json_int_t)r->good, "index",
	                   (json_int_t)r->index, "reason", r->reason);
	while (*at != NULL)
		at = &(*at)->next;
	*at = w;
	return ERR_OK;
}

static int on_start(void *ctx, const struct machine_call *call, struct err *e)
{
	struct session_swarm *d = ctx;

	if (call->kind == MACHINE_STORE)
		return store(d, call, e);
	if (call->kind == MACHINE_CREATE)
		return swarm_create(d, call, e);
	return engine_start(d->engine, call, e);
}

static int minutes(const char *s)
{
	return ((s[0] - '0') * 10 + s[1] - '0') * 60 + (s[3] - '0') * 10 + s[4] - '0';
}

static bool on_window(void *ctx, const char *binding)
{
	const struct session_swarm *d = ctx;
	AUTO_JSON b = swarm_binding(d, binding);
	const char *w = reply_str(b, "window");
	int now = (int)(clock_wall(d->s->clock) / 60000 % DAY_MIN), from, to;

	if (w == NULL || strlen(w) != WINDOW_LEN)
		return true;
	from = minutes(w);
	to = minutes(w + 6);
	return from < to ? now >= from && now < to : now >= from || now < to;
}

static uint32_t on_dice(void *ctx UNUSED)
{
	return session_random();
}

/* --- the plan ------------------------------------------------------------------------
 */

bool session_swarm_plan_due(struct session *s, int64_t now)
{
	const struct session_swarm *d = s->swarm;

	return d != NULL && d->leader && s->phase == PHASE_READY &&
	       (d->want_plan || now >= d->plan_at);
}

json_t *session_swarm_plan_body(struct session *s)
{
	struct session_swarm *d = s->swarm;

	d->want_plan = false;
	d->plan_at = session_now(s) + PLAN_MS;
	return json_pack("{s:s, s:I}", "cluster", d->about.cluster, "epoch",
	                 (json_int_t)d->epoch);
}

json_t *swarm_binding(const struct session_swarm *d, const char *name)
{
	const json_t *text = json_object_get(d->bindings, name);
	struct err e;

	return reply_parse(json_string_value(text), json_string_length(text), &e);
}

static size_t read_targets(const json_t *list, struct machine_target *out)
{
	const json_t *item;
	size_t i, n = 0;

	json_array_foreach(list, i, item)
	{
		const char *mode = reply_str(item, "mode");
		unsigned number = 0400;

		if (n == MACHINE_REFS || reply_str(item, "target") == NULL)
			continue;
		if (mode != NULL)
			(void)sscanf(mode, "%o", &number);
		out[n++] = (struct machine_target){ reply_str(item, "target"),
			                            reply_str(item, "uid"),
			                            reply_str(item, "gid"),
			                            number & 0777 };
	}
	return n;
}

bool swarm_is_driver(const json_t *b)
{
	const char *mode = reply_str(b, "mode");

	return mode != NULL && strcmp(mode, "driver") == 0;
}

static int tell(struct session_swarm *d, const char *name, const json_t *b, struct err *e)
{
	const json_t *list = json_object_get(b, "services");
	const char *jobs = reply_str(b, "jobs");
	bool driver = swarm_is_driver(b);
	struct machine_binding to = {
		.name = name,
		/* Only on the leading manager does Docker ask a driver. */
		.version = driver && swarm_driver_name(d) == NULL
		                   ? 0
		                   : reply_int(b, "version", 0),
		.named_only = driver,
		.max_services = (unsigned)reply_int(b, "max_services", 1),
		.keep = (unsigned)reply_int(b, "keep", 1),
		.deadline_ms = reply_int(b, "deadline_ms", 0),
		.soak_ms = reply_int(b, "soak_ms", 0),
		.gate_ms = reply_int(b, "gate_ms", 0),
		.jobs = jobs != NULL && strcmp(jobs, "next-run") == 0,
		.enforce = json_is_true(json_object_get(b, "enforce")),
	};
	const char **services = calloc(json_array_size(list) + 1, sizeof(*services));
	int rc;

	if (services == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_string_value(json_array_get(list, i)) != NULL)
			services[to.n_services++] =
				json_string_value(json_array_get(list, i));
	to.services = services;
	to.n_targets = read_targets(json_object_get(b, "targets"), to.targets);
	rc = machine_binding(d->m, &to, session_now(d->s), e);
	free(services);
	return rc;
}

static int restore(struct session_swarm *d, const json_t *states, struct err *e)
{
	const json_t *item;
	size_t i;
	int rc = ERR_OK;

	json_array_foreach(states, i, item)
	{
		struct machine_row row = {
			.binding = reply_str(item, "binding"),
			.service = reply_str(item, "service"),
			.name = reply_str(item, "name"),
			.version = reply_int(item, "version", 0),
			.good = reply_int(item, "good", 0),
			.index = (uint64_t)reply_int(item, "index", 0),
			.reason = reply_str(item, "reason"),
		};

		if (row.binding == NULL || row.service == NULL ||
		    !machine_state_parse(reply_str(item, "state"), &row.state))
			continue;
		if (row.name == NULL)
			row.name = "";
		if ((rc = machine_restore(d->m, &row, e)) != ERR_OK)
			break;
	}
	return rc;
}

/* Orders of operators, each obeyed once: not those from before this plan. */
static void obey(struct session_swarm *d, const char *name, const json_t *b,
                 const json_t *before)
{
	int64_t now = session_now(d->s);

	if (before == NULL)
		return;
	if (reply_int(b, "gc", 0) > reply_int(before, "gc", 0))
		machine_purge(d->m, name, now);
	if (reply_int(b, "apply", 0) > reply_int(before, "apply", 0))
		machine_retry(d->m, name, now);
}

/* Of how many services it is has to be said again, should it come back. */
void swarm_forget(struct session_swarm *d, const char *name)
{
	machine_forget(d->m, name);
	json_object_del(d->looked, name);
}

static void keep_text(json_t *to, const json_t *b)
{
	const char *name = reply_str(b, "name");
	char *text;

	if (name == NULL || strlen(name) > LIMIT_NAME || (text = reply_text(b)) == NULL)
		return;
	json_object_set_new(to, name, json_string(text));
	reply_text_free(text);
}

static void take_one(struct session_swarm *d, const char *name, const json_t *b,
                     const json_t *text_before)
{
	struct err e = { ERR_OK, "" };
	AUTO_JSON before = reply_parse(json_string_value(text_before),
	                               json_string_length(text_before), &e);

	if (reply_str(b, "error") != NULL)
		log_warn("a binding of the Swarm has no secret", LOG_S("binding", name),
		         LOG_S("why", reply_str(b, "error")));
	swarm_value_note(d, name, b, before);
	if (tell(d, name, b, &e) != ERR_OK)
		log_error("a binding of the Swarm cannot be used", LOG_S("binding", name),
		          LOG_S("why", e.msg));
	else
		obey(d, name, b, before);
}

static int take_bindings(struct session_swarm *d, const json_t *list, struct err *e)
{
	json_t *next = json_object(), *before = d->bindings, *text;
	const json_t *b;
	const char *name;
	size_t i;

	if (next == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->bindings = next;
	json_array_foreach(list, i, b) keep_text(next, b);
	json_object_foreach(before, name, text) if (json_object_get(next, name) == NULL)
		swarm_forget(d, name);
	json_array_foreach(list, i, b)
	{
		name = reply_str(b, "name");
		if (json_object_get(next, name) != NULL)
			take_one(d, name, b, json_object_get(before, name));
	}
	json_decref(before);
	return ERR_OK;
}

int session_swarm_plan_done(struct session *s, const json_t *doc, struct err *e)
{
	struct session_swarm *d = s->swarm;
	const json_t *data = json_object_get(doc, "data");
	const struct machine_ops ops = { on_start, on_window, on_dice, d };
	bool first = d->m == NULL;
	int rc;

	if (!swarm_still_leads(d, data))
		return ERR_OK;
	if (!json_is_array(json_object_get(data, "bindings")))
		return err_set(e, ERR_INVALID, "the Swarm's plan cannot be read");
	session_prove(s, json_object_get(data, "checkpoint"));
	if (first && (rc = machine_new(&ops, &d->m, e)) != ERR_OK)
		return rc;
	if ((rc = take_bindings(d, json_object_get(data, "bindings"), e)) != ERR_OK)
		return rc;
	if (!first)
		return ERR_OK;
	engine_serve(d->engine, d->m, d->about.cluster);
	return restore(d, json_object_get(data, "states"), e);
}

void session_swarm_plan_failed(struct session *s, long status UNUSED,
                               const json_t *doc UNUSED, const struct err *e)
{
	struct session_swarm *d = s->swarm;

	log_warn("the Swarm's plan was refused", LOG_S("why", e->msg));
	(void)snprintf(d->error, sizeof(d->error), "%.190s", e->msg);
	d->plan_at = session_now(s) + AGAIN_MS;
}

/* --- the Engine ----------------------------------------------------------------------
 */

static void on_about(void *ctx, const struct engine_about *a)
{
	struct session_swarm *d = ctx;
	bool other = strcmp(a->cluster, d->about.cluster) != 0;
	bool moved = a->leader != d->about.leader;

	d->ask_at = session_now(d->s) + (a->why[0] == '\0' ? ASK_MS : AGAIN_MS);
	d->about = *a;
	if (!a->manager || other)
		swarm_stop(d, a->manager ? "it is another Swarm" : a->why);
	d->lead_at = other ? 0 : d->lead_at;
	d->want_plan = d->want_plan || (d->leader && moved);
	swarm_driver_cluster(d);
}

static void on_event(void *ctx, const char *service)
{
	struct session_swarm *d = ctx;

	if (d->m != NULL)
		machine_event(d->m, service, session_now(d->s));
}

static void on_changed(void *ctx)
{
	struct session_swarm *d = ctx;

	d->ask_at = session_now(d->s);
	if (!engine_up(d->engine))
		d->about.manager = false;
}

static void on_seen(void *ctx, const struct machine_view *v)
{
	const struct session_swarm *d = ctx;

	if (v != NULL)
		driver_seen(d->driver, v->id, v->tasks, v->n_tasks);
	else
		driver_seen_all(d->driver);
}

int session_swarm_open(struct session *s, struct err *e)
{
	const struct settings *set = s->o.settings;
	struct session_swarm *d;
	struct engine_options o = {
		.socket = set->swarm.socket != NULL ? set->swarm.socket
		                                    : set->docker.socket,
		.multi = s->multi,
		.clock = s->clock,
	};
	int rc;

	if (!set->swarm.sync)
		return ERR_OK;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->swarm = d;
	d->s = s;
	d->ttl_ms = TTL_MS;
	d->bindings = json_object();
	d->looked = json_object();
	d->looks = json_array();
	d->driven = json_object();
	d->missed = json_object();
	o.ops = (struct engine_ops){ .secret = swarm_secret,
		                     .about = on_about,
		                     .event = on_event,
		                     .seen = set->swarm.driver ? on_seen : NULL,
		                     .changed = on_changed,
		                     .ctx = d };
	if ((rc = swarm_driver_open(d, e)) != ERR_OK)
		return rc;
	return engine_new(&o, &d->engine, e);
}

void session_swarm_free(struct session_swarm *d)
{
	if (d == NULL)
		return;
	if (d->engine != NULL)
		swarm_stop(d, "the agent ends");
	engine_free(d->engine);
	swarm_driver_close(d);
	json_decref(d->bindings);
	json_decref(d->looked);
	json_decref(d->looks);
	free(d);
}

void session_swarm_wipe(struct session *s, const char *why)
{
	struct session_swarm *d = s->swarm;

	if (d == NULL)
		return;
	swarm_stop(d, why);
	swarm_driver_forget(d, why);
}

void session_swarm_again(struct session *s)
{
	struct session_swarm *d = s->swarm;

	if (d == NULL)
		return;
	d->want_plan = d->leader;
	d->want_driven = true;
	if (!d->leader)
		d->lead_at = 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Half of its time without a word: another may begin soon. */
static int64_t lead_due(struct session_swarm *d, int64_t now)
{
	if (d->leader && now - d->heard >= d->ttl_ms / 2)
		swarm_stop(d, "the vault was not heard");
	if (d->m != NULL && machine_deposed(d->m))
		swarm_stop(d, "the vault stores nothing from here");
	if (!d->about.manager)
		return -1;
	if (d->s->phase != PHASE_READY)
		return d->leader ? d->heard + d->ttl_ms / 2 : -1;
	return earlier(d->lead_at, d->leader ? d->heard + d->ttl_ms / 2 : -1);
}

int64_t session_swarm_due(struct session *s, int64_t now)
{
	struct session_swarm *d = s->swarm;
	struct err e = { ERR_OK, "" };
	int64_t next;

	if (d == NULL)
		return -1;
	if (engine_up(d->engine) && now >= d->ask_at) {
		d->ask_at = now + ASK_MS;
		if (engine_ask(d->engine, &e) != ERR_OK)
			d->ask_at = now + ASK_SOON;
	}
	next = lead_due(d, now);
	if (d->m != NULL) {
		next = earlier(next, machine_due(d->m, now));
		swarm_note_looks(d);
	}
	if (d->leader)
		next = earlier(next, d->plan_at);
	next = earlier(next, swarm_values_due(d, now));
	next = earlier(next, swarm_driver_due(d, now));
	next = earlier(next, engine_due(d->engine, now));
	return engine_up(d->engine) ? earlier(next, d->ask_at) : next;
}

bool session_swarm_event(struct session *s, int fd, unsigned events)
{
	return s->swarm != NULL && s->swarm->driver != NULL &&
	       driver_event(s->swarm->driver, fd, events);
}

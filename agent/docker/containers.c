/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table, and the questions that keep it.
 *
 * An event is a hint that something happened to a container: the truth is asked for.  A
 * list tells first, since it never waits: to inspect a container that is being started
 * has to wait until it is, and that may wait for us (volumes.h).  An answer that is older
 * than the newest event is not believed.
 */
#include "containers.h"

#include <string.h>

#include "clock.h"
#include "containers_impl.h"
#include "log.h"

#define UNKNOWN_MAX        64u /* containers about which we ask for the first time */
#define INSPECTING_MAX     4u
#define INSPECT_TIMEOUT_MS 60000
#define RELIST_MS          300000 /* should an event have been lost */
#define RETRY_MS           1000

/* One that was made, or renamed, and may be ours. */
struct unknown {
	char id[DOCKER_ID_MAX + 1];
	bool asked; /* by the list under way */
};

struct containers {
	struct containers_options o;
	struct docker *docker;
	struct container_rules rules;
	struct container_row **rows;
	size_t n, cap;
	struct unknown unknown[UNKNOWN_MAX];
	size_t n_unknown;
	bool relist;      /* of everything */
	bool listing;     /* a list is under way, */
	bool listing_all; /* of everything */
	bool known;
	bool tell_listed;
	bool told_full;
	unsigned list;   /* number of the last */
	unsigned looked; /* the last that was of everything and was answered */
	size_t n_inspecting;
	int64_t retry_at;
	int64_t relist_at;
};

static int64_t now_of(const struct containers *t)
{
	return clock_boot(t->o.clock);
}

/* --- rows ----------------------------------------------------------------------------
 */

static struct container_row *find(const struct containers *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i]->id, id) == 0)
			return t->rows[i];
	return NULL;
}

static bool add_row(struct containers *t, struct container_row *row)
{
	if (t->n >= CONTAINERS_MAX) {
		if (!t->told_full)
			log_error("too many containers use bindings",
			          LOG_N("most", CONTAINERS_MAX));
		t->told_full = true;
		return false;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap != 0 ? 2 * t->cap : 8;
		struct container_row **rows =
			reallocarray(t->rows, cap, sizeof(struct container_row *));

		if (rows == NULL)
			return false;
		t->rows = rows;
		t->cap = cap;
	}
	row->table = t;
	t->rows[t->n++] = row;
	return true;
}

/* Nobody hears of it any more, and no answer about it arrives. */
static void drop_row(struct containers *t, size_t i)
{
	struct container_row *row = t->rows[i];

	if (row->inspecting)
		t->n_inspecting--;
	docker_forget(t->docker, row);
	container_row_free(row);
	t->rows[i] = t->rows[--t->n];
}

static void ask_about(struct containers *t, const char *id)
{
	for (size_t i = 0; i < t->n_unknown; i++)
		if (strcmp(t->unknown[i].id, id) == 0) {
			t->unknown[i].asked = false;
			return;
		}
	if (t->n_unknown == UNKNOWN_MAX) {
		t->relist = true;
		return;
	}
	memcpy(t->unknown[t->n_unknown].id, id, DOCKER_ID_MAX + 1);
	t->unknown[t->n_unknown++].asked = false;
}

/* --- events --------------------------------------------------------------------------
 */

static void on_event(void *ctx, const struct docker_event *ev)
{
	static const char health[] = "health_status: ";
	struct containers *t = ctx;
	struct container_row *row = find(t, ev->id);
	enum container_health h;

	if (row == NULL || row->gone) {
		if (strcmp(ev->action, "create") == 0 ||
		    strcmp(ev->action, "rename") == 0)
			ask_about(t, ev->id);
		return;
	}
	row->dirty = true;
	if (strcmp(ev->action, "destroy") == 0)
		row->gone = true;
	else if (strcmp(ev->action, "die") == 0)
		container_row_running(row, false);
	else if (strncmp(ev->action, health, sizeof(health) - 1) == 0 &&
	         container_health_parse(ev->action + sizeof(health) - 1, &h))
		container_row_health(row, h);
}

static void on_up(void *ctx)
{
	struct containers *t = ctx;
	const struct docker_info *info = docker_about(t->docker);

	log_info("connected to Docker", LOG_S("version", info->version),
	         LOG_S("api", info->api));
	t->relist = true;
	t->retry_at = 0;
}

static void on_down(void *ctx, const char *why)
{
	struct containers *t = ctx;

	t->known = false;
	log_warn("no connection to Docker", LOG_S("socket", t->o.socket),
	         LOG_S("why", why));
}

/* --- lists ---------------------------------------------------------------------------
 */

/* An item about a container to which something happened since is as good as none; it will
 * be asked about again. */
static void on_item(void *ctx, const json_t *item)
{
	struct containers *t = ctx;
	const char *id = json_string_value(json_object_get(item, "Id"));
	struct container_row *row = id != NULL ? find(t, id) : NULL;

	if (row != NULL && !row->dirty && !row->gone) {
		container_row_list(&t->rules, row, item);
		row->gone = !container_row_concerns(&t->rules, row);
		row->inspect_due = true;
	} else if (row == NULL && container_row_new(&t->rules, item, &row) == ERR_OK &&
	           row != NULL) {
		row->inspect_due = true;
		row->asked = t->list;
		if (!add_row(t, row)) {
			container_row_free(row);
			row = NULL;
		}
	}
	if (row != NULL)
		row->seen = t->list;
}

static void forget_unknown(struct containers *t, bool answered)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_unknown; i++) {
		if (answered && t->unknown[i].asked)
			continue;
		t->unknown[i].asked = false;
		t->unknown[kept++] = t->unknown[i];
	}
	t->n_unknown = kept;
}

static void on_list(void *ctx, const struct docker_result *r)
{
	struct containers *t = ctx;
	bool good = r->rc == ERR_OK, all = t->listing_all;

	t->listing = t->listing_all = false;
	forget_unknown(t, good);
	for (size_t i = 0; i < t->n; i++) {
		struct container_row *row = t->rows[i];

		if (row->asked != t->list)
			continue;
		if (!good)
			row->dirty = true;
		else if (row->seen != t->list && !row->dirty)
			row->gone = true;
	}
	if (!good) {
		t->retry_at = now_of(t) + RETRY_MS;
		t->relist |= all;
		log_warn("listing containers failed", LOG_S("why", r->e->msg));
	} else if (all) {
		t->looked = t->list;
		if (!t->relist)
			t->known = t->tell_listed = true;
	}
}

/* What is asked for from now on is asked for by this list. */
static size_t collect(struct containers *t, const char **ids, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n && n < max; i++)
		if (t->rows[i]->dirty && !t->rows[i]->gone) {
			t->rows[i]->dirty = false;
			t->rows[i]->asked = t->list;
			ids[n++] = t->rows[i]->id;
		}
	for (size_t i = 0; i < t->n_unknown && n < max; i++) {
		t->unknown[i].asked = true;
		ids[n++] = t->unknown[i].id;
	}
	return n;
}

static void collect_all(struct containers *t)
{
	for (size_t i = 0; i < t->n; i++) {
		t->rows[i]->dirty = false;
		t->rows[i]->asked = t->list;
	}
	for (size_t i = 0; i < t->n_unknown; i++)
		t->unknown[i].asked = true;
}

static void start_list(struct containers *t, int64_t now)
{
	const char *ids[UNKNOWN_MAX];
	struct err e = { ERR_OK, "" };
	size_t n = 0;

	t->list++;
	if (t->relist) {
		collect_all(t);
		t->relist_at = now + RELIST_MS;
	} else if ((n = collect(t, ids, UNKNOWN_MAX)) == 0) {
		return;
	}
	t->listing = true;
	t->listing_all = t->relist;
	t->relist = false;
	if (docker_list(t->docker, ids, n, on_item, on_list, t, &e) != ERR_OK)
		on_list(t, &(struct docker_result){ .rc = e.code, .e = &e });
}

/* --- inspecting ----------------------------------------------------------------------
 */

static void on_inspect(void *ctx, const struct docker_result *r)
{
	struct container_row *row = ctx;

	row->inspecting = false;
	row->table->n_inspecting--;
	if (r->rc == ERR_OK)
		row->inspected[1] = row->inspected[0];
	if (r->rc == ERR_OK && !row->dirty && !row->gone) {
		container_row_inspect(row, r->doc);
		row->gone = !container_row_concerns(&row->table->rules, row);
	} else if (r->rc != ERR_NOENT && r->rc != ERR_OK) {
		log_warn("inspecting a container failed", LOG_S("container", row->name),
		         LOG_S("why", r->e->msg));
	}
}

static void start_inspects(struct containers *t)
{
	struct err e = { ERR_OK, "" };

	for (size_t i = 0; i < t->n && t->n_inspecting < INSPECTING_MAX; i++) {
		struct container_row *row = t->rows[i];

		if (!row->inspect_due || row->inspecting || row->gone)
			continue;
		if (docker_inspect(t->docker, row->id, INSPECT_TIMEOUT_MS, on_inspect,
		                   row, &e) != ERR_OK)
			return;
		row->inspect_due = false;
		row->inspecting = true;
		row->inspected[0] = t->looked;
		t->n_inspecting++;
	}
}

/* --- telling -------------------------------------------------------------------------
 */

/* That a known one runs again is told when it is known since when: as one change. */
static bool may_tell(const struct container_row *row)
{
	return row->changed && (!row->published || !row->c.running ||
	                        (!row->inspect_due && !row->inspecting));
}

static void tell(struct containers *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct container_row *row = t->rows[i];
		bool was = row->published;

		if (row->gone) {
			if (was)
				t->o.changed(t->o.ctx, &row->c, CONTAINER_GONE);
			drop_row(t, i--);
		} else if (may_tell(row)) {
			row->changed = false;
			row->published = true;
			t->o.changed(t->o.ctx, &row->c,
			             was ? CONTAINER_CHANGED : CONTAINER_NEW);
		}
	}
	if (t->tell_listed && t->o.listed != NULL)
		t->o.listed(t->o.ctx);
	t->tell_listed = false;
}

/* --- the outside ---------------------------------------------------------------------
 */

int containers_new(const struct containers_options *o, struct containers **out,
                   struct err *e)
{
	struct containers *t = calloc(1, sizeof(*t));
	struct docker_options d = {
		.socket = o->socket,
		.multi = o->multi,
		.clock = o->clock,
		.up = on_up,
		.down = on_down,
		.event = on_event,
		.ctx = t,
	};
	int rc;

	if (t == NULL || (t->rules.run_dir = strdup(o->run_dir)) == NULL) {
		free(t);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	t->o = *o;
	t->rules.labels = o->labels;
	t->rules.binding_of = o->binding_of;
	t->rules.ctx = o->ctx;
	if (o->driver != NULL && (t->rules.driver = strdup(o->driver)) == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else
		rc = docker_new(&d, &t->docker, e);
	if (rc != ERR_OK) {
		containers_free(t);
		return rc;
	}
	*out = t;
	return ERR_OK;
}

static void free_names(struct container_rules *r)
{
	for (size_t i = 0; i < r->n_names; i++)
		free(r->names[i]);
	free(r->names);
	r->names = NULL;
	r->n_names = 0;
}

void containers_free(struct containers *t)
{
	if (t == NULL)
		return;
	docker_free(t->docker);
	for (size_t i = 0; i < t->n; i++)
		container_row_free(t->rows[i]);
	free(t->rows);
	free_names(&t->rules);
	free(t->rules.run_dir);
	free(t->rules.driver);
	free(t);
}

int containers_name(struct containers *t, const char *const *names, size_t n,
                    struct err *e)
{
	struct container_rules r = { .names = calloc(n + 1, sizeof(char *)) };

	while (r.names != NULL && r.n_names < n &&
	       (r.names[r.n_names] = strdup(names[r.n_names])) != NULL)
		r.n_names++;
	if (r.names == NULL || r.n_names < n) {
		free_names(&r);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	free_names(&t->rules);
	t->rules.names = r.names;
	t->rules.n_names = n;
	t->relist = true;
	return ERR_OK;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static bool wants_list(const struct containers *t)
{
	bool wants = t->relist || t->n_unknown > 0;

	for (size_t i = 0; i < t->n && !wants; i++)
		wants = t->rows[i]->dirty;
	return wants;
}

/* What is told first can lead to questions; questions asked here start at once. */
int64_t containers_due(struct containers *t, int64_t now)
{
	int64_t next;

	tell(t);
	if (docker_is_up(t->docker) && !t->listing) {
		t->relist |= now >= t->relist_at;
		if (now >= t->retry_at)
			start_list(t, now);
	}
	start_inspects(t);
	next = docker_due(t->docker, now);
	if (docker_is_up(t->docker) && !t->listing) {
		next = earlier(next, t->relist_at);
		if (wants_list(t))
			next = earlier(next, t->retry_at);
	}
	return next;
}

struct docker *containers_docker(struct containers *t)
{
	return t->docker;
}

bool containers_known(const struct containers *t)
{
	return t->known;
}

unsigned containers_look(struct containers *t)
{
	t->relist = true;
	return t->list + 1;
}

bool containers_looked(const struct containers *t, unsigned look)
{
	return t->looked >= look;
}

bool containers_answers(const struct containers *t, const char *id, unsigned look)
{
	const struct container_row *row = find(t, id);

	return row != NULL && row->inspected[1] >= look;
}

size_t containers_count(const struct containers *t)
{
	return t->n;
}

const struct container *containers_at(const struct containers *t, size_t i)
{
	return i < t->n ? &t->rows[i]->c : NULL;
}

const struct container *containers_find(const struct containers *t, const char *id)
{
	const struct container_row *row = find(t, id);

	return row != NULL ? &row->c : NULL;
}

const struct container *containers_by_name(const struct containers *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i]->name, name) == 0)
			return &t->rows[i]->c;
	return NULL;
}

bool container_uses(const struct container *c, const char *binding)
{
	for (size_t i = 0; i < c->n_bindings; i++)
		if (strcmp(c->bindings[i], binding) == 0)
			return true;
	for (size_t i = 0; i < c->n_mounts; i++)
		if (strcmp(c->mounts[i].binding, binding) == 0)
			return true;
	return false;
}

const char *container_health_name(enum container_health h)
{
	static const char *const names[] = { "none", "starting", "healthy", "unhealthy" };

	return names[h];
}

static json_t *row_status(const struct container_row *row)
{
	json_t *bindings = json_array();
	json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:s, s:O}", "id", row->id, "name",
	                      row->name, "image", row->image, "running", row->c.running,
	                      "health", container_health_name(row->c.health), "bindings",
	                      bindings);

	for (size_t i = 0; i < row->c.n_bindings; i++)
		(void)json_array_append_new(bindings, json_string(row->bindings[i]));
	for (size_t i = 0; i < row->c.n_mounts; i++)
		if (row->c.mounts[i].pinned)
			(void)json_object_set_new(
				o, "warning",
				json_string(
					"mounts a file, not the binding's directory: it will "
					"never see another version"));
	json_decref(bindings);
	return o;
}

json_t *containers_status(const struct containers *t)
{
	const struct docker_info *info = docker_about(t->docker);
	json_t *list = json_array();
	json_t *o = json_pack("{s:b, s:s, s:s, s:s, s:O}", "connected",
	                      docker_is_up(t->docker), "version", info->version, "api",
	                      info->api, "error", docker_error(t->docker), "containers",
	                      list);

	for (size_t i = 0; o != NULL && i < t->n; i++)
		(void)json_array_append_new(list, row_status(t->rows[i]));
	json_decref(list);
	return o;
}

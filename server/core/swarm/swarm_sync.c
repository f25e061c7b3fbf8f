/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swarm_sync - what leaders have said of the services of a binding in a cluster, and what
 * follows for the lease that the two hold together.
 */
#include <string.h>

#include "api_agent.h"
#include "arena.h"
#include "swarm.h"
#include "text.h"

#define RENEW_MS \
	(3600ll * 1000) /* a lease is not written each time that it is asked for */

/* What a state means for the version that it is about. */
enum meaning { COMING, BEYOND, SETTLED, FAILED };

static const struct {
	const char *name;
	enum meaning means;
} states[] = {
	{"planned",      COMING },
        { "gate",        COMING },
        { "deferred",    COMING },
	{ "apply",       BEYOND },
        { "observe",     BEYOND },
        { "soak",        BEYOND },
	{ "done",        SETTLED},
        { "revert",      BEYOND },
        { "rolled-back", FAILED },
	{ "broken",      FAILED },
        { "held",        COMING },
        { "superseded",  SETTLED},
	{ "skipped",     SETTLED},
};

static int state_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* ---- records ---- */

int swarm_sync_read(struct arena *a, const struct store_object *o, struct swarm_sync *out,
                    struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->cluster = value_cstr_or(a, b, "cluster", NULL);
	out->binding = value_cstr_or(a, b, "binding", NULL);
	out->version = value_int_or(b, "version", 0);
	out->services = value_int_or(b, "services", -1);
	out->rows = value_get(b, "rows");
	if (out->cluster == NULL || out->binding == NULL || out->rows == NULL ||
	    out->rows->type != V_ARRAY || o->id_len != HOST_ID)
		return err_set(e, ERR_INTEGRITY, "the state of a Swarm is malformed");
	return ERR_OK;
}

int swarm_sync_load(struct core *c, struct arena *a, const char *cluster,
                    const char *name, struct swarm_sync *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	store_blind(c, id, "swarm-sync", cluster, strlen(cluster), name, strlen(name));
	rc = store_get(c, a, KIND_SWARM_SYNC, id, HOST_ID, &o, e);
	if (rc == ERR_OK)
		return swarm_sync_read(a, &o, out, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(out, 0, sizeof(*out));
	out->o.kind = KIND_SWARM_SYNC;
	out->o.id_len = HOST_ID;
	memcpy(out->o.id, id, HOST_ID);
	out->o.parent_len = out->o.tag_len = 32;
	swarm_cluster_id(c, cluster, out->o.parent);
	store_blind(c, out->o.tag, "swarm", name, strlen(name), NULL, 0);
	out->cluster = cluster;
	out->binding = name;
	out->services = -1;
	out->rows = value_array(a);
	return ERR_NOENT;
}

/* ---- rows ---- */

/* The text, printable and of at most ${max} bytes; NULL if it is not. */
static const char *text_of(struct arena *a, const struct value *v, const char *key,
                           size_t max)
{
	const struct value *m = value_get(v, key);
	const char *s;

	if (m == NULL || m->type == V_NULL)
		return "";
	s = value_to_cstr(m, a);
	return s != NULL && m->len <= max && text_printable(s, m->len) ? s : NULL;
}

static bool count_of(const struct value *v, const char *key, int64_t *out)
{
	const struct value *m = value_get(v, key);

	*out = 0;
	return m == NULL || m->type == V_NULL || (value_to_int(m, out) == 0 && *out >= 0);
}

/* ${old}: what was stored of the service, or NULL. */
static struct value *row_of(struct arena *a, const struct swarm_said *said,
                            const struct value *old, struct err *e)
{
	static const char *const texts[] = { "service", "name", "state", "reason" };
	static const size_t most[] = { SWARM_NAME_MAX, SWARM_NAME_MAX, 16,
		                       SWARM_REASON_MAX };
	static const char *const numbers[] = { "version", "good", "index" };
	struct value *row = value_object(a);
	int64_t n, since = said->now_ms;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *s = text_of(a, said->row, texts[i], most[i]);

		if (s == NULL || (i == 0 && s[0] == '\0')) {
			(void)err_set(e, ERR_INVALID,
			              "rows: %s is printable text of at most %zu bytes",
			              texts[i], most[i]);
			return NULL;
		}
		value_set_str(a, row, texts[i], s);
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!count_of(said->row, numbers[i], &n)) {
			(void)err_set(e, ERR_INVALID, "rows: %s is a number", numbers[i]);
			return NULL;
		}
		value_set_int(a, row, numbers[i], n);
	}
	if (old != NULL &&
	    value_equal(value_get(old, "state"), value_get(row, "state")) &&
	    value_int_or(old, "version", 0) == value_int_or(row, "version", 0))
		since = value_int_or(old, "since", since);
	value_set_int(a, row, "epoch", said->epoch);
	value_set_int(a, row, "since", since);
	return row;
}

/* Out of the list, where it is; a statement has hundreds, none of them is copied. */
static struct value *take_out(struct value *rows, const struct value *service)
{
	struct value *before = NULL, *v = rows->first;

	while (v != NULL && !value_equal(value_get(v, "service"), service)) {
		before = v;
		v = v->next;
	}
	if (v == NULL)
		return NULL;
	*(before != NULL ? &before->next : &rows->first) = v->next;
	if (rows->last == v)
		rows->last = before;
	rows->len--;
	v->next = NULL;
	return v;
}

int swarm_sync_take(struct arena *a, struct swarm_sync *s, const struct swarm_said *said,
                    struct err *e)
{
	const struct value *service = value_get(said->row, "service"), *old = NULL;
	const char *state = value_cstr_or(a, said->row, "state", "");
	struct value *row;

	if (strcmp(state, "gone") != 0 && state_of(state) < 0)
		return err_set(e, ERR_INVALID, "rows: there is no such state");
	if (service != NULL)
		old = take_out(s->rows, service);
	if (strcmp(state, "gone") == 0)
		return ERR_OK;
	if (s->rows->len == SWARM_ROWS)
		return err_set(e, ERR_INVALID, "rows: a binding has at most %u",
		               SWARM_ROWS);
	if ((row = row_of(a, said, old, e)) == NULL)
		return (int)e->code;
	value_add(s->rows, row);
	return ERR_OK;
}

/* ---- what follows ---- */

struct verdict {
	enum lease_state state; /* LEASE_ISSUED: nothing */
	const char *detail;
	bool done; /* at least one service has it */
};

static void judge(struct arena *a, const struct swarm_sync *s, struct verdict *out)
{
	int64_t settled = 0;
	bool beyond = false, open = false;

	*out = (struct verdict){ LEASE_ISSUED, "", false };
	for (const struct value *v = s->rows->first; v != NULL; v = v->next) {
		int at = state_of(value_cstr_or(a, v, "state", ""));
		enum meaning means = at >= 0 ? states[at].means : COMING;
		int64_t version = value_int_or(v, "version", 0);
		bool done = value_is_str(value_get(v, "state"), "done");

		if (means == FAILED && version == s->version) {
			out->state = LEASE_REJECTED;
			out->detail = arena_printf(a, "%s: %s",
			                           value_cstr_or(a, v, "name", ""),
			                           value_cstr_or(a, v, "reason", ""));
			return;
		}
		settled += means == SETTLED && (!done || version >= s->version);
		out->done = out->done || (done && version >= s->version);
		open = open || (means != SETTLED && version == s->version);
		beyond = beyond || (means != COMING && version == s->version);
	}
	/* Rows of older versions are of services that are not there any more. */
	if (s->services >= 0 && settled >= s->services && !open)
		out->state = LEASE_APPLIED;
	else if (beyond)
		out->state = LEASE_DELIVERED;
}

/* No longer than what a lease keeps. */
static const char *cut(struct arena *a, const char *s)
{
	char *out;
	size_t n = s != NULL ? strlen(s) : 0;

	if (n <= LEASE_DETAIL_MAX)
		return s != NULL ? s : "";
	for (n = LEASE_DETAIL_MAX; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
		n--;
	if ((out = arena_dup(a, s, n + 1)) != NULL)
		out[n] = '\0';
	return out != NULL ? out : "";
}

static int tell_lease(struct core *c, struct arena *a, const struct swarm_sync *s,
                      struct err *e)
{
	struct verdict v;
	struct leases held;
	int rc;

	judge(a, s, &v);
	if (v.state == LEASE_ISSUED)
		return ERR_OK;
	rc = leases_of_host(c, a, s->o.id, &held, e);
	for (size_t i = 0; rc == ERR_OK && i < held.n; i++) {
		struct lease *l = &held.at[i];

		/* Where no service is to have it, nobody had to fetch it. */
		if (v.state == LEASE_APPLIED && !v.done && l->version < s->version &&
		    s->version <= l->target)
			l->version = s->version;
		if (agent_ack(l, v.state, s->version, l->rev, cut(a, v.detail)))
			rc = lease_save(c, a, l, e);
	}
	return rc;
}

int swarm_sync_save(struct core *c, struct arena *a, struct swarm_sync *s, struct err *e)
{
	struct value *b = value_object(a);
	int rc;

	value_set_str(a, b, "cluster", s->cluster);
	value_set_str(a, b, "binding", s->binding);
	value_set_int(a, b, "version", s->version);
	value_set_int(a, b, "services", s->services);
	value_set(b, "rows", value_copy(a, s->rows));
	s->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = store_put(c, &s->o, e)) != ERR_OK)
		return rc;
	return tell_lease(c, a, s, e);
}

/* *${n}: how many there were. */
static int drop_leases(struct core *c, struct arena *a, const struct swarm_sync *s,
                       const struct lease *but, size_t *n, struct err *e)
{
	struct leases held;
	int rc = leases_of_host(c, a, s->o.id, &held, e);

	*n = 0;
	for (size_t i = 0; rc == ERR_OK && i < held.n; i++)
		if (but == NULL || memcmp(held.at[i].o.id, but->o.id, LEASE_ID) != 0) {
			rc = lease_drop(c, a, &held.at[i], e);
			++*n;
		}
	return rc;
}

int swarm_sync_drop(struct core *c, struct arena *a, const struct swarm_sync *s,
                    struct err *e)
{
	size_t n;
	int rc = drop_leases(c, a, s, NULL, &n, e);

	return rc == ERR_OK ? store_delete(c, &s->o, e) : rc;
}

/* ---- its lease ---- */

/* It is another secret: what services had of the one before says nothing of it, whatever
 * the numbers of its versions are. */
static int begin_anew(struct core *c, struct arena *a, struct swarm_sync *s,
                      struct err *e)
{
	s->rows = value_array(a);
	s->version = 0;
	s->services = -1;
	return s->rows != NULL ? swarm_sync_save(c, a, s, e)
	                       : err_set(e, ERR_NOMEM, "out of memory");
}

int swarm_sync_lease(struct core *c, struct arena *a, struct swarm_sync *s,
                     const struct swarm_lease_ask *ask, struct lease *out, struct err *e)
{
	struct host holder = { .name = arena_printf(a, "swarm:%s", s->binding) };
	struct host_role role = *ask->role;
	struct leases held;
	const struct lease_ask what = { &holder, &role, &held, s->cluster };
	size_t others;
	int rc;

	if (holder.name == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(holder.o.id, s->o.id, HOST_ID);
	/* Whoever leads next has to find it, so it does not end with the role's time. */
	role.ttl_ms = HOST_LEASE_TTL_MS;
	if ((rc = leases_of_host(c, a, s->o.id, &held, e)) != ERR_OK ||
	    (rc = lease_issue(c, a, &what, ask->path, out, e)) != ERR_OK ||
	    (rc = drop_leases(c, a, s, out, &others, e)) != ERR_OK ||
	    (others > 0 && (rc = begin_anew(c, a, s, e)) != ERR_OK))
		return rc;
	if (lease_left_ms(c, out) > HOST_LEASE_TTL_MS - RENEW_MS)
		return ERR_OK;
	lease_renew(c, out, HOST_LEASE_TTL_MS);
	return lease_save(c, a, out, e);
}

/* Is that what a service has, or has to go back to? */
static bool is_in_use(const struct swarm_sync *s, int64_t version)
{
	for (const struct value *v = s->rows->first; v != NULL; v = v->next)
		if (value_int_or(v, "version", 0) == version ||
		    value_int_or(v, "good", 0) == version)
			return true;
	return false;
}

int swarm_may_fetch(struct core *c, struct arena *a, const struct lease *l,
                    const struct host *h, int64_t version, struct err *e)
{
	struct swarm_binding b;
	struct swarm_cluster k;
	struct swarm_sync s;
	struct store_object o;
	int rc = store_get(c, a, KIND_SWARM_SYNC, l->o.parent, HOST_ID, &o, e);

	if (rc == ERR_NOENT)
		return err_set(e, ERR_NOENT, "no such lease");
	if (rc != ERR_OK || (rc = swarm_sync_read(a, &o, &s, e)) != ERR_OK)
		return rc;
	rc = swarm_cluster_load(c, a, s.cluster, &k, e);
	if (rc == ERR_OK)
		rc = swarm_find(c, a, s.binding, &b, e);
	if (rc == ERR_NOENT)
		return err_set(e, ERR_NOENT, "no such lease");
	if (rc != ERR_OK)
		return rc;
	if (!swarm_by_driver(&b) && !swarm_leads(c, &k, h))
		return err_set(e, ERR_DENIED, "this host does not lead the cluster");
	if (version != 0 && (!swarm_by_driver(&b) || !is_in_use(&s, version)))
		return err_set(e, ERR_DENIED, "no service has that version");
	if (!swarm_serves(&b, h->role, s.cluster))
		return err_set(e, ERR_DENIED,
		               "the binding is not for hosts of this role");
	return ERR_OK;
}

/* ---- for people ---- */

static void set_time(struct arena *a, struct value *v, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(a, v, key, arena_str(a, text));
}

struct value *swarm_rows_value(struct arena *a, const struct swarm_sync *s)
{
	struct value *out = value_array(a);

	for (const struct value *v = s->rows->first; v != NULL; v = v->next) {
		struct value *x = value_object(a);

		value_set_str(a, x, "id", value_cstr_or(a, v, "service", ""));
		value_set_str(a, x, "name", value_cstr_or(a, v, "name", ""));
		value_set_int(a, x, "version", value_int_or(v, "version", 0));
		value_set_int(a, x, "good", value_int_or(v, "good", 0));
		value_set_str(a, x, "state", value_cstr_or(a, v, "state", ""));
		value_set_str(a, x, "reason", value_cstr_or(a, v, "reason", ""));
		set_time(a, x, "since", value_int_or(v, "since", 0));
		value_add(out, x);
	}
	return out;
}

int swarm_where(struct core *c, struct arena *a, const struct lease *l, struct value *out,
                struct err *e)
{
	struct store_object o;
	struct swarm_sync s;
	int rc = store_get(c, a, KIND_SWARM_SYNC, l->o.parent, HOST_ID, &o, e);

	if (rc == ERR_NOENT) /* it has said nothing yet */
		return ERR_OK;
	if (rc != ERR_OK || (rc = swarm_sync_read(a, &o, &s, e)) != ERR_OK)
		return rc;
	value_set_str(a, out, "cluster", s.cluster);
	value_set_str(a, out, "binding", s.binding);
	value_set(out, "services", swarm_rows_value(a, &s));
	return ERR_OK;
}

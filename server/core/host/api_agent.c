/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_agent - what a host's own agent asks: its leases, their values, news of both.
 *
 * The host is known by its token; which of its leases may be had is asked of its role
 * each time.  Values leave sealed under the key of its session.  The watch is in
 * api_agent_watch.c.
 */
#include "api_agent.h"

#include <string.h>

#include "api_host_cosign.h"
#include "api_host_report.h"
#include "arena.h"
#include "audit.h"
#include "kv.h"
#include "kv_folder.h"
#include "rng.h"
#include "swarm.h"
#include "text.h"
#include "vault/limits.h"

#define FETCH_SLICE 16 /* values sealed in one run: they may be large */
#define ISSUE_SLICE 64

static struct value *lease_line(struct arena *a, const struct core *c,
                                const struct lease *l)
{
	struct value *v = value_object(a);

	value_set_str(a, v, "lease_id", lease_id_text(a, l));
	value_set_str(a, v, "path", l->path);
	value_set_int(a, v, "version", l->target);
	value_set_int(a, v, "rev", l->rev);
	value_set_str(a, v, "state", lease_state_name(l->state));
	value_set_int(a, v, "ttl_ms", lease_left_ms(c, l));
	return v;
}

static struct value *error_line(struct arena *a, const char *key,
                                const struct value *name, const char *text)
{
	struct value *v = value_object(a);

	value_set(v, key, value_copy(a, name));
	value_set_str(a, v, "error", arena_str(a, text));
	return v;
}

/* What the client may be told of an item that failed. */
static const char *item_error(const struct err *e)
{
	return errclasses[e->code].public_msg ? e->msg : "internal error";
}

/* Failures of one item; any other ends the request. */
static bool is_item_error(int rc)
{
	return rc == ERR_DENIED || rc == ERR_NOENT || rc == ERR_INVALID;
}

/* NULL and r->e on failure. */
static const struct value *take_list(struct req *r, const struct value *data,
                                     const char *field)
{
	const struct value *list = value_get(data, field);

	if (list == NULL || list->type != V_ARRAY || list->len == 0 ||
	    list->len > LIMIT_AGENT_ITEMS) {
		req_fail(r, ERR_INVALID, "%s: 1 to %u are needed", field,
		         LIMIT_AGENT_ITEMS);
		return NULL;
	}
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (v->type != V_STRING) {
			req_fail(r, ERR_INVALID, "%s: texts are needed", field);
			return NULL;
		}
	return list;
}

static int park_again(struct req *r)
{
	unsigned char key[16];

	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

int agent_own_lease(struct req *r, struct arena *a, const struct value *id,
                    const struct host *h, struct lease *l, struct err *e)
{
	unsigned char raw[LEASE_ID];
	int rc;

	if (lease_id_parse(id, raw) != 0)
		return err_set(e, ERR_NOENT, "no such lease");
	rc = lease_load(r->core, a, raw, l, e);
	if (rc == ERR_NOENT ||
	    (rc == ERR_OK && memcmp(l->o.parent, h->o.id, HOST_ID) != 0))
		return err_set(e, ERR_NOENT, "no such lease");
	return rc;
}

static int end_lease(struct req *r, struct arena *a, struct lease *l, enum lease_end end,
                     const char *why, struct err *e)
{
	int64_t rev = 0;
	int rc;

	if ((rc = lease_rev(r->core, a, true, &rev, e)) != ERR_OK ||
	    (rc = lease_end_now(r->core, a, l, end, rev, e)) != ERR_OK)
		return rc;
	return err_set(e, ERR_DENIED, "%s", why);
}

/* Still alive, in time, and allowed by the role; a lease that the role gave up ends here.
 */
static int usable(struct req *r, struct arena *a, struct lease *l,
                  const struct host_role *role, struct err *e)
{
	if (!lease_alive(l))
		return err_set(e, ERR_DENIED, "lease is revoked");
	if (lease_left_ms(r->core, l) == 0)
		return err_set(e, ERR_DENIED, "lease has expired");
	/* Of an empty folder nothing was left to say so when its mount went. */
	if (kv_is_folder(l->path) && !kv_folder_is(r->core, l->path, l->o.tag))
		return end_lease(r, a, l, END_DELETED, "lease is revoked", e);
	if (host_role_allows(role->paths, l->path))
		return ERR_OK;
	return end_lease(r, a, l, END_ROLE, "the host's role does not allow this path",
	                 e);
}

/* ---- sync ---- */

static int h_sync(struct req *r)
{
	struct value *data = value_object(r->a), *list = value_array(r->a);
	unsigned char digest[AGENT_DIGEST];
	struct host_asked asked;
	struct leases ls;
	struct host h;
	int64_t rev = 0;
	bool stop;
	char *hex;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asked(r, "sync", &asked)) != ERR_OK ||
	    (rc = leases_of_host(r->core, r->a, h.o.id, &ls, &r->e)) != ERR_OK ||
	    (rc = lease_rev(r->core, r->a, false, &rev, &r->e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < ls.n; i++)
		if (lease_alive(&ls.at[i]))
			value_add(list, lease_line(r->a, r->core, &ls.at[i]));
	agent_digest(&ls, digest);
	hex = arena_alloc(r->a, 2 * AGENT_DIGEST + 1);
	if (hex == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	text_hex(digest, AGENT_DIGEST, hex);
	value_set_int(r->a, data, "rev", rev);
	value_set(data, "leases", list);
	value_set_str(r->a, data, "digest", hex);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	agent_status(r, &h, data);
	return host_say(r, &h, &asked, data);
}

/* ---- leases ---- */

struct progress {
	uint32_t done;            /* items */
	const struct value *next; /* item to go on with, in this run */
	struct value *out;        /* array of results */
	struct value *note;       /* array of strings for the audit record */
};

/* NULL and r->e on failure. */
static struct progress *start(struct req *r, const struct value *data, const char *field)
{
	const struct value *list;
	struct progress *p = r->park_state;

	/* Of a long list, what was read first is gone with the run that was parked. */
	if ((list = take_list(r, data, field)) == NULL)
		return NULL;
	if (p != NULL) {
		p->next = value_at(list, p->done);
		return p;
	}
	p = arena_alloc(r->a, sizeof(*p));
	if (p == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->next = list->first;
	p->out = value_array(r->a);
	p->note = value_array(r->a);
	r->park_state = p;
	return p;
}

static void step_on(struct progress *p)
{
	p->next = p->next->next;
	p->done++;
}

/* The results of a list, signed, with the newest revision that they rest on. */
static int say_items(struct req *r, const struct host *h, const struct host_asked *q,
                     struct progress *p)
{
	struct value *data = value_object(r->a);
	int64_t rev = 0;
	int rc = lease_rev(r->core, r->a, false, &rev, &r->e);

	if (rc != ERR_OK)
		return rc;
	value_set_int(r->a, data, "rev", rev);
	value_set(data, "leases", p->out);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	return host_say(r, h, q, data);
}

static void note_items(struct req *r, const struct progress *p)
{
	req_note_int(r, "items", p->out->len);
	value_set(r->note, "done", p->note);
}

/* A lease of what the client names. */
static int issue_named(struct req *r, struct arena *a, const struct lease_ask *ask,
                       const struct value *item, struct lease *l, struct err *e)
{
	char *text = value_to_cstr(item, a), *path = NULL;
	int rc;

	if (text == NULL)
		return err_set(e, ERR_INVALID, "not a path");
	rc = kv_named(r->core, a, text, &path, e);
	return rc == ERR_OK ? lease_issue(r->core, a, ask, path, l, e) : rc;
}

static int issue_one(struct req *r, struct arena *a, const struct lease_ask *ask,
                     struct progress *p)
{
	struct lease l = { .rev = 0 };
	struct err why;
	struct value *line;
	int rc = issue_named(r, a, ask, p->next, &l, &why);

	if (rc != ERR_OK && !is_item_error(rc)) {
		r->e = why;
		return rc;
	}
	if (rc != ERR_OK) {
		value_add(p->out, error_line(r->a, "path", p->next, item_error(&why)));
		return ERR_OK;
	}
	line = value_copy(r->a, lease_line(a, r->core, &l));
	if (!value_is_str(p->next, l.path))
		value_set(line, "asked", value_copy(r->a, p->next));
	value_add(p->out, line);
	value_add(p->note, value_copy(r->a, value_get(line, "path")));
	return ERR_OK;
}

static int h_leases(struct req *r)
{
	AUTO_ARENA a = arena_new(AGENT_SCRATCH);
	struct lease_ask ask;
	struct host_asked asked;
	struct host_role role;
	struct leases held;
	const struct value *data;
	struct progress *p;
	struct host h;
	bool stop;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = host_self(r, &h, &stop);
	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &h, "leases", &asked, &data)) != ERR_OK)
		return rc;
	if ((p = start(r, data, "paths")) == NULL)
		return (int)r->e.code;
	if ((rc = host_role_of(r->core, r->a, &h, &role, &r->e)) != ERR_OK)
		return rc;
	ask = (struct lease_ask){ .h = &h, .role = &role, .held = &held };
	if ((rc = leases_of_host(r->core, a, h.o.id, &held, &r->e)) != ERR_OK)
		return rc;
	for (int n = 0; p->next != NULL && n < ISSUE_SLICE; n++, step_on(p))
		if ((rc = issue_one(r, a, &ask, p)) != ERR_OK)
			return rc;
	if (p->next != NULL)
		return park_again(r);
	note_items(r, p);
	return say_items(r, &h, &asked, p);
}

static int h_renew(struct req *r)
{
	AUTO_ARENA a = arena_new(AGENT_SCRATCH);
	struct host_asked asked;
	struct host_role role;
	const struct value *data;
	struct progress *p;
	struct host h;
	struct lease l = { .rev = 0 };
	bool stop;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = host_self(r, &h, &stop);
	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &h, "renew", &asked, &data)) != ERR_OK)
		return rc;
	if ((p = start(r, data, "leases")) == NULL)
		return (int)r->e.code;
	if ((rc = host_role_of(r->core, r->a, &h, &role, &r->e)) != ERR_OK)
		return rc;
	for (int n = 0; p->next != NULL && n < ISSUE_SLICE; n++, step_on(p)) {
		struct err why;

		rc = agent_own_lease(r, a, p->next, &h, &l, &why);
		if (rc == ERR_OK)
			rc = usable(r, a, &l, &role, &why);
		if (rc == ERR_OK) {
			lease_renew(r->core, &l, role.ttl_ms);
			rc = lease_save(r->core, a, &l, &why);
		}
		if (rc == ERR_OK) {
			value_add(p->out, value_copy(r->a, lease_line(a, r->core, &l)));
		} else if (is_item_error(rc)) {
			value_add(p->out, error_line(r->a, "lease_id", p->next,
			                             item_error(&why)));
		} else {
			r->e = why;
			return rc;
		}
	}
	if (p->next != NULL)
		return park_again(r);
	note_items(r, p);
	return say_items(r, &h, &asked, p);
}

/* ---- fetch ---- */

/* Its own lease, or that of a binding of the Swarm that it leads. */
static int lease_to_fetch(struct req *r, struct arena *a, const struct agent_fetch *f,
                          const struct value *id, struct lease *l, struct err *e)
{
	unsigned char raw[LEASE_ID];
	struct err none; /* what was said already stays */
	int rc = agent_own_lease(r, a, id, &f->h, l, e);

	if (rc == ERR_OK && f->version != 0)
		return err_set(e, ERR_DENIED, "a host has the current version");
	if (rc == ERR_NOENT && lease_id_parse(id, raw) == 0 &&
	    lease_load(r->core, a, raw, l, &none) == ERR_OK && l->cluster[0] != '\0') {
		rc = swarm_may_fetch(r->core, a, l, &f->h, f->version, e);
		/* The next leader may have what this one's role does not allow. */
		if (rc == ERR_OK && !host_role_allows(f->role.paths, l->path))
			return err_set(e, ERR_DENIED,
			               "the host's role does not allow this path");
	}
	return rc == ERR_OK ? usable(r, a, l, &f->role, e) : rc;
}

static int fetch_one(struct req *r, struct arena *a, const struct agent_fetch *f,
                     struct progress *p, struct err *e)
{
	struct lease l = { .rev = 0 };
	struct value *item = NULL;
	size_t room = SIZE_MAX;
	int rc;

	if ((rc = lease_to_fetch(r, a, f, p->next, &l, e)) != ERR_OK ||
	    (rc = agent_give(r, a, f, &l, &room, &item, e)) != ERR_OK)
		return rc;
	value_add(p->out, item);
	value_add(p->note, agent_given(r, &l));
	return ERR_OK;
}

static int h_fetch(struct req *r)
{
	const struct value *data;
	struct progress *p;
	struct agent_fetch f = { .version = 0 };
	bool stop;
	int rc = host_self(r, &f.h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &f.h, "fetch", &f.asked, &data)) != ERR_OK)
		return rc;
	if ((p = start(r, data, "leases")) == NULL)
		return (int)r->e.code;
	f.version = value_int_or(data, "version", 0);
	if ((rc = host_role_of(r->core, r->a, &f.h, &f.role, &r->e)) != ERR_OK)
		return rc;
	for (int n = 0; p->next != NULL && n < FETCH_SLICE; n++, step_on(p)) {
		AUTO_ARENA a = arena_new(AGENT_SCRATCH);
		struct err why;

		if (a == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		rc = fetch_one(r, a, &f, p, &why);
		if (is_item_error(rc)) {
			value_add(p->out, error_line(r->a, "lease_id", p->next,
			                             item_error(&why)));
		} else if (rc != ERR_OK) {
			r->e = why;
			return rc;
		}
	}
	if (p->next != NULL)
		return park_again(r);
	value_set(reply_data(r), "items", p->out);
	note_items(r, p);
	return ERR_OK;
}

/* ---- consistency ---- */

static int h_consistency(struct req *r)
{
	struct value *data = value_object(r->a);
	struct host_asked asked;
	struct host h;
	int64_t from = 0;
	bool stop, present;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asked(r, "consistency", &asked)) != ERR_OK ||
	    (rc = req_int(r, "from", &from, &present)) != ERR_OK ||
	    (rc = agent_proof(r, from, data)) != ERR_OK)
		return rc;
	return host_say(r, &h, &asked, data);
}

/* ---- routes ---- */

#define NONCE \
	"nonce", "string", "64 hex digits that the agent chose: the answer covers them"
static const struct field sync_fields[] = {
	{NONCE},
	{ NULL, NULL, NULL },
};
static const struct field from_fields[] = {
	{"from", "int", "size of the checkpoint that the agent has"},
	{ NONCE},
	{ NULL,  NULL,      NULL					    },
};

static const struct route rows[] = {
	{"system",  M_GET,  "agent/sync",        R_AGENT,               sync_fields,        h_sync,         NULL,
         "all leases of the host"														  },
	{ "system", M_POST, "agent/leases",      R_AGENT,               agent_heard_fields, h_leases,       NULL,
         "ask for leases"															  },
	{ "system", M_POST, "agent/release",     R_AGENT,               agent_heard_fields,
         agent_take_release,										NULL, "give leases up"                 },
	{ "system", M_POST, "agent/fetch",       R_AGENT,               agent_heard_fields, h_fetch,        NULL,
         "values, sealed to the host"													      },
	{ "system", M_POST, "agent/ack",         R_AGENT,               agent_heard_fields, agent_take_ack,
         NULL,												    "say what was put in place"      },
	{ "system", M_POST, "agent/cosign",      R_AGENT,               agent_heard_fields,
         agent_take_cosign,										 NULL, "co-sign a head of the audit log"},
	{ "system", M_POST, "agent/report",      R_AGENT,               agent_heard_fields,
         agent_take_report,										 NULL, "what the host says of itself"   },
	{ "system", M_POST, "agent/renew",       R_AGENT,               agent_heard_fields, h_renew,        NULL,
         "keep leases alive"														       },
	{ "system", M_GET,  "agent/consistency", R_AGENT,               from_fields,        h_consistency,  NULL,
         "proof that the audit log only grew"												      },
	{ "system", M_POST, "agent/watch",       R_HOST_SELF | R_HOSTS, agent_watch_fields,
         agent_watch,										       NULL, "wait for changes"               },
};

const struct route_table routes_agent = { rows, ARRAY_LEN(rows) };

/* SPDX-License-Identifier: Apache-2.0 */
/* api_host - hosts and their roles, for operators.  auth/host is in api_host_login.c. */
#include <string.h>

#include "api_agent.h"
#include "api_host.h"
#include "api_host_cosign.h"
#include "api_host_report.h"
#include "arena.h"
#include "binding.h"
#include "host.h"
#include "host_report.h"
#include "keyring.h"
#include "lease_impl.h"
#include "path.h"
#include "rng.h"
#include "route.h"
#include "swarm.h"
#include "text.h"
#include "token.h"
#include "vault/limits.h"

#define JOIN_TTL_MS      (15ll * 60 * 1000)
#define JOIN_TTL_MAX_MS  (24ll * 3600 * 1000)
#define LEASE_TTL_MIN_MS 1000
#define LEASE_TTL_MAX_MS (366ll * 24 * 3600 * 1000)
#define TEXT_MAX         1024u
#define LIST_SLICE       200
#define SCRATCH          ((size_t)8 * 1024 * 1024)

static char *name_of(struct req *r, const char *text, const char *what)
{
	char name[LIMIT_NAME + 1];

	if (path_name(text, strlen(text), name, what, &r->e) != ERR_OK)
		return NULL;
	return arena_str(r->a, name);
}

static int name_param(struct req *r, const char *what, const char **out)
{
	*out = name_of(r, r->param[0].text, what);
	return *out != NULL ? ERR_OK : (int)r->e.code;
}

static struct value *time_value(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0)
		return value_null(a);
	clock_rfc3339(ms, text);
	return value_str(a, arena_str(a, text));
}

static struct value *duration_seconds(struct arena *a, int64_t ms)
{
	return value_int(a, ms / 1000);
}

/* ---- roles ---- */

static int take_paths(struct req *r, struct host_role *role)
{
	struct value *paths = NULL;
	bool present;
	int rc = req_strings(r, "paths", &paths, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (paths->len > HOST_ROLE_PATHS)
		return req_fail(r, ERR_INVALID, "paths: at most %u", HOST_ROLE_PATHS);
	for (const struct value *p = paths->first; p != NULL; p = p->next)
		if ((rc = host_role_check(r->core, p->text, p->len, &r->e)) != ERR_OK)
			return rc;
	role->paths = paths;
	return ERR_OK;
}

static int take_role(struct req *r, struct host_role *role)
{
	bool present;
	int rc;

	if ((rc = take_paths(r, role)) != ERR_OK ||
	    (rc = req_duration(r, "ttl", &role->ttl_ms, &present)) != ERR_OK ||
	    (rc = req_str(r, "description", &role->description, &present)) != ERR_OK)
		return rc;
	if (role->paths == NULL || role->paths->len == 0)
		return req_fail(r, ERR_INVALID, "paths: name at least one secret path");
	if (role->ttl_ms < LEASE_TTL_MIN_MS || role->ttl_ms > LEASE_TTL_MAX_MS)
		return req_fail(r, ERR_INVALID, "ttl: between 1s and 366d");
	if (strlen(role->description) > TEXT_MAX ||
	    !text_printable(role->description, strlen(role->description)))
		return req_fail(r, ERR_INVALID,
		                "description: printable text of at most %u bytes",
		                TEXT_MAX);
	return ERR_OK;
}

/* What its hosts hold, and what is bound for them, is judged again. */
static int role_changed(struct req *r, const char *name)
{
	int rc = lease_role_changed(r->core, r->a, name, &r->e);

	if (rc == ERR_OK)
		rc = binding_role_changed(r->core, r->a, name, &r->e);
	return rc == ERR_OK ? swarm_role_changed(r->core, r->a, name, &r->e) : rc;
}

static int h_role_write(struct req *r)
{
	struct host_role role;
	const char *name;
	int rc = name_param(r, "role name", &name);

	if (rc != ERR_OK)
		return rc;
	rc = host_role_load(r->core, r->a, name, &role, &r->e);
	if (rc == ERR_NOENT) {
		role.o.kind = KIND_HOST_ROLE;
		role.o.id_len = 32;
		host_role_id(r->core, name, role.o.id);
		role.ttl_ms = HOST_LEASE_TTL_MS;
		role.description = "";
	} else if (rc != ERR_OK) {
		return rc;
	}
	if ((rc = take_role(r, &role)) != ERR_OK)
		return rc;
	role.o.body = value_object(r->a);
	value_set_str(r->a, role.o.body, "name", name);
	value_set_str(r->a, role.o.body, "description", role.description);
	value_set(role.o.body, "paths", value_copy(r->a, role.paths));
	value_set_int(r->a, role.o.body, "ttl", role.ttl_ms);
	req_note_str(r, "role", name);
	if ((rc = store_put(r->core, &role.o, &r->e)) != ERR_OK)
		return rc;
	return role_changed(r, name);
}

static int h_role_read(struct req *r)
{
	struct host_role role;
	struct value *data;
	const char *name;
	int rc = name_param(r, "role name", &name);

	if (rc != ERR_OK)
		return rc;
	rc = host_role_load(r->core, r->a, name, &role, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	data = reply_data(r);
	value_set_str(r->a, data, "name", role.name);
	value_set_str(r->a, data, "description", role.description);
	value_set(data, "paths", value_copy(r->a, role.paths));
	value_set(data, "ttl", duration_seconds(r->a, role.ttl_ms));
	return ERR_OK;
}

static int h_role_delete(struct req *r)
{
	struct host_role role;
	const char *name;
	int rc = name_param(r, "role name", &name);

	if (rc != ERR_OK)
		return rc;
	rc = host_role_load(r->core, r->a, name, &role, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = store_delete(r->core, &role.o, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "role", name);
	return role_changed(r, name);
}

/* ---- listings, a slice at a time ---- */

struct listing {
	struct value *keys, *info;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	struct store_object at[LIST_SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;

	(void)e;
	l->at[l->n++] = *o;
	return ERR_OK;
}

/* The next slice of a kind; *done when it was the last.  NULL and r->e on failure. */
static struct listing *list_slice(struct req *r, struct arena *scratch,
                                  enum store_kind kind, bool *done)
{
	struct listing *l = r->park_state;

	*done = true;
	if (l == NULL && (l = arena_alloc(r->a, sizeof(*l))) != NULL) {
		l->keys = value_array(r->a);
		l->info = value_object(r->a);
		r->park_state = l;
	}
	if (l == NULL || scratch == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->n = 0;
	if (store_each(r->core, scratch, kind, l->after_len > 0 ? l->after : NULL,
	               l->after_len, LIST_SLICE, collect, l, &r->e) != ERR_OK)
		return NULL;
	*done = l->n < LIST_SLICE;
	if (!*done) {
		l->after_len = l->at[l->n - 1].id_len;
		memcpy(l->after, l->at[l->n - 1].id, l->after_len);
	}
	return l;
}

static int list_more(struct req *r)
{
	unsigned char key[16];

	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

static int h_role_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	bool done;
	struct listing *l = list_slice(r, scratch, KIND_HOST_ROLE, &done);

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; i < l->n; i++)
		value_add(l->keys, value_copy(r->a, value_get(l->at[i].body, "name")));
	if (!done)
		return list_more(r);
	value_set(reply_data(r), "keys", l->keys);
	return ERR_OK;
}

static struct value *host_summary(struct arena *a, const struct host *h)
{
	struct value *v = value_object(a);
	char *id = arena_alloc(a, 2 * HOST_ID + 1);

	if (id != NULL)
		text_hex(h->o.id, HOST_ID, id);
	value_set_str(a, v, "host_id", id);
	value_set_str(a, v, "role", h->role);
	value_set_str(a, v, "state", host_state_name(h->state));
	value_set(v, "last_seen", time_value(a, h->seen_ms));
	value_set_str(a, v, "agent_version", h->agent_version);
	value_set_int(a, v, "alarms", h->alarms->len);
	return v;
}

static int add_summary(struct req *r, struct arena *a, struct listing *l,
                       const struct host *h)
{
	const char *name = arena_str(r->a, h->name);
	struct value *v = host_summary(a, h);
	struct host_report rep;
	int rc = host_report_load(r->core, a, h->o.id, &rep, &r->e);

	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (name == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	host_report_show(a, &rep, v);
	value_add(l->keys, value_str(r->a, name));
	value_set(l->info, name, value_copy(r->a, v));
	return ERR_OK;
}

static int h_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct host h;
	bool done;
	struct listing *l = list_slice(r, scratch, KIND_HOST, &done);
	int rc = ERR_OK;

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; rc == ERR_OK && i < l->n; i++) {
		rc = host_read(scratch, &l->at[i], &h, &r->e);
		if (rc != ERR_OK || h.o.tag_len == 0) /* its name went to a newer host */
			continue;
		rc = add_summary(r, scratch, l, &h);
	}
	if (rc != ERR_OK)
		return rc;
	if (!done)
		return list_more(r);
	value_set(reply_data(r), "keys", l->keys);
	value_set(reply_data(r), "key_info", l->info);
	return ERR_OK;
}

/* ---- one host ---- */

static int host_leases(struct req *r, const struct host *h, struct value *data)
{
	struct value *list = value_array(r->a);
	struct leases ls;
	int rc = leases_of_host(r->core, r->a, h->o.id, &ls, &r->e);

	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < ls.n; i++) {
		struct value *info = lease_info(r->a, &ls.at[i]);

		value_set_str(r->a, info, "lease_id", lease_id_text(r->a, &ls.at[i]));
		value_add(list, info);
	}
	value_set(data, "leases", list);
	return ERR_OK;
}

static void host_alarms(struct req *r, const struct host *h, struct value *data)
{
	struct value *list = value_array(r->a);

	for (const struct value *v = h->alarms->first; v != NULL; v = v->next) {
		struct value *alarm = value_object(r->a);

		value_set_str(r->a, alarm, "kind", value_cstr_or(r->a, v, "kind", ""));
		value_set(alarm, "time", time_value(r->a, value_int_or(v, "time", 0)));
		value_set_str(r->a, alarm, "remote",
		              value_cstr_or(r->a, v, "remote", ""));
		value_add(list, alarm);
	}
	value_set(data, "alarms", list);
}

static int h_show(struct req *r)
{
	struct host_report rep;
	struct value *data;
	struct host h;
	const char *name;
	char id[2 * HOST_ID + 1];
	int rc = name_param(r, "host name", &name);

	if (rc != ERR_OK)
		return rc;
	rc = host_find(r->core, r->a, name, &h, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	rc = host_report_load(r->core, r->a, h.o.id, &rep, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	data = reply_data(r);
	text_hex(h.o.id, HOST_ID, id);
	value_set_str(r->a, data, "name", h.name);
	value_set_str(r->a, data, "host_id", arena_str(r->a, id));
	value_set_str(r->a, data, "role", h.role);
	value_set_str(r->a, data, "state", host_state_name(h.state));
	value_set_int(r->a, data, "generation", h.generation);
	value_set(data, "joined", time_value(r->a, h.joined_ms));
	value_set(data, "keys_since", time_value(r->a, h.keyed_ms));
	value_set_bool(r->a, data, "rekey_pending", h.rekeying);
	value_set(data, "last_seen", time_value(r->a, h.seen_ms));
	value_set_str(r->a, data, "agent_version", h.agent_version);
	value_set_int(r->a, data, "checkpoint_size", h.checkpoint_size);
	host_report_show(r->a, &rep, data);
	host_alarms(r, &h, data);
	return host_leases(r, &h, data);
}

static int h_revoke(struct req *r)
{
	struct host h;
	const char *name;
	int rc = name_param(r, "host name", &name);

	if (rc != ERR_OK || (rc = host_find(r->core, r->a, name, &h, &r->e)) != ERR_OK ||
	    (rc = host_drop_joins(r->core, r->a, &h, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "host", h.name);
	if (h.state == HOST_REVOKED)
		return ERR_OK;
	h.state = HOST_REVOKED;
	if ((rc = host_save(r->core, r->a, &h, &r->e)) != ERR_OK)
		return rc;
	return lease_revoke_host(r->core, r->a, h.o.id, &r->e);
}

/* ---- adding ---- */

/* The host that is to join: a new one, or the one that still has not. */
static int host_to_join(struct req *r, const char *name, const char *role, struct host *h)
{
	int rc = host_find(r->core, r->a, name, h, &r->e);

	if (rc == ERR_NOENT) {
		host_new(r->core, name, role, h);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	if (h->state == HOST_ACTIVE)
		return req_fail(r, ERR_INVALID,
		                "host \"%s\" has joined already: revoke it first", name);
	if (h->state == HOST_PENDING) {
		h->role = role;
		return host_drop_joins(r->core, r->a, h, &r->e);
	}
	/* The revoked one keeps its record, so that its agent still gets the order to
	 * wipe. */
	h->o.tag_len = 0;
	if ((rc = host_save(r->core, r->a, h, &r->e)) == ERR_OK)
		host_new(r->core, name, role, h);
	return rc;
}

static int take_add(struct req *r, const char **name, const char **role, int64_t *ttl)
{
	static const char *const taken[] = { "add", "pins", "roles",
		                             "where" }; /* paths of ours */
	struct host_role found;
	bool has_name, has_role, present;
	int rc;

	if ((rc = req_str(r, "name", name, &has_name)) != ERR_OK ||
	    (rc = req_str(r, "role", role, &has_role)) != ERR_OK ||
	    (rc = req_duration(r, "ttl", ttl, &present)) != ERR_OK)
		return rc;
	if (!has_name || !has_role)
		return req_fail(r, ERR_INVALID, "name and role are needed");
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strcmp(*name, taken[i]) == 0)
			return req_fail(r, ERR_INVALID, "no host can be named \"%s\"",
			                *name);
	if (*ttl < 1000 || *ttl > JOIN_TTL_MAX_MS)
		return req_fail(r, ERR_INVALID, "ttl: between 1s and 24h");
	if ((*name = name_of(r, *name, "host name")) == NULL ||
	    (*role = name_of(r, *role, "role name")) == NULL)
		return (int)r->e.code;
	rc = host_role_load(r->core, r->a, *role, &found, &r->e);
	return rc == ERR_NOENT
	               ? req_fail(r, ERR_INVALID, "no role is named \"%s\"", *role)
	               : rc;
}

static int h_add(struct req *r)
{
	const char *name = NULL, *role = NULL;
	int64_t ttl = JOIN_TTL_MS;
	char *token = arena_alloc(r->a, TOKEN_TEXT_LEN + 1), *id;
	struct value *data;
	struct host h;
	int rc;

	if ((rc = take_add(r, &name, &role, &ttl)) != ERR_OK ||
	    (rc = host_to_join(r, name, role, &h)) != ERR_OK ||
	    (rc = host_save(r->core, r->a, &h, &r->e)) != ERR_OK)
		return rc;
	id = arena_alloc(r->a, 2 * HOST_ID + 1);
	if (token == NULL || id == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	token_new('j', token);
	text_hex(h.o.id, HOST_ID, id);
	if ((rc = host_put_join(r->core, r->a, &h, token, ttl, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "host", name);
	req_note_str(r, "role", role);
	data = reply_data(r);
	value_set_str(r->a, data, "name", name);
	value_set_str(r->a, data, "host_id", id);
	value_set_str(r->a, data, "join_token", token);
	value_set(data, "expires", time_value(r->a, r->core->now_ms + ttl));
	value_set(data, "server_pins", host_pins(r->core, r->a));
	return ERR_OK;
}

/* ---- pins ---- */

static int h_pins_read(struct req *r)
{
	struct value *data = reply_data(r), *pins = host_pins(r->core, r->a);
	const struct value *next = value_at(pins, 1);

	value_set(data, "pins", pins);
	value_set(data, "next", next != NULL ? value_copy(r->a, next) : value_null(r->a));
	return ERR_OK;
}

static int h_pins_write(struct req *r)
{
	static const char prefix[] = "sha256//";
	const char *text = "";
	unsigned char pin[32];
	bool present;
	int rc = req_str(r, "next", &text, &present);

	if (rc != ERR_OK)
		return rc;
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 ||
	    text_unbase64(text + sizeof(prefix) - 1, strlen(text) - sizeof(prefix) + 1,
	                  pin, sizeof(pin)) != (long)sizeof(pin))
		return req_fail(r, ERR_INVALID,
		                "next: must read sha256// and the base64 of 32 bytes");
	req_note_bytes(r, "next", pin, sizeof(pin));
	if ((rc = meta_put(r->core->db, "server_pin_next", pin, sizeof(pin), &r->e)) !=
	    ERR_OK)
		return rc;
	return h_pins_read(r);
}

/* ---- routes ---- */

static const struct field role_fields[] = {
	{"paths",        "strings",  "secret paths, each exact or ending in '*'"},
	{ "ttl",         "duration", "life of the leases"                       },
	{ "description", "string",   "what the role is for"                     },
	{ NULL,          NULL,       NULL				       },
};
static const struct field add_fields[] = {
	{"name",  "string",   "name of the host"      },
	{ "role", "string",   "what it may have"      },
	{ "ttl",  "duration", "life of the join token"},
	{ NULL,   NULL,       NULL                    },
};
static const struct field pins_fields[] = {
	{"next", "string", "the server key that will follow"},
	{ NULL,  NULL,     NULL			     },
};

static const struct route rows[] = {
	{"system",  M_LIST,   "hosts/roles",         0,                    NULL,                  h_role_list,    NULL,
         "list host roles"															  },
	{ "system", M_GET,    "hosts/roles/:name",   0,                    NULL,                  h_role_read,    NULL,
         "read a host role"															 },
	{ "system", M_POST,   "hosts/roles/:name",   0,                    role_fields,           h_role_write,   NULL,
         "write a host role"															},
	{ "system", M_DELETE, "hosts/roles/:name",   0,                    NULL,                  h_role_delete,  NULL,
         "delete a host role"														       },
	{ "system", M_POST,   "hosts/add",           0,                    add_fields,            h_add,          NULL,
         "make a join token for a host"													     },
	{ "system", M_GET,    "hosts/pins",          0,                    NULL,                  h_pins_read,    NULL,
         "the server keys that agents pin"													  },
	{ "system", M_POST,   "hosts/pins",          0,                    pins_fields,           h_pins_write,   NULL,
         "announce the next server key"													     },
	{ "system", M_GET,    "audit-log/witnesses", 0,                    NULL,                  host_witnesses, NULL,
         "heads of the audit log that hosts have co-signed"											 },
	{ "system", M_GET,    "hosts/where/*path",   0,                    NULL,                  host_where,     NULL,
         "which host and container has which version of a secret"										   },
	{ "system", M_LIST,   "hosts",               0,                    NULL,                  h_list,         NULL, "list hosts"                },
	{ "system", M_GET,    "hosts/:name",         0,                    NULL,                  h_show,         NULL,
         "one host and its leases"														  },
	{ "system", M_POST,   "hosts/:name/revoke",  0,                    NULL,                  h_revoke,       NULL,
         "cut a host off and have it wipe its files"												},
	{ "host",   M_POST,   "join",                R_ANON,               host_join_fields,      host_join,      NULL,
         "join with a token"															},
	{ "host",   M_POST,   "rekey",               R_AGENT,              agent_heard_fields,    host_rekey,     NULL,
         "replace the host's keys"														  },
	{ "host",   M_POST,   "challenge",           R_ANON | R_HOSTS_TOO, host_challenge_fields,
         host_challenge,											  NULL, "a nonce to sign"           },
	{ "host",   M_POST,   "login",               R_AUTH | R_HOSTS_TOO, host_login_fields,     host_login,
         NULL,													  "log in with the host's key"},
};

const struct route_table routes_host = { rows, ARRAY_LEN(rows) };

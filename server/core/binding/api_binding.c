/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_binding - bindings, for operators.
 *
 * A write replaces the whole definition: what it does not name has its default.
 */
#include <string.h>

#include "api_agent.h"
#include "api_binding.h"
#include "arena.h"
#include "binding.h"
#include "host.h"
#include "listing.h"
#include "path.h"
#include "text.h"

static int name_param(struct req *r, const char **out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "binding name",
	                   &r->e);

	*out = NULL;
	if (rc != ERR_OK)
		return rc;
	*out = arena_str(r->a, name);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

/* ---- what the request says ---- */

static int take_role(struct req *r, const struct value *v, struct value *out)
{
	char name[LIMIT_NAME + 1];
	struct host_role role;
	int rc = path_name(v->text, v->len, name, "roles", &r->e);

	if (rc != ERR_OK)
		return rc;
	rc = host_role_load(r->core, r->a, name, &role, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "roles: no host role is named \"%s\"",
		                name);
	if (rc != ERR_OK)
		return rc;
	value_add(out, value_str(r->a, arena_str(r->a, name)));
	return ERR_OK;
}

int binding_take_roles(struct req *r, const struct value **out)
{
	struct value *given = NULL, *roles = value_array(r->a);
	bool present;
	int rc = req_strings(r, "roles", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || given->len == 0 || given->len > BINDING_ROLES)
		return req_fail(r, ERR_INVALID, "roles: name 1 to %u host roles",
		                BINDING_ROLES);
	for (const struct value *v = given->first; v != NULL; v = v->next)
		if ((rc = take_role(r, v, roles)) != ERR_OK)
			return rc;
	*out = roles;
	return ERR_OK;
}

static int take_images(struct req *r, struct binding *b)
{
	struct value *given = NULL;
	bool present;
	int rc = req_strings(r, "images", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present)
		given = value_array(r->a);
	if (given != NULL && given->len > BINDING_IMAGES)
		return req_fail(r, ERR_INVALID, "images: at most %u", BINDING_IMAGES);
	for (const struct value *v = given != NULL ? given->first : NULL; v != NULL;
	     v = v->next)
		if (v->len == 0 || v->len > BINDING_IMAGE ||
		    !text_printable(v->text, v->len))
			return req_fail(r, ERR_INVALID,
			                "images: printable text of 1 to %u bytes",
			                BINDING_IMAGE);
	b->images = given;
	return ERR_OK;
}

static void warn_unknown(struct req *r, const struct value *unknown)
{
	const char *all = "";

	for (const struct value *v = unknown->first; v != NULL; v = v->next)
		all = arena_printf(r->a, "%s%s%s", all, all[0] != '\0' ? " " : "",
		                   v->text);
	if (unknown->len > 0)
		reply_warning(r, "Endpoint ignored these unrecognized parameters: [%s]",
		              all);
}

static int h_write(struct req *r)
{
	struct binding_take t = { .a = r->a };
	const struct value *before;
	struct binding b;
	const char *name;
	int rc = name_param(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = binding_find(r->core, r->a, name, &b, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	before = b.roles;
	if ((rc = binding_take_roles(r, &b.roles)) != ERR_OK ||
	    (rc = take_images(r, &b)) != ERR_OK ||
	    (rc = binding_take_spec(&t, r->body, &r->e)) != ERR_OK)
		return rc;
	b.spec = t.spec;
	if ((rc = binding_save(r->core, r->a, &b, before, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "binding", name);
	req_note_int(r, "version", b.rev);
	value_set(r->note, "roles", value_copy(r->a, b.roles));
	warn_unknown(r, t.unknown);
	return ERR_OK;
}

static struct value *time_value(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	return value_str(a, arena_str(a, text));
}

static int h_read(struct req *r)
{
	struct binding b;
	struct value *d;
	const char *name;
	int rc = name_param(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = binding_find(r->core, r->a, name, &b, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	d = reply_data(r);
	value_set_str(r->a, d, "name", b.name);
	value_set_int(r->a, d, "version", b.rev);
	value_set(d, "roles", value_copy(r->a, b.roles));
	value_set(d, "images", value_copy(r->a, b.images));
	for (const struct value *v = b.spec->first; v != NULL; v = v->next)
		value_setn(d, v->key, v->key_len, value_copy(r->a, v));
	value_set(d, "created_time", time_value(r->a, b.created_ms));
	value_set(d, "updated_time", time_value(r->a, b.updated_ms));
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	struct binding b;
	const char *name;
	int rc = name_param(r, &name);

	if (rc != ERR_OK)
		return rc;
	rc = binding_find(r->core, r->a, name, &b, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "binding", name);
	return binding_drop(r->core, r->a, &b, &r->e);
}

static int h_list(struct req *r)
{
	static const struct listing_of of = { .kind = KIND_BINDING, .member = "name" };

	return listing_reply(r, &of);
}

static int is_there(struct req *r, bool *exists)
{
	struct binding b;
	const char *name;
	int rc = name_param(r, &name);

	if (rc == ERR_OK)
		rc = binding_find(r->core, r->a, name, &b, &r->e);
	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* ---- routes ---- */

/* clang-format off */
static const struct field binding_fields[] = {
	{ "roles",         "strings",  "host roles whose hosts may have it" },
	{ "images",        "strings",  "patterns of image references, with '*' for any text; none: any image" },
	{ "files",         "any",      "array of files: name, path, field, fields, format, quote, template_text, owner, group, mode, dir_mode" },
	{ "containers",    "strings",  "names of containers that use it, besides labelled ones" },
	{ "reload",        "string",   "none, signal, restart, exec or exec-in" },
	{ "signal",        "string",   "for reload and on_revoke: signal" },
	{ "command",       "strings",  "for reload: exec and exec-in; no shell takes part" },
	{ "run_as",        "string",   "for reload: exec" },
	{ "timeout",       "duration", "of a command" },
	{ "health",        "duration", "deadline of the health gate" },
	{ "settle",        "duration", "where an image has no health check" },
	{ "on_unhealthy",  "string",   "rollback or keep" },
	{ "canary",        "bool",     "of several containers one comes first" },
	{ "debounce",      "duration", "changes that come together make one reload" },
	{ "min_interval",  "duration", "between two reloads of one container" },
	{ "splay",         "duration", "restarts wait a random time up to this" },
	{ "on_revoke",     "string",   "none, signal or stop" },
	{ "on_disconnect", "string",   "keep or wipe" },
	{ "wipe_after",    "duration", "for on_disconnect: wipe" },
	{ "on_expiry",     "string",   "keep_if_unreachable or wipe" },
	{ "max_stale",     "duration", "how long ended files stay while the vault cannot be reached" },
	{ "cache",         "string",   "none or encrypted" },
	{ NULL,            NULL,       NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST,   "bindings",       0,           NULL,              h_list,     NULL,     "list bindings" },
	{ "system", M_GET,    "bindings/:name", 0,           NULL,              h_read,     NULL,     "one binding as it was defined" },
	{ "system", M_POST,   "bindings/:name", 0,           binding_fields,    h_write,    is_there, "define files that containers may ask for" },
	{ "system", M_DELETE, "bindings/:name", 0,           NULL,              h_delete,   NULL,     "delete a binding; its files go" },
	{ "system", M_POST,   "agent/bind",     R_AGENT,     agent_heard_fields, agent_bind, NULL,     "which bindings the host's containers get" },
};
/* clang-format on */

const struct route_table routes_binding = { rows, ARRAY_LEN(rows) };

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_approle - auth/approle: roles, whole and field by field, and the route table.
 *
 * A sub-path such as role/NAME/token-ttl is the role's write or read restricted to one
 * field: fields[] says which.
 */
#include <string.h>

#include "approle.h"
#include "arena.h"
#include "names.h"
#include "path.h"
#include "route.h"
#include "text.h"

#define ROLE_ID_MAX 512u

static const struct token_param_alias aliases[] = {
	{"token_policies", "policies"},
	{ "token_period",  "period"  },
	{ NULL,            NULL      },
};

static int load_named(struct req *r, struct approle *p)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "role name", &r->e);

	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "role", name);
	return approle_load(r->core, r->a, r->mount, name, p, &r->e);
}

/* ---- what a request says of a role ---- */

static bool given(const struct req *r, const char *field)
{
	const struct value *v = value_get(r->body, field);

	return v != NULL && v->type != V_NULL;
}

static int take_cidrs(struct req *r, struct approle *p)
{
	const char *field = given(r, "secret_id_bound_cidrs") ? "secret_id_bound_cidrs"
	                                                      : "bound_cidr_list";
	struct value *list = NULL;
	bool present;
	int rc = token_take_cidrs(r, field, &list, &present);

	if (rc == ERR_OK && present)
		p->cidrs = list;
	return rc;
}

static int take_secret_terms(struct req *r, struct approle *p)
{
	bool present;
	int rc;

	if ((rc = req_int(r, "secret_id_num_uses", &p->num_uses, &present)) != ERR_OK ||
	    (rc = req_duration(r, "secret_id_ttl", &p->ttl_ms, &present)) != ERR_OK)
		return rc;
	if (p->num_uses < 0)
		return req_fail(r, ERR_INVALID, "secret_id_num_uses cannot be negative");
	if (p->ttl_ms < 0)
		return req_fail(r, ERR_INVALID, "secret_id_ttl cannot be negative");
	p->ttl_ms -= p->ttl_ms % 1000;
	return ERR_OK;
}

static int take_role_id(struct req *r, struct approle *p)
{
	const char *id = NULL;
	bool present;
	int rc = req_str(r, "role_id", &id, &present);

	if (rc != ERR_OK || !present || id[0] == '\0')
		return rc;
	if (strlen(id) > ROLE_ID_MAX || !text_printable(id, strlen(id)))
		return req_fail(r, ERR_INVALID,
		                "role_id: printable text of at most %u bytes",
		                ROLE_ID_MAX);
	p->role_id = id;
	return ERR_OK;
}

static int take_local(struct req *r, struct approle *p)
{
	bool local = p->local, present;
	int rc = req_bool(r, "local_secret_ids", &local, &present);

	if (rc != ERR_OK)
		return rc;
	if (p->o.version != 0 && local != p->local)
		return req_fail(
			r, ERR_INVALID,
			"local_secret_ids can only be modified during role creation");
	p->local = local;
	return ERR_OK;
}

/* What was said by an old name is read back by it, too. */
static void note_old_names(const struct req *r, struct approle *p)
{
	if (given(r, "token_policies"))
		p->old_policies = false;
	else if (given(r, "policies"))
		p->old_policies = true;
	if (given(r, "token_period"))
		p->old_period = false;
	else if (given(r, "period"))
		p->old_period = true;
}

static int take_role(struct req *r, struct approle *p)
{
	bool present;
	int rc;

	if ((rc = req_bool(r, "bind_secret_id", &p->bind_secret_id, &present)) !=
	            ERR_OK ||
	    (rc = take_cidrs(r, p)) != ERR_OK ||
	    (rc = take_secret_terms(r, p)) != ERR_OK ||
	    (rc = take_role_id(r, p)) != ERR_OK || (rc = take_local(r, p)) != ERR_OK ||
	    (rc = token_params_take(r, aliases, &p->params)) != ERR_OK)
		return rc;
	note_old_names(r, p);
	if (!p->bind_secret_id && p->cidrs->len == 0)
		return req_fail(r, ERR_INVALID,
		                "at least one constraint should be enabled on the role");
	return ERR_OK;
}

static int write_role(struct req *r, struct approle *p)
{
	int rc = take_role(r, p);

	return rc == ERR_OK ? approle_save(r->core, r->a, r->mount, p, &r->e) : rc;
}

/* ---- the role as a whole ---- */

static int h_write(struct req *r)
{
	struct approle p;
	int rc = load_named(r, &p);

	return rc == ERR_OK || rc == ERR_NOENT ? write_role(r, &p) : rc;
}

static int role_exists(struct req *r, bool *exists)
{
	struct approle p;
	int rc = load_named(r, &p);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static void show(struct req *r, const struct approle *p, struct value *out)
{
	struct arena *a = r->a;

	value_set_bool(a, out, "bind_secret_id", p->bind_secret_id);
	value_set(out, "secret_id_bound_cidrs",
	          p->cidrs->len > 0 ? value_copy(a, p->cidrs) : value_null(a));
	value_set_int(a, out, "secret_id_num_uses", p->num_uses);
	value_set_int(a, out, "secret_id_ttl", p->ttl_ms / 1000);
	value_set_bool(a, out, "local_secret_ids", p->local);
	token_params_reply(a, &p->params, out);
	if (p->old_policies)
		value_set(out, "policies", value_copy(a, p->params.policies));
	if (p->old_period && p->params.period_ms > 0)
		value_set_int(a, out, "period", p->params.period_ms / 1000);
}

static int h_read(struct req *r)
{
	struct approle p;
	int rc = load_named(r, &p);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	show(r, &p, reply_data(r));
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	struct approle p;
	int rc = load_named(r, &p);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return approle_delete(r->core, r->a, &p, &r->e);
}

static int h_list(struct req *r)
{
	return names_reply(r, KIND_APPROLE);
}

/* ---- the role id ---- */

static int h_role_id_read(struct req *r)
{
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc == ERR_OK)
		value_set_str(r->a, reply_data(r), "role_id", p.role_id);
	return rc;
}

static int h_role_id_write(struct req *r)
{
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	if (!given(r, "role_id"))
		return req_fail(r, ERR_INVALID, "missing role_id");
	if ((rc = take_role_id(r, &p)) != ERR_OK)
		return rc;
	return approle_save(r->core, r->a, r->mount, &p, &r->e);
}

/* ---- one field ---- */

enum dflt { DFLT_ZERO, DFLT_TRUE, DFLT_NONE };

static const struct one_field {
	const char *path; /* last segment of the pattern */
	const char *name; /* of the member, in requests and replies */
	const char *old;  /* older name of it, or NULL */
	enum dflt dflt;   /* after a DELETE */
} one_fields[] = {
	{"policies",               "token_policies",        "policies", DFLT_NONE},
	{ "secret-id-num-uses",    "secret_id_num_uses",    NULL,       DFLT_ZERO},
	{ "secret-id-ttl",         "secret_id_ttl",         NULL,       DFLT_ZERO},
	{ "token-ttl",             "token_ttl",             NULL,       DFLT_ZERO},
	{ "token-max-ttl",         "token_max_ttl",         NULL,       DFLT_ZERO},
	{ "token-num-uses",        "token_num_uses",        NULL,       DFLT_ZERO},
	{ "period",                "token_period",          "period",   DFLT_ZERO},
	{ "bind-secret-id",        "bind_secret_id",        NULL,       DFLT_TRUE},
	{ "secret-id-bound-cidrs", "secret_id_bound_cidrs", NULL,       DFLT_NONE},
	{ "bound-cidr-list",       "bound_cidr_list",       NULL,       DFLT_NONE},
	{ "token-bound-cidrs",     "token_bound_cidrs",     NULL,       DFLT_NONE},
	{ "local-secret-ids",      "local_secret_ids",      NULL,       DFLT_ZERO},
};

/* The row's own: each pattern with these handlers ends in one of the paths. */
static const struct one_field *field_of(const struct req *r)
{
	const char *last = strrchr(r->route->pattern, '/') + 1;
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(one_fields) && strcmp(one_fields[i].path, last) != 0)
		i++;
	return &one_fields[i];
}

static int h_field_read(struct req *r)
{
	const struct one_field *f = field_of(r);
	struct value *all = value_object(r->a), *out;
	const struct value *v;
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	show(r, &p, all);
	value_set(all, "bound_cidr_list", value_copy(r->a, p.cidrs));
	out = reply_data(r);
	if ((v = value_get(all, f->name)) != NULL)
		value_set(out, f->name, value_copy(r->a, v));
	if (f->old != NULL && (v = value_get(all, f->old)) != NULL)
		value_set(out, f->old, value_copy(r->a, v));
	return ERR_OK;
}

/* The write of a role whose request says this one thing. */
static int write_field(struct req *r, struct approle *p, const char *name,
                       struct value *v)
{
	const struct value *whole = r->body;
	struct value *one = value_object(r->a);
	int rc;

	if (v == NULL || one == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_set(one, name, v);
	r->body = one;
	rc = write_role(r, p);
	r->body = whole;
	return rc;
}

static int h_field_write(struct req *r)
{
	const struct one_field *f = field_of(r);
	const char *name = f->name;
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	if (!given(r, name) && f->old != NULL)
		name = f->old;
	if (!given(r, name))
		return req_fail(r, ERR_INVALID, "missing %s", f->name);
	return write_field(r, &p, name, value_copy(r->a, value_get(r->body, name)));
}

static int h_field_delete(struct req *r)
{
	const struct one_field *f = field_of(r);
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	return write_field(r, &p, f->name,
	                   f->dflt == DFLT_TRUE   ? value_bool(r->a, true)
	                   : f->dflt == DFLT_NONE ? value_array(r->a)
	                                          : value_int(r->a, 0));
}

/* What expires is removed by the timer, what a role leaves behind by a job. */
static int h_tidy(struct req *r)
{
	(void)r;
	return ERR_OK;
}

/* clang-format off */
static const struct field role_fields[] = {
	{ "role_id", "string", "the role id, instead of a random one" },
	{ "bind_secret_id", "bool", "does a login need a secret id? (default true)" },
	{ "secret_id_bound_cidrs", "strings", "where logins may come from" },
	{ "bound_cidr_list", "strings", "old name of secret_id_bound_cidrs" },
	{ "secret_id_num_uses", "int", "logins of a secret id; 0: any number" },
	{ "secret_id_ttl", "duration", "lifetime of a secret id; 0: for ever" },
	{ "local_secret_ids", "bool", "kept, and shown; only for a new role" },
	TOKEN_PARAM_FIELDS,
	{ "policies", "strings", "old name of token_policies" },
	{ "period", "duration", "old name of token_period" },
	{ NULL, NULL, NULL },
};
static const struct field role_id_fields[] = {
	{ "role_id", "string", "the role id" },
	{ NULL, NULL, NULL },
};
static const struct field secret_fields[] = {
	{ "metadata", "string", "JSON text of an object of strings: metadata of its tokens" },
	{ "cidr_list", "strings", "where logins with it may come from" },
	{ "token_bound_cidrs", "strings", "where tokens from it may be used" },
	{ "num_uses", "int", "how many logins it is good for" },
	{ "ttl", "duration", "its lifetime" },
	{ NULL, NULL, NULL },
};
static const struct field custom_fields[] = {
	{ "secret_id", "string", "the secret id" },
	{ "metadata", "string", "JSON text of an object of strings: metadata of its tokens" },
	{ "cidr_list", "strings", "where logins with it may come from" },
	{ "token_bound_cidrs", "strings", "where tokens from it may be used" },
	{ "num_uses", "int", "how many logins it is good for" },
	{ "ttl", "duration", "its lifetime" },
	{ NULL, NULL, NULL },
};
static const struct field secret_id_field[] = {
	{ "secret_id", "string", "the secret id" },
	{ NULL, NULL, NULL },
};
static const struct field accessor_field[] = {
	{ "secret_id_accessor", "string", "its accessor" },
	{ NULL, NULL, NULL },
};
static const struct field login_fields[] = {
	{ "role_id", "string", "the role id" },
	{ "secret_id", "string", "a secret id of the role" },
	{ NULL, NULL, NULL },
};

#define ONE_FIELD(path, help) \
	{ "approle", M_GET, "role/:name/" path, 0, NULL, h_field_read, NULL, \
	  "read " help }, \
	{ "approle", M_POST, "role/:name/" path, 0, role_fields, h_field_write, NULL, \
	  "change " help }, \
	{ "approle", M_DELETE, "role/:name/" path, 0, NULL, h_field_delete, NULL, \
	  "reset " help }

static const struct route rows[] = {
	{ "approle", M_POST, "login", R_AUTH, login_fields, approle_h_login, NULL,
	  "log in with a role id and a secret id" },
	{ "approle", M_LIST, "role", 0, NULL, h_list, NULL, "list roles" },
	{ "approle", M_GET, "role/:name", 0, NULL, h_read, NULL, "read a role" },
	{ "approle", M_POST, "role/:name", 0, role_fields, h_write, role_exists,
	  "create or change a role" },
	{ "approle", M_DELETE, "role/:name", 0, NULL, h_delete, NULL,
	  "delete a role and its secret ids" },
	{ "approle", M_GET, "role/:name/role-id", 0, NULL, h_role_id_read, NULL,
	  "read a role id" },
	{ "approle", M_POST, "role/:name/role-id", 0, role_id_fields, h_role_id_write,
	  NULL, "change a role id" },
	{ "approle", M_GET, "role/:name/local-secret-ids", 0, NULL, h_field_read, NULL,
	  "read whether secret ids are local" },
	ONE_FIELD("policies", "the policies of a role's tokens"),
	ONE_FIELD("secret-id-num-uses", "how many logins a secret id is good for"),
	ONE_FIELD("secret-id-ttl", "the lifetime of secret ids"),
	ONE_FIELD("token-ttl", "the lifetime of tokens"),
	ONE_FIELD("token-max-ttl", "the longest lifetime of tokens"),
	ONE_FIELD("token-num-uses", "how many requests a token is good for"),
	ONE_FIELD("period", "the period of tokens"),
	ONE_FIELD("bind-secret-id", "whether a login needs a secret id"),
	ONE_FIELD("secret-id-bound-cidrs", "where logins may come from"),
	ONE_FIELD("bound-cidr-list", "where logins may come from (old name)"),
	ONE_FIELD("token-bound-cidrs", "where tokens may be used"),
	{ "approle", M_LIST, "role/:name/secret-id", 0, NULL, approle_h_secret_list, NULL,
	  "list the accessors of a role's secret ids" },
	{ "approle", M_POST, "role/:name/secret-id", 0, secret_fields,
	  approle_h_secret_new, NULL, "make a secret id" },
	{ "approle", M_POST, "role/:name/custom-secret-id", 0, custom_fields,
	  approle_h_secret_custom, NULL, "register a given secret id" },
	{ "approle", M_POST, "role/:name/secret-id/lookup", 0, secret_id_field,
	  approle_h_secret_lookup, NULL, "look a secret id up" },
	{ "approle", M_POST | M_DELETE, "role/:name/secret-id/destroy", 0,
	  secret_id_field, approle_h_secret_destroy, NULL, "destroy a secret id" },
	{ "approle", M_POST, "role/:name/secret-id-accessor/lookup", 0, accessor_field,
	  approle_h_accessor_lookup, NULL, "look a secret id up by its accessor" },
	{ "approle", M_POST | M_DELETE, "role/:name/secret-id-accessor/destroy", 0,
	  accessor_field, approle_h_accessor_destroy, NULL,
	  "destroy a secret id by its accessor" },
	{ "approle", M_POST, "tidy/secret-id", 0, NULL, h_tidy, NULL,
	  "remove what is left over" },
};
/* clang-format on */

const struct route_table routes_approle = { rows, ARRAY_LEN(rows) };

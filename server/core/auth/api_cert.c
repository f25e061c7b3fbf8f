/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_cert - auth/cert: roles that trust certificates, and the method's configuration.
 *
 * What would not be enforced is refused: nothing asks OCSP servers, so nobody may believe
 * that something does.  Revocation lists are in api_crl.c.
 */
#include <string.h>

#include "arena.h"
#include "cert_pem.h"
#include "cert_role.h"
#include "cert_trust.h"
#include "names.h"
#include "path.h"
#include "route.h"
#include "text.h"

#define OCSP_CACHE_MIN 2
#define OCSP_CACHE_MAX 100000

static const struct token_param_alias aliases[] = {
	{"token_policies",     "policies"   },
	{ "token_ttl",         "ttl"        },
	{ "token_ttl",         "lease"      },
	{ "token_max_ttl",     "max_ttl"    },
	{ "token_period",      "period"     },
	{ "token_bound_cidrs", "bound_cidrs"},
	{ NULL,		NULL         },
};

/* The role that the path names; ERR_NOENT and a new one if there is none. */
static int open_named(struct req *r, struct cert_role *role)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[0].text, r->param[0].len, name, "role name", &r->e);

	if (rc != ERR_OK)
		return rc;
	req_note_str(r, "role", arena_str(r->a, name));
	return cert_role_get(r->core, r->a, r->mount, name, role, &r->e);
}

static int role_exists(struct req *r, bool *exists)
{
	struct cert_role role;
	int rc = open_named(r, &role);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* ---- writing a role ---- */

/* Anything but what stands for nothing. */
static bool is_given(const struct value *v)
{
	bool on;

	if (v == NULL || v->type == V_NULL)
		return false;
	if ((v->type == V_STRING || v->type == V_ARRAY) && v->len == 0)
		return false;
	return value_to_bool(v, &on) != 0 || on;
}

static int refuse_ocsp(struct req *r)
{
	static const char *const fields[] = { "ocsp_enabled", "ocsp_ca_certificates",
		                              "ocsp_servers_override", "ocsp_fail_open",
		                              "ocsp_query_all_servers" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (is_given(value_get(r->body, fields[i])))
			return req_fail(r, ERR_INVALID,
			                "'%s' cannot be set: OCSP is not supported, the "
			                "vault opens no connections; write a revocation "
			                "list to crls/:name instead",
			                fields[i]);
	return ERR_OK;
}

/* A client's own certificate stands alone: beside it a CA's, as in a file with a chain,
 * would let in all whom that CA vouches for. */
static int check_kinds(struct req *r, const struct cert_set *set)
{
	bool ca = set->at[0].ca;

	for (size_t i = 1; i < set->n; i++)
		if (!ca || !set->at[i].ca)
			return req_fail(r, ERR_INVALID,
			                "'certificate' must be certificates of CAs, or "
			                "one certificate of a client alone");
	if (!ca && !set->at[0].client_auth)
		return req_fail(r, ERR_INVALID,
		                "nonCA certificates should have TLS client "
		                "authentication set as an extended key usage");
	return ERR_OK;
}

static int take_certificate(struct req *r, struct cert_role *role)
{
	struct value *digests = value_array(r->a);
	const char *text = role->certificate;
	struct cert_set set;
	bool present;
	int rc;

	if ((rc = req_str(r, "certificate", &text, &present)) != ERR_OK)
		return rc;
	if (!present && role->o.version != 0)
		return ERR_OK;
	if ((rc = cert_pem_read(r->a, text, strlen(text), &set, &r->e)) != ERR_OK ||
	    (rc = check_kinds(r, &set)) != ERR_OK ||
	    (rc = cert_trust_change(r->core, role->rules.digests, &set, &r->e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < set.n; i++)
		value_add(digests,
		          value_bytes(r->a, arena_dup(r->a, set.at[i].sha256, 32), 32));
	role->certificate = text;
	role->rules.digests = digests;
	role->rules.ca = set.at[0].ca;
	return arena_failed(r->a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}

static int check_pattern(struct req *r, enum cert_list l, const struct value *v)
{
	const char *oid, *pattern;
	size_t oid_n, n;
	bool hex;

	if (v->len > LIMIT_CERT_PATTERN || !text_printable(v->text, v->len))
		return req_fail(r, ERR_INVALID,
		                "'%s': each must be text of at most %u bytes",
		                cert_list_name(l), LIMIT_CERT_PATTERN);
	if (l == CERT_REQUIRED_EXTENSIONS &&
	    !cert_required_split(v, &hex, &oid, &oid_n, &pattern, &n))
		return req_fail(r, ERR_INVALID,
		                "'%s': each must be \"oid:value\" or \"hex:oid:value\"",
		                cert_list_name(l));
	if (l == CERT_METADATA_EXTENSIONS && !cert_oid_ok(v->text, v->len))
		return req_fail(r, ERR_INVALID, "'%s': each must be an object identifier",
		                cert_list_name(l));
	return ERR_OK;
}

static int take_list(struct req *r, enum cert_list l, const struct value **out)
{
	struct value *list = NULL;
	bool present;
	int rc = req_strings(r, cert_list_name(l), &list, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (list->len > LIMIT_CERT_PATTERNS)
		return req_fail(r, ERR_INVALID, "'%s': at most %u", cert_list_name(l),
		                LIMIT_CERT_PATTERNS);
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if ((rc = check_pattern(r, l, v)) != ERR_OK)
			return rc;
	*out = list;
	return ERR_OK;
}

static int take_lists(struct req *r, struct cert_role *role)
{
	int rc = ERR_OK;

	for (int i = 0; rc == ERR_OK && i < CERT_LISTS; i++)
		rc = take_list(r, (enum cert_list)i, &role->rules.list[i]);
	return rc;
}

/* Without one the role's name. */
static int take_display_name(struct req *r, struct cert_role *role)
{
	bool present;
	int rc = req_str(r, "display_name", &role->display_name, &present);

	if (rc != ERR_OK)
		return rc;
	if (strlen(role->display_name) > LIMIT_NAME ||
	    !text_printable(role->display_name, strlen(role->display_name)))
		return req_fail(r, ERR_INVALID,
		                "'display_name' must be text of at most %u bytes",
		                LIMIT_NAME);
	if (role->display_name[0] == '\0')
		role->display_name = role->name;
	return ERR_OK;
}

static bool in_body(struct req *r, const char *field)
{
	const struct value *v = value_get(r->body, field);

	return v != NULL && v->type != V_NULL;
}

/* What was last given by an old name is read back by that too. */
static void note_old_names(struct req *r, struct cert_role *role)
{
	struct value *old = value_array(r->a);

	for (const struct token_param_alias *x = aliases; x->name != NULL; x++) {
		if (in_body(r, x->name) || strcmp(x->old, "lease") == 0)
			continue;
		if (in_body(r, x->old) || value_has_str(role->old, x->old))
			value_add(old, value_str(r->a, x->old));
	}
	role->old = old;
}

static int h_role_write(struct req *r)
{
	struct cert_role role;
	int rc = open_named(r, &role);

	if ((rc != ERR_OK && rc != ERR_NOENT) || (rc = refuse_ocsp(r)) != ERR_OK ||
	    (rc = take_lists(r, &role)) != ERR_OK ||
	    (rc = take_display_name(r, &role)) != ERR_OK ||
	    (rc = token_params_take(r, aliases, &role.params)) != ERR_OK ||
	    (rc = take_certificate(r, &role)) != ERR_OK)
		return rc;
	note_old_names(r, &role);
	return cert_role_put(r->core, r->a, &role, &r->e);
}

/* ---- reading and deleting ---- */

static int h_role_read(struct req *r)
{
	struct cert_role role;
	struct value *out;
	int rc = open_named(r, &role);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	out = reply_data(r);
	value_set_str(r->a, out, "certificate", role.certificate);
	value_set_str(r->a, out, "display_name", role.display_name);
	for (int i = 0; i < CERT_LISTS; i++)
		value_set(out, cert_list_name((enum cert_list)i),
		          value_copy(r->a, role.rules.list[i]));
	value_set_bool(r->a, out, "ocsp_enabled", false);
	value_set_str(r->a, out, "ocsp_ca_certificates", "");
	value_set(out, "ocsp_servers_override", value_array(r->a));
	value_set_bool(r->a, out, "ocsp_fail_open", false);
	value_set_bool(r->a, out, "ocsp_query_all_servers", false);
	token_params_reply(r->a, &role.params, out);
	for (const struct token_param_alias *x = aliases; x->name != NULL; x++)
		if (value_has_str(role.old, x->old))
			value_set(out, x->old, value_copy(r->a, value_get(out, x->name)));
	return ERR_OK;
}

static int h_role_list(struct req *r)
{
	return names_reply(r, KIND_CERT);
}

static int h_role_delete(struct req *r)
{
	struct cert_role role;
	int rc = open_named(r, &role);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	rc = cert_trust_change(r->core, role.rules.digests, NULL, &r->e);
	return rc == ERR_OK ? store_delete(r->core, &role.o, &r->e) : rc;
}

/* ---- configuration ---- */

static int h_config_read(struct req *r)
{
	struct cert_config k;
	struct value *out;
	int rc = cert_config_get(r->core, r->a, r->mount, &k, &r->e);

	if (rc != ERR_OK)
		return rc;
	out = reply_data(r);
	value_set_bool(r->a, out, "disable_binding", k.disable_binding);
	value_set_bool(r->a, out, "enable_identity_alias_metadata", k.alias_metadata);
	value_set_int(r->a, out, "ocsp_cache_size", k.ocsp_cache_size);
	return ERR_OK;
}

static int h_config_write(struct req *r)
{
	struct cert_config k;
	bool present;
	int rc = cert_config_get(r->core, r->a, r->mount, &k, &r->e);

	if (rc != ERR_OK ||
	    (rc = req_bool(r, "disable_binding", &k.disable_binding, &present)) !=
	            ERR_OK ||
	    (rc = req_bool(r, "enable_identity_alias_metadata", &k.alias_metadata,
	                   &present)) != ERR_OK ||
	    (rc = req_int(r, "ocsp_cache_size", &k.ocsp_cache_size, &present)) != ERR_OK)
		return rc;
	if (k.ocsp_cache_size < OCSP_CACHE_MIN || k.ocsp_cache_size > OCSP_CACHE_MAX)
		return req_fail(r, ERR_INVALID,
		                "invalid cache size, must be >= %d and <= %d",
		                OCSP_CACHE_MIN, OCSP_CACHE_MAX);
	return cert_config_put(r->core, r->a, &k, &r->e);
}

/* clang-format off */
static const struct field role_fields[] = {
	{ "certificate", "string", "PEM: CA certificates, or one client's own" },
	{ "allowed_names", "strings", "patterns: common name, DNS names or email addresses" },
	{ "allowed_common_names", "strings", "patterns of the common name" },
	{ "allowed_dns_sans", "strings", "patterns of DNS names" },
	{ "allowed_email_sans", "strings", "patterns of email addresses" },
	{ "allowed_uri_sans", "strings", "patterns of URIs" },
	{ "allowed_organizational_units", "strings", "patterns of organizational units" },
	{ "required_extensions", "strings",
	  "\"oid:pattern\", or \"hex:oid:pattern\" of the DER in lower case; all must match" },
	{ "allowed_metadata_extensions", "strings", "object identifiers to show in a token's metadata" },
	{ "display_name", "string", "of tokens; the role's name by default" },
	{ "ocsp_enabled", "bool", "must be false" },
	{ "ocsp_ca_certificates", "string", "must be empty" },
	{ "ocsp_servers_override", "strings", "must be empty" },
	{ "ocsp_fail_open", "bool", "must be false" },
	{ "ocsp_query_all_servers", "bool", "must be false" },
	TOKEN_PARAM_FIELDS,
	{ "policies", "strings", "old name of token_policies" },
	{ "lease", "duration", "very old name of token_ttl" },
	{ "ttl", "duration", "old name of token_ttl" },
	{ "max_ttl", "duration", "old name of token_max_ttl" },
	{ "period", "duration", "old name of token_period" },
	{ "bound_cidrs", "strings", "old name of token_bound_cidrs" },
	{ NULL, NULL, NULL },
};
static const struct field config_fields[] = {
	{ "disable_binding", "bool", "a renewal need not show the certificate of the login" },
	{ "enable_identity_alias_metadata", "bool", "kept and shown" },
	{ "ocsp_cache_size", "int", "kept and shown" },
	{ NULL, NULL, NULL },
};
static const struct field login_fields[] = {
	{ "name", "string", "this role alone; all are tried otherwise" },
	{ NULL, NULL, NULL },
};

static const struct route rows[] = {
	{ "cert", M_LIST,   "certs",       0,      NULL,          h_role_list,    NULL,
	  "list certificate roles" },
	{ "cert", M_GET,    "certs/:name", 0,      NULL,          h_role_read,    NULL,
	  "read a certificate role" },
	{ "cert", M_POST,   "certs/:name", 0,      role_fields,   h_role_write,   role_exists,
	  "create or change a certificate role" },
	{ "cert", M_DELETE, "certs/:name", 0,      NULL,          h_role_delete,  NULL,
	  "delete a certificate role" },
	{ "cert", M_GET,    "config",      0,      NULL,          h_config_read,  NULL,
	  "read the configuration" },
	{ "cert", M_POST,   "config",      0,      config_fields, h_config_write, NULL,
	  "change the configuration" },
	{ "cert", M_POST,   "login",       R_ANON, login_fields,  cert_login,     NULL,
	  "log in with a TLS client certificate" },
};
/* clang-format on */

const struct route_table routes_cert = { rows, ARRAY_LEN(rows) };

/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_role.h"

#include <string.h>

#include "arena.h"
#include "cert_trust.h"
#include "crl.h"

#define DESTROY_PAGE 16
#define OCSP_CACHE   100

static const char *const list_names[CERT_LISTS] = {
	[CERT_NAMES] = "allowed_names",
	[CERT_COMMON_NAMES] = "allowed_common_names",
	[CERT_DNS_SANS] = "allowed_dns_sans",
	[CERT_EMAIL_SANS] = "allowed_email_sans",
	[CERT_URI_SANS] = "allowed_uri_sans",
	[CERT_UNITS] = "allowed_organizational_units",
	[CERT_REQUIRED_EXTENSIONS] = "required_extensions",
	[CERT_METADATA_EXTENSIONS] = "allowed_metadata_extensions",
};

const char *cert_list_name(enum cert_list l)
{
	return list_names[l];
}

static const struct value *list_of(struct arena *a, const struct value *body,
                                   const char *key)
{
	const struct value *v = value_get(body, key);

	return v != NULL && v->type == V_ARRAY ? v : value_array(a);
}

/* Digests that are none would vouch for whatever lies behind them. */
static const struct value *digests_of(struct arena *a, const struct value *body)
{
	const struct value *list = list_of(a, body, "sha256");

	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (v->type != V_BYTES || v->len != 32)
			return value_array(a);
	return list;
}

void cert_role_of(struct arena *a, const struct store_object *o, struct cert_role *out)
{
	const char *name = value_cstr_or(a, o->body, "name", "");

	memset(out, 0, sizeof(*out));
	out->o = *o;
	if (strlen(name) < sizeof(out->name))
		memcpy(out->name, name, strlen(name) + 1);
	out->certificate = value_cstr_or(a, o->body, "certificate", "");
	out->display_name = value_cstr_or(a, o->body, "display_name", "");
	out->old = list_of(a, o->body, "old");
	out->rules.digests = digests_of(a, o->body);
	out->rules.ca = value_bool_or(o->body, "ca", false);
	for (int i = 0; i < CERT_LISTS; i++)
		out->rules.list[i] = list_of(a, o->body, list_names[i]);
	token_params_load(a, o->body, &out->params);
}

int cert_role_get(struct core *c, struct arena *a, const struct mount *m,
                  const char *name, struct cert_role *out, struct err *e)
{
	struct store_object o = { .kind = KIND_CERT, .id_len = 32 };
	int rc;

	store_blind(c, o.id, "cert", m->id, MOUNT_ID, name, strlen(name));
	rc = store_get(c, a, KIND_CERT, o.id, 32, &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (rc == ERR_NOENT) {
		memcpy(o.parent, m->id, MOUNT_ID);
		o.parent_len = MOUNT_ID;
		o.version = 0;
		o.body = value_object(a);
		value_set_str(a, o.body, "name", arena_str(a, name));
	}
	cert_role_of(a, &o, out);
	return rc;
}

int cert_role_put(struct core *c, struct arena *a, struct cert_role *role, struct err *e)
{
	struct value *body = value_object(a);

	value_set_str(a, body, "name", role->name);
	value_set_str(a, body, "certificate", role->certificate);
	value_set(body, "sha256", value_copy(a, role->rules.digests));
	value_set_bool(a, body, "ca", role->rules.ca);
	value_set_str(a, body, "display_name", role->display_name);
	value_set(body, "old", value_copy(a, role->old));
	for (int i = 0; i < CERT_LISTS; i++)
		value_set(body, list_names[i], value_copy(a, role->rules.list[i]));
	token_params_save(a, &role->params, body);
	if (body == NULL || arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	role->o.body = body;
	return store_put(c, &role->o, e);
}

/* ---- configuration ---- */

static int config_open(struct core *c, struct arena *a,
                       const unsigned char mount[MOUNT_ID], struct store_object *o,
                       struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(o, 0, sizeof(*o));
	store_blind(c, id, "cert-config", mount, MOUNT_ID, NULL, 0);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(o, 0, sizeof(*o));
	o->kind = KIND_SETTING;
	memcpy(o->id, id, sizeof(id));
	o->id_len = sizeof(id);
	return ERR_OK;
}

int cert_config_get(struct core *c, struct arena *a, const struct mount *m,
                    struct cert_config *out, struct err *e)
{
	int rc = config_open(c, a, m->id, &out->o, e);

	if (rc != ERR_OK)
		return rc;
	out->disable_binding = value_bool_or(out->o.body, "disable_binding", false);
	out->alias_metadata = value_bool_or(out->o.body, "alias_metadata", false);
	out->ocsp_cache_size = value_int_or(out->o.body, "ocsp_cache_size", OCSP_CACHE);
	return ERR_OK;
}

int cert_config_put(struct core *c, struct arena *a, struct cert_config *k, struct err *e)
{
	k->o.body = value_object(a);
	value_set_bool(a, k->o.body, "disable_binding", k->disable_binding);
	value_set_bool(a, k->o.body, "alias_metadata", k->alias_metadata);
	value_set_int(a, k->o.body, "ocsp_cache_size", k->ocsp_cache_size);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &k->o, e);
}

/* ---- the end of a mount ---- */

struct some {
	struct store_object at[DESTROY_PAGE];
	int n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

static int destroy_config(struct core *c, struct arena *a,
                          const unsigned char mount[MOUNT_ID], struct err *e)
{
	struct store_object o;
	int rc = config_open(c, a, mount, &o, e);

	return rc == ERR_OK && o.version != 0 ? store_delete(c, &o, e) : rc;
}

int cert_destroy(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
                 int *rows, struct err *e)
{
	struct some s;
	int rc = ERR_OK;

	while (rc == ERR_OK && *rows > 0) {
		s.n = 0;
		rc = store_by_parent_page(c, a, KIND_CERT, mount, MOUNT_ID, NULL, 0,
		                          *rows < DESTROY_PAGE ? *rows : DESTROY_PAGE,
		                          collect, &s, e);
		if (rc == ERR_OK && s.n == 0) {
			rc = crls_destroy(c, a, mount, rows, e);
			return rc == ERR_OK && *rows > 0 ? destroy_config(c, a, mount, e)
			                                 : rc;
		}
		for (int i = 0; rc == ERR_OK && i < s.n; i++) {
			rc = cert_trust_change(c, digests_of(a, s.at[i].body), NULL, e);
			if (rc == ERR_OK)
				rc = store_delete(c, &s.at[i], e);
		}
		*rows -= s.n;
	}
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* api_database_role - roles/NAME: how accounts are made. */
#include <string.h>

#include "arena.h"
#include "database.h"

int db_role_exists(struct req *r, bool *exists)
{
	struct db_role role;
	int rc = db_role_named(r, false, &role);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int take_ttls(struct req *r, struct db_role *role)
{
	bool present;
	int rc;

	if ((rc = req_duration(r, "default_ttl", &role->default_ttl_ms, &present)) !=
	            ERR_OK ||
	    (rc = req_duration(r, "max_ttl", &role->max_ttl_ms, &present)) != ERR_OK)
		return rc;
	if (role->default_ttl_ms < 0 || role->max_ttl_ms < 0)
		return req_fail(r, ERR_INVALID, "a lifetime is negative");
	return ERR_OK;
}

int db_h_role_write(struct req *r)
{
	struct db_role role;
	bool is_new, present;
	int rc;

	if ((rc = db_role_begin(r, false, &role, &is_new)) != ERR_OK ||
	    (rc = req_str(r, "db_name", &role.db_name, &present)) != ERR_OK)
		return rc;
	if (role.db_name[0] == '\0')
		return req_fail(r, ERR_INVALID, "database name is required");
	if ((rc = db_list_take(r, "creation_statements", &role.creation)) != ERR_OK ||
	    (rc = db_list_take(r, "revocation_statements", &role.revocation)) != ERR_OK ||
	    (rc = db_list_take(r, "rollback_statements", &role.rollback)) != ERR_OK ||
	    (rc = db_list_take(r, "renew_statements", &role.renew)) != ERR_OK ||
	    (rc = take_ttls(r, &role)) != ERR_OK ||
	    (rc = db_role_take_credential(r, &role)) != ERR_OK)
		return rc;
	return db_role_save(r->core, r->a, &role, &r->e);
}

int db_h_role_read(struct req *r)
{
	struct db_role role;
	struct value *d;
	int rc = db_role_named(r, false, &role);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	d = reply_data(r);
	value_set_str(r->a, d, "db_name", role.db_name);
	value_set(d, "creation_statements", value_copy(r->a, role.creation));
	value_set(d, "revocation_statements", value_copy(r->a, role.revocation));
	value_set(d, "rollback_statements", value_copy(r->a, role.rollback));
	value_set(d, "renew_statements", value_copy(r->a, role.renew));
	value_set_int(r->a, d, "default_ttl", role.default_ttl_ms / 1000);
	value_set_int(r->a, d, "max_ttl", role.max_ttl_ms / 1000);
	value_set_str(r->a, d, "credential_type", "password");
	if (role.config->first != NULL)
		value_set(d, "credential_config", value_copy(r->a, role.config));
	return ERR_OK;
}

/* What was made by it lives as long as its leases. */
int db_h_role_delete(struct req *r)
{
	struct db_role role;
	int rc = db_role_named(r, false, &role);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	return store_delete(r->core, &role.o, &r->e);
}

int db_h_role_list(struct req *r)
{
	return db_roles_reply(r, false);
}

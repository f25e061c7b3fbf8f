/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "pg.h"

/* The roles that a secrets engine makes, with Vault's statements where none are given. */

static const char *const renew_default[] = {
	"ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}';",
};

static int no_memory(struct answer *a)
{
	return answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* The name is of one attempt alone, so an existing role is what an earlier call of it has
 * made, whole, in one transaction; all but the answer. */
static int created_before(struct request *r, struct pg *p, bool super, struct answer *a)
{
	const struct credential *c = &r->pending;
	char *name, *verifier, *until = NULL, *sql;
	int rc;

	if (super)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'%.64s' exists already, as a superuser", c->username);
	if ((verifier = pg_verifier(r, p, c->username, c->password, a)) == NULL)
		return (int)a->class;
	name = pg_ident(r, p, c->username);
	verifier = pg_literal(r, p, verifier);
	if (c->expiration != NULL && (until = pg_literal(r, p, c->expiration)) == NULL)
		return no_memory(a);
	if (name == NULL || verifier == NULL)
		return no_memory(a);
	sql = arena_printf(r->arena, "ALTER ROLE %s WITH PASSWORD %s%s%s", name, verifier,
	                   until != NULL ? " VALID UNTIL " : "",
	                   until != NULL ? until : "");
	if (sql == NULL)
		return no_memory(a);
	rc = pg_exec(p, true, a, sql);
	answer_scrub(a->message, verifier);
	return rc != 0 ? rc : answer_noop(a, "the role was made before");
}

/* A role of this name, as two sessions see it that make it at the same moment. */
static bool made_meanwhile(const char *state)
{
	return strcmp(state, "42710") == 0 || strcmp(state, "23505") == 0;
}

int pg_user_create(struct request *r, void *session, struct answer *a)
{
	struct pg *p = session;
	struct answer late = { 0 };
	bool yes, super;
	int rc;

	if (r->statements == 0)
		return answer_fail(a, CLASS_PERMANENT, "empty creation statements");
	if ((rc = pg_exists(p, r->pending.username, &yes, &super, a)) != 0)
		return rc;
	if (yes)
		return created_before(r, p, super, a);
	rc = pg_run(r, p, r->statement, r->statements, &r->pending, a);
	/* Two calls of one attempt at once: the other one has made it. */
	if (rc != 0 && made_meanwhile(p->state) &&
	    pg_exists(p, r->pending.username, &yes, &super, &late) == 0 && yes)
		return created_before(r, p, super, a);
	return rc;
}

int pg_user_renew(struct request *r, void *session, struct answer *a)
{
	struct pg *p = session;
	bool yes, super;
	int rc = pg_exists(p, r->pending.username, &yes, &super, a);

	if (rc != 0)
		return rc;
	if (!yes)
		return answer_fail(a, CLASS_PERMANENT, "there is no role '%.64s'",
		                   r->pending.username);
	if (r->statements > 0)
		return pg_run(r, p, r->statement, r->statements, &r->pending, a);
	return pg_run(r, p, renew_default, ARRAY_LEN(renew_default), &r->pending, a);
}

/* --- revocation --- */

/* The schemas in which the role has rights on columns, and with that on tables. */
static int revoke_schemas(struct request *r, struct pg *p, const char *name,
                          struct answer *a)
{
	const char *params[] = { r->pending.username };
	PGresult *res = NULL;
	int rc = pg_query(p,
	                  "SELECT DISTINCT table_schema "
	                  "FROM information_schema.role_column_grants WHERE grantee = $1 "
	                  "UNION SELECT 'public'",
	                  params, 1, &res, a);

	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		char *schema = pg_ident(r, p, PQgetvalue(res, i, 0)), *sql;

		if (schema == NULL)
			rc = no_memory(a);
		else if (
			(sql = arena_printf(
				 r->arena,
				 "REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA %s FROM %s; "
				 "REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA %s FROM %s; "
				 "REVOKE USAGE ON SCHEMA %s FROM %s",
				 schema, name, schema, name, schema, name)) == NULL)
			rc = no_memory(a);
		else
			rc = pg_exec(p, false, a, sql);
	}
	PQclear(res);
	return rc;
}

static int revoke_default(struct request *r, struct pg *p, struct answer *a)
{
	const char *database = PQdb(p->conn);
	char *name = pg_ident(r, p, r->pending.username),
	     *db = pg_ident(r, p, database != NULL ? database : ""), *sql;
	int rc;

	if (name == NULL || db == NULL)
		return no_memory(a);
	if ((rc = revoke_schemas(r, p, name, a)) != 0)
		return rc;
	sql = arena_printf(
		r->arena, "REVOKE CONNECT ON DATABASE %s FROM %s; DROP ROLE IF EXISTS %s",
		db, name, name);
	return sql != NULL ? pg_exec(p, false, a, sql) : no_memory(a);
}

int pg_user_revoke(struct request *r, void *session, struct answer *a)
{
	struct pg *p = session;
	bool yes, super;
	int rc = pg_exists(p, r->pending.username, &yes, &super, a);

	if (rc != 0)
		return rc;
	if (!yes)
		return answer_noop(a, "the role is gone");
	if (super)
		return answer_fail(a, CLASS_PERMANENT, "'%.64s' is a superuser",
		                   r->pending.username);
	if (r->statements > 0)
		return pg_run(r, p, r->statement, r->statements, &r->pending, a);
	rc = pg_exec(p, false, a, "BEGIN");
	return rc != 0 ? rc : pg_end(p, revoke_default(r, p, a), a);
}

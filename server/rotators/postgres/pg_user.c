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

/* Both are quoted. */
static char *about(struct request *r, const char *what, const char *place,
                   const char *whose, const char *role)
{
	return arena_printf(r->arena, "%s%s%s%s", what, place, whose, role);
}

/* As many rights as can be taken, in the schemas in which the role has some on columns,
 * and with that on tables.  Who administrates roles may have no say in what is there:
 * whether anything is left is found out by dropping the role. */
static int revoke_schemas(struct request *r, struct pg *p, const char *name,
                          struct answer *a)
{
	static const char *const what[] = {
		"REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA ",
		"REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA ",
		"REVOKE USAGE ON SCHEMA ",
	};
	const char *params[] = { r->pending.username };
	struct answer ignored = { 0 };
	PGresult *res = NULL;
	int rc = pg_query(p,
	                  "SELECT DISTINCT table_schema "
	                  "FROM information_schema.role_column_grants WHERE grantee = $1 "
	                  "UNION SELECT 'public'",
	                  params, 1, &res, a);

	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		char *schema = pg_ident(r, p, PQgetvalue(res, i, 0));

		for (size_t k = 0; schema != NULL && k < ARRAY_LEN(what); k++)
			(void)pg_attempt(p, about(r, what[k], schema, " FROM ", name),
			                 &ignored);
		if (schema == NULL)
			rc = no_memory(a);
	}
	PQclear(res);
	return rc;
}

/* A role that cannot be dropped, because it owns something, lets nobody in at least. */
static int revoke_default(struct request *r, struct pg *p, struct answer *a)
{
	const char *database = PQdb(p->conn);
	char *name = pg_ident(r, p, r->pending.username),
	     *db = pg_ident(r, p, database != NULL ? database : "");
	struct answer ignored = { 0 };
	int rc;

	if (name == NULL || db == NULL)
		return no_memory(a);
	if ((rc = pg_exec(p, false, a, "BEGIN")) != 0)
		return rc;
	pg_take_turn(p);
	if ((rc = revoke_schemas(r, p, name, a)) != 0)
		return pg_end(p, rc, a);
	(void)pg_attempt(p, about(r, "REVOKE CONNECT ON DATABASE ", db, " FROM ", name),
	                 &ignored);
	rc = pg_attempt(p, about(r, "DROP ROLE IF EXISTS ", name, "", ""), a);
	if (rc != 0)
		(void)pg_attempt(p, about(r, "ALTER ROLE ", name, " NOLOGIN", ""),
		                 &ignored);
	if (pg_exec(p, false, &ignored, "COMMIT") == 0)
		return rc;
	if (rc == 0)
		*a = ignored;
	return rc != 0 ? rc : (int)ignored.class;
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
	return revoke_default(r, p, a);
}

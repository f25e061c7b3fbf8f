/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "pg.h"
#include "statement.h"

int pg_exists(struct pg *p, const char *account, bool *yes, bool *super, struct answer *a)
{
	const char *params[] = { account };
	PGresult *res = NULL;
	int rc = pg_query(p,
	                  "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1",
	                  params, 1, &res, a);

	if (rc != 0)
		return rc;
	*yes = PQntuples(res) == 1;
	*super = *yes && PQgetvalue(res, 0, 0)[0] == 't';
	PQclear(res);
	return 0;
}

int pg_check(struct request *r, void *session, const char *account, struct answer *a)
{
	bool yes, super;
	int rc = pg_exists(session, account, &yes, &super, a);

	(void)r;
	if (rc != 0 || yes)
		return rc;
	return answer_fail(a, CLASS_PERMANENT, "there is no role '%.64s'", account);
}

static bool is_superuser(const struct pg *p)
{
	const char *v = PQparameterStatus(p->conn, "is_superuser");

	return v != NULL && strcmp(v, "on") == 0;
}

/* Passwords in an operator's own statements are plain text: where the account may say so,
 * they stay out of the server's log and of pg_stat_statements. */
static int keep_quiet(struct pg *p, struct answer *a)
{
	if (!is_superuser(p))
		return 0;
	return pg_exec(p, false, a,
	               "SELECT pg_catalog.set_config(s.name, v.value, true) "
	               "FROM (VALUES ('log_statement', 'none'), "
	               "('log_min_duration_statement', '-1'), "
	               "('log_min_duration_sample', '-1'), "
	               "('log_transaction_sample_rate', '0'), "
	               "('log_min_error_statement', 'panic'), ('log_duration', 'off'), "
	               "('pg_stat_statements.track_utility', 'off'), "
	               "('track_activities', 'off')) AS v(name, value) "
	               "JOIN pg_catalog.pg_settings AS s ON s.name = v.name");
}

/* The values of an operator's statements.  The password is what
 * config.password_authentication wants, as in Vault: itself, or its verifier. */
static int variables(struct request *r, struct pg *p, const struct credential *c,
                     struct variable v[4], struct answer *a)
{
	const char *how = NULL, *password = c->password;
	int rc = config_text(r, "password_authentication", "password", &how, a);

	if (rc != 0)
		return rc;
	if (strcmp(how, "scram-sha-256") != 0 && strcmp(how, "password") != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.password_authentication is neither 'password' "
		                   "nor 'scram-sha-256'");
	v[0] = (struct variable){ .name = "name", .value = c->username };
	v[1] = (struct variable){ .name = "username", .value = c->username };
	v[2] = (struct variable){ .name = "password", .value = password };
	v[3] = (struct variable){ .name = "expiration", .value = c->expiration };
	if (password == NULL || strcmp(how, "password") == 0)
		return 0;
	v[2].verbatim = true; /* its dollar signs are none of a user's */
	v[2].value = pg_verifier(r, p, c->username, password, a);
	return v[2].value != NULL ? 0 : (int)a->class;
}

int pg_attempt(struct pg *p, const char *sql, struct answer *a)
{
	struct answer ignored = { 0 };
	int rc;

	if (sql == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((rc = pg_exec(p, false, a, "SAVEPOINT s")) != 0)
		return rc;
	rc = pg_exec(p, false, a, sql);
	if (rc != 0 && pg_exec(p, false, &ignored, "ROLLBACK TO s") != 0)
		return rc;
	return pg_exec(p, false, &ignored, "RELEASE s") == 0 ? rc : (int)ignored.class;
}

void pg_take_turn(struct pg *p)
{
	struct answer ignored = { 0 };

	(void)pg_attempt(p,
	                 "SELECT pg_catalog.pg_advisory_xact_lock("
	                 "pg_catalog.hashtext('vault-rotator users'))",
	                 &ignored);
}

static bool is_about_users(enum op op)
{
	return op == OP_USER_CREATE || op == OP_USER_RENEW || op == OP_USER_REVOKE;
}

static int run_all(struct request *r, struct pg *p, const char *const *text, size_t n,
                   const struct credential *c, struct answer *a)
{
	struct variable v[4] = { 0 };
	char *sql = NULL;
	int rc = variables(r, p, c, v, a);

	if (rc == 0)
		rc = keep_quiet(p, a);
	if (rc == 0 && is_about_users(r->op))
		pg_take_turn(p);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		bool secret = statement_uses(text[i], "password");

		rc = statement_fill(r->arena, text[i], v, ARRAY_LEN(v), &sql, a);
		if (rc == 0)
			rc = pg_exec(p, secret, a, sql);
		if (rc != 0)
			break;
	}
	return rc;
}

int pg_end(struct pg *p, int rc, struct answer *a)
{
	struct answer ignored = { 0 };

	if (rc == 0)
		return pg_exec(p, false, a, "COMMIT");
	/* The first failure is the one to tell; the end of the session rolls back, too.
	 */
	return pg_exec(p, false, &ignored, "ROLLBACK") == 0 ? rc : (int)a->class;
}

int pg_run(struct request *r, struct pg *p, const char *const *text, size_t n,
           const struct credential *c, struct answer *a)
{
	int rc = pg_exec(p, false, a, "BEGIN");

	return rc != 0 ? rc : pg_end(p, run_all(r, p, text, n, c, a), a);
}

int pg_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a)
{
	struct credential c = { .given = true,
		                .username = account,
		                .password = password };
	struct pg *p = session;
	const char *how = NULL;
	char *name, *verifier, *sql;
	int rc = config_text(r, "retire", "", &how, a);

	if (rc != 0)
		return rc;
	if (r->statements > 0)
		return pg_run(r, p, r->statement, r->statements, &c, a);
	if ((verifier = pg_verifier(r, p, account, password, a)) == NULL)
		return (int)a->class;
	name = pg_ident(r, p, account);
	verifier = pg_literal(r, p, verifier);
	if (name == NULL || verifier == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "cannot quote: %s",
		                   PQerrorMessage(p->conn));
	/* Whoever retires accounts by NOLOGIN gets them back here. */
	sql = arena_printf(r->arena, "ALTER ROLE %s WITH %sPASSWORD %s", name,
	                   !own && strcmp(how, "disable") == 0 ? "LOGIN " : "", verifier);
	if (sql == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	rc = pg_exec(p, true, a, sql);
	answer_scrub(a->message, verifier);
	return rc;
}

int pg_disable(struct request *r, void *session, const char *account, struct answer *a)
{
	struct pg *p = session;
	char *name = pg_ident(r, p, account), *sql;

	if (name == NULL ||
	    (sql = arena_printf(r->arena, "ALTER ROLE %s WITH NOLOGIN", name)) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return pg_exec(p, false, a, sql);
}

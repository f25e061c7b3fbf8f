/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "pg.h"

/* The longest prefix decides. */
static const struct {
	char prefix[6];
	enum answer_class class;
} classes[] = {
	{"08",     CLASS_RETRYABLE}, /* connection */
	{ "25006", CLASS_RETRYABLE}, /* read only: a standby, until it is promoted */
	{ "28",    CLASS_AUTH     },
	{ "40",    CLASS_RETRYABLE}, /* serialization, deadlock, outcome unknown */
	{ "53",    CLASS_RETRYABLE}, /* out of memory, disk, connections */
	{ "55P03", CLASS_RETRYABLE}, /* lock not available */
	{ "57",    CLASS_RETRYABLE}, /* cancelled, shut down, starting up */
	{ "58",    CLASS_RETRYABLE}, /* input and output */
	{ "XX",    CLASS_RETRYABLE}, /* internal */
	{ "57P04", CLASS_PERMANENT}, /* the database was dropped */
};

enum answer_class pg_class(const char *state, bool sets_password)
{
	enum answer_class class = CLASS_PERMANENT;
	size_t best = 0;

	if (state[0] == '\0')
		return CLASS_RETRYABLE;
	/* What checks passwords says "invalid parameter value" (passwordcheck) or, once
	 * somebody is connected, that the authorization is invalid (credcheck). */
	if (sets_password &&
	    (strcmp(state, "22023") == 0 || strncmp(state, "28", 2) == 0))
		return CLASS_REJECTED;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		size_t n = strlen(classes[i].prefix);

		if (n <= best || strncmp(state, classes[i].prefix, n) != 0)
			continue;
		best = n;
		class = classes[i].class;
	}
	return class;
}

bool pg_refused(const char *state, const char *text)
{
	if (strcmp(state, "28P01") == 0)
		return true;
	return strcmp(state, "28000") == 0 && strstr(text, "pg_hba.conf") == NULL;
}

static int failed(struct pg *p, const PGresult *res, bool sets_password, struct answer *a)
{
	const char *state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE)
	                                : NULL,
		   *text = res != NULL ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)
	                               : NULL;

	if (state == NULL || strlen(state) != 5) {
		p->state[0] = '\0';
		return answer_fail(a, CLASS_RETRYABLE, "%s", PQerrorMessage(p->conn));
	}
	memcpy(p->state, state, sizeof(p->state));
	return answer_fail(a, pg_class(state, sets_password), "%s (SQLSTATE %s)",
	                   text != NULL ? text : "refused", state);
}

int pg_exec(struct pg *p, bool sets_password, struct answer *a, const char *sql)
{
	PGresult *res = PQexec(p->conn, sql);
	ExecStatusType status = PQresultStatus(res);
	int rc = 0;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
	    status != PGRES_EMPTY_QUERY)
		rc = failed(p, res, sets_password, a);
	PQclear(res);
	return rc;
}

int pg_query(struct pg *p, const char *sql, const char *const *params, int n,
             PGresult **out, struct answer *a)
{
	PGresult *res = PQexecParams(p->conn, sql, n, NULL, params, NULL, NULL, 0);
	int rc;

	if (PQresultStatus(res) == PGRES_TUPLES_OK) {
		*out = res;
		return 0;
	}
	rc = failed(p, res, false, a);
	PQclear(res);
	return rc;
}

static char *keep(struct request *r, char *quoted)
{
	char *out = arena_str(r->arena, quoted);

	PQfreemem(quoted);
	return out;
}

char *pg_ident(struct request *r, struct pg *p, const char *s)
{
	return keep(r, PQescapeIdentifier(p->conn, s, strlen(s)));
}

char *pg_literal(struct request *r, struct pg *p, const char *s)
{
	return keep(r, PQescapeLiteral(p->conn, s, strlen(s)));
}

char *pg_verifier(struct request *r, struct pg *p, const char *account,
                  const char *password, struct answer *a)
{
	char *made = PQencryptPasswordConn(p->conn, password, account, "scram-sha-256"),
	     *out = NULL;

	if (made == NULL)
		answer_fail(a, CLASS_PERMANENT, "libpq cannot make a SCRAM verifier");
	else if ((out = keep(r, made)) == NULL)
		answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_PG_H
#define ROTATORS_PG_H
/*
 * pg - one connection to PostgreSQL, bounded by the deadline of the request.
 *
 * Connecting is done here by poll(), because libpq tells the SQLSTATE of a refusal only
 * in its verbose messages, and because its sslmode=prefer logs in twice.
 */
#include <libpq-fe.h>
#include <stdbool.h>

#include "account.h"

struct pg {
	PGconn *conn;
	char state[6]; /* SQLSTATE of the last failure, "" if there is none */
};

/** pg_login(r, c, session, why): driver.login; the session is a struct pg. */
enum login pg_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why) MUST_CHECK;
void pg_logout(void *session);

/** pg_class(state, sets_password): what a SQLSTATE means.  "" is a broken connection. */
enum answer_class pg_class(const char *state, bool sets_password);
/** pg_refused(state, text): does this refusal of a login mean that the password is wrong,
 * or the account gone or barred?  A missing line of pg_hba.conf does not. */
bool pg_refused(const char *state, const char *text);
/** pg_find_state(text, out): the SQLSTATE in a verbose message of libpq, or "". */
void pg_find_state(const char *text, char out[6]);

/** pg_exec(p, sets_password, a, sql): run statements, no rows wanted. */
int pg_exec(struct pg *p, bool sets_password, struct answer *a, const char *sql)
	MUST_CHECK;
/** pg_query(p, sql, params, n, out, a): rows; the caller PQclear()s *out. */
int pg_query(struct pg *p, const char *sql, const char *const *params, int n,
             PGresult **out, struct answer *a) MUST_CHECK;

/** pg_ident(r, p, s), pg_literal(r, p, s): quoted, in the arena; NULL if out of memory or
 * if ${s} is not valid in the encoding of the connection. */
char *pg_ident(struct request *r, struct pg *p, const char *s) MUST_CHECK;
char *pg_literal(struct request *r, struct pg *p, const char *s) MUST_CHECK;

/** pg_verifier(r, p, account, password, a): what the server stores for the password, made
 * here: SCRAM-SHA-256, in the arena; NULL with ${a} set. */
char *pg_verifier(struct request *r, struct pg *p, const char *account,
                  const char *password, struct answer *a) MUST_CHECK;

/** pg_check(), pg_set(), pg_disable(): of struct driver. */
int pg_check(struct request *r, void *session, const char *account, struct answer *a);
int pg_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a);
int pg_disable(struct request *r, void *session, const char *account, struct answer *a);

/** pg_exists(p, account, super, yes, a): is there such a role, and is it a superuser? */
int pg_exists(struct pg *p, const char *account, bool *yes, bool *super, struct answer *a)
	MUST_CHECK;

/** pg_attempt(p, sql, a): one statement of a transaction that goes on without it if it
 * fails.  ${sql} may be NULL: out of memory. */
int pg_attempt(struct pg *p, const char *sql, struct answer *a);
/** pg_take_turn(p): wait, in a transaction, for others that make or remove roles: of two
 * that change the rights to one table at the same time the server refuses one. */
void pg_take_turn(struct pg *p);
/** pg_end(p, rc, a): COMMIT if ${rc} is 0, else ROLLBACK; what came of it all. */
int pg_end(struct pg *p, int rc, struct answer *a) MUST_CHECK;
/** pg_run(r, p, text, n, account, c, a): the operator's statements in one transaction. */
int pg_run(struct request *r, struct pg *p, const char *const *text, size_t n,
           const struct credential *c, struct answer *a) MUST_CHECK;

int pg_user_create(struct request *r, void *session, struct answer *a);
int pg_user_renew(struct request *r, void *session, struct answer *a);
int pg_user_revoke(struct request *r, void *session, struct answer *a);

#endif

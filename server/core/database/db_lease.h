/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DB_LEASE_H
#define SERVER_CORE_DB_LEASE_H
/*
 * db_lease - an account that was made for somebody, until it is certainly gone.
 *
 *   pending --> made --> live --> revoking --> (no row)
 *      |          |                ^    |
 *      +----------+----------------+    +--> irrevocable
 *
 * The row is durable before the account is asked for.  What the answer to that says
 * decides between "made" and "revoking"; "made" becomes "live" only with the transaction
 * whose reply hands the password out, so that an account that nobody knows of is revoked
 * again.  The password itself is never stored.  Revoking goes on with growing pauses;
 * after DB_REVOKE_TRIES the lease is irrevocable, as in Vault: visible, and an
 * operator's.
 *
 * While it is not known whether a call that makes the account has ended, "it is gone" is
 * not taken for an answer: it is asked again when that call's time is over.
 *
 * KIND_DB_LEASE: id = first 16 bytes of blind("db-lease", last segment of the lease id),
 * parent = id of the token that it hangs on (none once it is revoking), tag = mount id,
 * due = when something is to be done.
 */
#include "database.h"
#include "step.h"

#define DB_LEASE_ID     16u
#define DB_REVOKE_TRIES 6
#define DB_MARGIN_MS    5000 /* an account lives longer than its lease */

enum db_lease_state {
	DB_LEASE_PENDING,
	DB_LEASE_MADE,
	DB_LEASE_LIVE,
	DB_LEASE_REVOKING,
	DB_LEASE_IRREVOCABLE,
	DB_LEASE__MAX
};

struct db_lease {
	struct store_object o;
	const char *lease_id; /* "database/creds/app/…" */
	const char *role, *db_name, *username;
	const char *request_id;         /* of who asked */
	unsigned char target[32];       /* id of the config */
	const struct value *revocation; /* statements, never NULL */
	const struct value *rollback;   /* the same for one that was not made whole */
	enum db_lease_state state;
	int64_t issued_ms, renewed_ms;   /* 0: never */
	int64_t expires_ms, boot_due_ms; /* by either clock */
	int64_t limit_ms;                /* wall clock: not beyond; 0: none */
	int64_t until_ms;  /* wall clock: then the call that made it has ended */
	bool making;       /* it is under way */
	bool uncertain;    /* it is not known whether it has ended */
	bool half;         /* the account may be there in part */
	bool never;        /* it never began: there is nothing to revoke */
	bool force;        /* one try, then it is forgotten */
	int64_t tries;     /* of revoking */
	const char *error; /* the newest, without values; "" */
};

/** db_lease_id_of(c, lease_id, out): the id of the row. */
void db_lease_id_of(struct core *c, const char *lease_id, unsigned char out[DB_LEASE_ID]);
/** db_lease_read(a, o, out, e), db_lease_load(c, a, id, out, e): ERR_NOENT,
 * ERR_INTEGRITY. */
int db_lease_read(struct arena *a, const struct store_object *o, struct db_lease *out,
                  struct err *e) MUST_CHECK;
int db_lease_load(struct core *c, struct arena *a, const unsigned char id[DB_LEASE_ID],
                  struct db_lease *out, struct err *e) MUST_CHECK;
int db_lease_save(struct core *c, struct arena *a, struct db_lease *l, struct err *e)
	MUST_CHECK;
/** db_lease_left_ms(c, l): by the earlier of both clocks; 0: it is over. */
int64_t db_lease_left_ms(const struct core *c, const struct db_lease *l);

/** db_lease_condemn(c, a, l, force, e): it is to be revoked from now on; the row goes
 * when that is done, which wakes WAIT_JOB with its id. */
int db_lease_condemn(struct core *c, struct arena *a, struct db_lease *l, bool force,
                     struct err *e) MUST_CHECK;
/** db_lease_live(c, a, l, ttl_ms, e): hand it out, or renew it: it ends in ${ttl_ms}. */
int db_lease_live(struct core *c, struct arena *a, struct db_lease *l, int64_t ttl_ms,
                  struct err *e) MUST_CHECK;
/** db_lease_record(c, a, l, operation, outcome, e): its audit record. */
int db_lease_record(struct core *c, struct arena *a, const struct db_lease *l,
                    const char *operation, const char *outcome, struct err *e) MUST_CHECK;

/** db_lease_due(c, a, limit, e): what the clock brings; called by the timer. */
int db_lease_due(struct core *c, struct arena *a, int limit, struct err *e) MUST_CHECK;
/** db_lease_step_done(…): a step_done_fn. */
int db_lease_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                       const struct step_result *r, struct err *e) MUST_CHECK;

/* --- db_call.c --- */

/* One call about one account. */
struct db_call {
	const char *op;
	const struct target *t;
	const char *lease_id;                         /* for the rotator's log */
	const char *username, *password, *expiration; /* NULL: not said */
	const struct value *statements;
	unsigned char id[STEP_ID];
	enum step_owner owner;
};
/** db_call(c, a, call, e): make it after COMMIT; fails like step_call(). */
int db_call(struct core *c, struct arena *a, const struct db_call *call, struct err *e)
	MUST_CHECK;
/** db_expiration(a, ms): as databases read it: "2026-08-21 18:58:13+0000". */
const char *db_expiration(struct arena *a, int64_t ms);

/* --- db_revoke.c: many of them --- */

/** db_lease_token_gone(c, a, token, limit, n, e): revoke what hangs on a token, at most
 * ${limit}; *n: so many. */
int db_lease_token_gone(struct core *c, struct arena *a, const unsigned char token[32],
                        int limit, int *n, struct err *e) MUST_CHECK;
/** db_lease_mount_gone(c, a, mount_id, limit, left, e): the same for a mount; *left:
 * some are still there. */
int db_lease_mount_gone(struct core *c, struct arena *a,
                        const unsigned char mount_id[MOUNT_ID], int limit, bool *left,
                        struct err *e) MUST_CHECK;
/** db_lease_mount_moved(c, a, m, e): start to revoke what a mount has made below the path
 * that it has in ${m}; nothing if it is of another type. */
int db_lease_mount_moved(struct core *c, struct arena *a, const struct mount *m,
                         struct err *e) MUST_CHECK;
/** db_revoke_slice: the job "database-revoke" of jobs.c. */
int db_revoke_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e) MUST_CHECK;
/** db_revoke_prefix: lease_kinds.h. */
int db_revoke_prefix(struct core *c, struct arena *a, const char *prefix, bool force,
                     unsigned char job[16], struct err *e) MUST_CHECK;

#endif

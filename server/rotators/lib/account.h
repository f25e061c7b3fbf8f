/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_ACCOUNT_H
#define ROTATORS_ACCOUNT_H
/*
 * account - the steps of a rotation on targets that have accounts with passwords.
 *
 * The rules are here, once: who acts, which account may be touched, what counts as proof,
 * how many logins are tried, what is done a second time.  How to log in and how to change
 * a password is the driver's.
 */
#include "rotator.h"

enum login {
	LOGIN_OK,       /* the password was asked for, and it is right */
	LOGIN_REFUSED,  /* it is wrong, or the account is gone */
	LOGIN_BARRED,   /* it is right, and the account may not in for another reason */
	LOGIN_UNPROVEN, /* logged in, but the target would have taken any password */
	LOGIN_UNKNOWN, /* nothing is known: no network, too many connections, locked … */
};

struct driver {
	struct rotator rotator; /* .run is filled by account_main() */
	/* At most one attempt to log in.  *session is set for LOGIN_OK and
	 * LOGIN_UNPROVEN; otherwise ${why} has class and message as if ${c} were the
	 * account that acts. */
	enum login (*login)(struct request *r, const struct credential *c, void **session,
	                    struct answer *why);
	void (*logout)(void *session);
	/* CLASS_PERMANENT unless there is exactly this account and it may be changed. */
	int (*check)(struct request *r, void *session, const char *account,
	             struct answer *a);
	/* ${own}: the session is that account's. */
	int (*set)(struct request *r, void *session, const char *account,
	           const char *password, bool own, struct answer *a);
	/* The second value of one account is taken away; NULL where there is none. */
	int (*drop)(struct request *r, void *session, const struct credential *old,
	            struct answer *a);
	int (*disable)(struct request *r, void *session, const char *account,
	               struct answer *a);
	int (*user_create)(struct request *r, void *session, struct answer *a);
	int (*user_renew)(struct request *r, void *session, struct answer *a);
	int (*user_revoke)(struct request *r, void *session, struct answer *a);
};

/** account_main(d): the whole program; returns its exit status. */
int account_main(const struct driver *d) MUST_CHECK;

/* Members of config that every rotator of accounts has, for its list of them. */
#define ACCOUNT_SETTINGS                                                                \
	"connection_url", "host", "port", "database", "sslmode", "tls", "ca", "tls_ca", \
		"ca_cert", "account", "accounts", "strategy", "statements",             \
		"username_field", "password_field"

#endif

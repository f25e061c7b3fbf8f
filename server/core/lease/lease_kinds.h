/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LEASE_KINDS_H
#define SERVER_CORE_LEASE_KINDS_H
/*
 * lease_kinds - what has a lease in Vault's sense (sys/leases), one row for each kind.
 *
 * Not to be mixed up with what hosts hold (lease.h, sys/vault-leases).  A kind of lease
 * that an engine adds, such as database credentials, is a row of lease_kinds[] and its
 * functions.
 */
#include "req.h"
#include "store.h"

struct lease_kind;

/* One lease, whatever it is of. */
struct leased {
	const struct lease_kind *kind;
	const char *id; /* "auth/userpass/login/bob/h…": path, '/', name */
	int64_t issued_ms, expires_ms;
	int64_t renewed_ms; /* 0: never */
	int64_t left_ms;
	bool renewable;
	struct store_object o;
};

struct lease_kind {
	enum store_kind kind;
	/* The lease of that id; ERR_NOENT. */
	int (*find)(struct core *c, struct arena *a, const char *id, struct leased *l,
	            struct err *e);
	/* The id of an object of the kind; NULL if it has no (living) lease. */
	const char *(*id_of)(const struct core *c, struct arena *a,
	                     const struct store_object *o);
	/* Why an object of the kind cannot be revoked, and the id of its mount; NULL: it
	 * is none of those. NULL function: there is never one. */
	const char *(*stuck)(struct arena *a, const struct store_object *o,
	                     const unsigned char **mount_id);
	/* Replies with the lease, or fails; NULL: tokens, which are renewed
	 * elsewhere. */
	int (*renew)(struct req *r, struct leased *l, int64_t increment_ms);
	/* What takes long is a job to wait for (job_wait()). */
	int (*revoke)(struct req *r, struct leased *l);
	/* Starts a job that revokes all leases whose id begins so.  ${force}: also those
	 * whose target does not answer. */
	int (*revoke_prefix)(struct core *c, struct arena *a, const char *prefix,
	                     bool force, unsigned char job[16], struct err *e);
};

extern const struct lease_kind *const lease_kinds[];
extern const size_t lease_kinds_n;

/** lease_find_id(c, a, id, l, e): ERR_NOENT if no kind knows it. */
int lease_find_id(struct core *c, struct arena *a, const char *id, struct leased *l,
                  struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_STORE_H
#define SERVER_CORE_STORE_H
/*
 * store - sealed rows.  Everything that carries meaning, except audit rows, is an object:
 * a kind, an identity, two optional blind indexes, an optional due time, a version, and a
 * sealed value tree.
 *
 * A row is sealed under the active KEK term with (vault_id, kind, id, parent, tag, due,
 * version) as associated data: a row that was swapped, rolled back to another version or
 * re-indexed does not open (ERR_INTEGRITY).  Every put and delete keeps the state MAC, so
 * that a row that vanished or came back is found. Secret payloads have their own table
 * and a data key per version.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

enum store_kind {
	KIND_MOUNT = 1, /* id: mount id (16) */
	KIND_POLICY,    /* id: blind tag of the name */
	KIND_TOKEN,  /* id: keyed hash; parent: parent token's id; tag: blind tag of the
	                accessor; due: expiry */
	KIND_SECRET, /* id: blind tag of mount id and path; parent: blind tag of the
	                folder */
	KIND_DIR,  /* id: blind tag of the folder; parent: blind tag of its parent folder;
	              counts children */
	KIND_HOST, /* id: host id (16); tag: blind tag of the name */
	KIND_HOST_ROLE, /* id: blind tag of the name */
	KIND_JOIN, /* id: blind tag of the join token's public part; parent: host id; due:
	              expiry */
	KIND_LEASE, /* id: lease id (16); parent: holder (host id); tag: id of the secret;
	               due: expiry */
	KIND_ROTATION, /* rule and schedule of a secret; id: id of the secret; due: next
	                  run */
	KIND_ATTEMPT, /* one rotation; id: attempt id (16); parent: id of the secret; due:
	                 deadline */
	KIND_JOB,     /* sliced background work; id: 16; due: next slice */
	KIND_SETTING, /* id: blind tag of the name */
	KIND_CONSISTENCY, /* state MAC and counters; one row */
	KIND_ENTRY, /* unversioned value (KV v1, cubbyhole); id: blind tag of mount or
	               owner and path; parent: blind tag of the folder */
	KIND_TOKEN_ROLE, /* id: blind tag of the name */
	KIND_APPROLE, /* id: blind tag of mount id and name; parent: mount id; tag: blind
	                 tag of the role id */
	KIND_SECRET_ID, /* id: keyed hash; parent: family of the role; tag: blind tag of
	                   the accessor; due: expiry */
	KIND_USER,      /* id: blind tag of mount id and name; parent: mount id */
	KIND_CERT,      /* id: blind tag of mount id and name; parent: mount id */
	KIND_LOCKOUT, /* failed logins; id: blind tag of mount id and login name; parent:
	                 mount id; due: when it is forgotten */
	KIND_WRAP,    /* a wrapped response; id: id of the wrapping token */
	KIND_PASSWORD_POLICY, /* id: blind tag of the name */
	KIND_CRL,             /* id: blind tag of mount id and name; parent: mount id */
	KIND_TARGET,  /* what a rotation changes; id: blind tag of owner and name; parent:
	                 its owner (a mount id, or zero for sys/rotation/targets) */
	KIND_DB_ROLE, /* id: blind tag of mount id and name; parent: mount id */
	KIND_DB_LEASE, /* an account that exists for a while; id: blind tag of the lease
	                  id (16); parent: token that asked; tag: mount id; due: what is
	                  done next */
	KIND_WEBHOOK,  /* id: blind tag of the name; due: when it is worked on */
	KIND_NOTICE,   /* what a webhook is to be told; id: 8 bytes of the webhook's id,
	                  then a number that counts up; parent: the webhook */
	KIND_BINDING,  /* id: blind tag of the name */
	KIND_REPORT,   /* what an agent says of itself; id: host id (16) */
	KIND_COSIGN, /* head of the audit log that a host has co-signed; id: host id (16)
	              */
	KIND_SWARM,  /* what goes into services of a Swarm; id: blind tag of the name */
	KIND_SWARM_CLUSTER, /* who leads a Swarm; id: blind tag of its id */
	KIND_SWARM_SYNC, /* how far that is; id: 16; parent: id of the cluster; tag: id of
	                    the definition */
	KIND__MAX
};

#define STORE_ID_MAX 32

struct store_object {
	enum store_kind kind;
	unsigned char id[STORE_ID_MAX];
	size_t id_len;
	unsigned char parent[STORE_ID_MAX];
	size_t parent_len; /* 0: NULL */
	unsigned char tag[STORE_ID_MAX];
	size_t tag_len;     /* 0: NULL */
	int64_t due;        /* ms wall, 0: none */
	int64_t version;    /* 0: not stored yet; store_put() adds 1 */
	struct value *body; /* object */
};

/** store_get(c, a, kind, id, n, out, e): open one object; ERR_NOENT, ERR_INTEGRITY. */
int store_get(struct core *c, struct arena *a, enum store_kind kind, const void *id,
              size_t n, struct store_object *out, struct err *e) MUST_CHECK;

/** store_find(c, a, kind, id, n, out, e): the same; with ERR_NOENT ${out} is an object
 * without a body that can be stored there. */
int store_find(struct core *c, struct arena *a, enum store_kind kind, const void *id,
               size_t n, struct store_object *out, struct err *e) MUST_CHECK;

/** store_put(c, o, e): insert (version 0) or replace exactly the version that was read;
 * o->version is incremented on success.  ERR_CONFLICT if the row is there already, or is
 * another version. */
int store_put(struct core *c, struct store_object *o, struct err *e) MUST_CHECK;

/** store_delete(c, o, e): delete exactly the version that was read. */
int store_delete(struct core *c, const struct store_object *o, struct err *e) MUST_CHECK;

/* Iteration: the callback may not write to the store; collect first.  It returns ERR_OK
 * to go on, anything else ends. */
typedef int (*store_fn)(void *ctx, struct store_object *o, struct err *e);
/** store_by_parent(…), store_by_tag(…): all objects of a kind with that index value, in
 * order of id, at most ${limit} (0: all), with an id after ${after} (NULL: from the
 * start). */
int store_by_parent(struct core *c, struct arena *a, enum store_kind kind,
                    const void *parent, size_t n, store_fn fn, void *ctx, struct err *e)
	MUST_CHECK;
int store_by_tag(struct core *c, struct arena *a, enum store_kind kind, const void *tag,
                 size_t n, store_fn fn, void *ctx, struct err *e) MUST_CHECK;
/** store_by_parent_page(…): like store_by_parent(), but only ids after ${after} (NULL:
 * from the start) and at most ${limit} objects: one slice of a long listing. */
int store_by_parent_page(struct core *c, struct arena *a, enum store_kind kind,
                         const void *parent, size_t n, const void *after,
                         size_t after_len, int limit, store_fn fn, void *ctx,
                         struct err *e) MUST_CHECK;
/** store_by_tag_page(…): the same for store_by_tag(). */
int store_by_tag_page(struct core *c, struct arena *a, enum store_kind kind,
                      const void *tag, size_t n, const void *after, size_t after_len,
                      int limit, store_fn fn, void *ctx, struct err *e) MUST_CHECK;
/** store_each(…): all objects of a kind in order of id after ${after} (may be NULL), at
 * most ${limit} (0: all). */
int store_each(struct core *c, struct arena *a, enum store_kind kind, const void *after,
               size_t after_len, int limit, store_fn fn, void *ctx, struct err *e)
	MUST_CHECK;
/** store_due(…): objects of a kind with 0 < due <= ${now}, earliest first, at most
 * ${limit}.  A row that does not open is passed over, from then on in store_next_due()
 * too, and named in the log once. */
int store_due(struct core *c, struct arena *a, enum store_kind kind, int64_t now,
              int limit, store_fn fn, void *ctx, struct err *e) MUST_CHECK;
/** store_due_page(…): the same whenever they are due, from behind ${after} (NULL: from
 * the start), of which time and id alone count. */
int store_due_page(struct core *c, struct arena *a, enum store_kind kind,
                   const struct store_object *after, int limit, store_fn fn, void *ctx,
                   struct err *e) MUST_CHECK;
/** store_next_due(c, kind): the earliest due time of a kind, or 0. */
int64_t store_next_due(struct core *c, enum store_kind kind);

/** store_counted(c, kind): the same from memory, once the background check has seen all
 * rows since unseal; -1 before.  KIND__MAX: payloads. */
int64_t store_counted(const struct core *c, enum store_kind kind);
/** store_count(c, kind): rows of a kind; needs no key. -1 on error. */
int64_t store_count(struct core *c, enum store_kind kind);

/* Payloads: one row per secret version. */
/** payload_put(c, secret_id, version, created_ms, p, n, e): new data key, seal (padded),
 * wrap. */
int payload_put(struct core *c, const unsigned char secret_id[32], int64_t version,
                int64_t created_ms, const void *p, size_t n, struct err *e) MUST_CHECK;
/** payload_get(c, a, secret_id, version, created_ms, out, n, e): open into ${a};
 * ERR_NOENT, ERR_INTEGRITY. */
int payload_get(struct core *c, struct arena *a, const unsigned char secret_id[32],
                int64_t version, int64_t created_ms, unsigned char **out, size_t *n,
                struct err *e) MUST_CHECK;
/** payload_destroy(c, secret_id, version, e): the data key and the ciphertext go; no
 * error if absent. */
int payload_destroy(struct core *c, const unsigned char secret_id[32], int64_t version,
                    struct err *e) MUST_CHECK;

/** store_blind(c, out, label, a, an, b, bn): keyed blind tag of two byte strings under a
 * literal label ("secret", "policy" …). */
void store_blind(struct core *c, unsigned char out[32], const char *label, const void *a,
                 size_t an, const void *b, size_t bn);

/** store_state_flush(c, e): called once per batch before COMMIT: write the state MAC if
 * it changed. */
int store_state_flush(struct core *c, struct err *e) MUST_CHECK;
/** store_state_load(c, e): at unseal. store_state_verify_slice(): background
 * recomputation, a slice at a time; *done, ERR_INTEGRITY. */
int store_state_load(struct core *c, struct err *e) MUST_CHECK;
int store_state_verify_slice(struct core *c, bool *done, struct err *e) MUST_CHECK;
/** store_state_mark(c) / _rewind(c): remember and restore the MAC around a savepoint
 * (called by the batch). */
void store_state_mark(struct core *c);
void store_state_rewind(struct core *c);

/* The state as a whole, for the audit log to bind it, and how often the active key was
 * used. */
struct store_summary {
	unsigned char mac[32];
	int64_t counter;     /* batches that changed something */
	int64_t rows;        /* objects and payloads */
	int64_t encryptions; /* under the active key term */
};
/** store_state_summary(c, out): false while it is not loaded. */
bool store_state_summary(const struct core *c, struct store_summary *out);

/** store_state_batch_begin(c) / _abort(c): the same around a whole batch whose COMMIT is
 * refused. */
void store_state_batch_begin(struct core *c);
void store_state_batch_abort(struct core *c);

/** store_state_free(c): at core_close(). */
void store_state_free(struct core *c);

/* Plain settings that exist while sealed (table meta): never secret. */
int meta_get(struct db *db, struct arena *a, const char *name, unsigned char **out,
             size_t *n, struct err *e) MUST_CHECK;
int meta_put(struct db *db, const char *name, const void *p, size_t n, struct err *e)
	MUST_CHECK;
int meta_delete(struct db *db, const char *name, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_H
#define SERVER_CORE_AUDIT_H
/*
 * audit - one record per request, in the same transaction as what it did.
 *
 * Row: index, commit = SHA-256(salt16 || record), envelope = sealed(salt16 || record);
 * leaf = SHA-256(0x00 || index u64be || commit || envelope).  The leaves form an RFC 6962
 * Merkle tree; every batch stores a signed tree head in C2SP checkpoint form.  While
 * sealed, records go to a bounded plaintext journal that is chained in at unseal.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

struct audit_record {
	const char *request_id;
	const char *actor_type; /* "token", "host", "none", "system" */
	const char *actor;      /* display name or host name; "" if none */
	const char *accessor;   /* "" if none */
	const char *remote;
	const char *operation;    /* op_name(), "login", "watch-start", "watch-end",
	                             "expire", "rotate", "aggregate", "seal", … */
	const char *path;         /* canonical */
	const char *outcome;      /* "ok", "denied", "error" */
	int status;               /* HTTP status */
	const char *error;        /* wire name of the error class, or "" */
	const struct value *note; /* object of names, versions, digests; NULL */
};

/** audit_open(c, e): at core_open(); journal only. audit_close(c) frees. */
int audit_open(struct core *c, struct err *e) MUST_CHECK;
void audit_close(struct core *c);
/** audit_unsealed(c, e): load the tree's frontier, verify the last stored tree head,
 * chain the sealed journal in.  Runs inside the transaction of the request that unsealed.
 */
int audit_unsealed(struct core *c, struct err *e) MUST_CHECK;
/** audit_sealed(c): drop what needs keys. */
void audit_sealed(struct core *c);

/** audit_append(c, r, e): one record, inside the current savepoint or batch.  While
 * sealed: the journal. */
int audit_append(struct core *c, const struct audit_record *r, struct err *e) MUST_CHECK;
/** audit_mark(c) / audit_rewind(c): the tree in memory around a savepoint. */
void audit_mark(struct core *c);
void audit_rewind(struct core *c);
/** audit_flush(c, e): once per batch before COMMIT: write nodes and the signed tree head.
 */
int audit_flush(struct core *c, struct err *e) MUST_CHECK;
/** audit_size(c): number of leaves, for replies and backups. audit_root(c, out): root of
 * the current tree. */
int64_t audit_size(const struct core *c);
void audit_root(const struct core *c, unsigned char out[32]);
/** audit_checkpoint(c, a): newest stored signed note as text in ${a}; "" before the
 * first. */
const char *audit_checkpoint(struct core *c, struct arena *a);
/** audit_consistency(c, a, old_size, out, e): proof from old_size to the last checkpoint:
 * array of 32-byte values. */
int audit_consistency(struct core *c, struct arena *a, int64_t old_size,
                      struct value **out, struct err *e) MUST_CHECK;

/** audit_batch_begin(c) / audit_batch_abort(c): remember and restore the tree around a
 * whole batch, when its COMMIT is refused (disk full) and nothing of it happened. */
void audit_batch_begin(struct core *c);
void audit_batch_abort(struct core *c);
/** audit_rejected(c, address, reason, count): what net refused before core; becomes an
 * aggregate record. */
void audit_rejected(struct core *c, const char *address, const char *reason,
                    int64_t count);
/** audit_next_ms(c): wall time at which waiting aggregate records should be written, 0 =
 * none wait. */
int64_t audit_next_ms(struct core *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MIRROR_H
#define SERVER_CORE_MIRROR_H
/*
 * mirror - rows that are read over and over: tokens, the metadata of secrets, the roles
 * of hosts and settings as they opened, the values of secrets sealed as they are stored.
 * For the store alone; nobody else includes this.
 *
 * The database stays the truth.  A row that is written or deleted leaves the mirror at
 * once, and nothing enters its place before the batch has ended: what is in the mirror
 * was committed, so a rollback, of a savepoint or of the batch, has nothing to undo here.
 * Bounded in size, not in core files, wiped when the vault is sealed.
 */
#include "store_row.h"

struct mirror;

/** mirror_new(): an empty mirror, or NULL; it takes nothing in before the next batch. */
struct mirror *mirror_new(void);
/** mirror_free(m): wipe and free; NULL is allowed. */
void mirror_free(struct mirror *m);
/** mirror_batch_begin(m): what was written before is committed or gone. */
void mirror_batch_begin(struct mirror *m);

/* ${m} may be NULL in all of these: */

/** mirror_get(m, a, kind, id, n, out): the object, its body in ${a} and the caller's own;
 * false if it is not mirrored. */
bool mirror_get(struct mirror *m, struct arena *a, enum store_kind kind, const void *id,
                size_t n, struct store_object *out);
/** mirror_keep(m, row, plain, n): take in what ${row} opened to, unless this batch has
 * written it, or it is not of a mirrored kind, or too large. */
void mirror_keep(struct mirror *m, const struct store_row *row,
                 const unsigned char *plain, size_t n);
/** mirror_forget(m, row): it was written or deleted.  Called where the state MAC
 * learns of it, which no change may pass by. */
void mirror_forget(struct mirror *m, const struct store_row *row);

/** mirror_get_payload(m, row): find the payload of row->secret and row->version; what is
 * filled in is borrowed until the next call.  False if it is not mirrored. */
bool mirror_get_payload(struct mirror *m, struct payload_row *row);
/** mirror_keep_payload(m, row), mirror_forget_payload(m, row): as for objects. */
void mirror_keep_payload(struct mirror *m, const struct payload_row *row);
void mirror_forget_payload(struct mirror *m, const struct payload_row *row);

#endif

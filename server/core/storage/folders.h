/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_FOLDERS_H
#define SERVER_CORE_FOLDERS_H
/*
 * folders - the names in folders that are listed over and over, decrypted and sorted.
 *
 * The database stays the truth.  When a row comes into a folder or leaves it, what is
 * kept of the folder goes at once, and nothing is kept again before the batch has ended:
 * all that is here was committed, so a rollback, of a savepoint or of the batch, has
 * nothing to undo.  A listing in slices takes a ticket when it starts; if the folder has
 * changed since, its names are not kept.  An update leaves a row's folder and name as
 * they are.  Bounded by LIMIT_FOLDERS_KEPT, not in core files, wiped when the vault is
 * sealed.
 */
#include "store.h"

struct folders;

/* One folder: its names in order, as an encoded array of strings (value.h). */
struct folder_names {
	const unsigned char *at;
	size_t n;
};

/** folders_ticket(c): for a listing that starts now. */
uint64_t folders_ticket(const struct core *c);
/** folders_get(c, items, id, out): the names of folders and of ${items} (KIND_SECRET or
 * KIND_ENTRY) in the folder ${id}, borrowed until the next call; false if they are not
 * kept. */
bool folders_get(struct core *c, enum store_kind items, const unsigned char id[32],
                 struct folder_names *out);
/** folders_keep(c, ticket, items, id, names): a copy, unless the folder has changed since
 * the ticket was taken, or there are too many. */
void folders_keep(struct core *c, uint64_t ticket, enum store_kind items,
                  const unsigned char id[32], const struct folder_names *names);

/* For the store alone: */

/** folders_new(): empty, or NULL; takes nothing in before the next batch. */
struct folders *folders_new(void);
/** folders_free(f): wipe and free; NULL is allowed. */
void folders_free(struct folders *f);
/** folders_batch_begin(f): what was changed before is committed or gone. */
void folders_batch_begin(struct folders *f);
/** folders_changed(f, kind, parent, n): a row of the kind has come or gone. */
void folders_changed(struct folders *f, int kind, const unsigned char *parent, size_t n);

#endif

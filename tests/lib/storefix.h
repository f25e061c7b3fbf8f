/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STOREFIX_H
#define TESTS_STOREFIX_H
/*
 * storefix - a core with storage and keys but nothing above them, on a simulated disk.
 * Batches are run by hand: storefix_begin(), changes, storefix_commit().
 */
#include "arena.h"
#include "core.h"
#include "crashvfs.h"
#include "db.h"
#include "keyring.h"
#include "seal.h"
#include "store.h"

#define STOREFIX_VFS "storefix"
#define STOREFIX_DB  "/vault.db"

struct storefix {
	struct core c;
	struct crashvfs *disk;
	struct arena *a;
	struct err e;
	struct seal_share share[255];
};

/** storefix_new(): an empty disk, key memory; no database yet. */
struct storefix *storefix_new(void);
/** storefix_free(f): close and free. */
void storefix_free(struct storefix *f);

/** storefix_open(f): open (create) the database and read the seal configuration; returns
 * the error class. */
int storefix_open(struct storefix *f);
/** storefix_close(f): drop keys, close the database; the disk stays. */
void storefix_close(struct storefix *f);
/** storefix_init(f, n, t): init in a batch; shares are in f->share. */
int storefix_init(struct storefix *f, int n, int t);
/** storefix_unseal(f, t): offer the first ${t} shares; loads the state MAC. */
int storefix_unseal(struct storefix *f, int t);
/** storefix_ready(f): open, init 1 of 1, unseal: for tests that want a working store. */
void storefix_ready(struct storefix *f);
/** storefix_reopen(f): close, open, unseal with one share. */
int storefix_reopen(struct storefix *f);

int storefix_begin(struct storefix *f);
int storefix_commit(struct storefix *f);
void storefix_abort(struct storefix *f);

/** storefix_sql(f, sql): as someone who can write the file would: the database must be
 * closed. */
void storefix_sql(struct storefix *f, const char *sql);
/** storefix_number(f, sql): the same, one number. */
long long storefix_number(struct storefix *f, const char *sql);

/** storefix_object(f, kind, id, text): an object with a one-byte id repeated and one
 * member. */
struct store_object storefix_object(struct storefix *f, enum store_kind kind, int id,
                                    const char *text);
/** storefix_verify(f): run the background check to its end. */
int storefix_verify(struct storefix *f);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BACKUP_H
#define SERVER_CORE_BACKUP_H
/*
 * backup - take a copy of the database, prove that it is good, put it into its container.
 *
 * In slices between batches: copy (changes that are committed meanwhile are part of it),
 * open the copy, open every row and recompute the state MAC, every audit row and the root
 * of the tree, write the container, read it back.  One at a time.  The scratch copy and
 * unfinished files are removed whatever happens.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backup_file.h"
#include "core.h"

struct backup_result {
	char name[BACKUP_NAME_MAX];
	int64_t size; /* of the container */
	int64_t audit_size;
	unsigned char sha256[32]; /* of the container */
};

/** backup_start(c, id, e): begin; ${id} names it.  ERR_BUSY while one is running that
 * someone waits for. */
int backup_start(struct core *c, unsigned char id[16], struct err *e) MUST_CHECK;
/** backup_step(core): one slice; only between batches (core_after_commit). */
void backup_step(void *core);
/** backup_poll(c, id, done, out, e): how far is it?  With *done it is forgotten: ${out},
 * or the error. */
int backup_poll(struct core *c, const unsigned char id[16], bool *done,
                struct backup_result *out, struct err *e) MUST_CHECK;
/** backup_close(c): at core_close(): drop what is unfinished. */
/** backup_running(c): is one being taken? */
bool backup_running(const struct core *c);
void backup_close(struct core *c);

/** backup_restored(c, e): at unseal, in its transaction: if this database was put here
 * from a backup, record that and void what must not come back with it: all join tokens,
 * and all tokens but root tokens without expiry (the operators' way in). */
int backup_restored(struct core *c, struct err *e) MUST_CHECK;

#endif

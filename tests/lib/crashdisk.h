/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CRASHDISK_H
#define TESTS_CRASHDISK_H
/* crashdisk - files in memory of which some bytes are durable and some are not. */
#include "crashvfs.h"

enum disk_op_type { DISK_CREATE, DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_DELETE };

struct disk_op {
	enum disk_op_type type;
	int inode;
	char *name;          /* create, delete */
	int64_t at;          /* write: offset; truncate: length */
	unsigned char *data; /* write */
	size_t n;
	bool directory; /* sync, delete: the directory is synced too */
	bool failed;    /* sync: it failed, and what waited for it is lost */
};

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *d);
/** disk_apply(d, op): carry it out; ${op} stays the caller's. */
void disk_apply(struct disk *d, const struct disk_op *op);
/** disk_find(d, name): the inode behind a name, or -1. */
int disk_find(const struct disk *d, const char *name);
/** disk_next_inode(d): the number that the next DISK_CREATE has to carry. */
int disk_next_inode(const struct disk *d);
/** disk_bytes(d, inode, n): current content; borrowed until the next change. */
unsigned char *disk_bytes(struct disk *d, int inode, size_t *n);
/** disk_survivor(d, model, seed): a new disk with what is left after a crash, all
 * durable. */
struct disk *disk_survivor(const struct disk *d, enum crash_model model, uint64_t seed);

/** disk_op_free(op): free what it owns. */
void disk_op_free(struct disk_op *op);
/** disk_op_copy(op): a deep copy. */
struct disk_op disk_op_copy(const struct disk_op *op);

#endif

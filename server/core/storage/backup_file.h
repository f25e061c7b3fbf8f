/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BACKUP_FILE_H
#define SERVER_CORE_BACKUP_FILE_H
/*
 * backup_file - the container of a backup (docs/backup-format.md) and the directory it is
 * in.
 *
 * A signed header of 4 KiB in the clear and the database image, in which everything that
 * carries meaning is sealed already.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct arena;
struct core;
struct value;

#define BACKUP_HEADER   4096u
#define BACKUP_SUFFIX   ".vbk"
#define BACKUP_NAME_MAX 80

struct backup_manifest {
	unsigned char backup_id[16];
	int64_t created_ms;
	int64_t audit_size;
	unsigned char audit_root[32];
	const char *checkpoint; /* signed note over the two */
	int schema;
	int64_t image_size;
	unsigned char image_sha256[32];
};

/** backup_header(c, m, out, e): render and sign the header. */
int backup_header(struct core *c, const struct backup_manifest *m,
                  unsigned char out[BACKUP_HEADER], struct err *e) MUST_CHECK;

/** backup_name_ok(name): one of ours, and no path? */
bool backup_name_ok(const char *name);
/** backup_dir(c, e): a descriptor of data_dir/backups (made 0700 if missing), or -1. */
int backup_dir(const struct core *c, struct err *e);
/** backup_list(c, a, out, e): object name -> {size} in order of name. */
int backup_list(const struct core *c, struct arena *a, struct value **out, struct err *e)
	MUST_CHECK;
/** backup_read(c, a, name, offset, n, out, len, size, e): a part of a finished backup;
 * short at its end. */
struct backup_part {
	int64_t offset;
	size_t want;
	unsigned char *bytes; /* in the arena */
	size_t n;
	int64_t size; /* of the whole file */
};
int backup_read(const struct core *c, struct arena *a, const char *name,
                struct backup_part *part, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BACKUP_FILE_H
#define CLI_BACKUP_FILE_H
/*
 * backup_file - the container of a backup (docs/backup-format.md), read without any
 * secret: a signed header of 4 KiB and the database image.
 */
#include <stdint.h>
#include <stdio.h>

#include "arena.h"
#include "err.h"
#include "value.h"

#define BACKUP_HEADER 4096u

struct backup_file {
	FILE *f;
	struct value *manifest; /* in the arena */
	unsigned char public_key[32];
	int64_t audit_size, created_ms, image_size;
	int schema;
};

/** backup_file_open(a, path, key, out, e): parse the header and check its signature;
 * ${key} (32 bytes) NULL: the key that is in it, which proves no more than that the file
 * is whole.  ERR_VERIFY says what is wrong. */
int backup_file_open(struct arena *a, const char *path, const unsigned char *key,
                     struct backup_file *out, struct err *e) MUST_CHECK;
/** backup_file_copy(b, fd, e): read the whole image, check its length and digest; write
 * it to ${fd} unless -1. */
int backup_file_copy(struct backup_file *b, int fd, struct err *e) MUST_CHECK;
void backup_file_close(struct backup_file *b);

#endif

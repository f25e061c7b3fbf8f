/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_H
#define FILE_H
/* file - whole small files: bounded reads, and writes that are all there or not
 * at all. */
#include <stddef.h>
#include <sys/types.h>

#include "arena.h"
#include "err.h"

/** file_read(a, path, max, out, len, e): the whole file in ${a} with a NUL after it;
 * ERR_NOENT, ERR_TOO_BIG, ERR_NOMEM, ERR_IO. */
int file_read(struct arena *a, const char *path, size_t max, char **out, size_t *len,
              struct err *e) MUST_CHECK;

/**
 * file_write_atomic(dirfd, name, p, n, mode, e): write a temporary file beside it
 * (O_EXCL, O_NOFOLLOW, mode 0 until whole), fchmod, fsync, rename over ${name}, fsync the
 * directory.  On failure the old file is as it was and no temporary is left; only when
 * the last step fails the new file is there, but perhaps not after a power cut.
 */
int file_write_atomic(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
                      struct err *e) MUST_CHECK;

/** file_write_path(path, p, n, mode, e): the same by path. */
int file_write_path(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
	MUST_CHECK;

/** file_check_private(path, e): a regular file of ours that group and others cannot
 * touch; else ERR_DENIED says what to do. */
int file_check_private(const char *path, struct err *e) MUST_CHECK;

#endif

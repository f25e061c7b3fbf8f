/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_TMPFS_H
#define AGENT_DELIVER_TMPFS_H
/*
 * tmpfs - the memory-backed directory that files are delivered into.
 *
 * A mount of ours is made once and never unmounted: what containers bound before must
 * stay what we write to.  A directory on another tmpfs is taken as it is; one on a disk
 * is refused unless that was asked for.
 */
#include <stdbool.h>

#include "err.h"

enum tmpfs_mode {
	TMPFS_AUTO,     /* use a tmpfs that is there, else mount one */
	TMPFS_MOUNT,    /* have a mount of our own */
	TMPFS_EXISTING, /* never mount */
};

struct tmpfs_options {
	const char *dir;
	enum tmpfs_mode mode;
	bool allow_disk;
	const char *size; /* mount option: "16m" */
};

struct tmpfs_info {
	bool memory;    /* tmpfs or ramfs */
	bool own_mount; /* the directory is where a file system is mounted */
	bool noswap;    /* its pages never reach a swap device */
};

/** tmpfs_prepare(o, fd, info, e): make the directory (mode 0711), mount if need be; *fd
 * is a directory that the caller owns. ERR_DENIED: it is on a disk. */
int tmpfs_prepare(const struct tmpfs_options *o, int *fd, struct tmpfs_info *info,
                  struct err *e) MUST_CHECK;

/** tmpfs_is_memory(fd): is ${fd} on tmpfs or ramfs?  Asked before every write. */
bool tmpfs_is_memory(int fd);

#endif

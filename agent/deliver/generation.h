/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_GENERATION_H
#define AGENT_DELIVER_GENERATION_H
/*
 * generation - one directory of files that change together.
 *
 *   BINDING/..g000017/pw   real files        BINDING/..data -> ..g000017
 *   BINDING/pw -> ..data/pw                  (relative: good inside a container too)
 *
 * Renaming the new "..data" over the old one is the commit point; before it nothing that
 * a reader sees has changed, after it everything has.  A file is created with mode 0 and
 * gets owner and mode when it is whole.  No fsync: the file system is memory.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "err.h"

#define GENERATION_NAME_MAX 255u
#define GENERATION_META     "..meta"

struct generation_file {
	const char *name;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	const void *p;
	size_t n;
	struct timespec written; /* its time of modification; 0: now */
	unsigned from; /* not 0: not ${p}, but the same file as in that generation */
};

/* A binding's directory. */
struct generation_dir {
	int fd;
	mode_t mode; /* of it and of each generation: 0711, or 0755 to allow listing */
	const char *label;       /* for messages */
	void (*step)(void *ctx); /* tests: called before each change; NULL otherwise */
	void *step_ctx;
};

/** generation_name_check(s, what, e): fit to be a file or directory of ours: one
 * component, not beginning with "..", printable, at most 255 bytes. */
int generation_name_check(const char *s, const char *what, struct err *e) MUST_CHECK;

/** generation_open(run_fd, label, mode, d, e): make and open the directory ${label} below
 * ${run_fd}; close d->fd. */
int generation_open(int run_fd, const char *label, mode_t mode, struct generation_dir *d,
                    struct err *e) MUST_CHECK;

/** generation_current(d): the number that "..data" leads to, 0 if there is none. */
unsigned generation_current(const struct generation_dir *d);

/**
 * generation_write(d, number, files, n, meta, e): make generation ${number} with ${files}
 * and the text ${meta}, and switch to it.  On failure (ERR_FULL: no room) what was in
 * place still is, and nothing is left over.
 */
int generation_write(const struct generation_dir *d, unsigned number,
                     const struct generation_file *files, size_t n, const char *meta,
                     struct err *e) MUST_CHECK;

/** generation_restore(d, number, names, n, e): switch back to a generation that is still
 * there, whose ${names} are to be found again.  On failure what was in place still is. */
int generation_restore(const struct generation_dir *d, unsigned number,
                       const char *const *names, size_t n, struct err *e) MUST_CHECK;

/** generation_open_file(d, number, name): open for reading, -1 (with errno) if that is
 * not a regular file. */
int generation_open_file(const struct generation_dir *d, unsigned number,
                         const char *name);

/** generation_stat_file(d, number, name, st): 0, or -1 if that is not a regular file. */
int generation_stat_file(const struct generation_dir *d, unsigned number,
                         const char *name, struct stat *st) MUST_CHECK;

/** generation_write_meta(d, number, meta, e): replace the notes of a generation that is
 * in place. */
int generation_write_meta(const struct generation_dir *d, unsigned number,
                          const char *meta, struct err *e) MUST_CHECK;

/** generation_wipe_file(d, number, name): overwrite, cut to nothing, remove; and the link
 * to it.  0, or -1 if it is still there. */
int generation_wipe_file(const struct generation_dir *d, unsigned number,
                         const char *name);

/** generation_remove(d, number): remove a generation that was replaced.  Who has a file
 * of it open can still read it. */
void generation_remove(const struct generation_dir *d, unsigned number);

/** generation_wipe_all(d): wipe every file of every generation, remove all that is ours
 * from the directory.  0, or -1. */
int generation_wipe_all(const struct generation_dir *d);

/** generation_recover(d, base): remove what a crash left: other generations than the
 * current and ${base}, a half-made switch. */
void generation_recover(const struct generation_dir *d, unsigned base);

/** generation_is_ours(fd): does the directory look like one of ours? */
bool generation_is_ours(int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_RIG_H
#define TESTS_UNIT_AGENT_RIG_H
/* rig - what the agent's tests share: a directory of their own, on tmpfs where that
 * matters. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/reply.h"
#include "keymem.h"

static char rig_dir[PATH_MAX];
static struct err e UNUSED;

static inline int rig_remove(const char *path, const struct stat *st UNUSED,
                             int kind UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static inline void rig_close(void)
{
	(void)nftw(rig_dir, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void rig_open(void)
{
	snprintf(rig_dir, sizeof(rig_dir), "/dev/shm/agent-test-XXXXXX");
	cr_assert_not_null(mkdtemp(rig_dir));
	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK, "%s", e.msg);
	reply_init();
}

static inline char *rig_path(const char *name, char out[PATH_MAX])
{
	cr_assert_lt(snprintf(out, PATH_MAX, "%.2000s/%.1000s", rig_dir, name), PATH_MAX);
	return out;
}

/* The file's bytes as a string, or NULL. */
static inline const char *rig_read(const char *name)
{
	static char text[65536];
	char path[PATH_MAX];
	AUTO_CLOSE int fd = open(rig_path(name, path), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static inline bool rig_exists(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return lstat(rig_path(name, path), &st) == 0;
}

/* Does any file below the directory hold ${text}?  tmpfs files are small: read them
 * whole. */
static const char *rig_needle;
static bool rig_found;
static inline int rig_grep_one(const char *path, const struct stat *st UNUSED, int kind,
                               struct FTW *ftw UNUSED)
{
	static char text[65536];
	AUTO_CLOSE int fd = kind == FTW_F ? open(path, O_RDONLY) : -1;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (n > 0 && memmem(text, (size_t)n, rig_needle, strlen(rig_needle)) != NULL)
		rig_found = true;
	return 0;
}

static inline bool rig_holds(const char *text)
{
	rig_needle = text;
	rig_found = false;
	(void)nftw(rig_dir, rig_grep_one, 16, FTW_PHYS);
	return rig_found;
}

#endif

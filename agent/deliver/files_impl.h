/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_FILES_IMPL_H
#define AGENT_DELIVER_FILES_IMPL_H
/* files_impl - what the files of the module share; nobody else includes it. */
#include <sys/stat.h>

#include "files.h"
#include "generation.h"

#define FILES_OLD_MAX     8u
#define FILES_DIGEST      32u
#define FILES_META_MAX    (1024u * 1024)
#define FILES_CONTENT_MAX (1024u * 1024)

struct binding {
	const char *name;
	mode_t dir_mode;
	unsigned current; /* generation in place, 0 for none */
	size_t n_old;
	struct old {
		unsigned number;
		int64_t due;
	} old[FILES_OLD_MAX];
};

/* One file: the settings' row, and what was delivered. */
struct slot {
	const struct settings_file *file;
	size_t binding;
	bool present;
	char lease_id[FILES_LEASE_ID_MAX];
	int64_t version;
	unsigned char digest[FILES_DIGEST];
	struct timespec changed; /* the inode's ctime when it was written */
	ino_t inode;
};

struct files {
	struct files_options o;
	char boot_id[FILES_BOOT_ID_MAX];
	size_t n_bindings;
	struct binding *bindings;
	size_t n_slots;
	struct slot *slots;
	size_t n_paths;
	struct files_held *held;
};

/** files_digest(f, s, p, n, out): of the content and of what it belongs to. */
void files_digest(const struct files *f, const struct slot *s, const void *p, size_t n,
                  unsigned char out[FILES_DIGEST]);

/** files_open(f, b, d, e): the directory of a binding. */
int files_open(const struct files *f, const struct binding *b, struct generation_dir *d,
               struct err *e) MUST_CHECK;

/** files_read_slot(a, d, number, s, p, n): the content in place, in ${a}; 0, or -1. */
int files_read_slot(struct arena *a, const struct generation_dir *d, unsigned number,
                    const struct slot *s, const char **p, size_t *n) MUST_CHECK;

/** files_stat_slot(s, d, number): remember the inode, to notice who changes it; 0, or -1.
 */
int files_stat_slot(struct slot *s, const struct generation_dir *d, unsigned number);

/** files_meta(f, b, a): the notes for the generation that is about to be in place. */
char *files_meta(const struct files *f, size_t binding, struct arena *a);

/** files_load(f, binding): judge what a former run left in a binding. */
void files_load(struct files *f, size_t binding);

/** files_settle(f): recompute held[] from the slots. */
void files_settle(struct files *f);

#endif

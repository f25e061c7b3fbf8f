/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_IMPL_H
#define SCANNER_SCAN_IMPL_H
/* scan_impl - what the main process's files of the scanner share; nobody else includes
 * it. */
#include <sys/stat.h>

#include "scanner/match/scan_stream.h"
#include "scanner/path_hash.h"
#include "scanner/path_set.h"
#include "scanner/scan.h"
#include "scanner/worker/pool.h"

#define SCAN_BATCH_BYTES (4u << 20) /* of files that go in one job */

struct dockerignore;

/* The context of a Dockerfile that has a .dockerignore. */
struct scan_context {
	struct scan_context *next;
	struct dockerignore *ignore;
	size_t dir_n; /* of its directory, with the slash, in paths of its files */
	char path[];  /* of the Dockerfile */
};

/* A container that a worker has told of. */
struct scan_name {
	struct scan_name *next;
	char text[];
};

/* A directory that is copied into an image. */
struct scan_folder {
	struct scan_folder *next;
	int fd;
	const struct scan_context *context; /* or NULL; borrowed */
	/* All of it, or what a pattern of so many parts names in it: texts that follow
	 * each other, in ${path}. */
	unsigned parts;
	const char *pattern;
	char path[];
};

struct scan {
	struct scan_config o;
	struct scan_listener sink;
	struct rule_set rules;
	struct scan_engine *engine;
	struct scan_options options; /* of the workers' streams */
	void *ctx;
	struct pool *pool;
	uint8_t hash_key[PATH_HASH_KEY];
	struct scan_totals totals;
	struct scan_progress progress;
	struct job *batch; /* files that wait for more of them */
	uint64_t batch_bytes;
	struct image_archive *archives;
	struct scan_name *names;     /* of containers */
	struct scan_folder *folders; /* to be walked */
	struct scan_context *contexts;
	struct path_set copied; /* files that Dockerfiles and Compose files name */
};

/** scan_skip_add(s, source, layer, path, why): report and count. */
void scan_skip_add(struct scan *s, const char *source, const char *layer,
                   const char *path, const char *why);
/** scan_tell(s, f, at): filter and count a finding, and hand it on. */
void scan_tell(struct scan *s, struct finding *f, const struct scan_place *at);
/** scan_submit(s, j, e): count and queue a job; takes it.  NULL is "out of memory". */
int scan_submit(struct scan *s, struct job *j, struct err *e) MUST_CHECK;
/** scan_stat(fd, path, st, e): what was opened, or errno if ${fd} is -1; closes ${fd} on
 * failure.  ERR_DENIED, ERR_NOENT. */
int scan_stat(int fd, const char *path, struct stat *st, struct err *e) MUST_CHECK;
/** scan_add_file(s, fd, path, size, e): batched with others; takes ${fd}. */
int scan_add_file(struct scan *s, int fd, const char *path, uint64_t size, struct err *e)
	MUST_CHECK;
/** scan_image_fd(s, fd, name, size, e): an image archive; takes ${fd}.  ${size} is that
 * of a file, or UINT64_MAX for a stream. */
int scan_image_fd(struct scan *s, int fd, const char *name, uint64_t size, struct err *e)
	MUST_CHECK;
/** scan_write(s, fd, p, n, e): all of it into a worker's stream, while records are taken.
 * ERR_IO: the worker does not read any more; ERR_TIMEOUT. */
int scan_write(struct scan *s, int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
/** scan_pump(s): take what workers have to tell, without waiting. */
void scan_pump(struct scan *s);
/** scan_pipe(out, e): a stream to a worker: out[0] for the job, out[1] to write to. */
int scan_pipe(int out[2], struct err *e) MUST_CHECK;
/** scan_flush(s, e): submit what is batched. */
int scan_flush(struct scan *s, struct err *e) MUST_CHECK;
/** scan_tree(s, fd, path, folder, e): the tree of a directory; takes ${fd}.  Of a
 * ${folder} (or NULL) what its pattern names, its context does not leave out and was not
 * scanned before. */
int scan_tree(struct scan *s, int fd, const char *path, const struct scan_folder *folder,
              struct err *e) MUST_CHECK;
/** scan_excluded(s, path): does one of the globs match the path or its last part? */
bool scan_excluded(const struct scan *s, const char *path);

#endif

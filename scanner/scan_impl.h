/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_IMPL_H
#define SCANNER_SCAN_IMPL_H
/* scan_impl - what the main process's files of the scanner share; nobody else includes
 * it. */
#include <sys/stat.h>

#include "scanner/match/scan_stream.h"
#include "scanner/path_hash.h"
#include "scanner/scan.h"
#include "scanner/worker/pool.h"

#define SCAN_BATCH_BYTES (4u << 20) /* of files that go in one job */

struct dockerignore;

/* The directory of a Dockerfile that has a .dockerignore. */
struct scan_context {
	struct scan_context *next;
	struct dockerignore *ignore;
	size_t dir_n; /* of the directory in ${path}, with its slash */
	char path[];  /* of the Dockerfile */
};

/* A name that a worker has told: of a container, or of a directory that is copied. */
struct scan_name {
	struct scan_name *next;
	int fd;                             /* of the directory, or -1 */
	const struct scan_context *context; /* what is copied from, or NULL; borrowed */
	char text[];
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
	struct scan_name *names;   /* of containers */
	struct scan_name *folders; /* to be walked */
	struct scan_context *contexts;
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
/** scan_name_add(list, text, context, fd): takes ${fd} (-1: none) unless it fails. false:
 * out of memory, or name and context are those of one that is there. */
bool scan_name_add(struct scan_name **list, const char *text,
                   const struct scan_context *context, int fd);
/** scan_tree(s, fd, path, context, e): the tree of a directory, but for what is left out
 * of ${context} (or NULL); takes ${fd}. */
int scan_tree(struct scan *s, int fd, const char *path,
              const struct scan_context *context, struct err *e) MUST_CHECK;
/** scan_excluded(s, path): does one of the globs match the path or its last part? */
bool scan_excluded(const struct scan *s, const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_H
#define SCANNER_SCAN_H
/*
 * scan - the leak scanner for whoever runs one: sources in, findings out.
 *
 * This side opens files, walks trees and talks to Docker and git; it parses nothing of
 * what it reads.  All that is done in sandboxed workers (worker/pool.h).  Every source is
 * queued; scan_finish() waits for the rest.  One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "scanner/bounds.h"
#include "scanner/finding.h"

struct known;
struct scan;

/* Of a file in an image, as a container of it sees it. */
enum scan_visibility { VISIBLE, DELETED, OVERWRITTEN };

/** scan_visibility_name(v): a literal. */
const char *scan_visibility_name(enum scan_visibility v);

/* Where something is; texts are borrowed for the call, may hold any bytes, are never
 * NULL. */
struct scan_place {
	enum scan_channel channel;
	const char *path;
	const char *source; /* image, container, repository, or "" */
	const char *layer;  /* diff_id, or "" */
	enum scan_visibility visibility;
	const char *later; /* the layer that deletes or overwrites it, or "" */
};

struct scan_skip {
	const char *source, *layer, *path;
	const char *why;
};

struct scan_progress {
	uint64_t bytes, blobs; /* searched */
	uint64_t jobs, jobs_done;
	uint64_t layers, layers_done;
};

/* Called in no particular order, from within the calls below. */
struct scan_listener {
	/* Also for what was dropped (f->drop), if the options ask for that. */
	void (*finding)(void *ctx, const struct finding *f, const struct scan_place *at);
	/* Is it known before, or left out by somebody's wish?  DROP_NONE: neither.  Asked
	 * of what would be reported; or NULL. */
	enum drop (*filter)(void *ctx, const struct finding *f,
	                    const struct scan_place *at);
	/* Something was not scanned. */
	void (*skipped)(void *ctx, const struct scan_skip *s);
	void (*progress)(void *ctx, const struct scan_progress *p); /* or NULL */
	/* A part of the sandbox is not possible here. */
	void (*sandbox)(void *ctx, const char *missing); /* or NULL */
};

#define SCAN_KEY 32u

struct scan_config {
	unsigned workers;           /* 0: one per processor */
	const char *const *exclude; /* globs of paths and names, or NULL */
	size_t excludes;
	bool no_ignore; /* what a .dockerignore leaves out is scanned as well */
	const char
		*context; /* of Dockerfiles, up to a slash; NULL: each one's directory */
	bool show_filtered;
	bool require_sandbox;
	int64_t stall_ms;          /* a worker or a socket without progress; 0: 30 s */
	const char *docker_socket; /* NULL: /var/run/docker.sock */
	const struct known *known; /* values of the vault, or NULL; borrowed */
	bool reveal;               /* findings hold the secrets */
	const char *rules;         /* file of rules that are added, or NULL */
	const unsigned char *key;  /* SCAN_KEY bytes: of fingerprints that stay the same
	                              from one scan to the next; NULL: a random one */
};

struct scan_totals {
	uint64_t findings, filtered, skipped;
	uint64_t bytes, blobs;
};

/** scan_new(o, sink, ctx, e): starts the workers.  ERR_USAGE: the file of rules cannot be
 * used. */
struct scan *scan_new(const struct scan_config *o, const struct scan_listener *sink,
                      void *ctx, struct err *e) MUST_CHECK;
/** scan_free(s): ends the workers; NULL is allowed. */
void scan_free(struct scan *s);

/* Sources.  An error means that the source itself cannot be read (ERR_NOENT, ERR_DENIED,
 * ERR_UNREACHABLE …); parts of it that cannot are scan_skip. */
/** scan_path(s, path, e): a file or a tree.  Links below it are not followed. */
int scan_path(struct scan *s, const char *path, struct err *e) MUST_CHECK;
/** scan_fd(s, fd, name, channel, e): a stream such as standard input; dup()ed. */
int scan_fd(struct scan *s, int fd, const char *name, enum scan_channel channel,
            struct err *e) MUST_CHECK;
/** scan_image_file(s, path, e): an image archive or a directory with an OCI layout;
 * "-": an archive from standard input. */
int scan_image_file(struct scan *s, const char *path, struct err *e) MUST_CHECK;
/** scan_docker_image(s, ref, e): an image of the Docker Engine, streamed. */
int scan_docker_image(struct scan *s, const char *ref, struct err *e) MUST_CHECK;
/** scan_docker_container(s, id, e): the configuration of a container. */
int scan_docker_container(struct scan *s, const char *id, struct err *e) MUST_CHECK;
/** scan_docker_containers(s, e): of all that run. */
int scan_docker_containers(struct scan *s, struct err *e) MUST_CHECK;
/** scan_swarm(s, e): services, tasks and configs of the swarm, labels of its nodes and
 * secrets. */
int scan_swarm(struct scan *s, struct err *e) MUST_CHECK;
/** scan_processes(s, pid, e): environment and command line of all processes, or of one.
 */
int scan_processes(struct scan *s, const char *pid, struct err *e) MUST_CHECK;
/** scan_build_file(s, path, compose, e): a Dockerfile or a Compose file, and the files
 * beside and below it that it names; of a Dockerfile, but for what a .dockerignore beside
 * it leaves out. */
int scan_build_file(struct scan *s, const char *path, bool compose, struct err *e)
	MUST_CHECK;
/** scan_git(s, path, since, e): the history of a working tree; ${since} as git takes it,
 * or NULL. */
int scan_git(struct scan *s, const char *path, const char *since, struct err *e)
	MUST_CHECK;

/** scan_finish(s, out, e): wait for all that was queued. */
int scan_finish(struct scan *s, struct scan_totals *out, struct err *e) MUST_CHECK;

#endif

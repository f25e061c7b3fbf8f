/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_POOL_H
#define SCANNER_POOL_H
/*
 * pool - the scanner's worker processes as the main process sees them.
 *
 * Workers are forked without exec: what is compiled before (the rules' database) is
 * shared.  A worker that dies, breaks the protocol or makes no progress is killed and
 * replaced; the item that it was at is reported lost, the rest of its job is done again.
 *
 * One thread.  Whoever waits for anything else while jobs are under way waits with
 * pool_wait_fd(), so that no worker blocks on its records.
 */
#include <stdbool.h>

#include "err.h"
#include "wire.h"

struct pool;
struct scan_engine;
struct scan_limits;
struct scan_options;

struct pool_options {
	unsigned workers; /* 0: one per processor */
	int64_t stall_ms; /* a worker without progress for so long is killed; 0: 30 s */
	uint64_t cpu_s;   /* processor time for one job; 0: 900 */
	uint64_t memory;  /* bytes of address space beyond what is mapped at the start;
	                     0: 192 MiB */
	bool require_sandbox;               /* refuse to scan with an incomplete one */
	const struct scan_limits *limits;   /* borrowed */
	const uint8_t *hash_key;            /* of path_hash(); borrowed */
	const struct scan_engine *engine;   /* borrowed, and these */
	const struct scan_options *options; /* of its streams */
};

/* Jobs and records are borrowed for the call.  Handlers may call pool_add(), nothing else
 * of this module. */
struct pool_events {
	/* ${j} is NULL for RECORD_SANDBOX alone. */
	void (*record)(void *ctx, struct job *j, const struct record *r);
	/* Item ${item} of the job (or ${where} inside it) was not scanned to its end. */
	void (*lost)(void *ctx, struct job *j, unsigned item, const char *where,
	             const char *why);
	void (*done)(void *ctx, struct job *j); /* the last call for it */
};

/** pool_new(o, ev, ctx, e): fork the workers. */
struct pool *pool_new(const struct pool_options *o, const struct pool_events *ev,
                      void *ctx, struct err *e) MUST_CHECK;
/** pool_free(p): end the workers, whatever they do; NULL is allowed. */
void pool_free(struct pool *p);

/** pool_add(p, j): takes the job; it is sent when a worker is free. */
void pool_add(struct pool *p, struct job *j);
/** pool_add_held(p, j, fd, size, name): held_add(), if all workers have jobs enough; else
 * false, as it is quicker to send descriptors. */
bool pool_add_held(struct pool *p, struct job *j, int fd, uint64_t size, const char *name)
	MUST_CHECK;
/** pool_submit(p, j, e): the same, and waits until no more jobs wait than there are
 * workers.  ${j} is taken in any case. */
int pool_submit(struct pool *p, struct job *j, struct err *e) MUST_CHECK;
/** pool_turn(p): take what there is, without waiting. */
void pool_turn(struct pool *p);
/** pool_wait_fd(p, fd, events, timeout_ms, e): until ${fd} is ready; ERR_TIMEOUT. */
int pool_wait_fd(struct pool *p, int fd, short events, int64_t timeout_ms, struct err *e)
	MUST_CHECK;
/** pool_drain(p, e): until no job is left. */
int pool_drain(struct pool *p, struct err *e) MUST_CHECK;
/** pool_has(p, pid): is it one of the workers? */
bool pool_has(const struct pool *p, long pid);
/** pool_size(p): how many workers. */
unsigned pool_size(const struct pool *p);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_WORKER_H
#define SCANNER_WORKER_H
/*
 * worker - the life of one worker process: what it inherits is closed, the sandbox is
 * entered, then jobs are done until the main process goes away.
 */
#include <stdbool.h>
#include <stdint.h>

#include "scanner/bounds.h"
#include "status.h"

struct held;
struct scan_engine;
struct scan_options;

struct worker_options {
	int sock;
	struct worker_status *status;
	const struct scan_engine *engine;
	const struct scan_options *options;
	const struct scan_limits *limits;
	const uint8_t *hash_key; /* of path_hash() */
	const struct held *held; /* or NULL */
	uint64_t cpu_s;
	uint64_t memory;
	bool require_sandbox;
};

/** worker_main(o): in the forked child; ${o}->sock becomes the only descriptor. */
_Noreturn void worker_main(const struct worker_options *o);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_STATUS_H
#define SCANNER_STATUS_H
/*
 * status - the page that a worker shares with the main process: how far it is.
 *
 * It is written without system calls for every piece of input, and still there when the
 * worker is not: so the main process knows what a worker that died or hangs was reading.
 * The worker may lie in it.  Only the main process's own bounds count.
 */
#include <stdatomic.h>
#include <stdint.h>

#define STATUS_PATH_MAX 512u

struct worker_status {
	_Atomic uint64_t beats; /* moves as long as the worker does */
	_Atomic uint32_t job;
	_Atomic uint32_t item;      /* of the job; those before it are done */
	char path[STATUS_PATH_MAX]; /* inside the item; cut, and perhaps torn */
};

#endif

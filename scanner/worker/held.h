/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_HELD_H
#define SCANNER_HELD_H
/*
 * held - small files that the main process reads for its workers, into memory that they
 * see and cannot change.
 *
 * While all workers are busy it has the time, and they do without a system call: to open,
 * read and close a file of 10 KB takes as long as to search half of it.  It reads only
 * what the kernel has in memory, so it never waits for a disk or a server that hangs;
 * anything else goes to a worker as a descriptor.  It does not look at the bytes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

struct held;
struct job;

#define HELD_FILE (64u << 10)  /* bytes of a file */
#define HELD_SLOT (256u << 10) /* of all those of a job */

/** held_new(slots): for so many jobs at a time; NULL: only descriptors are sent. */
struct held *held_new(unsigned slots) MUST_CHECK;
/** held_free(h): when no job has any of it; NULL is allowed. */
void held_free(struct held *h);
/** held_map(h, n): all of it as a worker sees it, ${n} bytes; NULL if it cannot. */
const uint8_t *held_map(const struct held *h, size_t *n) MUST_CHECK;

/** held_fits(j, size): has the job room for so many bytes more? */
bool held_fits(const struct job *j, uint64_t size) MUST_CHECK;
/** held_add(h, j, fd, size, name): the file as another item of the job, which fits both;
 * takes ${fd}.  False: it has to be sent as a descriptor, which is the caller's still. */
bool held_add(struct held *h, struct job *j, int fd, uint64_t size, const char *name)
	MUST_CHECK;
/** held_give_back(j): what the job has of it. */
void held_give_back(struct job *j);

#endif

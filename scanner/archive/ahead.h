/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_AHEAD_H
#define SCANNER_AHEAD_H
/*
 * ahead - a helper thread that reads a stream ahead of whoever searches it.
 *
 *   in (a decompressor) -> helper -> ring of buffers -> reader
 *
 * The stream below, and all that lies below that, is the helper's from the first
 * AHEAD_SLOT bytes on until ahead_close(): nothing else is shared but the ring.  Those
 * bytes the reader makes itself, so that what is small costs no change of threads.
 */
#include "stream.h"

#define AHEAD_SLOTS 8u
#define AHEAD_SLOT  (256u << 10) /* bytes of one buffer */

struct ahead;

/** ahead_new(): with its thread, which must be started before a sandbox forbids threads;
 * NULL if there is no memory, or no thread to be had. */
struct ahead *ahead_new(void);
/** ahead_free(a): end the thread; NULL is allowed.  Not between open and close. */
void ahead_free(struct ahead *a);
/** ahead_open(a, in): what ${in} gives, read ahead: nobody may touch ${in} until
 * ahead_close().  ${in} itself, if ${a} is NULL or reads another stream already. */
struct stream *ahead_open(struct ahead *a, struct stream *in) MUST_CHECK;
/** ahead_close(a, s): ${s} of ahead_open(), wherever it is: the helper has let go of the
 * stream below, and the ring is wiped. */
void ahead_close(struct ahead *a, struct stream *s);

#endif

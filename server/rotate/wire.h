/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROTATE_WIRE_H
#define SERVER_ROTATE_WIRE_H
/*
 * wire - the JSON that goes into a rotator and comes out of it.
 *
 * Requests are written straight into a buffer that is wiped as it is taken from.  Replies
 * are read by jansson, whose memory is wiped when it is freed (wire_init()).
 */
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "value.h"

/** wire_init(): once, before anything else is asked of jansson. */
void wire_init(void);

/** wire_request(b, request, deadline_ms, e): ${request} as one line, with its deadline_ms
 * replaced.  ERR_INVALID: no object or too deep, ERR_TOO_BIG: beyond the buffer. */
int wire_request(struct buf *b, const struct value *request, int64_t deadline_ms,
                 struct err *e) MUST_CHECK;

/** wire_reply(a, p, n, out, e): what a rotator has said, as the members of an
 * IPC_STEP_REPLY that are its own (status to retry_after_ms).  ERR_INVALID says which
 * rule of the contract it breaks, and quotes nothing of it. */
int wire_reply(struct arena *a, const char *p, size_t n, struct value **out,
               struct err *e) MUST_CHECK;

#endif

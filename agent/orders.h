/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ORDERS_H
#define AGENT_ORDERS_H
/*
 * orders - what may wipe a whole host: an order signed by the vault key that was pinned
 * at join, naming this host and a generation that is not older than ours.  A refusal
 * without such an order never does.
 */
#include <jansson.h>

#include "err.h"
#include "identity.h"

#define ORDER_WIPE "wipe"

/** order_message(op, host_id, generation, out): the text that the vault signs; returns
 * its length.  ${out} has ORDER_MESSAGE_MAX bytes. */
#define ORDER_OP_MAX      16u
#define ORDER_MESSAGE_MAX 64u
size_t order_message(const char *op, const unsigned char host_id[16], uint64_t generation,
                     unsigned char out[ORDER_MESSAGE_MAX]);

/**
 * order_verify(id, order, e): ERR_OK only for a genuine, current wipe order for this
 * host. ERR_INVALID: not an order, or another operation; ERR_VERIFY: signature;
 * ERR_DENIED: meant for another host or an earlier life of this one.
 */
int order_verify(const struct identity *id, const json_t *order, struct err *e)
	MUST_CHECK;

#endif

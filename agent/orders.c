/* SPDX-License-Identifier: Apache-2.0 */
#include "orders.h"

#include <sodium.h>
#include <string.h>

#include "bytes.h"
#include "reply.h"

#define ORDER_CONTEXT "vault/host-order/v1"
_Static_assert(sizeof(ORDER_CONTEXT) + ORDER_OP_MAX + 1 + 16 + 8 <= ORDER_MESSAGE_MAX + 1,
               "an order fits its buffer");

size_t order_message(const char *op, const unsigned char host_id[16], uint64_t generation,
                     unsigned char out[ORDER_MESSAGE_MAX])
{
	size_t n = strlen(op);
	unsigned char *at = out;

	if (n >= ORDER_OP_MAX)
		return 0;
	at = bytes_put(at, ORDER_CONTEXT, sizeof(ORDER_CONTEXT));
	at = bytes_put(at, op, n + 1);
	at = bytes_put(at, host_id, 16);
	at = bytes_put_u64be(at, generation);
	return (size_t)(at - out);
}

int order_verify(const struct identity *id, const json_t *order, struct err *e)
{
	const char *op = reply_str(order, "op");
	int64_t generation = reply_int(order, "generation", -1);
	unsigned char host_id[16], sig[64], msg[ORDER_MESSAGE_MAX];
	size_t n;

	if (op == NULL || strcmp(op, ORDER_WIPE) != 0 || generation < 0 ||
	    reply_hex(order, "host_id", host_id, sizeof(host_id)) != 0 ||
	    reply_base64(order, "signature", sig, sizeof(sig)) != 0)
		return err_set(e, ERR_INVALID, "the server sent an order that is none");
	n = order_message(op, host_id, (uint64_t)generation, msg);
	if (n == 0 || crypto_sign_verify_detached(sig, msg, n, id->order_key) != 0)
		return err_set(e, ERR_VERIFY, "the signature of an order is wrong");
	if (sodium_memcmp(host_id, id->host_id, sizeof(host_id)) != 0)
		return err_set(e, ERR_DENIED, "an order names another host");
	if ((uint64_t)generation < id->generation)
		return err_set(e, ERR_DENIED,
		               "an order is for generation %lld, this is %llu",
		               (long long)generation, (unsigned long long)id->generation);
	return ERR_OK;
}

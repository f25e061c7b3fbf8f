/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/orders.h"
#include "text.h"

static struct identity *id;
static unsigned char vault_sk[64];

static void setup(void)
{
	rig_open();
	id = identity_new();
	identity_make_keys(id);
	crypto_sign_keypair(id->order_key, vault_sk);
	memset(id->host_id, 7, sizeof(id->host_id));
	id->generation = 5;
}

static void teardown(void)
{
	identity_free(id);
	rig_close();
}

TestSuite(orders, .init = setup, .fini = teardown, .timeout = 20);

/* As the vault makes it. */
static json_t *order(const char *op, const unsigned char host[16], uint64_t generation)
{
	unsigned char msg[ORDER_MESSAGE_MAX], sig[64];
	size_t n = order_message(op, host, generation, msg);
	json_t *o = json_pack("{s:s, s:I}", "op", op, "generation",
	                      (json_int_t)generation);

	cr_assert_gt(n, 0);
	crypto_sign_detached(sig, NULL, msg, n, vault_sk);
	cr_assert_eq(reply_set_hex(o, "host_id", host, 16), 0);
	cr_assert_eq(reply_set_base64(o, "signature", sig, sizeof(sig)), 0);
	return o;
}

Test(orders, obeys_a_genuine_one)
{
	AUTO_JSON now = order("wipe", id->host_id, 5);
	AUTO_JSON ahead = order("wipe", id->host_id, 6);

	cr_assert_eq(order_verify(id, now, &e), ERR_OK, "%s", e.msg);
	/* The reply that told us the newer generation may have been lost. */
	cr_assert_eq(order_verify(id, ahead, &e), ERR_OK, "%s", e.msg);
}

Test(orders, signs_the_documented_bytes)
{
	unsigned char msg[ORDER_MESSAGE_MAX];
	size_t n = order_message("wipe", id->host_id, 0x0102, msg);

	cr_assert_eq(n, 20 + 5 + 16 + 8);
	cr_assert_eq(memcmp(msg, "vault/host-order/v1\0wipe\0", 25), 0);
	cr_assert_eq(memcmp(msg + 25, id->host_id, 16), 0);
	cr_assert_eq(memcmp(msg + 41, "\0\0\0\0\0\0\1\2", 8), 0);
}

Test(orders, refuses_another_host_and_an_earlier_life)
{
	unsigned char other[16] = { 1 };
	AUTO_JSON elsewhere = order("wipe", other, 5);
	AUTO_JSON replayed = order("wipe", id->host_id, 4);

	cr_assert_eq(order_verify(id, elsewhere, &e), ERR_DENIED);
	cr_assert_eq(order_verify(id, replayed, &e), ERR_DENIED);
}

Test(orders, refuses_what_is_not_signed_by_the_vault)
{
	AUTO_JSON o = order("wipe", id->host_id, 5);

	json_object_set_new(o, "generation", json_integer(6));
	cr_assert_eq(order_verify(id, o, &e), ERR_VERIFY);
	json_object_set_new(o, "generation", json_integer(5));
	cr_assert_eq(order_verify(id, o, &e), ERR_OK);
	id->order_key[3] ^= 1;
	cr_assert_eq(order_verify(id, o, &e), ERR_VERIFY);
}

Test(orders, refuses_what_is_no_wipe_order)
{
	static const char *const keys[] = { "op", "generation", "host_id", "signature" };
	AUTO_JSON other = order("reboot", id->host_id, 5);

	cr_assert_eq(order_verify(id, other, &e), ERR_INVALID);
	cr_assert_eq(order_verify(id, NULL, &e), ERR_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		AUTO_JSON o = order("wipe", id->host_id, 5);

		json_object_del(o, keys[i]);
		cr_expect_eq(order_verify(id, o, &e), ERR_INVALID, "%s", keys[i]);
	}
}

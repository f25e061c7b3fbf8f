/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "hostbox.h"

static unsigned char key[HOSTBOX_KEY], other[HOSTBOX_KEY], box[128], out[128];
static const char said[] = "the lease has ended";

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	randombytes_buf(key, sizeof(key));
	randombytes_buf(other, sizeof(other));
	hostbox_seal(key, HOSTBOX_VAULT, "watch", said, sizeof(said), box);
}

TestSuite(hostbox, .init = setup, .timeout = 20);

#define BOX (sizeof(said) + HOSTBOX_OVERHEAD)

Test(hostbox, opens_what_was_said)
{
	cr_assert_eq(hostbox_open(key, HOSTBOX_VAULT, "watch", box, BOX, out), 0);
	cr_assert_str_eq((const char *)out, said);
	hostbox_seal(key, HOSTBOX_HOST, "ack", "", 0, box);
	cr_assert_eq(hostbox_open(key, HOSTBOX_HOST, "ack", box, HOSTBOX_OVERHEAD, out),
	             0);
}

Test(hostbox, belongs_to_one_session_speaker_and_operation)
{
	cr_assert_neq(hostbox_open(other, HOSTBOX_VAULT, "watch", box, BOX, out), 0);
	cr_assert_neq(hostbox_open(key, HOSTBOX_HOST, "watch", box, BOX, out), 0);
	cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "sync", box, BOX, out), 0);
	cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "watc", box, BOX, out), 0);
	cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "watch2", box, BOX, out), 0);
	cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "", box, BOX, out), 0);
}

Test(hostbox, refuses_every_changed_byte_and_every_cut)
{
	for (size_t i = 0; i < BOX; i++) {
		box[i] ^= 1;
		cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "watch", box, BOX, out), 0,
		              "byte %zu", i);
		box[i] ^= 1;
		cr_assert_neq(hostbox_open(key, HOSTBOX_VAULT, "watch", box, i, out), 0,
		              "%zu bytes", i);
	}
}

Test(hostbox, is_never_the_same_twice)
{
	unsigned char again[BOX];

	hostbox_seal(key, HOSTBOX_VAULT, "watch", said, sizeof(said), again);
	cr_assert_neq(memcmp(again, box, 24), 0);
	cr_assert_neq(memcmp(again + 24, box + 24, BOX - 24), 0);
}

/* Put together from the description: the form may not change. */
Test(hostbox, has_the_form_that_is_written_down)
{
	unsigned char as[] = "vault/host-session/v1\0\1watch";
	unsigned long long n;

	cr_assert_eq(crypto_aead_xchacha20poly1305_ietf_decrypt(
			     out, &n, NULL, box + 24, BOX - 24, as, sizeof(as), box, key),
	             0);
	cr_assert_eq(n, sizeof(said));
}

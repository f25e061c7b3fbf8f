/* SPDX-License-Identifier: Apache-2.0 */
#include "sk.h"

static const char *const per_secret[] = { "key_type", NULL };

static const struct rotator ssh_key_pairs = {
	.name = "ssh-key",
	.strategies = STRATEGY_DUAL_KEY,
	.per_secret = per_secret,
	.run = {
		[OP_CREATE] = sk_create,
		[OP_PROBE] = sk_probe,
		[OP_TEST] = sk_test,
		[OP_RETIRE] = sk_retire,
		[OP_LOGIN] = sk_login,
	},
};

int main(void)
{
	return rotator_main(&ssh_key_pairs);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "x5.h"

/* Names, purpose and lifetime, within what the target allows (allowed_domains, max_ttl).
 * The subject's other parts are what access may hang on: they are the target's. */
static const char *const per_secret[] = { "common_name", "sans",   "ttl",
	                                  "key_type",    "usages", NULL };

static const char *const settings[] = {
	"allowed_domains", "max_ttl",  "crl_file", "organization", "organizational_unit",
	"country",         "locality", "province", "strategy",     NULL
};

static const struct rotator x509 = {
	.name = "x509",
	.strategies = STRATEGY_REISSUE,
	.needs_admin = true,
	.per_secret = per_secret,
	.settings = settings,
	.run = {
		[OP_CREATE] = x5_create,
		[OP_PROBE] = x5_probe,
		[OP_TEST] = x5_test,
		[OP_RETIRE] = x5_retire,
		[OP_LOGIN] = x5_login,
	},
};

int main(void)
{
	return rotator_main(&x509);
}

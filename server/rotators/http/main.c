/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>

#include "ht.h"

/* {{vars.…}} are for requests that the operator has written with a place for them; where
 * requests go, and what they say, is the target's. */
static const char *const per_secret[] = { "vars", NULL };

static const struct rotator http = {
	.name = "http",
	.strategies = STRATEGY_SINGLE | STRATEGY_DUAL_USER | STRATEGY_DUAL_KEY,
	.value_min = 1,
	.value_max = REQUEST_PASSWORD_MAX,
	.value_forbid = "",
	.per_secret = per_secret,
	.run = {
		[OP_CREATE] = ht_create,
		[OP_PROBE] = ht_probe,
		[OP_SET] = ht_set,
		[OP_TEST] = ht_test,
		[OP_RETIRE] = ht_retire,
		[OP_REVERT] = ht_revert,
		[OP_LOGIN] = ht_login,
	},
};

int main(void)
{
	int status;

	/* Before the frame clears the environment nothing of it is read. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EXIT_FAILURE;
	status = rotator_main(&http);
	curl_global_cleanup();
	return status;
}

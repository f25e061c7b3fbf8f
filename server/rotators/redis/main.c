/* SPDX-License-Identifier: Apache-2.0 */
#include "rd.h"

static const char *const per_secret[] = { "retire", NULL };

static const char *const settings[] = { ACCOUNT_SETTINGS, "insecure_tls",
	                                "persistence_mode", NULL };

static const struct driver redis = {
	.rotator = {
		.name = "redis",
		.strategies = STRATEGY_SINGLE | STRATEGY_DUAL_USER | STRATEGY_DUAL_KEY,
		.value_min = 8,
		.value_max = 512,
		.value_forbid = "",
		.per_secret = per_secret,
		.settings = settings,
	},
	.login = rd_login,
	.logout = rd_logout,
	.check = rd_check,
	.set = rd_set,
	.drop = rd_drop,
	.disable = rd_disable,
	.user_create = rd_user_create,
	.user_renew = rd_user_renew,
	.user_revoke = rd_user_revoke,
};

int main(void)
{
	return account_main(&redis);
}

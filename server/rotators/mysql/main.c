/* SPDX-License-Identifier: Apache-2.0 */
#include "my.h"

static const char *const per_secret[] = { "retire", "host_pattern", NULL };

static const char *const settings[] = { ACCOUNT_SETTINGS, NULL };

static const struct driver mysql = {
	.rotator = {
		.name = "mysql",
		.strategies = STRATEGY_SINGLE | STRATEGY_DUAL_USER,
		.value_min = 8,
		.value_max = 79, /* MariaDB's limit for what is typed in */
		/* for statements of an operator: see statement.h */
		.value_forbid = "'\"`\\;$",
		.per_secret = per_secret,
		.settings = settings,
	},
	.login = my_login,
	.logout = my_logout,
	.check = my_check,
	.set = my_set,
	.disable = my_disable,
	.user_create = my_user_create,
	.user_renew = my_user_renew,
	.user_revoke = my_user_revoke,
};

int main(void)
{
	return account_main(&mysql);
}

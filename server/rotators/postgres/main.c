/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

static const char *const per_secret[] = { "retire", NULL };

static const char *const settings[] = { ACCOUNT_SETTINGS, "password_authentication",
	                                NULL };

static const struct driver postgres = {
	.rotator = {
		.name = "postgres",
		.strategies = STRATEGY_SINGLE | STRATEGY_DUAL_USER,
		.value_min = 8,
		.value_max = 512,
		/* for statements of an operator: see statement.h */
		.value_forbid = "'\"`\\;$",
		.per_secret = per_secret,
		.settings = settings,
	},
	.login = pg_login,
	.logout = pg_logout,
	.check = pg_check,
	.set = pg_set,
	.disable = pg_disable,
	.user_create = pg_user_create,
	.user_renew = pg_user_renew,
	.user_revoke = pg_user_revoke,
};

int main(void)
{
	return account_main(&postgres);
}

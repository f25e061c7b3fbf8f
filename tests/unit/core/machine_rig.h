/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CORE_MACHINE_RIG_H
#define TESTS_UNIT_CORE_MACHINE_RIG_H
/* machine_rig - one secret with a rule, and what must be true of it. */
#include "target_rig.h"

#define ROTATE "sys/rotation/rotate/secret/app/db"
#define CONFIG "sys/rotation/config/secret/app/db"
#define STATUS "sys/rotation/status/secret/app/db"
#define TARGET "sys/rotation/targets/pg"

UNUSED static void put_value(const char *user, const char *value)
{
	ASK(200, HTTP_POST, "secret/data/app/db",
	    arena_printf(
		    rig.a,
		    "{\"data\":{\"username\":\"%s\",\"password\":\"%s\",\"x\":\"y\"}}",
		    user, value));
}

UNUSED static void setup(void)
{
	tgt_start();
	tgt_account("app_a", "first-value");
	tgt_account("app_b", "unknown-to-us");
	put_value("app_a", "first-value");
	TGT(204, HTTP_POST, TARGET,
	    "{\"rotator\":\"fake\",\"config\":{\"host\":\"db\"},"
	    "\"admin\":{\"username\":\"root\",\"password\":\"top\"}}");
	tgt.log[0] = '\0';
}

UNUSED static void rule(const char *strategy, const char *more)
{
	bool dual = strcmp(strategy, "dual_user") == 0;

	ASK(204, HTTP_POST, CONFIG,
	    arena_printf(rig.a,
	                 "{\"target\":\"pg\",\"strategy\":\"%s\",\"accounts\":%s%s%s}",
	                 strategy, dual ? "[\"app_a\",\"app_b\"]" : "[\"app_a\"]",
	                 strstr(more, "grace") == NULL ? ",\"grace\":0" : "", more));
}

UNUSED static const char *stored(const char *field)
{
	ASK(200, HTTP_GET, "secret/data/app/db", NULL);
	return rig_got(arena_printf(rig.a, "data.data.%s", field));
}

/* The one thing that must hold whatever happened: what the vault serves opens the target.
 */
UNUSED static void works(void)
{
	const char *user = stored("username");

	cr_assert(tgt_works(user, stored("password")), "%s / %s is dead", user,
	          stored("password"));
}

UNUSED static void works_not(void)
{
	cr_assert_not(tgt_works(stored("username"), stored("password")));
}

/* No value is alive at the target that the vault does not serve. */
UNUSED static void nothing_else(void)
{
	const char *user = stored("username"), *value = stored("password");

	for (size_t i = 0; i < tgt.accounts; i++)
		for (int v = 0; v < 2; v++) {
			const char *at = tgt.account[i].value[v];

			cr_assert(at[0] == '\0' || strcmp(at, "unknown-to-us") == 0 ||
			                  (strcmp(tgt.account[i].name, user) == 0 &&
			                   strcmp(at, value) == 0),
			          "%s still takes %s", tgt.account[i].name, at);
		}
}

UNUSED static const char *state(void)
{
	ASK(200, HTTP_GET, STATUS, NULL);
	return rig_got("data.last.state");
}

UNUSED static void start(void)
{
	ASK(200, HTTP_POST, ROTATE, "{\"wait\":false}");
}

/* Run until core has handed a call of this kind to rotate, which has not begun it. */
UNUSED static void until_call(const char *op)
{
	for (int i = 0; i < 200; i++) {
		rig_run();
		if (tgt.queued > 0) {
			const struct value *rq = value_get(tgt.queue[0].frame, "request");

			if (strcmp(tgt_text(rq, "op"), op) == 0)
				return;
			tgt_one(tgt.queue[0].number, tgt.queue[0].frame);
			tgt.queued = 0;
		}
		rig_advance(3);
	}
	cr_assert_fail("no %s was called: %s", op, tgt.log);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* userpass while a password is being hashed: what was judged before must still hold. */
#include "token_rig.h"

/* Of "U*U": argon2id at the least cost. */
static char hash[crypto_pwhash_STRBYTES];
#define USER "auth/userpass/users/bob"

static void setup(void)
{
	rig_start();
	cr_assert_eq(crypto_pwhash_str(hash, "U*U", 3, crypto_pwhash_OPSLIMIT_MIN,
	                               crypto_pwhash_MEMLIMIT_MIN),
	             0);
	ASK(204, HTTP_POST, "sys/auth/userpass", "{\"type\":\"userpass\"}");
}

TestSuite(userpass, .init = setup, .fini = rig_stop, .timeout = 60);

/* The password as it is stored, and what else is said of the user. */
static const char *hashed(const char *more)
{
	return arena_printf(rig.a, "{\"password_hash\":\"%s\"%s}", hash, more);
}

/* The first of ${n} requests of one batch has to wait for its hash; this is its answer.
 */
static int after_the_others(int n)
{
	int before = rig.replies;

	rig_run();
	cr_assert_eq(rig.replies, before + n - 1);
	rig_run();
	cr_assert_eq(rig.replies, before + n);
	return rig.status;
}

Test(userpass, who_may_create_does_not_change_who_came_meanwhile)
{
	const char *t;

	policy("creator",
	       "path \\\"auth/userpass/users/*\\\" { capabilities = [\\\"create\\\"] }");
	t = create(rig.root, "{\"policies\":[\"creator\"]}");
	rig_submit(HTTP_POST, USER, t, "{\"password\":\"mine\"}");
	rig_submit(HTTP_POST, USER, rig.root, hashed(""));
	cr_assert_eq(after_the_others(2), 403, "%s", rig_got(""));
	ASK_AS(400, NULL, HTTP_POST, "auth/userpass/login/bob",
	       "{\"password\":\"mine\"}");
	ASK_AS(200, NULL, HTTP_POST, "auth/userpass/login/bob", "{\"password\":\"U*U\"}");
	rig_submit(HTTP_POST, "auth/userpass/users/eve", t, "{\"password\":\"mine\"}");
	cr_assert_eq(after_the_others(1), 204, "%s", rig_got(""));
}

/* What is added to a clock: a lockout that overflowed would be over before it began. */
Test(userpass, durations_have_an_end)
{
	static const char *const bad[] = {
		"{\"user_lockout_config\":{\"lockout_duration\":9223372036854775}}",
		"{\"user_lockout_config\":{\"lockout_counter_reset_duration\":9223372037}}",
		"{\"max_lease_ttl\":9223372036854775}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASK(400, HTTP_POST, "sys/auth/userpass/tune", bad[i]);
	ASK(204, HTTP_POST, "sys/auth/userpass/tune",
	    "{\"max_lease_ttl\":9223372036,\"user_lockout_config\":{"
	    "\"lockout_threshold\":1,\"lockout_duration\":9223372036}}");
	ASK(204, HTTP_POST, USER, hashed(",\"token_ttl\":9223372036"));
	ASK_AS(200, NULL, HTTP_POST, "auth/userpass/login/bob", "{\"password\":\"U*U\"}");
	GOT("auth.lease_duration", "9223372036");
	ASK_AS(400, NULL, HTTP_POST, "auth/userpass/login/bob", "{\"password\":\"x\"}");
	ASK_AS(403, NULL, HTTP_POST, "auth/userpass/login/bob", "{\"password\":\"U*U\"}");
}

Test(userpass, an_old_password_does_not_open_who_came_meanwhile)
{
	ASK(204, HTTP_POST, USER, "{\"password\":\"old\",\"token_policies\":\"a\"}");
	rig_submit(HTTP_POST, "auth/userpass/login/bob", NULL, "{\"password\":\"old\"}");
	rig_submit(HTTP_DELETE, USER, rig.root, NULL);
	rig_submit(HTTP_POST, USER, rig.root, hashed(",\"token_policies\":\"b\""));
	cr_assert_eq(after_the_others(3), 400, "%s", rig_got(""));
	GOT("errors", "[invalid username or password]");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A rotation from the request to the last holder's acknowledgement. */
#include "host_rig.h"

static struct agent one, two;
static char *lease_one, *lease_two;

static void setup(void)
{
	rig_start();
	put_secret("app/db", "first");
	make_role("web", "secret/app/*");
	agent_start(&one, "web-1", "web");
	agent_start(&two, "web-2", "web");
	lease_one = agent_lease(&one, "secret/app/db");
	lease_two = agent_lease(&two, "secret/app/db");
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
}

TestSuite(rotation, .init = setup, .fini = rig_stop, .timeout = 120);

#define ROTATE "sys/rotation/rotate/secret/app/db"
#define CONFIG "sys/rotation/config/secret/app/db"
#define STATUS "sys/rotation/status/secret/app/db"

static const char *current(const char *field)
{
	ASK(200, HTTP_GET, "secret/data/app/db", NULL);
	return rig_got(arena_printf(rig.a, "data.data.%s", field));
}

/* Start one that does not wait; returns its id. */
static char *start(const char *fields)
{
	ASK(200, HTTP_POST, ROTATE, fields);
	return arena_str(rig.a, rig_got("data.attempt_id"));
}

static void look(const char *attempt)
{
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/rotation/attempts/%s", attempt),
	    NULL);
}

static const struct value *holder(const char *host)
{
	const struct value *list = value_get(value_get(rig.body, "data"), "holders");

	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (value_is_str(value_get(v, "host"), host))
			return v;
	return NULL;
}

Test(rotation, converges_when_every_holder_has_applied)
{
	int before = rig.replies;
	const struct value *h;

	rig_submit(HTTP_POST, ROTATE, rig.root, "{\"timeout\":\"60s\"}");
	rig_run();
	cr_assert_eq(rig.replies, before, "it waits");
	rig_advance(5);
	cr_assert_eq(agent_apply(&one, lease_one), 2);
	rig_run();
	cr_assert_eq(rig.replies, before + 2, "it still waits");
	rig_advance(7);
	before = rig.replies;
	cr_assert_eq(agent_apply(&two, lease_two), 2);
	run_until(before, 3);
	cr_assert_eq(rig.status, 200);
	GOT("data.state", "converged");
	GOT("data.path", "secret/app/db");
	GOT("data.version", "2");
	GOT("data.previous_version", "1");
	GOT("data.took_ms", "12");
	h = holder("web-1");
	cr_assert_eq(value_int_or(h, "applied_ms", -1), 5);
	cr_assert_eq(value_int_or(h, "version", -1), 2);
	cr_assert(value_is_str(value_get(h, "state"), "applied"));
	cr_assert_not(value_bool_or(h, "late", true));
	cr_assert_eq(value_int_or(holder("web-2"), "applied_ms", -1), 12);
	cr_assert_eq(strlen(current("password")), 32);
	cr_assert_str_eq(current("user"), "u", "the other fields are copied");
}

Test(rotation, holders_get_the_new_value)
{
	int64_t version = 0;
	const char *mine;

	start("{\"wait\":false}");
	mine = agent_fetch(&one, lease_one, "password", &version);
	cr_assert_str_neq(mine, "first");
	cr_assert_str_eq(mine, current("password"));
}

Test(rotation, names_who_is_late)
{
	int before = rig.replies;
	char *attempt;

	rig_submit(HTTP_POST, ROTATE, rig.root, "{\"timeout\":\"10s\"}");
	rig_run();
	agent_apply(&one, lease_one);
	before = rig.replies;
	rig_advance(9999);
	rig_run();
	cr_assert_eq(rig.replies, before);
	rig_advance(1);
	run_until(before, 1);
	GOT("data.state", "late");
	cr_assert_not(value_bool_or(holder("web-1"), "late", true));
	cr_assert(value_bool_or(holder("web-2"), "late", false));
	cr_assert(value_is_str(value_get(holder("web-2"), "state"), "waiting"));
	cr_assert_eq(value_int_or(holder("web-2"), "version", -1), 1);
	attempt = arena_str(rig.a, rig_got("data.attempt_id"));
	/* Being late does not block the next one, and the report stays as it was. */
	agent_apply(&two, lease_two);
	look(attempt);
	cr_assert(value_bool_or(holder("web-2"), "late", false));
	start("{\"wait\":false}");
}

Test(rotation, goes_on_after_a_restart)
{
	char *attempt = start("{\"wait\":false,\"timeout\":\"60s\"}");

	GOT("data.state", "published");
	agent_apply(&one, lease_one);
	rig_reopen();
	look(attempt);
	GOT("data.state", "published");
	GOT("data.holders_applied", "1");
	agent_apply(&two, lease_two);
	look(attempt);
	GOT("data.state", "converged");
}

Test(rotation, is_late_after_a_restart_too)
{
	char *attempt = start("{\"wait\":false,\"timeout\":\"60s\"}");

	core_close(rig.core);
	rig_advance(61000);
	rig_open();
	rig_unseal();
	run_timers();
	look(attempt);
	GOT("data.state", "late");
	cr_assert(value_bool_or(holder("web-1"), "late", false));
}

Test(rotation, deadline_does_not_jump_with_the_clock)
{
	char *attempt = start("{\"wait\":false,\"timeout\":\"60s\"}");

	rig.wall += 3600 * 1000;
	run_timers();
	look(attempt);
	GOT("data.state", "published");
	rig.boot += 60000;
	rig.wall += 60000;
	run_timers();
	look(attempt);
	GOT("data.state", "late");
}

Test(rotation, one_at_a_time)
{
	char *attempt = start("{\"wait\":false}");

	ASK(400, HTTP_POST, ROTATE, NULL);
	GOT("errors",
	    arena_printf(
		    rig.a,
		    "[a rotation of this secret is still under way: attempt %s is published]",
		    attempt));
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
	start("{\"wait\":false}");
}

Test(rotation, who_joins_after_the_publication_is_not_waited_for)
{
	struct agent three;
	char *attempt = start("{\"wait\":false}");

	agent_start(&three, "web-3", "web");
	agent_lease(&three, "secret/app/db");
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
	look(attempt);
	GOT("data.state", "converged");
	cr_assert_null(holder("web-3"));
}

Test(rotation, counts_many_holders_in_slices)
{
	struct agent more[5];
	char *attempt;

	holders(300, 1);
	attempt = start("{\"wait\":false,\"timeout\":\"10s\"}");
	/* While they are counted others join: these have the new version from the start.
	 */
	for (int i = 0; i < 5; i++) {
		agent_start(&more[i], arena_printf(rig.a, "n-%d", i), "web");
		agent_lease(&more[i], "secret/app/db");
	}
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
	for (int i = 0; i < 20; i++) {
		rig_advance(5);
		rig_run();
	}
	look(attempt);
	GOT("data.state", "published");
	GOT("data.holders_total", "302");
	GOT("data.holders_applied", "2");
	GOT("data.holders_waiting", "300");
	rig_advance(10000);
	run_timers();
	look(attempt);
	GOT("data.state", "late");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "holders")->len, 302);
}

Test(rotation, does_not_end_before_all_are_counted)
{
	char *attempt;

	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	ASK(204, HTTP_POST, "sys/hosts/web-2/revoke", NULL);
	holders(300, 99);
	attempt = start("{\"wait\":false}");
	GOT("data.state", "published");
	for (int i = 0; i < 20; i++) {
		rig_advance(5);
		rig_run();
	}
	look(attempt);
	GOT("data.state", "converged");
	GOT("data.holders_applied", "300");
}

Test(rotation, missed_slots_run_once)
{
	put_secret("app/lonely", "x");
	ASK(204, HTTP_POST, "sys/rotation/config/secret/app/lonely",
	    "{\"every\":\"10m\",\"jitter\":\"none\"}");
	rig_advance(3700000);
	run_timers();
	ASK(200, HTTP_GET, "sys/rotation/status/secret/app/lonely", NULL);
	GOT("data.last.version", "2");
	rig_advance(500000);
	run_timers();
	ASK(200, HTTP_GET, "sys/rotation/status/secret/app/lonely", NULL);
	GOT("data.last.version", "3");
}

Test(rotation, who_is_revoked_or_gives_up_is_not_waited_for)
{
	char *attempt = start("{\"wait\":false}");

	agent_post(&one, "release",
	           arena_printf(rig.a, "{\"rev\":1000000,\"leases\":[\"%s\"]}",
	                        lease_one));
	look(attempt);
	GOT("data.state", "published");
	ASK(204, HTTP_POST, "sys/hosts/web-2/revoke", NULL);
	look(attempt);
	GOT("data.state", "converged");
	GOT("data.holders_applied", "0");
}

Test(rotation, a_newer_version_counts_too)
{
	char *attempt = start("{\"wait\":false}");

	put_secret("app/db", "by hand");
	cr_assert_eq(agent_apply(&one, lease_one), 3);
	cr_assert_eq(agent_apply(&two, lease_two), 3);
	look(attempt);
	GOT("data.state", "converged");
	cr_assert_str_eq(current("password"), "by hand");
}

Test(rotation, without_holders_is_done_at_once)
{
	put_secret("app/lonely", "x");
	ASK(200, HTTP_POST, "sys/rotation/rotate/secret/app/lonely", NULL);
	GOT("data.state", "converged");
	GOT("data.holders", "[]");
}

Test(rotation, readers_of_the_plain_api_are_named)
{
	current("password");
	ASK(200, HTTP_POST, ROTATE, "{\"wait\":false}");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "untracked_readers")->len, 1);
	cr_assert_eq(strncmp(rig_got("data.untracked_readers.0"), "root", 4), 0);
}

Test(rotation, follows_the_rule)
{
	const char *p;

	ASK(204, HTTP_POST, CONFIG,
	    "{\"field\":\"user\",\"length\":\"12\",\"alphabet\":\"xy\"}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.field", "user");
	GOT("data.bits", "12");
	GOT("data.next", "null");
	start("{\"wait\":false}");
	p = current("user");
	cr_assert_eq(strlen(p), 12);
	cr_assert_eq(strspn(p, "xy"), 12);
	cr_assert_str_eq(current("password"), "first");
	/* what is not named stays */
	ASK(204, HTTP_POST, CONFIG, "{\"classes\":[\"digit\"]}");
	ASK(200, HTTP_GET, CONFIG, NULL);
	GOT("data.length", "12");
	GOT("data.classes", "[digit]");
	GOT("data.alphabet", "");
	ASK(200, HTTP_LIST, "sys/rotation/config", NULL);
	GOT("data.keys", "[secret/app/db]");
	ASK(204, HTTP_DELETE, CONFIG, NULL);
	ASK(404, HTTP_GET, CONFIG, NULL);
	ASK(404, HTTP_LIST, "sys/rotation/config", NULL);
	ASK(200, HTTP_GET, STATUS, NULL);
	GOT("data.last.version", "2");
}

struct bad_case {
	char fields[80];
	char error[100];
};
ParameterizedTestParameters(rotation, bad_rules)
{
	/* clang-format off */
	static struct bad_case c[] = {
		{ "{\"length\":0}", "[length: 1 to 512]" },
		{ "{\"length\":513}", "[length: 1 to 512]" },
		{ "{\"length\":\"x\"}", "[Field validation failed: error converting input for field \"length\": expected int]" },
		{ "{\"classes\":\"lower,greek\"}", "[classes: lower, upper, digit, symbol]" },
		{ "{\"classes\":[]}", "[classes: name at least one]" },
		{ "{\"alphabet\":\"aa\"}", "[alphabet: a character occurs twice]" },
		{ "{\"alphabet\":\"ab\",\"classes\":\"lower\"}", "[alphabet or classes, not both]" },
		{ "{\"every\":\"10ms\"}", "[every: between 1s and 3660d]" },
		{ "{\"every\":\"-1h\"}", "[every: a duration, such as \"2h\" or 7200]" },
		{ "{\"every\":\"1h\",\"cron\":\"0 0 * * *\"}", "[exactly one of cron, every and after]" },
		{ "{\"timeout\":\"1ms\"}", "[timeout: between 100ms and 24h]" },
	};
	/* clang-format on */
	return cr_make_param_array(struct bad_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct bad_case *c, rotation, bad_rules)
{
	ASK(400, HTTP_POST, CONFIG, c->fields);
	GOT("errors", c->error);
	ASK(404, HTTP_GET, CONFIG, NULL);
}

Test(rotation, refusals)
{
	ASK(400, HTTP_POST, "sys/rotation/rotate/secret/none", NULL);
	GOT("errors", "[there is no secret at \"secret/none\"]");
	ASK(400, HTTP_POST, "sys/rotation/config/secret/none", "{\"length\":8}");
	ASK(200, HTTP_POST, "secret/data/app/two",
	    "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
	ASK(400, HTTP_POST, "sys/rotation/rotate/secret/app/two", NULL);
	cr_assert_not_null(strstr(rig_got("errors"), "vaultctl rotation set"));
	ASK(204, HTTP_DELETE, "secret/data/app/two", NULL);
	ASK(400, HTTP_POST, "sys/rotation/rotate/secret/app/two", NULL);
	GOT("errors", "[the secret has no current version]");
	ASK(400, HTTP_GET, "sys/rotation/attempts/x", NULL);
	ASK(404, HTTP_GET, "sys/rotation/attempts/00000000000000000000000000000000",
	    NULL);
}

static const char *status(const char *field)
{
	ASK(200, HTTP_GET, STATUS, NULL);
	return rig_got(arena_printf(rig.a, "data.%s", field));
}

static void both_apply(void)
{
	agent_apply(&one, lease_one);
	agent_apply(&two, lease_two);
}

Test(rotation, runs_by_schedule)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"every\":\"10m\",\"jitter\":\"none\",\"timeout\":\"30s\"}");
	rig_advance(590000);
	run_timers();
	cr_assert_str_eq(status("last.version"), "-");
	rig_advance(10000);
	run_timers();
	cr_assert_str_eq(status("last.version"), "2");
	cr_assert_str_eq(status("last.cause"), "schedule");
	both_apply();
	cr_assert_str_eq(status("last.state"), "converged");
	/* three slots were missed: one run */
	core_close(rig.core);
	rig_advance(1900000);
	rig_open();
	rig_unseal();
	run_timers();
	cr_assert_str_eq(status("last.version"), "3");
	both_apply();
	run_timers();
	cr_assert_str_eq(status("last.version"), "3");
	ASK(204, HTTP_POST, CONFIG, "{\"every\":\"0\"}");
	rig_advance(3600000);
	run_timers();
	cr_assert_str_eq(status("last.version"), "3");
	cr_assert_str_eq(status("next"), "null");
}

Test(rotation, a_slot_that_cannot_run_says_why_and_waits_for_the_next)
{
	ASK(204, HTTP_POST, CONFIG,
	    "{\"every\":\"10m\",\"jitter\":\"none\",\"timeout\":\"1h\"}");
	rig_advance(600000);
	run_timers();
	cr_assert_str_eq(status("last.version"), "2");
	rig_advance(600000);
	run_timers();
	cr_assert_not_null(strstr(status("problem"), "still under way"));
	cr_assert_str_eq(status("last.version"), "2");
	/* The hosts' tokens have a life of an hour: 20 minutes are over. */
	both_apply();
	rig_advance(600000);
	run_timers();
	cr_assert_str_eq(status("last.version"), "3");
	cr_assert_str_eq(status("problem"), "");
}

Test(rotation, keeps_the_newest_attempts)
{
	put_secret("app/lonely", "x");
	for (int i = 0; i < 25; i++) {
		rig_advance(1000);
		ASK(200, HTTP_POST, "sys/rotation/rotate/secret/app/lonely", NULL);
	}
	ASK(200, HTTP_LIST, "sys/rotation/attempts", NULL);
	cr_assert_eq(value_get(value_get(rig.body, "data"), "keys")->len, 10);
	for (const struct value *v =
	             value_get(value_get(rig.body, "data"), "key_info")->first;
	     v != NULL; v = v->next)
		cr_assert_gt(value_int_or(v, "version", 0), 16);
}

/* Records of what happened, newest first. */
static const char *records(const char *operation)
{
	ASK(200, HTTP_GET, "sys/audit-log/records",
	    arena_printf(rig.a, "{\"operation\":\"%s\"}", operation));
	return rig_got("data.records");
}

Test(rotation, every_transition_has_a_record)
{
	const char *text;
	int published = 0, converged = 0;

	start("{\"wait\":false}");
	both_apply();
	text = records("rotate");
	for (const char *p = text; (p = strstr(p, "state:published")) != NULL; p++)
		published++;
	for (const char *p = text; (p = strstr(p, "state:converged")) != NULL; p++)
		converged++;
	cr_assert_eq(published, 1, "%s", text);
	cr_assert_eq(converged, 1, "%s", text);
	cr_assert_null(strstr(text, "first"));
}

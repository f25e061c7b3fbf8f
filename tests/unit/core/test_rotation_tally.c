/* SPDX-License-Identifier: Apache-2.0 */
/* Many holders acknowledge in one batch: their number is written once, and is right. */
#include "host_rig.h"

#define AGENTS 4

static struct agent agent[AGENTS];
static char *lease[AGENTS], *attempt;
static unsigned char id[16];

static void setup(void)
{
	rig_start();
	put_secret("app/db", "first");
	make_role("web", "secret/app/*");
	for (int i = 0; i < AGENTS; i++) {
		int64_t version;

		agent_start(&agent[i], arena_printf(rig.a, "web-%d", i), "web");
		lease[i] = agent_lease(&agent[i], "secret/app/db");
		agent_apply(&agent[i], lease[i]);
		cr_assert_gt(agent_fetch(&agent[i], lease[i], "user", &version)[0], 0);
	}
	ASK(200, HTTP_POST, "sys/rotation/rotate/secret/app/db", "{\"wait\":false}");
	attempt = arena_str(rig.a, rig_got("data.attempt_id"));
	cr_assert_eq(text_unhex(attempt, 32, id, sizeof(id)), 16);
	for (int i = 0; i < AGENTS; i++) {
		int64_t version = 0;

		agent_fetch(&agent[i], lease[i], "password", &version);
		cr_assert_eq(version, 2);
	}
}

TestSuite(rotation_tally, .init = setup, .fini = rig_stop, .timeout = 120);

/* An acknowledgement that waits for the next batch; ${more}: of what else it speaks. */
static void submit_state(int i, const char *state, const char *more)
{
	char *said =
		agent_says(&agent[i], "ack",
	                   arena_printf(rig.a,
	                                "{\"acks\":[{\"lease_id\":\"%s\",\"version\":2,"
	                                "\"rev\":1000000,\"state\":\"%s\"}%s]}",
	                                lease[i], state, more));

	rig_submit(HTTP_POST, "sys/agent/ack", agent[i].token, said);
}

static void submit(int i, const char *more)
{
	submit_state(i, "applied", more);
}

static void run_all(int n)
{
	int before = rig.replies;

	rig_run();
	cr_assert_eq(rig.replies, before + n, "one batch");
}

static void is(const char *state, const char *applied, const char *waiting)
{
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/rotation/attempts/%s", attempt),
	    NULL);
	GOT("data.state", state);
	GOT("data.holders_applied", applied);
	GOT("data.holders_waiting", waiting);
}

static int read_row(struct core *c, void *arg, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, rig.a, KIND_ATTEMPT, id, sizeof(id), &o, e);

	*(int64_t *)arg = o.version;
	return rc;
}

static int64_t row_version(void)
{
	struct err e = { 0 };
	int64_t version = 0;

	cr_assert_eq(batch_alone(rig.core, read_row, &version, &e), ERR_OK, "%s", e.msg);
	return version;
}

Test(rotation_tally, a_batch_writes_the_row_once)
{
	int64_t version = row_version();

	submit(0, "");
	submit(1, "");
	submit(2, "");
	run_all(3);
	cr_assert_eq(row_version(), version + 1);
	is("published", "3", "1");
	submit(3, "");
	run_all(1);
	is("converged", "4", "0");
}

Test(rotation_tally, the_last_one_of_a_batch_ends_it)
{
	for (int i = 0; i < AGENTS; i++)
		submit(i, "");
	run_all(AGENTS);
	is("converged", "4", "0");
}

#define REFUSED ",{\"lease_id\":\"00\",\"state\":\"bogus\"}"

/* A rejection has the row written at once. */
Test(rotation_tally, what_was_written_by_what_is_refused_is_written_again)
{
	submit(0, "");
	submit_state(1, "rejected", REFUSED);
	run_all(2);
	is("published", "1", "3");
}

Test(rotation_tally, what_is_refused_is_not_counted)
{
	submit(0, "");
	submit(1, REFUSED);
	submit(2, "");
	run_all(3);
	is("published", "2", "2");
	submit(1, "");
	submit(3, "");
	run_all(2);
	is("converged", "4", "0");
}

static int settle(struct core *c, struct err *e)
{
	return rotation_settled(c, rig.a, id, 2, true, e);
}

static void waits_for(struct core *c, int64_t waiting, struct rotation_attempt *t)
{
	struct err e = { 0 };

	cr_assert_eq(rotation_attempt_load(c, rig.a, id, t, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(t->waiting, waiting);
	cr_assert_eq(t->applied, AGENTS - waiting);
}

/* Reads see what is counted, writes bring it along; what was read before is stale. */
static int mixed(struct core *c, void *arg, struct err *e)
{
	struct rotation_attempt t, stale;
	struct err why = { 0 };

	cr_assert_eq(settle(c, e), ERR_OK);
	waits_for(c, 3, &stale);
	cr_assert_eq(settle(c, e), ERR_OK);
	waits_for(c, 2, &t);
	cr_assert_eq(rotation_attempt_save(c, rig.a, &stale, &why), ERR_CONFLICT);
	cr_assert_eq(rotation_attempt_save(c, rig.a, &t, e), ERR_OK);
	cr_assert_eq(rotation_attempt_save(c, rig.a, &t, e), ERR_OK);
	waits_for(c, 2, &t);
	cr_assert_eq(settle(c, e), ERR_OK);
	waits_for(c, 1, &t);
	cr_assert_eq(rotation_settled(c, rig.a, id, 1, true, e), ERR_OK);
	waits_for(c, 1, &t); /* of another version nobody waits for a holder */
	return arg != NULL ? err_set(e, ERR_INVALID, "taken back") : ERR_OK;
}

Test(rotation_tally, is_seen_saved_and_rolled_back)
{
	struct err e = { 0 };
	int back = 1;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(batch_alone(rig.core, mixed, &back, &e), ERR_INVALID, "%s",
		             e.msg);
	is("published", "0", "4");
	cr_assert_eq(batch_alone(rig.core, mixed, NULL, &e), ERR_OK, "%s", e.msg);
	is("published", "3", "1");
}

static int gone(struct core *c, void *arg, struct err *e)
{
	struct rotation_attempt t;

	(void)arg;
	cr_assert_eq(settle(c, e), ERR_OK);
	waits_for(c, 3, &t);
	return store_delete(c, &t.o, e);
}

Test(rotation_tally, of_an_attempt_that_goes_nothing_stays)
{
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, gone, NULL, &e), ERR_OK, "%s", e.msg);
	ASK(404, HTTP_GET, arena_printf(rig.a, "sys/rotation/attempts/%s", attempt),
	    NULL);
}

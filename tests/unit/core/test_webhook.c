/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: notices are kept with what they tell of, leave in order, survive a crash, and
 * are given up in the end.  Reminders of secrets that people replace. */
#include "core_rig.h"

#include "step.h"
#include "webhook.h"

#define HOOK "sys/rotation/webhooks/ops"
#define DAY  (24ll * 3600 * 1000)

/* What was handed to the rotator. */
static struct {
	uint64_t number;
	char id[40], event[16], path[64];
	int64_t version;
	bool waiting; /* no answer yet */
} sent[64];
static int n_sent;

static const char *text_of(const struct value *v, const char *key)
{
	return value_cstr_or(rig.a, v, key, "");
}

static int on_send(void *ctx, enum ipc_type type, uint64_t number, const struct value *v)
{
	struct value *frame = NULL;
	const struct value *notice;
	struct err e;
	size_t n;
	unsigned char *p;

	(void)ctx;
	if (type != IPC_STEP)
		return ERR_OK;
	p = value_pack(rig.a, v, &n);
	cr_assert_eq(value_decode(rig.a, p, n, &frame, &e), ERR_OK, "%s", e.msg);
	notice = value_get(value_get(frame, "request"), "notice");
	cr_assert_not_null(notice);
	cr_assert_lt(n_sent, 64);
	sent[n_sent].number = number;
	snprintf(sent[n_sent].id, 40, "%s", text_of(notice, "id"));
	snprintf(sent[n_sent].event, 16, "%s", text_of(notice, "event"));
	snprintf(sent[n_sent].path, 64, "%s", text_of(notice, "path"));
	sent[n_sent].version = value_int_or(notice, "version", 0);
	sent[n_sent++].waiting = true;
	return ERR_OK;
}

static void link_up(void)
{
	const struct step_link l = { .send = on_send };

	step_link_up(rig.core, &l);
}

static void answer(int i, bool ok)
{
	struct value *r = value_object(rig.a);
	unsigned char *p;
	size_t n;

	value_set_str(rig.a, r, "outcome", "reply");
	value_set_bool(rig.a, r, "started", true);
	value_set_str(rig.a, r, "status", ok ? "ok" : "error");
	if (!ok) {
		value_set_str(rig.a, r, "class", "retryable");
		value_set_str(rig.a, r, "message", "HTTP 503");
	}
	p = value_pack(rig.a, r, &n);
	sent[i].waiting = false;
	step_reply(rig.core, sent[i].number, p, n);
}

static void turn(int64_t ms)
{
	rig_advance(ms);
	for (int i = 0; i < 8; i++) {
		rig_run();
		rig_advance(2);
	}
}

/* Answer everything, well or not, until nothing is sent any more. */
static void answer_all(bool ok)
{
	for (int done = 0, i = 0; i < 64; i++) {
		turn(1);
		for (; done < n_sent; done++)
			if (sent[done].waiting)
				answer(done, ok);
	}
}

static void setup(void)
{
	rig.a = arena_new((size_t)512 * 1024 * 1024);
	rig.rotators = rig_json("[{\"name\":\"webhook\",\"path\":\"/x\",\"builtin\":true,"
	                        "\"sha256\":null,\"timeout_ms\":20000}]");
	rig_start();
	link_up();
	ASK(200, HTTP_POST, "secret/data/app",
	    "{\"data\":{\"password\":\"first-value\"}}");
	ASK(200, HTTP_POST, HOOK, "{\"url\":\"https://ops.example/hook\"}");
	cr_assert_eq(strlen(rig_got("data.secret")), 64);
}

TestSuite(webhook, .init = setup, .fini = rig_stop, .timeout = 60);

static void rotate(void)
{
	ASK(200, HTTP_POST, "sys/rotation/rotate/secret/app", "{\"wait\":false}");
}

static const char *shown(const char *field)
{
	ASK(200, HTTP_GET, HOOK, NULL);
	return rig_got(arena_printf(rig.a, "data.%s", field));
}

Test(webhook, notices_leave_one_after_the_other_in_order)
{
	for (int i = 0; i < 5; i++)
		rotate();
	turn(1);
	cr_assert_eq(n_sent, 1, "%d", n_sent);
	cr_assert_str_eq(shown("pending"), "5");
	answer_all(true);
	cr_assert_eq(n_sent, 5);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(sent[i].version, i + 2);
		cr_assert_str_eq(sent[i].event, "done");
		cr_assert_str_eq(sent[i].path, "secret/app");
	}
	cr_assert_str_eq(shown("delivered"), "5");
	cr_assert_str_eq(shown("pending"), "0");
}

Test(webhook, a_refusal_is_tried_again_before_the_next)
{
	rotate();
	rotate();
	turn(1);
	answer(0, false);
	turn(1);
	cr_assert_str_eq(shown("error"), "HTTP 503");
	cr_assert_eq(n_sent, 1, "at once");
	turn(10000);
	cr_assert_eq(n_sent, 2);
	cr_assert_str_eq(sent[1].id, sent[0].id);
	answer_all(true);
	cr_assert_eq(n_sent, 3);
	cr_assert_str_neq(sent[2].id, sent[0].id);
	cr_assert_str_eq(shown("error"), "");
}

Test(webhook, a_crash_loses_nothing)
{
	rotate();
	turn(1);
	cr_assert_eq(n_sent, 1);
	rig_reopen();
	link_up();
	cr_assert_str_eq(shown("pending"), "1");
	turn(60000);
	cr_assert_eq(n_sent, 2, "it was not told again");
	cr_assert_str_eq(sent[1].id, sent[0].id);
	answer(1, true);
	turn(1);
	cr_assert_str_eq(shown("pending"), "0");
}

/* Nothing is told of what did not happen. */
Test(webhook, a_rotation_that_fails_to_begin_is_not_told)
{
	ASK(200, HTTP_POST, "secret/data/two", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
	ASK(400, HTTP_POST, "sys/rotation/rotate/secret/two", "{\"leaked\":true}");
	turn(1);
	cr_assert_eq(n_sent, 0);
	cr_assert_str_eq(shown("pending"), "0");
}

Test(webhook, what_nobody_takes_is_given_up_and_written_down)
{
	rotate();
	for (int i = 0; i < 40 && strcmp(shown("dropped"), "0") == 0; i++) {
		answer_all(false);
		rig_advance(DAY / 4);
	}
	cr_assert_str_eq(shown("dropped"), "1");
	cr_assert_str_eq(shown("pending"), "0");
	ASK(200, HTTP_GET, "sys/audit-log/records", "{\"operation\":\"notify\"}");
	cr_assert_str_neq(rig_got("data.records.0"), "", "%s", rig_got(""));
}

Test(webhook, deleting_one_deletes_what_waits_for_it)
{
	for (int i = 0; i < 70; i++)
		rotate();
	turn(1);
	ASK(204, HTTP_DELETE, HOOK, NULL);
	ASK(404, HTTP_GET, HOOK, NULL);
	cr_assert_eq(store_count(rig.core, KIND_NOTICE), 0);
	answer(0, true); /* nobody wants to know any more */
	turn(1);
	rotate();
	turn(1);
	cr_assert_eq(n_sent, 1);
}

Test(webhook, without_its_rotator_notices_wait)
{
	rig.rotators = NULL;
	rotate();
	rig_reopen();
	turn(60000);
	cr_assert_str_eq(shown("pending"), "1");
	cr_assert(strstr(shown("error"), "no rotator \"webhook\"") != NULL);
	ASK(400, HTTP_POST, HOOK "/test", NULL);
}

/* ---- reminders ---- */

#define RULE "sys/rotation/config/secret/app"

Test(webhook, people_are_told_once_for_each_slot)
{
	ASK(204, HTTP_POST, RULE,
	    "{\"remind\":true,\"every\":\"30d\",\"jitter\":\"none\"}");
	turn(29 * DAY);
	cr_assert_eq(n_sent, 0);
	turn(DAY);
	cr_assert_eq(n_sent, 1);
	cr_assert_str_eq(sent[0].event, "due");
	answer_all(true);
	ASK(200, HTTP_GET, RULE, NULL);
	cr_assert_str_neq(rig_got("data.due_since"), "null");
	turn(10 * DAY);
	cr_assert_eq(n_sent, 1);
	turn(20 * DAY);
	cr_assert_eq(n_sent, 2, "the next slot");
	answer_all(true);
	ASK(400, HTTP_POST, "sys/rotation/rotate/secret/app", NULL);
	ASK(200, HTTP_POST, "secret/data/app",
	    "{\"data\":{\"password\":\"second-value\"}}");
	ASK(200, HTTP_GET, RULE, NULL);
	GOT("data.due_since", "null");
	GOT("data.problem", "");
	GOT("data.strategy", "manual");
}

/* Beyond its greatest age a secret that people replace does not raise one alarm after the
 * other. */
Test(webhook, an_old_value_is_told_once_for_each_slot_too)
{
	ASK(204, HTTP_POST, RULE,
	    "{\"remind\":true,\"every\":\"30d\",\"max_age\":\"40d\",\"jitter\":\"none\"}");
	for (int i = 0; i < 100; i++) {
		turn(DAY);
		answer_all(true);
	}
	cr_assert_leq(n_sent, 6, "%d", n_sent);
	cr_assert_geq(n_sent, 3, "%d", n_sent);
}

Test(webhook, due_survives_a_restart_and_ends_with_the_rule)
{
	ASK(204, HTTP_POST, RULE,
	    "{\"strategy\":\"manual\",\"every\":\"1d\",\"jitter\":\"none\"}");
	turn(2 * DAY);
	rig_reopen();
	ASK(200, HTTP_GET, RULE, NULL);
	cr_assert_str_neq(rig_got("data.due_since"), "null");
	ASK(204, HTTP_POST, RULE, "{\"remind\":false}");
	ASK(200, HTTP_GET, RULE, NULL);
	GOT("data.due_since", "null");
	GOT("data.strategy", "generate");
	GOT("data.problem", "");
}

Test(webhook, a_reminder_has_no_target_and_needs_a_schedule)
{
	ASK(400, HTTP_POST, RULE, "{\"remind\":true}");
	ASK(400, HTTP_POST, RULE,
	    "{\"remind\":true,\"every\":\"1d\",\"accounts\":[\"a\"]}");
	ASK(204, HTTP_POST, RULE, "{\"remind\":true,\"every\":\"1d\"}");
	ASK(400, HTTP_POST, RULE, "{\"every\":0}");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of rotators, with a rotate role that is an array of frames. */
#include "core_rig.h"

#include "batch.h"
#include "crashvfs.h"
#include "metrics.h"
#include "step.h"
#include "vault/limits.h"

#define FRAMES 600

static struct {
	struct {
		enum ipc_type type;
		uint64_t id;
		struct value *v;
	} f[FRAMES];
	size_t n;
	bool refuse;
} rotate;

static int take_frame(void *ctx, enum ipc_type type, uint64_t id, const struct value *v)
{
	struct value *copy = NULL;
	struct err e;
	size_t n;
	unsigned char *p = value_pack(rig.a, v, &n);

	(void)ctx;
	if (rotate.refuse)
		return ERR_FULL;
	cr_assert_lt(rotate.n, FRAMES);
	cr_assert_eq(value_decode(rig.a, p, n, &copy, &e), ERR_OK, "%s", e.msg);
	rotate.f[rotate.n].type = type;
	rotate.f[rotate.n].id = id;
	rotate.f[rotate.n++].v = copy;
	return ERR_OK;
}

static void link_up(void)
{
	step_link_up(rig.core, &(struct step_link){ take_frame, &rotate });
}

static struct arena *config; /* longer than the core that is told */

static void setup(void)
{
	struct value *list, *row;

	config = arena_new(16u * 1024);
	cr_assert_not_null(config);
	list = value_array(config);
	row = value_object(config);
	value_set_str(config, row, "name", "fake");
	value_set_str(config, row, "path", "/usr/bin/fake");
	value_set_bool(config, row, "builtin", false);
	value_set(row, "sha256", value_null(config));
	value_set_int(config, row, "timeout_ms", 60000);
	value_add(list, row);
	rig.rotators = list;
	rig_start();
	link_up();
}

static void teardown(void)
{
	rig_stop();
	arena_free(config);
}

TestSuite(step, .init = setup, .fini = teardown, .timeout = 120);

static const unsigned char id_a[STEP_ID] = "a", id_b[STEP_ID] = "b";

struct job {
	struct step_order o;
	int fail;   /* what the batch's work returns behind the call */
	int called; /* what step_call() returned */
};

static struct job job_of(const unsigned char id[STEP_ID], int64_t timeout_ms)
{
	struct job j = {
		.o = {.owner = STEP_FOR_REQUEST,
                      .rotator = "fake",
                      .request = rig_json("{\"v\":1,\"op\":\"set\",\"pending\":"
		                           "{\"fields\":{\"password\":\"hunter22\"}}}"),
                      .timeout_ms = timeout_ms}
	};

	memcpy(j.o.id, id, STEP_ID);
	return j;
}

static int in_batch(struct core *c, void *arg, struct err *e)
{
	struct job *j = arg;
	size_t before = rotate.n;

	j->called = step_call(c, &j->o, e);
	cr_assert_eq(rotate.n, before, "a call left before COMMIT");
	return j->called != ERR_OK ? j->called : j->fail;
}

static int call(struct job *j)
{
	struct err e = { 0 };

	return batch_alone(rig.core, in_batch, j, &e);
}

static void call_ok(const unsigned char id[STEP_ID], int64_t timeout_ms)
{
	struct job j = job_of(id, timeout_ms);

	cr_assert_eq(call(&j), ERR_OK);
}

static void reply(uint64_t number, const char *json)
{
	size_t n;
	unsigned char *p = value_pack(rig.a, rig_json(json), &n);

	step_reply(rig.core, number, p, n);
}

/* What is there for the request that waits for ${id}; NULL: nothing. */
static struct step_result *result(const unsigned char id[STEP_ID])
{
	static struct step_result r;

	rig_run();
	return step_take(rig.core, rig.a, id, &r) == ERR_OK ? &r : NULL;
}

static void is_unknown(const unsigned char id[STEP_ID], bool started, const char *reason)
{
	const struct step_result *r = result(id);

	cr_assert_not_null(r, "there is no result: %s", reason);
	cr_assert_eq(r->outcome, STEP_UNKNOWN);
	cr_assert_eq(r->started, started, "%s", r->reason);
	cr_assert_str_eq(r->reason, reason);
}

Test(step, leaves_after_commit_with_what_it_needs)
{
	const struct value *v;

	call_ok(id_a, 30000);
	cr_assert_eq(rotate.n, 1);
	cr_assert_eq(rotate.f[0].type, IPC_STEP);
	v = rotate.f[0].v;
	cr_assert(value_is_str(value_get(v, "rotator"), "fake"));
	cr_assert_eq(value_int_or(v, "timeout_ms", 0), 30000);
	v = value_get(value_get(value_get(v, "request"), "pending"), "fields");
	cr_assert(value_is_str(value_get(v, "password"), "hunter22"));
	cr_assert_eq(step_busy(rig.core), 1);
	cr_assert(step_under_way(rig.core, id_a));
}

Test(step, is_forgotten_when_its_savepoint_is)
{
	struct job j = job_of(id_a, 1000);

	j.fail = ERR_INVALID;
	cr_assert_eq(call(&j), ERR_INVALID);
	cr_assert_eq(rotate.n, 0);
	cr_assert_eq(step_busy(rig.core), 0);
	call_ok(id_a, 1000);
	cr_assert_eq(rotate.n, 1);
}

Test(step, is_refused_for_a_reason)
{
	struct job j = job_of(id_a, 1000);
	char big[LIMIT_STEP_REQUEST + 64];

	j.o.rotator = "nobody";
	cr_assert_eq(call(&j), ERR_NOENT);
	j = job_of(id_a, 0);
	cr_assert_eq(call(&j), ERR_INVALID);
	j = job_of(id_a, LIMIT_STEP_MS + 1);
	cr_assert_eq(call(&j), ERR_INVALID);
	memset(big, 'x', sizeof(big));
	j = job_of(id_a, 1000);
	j.o.request = value_strn(rig.a, big, sizeof(big));
	cr_assert_eq(call(&j), ERR_TOO_BIG);
	call_ok(id_a, 1000);
	j = job_of(id_a, 1000);
	cr_assert_eq(call(&j), ERR_BUSY, "two calls of one id");
	for (unsigned i = 1; i < LIMIT_STEPS; i++) {
		unsigned char id[STEP_ID] = { 1, (unsigned char)(i >> 8),
			                      (unsigned char)i };

		call_ok(id, 1000);
	}
	j = job_of(id_b, 1000);
	cr_assert_eq(call(&j), ERR_BUSY, "too many");
	cr_assert_eq(step_busy(rig.core), LIMIT_STEPS);
}

Test(step, brings_back_what_was_said)
{
	const struct step_result *r;

	call_ok(id_a, 1000);
	reply(rotate.f[0].id,
	      "{\"outcome\":\"reply\",\"started\":true,\"status\":\"error\","
	      "\"class\":\"auth\",\"message\":\"no\",\"fields\":{\"k\":\"v\"},"
	      "\"probe\":{\"current\":\"valid\",\"pending\":\"invalid\"},"
	      "\"describe\":null,\"retry_after_ms\":7}");
	cr_assert_eq(step_busy(rig.core), 0);
	cr_assert_eq(core_wait_ms(rig.core), 0);
	r = result(id_a);
	cr_assert_not_null(r);
	cr_assert_eq(r->outcome, STEP_REPLY);
	cr_assert(r->started);
	cr_assert_eq(r->status, STEP_ERROR);
	cr_assert_eq(r->class, STEP_AUTH);
	cr_assert_str_eq(r->message, "no");
	cr_assert(value_is_str(value_get(r->fields, "k"), "v"));
	cr_assert_eq(r->current, STEP_PROBE_VALID);
	cr_assert_eq(r->pending, STEP_PROBE_INVALID);
	cr_assert_eq(r->previous, STEP_PROBE_UNKNOWN);
	cr_assert_null(r->describe);
	cr_assert_eq(r->retry_after_ms, 7);
	cr_assert_null(result(id_a), "it can be taken once");
	cr_assert_eq(rig.core->metrics->steps[3][METRIC_STEP_ERROR], 1);
	call_ok(id_a, 1000);
}

/* Rotate has the network: what it sends may be anything. */
struct bad {
	char json[160];
};
ParameterizedTestParameters(step, takes_a_malformed_reply_as_unknown)
{
	static struct bad bad[] = {
		{ "[]" },
		{ "{}" },
		{ "{\"outcome\":\"fine\"}" },
		{ "{\"outcome\":\"reply\"}" },
		{ "{\"outcome\":\"reply\",\"status\":\"great\"}" },
		{ "{\"outcome\":\"reply\",\"status\":\"error\"}" },
		{ "{\"outcome\":\"reply\",\"status\":\"error\",\"class\":\"bad\"}" },
		{ "{\"outcome\":\"reply\",\"status\":\"ok\",\"fields\":[1]}" },
		{ "{\"outcome\":\"reply\",\"status\":\"ok\",\"fields\":{\"a\":1}}" },
	};

	return cr_make_param_array(struct bad, bad, ARRAY_LEN(bad));
}
ParameterizedTest(struct bad *b, step, takes_a_malformed_reply_as_unknown)
{
	call_ok(id_a, 1000);
	reply(rotate.f[0].id, b->json);
	is_unknown(id_a, true, "the rotate role sent a malformed reply");
}

Test(step, takes_bytes_that_are_no_value_as_unknown)
{
	call_ok(id_a, 1000);
	step_reply(rig.core, rotate.f[0].id, "\x07\xff\xff", 3);
	is_unknown(id_a, true, "the rotate role sent a malformed reply");
	step_reply(rig.core, 4711, "", 0);
	rig_run();
}

Test(step, is_unknown_when_rotate_ends)
{
	call_ok(id_a, 1000);
	step_link_down(rig.core, NULL);
	cr_assert_null(result(id_a), "that was another link");
	step_link_down(rig.core, &rotate);
	is_unknown(id_a, true, "the rotate role ended");
	/* A late word from it changes nothing. */
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\"}");
	cr_assert_null(result(id_a));
}

Test(step, is_unknown_when_rotate_was_replaced_unnoticed)
{
	call_ok(id_a, 1000);
	link_up();
	is_unknown(id_a, true, "the rotate role ended");
}

Test(step, waits_until_rotate_is_back)
{
	step_link_down(rig.core, &rotate);
	call_ok(id_a, 10000);
	call_ok(id_b, 1000);
	cr_assert_eq(rotate.n, 0);
	cr_assert_eq(step_busy(rig.core), 2);
	rig_advance(900);
	cr_assert_eq(steps_next_ms(rig.core), rig.boot + 100);
	rig_advance(100);
	is_unknown(id_b, false, "the rotate role was not there");
	link_up();
	cr_assert_eq(rotate.n, 1);
	cr_assert_eq(value_int_or(rotate.f[0].v, "timeout_ms", 0), 9000,
	             "what is left of its time");
}

Test(step, is_unknown_when_no_reply_comes)
{
	call_ok(id_a, 1000);
	rig_advance(10000);
	cr_assert_null(result(id_a), "rotate ends it, which takes a while");
	rig_advance(10000);
	is_unknown(id_a, true, "the rotate role did not answer in time");
	cr_assert_eq(rotate.n, 2);
	cr_assert_eq(rotate.f[1].type, IPC_STEP_CANCEL);
	cr_assert_eq(rotate.f[1].id, rotate.f[0].id);
	cr_assert_eq(rotate.f[1].v->type, V_TRUE);
}

Test(step, is_known_not_to_have_begun_when_it_cannot_be_sent)
{
	rotate.refuse = true;
	call_ok(id_a, 1000);
	is_unknown(id_a, false, "the call could not be handed over");
}

static int cancel_in_batch(struct core *c, void *arg, struct err *e)
{
	const int *fail = arg;

	step_cancel(c, id_a);
	cr_assert_not(step_under_way(c, id_a));
	return *fail != ERR_OK ? err_set(e, (enum errcode) * fail, "no") : ERR_OK;
}

Test(step, is_cancelled_with_commit)
{
	int fail = ERR_INVALID;
	struct err e;

	call_ok(id_a, 1000);
	cr_assert_eq(batch_alone(rig.core, cancel_in_batch, &fail, &e), ERR_INVALID);
	cr_assert(step_under_way(rig.core, id_a));
	cr_assert_eq(rotate.n, 1);
	fail = ERR_OK;
	cr_assert_eq(batch_alone(rig.core, cancel_in_batch, &fail, &e), ERR_OK);
	cr_assert_eq(rotate.n, 2);
	cr_assert_eq(rotate.f[1].v->type, V_TRUE);
	cr_assert_eq(step_busy(rig.core), 0);
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\"}");
	cr_assert_null(result(id_a));
}

Test(step, is_dropped_at_seal)
{
	struct job j = job_of(id_b, 1000);

	call_ok(id_a, 1000);
	call_ok(id_b, 1000);
	reply(rotate.f[1].id, "{\"outcome\":\"unknown\",\"reason\":\"x\"}");
	ASK(204, HTTP_POST, "sys/seal", NULL);
	cr_assert_eq(rotate.n, 3, "the one that was under way is withdrawn");
	cr_assert_eq(rotate.f[2].type, IPC_STEP_CANCEL);
	cr_assert_eq(rotate.f[2].v->type, V_FALSE, "what runs goes on");
	cr_assert_eq(call(&j), ERR_SEALED);
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\",\"reason\":\"x\"}");
	rig_unseal();
	cr_assert_null(result(id_a));
	cr_assert_null(result(id_b));
	call_ok(id_b, 1000);
	cr_assert_neq(rotate.f[3].id, rotate.f[1].id, "numbers are used once");
}

static struct crashvfs *disk;

static void setup_disk(void)
{
	disk = crashvfs_new("stepdisk");
	cr_assert_not_null(disk);
	rig.vfs = "stepdisk";
	setup();
}

static void end_disk(void)
{
	teardown();
	crashvfs_free(disk);
}

Test(step_disk, is_delivered_again_when_a_batch_is_lost, .init = setup_disk,
     .fini = end_disk)
{
	struct step_result r;

	call_ok(id_a, 1000);
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\",\"reason\":\"x\"}");
	/* Something that must be recorded, and cannot be. */
	rig_submit(HTTP_POST, "secret/data/x", rig.root, "{\"data\":{\"a\":\"b\"}}");
	crashvfs_fail(disk, CRASHVFS_WRITE, 1, CRASHVFS_ENOSPC, true);
	rig_run();
	cr_assert_eq(rig.status, 503, "%s", rig_got(""));
	cr_assert_eq(step_take(rig.core, rig.a, id_a, &r), ERR_NOENT);
	crashvfs_fail(disk, 0, 0, CRASHVFS_EIO, false);
	is_unknown(id_a, true, "x");
	cr_assert_null(result(id_a), "once");
}

Test(step, result_is_not_kept_for_ever)
{
	struct step_result r;

	call_ok(id_a, 1000);
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\",\"reason\":\"x\"}");
	rig_run();
	cr_assert_eq(steps_next_ms(rig.core), rig.boot + STEP_KEEP_MS);
	rig_advance(STEP_KEEP_MS);
	rig_run();
	cr_assert_eq(step_take(rig.core, rig.a, id_a, &r), ERR_NOENT);
}

static void ask_for_description(void)
{
	rig_submit(HTTP_GET, "sys/rotation/rotators/fake", rig.root, NULL);
	rig_run();
}

Test(step, a_request_waits_for_it)
{
	int before = rig.replies;

	ask_for_description();
	cr_assert_eq(rig.replies, before, "it is parked");
	cr_assert_eq(rotate.n, 1);
	reply(rotate.f[0].id, "{\"outcome\":\"reply\",\"status\":\"ok\",\"describe\":"
	                      "{\"overlap\":true}}");
	for (int i = 0; i < 3; i++)
		rig_run();
	cr_assert_eq(rig.replies, before + 1);
	cr_assert_eq(rig.status, 200);
	GOT("data.describe.overlap", "true");
	GOT("data.path", "/usr/bin/fake");
	cr_assert_eq(steps_next_ms(rig.core), -1, "nothing is left behind");
}

Test(step, a_request_that_goes_takes_it_along)
{
	ask_for_description();
	cr_assert_eq(rotate.n, 1);
	core_cancel(rig.core, 1, rig.next_id);
	cr_assert_eq(rotate.n, 2);
	cr_assert_eq(rotate.f[1].type, IPC_STEP_CANCEL);
	cr_assert_eq(rotate.f[1].v->type, V_TRUE);
	cr_assert_eq(step_busy(rig.core), 0);
}

Test(step, a_request_that_goes_takes_its_result_along)
{
	ask_for_description();
	reply(rotate.f[0].id, "{\"outcome\":\"unknown\",\"reason\":\"x\"}");
	rig_run();
	core_cancel(rig.core, 1, rig.next_id);
	cr_assert_eq(steps_next_ms(rig.core), -1);
	cr_assert_eq(rotate.n, 1, "it had ended");
}

Test(step, a_request_gets_an_error_when_it_is_sealed)
{
	int before = rig.replies;

	ask_for_description();
	ASK(204, HTTP_POST, "sys/seal", NULL);
	rig_run();
	cr_assert_eq(rig.replies, before + 2);
	cr_assert_eq(rig.status, 503);
}

Test(step, rotators_are_listed)
{
	ASK(200, HTTP_LIST, "sys/rotation/rotators", NULL);
	GOT("data.keys", "[fake]");
	GOT("data.key_info.fake.timeout", "60");
	ASK(404, HTTP_GET, "sys/rotation/rotators/nobody", NULL);
}

Test(step, the_status_says_whether_rotate_is_there)
{
	ASK(200, HTTP_GET, "sys/vaultd/status", NULL);
	GOT("data.rotate", "up");
	GOT("data.steps", "0");
	step_link_down(rig.core, &rotate);
	call_ok(id_a, 1000);
	ASK(200, HTTP_GET, "sys/vaultd/status", NULL);
	GOT("data.rotate", "down");
	GOT("data.steps", "1");
}

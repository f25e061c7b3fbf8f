/* SPDX-License-Identifier: Apache-2.0 */
/* What agent/apply asks for, as an Engine hears it, and what is made of its answers. */
#include "agent/docker/docker_apply.h"

#include "agent/docker/containers.h"
#include "agent/docker/docker.h"
#include "agent/settings.h"
#include "fake_engine.h"

static struct docker *docker;
static struct docker_apply *effects;
static unsigned answers;
static uint64_t token;
static int answer_rc;
static char detail[256];
static struct apply_look look;
static bool was_look;

static const char *const command[] = { "reload", "--now" };
static const struct settings_binding binding = {
	.name = "app",
	.signal = "USR1",
	.command = {(void *)command, 2}
};

static void on_nothing(void *ctx UNUSED)
{
}

static void on_down(void *ctx UNUSED, const char *why UNUSED)
{
}

static void on_event(void *ctx UNUSED, const struct docker_event *ev UNUSED)
{
}

static void on_done(void *ctx UNUSED, uint64_t of, int rc, const char *how)
{
	answers++;
	token = of;
	answer_rc = rc;
	snprintf(detail, sizeof(detail), "%s", how != NULL ? how : "");
}

static void on_looked(void *ctx UNUSED, uint64_t of, const struct apply_look *l)
{
	answers++;
	token = of;
	look = *l;
	was_look = true;
}

static int64_t due(int64_t now)
{
	return docker_due(docker, now);
}

static void setup(void)
{
	struct docker_options o = { .socket = fake.path,
		                    .clock = &fake_clock,
		                    .up = on_nothing,
		                    .down = on_down,
		                    .event = on_event };
	struct docker_apply_options a = { .clock = &fake_clock,
		                          .done = on_done,
		                          .looked = on_looked };

	fake_open();
	fake_engine("", "[]");
	o.multi = fake.multi;
	cr_assert_eq(docker_new(&o, &docker, &e), ERR_OK, "%s", e.msg);
	a.docker = docker;
	cr_assert_eq(docker_apply_new(&a, &effects, &e), ERR_OK, "%s", e.msg);
	fake.due = due;
}

static void teardown(void)
{
	docker_apply_free(effects);
	docker_free(docker);
	fake_close();
}

TestSuite(docker_apply, .init = setup, .fini = teardown, .timeout = 60);

static int start(enum apply_kind kind, uint64_t of)
{
	const struct apply_call call = { .token = of,
		                         .kind = kind,
		                         .binding = "app",
		                         .container = ID_A,
		                         .generation = 17,
		                         .timeout_ms = 10000 };

	return docker_apply_start(effects, &call, &binding, "/run/secrets/app", &e);
}

/* It is done, with the one answer that it leads to. */
static void act(enum apply_kind kind, uint64_t of)
{
	unsigned before = answers;

	fake_until(docker_is_up(docker));
	cr_assert_eq(start(kind, of), ERR_OK, "%s", e.msg);
	cr_assert_eq(answers, before, "not from within");
	fake_until(answers == before + 1);
	cr_assert_eq(token, of);
}

Test(docker_apply, the_engine_hears_what_was_asked_for)
{
	struct fake_answer *signal = fake_reply("/kill", 204, "");
	struct fake_answer *restart = fake_reply("/restart", 204, "");
	struct fake_answer *stop = fake_reply("/stop", 304, "");

	act(APPLY_SIGNAL, 1);
	cr_assert_eq(answer_rc, ERR_OK);
	cr_assert_not_null(strstr(signal->last, ID_A "/kill?signal=USR1 "));
	act(APPLY_RESTART, 2);
	cr_assert_not_null(strstr(restart->last, ID_A "/restart?t=10 "));
	act(APPLY_STOP, 3);
	cr_assert_eq(answer_rc, ERR_OK);
	cr_assert_eq(stop->asked, 1);
	cr_assert_eq(start(APPLY_EXEC, 4), ERR_USAGE);
}

Test(docker_apply, what_became_of_it_is_told_apart)
{
	(void)fake_reply("/kill", 404, "{\"message\":\"No such container\"}");
	act(APPLY_SIGNAL, 1);
	cr_assert_eq(answer_rc, ERR_NOENT);
	(void)fake_reply("/kill", 409, "{\"message\":\"is not running\"}");
	act(APPLY_SIGNAL, 2);
	cr_assert_eq(answer_rc, ERR_CONFLICT);
	(void)fake_reply("/kill", 500, "{\"message\":\"oh\"}");
	act(APPLY_SIGNAL, 3);
	cr_assert_eq(answer_rc, ERR_IO);
	cr_assert_not_null(strstr(detail, "500: oh"));
	(void)fake_bytes("/kill", "", 0);
	act(APPLY_SIGNAL, 4);
	cr_assert_eq(answer_rc, ERR_UNREACHABLE);
}

Test(docker_apply, a_command_runs_with_what_it_has_to_know_and_no_more)
{
	struct fake_answer *made = fake_reply("/exec HTTP", 201, "{\"Id\":\"" ID_C "\"}");

	(void)fake_chunks("/exec/" ID_C "/start", "\1\0\0\0\0\0\0\6s3cr3t", 14, 20,
	                  false);
	(void)fake_reply("/exec/" ID_C "/json", 200, "{\"ExitCode\":0}");
	act(APPLY_EXEC_IN, 1);
	cr_assert_eq(answer_rc, ERR_OK);
	cr_assert_str_eq(detail, "exit status 0, said 6 bytes");
	cr_assert_not_null(strstr(made->last,
	                          "\"Cmd\":[\"reload\",\"--now\"],\"Env\":["
	                          "\"VAULT_BINDING=app\",\"VAULT_VERSION=17\","
	                          "\"VAULT_DIR=/run/secrets/app\"]}"),
	                   "%s", made->last);
	(void)fake_reply("/exec/" ID_C "/json", 200, "{\"ExitCode\":3}");
	act(APPLY_EXEC_IN, 2);
	cr_assert_eq(answer_rc, ERR_IO);
	cr_assert_str_eq(detail, "exit status 3, said 6 bytes");
	(void)fake_reply("/exec HTTP", 500, "{\"message\":\"oh\"}");
	act(APPLY_EXEC_IN, 3);
	cr_assert_eq(answer_rc, ERR_INVALID, "not run: not to be tried again");
}

Test(docker_apply, while_the_engine_is_away_nothing_is_begun)
{
	cr_assert_eq(start(APPLY_SIGNAL, 1), ERR_UNREACHABLE);
	(void)fake_bytes("GET /version", "", 0);
	fake_until(docker_error(docker)[0] != '\0');
	cr_assert_eq(start(APPLY_LOOK, 2), ERR_UNREACHABLE);
	cr_assert_str_eq(e.msg, docker_error(docker));
	cr_assert_eq(answers, 0);
}

Test(docker_apply, what_waits_when_the_engine_goes_is_told)
{
	fake_until(docker_is_up(docker));
	for (uint64_t i = 1; i <= 20; i++)
		cr_assert_eq(start(APPLY_SIGNAL, i), ERR_OK);
	for (int i = 0; i < 5; i++)
		fake_turn();
	(void)fake_bytes("GET /version", "", 0);
	for (size_t i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0)
			fake_hang_up(&fake.conns[i]);
	fake_until(!docker_is_up(docker));
	fake.skew += 10001;
	fake_until(answers == 20);
	cr_assert_eq(answer_rc, ERR_UNREACHABLE);
}

Test(docker_apply, nobody_hears_of_it_afterwards)
{
	fake_until(docker_is_up(docker));
	cr_assert_eq(start(APPLY_SIGNAL, 1), ERR_OK);
	fake_turn();
	docker_apply_free(effects);
	effects = NULL;
	(void)fake_reply("/kill", 204, "");
	for (int i = 0; i < 20; i++)
		fake_turn();
	cr_assert_eq(answers, 0);
}

/* --- looks ---------------------------------------------------------------------------
 */

#define STATE(more) "{\"State\":{\"Running\":true,\"StartedAt\":\"%s\"" more "}}"

static void stamp(int64_t ms_ago, char out[CLOCK_RFC3339_MAX])
{
	clock_rfc3339(fake_wall(NULL) - ms_ago, out);
}

Test(docker_apply, a_look_tells_the_run_and_the_newest_check)
{
	char started[CLOCK_RFC3339_MAX], checked[CLOCK_RFC3339_MAX], doc[1024];
	int64_t now = fake_boot(NULL);

	stamp(60000, started);
	stamp(5000, checked);
	snprintf(doc, sizeof(doc),
	         STATE(",\"Health\":{\"Status\":\"healthy\",\"Log\":[{\"ExitCode\":1},"
	               "{\"Start\":\"%s\",\"ExitCode\":0}]}"),
	         started, checked);
	(void)fake_reply("/" ID_A "/json", 200, doc);
	act(APPLY_LOOK, 7);
	cr_assert(was_look && look.running && look.checks && look.healthy);
	cr_assert_not(look.unhealthy);
	cr_assert_leq(llabs(look.started_at - (now - 60000)), 1000);
	cr_assert_leq(llabs(look.checked_at - (now - 5000)), 1000);
	cr_assert_neq(look.run, 0);
}

static struct apply_look read_state(const char *text)
{
	json_t *doc = json_loads(text, 0, NULL);
	struct apply_look out = { .run = -1 };

	cr_assert_not_null(doc);
	cr_assert(docker_apply_read(doc, &fake_clock, &out));
	json_decref(doc);
	return out;
}

Test(docker_apply, states_are_understood)
{
	struct apply_look l;

	l = read_state("{\"State\":{\"Running\":true,\"Restarting\":true}}");
	cr_assert_not(l.running);
	cr_assert(l.run == 1 && l.started_at == 0 && !l.checks);
	l = read_state("{\"State\":{\"Running\":true,\"Health\":{\"Status\":\"none\"}}}");
	cr_assert(l.running && !l.checks);
	l = read_state(
		"{\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":null}}}");
	cr_assert(l.checks && l.unhealthy && !l.healthy && l.checked_at == 0);
	/* The word follows the third failure only; the newest check is the truth. */
	l = read_state("{\"State\":{\"Health\":{\"Status\":\"healthy\",\"Log\":[{"
	               "\"Start\":\"2026-11-27T10:00:00+01:00\",\"ExitCode\":1}]}}}");
	cr_assert(l.checks && !l.unhealthy && !l.healthy);
	l = read_state("{\"State\":{\"StartedAt\":\"0001-01-01T00:00:00Z\"}}");
	cr_assert(!l.running && l.started_at == 0 && l.run != 0);
}

Test(docker_apply, a_look_that_makes_no_sense_has_failed)
{
	static const char *const docs[] = { "{}", "{\"State\":7}", "[]", "" };

	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		(void)fake_reply("/" ID_A "/json", 200, docs[i]);
		act(APPLY_LOOK, i + 1);
		cr_assert_not(was_look);
		cr_assert_eq(answer_rc, ERR_INVALID);
	}
}

Test(docker_apply, a_container_and_a_look_at_it_name_the_same_run)
{
	const struct container c = { .id = ID_A,
		                     .name = "web",
		                     .running = true,
		                     .health = HEALTH_HEALTHY,
		                     .started_ms = 1795773600123 };
	struct apply_look l = read_state(
		"{\"State\":{\"StartedAt\":\"2026-11-27T10:00:00.123456789Z\"}}");
	struct apply_container out;

	docker_apply_describe(&c, &fake_clock, &out);
	cr_assert_eq(out.run, l.run);
	cr_assert_str_eq(out.id, ID_A);
	cr_assert(out.running && out.n_bindings == 0);
}

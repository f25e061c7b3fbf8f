/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the Docker Engine against one that says whatever a test wants. */
#include "agent/docker/docker.h"
#include "fake_engine.h"

#include <criterion/parameterized.h>

static struct docker *docker;
static unsigned ups, downs, events, dones, items;
static char why[256], seen[2048], output[16384];
static int done_rc;
static long exit_code;
static bool has_doc, output_cut;

static void on_up(void *ctx UNUSED)
{
	ups++;
}

static void on_down(void *ctx UNUSED, const char *reason)
{
	downs++;
	snprintf(why, sizeof(why), "%s", reason);
}

static void on_event(void *ctx UNUSED, const struct docker_event *ev)
{
	size_t n = strlen(seen);

	events++;
	snprintf(seen + n, sizeof(seen) - n, "%s %c %s;", ev->action, ev->id[0],
	         ev->name != NULL ? ev->name : "-");
}

static int64_t due(int64_t now)
{
	return docker_due(docker, now);
}

static void setup(void)
{
	struct docker_options o = { .socket = fake.path,
		                    .clock = &fake_clock,
		                    .up = on_up,
		                    .down = on_down,
		                    .event = on_event };

	fake_open();
	fake_engine("", "[]");
	o.multi = fake.multi;
	cr_assert_eq(docker_new(&o, &docker, &e), ERR_OK, "%s", e.msg);
	fake.due = due;
}

static void teardown(void)
{
	docker_free(docker);
	fake_close();
}

TestSuite(docker, .init = setup, .fini = teardown, .timeout = 120);

static void on_done(void *ctx, const struct docker_result *r)
{
	dones++;
	done_rc = r->rc;
	exit_code = r->exit_code;
	has_doc = r->doc != NULL;
	output_cut = r->output_cut;
	cr_assert_eq(strlen(r->output), r->output_len);
	snprintf(output, sizeof(output), "%s", r->output);
	snprintf(why, sizeof(why), "%s", r->e->msg);
	if (ctx != NULL)
		*(int *)ctx += 1;
}

static void on_item(void *ctx UNUSED, const json_t *item)
{
	cr_assert(json_is_object(item));
	items++;
}

/* --- becoming known ------------------------------------------------------------------
 */

Test(docker, it_asks_what_the_engine_is_and_then_for_events)
{
	fake_until(ups == 1);
	cr_assert_str_eq(docker_about(docker)->api, "1.41");
	cr_assert_str_eq(docker_about(docker)->version, "20.10.24");
	cr_assert_not(docker_about(docker)->userns);
	fake_until(fake.answers[2].asked == 1);
	cr_assert_not_null(strstr(fake.answers[2].last, "filters=%7B%22type%22"));
	cr_assert_null(strstr(fake.answers[2].last, "since="), "its clock is not known");
}

Test(docker, shifted_ids_and_the_engines_clock_are_read)
{
	(void)fake_reply("GET /v1.41/info", 200,
	                 "{\"SecurityOptions\":[7,\"name=userns\"],\"DockerRootDir\":"
	                 "\"/var/lib/docker/231072.231073\",\"SystemTime\":"
	                 "\"2026-11-27T10:00:00.123456789Z\"}");
	fake_until(fake.answers[2].asked == 1);
	cr_assert(docker_about(docker)->userns);
	cr_assert_eq(docker_about(docker)->uid_base, 231072);
	cr_assert_eq(docker_about(docker)->gid_base, 231073);
	cr_assert_not_null(strstr(fake.answers[2].last, "since=1795773600.123&"));
}

struct bad_case {
	char where[24], reply[160], want[64];
};

#define R200 "HTTP/1.1 200 OK\r\n"

ParameterizedTestParameters(docker, what_is_no_engine_is_not_believed)
{
	static struct bad_case c[] = {
		{"GET /version",       R200 "\r\n{",                                         "no Docker Engine"       },
		{ "GET /version",      R200 "\r\n",                                          "no Docker Engine"       },
		{ "GET /version",      R200 "\r\n[]",                                        "no Docker Engine"       },
		{ "GET /version",      R200 "\r\n{\"ApiVersion\":1.41}",                     "no Docker Engine"       },
		{ "GET /version",      R200 "\r\n{\"ApiVersion\":\"1.41x\"}",                "no Docker"              },
		{ "GET /version",      R200 "\r\n{\"ApiVersion\":\"-1.41\"}",                "no Docker"              },
		{ "GET /version",      R200 "\r\n{\"ApiVersion\":\"1.40\"}",
                 "older than 1.41"										    },
		{ "GET /version",
                 R200 "\r\n{\"ApiVersion\":\"3.0\",\"MinAPIVersion\":\"2.0\"}",
                 "wants API version 2.0"									      },
		{ "GET /version",      R200 "\r\n<html>\xff",                                "no Docker Engine"       },
		{ "GET /version",      "HTTP/1.1 500 X\r\n\r\n{\"message\":\"no\\nway\"}",
                 "Docker answered 500: no"									    },
		{ "GET /version",      "HTTP/1.1 500 X\r\n\r\n{\"message\":\"\\u001b[1m\"}",
                 "Docker answered 500"										},
		{ "GET /version",      "HTTP/1.1 301 X\r\nLocation: http://x/\r\n\r\n",
                 "Docker answered 301"										},
		{ "GET /version",      "nonsense\r\n\r\n",                                   ""                       },
		{ "GET /version",      R200 "Content-Length: 5\r\n\r\n{}",                   ""                       },
		{ "GET /version",      "",						   ""                       },
		{ "GET /v1.41/info",   R200 "\r\n\"x\"",                                     "no Docker Engine"       },
		{ "GET /v1.41/info",   "HTTP/1.1 404 X\r\n\r\n",                             "Docker answered 404"    },
		{ "GET /v1.41/events", "HTTP/1.1 500 X\r\n\r\n{\"message\":\"later\"}",
                 "Docker answered 500: later"									 },
		{ "GET /v1.41/events", R200 "\r\n{}",                                        "Docker ended the events"},
		{ "GET /v1.41/events", R200 "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                 ""												   },
	};
	return cr_make_param_array(struct bad_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct bad_case *c, docker, what_is_no_engine_is_not_believed)
{
	struct fake_answer *a = fake_bytes(c->where, c->reply, strlen(c->reply));
	unsigned before;

	fake_until(downs == 1);
	cr_assert_not(docker_is_up(docker));
	cr_assert_not_null(strstr(why, c->want), "%s", why);
	cr_assert_str_eq(docker_error(docker), why);
	/* It comes back, later each time; who asks why it is away is told once. */
	for (unsigned n = 2; n <= 4; n++) {
		fake.skew += 20000;
		fake_until(a->asked == n);
	}
	fake_engine("", "[]");
	before = ups;
	fake_until((fake.skew += 20000, ups > before));
	cr_assert_str_eq(docker_error(docker), "");
}

/* ${head}, and then more than anybody wants. */
static void endless(const char *want, const char *head)
{
	static char text[6 * 1024 * 1024];
	int n = snprintf(text, sizeof(text), "%s", head);

	memset(text + n, 'x', sizeof(text) - (size_t)n);
	(void)fake_bytes(want, text, sizeof(text));
}

Test(docker, heads_and_answers_without_end_are_cut_off)
{
	endless("GET /version", R200 "X-A: ");
	fake_until(downs == 1);
	endless("GET /version", R200 "\r\n");
	fake.skew += 20000;
	fake_until(strstr(docker_error(docker), "too large") != NULL);
	cr_assert_not(docker_is_up(docker));
}

/* --- events --------------------------------------------------------------------------
 */

#define EVENT(type, action, id, more)                                              \
	"{\"Type\":\"" type "\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id \
	"\"" more "},\"timeNano\":1795773600123456789}\n"

static const char stream[] = EVENT(
	"container", "create", ID_A,
	",\"Attributes\":{\"name\":\"w}{\\\"eb\"}") EVENT("image", "pull", ID_A,
                                                          "") EVENT("container", "die",
                                                                    "short", "")
	EVENT("container", "die", ID_B, ",\"Attributes\":[]") "[1,{\"Type\":\"container\"}]{\"Type\":7}{\"no\" json}" EVENT(
		"container", "destroy", ID_A, "");
static const char stream_seen[] = "create a w}{\"eb;die b -;destroy a -;";

Test(docker, events_arrive_however_they_are_cut)
{
	size_t n = sizeof(stream) - 1;

	for (size_t size = 1; size <= 200; size = size * 3 + 1)
		for (fake.step = 1; fake.step < 400; fake.step = fake.step * 5 + 2) {
			struct fake_answer *a = fake_chunks("GET /v1.41/events", stream,
			                                    n, size, true);

			seen[0] = '\0';
			a->closes = a->n; /* the connection breaks, and is made anew */
			fake_until((fake.skew += docker_is_up(docker) ? 0 : 20000,
			            strcmp(seen, stream_seen) == 0));
			fake_until(!docker_is_up(docker));
		}
}

Test(docker, events_arrive_whatever_the_first_packet_holds)
{
	struct fake_answer *a;

	fake_until(ups == 1);
	a = fake_chunks("GET /v1.41/events", stream, sizeof(stream) - 1, 300, true);
	a->closes = a->n;
	for (fake.cut = 1; fake.cut < a->n; fake.cut++) {
		unsigned before = downs;

		seen[0] = '\0';
		for (size_t i = 0; i < FAKE_CONNS; i++)
			if (fake.conns[i].fd >= 0 && downs == before)
				fake_hang_up(&fake.conns[i]);
		fake_until((fake.skew += docker_is_up(docker) ? 0 : 20000,
		            strcmp(seen, stream_seen) == 0));
		fake_until(!docker_is_up(docker));
	}
}

Test(docker, an_event_that_is_too_long_is_left_out)
{
	static char text[70000 + 1000];

	snprintf(text, sizeof(text), "{\"a\":\"%070000d\"}%s", 0,
	         EVENT("container", "start", ID_C, ""));
	(void)fake_chunks("GET /v1.41/events", text, strlen(text), 4096, true);
	fake_until(events == 1);
	cr_assert_str_eq(seen, "start c -;");
	cr_assert(docker_is_up(docker));
}

/* --- calls ---------------------------------------------------------------------------
 */

struct status_case {
	int status, want;
	char body[64], why[64];
};

ParameterizedTestParameters(docker, how_a_call_ended)
{
	static struct status_case c[] = {
		{204,  ERR_OK,       "",				    ""                   },
		{ 304, ERR_OK,       "",				    ""                   },
		{ 400, ERR_INVALID,  "{\"message\":\"bad\"}",               "400: bad"           },
		{ 404, ERR_NOENT,    "{\"message\":\"No such container\"}", "No such"            },
		{ 404, ERR_NOENT,    "not json",                            "Docker answered 404"},
		{ 403, ERR_DENIED,   "{}",                                  "403"                },
		{ 409, ERR_CONFLICT, "{\"message\":7}",                     "Docker answered 409"},
		{ 503, ERR_BUSY,     "",                                    "503"                },
		{ 500, ERR_IO,       "[]",                                  "500"                },
		{ 302, ERR_IO,       "",				    "302"                },
	};
	return cr_make_param_array(struct status_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct status_case *c, docker, how_a_call_ended)
{
	struct fake_answer *a = fake_reply("/kill", c->status,
	                                   c->status == 204 ? "" : c->body);

	cr_assert_eq(docker_kill(docker, ID_A, "RTMIN+3", 20000, on_done, NULL, &e),
	             ERR_OK);
	cr_assert_eq(dones, 0, "never from inside");
	fake_until(dones == 1);
	cr_assert_eq(done_rc, c->want);
	cr_assert_not_null(strstr(why, c->why), "%s", why);
	cr_assert_not_null(strstr(a->last, "POST /v1.41/containers/" ID_A
	                                   "/kill?signal=RTMIN%2B3 "),
	                   "%s", a->last);
}

Test(docker, what_cannot_be_asked_is_not_asked)
{
	static const char *const no_argv[] = { NULL };
	static const char *const bad_argv[] = { "echo", "\xff", NULL };
	const char *bad_ids[] = { "", "../x", ID_A "a",
		                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		                  "AAAAAAAAAAA" };
	const char *bad_signals[] = { "", "HUP; rm", "hup", "AAAAAAAAAAAAAAAAA", "A\n" };

	for (size_t i = 0; i < ARRAY_LEN(bad_ids); i++) {
		cr_assert_eq(docker_kill(docker, bad_ids[i], "HUP", 9, on_done, NULL, &e),
		             ERR_USAGE);
		cr_assert_eq(docker_stop(docker, bad_ids[i], 1, 9, on_done, NULL, &e),
		             ERR_USAGE);
		cr_assert_eq(docker_inspect(docker, bad_ids[i], 9, on_done, NULL, &e),
		             ERR_USAGE);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_signals); i++)
		cr_assert_eq(docker_kill(docker, ID_A, bad_signals[i], 9, on_done, NULL,
		                         &e),
		             ERR_USAGE);
	cr_assert_eq(docker_exec(docker, ID_A,
	                         &(struct docker_command){ .argv = no_argv }, 9, on_done,
	                         NULL, &e),
	             ERR_USAGE);
	cr_assert_eq(docker_exec(docker, ID_A,
	                         &(struct docker_command){ .argv = bad_argv }, 9, on_done,
	                         NULL, &e),
	             ERR_USAGE);
	cr_assert_eq(dones, 0);
}

Test(docker, grace_is_bounded)
{
	struct fake_answer *a = fake_reply("/restart", 204, "");

	cr_assert_eq(docker_restart(docker, ID_A, -5, 20000, on_done, NULL, &e), ERR_OK);
	fake_until(dones == 1);
	cr_assert_not_null(strstr(a->last, "/restart?t=0 "));
	cr_assert_eq(docker_restart(docker, ID_A, 1 << 30, 20000, on_done, NULL, &e),
	             ERR_OK);
	fake_until(dones == 2);
	cr_assert_not_null(strstr(a->last, "/restart?t=3600 "));
}

Test(docker, a_list_is_taken_item_by_item_and_never_half)
{
	static const char *const lists[] = { "[{},{},{\"a\":[{}]}]", "[{},{},{}", "{}",
		                             "", "[{},\"" };
	static const int want[] = { ERR_OK, ERR_INVALID, ERR_INVALID, ERR_INVALID,
		                    ERR_INVALID };
	static const unsigned found[] = { 3, 3, 0, 0, 1 };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (fake.step = 0; fake.step < 3; fake.step++) {
			(void)fake_reply("GET /v1.41/containers/json", 200, lists[i]);
			dones = items = 0;
			cr_assert_eq(docker_list(docker, NULL, 0, on_item, on_done, NULL,
			                         &e),
			             ERR_OK);
			fake_until(dones == 1);
			cr_assert_eq(done_rc, want[i], "%s: %s", lists[i], why);
			cr_assert_eq(items, found[i], "%s", lists[i]);
		}
}

Test(docker, some_containers_are_asked_for_by_id)
{
	const char *ids[] = { ID_A, ID_B };

	cr_assert_eq(docker_list(docker, ids, 2, on_item, on_done, NULL, &e), ERR_OK);
	fake_until(dones == 1);
	cr_assert_not_null(strstr(fake.answers[3].last,
	                          "json?all=1&filters=%7B%22id%22%3A%5B%22" ID_A
	                          "%22%2C%22" ID_B "%22%5D%7D "));
	ids[1] = "x";
	cr_assert_neq(docker_list(docker, ids, 2, on_item, on_done, NULL, &e), ERR_OK);
}

Test(docker, what_is_said_of_a_container_must_be_an_object)
{
	static const char *const docs[] = { "{}", "[]", "{", "", "7" };

	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		(void)fake_reply("/" ID_A "/json", 200, docs[i]);
		dones = 0;
		cr_assert_eq(docker_inspect(docker, ID_A, 20000, on_done, NULL, &e),
		             ERR_OK);
		fake_until(dones == 1);
		cr_assert_eq(done_rc, i == 0 ? ERR_OK : ERR_INVALID, "%s", docs[i]);
		cr_assert_eq(has_doc, i == 0 || i == 1);
	}
}

/* --- commands ------------------------------------------------------------------------
 */

static const char frames[] = "\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err";

static void exec_answers(const char *ended)
{
	(void)fake_reply("/exec HTTP", 201, "{\"Id\":\"" ID_C "\"}");
	(void)fake_chunks("/exec/" ID_C "/start", frames, sizeof(frames) - 1, 5, false);
	(void)fake_reply("/exec/" ID_C "/json", 200, ended);
}

static void run_command(void)
{
	static const char *const argv[] = { "echo", "$(id) \"x\"", NULL };
	static const char *const env[] = { "A=b c", NULL };
	const struct docker_command c = { .argv = argv, .env = env, .user = "app" };

	dones = 0;
	cr_assert_eq(docker_exec(docker, ID_A, &c, INT32_MAX, on_done, NULL, &e), ERR_OK);
	fake_until((fake.skew += 100, dones == 1));
}

Test(docker, a_command_is_made_started_and_judged)
{
	exec_answers("{\"Running\":false,\"ExitCode\":7}");
	for (fake.step = 0; fake.step < 4; fake.step++) {
		fake_until(docker_is_up(docker));
		run_command();
		cr_assert_eq(done_rc, ERR_OK, "%s", why);
		cr_assert_eq(exit_code, 7);
		cr_assert_str_eq(output, "outerr");
		cr_assert_not(output_cut);
	}
	cr_assert_not_null(strstr(fake.answers[4].last,
	                          "\"Cmd\":[\"echo\",\"$(id) \\\"x\\\"\"],"
	                          "\"Env\":[\"A=b c\"],\"User\":\"app\""),
	                   "%s", fake.answers[4].last);
}

Test(docker, a_command_that_closed_its_output_is_waited_for)
{
	struct fake_answer *a;

	fake_until(docker_is_up(docker));
	exec_answers("{\"Running\":true,\"ExitCode\":null}");
	a = &fake.answers[6];
	dones = 0;
	cr_assert_eq(docker_exec(docker, ID_A,
	                         &(struct docker_command){
					 .argv = (const char *const[]){"x", NULL}
        },
	                         INT32_MAX, on_done, NULL, &e),
	             ERR_OK);
	fake_until((fake.skew += 1000, a->asked == 5));
	cr_assert_eq(dones, 0);
	(void)fake_reply("/exec/" ID_C "/json", 200,
	                 "{\"Running\":false,\"ExitCode\":0}");
	fake_until((fake.skew += 1000, dones == 1));
	cr_assert_eq(done_rc, ERR_OK, "%s", why);
	cr_assert_eq(exit_code, 0);
}

struct exec_case {
	char where[16], reply[96];
	int status, want;
};

ParameterizedTestParameters(docker, a_command_whose_answers_are_odd)
{
	static struct exec_case c[] = {
		{"/exec HTTP",  "{\"Id\":\"x\"}",                   201, ERR_INVALID },
		{ "/exec HTTP", "[",                                201, ERR_INVALID },
		{ "/exec HTTP", "{\"message\":\"is not running\"}", 409, ERR_CONFLICT},
		{ "/start",     "{\"message\":\"no\"}",             404, ERR_NOENT   },
		{ "/start",     "no frames, but text",              200, ERR_TOO_BIG },
		{ "/json",      "{\"ExitCode\":\"7\"}",             200, ERR_INVALID },
		{ "/json",      "{\"ExitCode\":99999999999}",       200, ERR_INVALID },
		{ "/json",      "{}",                               200, ERR_INVALID },
		{ "/json",      "{",				200, ERR_INVALID },
	};
	return cr_make_param_array(struct exec_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct exec_case *c, docker, a_command_whose_answers_are_odd)
{
	static char where[128];

	exec_answers("{\"ExitCode\":0}");
	snprintf(where, sizeof(where),
	         c->where[1] == 'e' ? "%.0s/exec HTTP" : "/exec/%s%s", ID_C, c->where);
	for (size_t i = 0; i < fake.n_answers; i++)
		if (strstr(fake.answers[i].want, where) != NULL)
			(void)fake_reply(fake.answers[i].want, c->status, c->reply);
	run_command();
	cr_assert_eq(done_rc, c->want, "%d %s", done_rc, why);
}

/* --- when it is away -----------------------------------------------------------------
 */

Test(docker, calls_wait_for_the_engine_and_no_longer_than_they_may)
{
	struct fake_answer *a = fake_bytes("GET /version", "", 0);

	(void)fake_reply("/kill", 204, "");
	fake_until(downs == 1);
	cr_assert_eq(docker_kill(docker, ID_A, "HUP", 5000, on_done, NULL, &e), ERR_OK);
	fake.skew += 5001;
	fake_until(dones == 1);
	cr_assert_eq(done_rc, ERR_TIMEOUT);
	cr_assert_not_null(strstr(why, docker_error(docker)), "%s", why);
	cr_assert_eq(docker_kill(docker, ID_A, "HUP", 500000, on_done, NULL, &e), ERR_OK);
	fake_until((fake.skew += 5000, a->asked >= 3));
	cr_assert_eq(dones, 1);
	(void)fake_reply("GET /version", 200, FAKE_VERSION);
	fake_until((fake.skew += docker_is_up(docker) ? 0 : 5000, dones == 2));
	cr_assert_eq(done_rc, ERR_OK, "%s", why);
}

Test(docker, a_connection_that_breaks_fails_its_call_alone)
{
	(void)fake_bytes("/kill", "HTTP/1.1 2", 10);
	fake_until(docker_is_up(docker));
	cr_assert_eq(docker_kill(docker, ID_A, "HUP", 20000, on_done, NULL, &e), ERR_OK);
	fake_until(dones == 1);
	cr_assert_neq(done_rc, ERR_OK);
	cr_assert(docker_is_up(docker));
}

Test(docker, calls_are_counted_and_all_of_them_end)
{
	struct fake_answer *a = fake_reply("/stop", 204, "");

	for (size_t i = 0; i < DOCKER_CALLS_MAX; i++)
		cr_assert_eq(docker_stop(docker, ID_A, 0, 60000, on_done, NULL, &e),
		             ERR_OK);
	cr_assert_eq(docker_stop(docker, ID_A, 0, 60000, on_done, NULL, &e), ERR_BUSY);
	fake_until(dones == DOCKER_CALLS_MAX);
	cr_assert_eq(a->asked, DOCKER_CALLS_MAX);
	cr_assert_eq(docker_stop(docker, ID_A, 0, 60000, on_done, NULL, &e), ERR_OK);
	fake_until(dones == DOCKER_CALLS_MAX + 1);
}

Test(docker, who_is_forgotten_hears_nothing)
{
	int mine = 0, other = 0;
	struct fake_answer *a = fake_reply("/stop", 204, "");

	fake_until(docker_is_up(docker));
	for (int i = 0; i < 40; i++)
		cr_assert_eq(docker_stop(docker, ID_A, 0, 60000, on_done,
		                         i % 2 == 0 ? &mine : &other, &e),
		             ERR_OK);
	fake_until(a->asked > 0); /* some are under way */
	docker_forget(docker, &mine);
	fake_until(other == 20);
	for (int i = 0; i < 50; i++)
		fake_turn();
	cr_assert_leq(mine, (int)a->asked);
	cr_assert_eq(dones, (unsigned)(mine + other));
	cr_assert_lt(mine, 20);
}

/* Calls of every kind, waiting and under way, end with the client; ASan looks on. */
Test(docker, nothing_of_it_outlives_it)
{
	fake_until(docker_is_up(docker));
	for (int i = 0; i < 30; i++)
		cr_assert_eq(docker_stop(docker, ID_A, 0, 60000, on_done, NULL, &e),
		             ERR_OK);
	for (int i = 0; i < 5; i++)
		fake_turn();
	cr_assert_eq(dones, 0, "nobody answers");
}

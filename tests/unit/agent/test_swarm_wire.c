/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent to a manager's Engine, byte by byte, and what of its answers is believed.
 */
#include "agent/swarm/engine.h"
#include "fake_engine.h"

#define SERVICE "abc123"
#define GET_IT  "GET /v1.41/services/" SERVICE " "
#define POST_IT "POST /v1.41/services/" SERVICE "/update?version=28 "

static struct engine *engine;
static struct machine *machine;
static unsigned changes, looks;

static int on_secret(void *ctx UNUSED, const struct machine_call *c UNUSED,
                     engine_make_fn make UNUSED, void *make_ctx UNUSED, struct err *why)
{
	return err_set(why, ERR_NOENT, "there is none");
}

static void on_about(void *ctx UNUSED, const struct engine_about *a UNUSED)
{
}

static void on_event(void *ctx UNUSED, const char *service UNUSED)
{
}

static void on_changed(void *ctx UNUSED)
{
	changes++;
}

static int on_start(void *ctx UNUSED, const struct machine_call *c, struct err *why)
{
	cr_assert_eq(c->kind, MACHINE_LOOK);
	looks++;
	return engine_start(engine, c, why);
}

static bool on_window(void *ctx UNUSED, const char *binding UNUSED)
{
	return true;
}

static uint32_t on_dice(void *ctx UNUSED)
{
	return 4;
}

static int64_t due(int64_t now)
{
	return engine_due(engine, now);
}

static void setup(void)
{
	const struct machine_ops ops = { on_start, on_window, on_dice, NULL };
	struct engine_options o = {
		.socket = fake.path,
		.clock = &fake_clock,
		.ops = {.secret = on_secret,
                        .about = on_about,
                        .event = on_event,
                        .changed = on_changed}
	};

	fake_open();
	fake_engine("", "[]");
	o.multi = fake.multi;
	cr_assert_eq(engine_new(&o, &engine, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(machine_new(&ops, &machine, &e), ERR_OK);
	fake.due = due;
	engine_serve(engine, machine, "c1");
}

static void teardown(void)
{
	engine_free(engine);
	machine_free(machine);
	fake_close();
}

TestSuite(swarm_wire, .init = setup, .fini = teardown, .timeout = 120);

static const struct machine_target at = { "app", "7", "8", 0440 };

static void update(uint64_t index)
{
	const struct machine_change refs[] = {
		{"new1", "app.raw.2", &at}
	};
	const struct machine_call c = { .token = 5,
		                        .kind = MACHINE_UPDATE,
		                        .binding = "app",
		                        .service = SERVICE,
		                        .index = index,
		                        .refs = refs,
		                        .n_refs = 1 };

	fake_until(engine_up(engine));
	cr_assert_eq(engine_start(engine, &c, &e), ERR_OK, "%s", e.msg);
}

/* Turns in which all that is to come comes. */
static void settle(void)
{
	for (int i = 0; i < 200; i++)
		fake_turn();
}

#define SPEC(id, name)                                                                       \
	"{\"Name\":\"web\",\"Of2031\":{\"b\":[1.50,1e400,null],\"a\":\"\\u00e9}\"},"         \
	"\"TaskTemplate\": {\"ContainerSpec\":{\"Image\":\"x\",\"New\":18446744073709551616" \
	",\"Secrets\":[{\"File\":{\"Name\":\"app\",\"UID\":\"0\",\"Mode\":288,\"x\":1},"     \
	"\"SecretID\":\"" id "\",\"SecretName\":\"" name "\",\"More\" : true}]},"            \
	"\"Runtime\":\"container\"},\"Mode\":{\"ReplicatedFoo\":{}}}"

static const char service[] = "{\"ID\":\"" SERVICE "\",\"Version\":{\"Index\":28},"
			      "\"Spec\":" SPEC("old1", "app.raw.1") ",\"Endpoint\":{}}";

Test(swarm_wire, what_is_not_known_comes_back_byte_for_byte)
{
	struct fake_answer *post = fake_reply(POST_IT, 200, "{\"Warnings\":null}");
	const char *body;

	(void)fake_reply(GET_IT, 200, service);
	update(28);
	fake_until(post->asked == 1);
	body = strstr(post->last, "\r\n\r\n");
	cr_assert_not_null(body);
	cr_assert_str_eq(body + 4, SPEC("new1", "app.raw.2"));
	cr_assert_null(strstr(post->last, "X-Registry-Auth"));
}

Test(swarm_wire, what_has_changed_since_it_was_looked_at_is_not_updated)
{
	struct fake_answer *get = fake_reply(GET_IT, 200, service),
			   *post = fake_reply("POST ", 200, "{}");

	update(27);
	fake_until(get->asked == 1);
	settle();
	cr_assert_eq(post->asked, 0);
}

Test(swarm_wire, who_does_not_lead_any_more_updates_nothing)
{
	struct fake_answer *post = fake_reply("POST ", 200, "{}"), *get;

	update(28);
	settle();
	engine_serve(engine, NULL, NULL);
	get = fake_reply(GET_IT, 200, service);
	fake_until(get->asked == 1);
	settle();
	cr_assert_eq(post->asked, 0);
}

/* The version that is asked for decides which fields an Engine leaves out. */
Test(swarm_wire, the_engines_own_newest_version_is_spoken)
{
	struct fake_answer *post;

	(void)fake_reply("GET /version", 200,
	                 "{\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.44\"}");
	(void)fake_reply("GET /v1.99/info", 200, FAKE_INFO);
	(void)fake_chunks("GET /v1.99/events", "", 0, 64, true);
	(void)fake_reply("GET /v1.99/services/" SERVICE " ", 200, service);
	post = fake_reply("POST /v1.99/services/" SERVICE "/update", 200, "{}");
	update(28);
	fake_until(post->asked == 1);
}

Test(swarm_wire, a_swarm_without_a_leader_is_asked_what_it_is)
{
	fake_until(engine_up(engine));
	settle();
	changes = 0;
	(void)fake_reply(
		GET_IT, 500,
		"{\"message\":\"rpc error: code = Unknown desc = The swarm does not "
		"have a leader. It's possible that too few managers are online.\"}");
	update(28);
	fake_until(changes == 1);
	(void)fake_reply(GET_IT, 500, "{\"message\":\"update out of sequence\"}");
	update(28);
	settle();
	cr_assert_eq(changes, 1);
}

/* A look that ends badly, and then one that does not. */
static void look(const char *services, size_t n)
{
	(void)fake_reply("GET /v1.41/secrets?", 200, "[]");
	(void)fake_reply("GET /v1.41/tasks?", 200, "[]");
	(void)fake_chunks("GET /v1.41/services?", services, n, 65536, false);
	fake_until(engine_up(engine));
	(void)machine_due(machine, fake_boot(NULL));
	cr_assert_eq(looks, 1);
	settle();
	for (int i = 0; n > 1000000 && i < 2000; i++)
		fake_turn();
}

Test(swarm_wire, a_list_of_which_something_is_missing_says_nothing)
{
	static const char *const bad[] = {
		"[{\"ID\":\"s1\"},{\"ID\":}]", "[{\"ID\":\"s1\"},", "{}", "", "null",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		looks = 0;
		look(bad[i], strlen(bad[i]));
		cr_assert_eq(machine_scanned(machine), -1, "%s", bad[i]);
		fake.skew += 40000;
	}
	looks = 0;
	look("[]", 2);
	fake_until(machine_scanned(machine) >= 0);
}

/* One service, longer than all that a Swarm takes: it is not as if it were not there. */
Test(swarm_wire, an_item_that_is_too_long_says_nothing)
{
	size_t n = 18 * 1024 * 1024;
	char *text = malloc(n + 100);
	int head = snprintf(text, 100, "[{\"ID\":\"s1\",\"x\":\"");

	memset(text + head, 'x', n);
	memcpy(text + head + n, "\"}]", 3);
	look(text, (size_t)head + n + 3);
	free(text);
	cr_assert_eq(machine_scanned(machine), -1);
}

/* Longer than what is taken of a container. */
Test(swarm_wire, a_long_service_is_read)
{
	size_t n = 3 * 1024 * 1024;
	char *text = malloc(n + 100);
	int head = snprintf(text, 100, "[{\"ID\":\"s1\",\"x\":\"");

	memset(text + head, 'x', n);
	memcpy(text + head + n, "\"}]", 3);
	look(text, (size_t)head + n + 3);
	free(text);
	fake_until(machine_scanned(machine) >= 0);
}

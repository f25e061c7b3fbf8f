/* SPDX-License-Identifier: Apache-2.0 */
/* The table of containers against an Engine that says whatever a test wants. */
#include "agent/docker/containers.h"
#include "fake_engine.h"

static struct containers *table;
static unsigned listed;
static char seen[4096];

static const char *binding_of(void *ctx UNUSED, const char *volume)
{
	return strcmp(volume, "vol") == 0 ? "app" : NULL;
}

static void on_changed(void *ctx UNUSED, const struct container *c,
                       enum containers_change what)
{
	static const char *const words[] = { "new", "changed", "gone" };
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%s %c %s %s %s;", words[what], c->id[0],
	         c->name, c->running ? "runs" : "-", container_health_name(c->health));
}

static void on_listed(void *ctx UNUSED)
{
	listed++;
}

static int64_t due(int64_t now)
{
	return containers_due(table, now);
}

static void setup(void)
{
	struct containers_options o = { .socket = fake.path,
		                        .run_dir = "/run/vault-agent",
		                        .labels = true,
		                        .driver = "vault",
		                        .binding_of = binding_of,
		                        .clock = &fake_clock,
		                        .changed = on_changed,
		                        .listed = on_listed };

	fake_open();
	fake_engine("", "[]");
	o.multi = fake.multi;
	cr_assert_eq(containers_new(&o, &table, &e), ERR_OK, "%s", e.msg);
	fake.due = due;
}

static void teardown(void)
{
	containers_free(table);
	fake_close();
}

TestSuite(containers, .init = setup, .fini = teardown, .timeout = 60);

#define ITEM(id, name, more)                        \
	"{\"Id\":\"" id "\",\"Names\":[" name       \
	"],\"Image\":\"box:1\",\"State\":\"running" \
	"\",\"Status\":\"Up 2 seconds\"" more "}"
#define DOC(name)                                                          \
	"{\"Name\":\"" name                                                \
	"\",\"RestartCount\":0,\"State\":{\"Running\":true,\"StartedAt\":" \
	"\"2026-11-27T10:00:00Z\"}}"
#define LABEL(text) ",\"Labels\":{\"vault.bind\":\"" text "\"}"
#define EVENT(action, id) \
	"{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id "\"}}"

/* Sent on the connection of the events that is open. */
static void happen(const char *event)
{
	char text[512];
	struct fake_conn *c = NULL;
	int n;

	fake_until(listed > 0);
	for (size_t i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0 && strstr(fake.conns[i].in, "/events") != NULL)
			c = &fake.conns[i];
	cr_assert_not_null(c);
	n = snprintf(text, sizeof(text), "%zx\r\n%s\r\n", strlen(event), event);
	cr_assert_eq(send(c->fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static struct fake_answer *inspected(const char *id, const char *doc)
{
	return fake_reply(id[0] == 'a' ? "/" ID_A "/json" : "/" ID_B "/json", 200, doc);
}

/* The Engine tells that a container was renamed before it takes the old name away: lists
 * have both then, sorted. */
Test(containers, a_list_with_two_names_does_not_decide)
{
	const char *wanted[] = { "after" };

	cr_assert_eq(containers_name(table, wanted, 1, &e), ERR_OK);
	(void)inspected(ID_A, DOC("/after"));
	fake_until(listed == 1);
	(void)fake_reply("GET /v1.41/containers/json", 200,
	                 "[" ITEM(ID_A, "\"/after\",\"/before\"", "") "]");
	happen(EVENT("rename", ID_A));
	fake_until(strstr(seen, "new a after runs") != NULL);
	fake_until(containers_find(table, ID_A)->started_ms > 0);

	seen[0] = '\0';
	(void)inspected(ID_A, DOC("/before"));
	happen(EVENT("rename", ID_A));
	fake_until(strstr(seen, "gone a before") != NULL);
	cr_assert_eq(containers_count(table), 0);

	/* The wanted name comes last. */
	wanted[0] = "zz";
	cr_assert_eq(containers_name(table, wanted, 1, &e), ERR_OK);
	seen[0] = '\0';
	(void)inspected(ID_A, DOC("/zz"));
	(void)fake_reply("GET /v1.41/containers/json", 200,
	                 "[" ITEM(ID_A, "\"/before\",\"/zz\"", "") "]");
	fake_until(strstr(seen, "new a zz runs") != NULL);
}

Test(containers, what_a_container_says_of_itself_is_looked_at)
{
	const struct container *c;

	(void)fake_reply(
		"GET /v1.41/containers/json", 200,
		"[" ITEM(ID_A, "\"/other/web\",\"/web\"", LABEL(" app ,db,,app,../x,a/b,..g1")) "," ITEM(
			ID_B, "\"/web\\n\",7",
			LABEL("x")) "," ITEM(ID_C, "",
	                                     ",\"Labels\":[\"vault.bind\"]") "," ITEM(ID_D,
	                                                                              "\"/d\"",
	                                                                              LABEL("app,\\u0007")) ",{\"Id\":7},{\"Id\":\"x\"},[]]");
	(void)inspected(ID_A, DOC("/web"));
	(void)inspected(ID_B, "{\"State\":7}");
	fake_until(listed == 1);
	cr_assert_eq(containers_count(table), 2);
	c = containers_by_name(table, "web");
	cr_assert_not_null(c);
	cr_assert_eq(c->n_bindings, 2);
	cr_assert(container_uses(c, "app") && container_uses(c, "db"));
	c = containers_find(table, ID_B);
	cr_assert_str_eq(c->name, "", "this name cannot be shown");
	cr_assert(container_uses(c, "x"));
}

Test(containers, mounts_are_recognised)
{
	const struct container *c;

	(void)fake_reply(
		"GET /v1.41/containers/json", 200,
		"[" ITEM(
			ID_A, "\"/web\"",
			",\"Mounts\":[{\"Source\":\"/var/run/vault-agent/app/\"},"
			"{\"Source\":\"/run/vault-agent-x/no\"},{\"Source\":7},7,"
			"{\"Source\":\"/run/vault-agent/db/pw\",\"Destination\":\"/p\"},"
			"{\"Source\":\"\",\"Driver\":\"vault\",\"Name\":\"vol\"},"
			"{\"Source\":\"\",\"Driver\":\"local\",\"Name\":\"vol\"},"
			"{\"Source\":\"\",\"Driver\":\"vault\",\"Name\":\"none\"}]") "]");
	(void)inspected(ID_A, DOC("/web"));
	fake_until(listed == 1);
	c = containers_by_name(table, "web");
	cr_assert_not_null(c);
	cr_assert_eq(c->n_mounts, 3);
	cr_assert_str_eq(c->mounts[0].binding, "app");
	cr_assert_not(c->mounts[0].pinned);
	cr_assert_str_eq(c->mounts[1].binding, "db");
	cr_assert_str_eq(c->mounts[1].destination, "/p");
	cr_assert(c->mounts[1].pinned);
	cr_assert_str_eq(c->mounts[2].binding, "app");
}

/* "docker create -v" takes any path: it is made when the container starts. */
Test(containers, mounts_that_could_be_no_binding_are_none)
{
	char item[3000], name[601];
	const struct container *c;

	memset(name, 'x', 600);
	name[600] = '\0';
	snprintf(item, sizeof(item),
	         "[" ITEM(ID_A, "\"/web\"",
	                  ",\"Labels\":{\"vault.bind\":\"app\"},\"Mounts\":["
	                  "{\"Source\":\"/run/vault-agent/%s\"},"
	                  "{\"Source\":\"/run/vault-agent/..g000001/pw\"},"
	                  "{\"Source\":\"/run/vault-agent\"}]") "]",
	         name);
	(void)fake_reply("GET /v1.41/containers/json", 200, item);
	(void)inspected(ID_A, DOC("/web"));
	fake_until(listed == 1);
	c = containers_by_name(table, "web");
	cr_assert_not_null(c);
	cr_assert_eq(c->n_mounts, 1);
	cr_assert_str_eq(c->mounts[0].binding, "");
}

Test(containers, what_happens_is_followed)
{
	(void)fake_reply("GET /v1.41/containers/json", 200,
	                 "[" ITEM(ID_A, "\"/web\"", LABEL("app")) "]");
	(void)inspected(
		ID_A, "{\"Name\":\"/web\",\"State\":{\"Running\":true,\"Health\":{"
		      "\"Status\":\"healthy\"},\"StartedAt\":\"2026-11-27T10:00:00Z\"}}");
	fake_until(strstr(seen, "changed a web runs healthy;") != NULL);
	(void)fake_bytes("GET /v1.41/containers/json", "", 0)->closes;
	happen(EVENT("health_status: unhealthy", ID_A));
	fake_until(strstr(seen, "changed a web runs unhealthy;") != NULL);
	happen(EVENT("health_status: nonsense", ID_A));
	happen(EVENT("die", ID_A));
	fake_until(strstr(seen, "changed a web - starting;") != NULL);
	happen(EVENT("destroy", ID_A));
	fake_until(strstr(seen, "gone a web - starting;") != NULL);
	cr_assert_eq(containers_count(table), 0);
}

/* Half a list, or none, must not pass for a host without containers. */
Test(containers, a_list_that_failed_takes_nobody_away)
{
	static const char *const bad[] = { "[", "{}", "", "<html>" };

	(void)fake_reply("GET /v1.41/containers/json", 200,
	                 "[" ITEM(ID_A, "\"/web\"", LABEL("app")) "]");
	(void)inspected(ID_A, DOC("/web"));
	fake_until(listed == 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fake_answer *a = fake_reply("GET /v1.41/containers/json", 200,
		                                   bad[i]);

		cr_assert_eq(containers_name(table, NULL, 0, &e), ERR_OK);
		fake_until((fake.skew += 100, a->asked >= 3));
		cr_assert_eq(containers_count(table), 1, "%s", bad[i]);
		cr_assert_eq(listed, 1);
	}
	cr_assert_null(strstr(seen, "gone"));
	(void)fake_reply("GET /v1.41/containers/json", 200, "[]");
	fake_until((fake.skew += 100, listed == 2));
	cr_assert_not_null(strstr(seen, "gone a web"));
}

Test(containers, there_are_no_more_than_fit)
{
	static char list[1024 * 1024];
	size_t n = 0;

	n += (size_t)snprintf(list, sizeof(list), "[");
	for (unsigned i = 0; i < CONTAINERS_MAX + 10; i++)
		n += (size_t)snprintf(
			list + n, sizeof(list) - n,
			"%s{\"Id\":\"%064x\",\"Names\":[\"/c%u\"],\"Labels\":"
			"{\"vault.bind\":\"app\"}}",
			i == 0 ? "" : ",", i, i);
	(void)snprintf(list + n, sizeof(list) - n, "]");
	(void)fake_reply("GET /v1.41/containers/json", 200, list);
	fake_until(listed == 1);
	cr_assert_eq(containers_count(table), CONTAINERS_MAX);
}

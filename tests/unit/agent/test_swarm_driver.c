/* SPDX-License-Identifier: Apache-2.0 */
/* What Docker is told when a task asks for a secret, and what is known of who has one. */
#include "agent/swarm/driver.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/docker/plugin.h"
#include "clock.h"
#include "log.h"

#define ROUNDS 40

static char dir[64], path[128], reply[8192];
static struct driver *d;
static int ep;
static int64_t boot;
static char missed[64];
static int64_t missed_version;
static struct err e;

static int64_t at_boot(void *ctx)
{
	(void)ctx;
	return boot;
}

static const struct clock faked = { at_boot, at_boot, NULL };

static void on_missing(void *ctx, const char *binding, int64_t version)
{
	(void)ctx;
	snprintf(missed, sizeof(missed), "%s", binding);
	missed_version = version;
}

static void setup(void)
{
	struct driver_options o = {
		.clock = &faked, .ops = {on_missing, NULL}
	};

	log_init("test", false);
	(void)log_set_level("error");
	snprintf(dir, sizeof(dir), "/tmp/driver-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/plugins/vault.sock", dir);
	o.socket = path;
	boot = 1000000;
	missed[0] = '\0';
	cr_assert_eq(driver_open(&o, &d, &e), ERR_OK, "%s", e.msg);
	ep = epoll_create1(EPOLL_CLOEXEC);
	cr_assert_eq(driver_attach(d, ep, &e), ERR_OK, "%s", e.msg);
	driver_cluster(d, "c1");
}

static void stop(void)
{
	char sub[160];

	driver_free(d);
	cr_assert_neq(access(path, F_OK), 0, "a dead socket is waited for");
	close(ep);
	snprintf(sub, sizeof(sub), "%s/plugins", dir);
	(void)rmdir(sub);
	(void)rmdir(dir);
}

TestSuite(swarm_driver, .init = setup, .fini = stop, .timeout = 20);

static void turn(void)
{
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, 0);

	for (int i = 0; i < n; i++)
		cr_assert(driver_event(d, ev[i].data.fd, ev[i].events));
}

/* The body of the answer. */
static const char *call(const char *verb, const char *body)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char head[256];
	size_t n = 0;
	char *at;

	memcpy(to.sun_path, path, strlen(path) + 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n",
	         verb, strlen(body));
	cr_assert_eq(send(fd, head, strlen(head), MSG_NOSIGNAL), (ssize_t)strlen(head));
	cr_assert_eq(send(fd, body, strlen(body), MSG_NOSIGNAL), (ssize_t)strlen(body));
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t got;

		turn();
		got = recv(fd, reply + n, sizeof(reply) - 1 - n, MSG_DONTWAIT);
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	reply[n] = '\0';
	at = strstr(reply, "\r\n\r\n");
	cr_assert_not_null(at, "no answer: %s", reply);
	return at + 4;
}

static const char *ask(const char *labels, const char *service, const char *task)
{
	char body[1024];

	snprintf(body, sizeof(body),
	         "{\"SecretName\":\"db\",\"SecretLabels\":{%s},\"ServiceName\":\"%s\","
	         "\"ServiceID\":\"s1\",\"ServiceLabels\":{\"vault.sync\":\"db\"},"
	         "\"TaskID\":\"%s\"}",
	         labels, service, task);
	return call("SecretProvider.GetSecret", body);
}

static bool other; /* the binding is of another secret than it was */

static void plan(unsigned keep, const char *why)
{
	static const char *const services[] = { "web", "id9" };
	const struct driver_binding list[] = {
		{"db",     services,     2, keep, other, why },
		{ "other", services + 1, 1, keep, false, NULL},
	};

	cr_assert_eq(driver_plan(d, list, 2, &e), ERR_OK, "%s", e.msg);
}

static void put(int64_t version, const char *value)
{
	cr_assert_eq(driver_put(d, "db", version, value, strlen(value), &e), ERR_OK, "%s",
	             e.msg);
}

#define VALUE(text) "{\"Value\":\"" text "\",\"DoNotReuse\":true}"
#define V1          "\"vault.version\":\"1\""
#define V2          "\"vault.version\":\"2\""

static void refused(const char *answer, const char *why)
{
	cr_assert_not_null(strstr(answer, why), "%s", answer);
	cr_assert_null(strstr(answer, "Value"), "%s", answer);
}

Test(swarm_driver, the_newest_or_the_one_that_is_pinned)
{
	plan(2, NULL);
	put(2, "two");
	put(1, "one");
	cr_assert_str_eq(ask("", "web", "t1"), VALUE("dHdv"));
	cr_assert_str_eq(ask(V1, "web", "t1"), VALUE("b25l"));
	cr_assert_str_eq(ask(V2 ",\"vault.cluster\":\"c1\"", "web", "t1"), VALUE("dHdv"));
	cr_assert_str_eq(missed, "");
	refused(ask("\"vault.version\":\"3\"", "web", "t1"), "not in memory");
	cr_assert_str_eq(missed, "db");
	cr_assert_eq(missed_version, 3);
}

Test(swarm_driver, a_service_has_what_was_granted_and_labels_are_no_authority)
{
	plan(2, NULL);
	put(1, "one");
	refused(ask("", "thief", "t1"), "other services");
	refused(ask("\"vault.binding\":\"other\"", "web", "t1"), "other services");
	refused(ask("\"vault.binding\":\"nothing\"", "web", "t1"), "no such binding");
	refused(ask("\"vault.cluster\":\"c2\"", "web", "t1"), "another Swarm");
	cr_assert_str_eq(missed, "", "nothing is fetched for those");
	plan(2, "the host's role does not allow this path");
	refused(ask("", "web", "t1"), "does not allow");
	cr_assert(!driver_has(d, "db", 1), "what is taken back goes from memory");
	cr_assert_eq(driver_put(d, "db", 1, "one", 3, &e), ERR_NOENT);
}

Test(swarm_driver, another_swarm_is_another_world)
{
	plan(2, NULL);
	put(1, "one");
	(void)ask("", "web", "t1");
	driver_cluster(d, "c1");
	cr_assert(driver_has(d, "db", 1));
	driver_cluster(d, "c2");
	cr_assert(!driver_has(d, "db", 1));
	cr_assert(!driver_has_news(d));
	refused(ask("", "web", "t1"), "not asked yet");
}

Test(swarm_driver, a_value_of_another_secret_is_not_given)
{
	plan(2, NULL);
	put(7, "of the one before");
	other = true;
	plan(2, NULL);
	cr_assert_not(driver_has(d, "db", 7));
	refused(ask("", "web", "t1"), "not in memory");
	put(7, "of this one");
	cr_assert_not_null(strstr(ask("", "web", "t1"), "Value"));
}

Test(swarm_driver, old_versions_go_unless_tasks_have_them)
{
	plan(2, NULL);
	put(1, "one");
	put(2, "two");
	(void)ask(V1, "web", "t1");
	put(3, "three");
	put(4, "four");
	cr_assert(driver_has(d, "db", 4) && driver_has(d, "db", 3));
	cr_assert(driver_has(d, "db", 1), "t1 has it, and may be made anew");
	cr_assert(!driver_has(d, "db", 2));
	boot += 60000;
	driver_seen(d, "s1", NULL, 0);
	put(5, "five");
	cr_assert(!driver_has(d, "db", 1));
	put(2, "two");
	cr_assert(driver_has(d, "db", 2), "somebody asked for it");
}

Test(swarm_driver, a_version_in_another_form_takes_its_place)
{
	plan(2, NULL);
	put(1, "one");
	put(2, "two");
	put(1, "two");
	cr_assert_str_eq(ask(V1, "web", "t1"), VALUE("dHdv"));
	put(2, "one");
	cr_assert_str_eq(ask("", "web", "t1"), VALUE("b25l"));
	cr_assert(driver_has(d, "db", 1));
}

Test(swarm_driver, values_that_docker_does_not_take_are_not_kept)
{
	static char big[DRIVER_VALUE_MAX + 1];

	plan(1, NULL);
	cr_assert_eq(driver_put(d, "db", 1, big, sizeof(big), &e), ERR_TOO_BIG);
	cr_assert_eq(driver_put(d, "db", 1, big, 0, &e), ERR_TOO_BIG);
	cr_assert_eq(driver_put(d, "db", 1, big, sizeof(big) - 1, &e), ERR_OK);
}

static json_t *news(void)
{
	return driver_news(d);
}

static const char *member(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

Test(swarm_driver, a_lease_lasts_as_long_as_its_task)
{
	const struct machine_task tasks[] = {
		{.id = "t1",  .state = TASK_RUNNING, .wanted = true},
		{ .id = "t2", .state = TASK_FAILED,  .wanted = true},
	};
	json_t *list;

	plan(2, NULL);
	put(1, "one");
	(void)ask("", "web", "t1");
	(void)ask("", "web", "t2");
	(void)ask("", "web", "t3");
	(void)ask("", "web", "t3");
	list = news();
	cr_assert_eq(json_array_size(list), 3);
	cr_assert_str_eq(member(list, 0, "task"), "t1");
	cr_assert_str_eq(member(list, 0, "service"), "s1");
	json_decref(list);
	driver_heard(d, false);
	cr_assert(driver_has_news(d), "it was not heard");
	json_decref(news());
	driver_heard(d, true);
	cr_assert(!driver_has_news(d));
	driver_seen(d, "s1", tasks, 2);
	list = news();
	cr_assert_eq(json_array_size(list), 1, "t3 may be younger than the look");
	cr_assert_str_eq(member(list, 0, "task"), "t2");
	cr_assert(json_is_true(json_object_get(json_array_get(list, 0), "ended")));
	json_decref(list);
	driver_heard(d, true);
	boot += 60000;
	driver_seen(d, "s2", NULL, 0);
	cr_assert(!driver_has_news(d), "another service");
	driver_seen(d, "s1", tasks, 1);
	list = news();
	cr_assert_eq(json_array_size(list), 1);
	cr_assert_str_eq(member(list, 0, "task"), "t3");
	json_decref(list);
	driver_heard(d, true);
	driver_seen_all(d);
	cr_assert(!driver_has_news(d), "s1 was there");
	driver_seen_all(d);
	list = news();
	cr_assert_str_eq(member(list, 0, "task"), "t1");
	json_decref(list);
}

Test(swarm_driver, what_changed_while_it_was_told_is_told_again)
{
	plan(2, NULL);
	put(1, "one");
	(void)ask("", "web", "t1");
	json_decref(news());
	boot += 60000;
	driver_seen(d, "s1", NULL, 0);
	driver_heard(d, true);
	cr_assert(driver_has_news(d), "its end was not in it");
}

Test(swarm_driver, leases_are_bounded)
{
	char task[16];
	json_t *list;

	plan(1, NULL);
	put(1, "one");
	for (unsigned i = 0; i < DRIVER_SAID_MAX + 5; i++) {
		snprintf(task, sizeof(task), "t%u", i);
		(void)ask("", "web", task);
	}
	list = news();
	cr_assert_eq(json_array_size(list), DRIVER_SAID_MAX);
	json_decref(list);
	driver_heard(d, true);
	list = news();
	cr_assert_eq(json_array_size(list), 5);
	json_decref(list);
}

Test(swarm_driver, what_is_no_call_is_answered_with_an_error)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"null",
		"{\"SecretName\":\"db\"}",
		"{\"SecretName\":\"db\",\"ServiceName\":\"web\",\"ServiceID\":\"s1\"}",
		"{\"SecretName\":\"db\",\"ServiceName\":\"web\",\"ServiceID\":\"s1\",\"TaskID\":\"../x\"}",
		"{\"SecretName\":\"db\",\"ServiceName\":[\"web\"],\"ServiceID\":\"s1\",\"TaskID\":\"t\"}",
		"{\"SecretName\":\"d\\nb\",\"ServiceName\":\"web\",\"ServiceID\":\"s1\",\"TaskID\":\"t\"}",
	};

	plan(1, NULL);
	put(1, "one");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(call("SecretProvider.GetSecret", bad[i]), "names no secret");
	refused(ask("\"vault.version\":\"0\"", "web", "t"), "no version");
	refused(ask("\"vault.version\":\"+1\"", "web", "t"), "no version");
	refused(ask("\"vault.version\":\"1111111111111111111\"", "web", "t"),
	        "no version");
	refused(ask("\"vault.binding\":\"\"", "web", "t"), "no name of a binding");
	refused(call("SecretProvider.Other", "{}"), "no such call");
	refused(call("VolumeDriver.List", "{}"), "no such call");
	cr_assert_str_eq(call("Plugin.Activate", ""),
	                 "{\"Implements\":[\"secretprovider\"]}");
	cr_assert_str_eq(driver_name(d), "vault");
}

Test(swarm_driver, it_says_whom_it_refused)
{
	json_t *o, *list;

	plan(1, NULL);
	(void)ask("", "thief", "t1");
	(void)ask("", "thief", "t2");
	o = driver_status(d);
	list = json_object_get(o, "refused");
	cr_assert_eq(json_array_size(list), 1);
	cr_assert_str_eq(member(list, 0, "service"), "thief");
	cr_assert_eq(
		json_integer_value(json_object_get(json_array_get(list, 0), "times")), 2);
	json_decref(o);
}

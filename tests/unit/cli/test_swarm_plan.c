/* SPDX-License-Identifier: Apache-2.0 */
/* What is said before it is done: order, names, and why not. */
#include "cli/swarm_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "util.h"

TestSuite(swarm_plan, .timeout = 20);

#define CLUSTER "c1"

static struct swarm_plan p;
static json_t *plan;

static json_t *load(const char *text)
{
	json_error_t why;
	json_t *o = json_loads(text, 0, &why);

	cr_assert_not_null(o, "%s: %s", why.text, text);
	return o;
}

static void open_world(void)
{
	p = (struct swarm_plan){ CLUSTER,      json_array(), json_array(),
		                 json_array(), json_array(), json_array() };
	plan = NULL;
}

static void close_world(void)
{
	json_decref(p.bindings);
	json_decref(p.rows);
	json_decref(p.services);
	json_decref(p.tasks);
	json_decref(p.secrets);
	json_decref(plan);
}

static void binding(const char *more)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"name\":\"db\",\"path\":\"secret/app/db\",\"version\":2,"
	         "\"soak\":\"10s\"%s%s}",
	         *more != '\0' ? "," : "", more);
	json_array_append_new(p.bindings, load(text));
}

static void secret(const char *id, const char *name, const char *labels)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"ID\":\"%s\",\"Spec\":{\"Name\":\"%s\",\"Labels\":{%s}}}", id, name,
	         labels);
	json_array_append_new(p.secrets, load(text));
}

static const char ours[] = "\"vault.cluster\":\"c1\",\"vault.binding\":\"db\","
			   "\"vault.version\":\"2\",\"vault.object\":\"0\"";

/* A service with one task that runs, and the secret "old" at "db". */
static void service(const char *name, const char *more)
{
	static unsigned index = 10;
	char text[1024];

	snprintf(
		text, sizeof(text),
		"{\"ID\":\"id%s\",\"Version\":{\"Index\":%u},\"Spec\":{\"Name\":\"%s\","
		"\"Labels\":{\"vault.sync\":\"db\"},\"TaskTemplate\":{\"ContainerSpec\":"
		"{\"Secrets\":[{\"File\":{\"Name\":\"db\"},\"SecretID\":\"old\","
		"\"SecretName\":\"first\"}]}}},\"ServiceStatus\":{\"DesiredTasks\":1}%s%s}",
		name, index++, name, *more != '\0' ? "," : "", more);
	json_array_append_new(p.services, load(text));
	snprintf(text, sizeof(text),
	         "{\"ID\":\"task%s\",\"ServiceID\":\"id%s\",\"DesiredState\":\"running\","
	         "\"Status\":{\"State\":\"running\"},\"Spec\":{\"ContainerSpec\":{"
	         "\"Secrets\":[{\"SecretID\":\"old\"}]}}}",
	         name, name);
	json_array_append_new(p.tasks, load(text));
}

static void run(void)
{
	struct err e = { ERR_OK, "" };

	json_decref(plan);
	cr_assert_eq(swarm_plan(&p, &plan, &e), ERR_OK, "%s", e.msg);
}

static json_t *svc(size_t i)
{
	return json_array_get(json_object_get(json_array_get(plan, 0), "services"), i);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static const char *first(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_array_get(json_object_get(o, key), 0));

	return s != NULL ? s : "";
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const json_t *made(void)
{
	return json_array_get(json_object_get(json_array_get(plan, 0), "secrets"), 0);
}

Test(swarm_plan, the_first_goes_alone_and_the_others_after_its_soak)
{
	open_world();
	binding("\"max_services\":2");
	secret("old", "first", "");
	service("a", "");
	service("b", "");
	service("c", "");
	run();
	cr_assert_str_eq(text(made(), "name"), "secret-app-db.raw.2");
	cr_assert_str_eq(text(made(), "action"), "create");
	for (size_t i = 0; i < 3; i++) {
		cr_assert_str_eq(text(svc(i), "action"), "update");
		cr_assert_eq(number(svc(i), "order"), (json_int_t)i + 1);
		cr_assert_eq(json_is_true(json_object_get(svc(i), "canary")), i == 0);
		cr_assert_str_eq(first(svc(i), "from"), "first");
		cr_assert_str_eq(first(svc(i), "to"), "secret-app-db.raw.2");
	}
	cr_assert_lt(number(svc(0), "after_ms"), 10000);
	cr_assert_geq(number(svc(1), "after_ms"), 10000);
	cr_assert_lt(number(svc(2), "after_ms"), 20000, "two at once");
	cr_assert_str_eq(text(svc(0), "how"), "1 task, 1 at a time, stop-first");
	close_world();
}

Test(swarm_plan, what_has_the_value_is_adopted)
{
	open_world();
	binding("");
	secret("old", "first", ours);
	service("a", "");
	run();
	cr_assert_str_eq(text(made(), "name"), "first");
	cr_assert_str_eq(text(made(), "action"), "compare");
	cr_assert_str_eq(text(svc(0), "action"), "adopt");
	cr_assert(json_is_false(json_object_get(svc(0), "restarts")));
	json_array_append_new(p.rows,
	                      load("{\"binding\":\"db\",\"id\":\"ida\",\"name\":\"a\","
	                           "\"state\":\"done\",\"version\":2,\"good\":2}"));
	run();
	cr_assert_str_eq(text(svc(0), "action"), "none");
	close_world();
}

Test(swarm_plan, a_name_that_is_taken)
{
	open_world();
	binding("");
	secret("old", "first", "");
	secret("other", "secret-app-db.raw.2", "");
	service("a", "");
	run();
	cr_assert_str_eq(first(svc(0), "to"), "secret-app-db.raw.2.b");
	close_world();
}

Test(swarm_plan, what_is_not_done_says_why)
{
	open_world();
	binding("");
	secret("old", "first", "");
	service("a", "\"UpdateStatus\":{\"State\":\"paused\",\"Message\":\"x\"}");
	service("b", "");
	json_object_set_new(json_object_get(json_array_get(p.services, 1), "Spec"),
	                    "Mode", load("{\"ReplicatedJob\":{}}"));
	run();
	cr_assert_str_eq(text(svc(0), "action"), "wait");
	cr_assert_not_null(strstr(text(svc(0), "reason"), "paused"));
	cr_assert_str_eq(text(svc(1), "action"), "skip");
	cr_assert_str_eq(first(svc(0), "to"), "first", "nothing is changed");
	close_world();
}

Test(swarm_plan, a_version_that_was_bad_is_held)
{
	open_world();
	binding("");
	secret("old", "first", "");
	service("a", "");
	json_array_append_new(p.rows,
	                      load("{\"binding\":\"db\",\"id\":\"ida\",\"name\":\"a\","
	                           "\"state\":\"rolled-back\",\"version\":2,\"good\":1,"
	                           "\"reason\":\"it ended\"}"));
	run();
	cr_assert_str_eq(text(svc(0), "action"), "hold");
	cr_assert_str_eq(text(svc(0), "reason"), "it ended");
	close_world();
}

Test(swarm_plan, a_driver_is_for_services_that_are_named)
{
	open_world();
	binding("\"mode\":\"driver\",\"services\":[\"a\"]");
	secret("old", "first", "");
	service("a", "");
	service("b", "");
	run();
	cr_assert_str_eq(text(svc(0), "name"), "a");
	cr_assert_str_eq(text(svc(0), "action"), "update");
	cr_assert_null(svc(1), "its label is a request");
	cr_assert_eq(json_array_size(json_object_get(json_array_get(plan, 0), "secrets")),
	             1);
	close_world();
}

Test(swarm_plan, an_unknown_version_does_nothing)
{
	open_world();
	binding("\"version\":0");
	secret("old", "first", "");
	service("a", "");
	run();
	cr_assert_str_eq(text(svc(0), "action"), "wait");
	cr_assert_eq(json_array_size(json_object_get(json_array_get(plan, 0), "secrets")),
	             0);
	close_world();
}

/* Hundreds of services, each watched for hours, are planned to the last. */
Test(swarm_plan, long_soaks_of_many_services)
{
	char name[16];
	json_int_t before = -1;

	open_world();
	json_array_append_new(p.bindings,
	                      load("{\"name\":\"db\",\"path\":\"secret/app/db\","
	                           "\"version\":2,\"soak\":\"24h\"}"));
	secret("old", "first", "");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%02d", i);
		service(name, "");
	}
	run();
	for (size_t i = 0; i < 100; i++) {
		json_int_t at = number(svc(i), "after_ms");

		cr_assert_str_eq(text(svc(i), "action"), "update", "%zu: %s", i,
		                 text(svc(i), "reason"));
		cr_assert(before < 0 || at - before >= 86400000, "%zu", i);
		cr_assert(before < 0 || at - before < 86400000 + 10000, "%zu", i);
		before = at;
	}
	close_world();
}

/* Whatever Docker or the vault say. */
Test(swarm_plan, strange_answers)
{
	static const char *const strange[] = {
		"{}",
		"7",
		"{\"ID\":7,\"Spec\":[]}",
		"{\"ID\":\"ids\",\"Version\":7,\"Spec\":{\"Name\":\"s\",\"Labels\":{"
		"\"vault.sync\":\"db\"},\"TaskTemplate\":7}}",
		"{\"ID\":\"idt\",\"Version\":{\"Index\":3},\"Spec\":{\"Name\":\"t\",\"Labels\":{"
		"\"vault.sync\":\"db\"},\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":7}}}}",
	};

	open_world();
	binding("\"targets\":[7]");
	binding("\"services\":[7],\"name\":\"x\"");
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		json_t *o = json_loads(strange[i], JSON_DECODE_ANY, NULL);

		cr_assert_not_null(o);
		json_array_append(p.services, o);
		json_array_append(p.tasks, o);
		json_array_append(p.secrets, o);
		json_array_append(p.rows, o);
		json_decref(o);
	}
	run();
	close_world();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads a Swarm as time passes, and how a rotation ends by what is said of services.
 */
#include "host_rig.h"
#include "server/core/audit/audit.h"

#define EPOCH  strtoll(rig_got("data.epoch"), NULL, 10)
#define LEADER rig_got("data.leader")

static struct agent one, two;

static void setup(void)
{
	rig_start();
	put_secret("app/db", "one");
	make_role("web", "secret/app/*");
	agent_start(&one, "web-1", "web");
	agent_start(&two, "web-2", "web");
	ASK(204, HTTP_POST, "sys/swarm/bindings/db",
	    "{\"roles\":[\"web\"],\"path\":\"secret/app/db\",\"field\":\"password\"}");
}

TestSuite(swarm, .init = setup, .fini = rig_stop, .timeout = 60);

static long long moment = 1000; /* of the hosts' clocks */

static bool leads(struct agent *ag, bool raft)
{
	const char *fields = arena_printf(
		rig.a, "{\"cluster\":\"c1\",\"boot_ms\":%lld,\"raft_leader\":%s}",
		++moment, raft ? "true" : "false");

	cr_assert_eq(agent_post(ag, "swarm/lead", fields), 200, "%s", rig_got(""));
	return strcmp(LEADER, "true") == 0;
}

static bool says(struct agent *ag, int64_t epoch, const char *state, int version)
{
	const char *fields = arena_printf(
		rig.a,
		"{\"cluster\":\"c1\",\"boot_ms\":%lld,\"epoch\":%lld,\"rows\":[{\"binding\":\"db\","
		"\"service\":\"s1\",\"name\":\"web\",\"state\":\"%s\",\"version\":%d}],"
		"\"looks\":[{\"binding\":\"db\",\"version\":%d,\"services\":1}]}",
		++moment, (long long)epoch, state, version, version);

	cr_assert_eq(agent_post(ag, "swarm/state", fields), 200, "%s", rig_got(""));
	return strcmp(rig_got("data.stored"), "true") == 0;
}

static char *planned(struct agent *ag, int64_t epoch)
{
	cr_assert_eq(agent_post(ag, "swarm/plan",
	                        arena_printf(rig.a, "{\"cluster\":\"c1\",\"epoch\":%lld}",
	                                     (long long)epoch)),
	             200, "%s", rig_got(""));
	return arena_str(rig.a, rig_got("data.bindings.0.lease_id"));
}

Test(swarm, whoever_is_silent_for_long_leads_no_more)
{
	int64_t first, second;

	cr_assert(leads(&one, false));
	first = EPOCH;
	for (int i = 0; i < 10; i++) {
		rig_advance(14999);
		cr_assert(!leads(&two, false));
		cr_assert(leads(&one, false));
		cr_assert_eq(EPOCH, first);
	}
	rig_advance(15000);
	cr_assert(!says(&one, first, "apply", 1),
	          "its time is over, although nobody came");
	cr_assert(leads(&two, false));
	second = EPOCH;
	cr_assert_gt(second, first);
	cr_assert(!leads(&one, false));
	cr_assert(!says(&one, first, "apply", 1));
	cr_assert(!says(&one, second, "apply", 1));
	cr_assert(says(&two, second, "apply", 1));
	rig_advance(15000);
	cr_assert(leads(&two, false));
	cr_assert_gt(EPOCH, second, "something may have happened in the pause");
	cr_assert(!says(&two, second, "done", 1));
}

/* 17,000 records a day would be no news. */
Test(swarm, that_it_goes_on_as_before_is_on_record_once)
{
	int64_t size;

	cr_assert(leads(&one, false));
	cr_assert(!leads(&two, false));
	size = audit_size(rig.core);
	for (int i = 0; i < 20; i++) {
		rig_advance(5000);
		cr_assert(leads(&one, false));
		cr_assert(!leads(&two, false));
	}
	cr_assert_eq(audit_size(rig.core), size);
	rig_advance(1000);
	cr_assert(!leads(&two, true), "that one is preferred is news");
	cr_assert_eq(audit_size(rig.core), ++size);
	cr_assert(!leads(&two, true));
	cr_assert_eq(audit_size(rig.core), size);
	cr_assert(!leads(&one, false));
	cr_assert_eq(audit_size(rig.core), ++size, "so is that it gives way");
	cr_assert(leads(&two, true));
	cr_assert_eq(audit_size(rig.core), ++size, "and that another leads");
	cr_assert_eq(rig_ask_as(two.token, HTTP_POST, "sys/agent/swarm/lead",
	                        "{\"cluster\":\"\"}"),
	             400);
	cr_assert_eq(audit_size(rig.core), ++size, "and every refusal");
}

Test(swarm, either_clock_ends_it)
{
	cr_assert(leads(&one, false));
	rig.wall -= 3600 * 1000;
	cr_assert(leads(&two, false), "a clock that was set back keeps nobody");
	rig.wall += 3600 * 1000 + 15000;
	cr_assert(leads(&one, false));
	rig.boot += 15000;
	cr_assert(leads(&two, false));
}

Test(swarm, who_is_preferred_but_does_not_come_is_not_waited_for_long)
{
	cr_assert(leads(&one, false));
	cr_assert(!leads(&two, true));
	cr_assert(!leads(&one, false));
	cr_assert(!leads(&one, false));
	rig_advance(15001);
	cr_assert(leads(&one, false));
}

Test(swarm, leases_outlive_a_leader_and_a_restart_and_end_without_any)
{
	char *lease, *again;
	int64_t version;

	cr_assert(leads(&one, false));
	lease = planned(&one, EPOCH);
	cr_assert_str_eq(agent_fetch(&one, lease, "password", &version), "one");
	rig_reopen();
	rig_unseal();
	cr_assert_str_eq(agent_fetch(&one, lease, "password", &version), "one");
	rig_advance(15001);
	cr_assert_str_neq(agent_fetch(&one, lease, "password", &version), "one");
	cr_assert(leads(&two, false));
	again = planned(&two, EPOCH);
	cr_assert_str_eq(again, lease);
	cr_assert_str_eq(agent_fetch(&two, lease, "password", &version), "one");
	rig_advance(24ll * 3600 * 1000 + 1);
	run_timers();
	ASK(200, HTTP_GET, "sys/hosts/where/secret/app/db", NULL);
	GOT("data.hosts.0.state", "expired");
}

Test(swarm, a_rotation_ends_when_the_services_are_done)
{
	int64_t epoch, version;
	char *lease, *attempt;

	cr_assert(leads(&one, false));
	epoch = EPOCH;
	lease = planned(&one, epoch);
	agent_fetch(&one, lease, "password", &version);
	cr_assert(says(&one, epoch, "done", 1));
	ASK(200, HTTP_POST, "sys/rotation/rotate/secret/app/db", "{\"wait\":false}");
	attempt = arena_printf(rig.a, "sys/rotation/attempts/%s",
	                       rig_got("data.attempt_id"));
	cr_assert_str_neq(agent_fetch(&one, lease, "password", &version), "one");
	cr_assert_eq(version, 2);
	cr_assert(says(&one, epoch, "soak", 2));
	ASK(200, HTTP_GET, attempt, NULL);
	GOT("data.holders_waiting", "1");
	cr_assert(says(&one, epoch, "done", 2));
	ASK(200, HTTP_GET, attempt, NULL);
	GOT("data.state", "converged");
	GOT("data.holders_applied", "1");
}

/* What the network process has kept back, or says again, changes nothing. */
Test(swarm, what_is_older_than_what_was_heard_is_nothing)
{
	int64_t epoch;
	long long late;

	cr_assert(leads(&one, false));
	epoch = EPOCH;
	late = moment;
	cr_assert(says(&one, epoch, "rolled-back", 1));
	cr_assert(says(&one, epoch, "done", 1));
	moment -= 2;
	cr_assert(!says(&one, epoch, "rolled-back", 1), "it was said before");
	moment += 1;
	cr_assert(says(&one, epoch, "done", 1));
	rig_advance(14000);
	moment = late - 1;
	cr_assert(leads(&one, false), "it still does");
	rig_advance(1000);
	moment = late - 1;
	cr_assert(!leads(&one, false), "an old wish to lead makes it no longer");
	moment = late + 10;
	cr_assert(leads(&two, false));
	cr_assert_gt(EPOCH, epoch);
}

static char *driven(struct agent *ag)
{
	cr_assert_eq(agent_post(ag, "swarm/plan", "{\"cluster\":\"c1\",\"driver\":true}"),
	             200, "%s", rig_got(""));
	return arena_str(rig.a, rig_got("data.bindings.0.lease_id"));
}

static void put_driver(const char *name)
{
	ASK(204, HTTP_POST, arena_printf(rig.a, "sys/swarm/bindings/%s", name),
	    "{\"roles\":[\"web\"],\"path\":\"secret/app/db\",\"field\":\"password\","
	    "\"mode\":\"driver\",\"services\":[\"web\"]}");
}

Test(swarm, each_manager_has_what_a_driver_is_asked_for)
{
	int64_t version;
	char *lease;

	driven(&two);
	GOT("data.bindings.0.name", "-");
	cr_assert(leads(&one, false));
	driven(&two);
	GOT("data.bindings.0.name", "-");
	put_driver("drv");
	lease = driven(&two);
	GOT("data.leader", "false");
	GOT("data.bindings.0.name", "drv");
	GOT("data.bindings.0.services.0", "web");
	GOT("data.bindings.1.name", "-");
	GOT("data.states.0", "-");
	cr_assert_str_eq(driven(&one), lease, "the cluster's own");
	cr_assert_str_eq(agent_fetch(&two, lease, "password", &version), "one");
	cr_assert_str_eq(agent_fetch(&one, lease, "password", &version), "one");
}

Test(swarm, all_managers_hear_of_a_new_value_for_a_driver)
{
	int64_t rev, version;

	put_driver("drv");
	cr_assert(leads(&one, false));
	agent_fetch(&two, driven(&two), "password", &version);
	ASK_AS(200, two.token, HTTP_GET, "sys/agent/sync", NULL);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	agent_watch_with(&two, rev, 0, "");
	GOT("data.events.0.op", "-");
	put_secret("app/db", "two");
	agent_watch_with(&two, rev, 0, "");
	GOT("data.events.0.op", "swarm");
}

Test(swarm, an_old_version_is_given_where_a_service_has_it)
{
	int64_t version, epoch;
	char *lease, *of_restart, *rows;

	cr_assert(leads(&one, false));
	epoch = EPOCH;
	of_restart = planned(&one, epoch);
	put_driver("drv");
	lease = driven(&two);
	put_secret("app/db", "two");
	put_secret("app/db", "three");
	cr_assert_str_eq(agent_fetch_with(&two, lease, ",\"version\":2", "password",
	                                  &version),
	                 "no service has that version");
	rows = arena_printf(rig.a,
	                    "{\"cluster\":\"c1\",\"epoch\":%lld,\"boot_ms\":%lld,"
	                    "\"rows\":[{\"binding\":\"drv\",\"service\":\"s1\","
	                    "\"name\":\"web\",\"state\":\"rolled-back\",\"version\":3,"
	                    "\"good\":2}]}",
	                    (long long)epoch, (long long)++moment);
	cr_assert_eq(agent_post(&one, "swarm/state", rows), 200, "%s", rig_got(""));
	GOT("data.stored", "true");
	cr_assert_str_eq(agent_fetch_with(&two, lease, ",\"version\":2", "password",
	                                  &version),
	                 "two");
	cr_assert_eq(version, 2);
	cr_assert_str_eq(agent_fetch(&two, lease, "password", &version), "three");
	cr_assert_str_eq(agent_fetch_with(&two, lease, ",\"version\":1", "password",
	                                  &version),
	                 "no service has that version");
	cr_assert_str_eq(agent_fetch_with(&one, of_restart, ",\"version\":2", "password",
	                                  &version),
	                 "no service has that version", "that binding is no driver's");
}

Test(swarm, a_driver_is_for_services_that_are_named)
{
	ASK(400, HTTP_POST, "sys/swarm/bindings/drv",
	    "{\"roles\":[\"web\"],\"path\":\"secret/app/db\",\"field\":\"password\","
	    "\"mode\":\"driver\"}");
	GOT("errors.0", "services are missing: in the mode driver they alone get it");
}

Test(swarm, who_was_given_what_is_recorded)
{
	static const char *const bad[] = {
		"{\"cluster\":\"c1\"}",
		"{\"cluster\":\"c1\",\"tasks\":{}}",
		"{\"cluster\":\"c1\",\"tasks\":[7]}",
		"{\"cluster\":\"c1\",\"tasks\":[{\"binding\":\"drv\",\"service\":\"s\","
		"\"task\":\"\",\"version\":1}]}",
		"{\"cluster\":\"c1\",\"tasks\":[{\"binding\":\"drv\",\"service\":\"s\","
		"\"task\":\"t\"}]}",
		"{\"cluster\":\"\",\"tasks\":[]}",
	};

	put_driver("drv");
	cr_assert(leads(&one, false));
	cr_assert_eq(agent_post(&two, "swarm/tasks",
	                        "{\"cluster\":\"c1\",\"tasks\":["
	                        "{\"binding\":\"drv\",\"service\":\"s1\",\"task\":\"t1\","
	                        "\"version\":1},{\"binding\":\"drv\",\"service\":\"s1\","
	                        "\"task\":\"t0\",\"version\":1,\"ended\":true},"
	                        "{\"binding\":\"db\",\"service\":\"s1\",\"task\":\"t1\","
	                        "\"version\":1},{\"binding\":\"none\",\"service\":\"s1\","
	                        "\"task\":\"t1\",\"version\":1}]}"),
	             200, "%s", rig_got(""));
	GOT("data.heard", "2");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(agent_post(&two, "swarm/tasks", bad[i]), 400, "%s", bad[i]);
}

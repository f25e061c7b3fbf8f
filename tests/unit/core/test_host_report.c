/* SPDX-License-Identifier: Apache-2.0 */
/* Since when a host, or a container of it, has what it has. */
#include "host_rig.h"

static void setup(void)
{
	rig_start();
	put_secret("app/db", "one");
	make_role("web", "secret/app/*");
}

TestSuite(host_report, .init = setup, .fini = rig_stop, .timeout = 60);

static const char *where(const char *what)
{
	ASK(200, HTTP_GET, "sys/hosts/where/secret/app/db", NULL);
	return arena_str(rig.a, rig_got(arena_printf(rig.a, "data.hosts.0.%s", what)));
}

static void report(struct agent *ag, int boot_ms, int version, const char *state)
{
	int status = agent_post(
		ag, "report",
		arena_printf(
			rig.a,
			"{\"boot_ms\":%d,\"secrets\":[{\"path\":\"secret/app/db\","
			"\"containers\":[{\"id\":\"a\",\"version\":%d,\"state\":\"%s\"}]"
			"}]}",
			boot_ms, version, state));

	cr_assert_eq(status, 204, "%s", rig_got(""));
}

Test(host_report, a_container_changes_with_its_version_or_its_state)
{
	static const struct {
		int version;
		const char *state;
		bool moves;
	} steps[] = {
		{1,  "applied",   true },
                { 1, "applied",   false},
		{ 2, "applied",   true },
                { 2, "delivered", true },
		{ 2, "delivered", false},
	};
	const char *last = "-", *now;
	struct agent ag;

	agent_start(&ag, "web-1", "web");
	agent_lease(&ag, "secret/app/db");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		rig_advance(1000);
		report(&ag, (int)i + 1, steps[i].version, steps[i].state);
		now = where("containers.0.since");
		cr_assert_eq(strcmp(now, last) != 0, steps[i].moves, "step %zu: %s", i,
		             now);
		last = now;
	}
}

Test(host_report, a_host_changes_with_what_it_acknowledges)
{
	struct agent ag;
	const char *issued, *fetched, *applied, *lease;
	int64_t version;

	agent_start(&ag, "web-1", "web");
	lease = agent_lease(&ag, "secret/app/db");
	issued = where("since");
	rig_advance(1000);
	agent_fetch(&ag, lease, "password", &version);
	fetched = where("since");
	cr_assert_str_neq(fetched, issued);
	rig_advance(1000);
	cr_assert_eq(agent_ack_state(&ag, lease, 1, "applied"), 204);
	applied = where("since");
	cr_assert_str_neq(applied, fetched);
	rig_advance(1000);
	cr_assert_eq(agent_post(&ag, "renew",
	                        arena_printf(rig.a, "{\"leases\":[\"%s\"]}", lease)),
	             200);
	cr_assert_eq(agent_ack_state(&ag, lease, 1, "applied"), 204);
	cr_assert_str_eq(where("since"), applied, "nothing of it is news");
	put_secret("app/db", "two");
	cr_assert_str_eq(where("since"), applied, "it has what it had");
	cr_assert_str_eq(where("current"), "2");
}

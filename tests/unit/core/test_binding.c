/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings: who hears of a change when there are more hosts than one slice takes, and
 * what becomes of them when nobody is left to. */
#include "host_rig.h"

#include "server/core/binding/binding.h"

#define MANY 150 /* hosts: more than two slices of the job */

static void setup(void)
{
	rig_start();
	put_secret("app/db", "one");
	make_role("web", "secret/app/*");
	make_role("batch", "secret/app/*");
}

TestSuite(binding, .init = setup, .fini = rig_stop, .timeout = 120);

static const char *definition(const char *roles)
{
	return arena_printf(rig.a,
	                    "{\"roles\":\"%s\",\"files\":[{\"path\":\"secret/app/db\","
	                    "\"field\":\"password\",\"name\":\"pw\"}]}",
	                    roles);
}

static int64_t rev_of(const char *role)
{
	int64_t rev = -1;
	struct err e;

	cr_assert_eq(binding_role_rev(rig.core, rig.a, role, &rev, &e), ERR_OK);
	return rev;
}

Test(binding, a_change_marks_the_roles_of_before_and_after)
{
	int64_t web, batch;

	cr_assert_eq(rev_of("web"), 0);
	ASK(204, HTTP_POST, "sys/bindings/app", definition("web"));
	web = rev_of("web");
	cr_assert_gt(web, 0);
	cr_assert_eq(rev_of("batch"), 0);
	ASK(204, HTTP_POST, "sys/bindings/app", definition("batch"));
	batch = rev_of("batch");
	cr_assert_gt(batch, web);
	cr_assert_eq(rev_of("web"), batch, "its hosts lose it");
	ASK(204, HTTP_DELETE, "sys/bindings/app", NULL);
	cr_assert_gt(rev_of("batch"), batch);
	cr_assert_eq(rev_of("web"), batch, "nothing is theirs any more");
}

Test(binding, a_role_without_bindings_costs_nothing)
{
	int64_t jobs = store_count(rig.core, KIND_JOB);

	ASK(204, HTTP_POST, "sys/hosts/roles/batch", "{\"paths\":\"secret/app/x\"}");
	cr_assert_eq(rev_of("batch"), 0);
	cr_assert_leq(store_count(rig.core, KIND_JOB), jobs + 1, "that of its leases");
}

Test(binding, a_version_is_never_used_again)
{
	int64_t first;

	ASK(204, HTTP_POST, "sys/bindings/app", definition("web"));
	ASK(200, HTTP_GET, "sys/bindings/app", NULL);
	first = strtoll(rig_got("data.version"), NULL, 10);
	ASK(204, HTTP_DELETE, "sys/bindings/app", NULL);
	ASK(204, HTTP_POST, "sys/bindings/app", definition("web"));
	ASK(200, HTTP_GET, "sys/bindings/app", NULL);
	cr_assert_gt(strtoll(rig_got("data.version"), NULL, 10), first);
}

Test(binding, every_slice_of_hosts_is_looked_at)
{
	struct store_object job = { .version = 0 };
	struct value *roles = value_array(rig.a);
	bool done = false;
	int slices = 0;
	struct err e;

	for (int i = 0; i < MANY; i++) {
		ASK(200, HTTP_POST, "sys/hosts/add",
		    arena_printf(rig.a, "{\"name\":\"m%d\",\"role\":\"web\"}", i));
	}
	value_add(roles, value_str(rig.a, "web"));
	job.body = value_object(rig.a);
	value_set(job.body, "roles", roles);
	while (!done) {
		cr_assert_eq(binding_fanout_slice(rig.core, rig.a, &job, &done, &e),
		             ERR_OK, "%s", e.msg);
		slices++;
	}
	cr_assert_eq(slices, MANY / 64 + 1);
}

Test(binding, a_job_that_is_malformed_is_refused)
{
	struct store_object job = { .body = value_object(rig.a) };
	bool done = false;
	struct err e;

	cr_assert_eq(binding_fanout_slice(rig.core, rig.a, &job, &done, &e),
	             ERR_INTEGRITY);
}

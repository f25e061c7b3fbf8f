/* SPDX-License-Identifier: Apache-2.0 */
/* From values to files: one generation per change, nothing kept, nothing half. */
#include "files_rig.h"

TestSuite(files, .init = setup, .fini = teardown, .timeout = 30);

Test(files, delivers_all_of_a_binding_in_one_generation)
{
	deliver_both();
	cr_assert_str_eq(rig_read("one/user"), "me");
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_str_eq(rig_read("one/key"), "k1");
	cr_assert_str_eq(rig_read("two/key"), "k1");
	cr_assert(rig_exists("one/..g000001"));
	cr_assert_not(rig_exists("one/..g000002"));
	cr_assert(files_held(f, A)->present);
	cr_assert_eq(files_held(f, B)->version, 1);
	cr_assert_str_eq(files_held(f, B)->lease_id, "lb");
}

Test(files, carries_over_what_did_not_change)
{
	deliver_both();
	give(A, 2, "user", "you");
	give(A, 2, "pw", "two");
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
	cr_assert_str_eq(rig_read("one/..g000002/pw"), "two");
	cr_assert_str_eq(rig_read("one/..g000002/key"), "k1");
	cr_assert_eq(files_held(f, A)->version, 2);
	cr_assert_eq(files_held(f, B)->version, 1);
	cr_assert(files_held(f, B)->present);
	cr_assert_not(rig_exists("two/..g000002"), "that binding has nothing new");
}

Test(files, refuses_a_secret_without_the_field_and_keeps_the_old)
{
	deliver_both();
	give(A, 2, "user", "you");
	give(B, 2, "key", "k2");
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_INVALID);
	cr_assert_str_eq(values[A].e.msg, "the secret has no field 'pw' (file 'one/pw')");
	cr_assert_eq(values[B].rc, ERR_OK);
	cr_assert_str_eq(rig_read("one/user"), "me");
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_str_eq(rig_read("one/key"), "k2");
	cr_assert_eq(files_held(f, A)->version, 1);
	cr_assert(files_held(f, A)->present);
}

Test(files, writes_numbers_and_truth_values_and_refuses_objects)
{
	memset(values, 0, sizeof(values));
	struct value *data = value_object(a);

	value_set(data, "user", value_number(a, "18446744073709551616.50", 23));
	value_set_bool(a, data, "pw", true);
	values[A] = (struct files_value){ .data = data, .lease_id = "la", .version = 1 };
	deliver(0);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
	cr_assert_str_eq(rig_read("one/user"), "18446744073709551616.50");
	cr_assert_str_eq(rig_read("one/pw"), "true");
	data = value_object(a);
	value_set(data, "user", value_object(a));
	value_set_str(a, data, "pw", "x");
	values[A] = (struct files_value){ .data = data, .lease_id = "la", .version = 2 };
	deliver(0);
	cr_assert_eq(values[A].rc, ERR_INVALID);
	cr_assert_not_null(strstr(values[A].e.msg, "field 'user'"), "%s",
	                   values[A].e.msg);
}

Test(files, keeps_a_replaced_generation_for_its_grace)
{
	deliver_both();
	give(B, 2, "key", "k2");
	deliver(100);
	cr_assert_eq(files_reap(f, 100), 10100);
	cr_assert_str_eq(rig_read("two/..g000001/key"), "k1");
	cr_assert_eq(files_reap(f, 10099), 10100);
	cr_assert(rig_exists("two/..g000001"));
	cr_assert_eq(files_reap(f, 10100), -1);
	cr_assert_not(rig_exists("two/..g000001"));
	cr_assert_not(rig_exists("one/..g000001"));
	cr_assert_str_eq(rig_read("two/key"), "k2");
}

Test(files, finds_after_a_restart_what_is_still_good)
{
	deliver_both();
	open_files(config);
	cr_assert(files_held(f, A)->present);
	cr_assert(files_held(f, B)->present);
	cr_assert_eq(files_held(f, A)->version, 1);
	cr_assert_str_eq(files_held(f, A)->lease_id, "la");
	cr_assert_eq(files_held(f, A)->expires, 5000);
	cr_assert_str_eq(rig_read("one/pw"), "one");
	/* Nothing was written again. */
	cr_assert_not(rig_exists("one/..g000002"));
}

Test(files, notes_renewals_beside_the_files)
{
	deliver_both();
	files_set_expiry(f, A, 9000);
	open_files(config);
	cr_assert_eq(files_held(f, A)->expires, 9000);
	cr_assert_eq(files_held(f, B)->expires, 5000);
}

static void overwrite(const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	(void)chmod(rig_path(name, path), 0600);
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	(void)chmod(path, 0400);
}

Test(files, does_not_trust_a_changed_file_after_a_restart)
{
	deliver_both();
	overwrite("one/pw", "bad");
	open_files(config);
	cr_assert_not(files_held(f, A)->present);
	cr_assert(files_held(f, B)->present);
}

Test(files, does_not_trust_another_owner_mode_or_name_after_a_restart)
{
	char path[PATH_MAX];

	deliver_both();
	cr_assert_eq(chmod(rig_path("one/user", path), 0444), 0);
	open_files(config);
	cr_assert_not(files_held(f, A)->present);
	cr_assert(files_held(f, B)->present);
}

Test(files, notices_what_others_change)
{
	char path[PATH_MAX];

	deliver_both();
	cr_assert_not(drifted(A));
	cr_assert_not(drifted(B));
	overwrite("one/pw", "bad");
	cr_assert(drifted(A));
	cr_assert_not(drifted(B));
	cr_assert_not(files_held(f, A)->present);
	cr_assert_eq(unlink(rig_path("two/..g000001/key", path)), 0);
	cr_assert(drifted(B));
}

Test(files, looks_for_many_secrets_at_once)
{
	bool paths[2] = { true, true };
	char path[PATH_MAX];

	deliver_both();
	files_drifted(f, paths);
	cr_assert(!paths[A] && !paths[B]);
	overwrite("one/pw", "bad");
	paths[B] = true;
	files_drifted(f, paths);
	cr_assert(!paths[A] && !paths[B], "nobody asked for that one");
	cr_assert(files_held(f, A)->present);
	cr_assert_eq(unlink(rig_path("two/..g000001/key", path)), 0);
	paths[A] = paths[B] = true;
	files_drifted(f, paths);
	cr_assert(paths[A] && paths[B]);
	cr_assert(!files_held(f, A)->present && !files_held(f, B)->present);
	paths[A] = paths[B] = true;
	files_drifted(f, paths);
	cr_assert(!paths[A] && !paths[B], "that is known");
}

Test(files, does_not_carry_over_what_others_changed)
{
	deliver_both();
	overwrite("one/pw", "bad");
	give(B, 2, "key", "k2");
	deliver(100);
	cr_assert_eq(values[B].rc, ERR_OK, "%s", values[B].e.msg);
	cr_assert_not(rig_exists("one/pw"));
	cr_assert_not(files_held(f, A)->present);
	cr_assert_eq(files_held(f, A)->version, 1);
}

Test(files, wipes_one_secret_everywhere_and_leaves_the_rest)
{
	deliver_both();
	give(A, 2, "user", "you");
	give(A, 2, "pw", "two");
	deliver(100);
	cr_assert_eq(files_wipe(f, A, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(rig_exists("one/pw"));
	cr_assert_not(rig_exists("one/user"));
	cr_assert_not(rig_holds("two"));
	cr_assert_not(rig_exists("one/..g000001/pw"));
	cr_assert_str_eq(rig_read("one/key"), "k1");
	cr_assert_not(files_held(f, A)->present);
	cr_assert_eq(files_held(f, A)->version, 0);
	cr_assert_eq(files_wipe(f, B, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(rig_exists("one/..data"));
	cr_assert_not(rig_exists("two/..data"));
	cr_assert_not(rig_holds("k1"));
}

Test(files, wipes_all_and_can_deliver_again)
{
	deliver_both();
	cr_assert_eq(files_wipe_all(f, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(rig_holds("k1"));
	cr_assert_not(rig_holds("one"));
	cr_assert_not(files_held(f, A)->present);
	deliver_both();
	cr_assert_str_eq(rig_read("two/key"), "k1");
}

Test(files, wipes_bindings_that_are_no_longer_configured)
{
	char path[PATH_MAX];

	deliver_both();
	cr_assert_eq(mkdir(rig_path("foreign", path), 0700), 0);
	open_files("files:\n- {path: secret/a, field: pw, binding: one}\n");
	cr_assert_not(rig_exists("two"));
	cr_assert(rig_exists("foreign"));
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert(files_held(f, A)->present);
}

Test(files, keeps_no_value_in_its_notes)
{
	const char *notes;

	deliver_both();
	notes = rig_read("one/..data/..meta");
	cr_assert_not_null(notes);
	cr_assert_null(strstr(notes, "\"one\""));
	cr_assert_null(strstr(notes, "k1"));
	cr_assert_not_null(strstr(notes, "digest"));
}

Test(files, another_plan_keeps_what_stays_and_wipes_what_goes)
{
	deliver_both();
	give(B, 2, "key", "k2");
	deliver(100);
	memset(values, 0, sizeof(values));
	replan("grace: 10s\nfiles:\n"
	       "- {path: secret/b, field: key, binding: one}\n"
	       "- {path: secret/c, field: x, binding: three}\n"
	       "- {path: secret/a, field: pw, binding: one}\n");
	cr_assert_eq(plan_path(plan, "secret/b"), 0);
	cr_assert(files_held(f, 0)->present);
	cr_assert_eq(files_held(f, 0)->version, 2);
	cr_assert_str_eq(files_held(f, 0)->lease_id, "lb");
	cr_assert(files_held(f, plan_path(plan, "secret/a"))->present);
	cr_assert_not(files_held(f, plan_path(plan, "secret/c"))->present);
	cr_assert_not(rig_exists("one/user"), "no file wants it");
	cr_assert_not(rig_exists("one/..g000001/user"));
	cr_assert_not(rig_exists("two"));
	cr_assert_str_eq(rig_read("one/pw"), "one");
	cr_assert_str_eq(rig_read("one/key"), "k2");
	cr_assert_not(rig_exists("one/..g000003"), "nothing was written again");
	cr_assert_eq(files_reap(f, 100), 10100, "what waits out its grace still does");
	cr_assert_eq(files_reap(f, 10100), -1);
	cr_assert_not(rig_exists("one/..g000001"));
}

Test(files, a_file_that_is_made_otherwise_is_not_what_is_wanted)
{
	deliver_both();
	replan("files:\n"
	       "- {path: secret/a, field: user, binding: one, name: pw}\n"
	       "- {path: secret/b, field: key, binding: two, mode: 0444}\n");
	cr_assert_not(files_held(f, A)->present);
	cr_assert_not(files_held(f, B)->present);
	cr_assert_str_eq(rig_read("one/pw"), "one", "until the other one is there");
	give(A, 1, "user", "me");
	give(B, 1, "key", "k1");
	deliver(0);
	cr_assert_str_eq(rig_read("one/pw"), "me");
	cr_assert(files_held(f, A)->present && files_held(f, B)->present);
}

Test(files, writes_the_formats_env_and_json)
{
	replan("files:\n"
	       "- {path: secret/a, binding: one, name: e, format: env}\n"
	       "- {path: secret/a, binding: one, name: j, format: json}\n"
	       "- {path: secret/a, binding: one, name: some, format: env, fields: [z, a]}\n");
	memset(values, 0, sizeof(values));
	give(A, 1, "z", "it's");
	give(A, 1, "a", "plain");
	deliver(0);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
	cr_assert_str_eq(rig_read("one/e"), "a=plain\nz=\"it's\"\n");
	cr_assert_str_eq(rig_read("one/j"), "{\"a\":\"plain\",\"z\":\"it's\"}");
	cr_assert_str_eq(rig_read("one/some"), "z=\"it's\"\na=plain\n");
	give(A, 2, "bad-name", "x");
	deliver(0);
	cr_assert_eq(values[A].rc, ERR_INVALID);
	cr_assert_not_null(strstr(values[A].e.msg, "field 'bad-name'"), "%s",
	                   values[A].e.msg);
	cr_assert_str_eq(rig_read("one/some"), "z=\"it's\"\na=plain\n", "all or nothing");
}

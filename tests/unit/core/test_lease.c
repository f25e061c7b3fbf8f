/* SPDX-License-Identifier: Apache-2.0 */
/* Who may hold what, what holders hear, and what acknowledgements mean. */
#include "host_rig.h"

#include <time.h>

#include "server/core/host/api_agent.h"
#include "server/core/lease/lease_impl.h"
#include "server/core/loop/jobs.h"
#include "server/core/rotation/rotation.h"

static struct agent ag;

static void setup(void)
{
	rig_start();
	put_secret("app/db", "one");
	put_secret("other/db", "no");
	make_role("web", "secret/app/*");
	agent_start(&ag, "web-1", "web");
}

TestSuite(lease, .init = setup, .fini = rig_stop, .timeout = 120);

static const char *lease_field(const char *id, const char *field)
{
	ASK(200, HTTP_LIST, "sys/vault-leases", NULL);
	return rig_got(arena_printf(rig.a, "data.key_info.%s.%s", id, field));
}

Test(lease, is_given_by_role_alone)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0;

	cr_assert_eq(strlen(id), 32);
	GOT("data.leases.0.version", "1");
	GOT("data.leases.0.ttl_ms", "86400000");
	cr_assert_str_eq(agent_lease(&ag, "secret/app/db"), id, "one lease per path");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "one");
	cr_assert_eq(version, 1);
	cr_assert_eq(
		agent_post(&ag, "leases",
	                   "{\"paths\":[\"secret/other/db\",\"secret/app/none\","
	                   "\"secret/app/../other/db\",\"sys/x\",\"secret/other/\"]}"),
		200);
	GOT("data.leases.0.error", "the host's role does not allow this path");
	GOT("data.leases.1.error", "no such secret");
	cr_assert_str_neq(rig_got("data.leases.2.error"), "-");
	GOT("data.leases.3.error", "the host's role does not allow this path");
	GOT("data.leases.4.error", "the host's role does not allow this path");
	GOT("data.leases.0.path", "secret/other/db");
	cr_assert_eq(agent_post(&ag, "leases", "{}"), 400);
}

/* So that a change goes through their rows as they lie in the file. */
Test(lease, ids_grow_as_they_are_given)
{
	char *last = agent_lease(&ag, "secret/app/db");

	for (int i = 0; i < 20; i++) {
		const char *path = arena_printf(rig.a, "app/more-%d", i);
		char *id;

		put_secret(path, "x");
		id = agent_lease(&ag, arena_printf(rig.a, "secret/%s", path));
		cr_assert_gt(strcmp(id, last), 0);
		last = id;
	}
}

Test(lease, of_another_host_is_unknown)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0;
	struct agent b;

	agent_start(&b, "web-2", "web");
	cr_assert_str_eq(agent_fetch(&b, id, "password", &version), "no such lease");
	cr_assert_str_eq(agent_fetch(&b, "00", "password", &version), "no such lease");
	agent_post(&b, "renew", arena_printf(rig.a, "{\"leases\":[\"%s\"]}", id));
	GOT("data.leases.0.error", "no such lease");
	cr_assert_eq(agent_post(&b, "release",
	                        arena_printf(rig.a,
	                                     "{\"rev\":1000000,\"leases\":[\"%s\"]}",
	                                     id)),
	             204);
	agent_ack_state(&b, id, 1, "applied");
	cr_assert_str_eq(lease_field(id, "state"), "issued");
}

Test(lease, narrower_role_takes_it_back)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0;
	int before;

	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	agent_watch_start(&ag, strtoll(rig_got("data.rev"), NULL, 10), 55);
	before = rig.replies;
	rig_submit(HTTP_POST, "sys/hosts/roles/web", rig.root,
	           "{\"paths\":[\"secret/app/x\"]}");
	rig_run();
	rig_advance(20);
	run_until(before, 2);
	GOT("data.events.0.op", "revoke");
	cr_assert_str_eq(lease_field(id, "state"), "revoked");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "lease is revoked");
	/* allowed again: a new lease */
	make_role("web", "secret/app/*");
	cr_assert_str_neq(agent_lease(&ag, "secret/app/db"), id);
}

Test(lease, narrower_role_reaches_every_host)
{
	struct agent more[20];
	char *id[20];

	for (int i = 0; i < 20; i++) {
		agent_start(&more[i], arena_printf(rig.a, "n-%d", i), "web");
		id[i] = agent_lease(&more[i], "secret/app/db");
	}
	ASK(204, HTTP_DELETE, "sys/hosts/roles/web", NULL);
	for (int i = 0; i < 10; i++) {
		rig_advance(5);
		rig_run();
	}
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_str_eq(lease_field(id[i], "ended_by"), "role");
}

Test(lease, a_role_that_changed_is_asked_at_the_fetch)
{
	char *id = agent_lease(&ag, "secret/app/db");
	struct host_role role;
	struct err e = { 0 };

	/* The role changes and no job has looked at the leases yet: same batch. */
	rig_submit(HTTP_DELETE, "sys/hosts/roles/web", rig.root, NULL);
	rig_submit(HTTP_POST, "sys/agent/fetch", ag.token,
	           agent_asks(&ag, "fetch",
	                      arena_printf(rig.a, "{\"leases\":[\"%s\"]}", id)));
	rig_run();
	GOT("data.items.0.error", "the host's role does not allow this path");
	cr_assert_eq(host_role_load(rig.core, rig.a, "web", &role, &e), ERR_NOENT);
	cr_assert_str_eq(lease_field(id, "state"), "revoked");
}

Test(lease, events_tell_of_changes_once)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int before;
	int64_t rev;

	agent_watch_start(&ag, 0, 55);
	GOT("data.events",
	    arena_printf(rig.a,
	                 "[{lease_id:%s,path:secret/app/db,version:1,rev:%s,op:update}]",
	                 id, rig_got("data.events.0.rev")));
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	agent_watch_start(&ag, rev, 55);
	before = rig.replies;
	put_secret("app/db", "two");
	run_until(before, 2);
	GOT("data.events",
	    arena_printf(rig.a,
	                 "[{lease_id:%s,path:secret/app/db,version:2,rev:%s,op:update}]",
	                 id, rig_got("data.events.0.rev")));
	cr_assert_gt(strtoll(rig_got("data.rev"), NULL, 10), rev);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	/* Other secrets and acknowledgements are no news. */
	agent_watch_start(&ag, rev, 55);
	before = rig.replies;
	put_secret("other/db", "x");
	agent_apply(&ag, id);
	rig_run();
	cr_assert_eq(rig.replies, before + 3);
	rig_advance(55000);
	run_until(before, 4);
	GOT("data.events", "[]");
	cr_assert_eq(strtoll(rig_got("data.rev"), NULL, 10), rev);
	/* A revision that the server never gave: it was restored from a backup. */
	agent_watch_start(&ag, rev + 1000, 55);
	cr_assert_str_neq(rig_got("data.events"), "[]");
}

Test(lease, revisions_survive_a_restart)
{
	int64_t rev;

	agent_lease(&ag, "secret/app/db");
	put_secret("app/db", "two");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	cr_assert_gt(rev, 0);
	rig_reopen();
	put_secret("app/db", "three");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_gt(strtoll(rig_got("data.rev"), NULL, 10), rev);
	GOT("data.leases.0.version", "3");
}

Test(lease, a_watch_brings_values_and_takes_acknowledgements)
{
	char *id = agent_lease(&ag, "secret/app/db");
	struct agent other = ag;
	int64_t rev;
	int before;

	agent_watch_with(&ag, 0, 0, ",\"values\":16384");
	cr_assert_eq(rig.status, 200, "%s", rig_got(""));
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	before = rig.replies;
	other.key[0] ^= 1;
	agent_watch_with(&ag, rev, 55, agent_riding(&other, id, 1, "applied"));
	cr_assert_eq(rig.replies, before + 1);
	cr_assert_eq(rig.status, 400);
	cr_assert_str_eq(lease_field(id, "applied"), "0");
	before = rig.replies;
	agent_watch_with(&ag, rev, 55, agent_riding(&ag, id, 1, "applied"));
	cr_assert_eq(rig.replies, before, "it waits");
	cr_assert_str_eq(lease_field(id, "applied"), "1");
	before = rig.replies;
	put_secret("app/db", "two");
	run_until(before, 2);
	GOT("data.events.0.version", "2");
}

Test(lease, deleting_the_secret_takes_it_and_writing_brings_it_back)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0, rev;

	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	ASK(204, HTTP_DELETE, "secret/data/app/db", NULL);
	agent_watch_start(&ag, rev, 55);
	GOT("data.events.0.op", "revoke");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "lease is revoked");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	GOT("data.leases", "[]");
	cr_assert_eq(agent_ack_state(&ag, id, 1, "wiped"), 204);
	put_secret("app/db", "again");
	agent_watch_start(&ag, rev, 55);
	GOT("data.events.0.op", "update");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "again");
	cr_assert_eq(version, 2);
}

Test(lease, revoked_by_an_operator_stays_revoked)
{
	char *id = agent_lease(&ag, "secret/app/db"), *fields;
	int64_t version = 0;
	int before;

	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	agent_watch_start(&ag, strtoll(rig_got("data.rev"), NULL, 10), 55);
	before = rig.replies;
	fields = arena_printf(rig.a, "{\"lease_id\":\"%s\"}", id);
	rig_submit(HTTP_POST, "sys/vault-leases/revoke", rig.root, fields);
	run_until(before, 2);
	GOT("data.events.0.op", "revoke");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "lease is revoked");
	agent_ack_state(&ag, id, 1, "wiped");
	cr_assert_str_eq(lease_field(id, "state"), "wiped");
	agent_post(&ag, "release",
	           arena_printf(rig.a, "{\"rev\":1000000,\"leases\":[\"%s\"]}", id));
	agent_post(&ag, "leases", "{\"paths\":[\"secret/app/db\"]}");
	GOT("data.leases.0.error", "an operator has revoked this lease");
	rig_advance(400ll * 24 * 3600 * 1000);
	run_timers();
	ASK(200, HTTP_LIST, "sys/vault-leases", NULL);
	ASK(204, HTTP_POST, "sys/vault-leases/restore", fields);
	ASK(404, HTTP_LIST, "sys/vault-leases", NULL);
	ASK(400, HTTP_POST, "sys/vault-leases/revoke", fields);
	ASK(400, HTTP_POST, "sys/vault-leases/revoke", "{\"lease_id\":\"x\"}");
}

Test(lease, expires_and_is_renewed)
{
	char *id = agent_lease(&ag, "secret/app/db");
	char *fields = arena_printf(rig.a, "{\"leases\":[\"%s\"]}", id);
	int64_t version = 0, rev;

	rig_advance(20ll * 3600 * 1000);
	run_timers();
	cr_assert_eq(agent_login(&ag), 200);
	cr_assert_eq(agent_post(&ag, "renew", fields), 200);
	GOT("data.leases.0.ttl_ms", "86400000");
	rig_advance(23ll * 3600 * 1000);
	run_timers();
	cr_assert_eq(agent_login(&ag), 200, "%s", rig_got(""));
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "one");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	rig_advance(3600 * 1000);
	run_timers();
	cr_assert_eq(agent_login(&ag), 200);
	agent_watch_start(&ag, rev, 55);
	GOT("data.events.0.op", "expire");
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "lease is revoked");
	agent_post(&ag, "renew", fields);
	GOT("data.leases.0.error", "lease is revoked");
	cr_assert_str_neq(agent_lease(&ag, "secret/app/db"), id);
}

Test(lease, remains_of_an_expired_one_go_a_day_later)
{
	agent_lease(&ag, "secret/app/db");
	rig_advance(24ll * 3600 * 1000);
	run_timers();
	cr_assert_eq(store_count(rig.core, KIND_LEASE), 1);
	rig_advance(24ll * 3600 * 1000);
	run_timers();
	cr_assert_eq(store_count(rig.core, KIND_LEASE), 0);
}

Test(lease, time_is_judged_by_the_earlier_clock)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0;

	/* The wall clock was set back a year: what is left is told by the other one. */
	rig_advance(3000 * 1000);
	rig.wall -= 365ll * 24 * 3600 * 1000;
	cr_assert_eq(agent_login(&ag), 200, "%s", rig_got(""));
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "one");
	rig.boot += 24ll * 3600 * 1000;
	cr_assert_eq(agent_login(&ag), 200);
	cr_assert_str_eq(agent_fetch(&ag, id, "password", &version), "lease has expired");
}

Test(lease, fetch_marks_and_ack_does_not_regress)
{
	char *id = agent_lease(&ag, "secret/app/db");
	int64_t version = 0;

	agent_ack_state(&ag, id, 1, "applied");
	cr_assert_str_eq(lease_field(id, "applied"), "0",
	                 "what was not fetched is not there");
	agent_fetch(&ag, id, "password", &version);
	cr_assert_str_eq(lease_field(id, "version"), "1");
	agent_ack_state(&ag, id, 1, "delivered");
	cr_assert_str_eq(lease_field(id, "state"), "delivered");
	agent_ack_state(&ag, id, 1, "applied");
	cr_assert_str_eq(lease_field(id, "state"), "applied");
	put_secret("app/db", "two");
	agent_fetch(&ag, id, "password", &version);
	agent_ack_state(&ag, id, 2, "applied");
	agent_ack_state(&ag, id, 1, "applied");
	agent_ack_state(&ag, id, 2, "delivered");
	agent_ack_state(&ag, id, 3, "applied");
	cr_assert_str_eq(lease_field(id, "applied"), "2");
	cr_assert_str_eq(lease_field(id, "state"), "applied");
	cr_assert_eq(agent_post(&ag, "ack", "{\"acks\":[{\"state\":\"gone\"}]}"), 400);
	cr_assert_eq(agent_post(&ag, "ack", "{\"acks\":{}}"), 400);
	cr_assert_eq(agent_post(&ag, "ack", "{\"acks\":[]}"), 204);
}

struct ack_case {
	char name[40];
	int state, end;
	long fetched, applied;
	int ack_state;
	long ack_version;
	int changes, want_state;
	long want_applied;
};
ParameterizedTestParameters(lease, acks)
{
	/* clang-format off */
	static struct ack_case c[] = {
		{ "first", LEASE_ISSUED, 0, 1, 0, LEASE_APPLIED, 1, 1, LEASE_APPLIED, 1 },
		{ "delivered", LEASE_ISSUED, 0, 1, 0, LEASE_DELIVERED, 1, 1, LEASE_DELIVERED, 0 },
		{ "rejected", LEASE_DELIVERED, 0, 2, 1, LEASE_REJECTED, 2, 1, LEASE_REJECTED, 1 },
		{ "applied after rejected", LEASE_REJECTED, 0, 2, 1, LEASE_APPLIED, 2, 1, LEASE_APPLIED, 2 },
		{ "still has the old one", LEASE_REJECTED, 0, 2, 1, LEASE_APPLIED, 1, 0, LEASE_REJECTED, 1 },
		{ "went back to one between", LEASE_REJECTED, 0, 3, 1, LEASE_APPLIED, 2, 1, LEASE_REJECTED, 2 },
		{ "rejected the one between", LEASE_REJECTED, 0, 3, 1, LEASE_REJECTED, 2, 0, LEASE_REJECTED, 1 },
		{ "tries again", LEASE_REJECTED, 0, 2, 1, LEASE_DELIVERED, 2, 1, LEASE_DELIVERED, 1 },
		{ "repeated", LEASE_APPLIED, 0, 2, 2, LEASE_APPLIED, 2, 0, LEASE_APPLIED, 2 },
		{ "stale", LEASE_APPLIED, 0, 3, 3, LEASE_APPLIED, 2, 0, LEASE_APPLIED, 3 },
		{ "stale rejection", LEASE_APPLIED, 0, 3, 3, LEASE_REJECTED, 2, 0, LEASE_APPLIED, 3 },
		{ "late delivered", LEASE_APPLIED, 0, 3, 3, LEASE_DELIVERED, 3, 0, LEASE_APPLIED, 3 },
		{ "never fetched", LEASE_ISSUED, 0, 1, 0, LEASE_APPLIED, 2, 0, LEASE_ISSUED, 0 },
		{ "wiped", LEASE_REVOKED, END_OPERATOR, 1, 1, LEASE_WIPED, 0, 1, LEASE_WIPED, 0 },
		{ "wiped twice", LEASE_WIPED, END_OPERATOR, 1, 0, LEASE_WIPED, 0, 0, LEASE_WIPED, 0 },
		{ "wiped while alive", LEASE_APPLIED, 0, 1, 1, LEASE_WIPED, 1, 1, LEASE_WIPED, 0 },
		{ "applied when revoked", LEASE_REVOKED, END_ROLE, 2, 1, LEASE_APPLIED, 2, 0, LEASE_REVOKED, 1 },
	};
	/* clang-format on */
	return cr_make_param_array(struct ack_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct ack_case *c, lease, acks)
{
	struct lease l = { .state = (enum lease_state)c->state,
		           .end = (enum lease_end)c->end,
		           .rev = 7,
		           .version = c->fetched,
		           .applied = c->applied,
		           .said = c->applied,
		           .detail = "" };

	if (l.state == LEASE_REJECTED || l.state == LEASE_DELIVERED)
		l.said = c->fetched;

	cr_assert_eq(agent_ack(&l, (enum lease_state)c->ack_state, c->ack_version, 7, ""),
	             c->changes, "%s", c->name);
	cr_assert_eq((int)l.state, c->want_state, "%s: %s", c->name,
	             lease_state_name(l.state));
	cr_assert_eq(l.applied, c->want_applied, "%s", c->name);
}

Test(lease, lists_by_path_and_host)
{
	struct agent b;
	char *one = agent_lease(&ag, "secret/app/db"), *two;

	agent_start(&b, "web-2", "web");
	two = agent_lease(&b, "secret/app/db");
	put_secret("app/x", "x");
	agent_lease(&b, "secret/app/x");
	ASK(200, HTTP_LIST, "sys/vault-leases", "{\"host\":\"web-1\"}");
	GOT("data.keys", arena_printf(rig.a, "[%s]", one));
	ASK(200, HTTP_LIST, "sys/vault-leases", "{\"path\":\"secret/app/db\"}");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "keys")->len, 2);
	ASK(200, HTTP_LIST, "sys/vault-leases",
	    "{\"path\":\"secret/app/db\",\"host\":\"web-2\"}");
	GOT("data.keys", arena_printf(rig.a, "[%s]", two));
	ASK(404, HTTP_LIST, "sys/vault-leases", "{\"host\":\"nobody\"}");
	ASK(200, HTTP_LIST, "sys/vault-leases", NULL);
	cr_assert_eq(value_get(value_get(rig.body, "data"), "keys")->len, 3);
}

Test(lease, many_paths_in_one_request)
{
	char *paths = arena_str(rig.a, "\"secret/app/db\""), *ids = arena_str(rig.a, "");
	const struct value *list;

	for (int i = 0; i < 100; i++) {
		put_secret(arena_printf(rig.a, "app/s%d", i), "x");
		paths = arena_printf(rig.a, "%s,\"secret/app/s%d\"", paths, i % 90);
	}
	agent_post(&ag, "leases", arena_printf(rig.a, "{\"paths\":[%s]}", paths));
	list = value_get(value_get(rig.body, "data"), "leases");
	cr_assert_eq(list->len, 101);
	cr_assert_eq(store_count(rig.core, KIND_LEASE), 91);
	for (const struct value *v = list->first; v != NULL; v = v->next)
		ids = arena_printf(rig.a, "%s%s\"%s\"", ids, ids[0] != '\0' ? "," : "",
		                   value_cstr_or(rig.a, v, "lease_id", ""));
	cr_assert_eq(agent_post(&ag, "fetch",
	                        arena_printf(rig.a, "{\"leases\":[%s]}", ids)),
	             200);
	list = value_get(value_get(rig.body, "data"), "items");
	cr_assert_eq(list->len, 101);
	for (const struct value *v = list->first; v != NULL; v = v->next)
		cr_assert_not_null(value_get(v, "sealed"));
}

Test(lease, revoking_the_host_ends_all_of_them)
{
	char *id = agent_lease(&ag, "secret/app/db");

	for (int i = 0; i < 100; i++) {
		put_secret(arena_printf(rig.a, "app/s%d", i), "x");
		agent_lease(&ag, arena_printf(rig.a, "secret/app/s%d", i));
	}
	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	rig_advance(2001);
	run_timers();
	ASK(200, HTTP_LIST, "sys/vault-leases", NULL);
	for (const struct value *v =
	             value_get(value_get(rig.body, "data"), "key_info")->first;
	     v != NULL; v = v->next)
		cr_assert(value_is_str(value_get(v, "state"), "revoked"));
	cr_assert_str_eq(lease_field(id, "ended_by"), "host");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

Test(lease, ten_thousand_holders_hear_of_a_change_in_slices)
{
	double longest = 0, start, all = 0;
	int left = 400, marked = 0;

	holders(10000, 1);
	rig_submit(HTTP_POST, "secret/data/app/db", rig.root,
	           "{\"data\":{\"password\":\"two\"}}");
	do {
		rig_advance(5);
		start = seconds();
		rig_run();
		start = seconds() - start;
		longest = start > longest ? start : longest;
		all += start;
	} while (store_count(rig.core, KIND_JOB) > 0 && --left > 0);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	ASK(200, HTTP_LIST, "sys/vault-leases", "{\"path\":\"secret/app/db\"}");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "keys")->len, 10000);
	for (const struct value *v =
	             value_get(value_get(rig.body, "data"), "key_info")->first;
	     v != NULL; v = v->next)
		marked += value_int_or(v, "current", 0) == 2;
	cr_assert_eq(marked, 10000, "%d of 10000, %d batches", marked, 400 - left);
	cr_log_info("10000 holders: %.0f ms in all, longest batch %.1f ms\n", all * 1000,
	            longest * 1000);
}

static int keep_job(void *ctx, struct store_object *o, struct err *e)
{
	struct store_object *out = ctx;

	(void)e;
	*out = *o;
	return ERR_OK;
}

static int run_slice(struct core *c, void *arg, struct err *e)
{
	bool done = false;

	return lease_fanout_slice(c, rig.a, arg, &done, e);
}

Test(lease, a_newer_change_is_not_undone_by_a_slice_of_an_older_one)
{
	struct store_object job = { .version = 0 };
	struct err e = { 0 };

	holders(200, 1);
	put_secret("app/db", "two");
	cr_assert_eq(store_each(rig.core, rig.a, KIND_JOB, NULL, 0, 0, keep_job, &job,
	                        &e),
	             ERR_OK);
	cr_assert_eq(job.version, 1, "its job is there and has not run");
	ASK(204, HTTP_DELETE, "secret/data/app/db", NULL);
	for (int i = 0; i < 10; i++) {
		rig_advance(5);
		rig_run();
	}
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	/* The older one comes late. */
	cr_assert_eq(batch_alone(rig.core, run_slice, &job, &e), ERR_OK, "%s", e.msg);
	ASK(200, HTTP_LIST, "sys/vault-leases", "{\"path\":\"secret/app/db\"}");
	for (const struct value *v =
	             value_get(value_get(rig.body, "data"), "key_info")->first;
	     v != NULL; v = v->next)
		cr_assert(value_is_str(value_get(v, "ended_by"), "deleted"));
}

/* A wipe that is played again after the lease has come back. */
Test(lease, an_old_wipe_says_nothing_of_a_lease_that_came_back)
{
	struct lease l = { .state = LEASE_APPLIED, .rev = 9, .version = 2, .applied = 2 };

	cr_assert_not(agent_ack(&l, LEASE_WIPED, 1, 8, ""));
	cr_assert_eq((int)l.state, LEASE_APPLIED);
	cr_assert(agent_ack(&l, LEASE_WIPED, 2, 9, ""));
	cr_assert_eq((int)l.state, LEASE_WIPED);
}

/* Whoever has the token can ask, but not speak for the host. */
Test(lease, only_the_host_itself_acknowledges_and_releases)
{
	char *id = agent_lease(&ag, "secret/app/db"), *ack, *release;
	struct agent other = ag;
	int64_t version = 0;

	agent_fetch(&ag, id, "password", &version);
	ack = arena_printf(rig.a,
	                   "{\"acks\":[{\"lease_id\":\"%s\",\"version\":1,"
	                   "\"state\":\"applied\"}]}",
	                   id);
	release = arena_printf(rig.a, "{\"rev\":1000000,\"leases\":[\"%s\"]}", id);
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", ack);
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", "{}");
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", "{\"statement\":\"AAAA\"}");
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/release", release);
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/release",
	       agent_says(&ag, "ack", release));
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", agent_says(&ag, "report", ack));
	other.key[0] ^= 1;
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", agent_says(&other, "ack", ack));
	other = ag; /* another session of it */
	cr_assert_eq(agent_login(&other), 200);
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", agent_says(&other, "ack", ack));
	ASK_AS(400, other.token, HTTP_POST, "sys/agent/ack", agent_says(&ag, "ack", ack));
	other = ag;
	other.host_id[0] ^= 1;
	ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack", agent_says(&other, "ack", ack));
	other = ag;
	for (int by = -1; by <= 1; by += 2) { /* that of another session */
		other.generation = ag.generation + by;
		ASK_AS(400, ag.token, HTTP_POST, "sys/agent/ack",
		       agent_says(&other, "ack", ack));
	}
	cr_assert_str_eq(lease_field(id, "applied"), "0");
	ASK_AS(204, ag.token, HTTP_POST, "sys/agent/ack", agent_says(&ag, "ack", ack));
	cr_assert_str_eq(lease_field(id, "applied"), "1");
	ASK_AS(204, ag.token, HTTP_POST, "sys/agent/release",
	       agent_says(&ag, "release", release));
	ASK(404, HTTP_LIST, "sys/vault-leases", NULL);
}

/* What a word that was kept back on its way may not do: end a lease that has changed
 * since it was said. */
Test(lease, a_late_word_gives_up_no_lease_that_has_changed)
{
	char *id = agent_lease(&ag, "secret/app/db");
	char *release, *nothing = arena_printf(rig.a, "{\"leases\":[\"%s\"]}", id);

	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	release = arena_printf(rig.a, "{\"rev\":%s,\"leases\":[\"%s\"]}",
	                       rig_got("data.rev"), id);
	put_secret("app/db", "two");
	cr_assert_eq(agent_post(&ag, "release", release), 204);
	cr_assert_eq(agent_post(&ag, "release", nothing), 204);
	cr_assert_str_eq(lease_field(id, "current"), "2", "it is still there");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	release = arena_printf(rig.a, "{\"rev\":%s,\"leases\":[\"%s\"]}",
	                       rig_got("data.rev"), id);
	cr_assert_eq(agent_post(&ag, "release", release), 204);
	ASK(404, HTTP_LIST, "sys/vault-leases", NULL);
}

/* Two logins later a session is over, whoever has its token and its key. */
Test(lease, only_the_newest_session_and_the_one_before_count)
{
	char *id = agent_lease(&ag, "secret/app/db"), *ack;
	struct agent first = ag, second;
	int64_t version = 0;

	agent_fetch(&ag, id, "password", &version);
	ack = arena_printf(rig.a,
	                   "{\"acks\":[{\"lease_id\":\"%s\",\"version\":1,"
	                   "\"state\":\"applied\"}]}",
	                   id);
	cr_assert_eq(agent_login(&ag), 200);
	second = ag;
	cr_assert_eq(agent_post(&first, "ack", "{\"acks\":[]}"), 204,
	             "it was on its way");
	cr_assert_eq(agent_login(&ag), 200);
	cr_assert_eq(agent_post(&first, "ack", ack), 403);
	ASK_AS(403, first.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_str_eq(lease_field(id, "applied"), "0");
	cr_assert_eq(agent_post(&second, "ack", ack), 204);
	cr_assert_eq(agent_post(&ag, "ack", ack), 204);
}

/* Only what the host has put in the box is asked, and only under the nonce in it. */
Test(lease, nobody_asks_in_the_name_of_a_host)
{
	static const char *const ops[] = { "leases",      "renew",      "fetch",
		                           "bind",        "swarm/lead", "swarm/plan",
		                           "swarm/state", "swarm/tasks" };
	char *id = agent_lease(&ag, "secret/app/db");
	char *plain = arena_printf(
		rig.a,
		"{\"paths\":[\"secret/app/db\"],\"leases\":[\"%s\"],\"containers\":[],"
		"\"cluster\":\"c1\",\"epoch\":1,\"nonce\":\"%s\"}",
		id, hex(asked, 32));

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		char *path = arena_printf(rig.a, "sys/agent/%s", ops[i]);

		ASK_AS(400, ag.token, HTTP_POST, path, plain);
		ASK_AS(400, ag.token, HTTP_POST, path, agent_says(&ag, ops[i], plain));
		ASK_AS(400, ag.token, HTTP_POST, path, agent_asks(&ag, "report", plain));
	}
}

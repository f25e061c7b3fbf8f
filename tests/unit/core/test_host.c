/* SPDX-License-Identifier: Apache-2.0 */
/* Joining and logging in, as an agent, its clone and a thief would. */
#include "host_rig.h"

#include "server/core/audit/audit_search.h"
#include "server/core/host/host.h"
#include "server/core/loop/wait.h"

struct item;
void item_free(struct item *it); /* batch_impl.h, which has another run_timers() */

static void setup(void)
{
	rig_start();
	put_secret("app/db", "one");
	make_role("web", "secret/app/*");
}

TestSuite(host, .init = setup, .fini = rig_stop, .timeout = 60);

static int64_t rows(void)
{
	int64_t n = 0;

	for (int kind = KIND_MOUNT; kind < KIND__MAX; kind++)
		n += store_count(rig.core, (enum store_kind)kind);
	return n;
}

static const char *alarms(const struct agent *ag)
{
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/hosts/%s", ag->name), NULL);
	return arena_str(rig.a, rig_got("data.alarms.0.kind"));
}

Test(host, joins_and_logs_in)
{
	struct agent ag;
	char *token = agent_add(&ag, "web-1", "web");
	struct bytes b = { .n = 0 };
	unsigned char key[32], mac[32];

	cr_assert_eq(strncmp(token, "vlt_j_", 6), 0);
	GOT("data.name", "web-1");
	ASK(200, HTTP_GET, "sys/hosts/web-1", NULL);
	GOT("data.state", "pending");
	cr_assert_eq(agent_join(&ag, token), 200, "%s", rig_got(""));
	/* The server proves in return that it knows the token. */
	put(&b, "vault/join-key/v1", 18);
	put(&b, token, strlen(token));
	crypto_generichash(key, 32, b.at, b.n, NULL, 0);
	b.n = 0;
	put(&b, "vault/joined/v1", 16);
	put(&b, ag.mac, 32);
	put(&b, rig.said->text, rig.said->len);
	crypto_generichash(mac, 32, b.at, b.n, key, 32);
	cr_assert_eq(memcmp(mac, got_bytes("mac", 32), 32), 0);
	GOT("data.name", "web-1");
	cr_assert_neq(strlen(rig_got("data.audit_key")), 0);
	cr_assert_eq(agent_login(&ag), 200, "%s", rig_got(""));
	cr_assert_eq(ag.generation, 1);
	GOT("auth.lease_duration", "3600");
	GOT("auth.policies", "[]");
	ASK(200, HTTP_GET, "sys/hosts/web-1", NULL);
	GOT("data.state", "active");
	GOT("data.agent_version", "");
	GOT("data.alarms", "[]");
	cr_assert_eq(agent_login(&ag), 200);
	cr_assert_eq(ag.generation, 2);
}

Test(host, a_host_token_opens_nothing_but_its_own_routes)
{
	struct agent ag;

	agent_start(&ag, "web-1", "web");
	ASK_AS(403, ag.token, HTTP_GET, "secret/data/app/db", NULL);
	ASK_AS(403, ag.token, HTTP_LIST, "sys/hosts", NULL);
	ASK_AS(403, rig.root, HTTP_GET, "sys/agent/sync", NULL);
	ASK_AS(403, NULL, HTTP_GET, "sys/agent/sync", NULL);
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	/* The long poll has a listener of its own. */
	ASK_AS(404, ag.token, HTTP_POST, "sys/agent/watch", NULL);
}

Test(host, join_refusals_change_nothing)
{
	struct agent ag, other;
	char *token = agent_add(&ag, "web-1", "web"), *wrong;
	unsigned char pin[32] = { 1 };
	int64_t before;

	before = rows();
	wrong = arena_str(rig.a, token);
	wrong[20] = wrong[20] == 'a' ? 'b' : 'a';
	ASK_AS(400, NULL, HTTP_POST, "auth/host/join", join_fields(&ag, wrong, no_pin));
	GOT("errors", "[join token is not valid]");
	/* A proof for other keys, and one that was made for another server key. */
	agent_keys(&other);
	{
		char *fields = join_fields(&ag, token, no_pin), *at;

		at = strstr(fields, b64(ag.box_pk, 32));
		memcpy(at, b64(other.box_pk, 32), 44);
		ASK_AS(400, NULL, HTTP_POST, "auth/host/join", fields);
		GOT("errors", "[join token is not valid]");
	}
	ASK_AS(400, NULL, HTTP_POST, "auth/host/join", join_fields(&ag, token, pin));
	/* A key on which nothing can be sealed. */
	other = ag;
	memset(other.box_pk, 0, 32);
	ASK_AS(400, NULL, HTTP_POST, "auth/host/join",
	       join_fields(&other, token, no_pin));
	ASK_AS(400, NULL, HTTP_POST, "auth/host/join", "{}");
	cr_assert_eq(rows(), before);
	cr_assert_str_eq(alarms(&ag), "-");
	GOT("data.state", "pending");
	rig_advance(15 * 60 * 1000);
	cr_assert_eq(agent_join(&ag, token), 400);
	cr_assert_eq(rows(), before);
	ASK(200, HTTP_GET, "sys/hosts/web-1", NULL);
	GOT("data.state", "pending");
}

Test(host, a_join_token_works_once)
{
	struct agent ag, thief;
	char *token = agent_add(&ag, "web-1", "web"), *first;

	thief = ag;
	agent_keys(&thief);
	cr_assert_eq(agent_join(&ag, token), 200);
	first = arena_str(rig.a, rig_got("data"));
	/* The reply was lost: the same keys get the same answer. */
	rig_advance(59000);
	cr_assert_eq(agent_join(&ag, token), 200);
	cr_assert_str_eq(rig_got("data"), first);
	cr_assert_str_eq(alarms(&ag), "-");
	/* Somebody else has the token: 99 tries, no second identity. */
	for (int i = 0; i < 99; i++) {
		int64_t before = rows();

		cr_assert_eq(agent_join(&thief, token), 400);
		GOT("errors", "[join token used again]");
		cr_assert_eq(rows(), before);
	}
	cr_assert_str_eq(alarms(&ag), "join token used again");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "alarms")->len, HOST_ALARMS);
	cr_assert_eq(agent_login(&ag), 200, "the host itself goes on");
	memcpy(thief.host_id, ag.host_id, 16);
	memcpy(thief.vault_id, ag.vault_id, 16);
	cr_assert_eq(agent_login(&thief), 403);
}

Test(host, the_same_keys_join_again_for_a_minute_only)
{
	struct agent ag;
	char *token = agent_add(&ag, "web-1", "web");

	cr_assert_eq(agent_join(&ag, token), 200);
	rig_advance(61000);
	cr_assert_eq(agent_join(&ag, token), 400);
	cr_assert_str_eq(alarms(&ag), "join token used again");
}

Test(host, a_new_join_token_replaces_the_old_one)
{
	struct agent ag;
	char *old = agent_add(&ag, "web-1", "web"), *new;

	new = agent_add(&ag, "web-1", "web");
	cr_assert_eq(agent_join(&ag, old), 400);
	cr_assert_eq(agent_join(&ag, new), 200);
	ASK(400, HTTP_POST, "sys/hosts/add", "{\"name\":\"web-1\",\"role\":\"web\"}");
	GOT("errors", "[host \"web-1\" has joined already: revoke it first]");
}

Test(host, login_refusals)
{
	struct agent ag, other;
	int64_t before;
	unsigned char nonce[32];

	agent_start(&ag, "web-1", "web");
	agent_start(&other, "web-2", "web");
	before = rows();
	agent_challenge(&ag);
	/* another host's challenge */
	memcpy(nonce, ag.nonce, 32);
	memcpy(other.nonce, nonce, 32);
	cr_assert_eq(agent_answer(&other, other.generation), 403);
	/* a challenge that nobody gave */
	ag.nonce[31] ^= 1;
	cr_assert_eq(agent_answer(&ag, ag.generation), 403);
	/* an old one */
	memcpy(ag.nonce, nonce, 32);
	rig_advance(60001);
	cr_assert_eq(agent_answer(&ag, ag.generation), 403);
	/* another key */
	agent_challenge(&ag);
	other = ag;
	agent_keys(&other);
	cr_assert_eq(agent_answer(&other, ag.generation), 403);
	GOT("errors", "[login refused]");
	/* an unknown host gets a challenge, and no more */
	other.host_id[0] ^= 1;
	agent_challenge(&other);
	cr_assert_eq(agent_answer(&other, 0), 403);
	GOT("errors", "[login refused]");
	cr_assert_eq(rows(), before);
	cr_assert_str_eq(alarms(&ag), "-", "nothing was proven: no alarm");
	cr_assert_eq(agent_login(&ag), 200);
}

Test(host, an_answer_is_good_once)
{
	struct agent ag;

	agent_start(&ag, "web-1", "web");
	agent_challenge(&ag);
	cr_assert_eq(agent_answer(&ag, 1), 200);
	cr_assert_eq(agent_answer(&ag, 1), 403);
	GOT("errors", "[this challenge was answered already]");
}

/* Another login with the generation before: as if no reply had come. */
static int again(struct agent *ag)
{
	ag->generation--;
	return agent_login(ag);
}

/* As an agent does: it asks, and then says something itself. */
static void use(struct agent *ag)
{
	ASK_AS(200, ag->token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_post(ag, "ack", "{\"acks\":[]}"), 204, "%s", rig_got(""));
}

Test(host, lost_replies_are_forgiven_until_one_arrives)
{
	struct agent ag;
	char *lost[5];

	agent_start(&ag, "web-1", "web");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_login(&ag), 200);
	cr_assert_eq(ag.generation, 2);
	for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
		lost[i] = arena_str(rig.a, ag.token);
		if (i == 2)
			rig_reopen();
		cr_assert_eq(again(&ag), 200, "%s", rig_got(""));
		cr_assert_eq(ag.generation, 2);
	}
	for (size_t i = 0; i < ARRAY_LEN(lost); i++)
		ASK_AS(403, lost[i], HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_str_eq(alarms(&ag), "-");
	use(&ag);
	cr_assert_eq(again(&ag), 403, "one of them has arrived");
	GOT("errors", "[two agents with one identity]");
	cr_assert_str_eq(alarms(&ag), "two agents with one identity");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	GOT("data.alarm", "two agents with one identity");
	ag.generation = 2;
	cr_assert_eq(agent_login(&ag), 200, "the one that is in step goes on");
	cr_assert_eq(ag.generation, 3);
}

/* The network process reads the token in the answer that it keeps from the host, but not
 * the key of the session. */
Test(host, who_only_has_the_token_locks_nobody_out)
{
	struct agent ag;
	char *taken;

	agent_start(&ag, "web-1", "web");
	use(&ag);
	cr_assert_eq(agent_login(&ag), 200);
	taken = arena_str(rig.a, ag.token);
	ASK_AS(200, taken, HTTP_GET, "sys/agent/sync", NULL);
	ASK_AS(400, taken, HTTP_POST, "sys/agent/ack", "{\"statement\":\"AAAA\"}");
	rig_reopen();
	cr_assert_eq(again(&ag), 200, "%s", rig_got(""));
	cr_assert_eq(ag.generation, 2);
	cr_assert_str_eq(alarms(&ag), "two agents with one identity");
	ASK_AS(403, taken, HTTP_GET, "sys/agent/sync", NULL);
	use(&ag);
	rig_reopen();
	cr_assert_eq(again(&ag), 403, "it has spoken");
}

/* A clone that gets between a login and the first use of its token: whoever of the two
 * uses one is found with the next login of the other. */
Test(host, a_clone_that_repeats_a_login_is_noticed)
{
	struct agent ag, clone;

	agent_start(&ag, "web-1", "web");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	clone = ag;
	cr_assert_eq(agent_login(&ag), 200);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(agent_login(&clone), 200, "it could be the agent");
		clone.generation--;
	}
	ASK_AS(403, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	ASK_AS(200, clone.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_login(&ag), 200, "it is in step");
	use(&ag);
	clone.generation++;
	cr_assert_eq(agent_login(&clone), 403);
	cr_assert_str_eq(alarms(&ag), "two agents with one identity");
}

Test(host, a_clone_is_noticed)
{
	struct agent ag, clone;

	agent_start(&ag, "web-1", "web");
	clone = ag;
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_login(&ag), 200);
	use(&ag);
	/* It has spoken, so no reply was lost: there are two of them. */
	cr_assert_eq(agent_login(&clone), 403);
	cr_assert_str_eq(alarms(&ag), "two agents with one identity");
	clone.generation = 7;
	cr_assert_eq(agent_login(&clone), 403, "a generation of the future");
	cr_assert_eq(agent_login(&ag), 200);
}

Test(host, generations_survive_a_restart)
{
	struct agent ag, clone;

	agent_start(&ag, "web-1", "web");
	clone = ag;
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_login(&ag), 200);
	use(&ag);
	rig_reopen();
	cr_assert_eq(agent_login(&clone), 403);
	cr_assert_eq(agent_login(&ag), 200);
}

/* The order names host and generation and is signed by the key that was pinned at join.
 */
static void check_order(const struct agent *ag, const struct value *order)
{
	const struct value *sig = value_get(order, "signature");
	struct bytes b = { .n = 0 };

	cr_assert_not_null(order, "%s", rig_got(""));
	cr_assert(value_is_str(value_get(order, "op"), "wipe"));
	cr_assert(value_is_str(value_get(order, "host_id"), hex(ag->host_id, 16)));
	put(&b, "vault/host-order/v1", 20);
	put(&b, "wipe", 5);
	put(&b, ag->host_id, 16);
	put_u64(&b, (uint64_t)value_int_or(order, "generation", -1));
	cr_assert_geq(value_int_or(order, "generation", -1), ag->generation);
	cr_assert(sig != NULL && sig->len == 64);
	cr_assert_eq(crypto_sign_verify_detached((const unsigned char *)sig->text, b.at,
	                                         b.n, ag->order_pk),
	             0);
}

Test(host, revocation_is_at_once_and_outlives_a_restart)
{
	struct agent ag, other;

	agent_start(&ag, "web-1", "web");
	agent_start(&other, "web-2", "web");
	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	ASK_AS(403, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	GOT("errors", "[host is revoked]");
	check_order(&ag, value_get(value_get(rig.body, "data"), "order"));
	ASK_AS(403, ag.token, HTTP_POST, "sys/agent/leases",
	       "{\"paths\":[\"secret/app/db\"]}");
	rig_reopen();
	ASK_AS(403, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	cr_assert_eq(agent_login(&ag), 403);
	GOT("errors", "[host is revoked]");
	check_order(&ag, value_get(value_get(rig.body, "data"), "order"));
	/* Without the host's key there is nothing to learn. */
	agent_challenge(&ag);
	other = ag;
	agent_keys(&other);
	cr_assert_eq(agent_answer(&other, ag.generation), 403);
	GOT("errors", "[login refused]");
	/* Its tokens are gone shortly after. */
	rig_advance(2001);
	run_timers();
	ASK_AS(403, ag.token, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK_AS(403, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	GOT("errors", "[permission denied]");
}

Test(host, a_host_that_was_revoked_cannot_join_any_more)
{
	struct agent ag;
	char *token = agent_add(&ag, "web-1", "web");

	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	cr_assert_eq(agent_join(&ag, token), 400);
	cr_assert_eq(store_count(rig.core, KIND_JOIN), 0);
}

Test(host, a_watch_brings_the_order_to_wipe)
{
	struct agent ag;
	int before;

	agent_start(&ag, "web-1", "web");
	agent_watch_start(&ag, 0, 55);
	before = rig.replies;
	rig_run();
	cr_assert_eq(rig.replies, before, "nothing to tell yet");
	rig_submit(HTTP_POST, "sys/hosts/web-1/revoke", rig.root, NULL);
	run_until(before, 2);
	cr_assert_eq(rig.status, 200);
	check_order(&ag, value_get(value_get(rig.body, "data"), "order"));
	ASK_AS(403, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	GOT("errors", "[permission denied]");
}

Test(host, a_revoked_name_can_be_given_again)
{
	struct agent old, ag;

	agent_start(&old, "web-1", "web");
	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	ASK(204, HTTP_POST, "sys/hosts/web-1/revoke", NULL);
	agent_start(&ag, "web-1", "web");
	cr_assert_neq(memcmp(old.host_id, ag.host_id, 16), 0);
	ASK(200, HTTP_LIST, "sys/hosts", NULL);
	GOT("data.keys", "[web-1]");
	ASK(200, HTTP_GET, "sys/hosts/web-1", NULL);
	GOT("data.state", "active");
	cr_assert_eq(agent_login(&old), 403);
	GOT("errors", "[host is revoked]");
}

Test(host, roles_are_kept_and_checked)
{
	ASK(200, HTTP_GET, "sys/hosts/roles/web", NULL);
	GOT("data", "{name:web,description:,paths:[secret/app/*],ttl:86400}");
	ASK(204, HTTP_POST, "sys/hosts/roles/web",
	    "{\"ttl\":\"1h\",\"description\":\"d\"}");
	ASK(200, HTTP_GET, "sys/hosts/roles/WEB", NULL);
	GOT("data", "{name:web,description:d,paths:[secret/app/*],ttl:3600}");
	make_role("all", "secret/*");
	ASK(200, HTTP_LIST, "sys/hosts/roles", NULL);
	cr_assert(strcmp(rig_got("data.keys"), "[all,web]") == 0 ||
	          strcmp(rig_got("data.keys"), "[web,all]") == 0);
	ASK(204, HTTP_DELETE, "sys/hosts/roles/all", NULL);
	ASK(404, HTTP_GET, "sys/hosts/roles/all", NULL);
	ASK(400, HTTP_POST, "sys/hosts/add", "{\"name\":\"h\",\"role\":\"all\"}");
	GOT("errors", "[no role is named \"all\"]");
	ASK(400, HTTP_POST, "sys/hosts/add", "{\"name\":\"roles\",\"role\":\"web\"}");
	ASK(400, HTTP_POST, "sys/hosts/add", "{\"name\":\"../x\",\"role\":\"web\"}");
	ASK(400, HTTP_POST, "sys/hosts/add", "{\"role\":\"web\"}");
}

struct path_case {
	char path[48];
	int status;
};
ParameterizedTestParameters(host, role_paths)
{
	static struct path_case c[] = {
		{"secret/app/db",    204},
		{ "secret/app/*",    204},
		{ "secret/*",        204},
		{ "secret/app*",     204},
		{ "*",               400},
		{ "sec*",            400},
		{ "sys/*",           400},
		{ "secret/",         204},
		{ "secret/app/",     204},
		{ "sys/",            400},
		{ "nowhere/",        400},
		{ "secret/app//",    400},
		{ "secret/*/db",     400},
		{ "secret/app/**",   400},
		{ "secret/../sys/x", 400},
		{ "nowhere/app/db",  400},
		{ "secret/app//db",  400},
	};
	return cr_make_param_array(struct path_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct path_case *c, host, role_paths)
{
	ASK(c->status, HTTP_POST, "sys/hosts/roles/r",
	    arena_printf(rig.a, "{\"paths\":[\"%s\"]}", c->path));
}

struct match_case {
	char pattern[24], path[24];
	int want;
};
ParameterizedTestParameters(host, role_patterns)
{
	static struct match_case c[] = {
		{"secret/a",     "secret/a",     1},
                { "secret/a",    "secret/ab",    0},
		{ "secret/a",    "secret/A",     0},
                { "secret/a/*",  "secret/a/b",   1},
		{ "secret/a/*",  "secret/a/b/c", 1},
                { "secret/a/*",  "secret/a",     0},
		{ "secret/a/*",  "secret/ab",    0},
                { "secret/a/*",  "secret/a/",    1},
		{ "secret/a*",   "secret/a",     0},
                { "secret/a/",   "secret/a/",    1},
		{ "secret/a/",   "secret/a/b",   0},
                { "secret/a/",   "secret/a",     0},
		{ "secret/a/b",  "secret/a/",    0},
                { "secret/a/b*", "secret/a/",    0},
		{ "secret/a*",   "secret/ab",    1},
                { "secret/a*",   "secret/b",     0},
	};
	return cr_make_param_array(struct match_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct match_case *c, host, role_patterns)
{
	struct value *paths = value_array(rig.a);

	value_add(paths, value_str(rig.a, c->pattern));
	cr_assert_eq(host_role_allows(paths, c->path), c->want, "%s %s", c->pattern,
	             c->path);
}

Test(host, no_role_no_paths)
{
	cr_assert_not(host_role_allows(NULL, "secret/a"));
	cr_assert_not(host_role_allows(value_array(rig.a), "secret/a"));
}

static void set_pin(const char *name, const unsigned char pin[32])
{
	ASK(200, HTTP_POST, "sys/hosts/pins",
	    arena_printf(rig.a, "{\"next\":\"sha256//%s\"}", b64(pin, 32)));
	(void)name;
}

Test(host, pins_are_announced_and_bound)
{
	unsigned char now[32], next[32];
	const char *reason;
	bool accepted;
	struct agent ag;
	struct err e;
	char *token;

	memset(now, 7, sizeof(now));
	memset(next, 8, sizeof(next));
	cr_assert_eq(core_hello(rig.core, now, &accepted, &reason, &e), ERR_OK);
	cr_assert(accepted);
	ASK(400, HTTP_POST, "sys/hosts/pins", "{\"next\":\"abc\"}");
	set_pin("next", next);
	ASK(200, HTTP_GET, "sys/hosts/pins", NULL);
	GOT("data.pins",
	    arena_printf(rig.a, "[sha256//%s,sha256//%s]", b64(now, 32), b64(next, 32)));
	token = agent_add(&ag, "web-1", "web");
	cr_assert_str_eq(rig_got("data.server_pins.0"),
	                 arena_printf(rig.a, "sha256//%s", b64(now, 32)));
	{
		unsigned char other[32] = { 9 };

		ASK_AS(400, NULL, HTTP_POST, "auth/host/join",
		       join_fields(&ag, token, other));
	}
	ASK_AS(200, NULL, HTTP_POST, "auth/host/join", join_fields(&ag, token, now));
}

/* What an agent acts on covers the nonce that it chose, and nothing is said twice. */
Test(host, what_it_is_told_is_said_to_it_alone)
{
	static const unsigned char nonce[32] = { 0xab, 0xcd };
	struct agent ag;
	char *q, *id;

	make_role("web", "secret/app/*");
	put_secret("app/db", "one");
	agent_start(&ag, "web-1", "web");
	check_said(&ag, "login", ag.nonce, 32);
	q = arena_printf(rig.a, "\"nonce\":\"%s\"", hex(nonce, 32));
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", arena_printf(rig.a, "{%s}", q));
	check_said(&ag, "sync", nonce, 32);
	id = agent_lease(&ag, "secret/app/db");
	check_said(&ag, "leases", asked, 32);
	cr_assert_eq(agent_post(&ag, "renew",
	                        arena_printf(rig.a, "{\"leases\":[\"%s\"]}", id)),
	             200);
	check_said(&ag, "renew", asked, 32);
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/consistency",
	       arena_printf(rig.a, "{\"from\":\"1\",%s}", q));
	check_said(&ag, "consistency", nonce, 32);
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/sync", NULL);
	check_said(&ag, "sync", nonce, 0);
	ASK_AS(400, ag.token, HTTP_GET, "sys/agent/sync", "{\"nonce\":\"abcd\"}");
	ASK_AS(400, ag.token, HTTP_GET, "sys/agent/sync",
	       arena_printf(rig.a, "{\"nonce\":\"%sab\"}", hex(nonce, 32)));
}

Test(host, a_watch_signs_what_happened_and_not_that_nothing_did)
{
	struct agent ag;
	char *id;

	make_role("web", "secret/app/*");
	put_secret("app/db", "one");
	agent_start(&ag, "web-1", "web");
	id = agent_lease(&ag, "secret/app/db");
	ASK(204, HTTP_POST, "sys/vault-leases/revoke",
	    arena_printf(rig.a, "{\"lease_id\":\"%s\"}", id));
	agent_watch_start(&ag, 0, 0);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.events.0.lease_id", id);
	GOT("data.events.0.op", "revoke");
	GOT("data.events.0.reason", "operator");
	cr_assert_str_neq(rig_got("data.events.0.rev"), "-");
	agent_watch_start(&ag, strtoll(rig_got("data.rev"), NULL, 10), 0);
	GOT("data.events", "[]");
	cr_assert_null(rig.said);
}

Test(host, that_the_log_is_shorter_is_for_the_vault_to_say)
{
	struct agent ag;

	agent_start(&ag, "web-1", "web");
	ASK_AS(200, ag.token, HTTP_GET, "sys/agent/consistency", "{\"from\":\"100000\"}");
	check_said(&ag, "consistency", no_pin, 0);
	GOT("data.proof", "[]");
	cr_assert_str_neq(rig_got("data.checkpoint"), "-");
	ASK_AS(400, ag.token, HTTP_GET, "sys/agent/consistency", "{\"from\":\"-1\"}");
}

static int64_t head_now(void)
{
	const char *key;

	return audit_head(rig.core, rig.a, &key);
}

static void heartbeat(const struct agent *ag, int64_t since, int64_t from)
{
	agent_watch_with(ag, since, 0,
	                 arena_printf(rig.a, ",\"from\":\"%lld\"", (long long)from));
}

Test(host, a_heartbeat_brings_the_proof_for_what_the_agent_has_not_seen)
{
	struct agent ag;
	int64_t rev, seen;

	agent_start(&ag, "web-1", "web");
	seen = head_now();
	agent_watch_start(&ag, 0, 0);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	cr_assert_gt(head_now(), seen);
	heartbeat(&ag, rev, seen);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.events", "[]");
	GOT("data.rev", arena_printf(rig.a, "%lld", (long long)rev));
	cr_assert_str_neq(rig_got("data.proof"), "-");
	cr_assert_str_neq(rig_got("data.proof"), "[]");
	cr_assert_str_neq(rig_got("data.checkpoint"), "-");
	/* Nothing is known, or nothing is new: nothing to prove. */
	heartbeat(&ag, rev, 0);
	cr_assert_null(rig.said);
	heartbeat(&ag, rev, head_now());
	cr_assert_null(rig.said);
	cr_assert_str_neq(rig_got("data.checkpoint"), "-");
	/* More is known than there is. */
	heartbeat(&ag, rev, 100000);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.proof", "[]");
	heartbeat(&ag, rev, -1);
	cr_assert_eq(rig.status, 400);
}

Test(host, what_happened_comes_with_the_proof_of_the_log_that_it_stands_in)
{
	struct agent ag;
	int64_t before;

	make_role("web", "secret/app/*");
	put_secret("app/db", "one");
	agent_start(&ag, "web-1", "web");
	(void)agent_lease(&ag, "secret/app/db");
	before = head_now();
	put_secret("app/db", "two");
	heartbeat(&ag, 0, before);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.events.0.op", "update");
	GOT("data.from", arena_printf(rig.a, "%lld", (long long)before));
	cr_assert_str_neq(rig_got("data.proof"), "-");
	cr_assert_str_neq(rig_got("data.proof"), "[]");
	/* An agent that does not say what it knows asks for the proof by itself. */
	heartbeat(&ag, 0, 0);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.events.0.op", "update");
	GOT("data.proof", "-");
	cr_assert_str_neq(rig_got("data.checkpoint"), "-");
}

Test(host, what_a_batch_changes_is_told_by_the_next)
{
	struct agent ag;
	int64_t before, rev;

	make_role("web", "secret/app/*");
	put_secret("app/db", "one");
	agent_start(&ag, "web-1", "web");
	(void)agent_lease(&ag, "secret/app/db");
	agent_watch_start(&ag, 0, 0);
	check_said(&ag, "watch", no_pin, 0);
	rev = strtoll(rig_got("data.rev"), NULL, 10);
	before = head_now();
	/* Its record is in no signed head before the batch has ended. */
	rig_submit(HTTP_POST, "secret/data/app/db", rig.root,
	           "{\"data\":{\"password\":\"two\"}}");
	heartbeat(&ag, rev, before);
	GOT("data.events", "[]");
	GOT("data.rev", arena_printf(rig.a, "%lld", (long long)rev));
	heartbeat(&ag, rev, before);
	check_said(&ag, "watch", no_pin, 0);
	GOT("data.events.0.op", "update");
	GOT("data.from", arena_printf(rig.a, "%lld", (long long)before));
	cr_assert_str_neq(rig_got("data.proof"), "-");
}

Test(host, a_watch_that_waits_keeps_nothing_of_what_rode_with_it)
{
	struct agent ag;
	char *id, *detail = arena_alloc(rig.a, 100001);
	const struct value *said;
	struct req *r;

	memset(detail, 'x', 100000);
	detail[100000] = '\0';
	make_role("web", "secret/app/*");
	put_secret("app/db", "one");
	agent_start(&ag, "web-1", "web");
	id = agent_lease(&ag, "secret/app/db");
	agent_watch_start(&ag, 0, 0);
	agent_watch_with(
		&ag, strtoll(rig_got("data.rev"), NULL, 10), 30,
		agent_riding(&ag, id, 1,
	                     arena_printf(rig.a, "delivered\",\"junk\":\"%s", detail)));
	r = waits_cancel(rig.core->waits, 2, rig.next_id);
	cr_assert_not_null(r, "%s", rig_got(""));
	said = value_get(r->body, "statement");
	cr_assert(said == NULL || said->type == V_NULL);
	cr_assert_lt(arena_used(r->a), 8192);
	item_free((struct item *)(void *)r);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

static void setup(void)
{
	rig.token_rate = (struct core_rate){ .per_second = 2, .burst = 5 };
	rig.login_rate = (struct core_rate){ .per_second = 1, .burst = 3 };
	rig_start();
	rig_advance(60000);
}

TestSuite(limit, .init = setup, .fini = rig_stop, .timeout = 60);

#define REFUSED(path_) "request path \"" path_ "\": rate limit quota exceeded"

Test(limit, a_token_has_its_burst_and_then_its_rate)
{
	for (int i = 0; i < 5; i++)
		ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(429, HTTP_GET, "auth/token/lookup-self", NULL);
	GOT("errors.0", REFUSED("auth/token/lookup-self"));
	cr_assert_eq(rig.retry, 1);
	rig_advance(500);
	ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(429, HTTP_GET, "auth/token/lookup-self", NULL);
}

Test(limit, tokens_have_rates_of_their_own)
{
	char token[128];

	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"default\"]}");
	snprintf(token, sizeof(token), "%s", rig_got("auth.client_token"));
	for (int i = 0; i < 4; i++)
		ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(429, HTTP_GET, "auth/token/lookup-self", NULL);
	for (int i = 0; i < 5; i++)
		ASK_AS(200, token, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK_AS(429, token, HTTP_GET, "auth/token/lookup-self", NULL);
}

/* What does not exist is no way round, and neither is what may not be asked. */
Test(limit, every_answer_counts)
{
	ASK(404, HTTP_GET, "secret/data/none", NULL);
	ASK(404, HTTP_GET, "no/such/mount", NULL);
	ASK(405, HTTP_DELETE, "sys/vaultd/status", NULL);
	ASK(404, HTTP_GET, "sys/nonsense", NULL);
	ASK(400, HTTP_POST, "secret/data/x", "{}");
	ASK(429, HTTP_GET, "secret/data/none", NULL);
	ASK(429, HTTP_GET, "no/such/mount", NULL);
}

Test(limit, without_a_valid_token_nothing_is_counted)
{
	for (int i = 0; i < 50; i++)
		ASK_AS(403, "vlt_s_nonsense", HTTP_GET, "auth/token/lookup-self", NULL);
}

static int login(const char *host, const char *more)
{
	char body[160];

	snprintf(body, sizeof(body), "{\"host_id\":\"%s\"%s}", host, more);
	return rig_ask_as(NULL, HTTP_POST, "auth/host/login", body);
}

Test(limit, logins_are_limited_by_account_whether_there_is_one_or_not)
{
	for (int i = 0; i < 3; i++)
		cr_assert_neq(login("00112233445566778899aabbccddeeff", ""), 429);
	cr_assert_eq(login("00112233445566778899aabbccddeeff", ",\"nonce\":\"x\""), 429);
	GOT("errors.0", REFUSED("auth/host/login"));
	cr_assert_neq(login("ffffffffffffffffffffffffffffffff", ""), 429);
	rig_advance(1000);
	cr_assert_neq(login("00112233445566778899aabbccddeeff", ""), 429);
	cr_assert_eq(login("00112233445566778899aabbccddeeff", ""), 429);
}

/* Where a password or a secret id could be guessed.  Neither case nor type of what names
 * the account makes another one of it. */
Test(limit, guesses_at_one_account_are_limited)
{
	ASK(204, HTTP_POST, "sys/auth/userpass", "{\"type\":\"userpass\"}");
	ASK(204, HTTP_POST, "sys/auth/approle", "{\"type\":\"approle\"}");
	for (int i = 0; i < 3; i++)
		ASK_AS(400, NULL, HTTP_POST, "auth/userpass/login/ann",
		       "{\"password\":\"x\"}");
	ASK_AS(429, NULL, HTTP_POST, "auth/userpass/login/ann", "{\"password\":\"x\"}");
	ASK_AS(429, NULL, HTTP_POST, "auth/userpass/login/ANN", "{\"password\":\"x\"}");
	ASK_AS(400, NULL, HTTP_POST, "auth/userpass/login/bob", "{\"password\":\"x\"}");
	for (int i = 0; i < 3; i++)
		ASK_AS(400, NULL, HTTP_POST, "auth/approle/login",
		       "{\"role_id\":\"12\",\"secret_id\":\"x\"}");
	ASK_AS(429, NULL, HTTP_POST, "auth/approle/login",
	       "{\"role_id\":\"12\",\"secret_id\":\"x\"}");
	ASK_AS(429, NULL, HTTP_POST, "auth/approle/login",
	       "{\"role_id\":12,\"secret_id\":\"x\"}");
}

static int64_t audit_records(void)
{
	ASK(200, HTTP_GET, "sys/audit-log/checkpoint", NULL);
	return strtoll(rig_got("data.size"), NULL, 10);
}

/* One record says how many there were. */
Test(limit, refusals_are_counted_and_not_recorded_one_by_one)
{
	int64_t before = audit_records(), after;

	for (int i = 0; i < 4; i++)
		(void)rig_ask(HTTP_GET, "auth/token/lookup-self", NULL);
	for (int i = 0; i < 200; i++)
		ASK(429, HTTP_GET, "auth/token/lookup-self", NULL);
	rig_advance(2000);
	rig_run();
	after = audit_records();
	cr_assert_leq(after, before + 8, "%lld records", (long long)(after - before));
	ASK(200, HTTP_GET, "sys/audit-log/records", "{\"operation\":\"aggregate\"}");
	GOT("data.records.0.error", "rate_limited");
	GOT("data.records.0.note.count", "200");
}

Test(limit_off, by_default_nothing_is_limited, .init = rig_start, .fini = rig_stop)
{
	for (int i = 0; i < 300; i++)
		ASK(200, HTTP_GET, "auth/token/lookup-self", NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A new key term: old rows stay readable, are sealed anew, and the old key goes. */
#include "core_rig.h"

#include "server/core/loop/batch.h"
#include "server/core/seal/kek.h"
#include "server/core/seal/keyring.h"
#include "server/core/storage/db.h"
#include "server/core/storage/store.h"

#define SECRETS 150

TestSuite(kek, .init = rig_start, .fini = rig_stop, .timeout = 120);

static void write_secrets(void)
{
	for (int i = 0; i < SECRETS; i++) {
		char path[64], fields[64];

		snprintf(path, sizeof(path), "secret/data/app-%d", i);
		snprintf(fields, sizeof(fields), "{\"data\":{\"k\":\"value %d\"}}", i);
		ASK(200, HTTP_POST, path, fields);
	}
}

static void read_secrets(void)
{
	for (int i = 0; i < SECRETS; i++) {
		char path[64], want[32];

		snprintf(path, sizeof(path), "secret/data/app-%d", i);
		snprintf(want, sizeof(want), "value %d", i);
		ASK(200, HTTP_GET, path, NULL);
		GOT("data.data.k", want);
	}
}

/* Envelopes of objects and of data keys that a term sealed. */
static int sealed_under(uint32_t term)
{
	struct err e = { 0 };
	int n = 0;

	for (int table = 0; table < 2; table++) {
		STMT_AUTO st = db_stmt(rig.core->db,
		                       table == 0 ? STMT_OBJECT_SCAN : STMT_PAYLOAD_SCAN);
		bool row;

		if (table == 0)
			db_bind_int(st, 1, 0);
		else
			db_bind_blob(st, 1, "", 0);
		if (table == 0)
			db_bind_blob(st, 2, "", 0);
		else
			db_bind_int(st, 2, 0);
		db_bind_int(st, 3, -1);
		while (db_step(st, &row, &e) == ERR_OK && row) {
			uint32_t got = 0;
			size_t len;
			const void *p = db_blob(st, table == 0 ? 6 : 2, &len);

			cr_assert_eq(envelope_term(p, len, &got), 0);
			n += got == term;
		}
	}
	return n;
}

/* One pass of the loop a millisecond later. */
static void tick(void)
{
	rig_advance(1);
	rig_run();
}

static void finish_job(void)
{
	for (int i = 0; i < 10000 && store_count(rig.core, KIND_JOB) > 0; i++)
		tick();
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
}

static void check_state(void)
{
	struct err e = { 0 };
	bool done = false;

	while (!done)
		cr_assert_eq(store_state_verify_slice(rig.core, &done, &e), ERR_OK, "%s",
		             e.msg);
}

static void term_is(const char *want)
{
	ASK(200, HTTP_GET, "sys/key-status", NULL);
	GOT("data.term", want);
}

Test(kek, status_counts_what_the_key_sealed)
{
	long before;

	ASK(200, HTTP_GET, "sys/key-status", NULL);
	GOT("data.term", "1");
	GOT("data.install_time", "2026-01-01T00:00:00Z");
	before = strtol(rig_got("data.encryptions"), NULL, 10);
	cr_assert_gt(before, 3);
	ASK(200, HTTP_GET, "secret/config", NULL);
	ASK(200, HTTP_GET, "sys/key-status", NULL);
	cr_assert_eq(strtol(rig_got("data.encryptions"), NULL, 10), before,
	             "a read seals nothing");
	ASK(200, HTTP_POST, "secret/data/x", "{\"data\":{\"k\":1}}");
	ASK(200, HTTP_GET, "sys/key-status", NULL);
	cr_assert_geq(strtol(rig_got("data.encryptions"), NULL, 10), before + 3,
	              "a secret, its data key, the head of the state");
	before = strtol(rig_got("data.encryptions"), NULL, 10);
	rig_reopen();
	ASK(200, HTTP_GET, "sys/key-status", NULL);
	cr_assert_geq(strtol(rig_got("data.encryptions"), NULL, 10), before);
}

Test(kek, everything_is_sealed_anew_and_the_old_key_goes)
{
	write_secrets();
	cr_assert_gt(sealed_under(1), 2 * SECRETS);
	rig_advance(1000);
	rig_run(); /* what is due besides */
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	cr_assert_gt(sealed_under(1), 2 * SECRETS, "not within the request");
	term_is("2");
	GOT("data.install_time", "2026-01-01T00:00:01Z");
	cr_assert_eq(keyring_terms(rig.core->keys), 2u);
	read_secrets();
	finish_job();
	cr_assert_eq(sealed_under(1), 0);
	cr_assert_eq(keyring_terms(rig.core->keys), 1u);
	read_secrets();
	check_state();
	rig_reopen();
	read_secrets();
	term_is("2");
	check_state();
}

Test(kek, the_job_survives_a_restart_and_another_rotation)
{
	write_secrets();
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	tick();
	cr_assert_gt(sealed_under(1), 0);
	cr_assert_gt(sealed_under(2), 50);
	rig_reopen();
	cr_assert_eq(store_count(rig.core, KIND_JOB), 1);
	tick();
	ASK(204, HTTP_POST, "sys/rotate/keyring", NULL);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 1);
	cr_assert_eq(keyring_terms(rig.core->keys), 3u);
	rig_reopen();
	read_secrets();
	finish_job();
	cr_assert_eq(sealed_under(1) + sealed_under(2), 0);
	cr_assert_eq(keyring_terms(rig.core->keys), 1u);
	read_secrets();
	check_state();
}

/* A walk that checks the rows is under way while they change. */
Test(kek, the_check_of_all_rows_goes_along)
{
	struct err e = { 0 };
	bool done = false;

	write_secrets();
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	cr_assert_eq(store_state_verify_slice(rig.core, &done, &e), ERR_OK);
	for (int i = 0; i < 3; i++)
		tick();
	while (!done)
		cr_assert_eq(store_state_verify_slice(rig.core, &done, &e), ERR_OK, "%s",
		             e.msg);
	finish_job();
	check_state();
}

Test(kek, only_so_many_terms_are_kept)
{
	write_secrets();
	for (int i = 0; i < 63; i++)
		ASK(204, HTTP_POST, "sys/rotate", NULL);
	ASK(503, HTTP_POST, "sys/rotate", NULL);
	term_is("64");
	finish_job();
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	term_is("65");
	read_secrets();
}

static int rotate_and_fail(struct core *c, void *arg, struct err *e)
{
	int rc = kek_rotate(c, rig.a, e);

	(void)arg;
	cr_assert_eq(rc, ERR_OK);
	cr_assert_eq(keyring_active(c->keys), 2u);
	return err_set(e, ERR_INVALID, "taken back");
}

Test(kek, a_rotation_that_is_taken_back_leaves_the_old_key)
{
	struct err e = { 0 };

	write_secrets();
	cr_assert_eq(batch_alone(rig.core, rotate_and_fail, NULL, &e), ERR_INVALID);
	term_is("1");
	ASK(200, HTTP_POST, "secret/data/x", "{\"data\":{\"k\":1}}");
	rig_reopen();
	read_secrets();
	term_is("1");
}

Test(kek, a_term_ends_when_its_time_is_over)
{
	ASK(204, HTTP_POST, "sys/rotate/config", "{\"interval\":\"24h\"}");
	ASK(200, HTTP_GET, "sys/rotate/config", NULL);
	GOT("data.interval", "86400");
	GOT("data.enabled", "true");
	rig_advance(24ll * 3600 * 1000 - 1);
	rig_run();
	term_is("1");
	rig_reopen();
	rig_advance(1);
	cr_assert_eq(core_wait_ms(rig.core), 0);
	rig_run();
	term_is("2");
	ASK(204, HTTP_POST, "sys/rotate/config", "{\"enabled\":false}");
	rig_advance(48ll * 3600 * 1000);
	rig_run();
	term_is("2");
	ASK(200, HTTP_GET, "sys/audit-log/records", "{\"operation\":\"rotate\"}");
	GOT("data.records.0.actor_type", "system");
	GOT("data.records.0.note.term", "2");
}

static int soon(struct core *c, void *arg, struct err *e)
{
	const struct kek_config cfg = { .enabled = true,
		                        .max_operations = *(int64_t *)arg };

	return kek_config_put(c, rig.a, &cfg, e);
}

Test(kek, a_term_ends_when_it_has_sealed_enough)
{
	struct store_summary s;
	struct err e = { 0 };
	int64_t most;

	cr_assert(store_state_summary(rig.core, &s));
	most = s.encryptions + 20;
	cr_assert_eq(batch_alone(rig.core, soon, &most, &e), ERR_OK);
	for (int i = 0; i < 20; i++) {
		ASK(200, HTTP_POST, "secret/data/x", "{\"data\":{\"k\":1}}");
		tick();
	}
	ASK(200, HTTP_GET, "sys/key-status", NULL);
	cr_assert_gt(strtol(rig_got("data.term"), NULL, 10), 1);
}

Test(kek, configuration_is_checked)
{
	static const char *const bad[] = {
		"{\"max_operations\":999999}", "{\"max_operations\":3865470567}",
		"{\"interval\":\"23h59m\"}",   "{\"interval\":-86400}",
		"{\"enabled\":\"maybe\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASK(400, HTTP_POST, "sys/rotate/config", bad[i]);
	ASK(200, HTTP_GET, "sys/rotate/keyring/config", NULL);
	GOT("data.max_operations", "3865470566");
	GOT("data.interval", "0");
	GOT("data.enabled", "true");
}

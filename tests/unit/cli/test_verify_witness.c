/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier and heads that hosts have co-signed. */
#include "verify_rig.h"

TestSuite(verify_witness, .init = setup, .fini = teardown, .timeout = 300);

static struct verify_witness hosts[3];
static char notes[3][NOTE_CHECKPOINT_MAX];
static unsigned char host_sk[3][64];

/* Host ${i} has co-signed the head of ${size} records, as it is now. */
static void cosign(int i, const char *name, uint64_t size)
{
	unsigned char msg[NOTE_CHECKPOINT_MAX + 16] = "vault/cosign/v1";
	struct verify_witness *w = &hosts[i];
	size_t body = 0;

	head_at(size, notes[i]);
	*w = (struct verify_witness){ .host = name, .note = notes[i] };
	w->n = strlen(notes[i]);
	crypto_sign_keypair(w->key, host_sk[i]);
	cr_assert_eq(note_verify(w->note, w->n, &o.key, 1, &body, &e), ERR_OK);
	memcpy(msg + 16, w->note, body);
	crypto_sign_detached(w->signature, NULL, msg, 16 + body, host_sk[i]);
	o.hosts = hosts;
	o.n_hosts = (size_t)i + 1;
}

static void cut_to(int size)
{
	char sql[128];

	snprintf(
		sql, sizeof(sql),
		"DELETE FROM audit WHERE idx >= %d; DELETE FROM checkpoint WHERE size > %d",
		size, size);
	change(sql);
}

Test(verify_witness, heads_that_fit_are_counted_and_prove_the_end)
{
	cosign(0, "web-1", 1234);
	cosign(1, "web-2", RECORDS);
	cosign(2, "web-3", 1);
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert(rep.end_proven);
	cr_assert_eq(rep.hosts, 3);
	cr_assert_eq(rep.witness, RECORDS);
	cr_assert_eq(rep.heads, 7 + 3);
}

Test(verify_witness, a_shorter_log_names_the_host_that_saw_most)
{
	cosign(0, "web-1", 1234);
	cosign(1, "web-2", 1900);
	cosign(2, "web-3", 1600);
	cut_to(1500);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_CUT);
	cr_assert_eq(rep.bad, 1500);
	cr_assert_not_null(strstr(rep.text, "host \"web-2\" has co-signed covers 1900"),
	                   "%s", rep.text);
	o.n_hosts = 1;
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
}

Test(verify_witness, another_root_names_the_host)
{
	char note[NOTE_CHECKPOINT_MAX];
	sqlite3 *db;

	cosign(0, "web-1", 1700);
	cosign(1, "web-2", 1960);
	cut_to(1800);
	make_row(1950, &rows[1950]);
	for (int i = 1800; i < RECORDS; i++)
		store_row(i, &rows[i]);
	head_at(RECORDS, note);
	db = open_file();
	put_head(db, RECORDS, note);
	sqlite3_close(db);
	cr_assert_eq(verify_db(), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_FORK, "%s", rep.text);
	cr_assert_not_null(strstr(rep.text, "host \"web-2\""), "%s", rep.text);
	o.n_hosts = 1;
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
}

Test(verify_witness, signatures_of_nobody_are_no_evidence)
{
	struct note_key mine = o.key;
	unsigned char other[32], sk[64];

	cosign(0, "web-1", RECORDS);
	hosts[0].signature[5] ^= 1;
	cr_assert_eq(verify_db(), ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "co-signature of host \"web-1\""), "%s", e.msg);
	/* A host's own fancy, without the log's signature. */
	crypto_sign_keypair(other, sk);
	cr_assert_eq(note_key_make(NAME, other, &o.key, &e), ERR_OK);
	memcpy(secret, sk, sizeof(sk));
	cosign(0, "web-1", RECORDS);
	o.key = mine;
	cr_assert_eq(verify_db(), ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "web-1"), "%s", e.msg);
}

Test(verify_witness, a_file_that_is_none)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"witnesses\":{}}",
		"{\"witnesses\":[1]}",
		"{\"witnesses\":[{\"host\":\"a\",\"checkpoint\":\"x\",\"key\":\"AA==\","
		"\"signature\":\"AA==\"}]}",
		"{\"witnesses\":[],\"witnesses\":[]}",
	};
	struct verify_witness *out;
	struct arena *a = arena_new((size_t)1 << 20);
	size_t n = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(verify_read_witnesses(a, bad[i], strlen(bad[i]), &out, &n,
		                                   &e),
		             ERR_INVALID, "%s", bad[i]);
	cr_assert_eq(verify_read_witnesses(a, "{\"data\":{\"witnesses\":[]}}", 25, &out,
	                                   &n, &e),
	             ERR_OK);
	cr_assert_eq(n, 0);
	arena_free(a);
}

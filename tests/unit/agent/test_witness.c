/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/witness.h"
#include "file.h"

#define LEAVES 40u

static struct witness w;
static unsigned char log_sk[64];
static struct note_key key;
static unsigned char leaf[LEAVES][32];
static char key_text[NOTE_KEY_TEXT_MAX];

static void setup(void)
{
	unsigned char pk[32];

	rig_open();
	crypto_sign_keypair(pk, log_sk);
	cr_assert_eq(note_key_make("vault.test/log", pk, &key, &e), ERR_OK, "%s", e.msg);
	note_key_format(&key, key_text);
	for (unsigned i = 0; i < LEAVES; i++)
		merkle_leaf(&i, sizeof(i), leaf[i]);
	cr_assert_eq(witness_open(&w, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
}

static void teardown(void)
{
	rig_close();
}

TestSuite(witness, .init = setup, .fini = teardown, .timeout = 20);

/* The root over the first ${n} leaves; leaf ${twist} is another one. */
static void root_of(size_t n, size_t twist, unsigned char out[32])
{
	struct merkle_frontier f = { .size = 0 };

	for (size_t i = 0; i < n; i++) {
		unsigned char l[32];

		memcpy(l, leaf[i], 32);
		l[0] ^= i == twist ? 1 : 0;
		(void)merkle_push(&f, l, NULL);
	}
	merkle_root(&f, out);
}

static const char *checkpoint(size_t n, size_t twist)
{
	static char text[4][NOTE_CHECKPOINT_MAX];
	static unsigned turn;
	char *out = text[turn++ % 4];
	struct note_checkpoint cp = { .size = n };
	unsigned char sig[64];
	size_t len;

	snprintf(cp.origin, sizeof(cp.origin), "%s", key.name);
	root_of(n, twist, cp.root);
	len = note_checkpoint_body(&cp, out, NOTE_CHECKPOINT_MAX);
	cr_assert_gt(len, 0);
	crypto_sign_detached(sig, NULL, (unsigned char *)out, len, log_sk);
	cr_assert_gt(note_sign_line(&key, sig, out + len, NOTE_CHECKPOINT_MAX - len), 0);
	return out;
}

static int read_node(void *ctx UNUSED, unsigned level, uint64_t index,
                     unsigned char out[32], struct err *why UNUSED)
{
	struct merkle_frontier f = { .size = 0 };

	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		(void)merkle_push(&f, leaf[i], NULL);
	merkle_root(&f, out);
	return ERR_OK;
}

static struct merkle_proof proof(uint64_t from, uint64_t to)
{
	const struct merkle_reader r = { read_node, NULL };
	struct merkle_proof p = { 0 };

	cr_assert_eq(merkle_prove_consistency(&r, from, to, &p, &e), ERR_OK, "%s", e.msg);
	return p;
}

#define NONE LEAVES

Test(witness, takes_the_first_and_knows_it_again)
{
	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST, "%s",
	             e.msg);
	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_KNOWN, "%s",
	             e.msg);
	cr_assert(witness_trusts(&w));
}

Test(witness, follows_a_log_that_grows_and_remembers)
{
	struct merkle_proof p = proof(10, 23);
	struct witness again;

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_see(&w, checkpoint(23, NONE), &e), WITNESS_ASK);
	cr_assert_eq(w.last.size, 10);
	cr_assert_eq(witness_advance(&w, checkpoint(23, NONE), &p, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_eq(w.last.size, 23);
	/* In memory, until something hangs on it. */
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(again.last.size, 10);
	cr_assert_eq(witness_save(&w, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(again.last.size, 23);
	cr_assert(witness_trusts(&again));
}

static void expect_lasting_alarm(void)
{
	struct witness again;

	cr_assert(w.alarm);
	cr_assert_not(witness_trusts(&w));
	cr_assert(rig_exists(WITNESS_CONFLICT));
	cr_assert_eq(w.last.size, 10);
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(witness_trusts(&again));
	witness_forget(rig_dir);
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert(witness_trusts(&again));
}

Test(witness, is_alarmed_by_another_root_of_one_size)
{
	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_see(&w, checkpoint(10, 4), &e), WITNESS_ALARM);
	expect_lasting_alarm();
}

Test(witness, is_alarmed_by_a_proof_that_fails)
{
	struct merkle_proof p = proof(10, 23);

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_advance(&w, checkpoint(23, 4), &p, &e), ERR_VERIFY);
	expect_lasting_alarm();
}

Test(witness, asks_before_it_judges_a_smaller_tree)
{
	struct merkle_proof p = proof(10, 12);

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_see(&w, checkpoint(9, NONE), &e), WITNESS_ASK);
	cr_assert_not(witness_trusts(&w));
	cr_assert_not(w.alarm);
	cr_assert_eq(witness_advance(&w, checkpoint(12, NONE), &p, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert(witness_trusts(&w));
}

Test(witness, keeps_what_it_knew_beside_what_contradicts_it)
{
	struct merkle_proof p = proof(10, 23);
	struct witness again;

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_advance(&w, checkpoint(23, NONE), &p, &e), ERR_OK);
	cr_assert_eq(witness_see(&w, checkpoint(23, 4), &e), WITNESS_ALARM);
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(again.last.size, 23);
	cr_assert(again.alarm);
}

Test(witness, gives_no_note_that_is_not_on_disk)
{
	struct merkle_proof p = proof(10, 23);
	char note[NOTE_CHECKPOINT_MAX];
	struct witness again;

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_advance(&w, checkpoint(23, NONE), &p, &e), ERR_OK);
	cr_assert_eq(witness_note(&w, note, sizeof(note), &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(note, checkpoint(23, NONE));
	cr_assert_eq(witness_open(&again, rig_dir, key_text, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(again.last.size, 23);
}

Test(witness, is_alarmed_by_a_server_that_has_no_more)
{
	struct merkle_proof p = { 0 };

	cr_assert_eq(witness_see(&w, checkpoint(10, NONE), &e), WITNESS_FIRST);
	cr_assert_eq(witness_advance(&w, checkpoint(9, NONE), &p, &e), ERR_VERIFY);
	expect_lasting_alarm();
}

Test(witness, ignores_what_the_log_did_not_sign)
{
	const char *good = checkpoint(10, NONE);
	char bad[NOTE_CHECKPOINT_MAX];

	snprintf(bad, sizeof(bad), "%s", good);
	bad[strlen(key.name) + 1] = '2';
	cr_assert_eq(witness_see(&w, bad, &e), WITNESS_BAD);
	cr_assert_eq(witness_see(&w, "", &e), WITNESS_BAD);
	cr_assert_not(w.alarm);
	cr_assert_not(w.have);
}

Test(witness, gives_back_the_note_that_it_took)
{
	char note[NOTE_CHECKPOINT_MAX], path[PATH_MAX];
	const char *ten = checkpoint(10, NONE);

	cr_assert_neq(witness_note(&w, note, sizeof(note), &e), ERR_OK, "there is none");
	cr_assert_eq(witness_see(&w, ten, &e), WITNESS_FIRST);
	cr_assert_eq(witness_note(&w, note, sizeof(note), &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(note, ten);
	cr_assert_neq(witness_note(&w, note, 20, &e), ERR_OK, "no room");
	cr_assert_eq(file_write_path(rig_path(WITNESS_FILE, path), checkpoint(9, NONE),
	                             strlen(checkpoint(9, NONE)), 0600, &e),
	             ERR_OK);
	cr_assert_eq(witness_note(&w, note, sizeof(note), &e), ERR_INTEGRITY,
	             "not the one that was verified");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power fails before every change that a rekey and a rotation make on the disk: the old
 * or the new share opens the vault then, never neither.
 */
#include "token_rig.h"

#include "server/core/loop/batch.h"
#include "server/core/seal/kek.h"
#include "server/core/seal/rekey.h"
#include "server/core/storage/store.h"
#include "tests/lib/crashvfs.h"

#define VFS     "rekey"
#define SECRETS 20

static struct crashvfs *disk;
static char old_key[96], new_key[96];
static long switched; /* events when the new share was handed out */

static void start(void)
{
	disk = crashvfs_new(VFS);
	rig.vfs = VFS;
	rig_start();
	for (int i = 0; i < SECRETS; i++)
		ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/s%d", i),
		    "{\"data\":{\"k\":\"v\"}}");
}

static void stop(void)
{
	rig_stop();
	crashvfs_free(disk);
}

TestSuite(rekey, .init = start, .fini = stop, .timeout = 300);

static const char *begin_rekey(bool verify)
{
	ASK(200, HTTP_POST, "sys/rekey/init",
	    verify ? "{\"secret_shares\":1,\"secret_threshold\":1,"
	             "\"require_verification\":true}"
	           : "{\"secret_shares\":1,\"secret_threshold\":1}");
	return arena_str(rig.a, rig_got("nonce"));
}

static void give(const char *path, const char *nonce, const char *key)
{
	ASK(200, HTTP_POST, path,
	    arena_printf(rig.a, "{\"nonce\":\"%s\",\"key\":\"%s\"}", nonce, key));
}

static void replace_share(bool verify)
{
	snprintf(old_key, sizeof(old_key), "%s", rig.key);
	give("sys/rekey/update", begin_rekey(verify), old_key);
	snprintf(new_key, sizeof(new_key), "%s", rig_got("keys_base64.0"));
	if (verify)
		give("sys/rekey/verify", arena_str(rig.a, rig_got("verification_nonce")),
		     new_key);
	GOT("complete", "true");
	snprintf(rig.key, sizeof(rig.key), "%s", new_key);
}

static bool opens_with(const char *key)
{
	rig_ask_as(NULL, HTTP_POST, "sys/unseal",
	           arena_printf(rig.a, "{\"key\":\"%s\"}", key));
	return rig.status == 200 && strcmp(rig_got("sealed"), "false") == 0;
}

static void check_all(void)
{
	struct err e = { 0 };
	bool done = false;

	for (int i = 0; i < SECRETS; i++)
		ASK(200, HTTP_GET, arena_printf(rig.a, "secret/data/s%d", i), NULL);
	while (!done)
		cr_assert_eq(store_state_verify_slice(rig.core, &done, &e), ERR_OK, "%s",
		             e.msg);
}

static void finish_job(void)
{
	for (int i = 0; i < 1000 && store_count(rig.core, KIND_JOB) > 0; i++) {
		rig_advance(1);
		rig_run();
	}
}

static void judge(long event, enum crash_model model, uint64_t seed, long *olds,
                  long *news)
{
	bool with_old, with_new = false;

	crashvfs_rebuild(disk, event, model, seed);
	arena_reset(rig.a);
	rig_open();
	with_old = opens_with(old_key);
	if (!with_old)
		with_new = opens_with(new_key);
	cr_assert(with_old || with_new, "event %ld: neither share opens the vault: %s",
	          event, rig_got(""));
	cr_assert(event < switched || with_new, "event %ld: the new share was lost",
	          event);
	*olds += with_old;
	*news += with_new;
	check_all();
	core_close(rig.core);
	rig.core = NULL;
}

static void crash_everywhere(bool verify)
{
	static const enum crash_model models[] = { CRASH_KEEP_ALL, CRASH_SYNCED_ONLY,
		                                   CRASH_RANDOM };
	long events, olds = 0, news = 0;

	core_close(rig.core);
	crashvfs_record(disk);
	rig_open();
	rig_unseal();
	replace_share(verify);
	switched = crashvfs_events(disk);
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	finish_job();
	core_close(rig.core);
	rig.core = NULL;
	events = crashvfs_events(disk);
	for (long event = 0; event <= events; event++)
		for (size_t m = 0; m < ARRAY_LEN(models); m++)
			judge(event, models[m], (uint64_t)event, &olds, &news);
	cr_assert(olds > 5 && news > 5, "%ld with the old share, %ld with the new", olds,
	          news);
}

Test(rekey, the_old_or_the_new_share_opens_after_a_crash)
{
	crash_everywhere(false);
}

Test(rekey, the_same_with_verification)
{
	crash_everywhere(true);
}

/* In the transaction of a request that is taken back. */
static int replace_and_fail(struct core *c, void *arg, struct err *e)
{
	struct rekey_made *made = arena_alloc(rig.a, sizeof(*made));
	struct seal_share share = { .len = 32 };
	struct rekey_status s;
	int epoch = seal_epoch(c);

	(void)arg;
	cr_assert_geq(sodium_base642bin(share.bytes, sizeof(share.bytes), rig.key,
	                                strlen(rig.key), NULL, NULL, NULL,
	                                sodium_base64_VARIANT_ORIGINAL),
	              0);
	cr_assert_eq(rekey_begin(c, "", 3, 2, false, e), ERR_OK);
	rekey_status(c, &s);
	cr_assert_eq(rekey_offer(c, s.nonce, &share, made, e), ERR_OK, "%s", e->msg);
	cr_assert(made->complete && made->n == 3);
	cr_assert_eq(seal_epoch(c), epoch + 1);
	return err_set(e, ERR_INVALID, "taken back");
}

Test(rekey, one_that_is_taken_back_leaves_the_old_share)
{
	struct rekey_status s;
	struct err e = { 0 };
	int epoch = seal_epoch(rig.core);

	cr_assert_eq(batch_alone(rig.core, replace_and_fail, NULL, &e), ERR_INVALID);
	cr_assert_eq(seal_epoch(rig.core), epoch);
	rekey_status(rig.core, &s);
	cr_assert_not(s.started);
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	rig_reopen();
	check_all();
}

Test(rekey, one_that_nobody_carries_on_ends)
{
	const char *nonce = begin_rekey(false);

	rig_advance(CEREMONY_MS - 1);
	ASK(400, HTTP_POST, "sys/rekey/init",
	    "{\"secret_shares\":1,\"secret_threshold\":1}");
	rig_advance(1);
	ASK(400, HTTP_POST, "sys/rekey/update",
	    arena_printf(rig.a, "{\"nonce\":\"%s\",\"key\":\"%s\"}", nonce, rig.key));
	GOT("errors.0", "no barrier rekey in progress");
	begin_rekey(true);
	ASK(200, HTTP_POST, "sys/generate-root/attempt", NULL);
	rig_advance(CEREMONY_MS);
	ASK(200, HTTP_GET, "sys/generate-root/attempt", NULL);
	GOT("started", "false");
	ASK(200, HTTP_GET, "sys/rekey/init", NULL);
	GOT("started", "false");
}

/* The shares that are waited for prove themselves one by one: nothing is forged. */
Test(rekey, a_forged_share_never_counts)
{
	const char *nonce;
	char forged[96];

	replace_share(false);
	nonce = begin_rekey(false);
	for (int i = 0; i < 1000; i++) {
		unsigned char bytes[32];

		randombytes_buf(bytes, sizeof(bytes));
		sodium_bin2base64(forged, sizeof(forged), bytes, sizeof(bytes),
		                  sodium_base64_VARIANT_ORIGINAL);
		ASK(400, HTTP_POST, "sys/rekey/update",
		    arena_printf(rig.a, "{\"nonce\":\"%s\",\"key\":\"%s\"}", nonce,
		                 forged));
		GOT("errors.0", "share does not belong to this vault, or was mistyped: "
		                "it was not counted");
	}
	ASK(200, HTTP_GET, "sys/rekey/init", NULL);
	GOT("progress", "0");
	give("sys/rekey/update", nonce, rig.key);
	GOT("complete", "true");
}

static const char *share(int i)
{
	return arena_str(rig.a, rig_got(arena_printf(rig.a, "keys_base64.%d", i)));
}

/* Shares of before do not count beside shares of after. */
Test(rekey, a_root_generation_ends_with_the_shares_that_carried_it)
{
	const char *nonce, *old[2], *now, *root;

	ASK(200, HTTP_POST, "sys/rekey/init",
	    "{\"secret_shares\":3,\"secret_threshold\":2}");
	give("sys/rekey/update", arena_str(rig.a, rig_got("nonce")), rig.key);
	old[0] = share(0);
	old[1] = share(1);
	ASK(200, HTTP_POST, "sys/generate-root/attempt", NULL);
	give("sys/generate-root/update", arena_str(rig.a, rig_got("nonce")), old[0]);
	GOT("progress", "1");
	ASK(200, HTTP_POST, "sys/rekey/init",
	    "{\"secret_shares\":3,\"secret_threshold\":2}");
	nonce = arena_str(rig.a, rig_got("nonce"));
	give("sys/rekey/update", nonce, old[0]);
	give("sys/rekey/update", nonce, old[1]);
	now = share(1);
	root = share(2);
	ASK(200, HTTP_GET, "sys/generate-root/attempt", NULL);
	GOT("started", "false");
	ASK(200, HTTP_POST, "sys/generate-root/attempt", NULL);
	nonce = arena_str(rig.a, rig_got("nonce"));
	give("sys/generate-root/update", nonce, now);
	give("sys/generate-root/update", nonce, root);
	GOT("complete", "true");
}

/* Who did not begin it has to name its nonce. */
Test(rekey, a_stranger_does_not_begin_the_verification_anew)
{
	const char *t, *nonce;

	policy("rekeyer", "path \\\"sys/rekey/*\\\" { capabilities = [\\\"read\\\", "
	                  "\\\"update\\\", \\\"delete\\\", \\\"sudo\\\"] }");
	t = create(rig.root, "{\"policies\":[\"rekeyer\"]}");
	give("sys/rekey/update", begin_rekey(true), rig.key);
	nonce = arena_str(rig.a, rig_got("verification_nonce"));
	ASK_AS(400, t, HTTP_DELETE, "sys/rekey/verify", NULL);
	GOT("errors", "[only who began the operation, or names its nonce, may begin the "
	              "verification anew]");
	ASK_AS(200, t, HTTP_DELETE, "sys/rekey/verify",
	       arena_printf(rig.a, "{\"nonce\":\"%s\"}", nonce));
	ASK(200, HTTP_DELETE, "sys/rekey/verify", NULL);
}

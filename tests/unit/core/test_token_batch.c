/* SPDX-License-Identifier: Apache-2.0 */
/* Batch tokens: what they carry, what they may not, and when they die. */
#include "token_rig.h"

#include "lib/token.h"
#include "server/core/loop/batch.h"
#include "server/core/seal/keyring.h"
#include "server/core/storage/store.h"
#include "server/core/token/token_impl.h"

TestSuite(token_batch, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define HOUR 3600000ll

static const char *batch(const char *by, const char *more)
{
	return create(by, arena_printf(rig.a,
	                               "{\"type\":\"batch\",\"policies\":[\"maker\"]%s}",
	                               more));
}

static void setup_policies(void)
{
	policy("maker",
	       "path \\\"auth/token/create*\\\" { capabilities = [\\\"update\\\"] } "
	       "path \\\"auth/token/roles/*\\\" { capabilities = [\\\"read\\\"] }");
}

Test(token_batch, shape_and_lookup)
{
	int64_t stored;
	const char *t;

	setup_policies();
	(void)batch(rig.root, ""); /* the key is stored with the first */
	stored = store_count(rig.core, KIND_TOKEN);
	t = batch(rig.root,
	          ",\"ttl\":\"1h\",\"meta\":{\"k\":\"v\"},\"display_name\":\"ci\"");
	cr_assert_eq(strncmp(t, "vlt_b_", 6), 0);
	cr_assert_leq(strlen(t), 1024);
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), stored, "nothing is stored");
	GOT("auth.token_type", "batch");
	GOT("auth.accessor", "");
	GOT("auth.renewable", "false");
	GOT("auth.lease_duration", "3600");
	GOT("auth.policies", "[default,maker]");
	GOT("auth.metadata", "{k:v}");
	GOT("auth.orphan", "false");
	rig_advance(60000);
	cr_assert_eq(status_of(t), 200);
	GOT("data.id", t);
	GOT("data.type", "batch");
	GOT("data.accessor", "");
	GOT("data.ttl", "3540");
	GOT("data.creation_ttl", "3600");
	GOT("data.display_name", "token-ci");
	GOT("data.path", "auth/token/create");
	GOT("data.meta", "{k:v}");
	GOT("data.renewable", "false");
	GOT("data.num_uses", "0");
	GOT("data.expire_time", "2026-01-01T01:00:00Z");
	ASK(200, HTTP_POST, "auth/token/lookup", naming(t));
	GOT("data.id", t);
}

Test(token_batch, what_they_cannot)
{
	const char *t;

	setup_policies();
	t = batch(rig.root, "");
	ASK_AS(400, t, HTTP_POST, "auth/token/renew-self", NULL);
	GOT("errors", "[batch tokens cannot be renewed]");
	ASK(400, HTTP_POST, "auth/token/renew", naming(t));
	GOT("errors", "[batch tokens cannot be renewed]");
	ASK_AS(400, t, HTTP_POST, "auth/token/revoke-self", NULL);
	GOT("errors", "[batch tokens cannot be revoked]");
	ASK(400, HTTP_POST, "auth/token/revoke", naming(t));
	GOT("errors", "[batch tokens cannot be revoked]");
	ASK(400, HTTP_POST, "auth/token/revoke-orphan", naming(t));
	GOT("errors", "[batch tokens cannot be revoked]");
	ASK_AS(400, t, HTTP_POST, "auth/token/create", "{}");
	GOT("errors", "[batch tokens cannot create more tokens]");
	ASK_AS(400, t, HTTP_POST, "auth/token/create-orphan", "{\"type\":\"batch\"}");
	GOT("errors", "[batch tokens cannot create more tokens]");
	cr_assert_eq(status_of(t), 200);
}

Test(token_batch, dies_in_time_by_either_clock)
{
	const char *t, *u;

	setup_policies();
	t = batch(rig.root, ",\"ttl\":60");
	rig.wall += 59999;
	cr_assert_eq(status_of(t), 200);
	rig.wall += 1;
	cr_assert_eq(status_of(t), 403);
	GOT("errors", "[permission denied]");
	u = batch(rig.root, ",\"ttl\":60");
	rig.wall -= 24 * HOUR;
	rig.boot += 60000;
	cr_assert_eq(status_of(u), 403);
}

Test(token_batch, dies_with_its_parent_unless_it_is_an_orphan)
{
	const char *parent, *child, *orphan, *aged;

	setup_policies();
	parent = create(rig.root, "{\"policies\":[\"maker\"]}");
	child = batch(parent, "");
	orphan = create_at(parent, "auth/token/create-orphan",
	                   "{\"type\":\"batch\",\"policies\":[\"maker\"]}");
	GOT("auth.orphan", "true");
	cr_assert_eq(status_of(child), 200);
	ASK(204, HTTP_POST, "auth/token/revoke", naming(parent));
	cr_assert_eq(status_of(child), 403);
	ASK(403, HTTP_POST, "auth/token/lookup", naming(child));
	GOT("errors", "[bad token]");
	cr_assert_eq(status_of(orphan), 200);
	parent = create(rig.root, "{\"policies\":[\"maker\"],\"ttl\":60}");
	aged = batch(parent, ",\"ttl\":\"10h\"");
	rig_advance(60000);
	cr_assert_eq(status_of(aged), 403, "its parent has expired");
}

Test(token_batch, lives_through_a_restart)
{
	const char *t;

	setup_policies();
	t = batch(rig.root, ",\"ttl\":60");
	rig.boot = 10;
	rig_reopen();
	cr_assert_eq(status_of(t), 200);
	rig_advance(60000);
	cr_assert_eq(status_of(t), 403);
}

static int disown(struct core *c, void *arg, struct err *e)
{
	(void)arg;
	return token_batch_disown(c, rig.a, e);
}

Test(token_batch, those_of_another_key_are_dead)
{
	struct err e = { 0 };
	const char *t, *u;

	setup_policies();
	t = batch(rig.root, "");
	cr_assert_eq(batch_alone(rig.core, disown, NULL, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(status_of(t), 403);
	u = batch(rig.root, "");
	cr_assert_eq(status_of(t), 403);
	cr_assert_eq(status_of(u), 200);
}

/* Not even one whose checksum fits: what counts is the seal. */
Test(token_batch, no_bit_can_be_changed)
{
	unsigned char sealed[1024];
	const char *t;
	char forged[1025];
	long n;

	setup_policies();
	t = batch(rig.root, "");
	n = token_unpack(t, strlen(t), 'b', sealed, sizeof(sealed));
	cr_assert_gt(n, 48);
	for (long i = 0; i < n; i++) {
		sealed[i] ^= (unsigned char)(1 << (i % 8));
		token_pack('b', sealed, (size_t)n, forged);
		cr_assert_eq(status_of(forged), 403, "byte %ld", i);
		sealed[i] ^= (unsigned char)(1 << (i % 8));
	}
	for (long i = 0; i < n; i += 7) {
		token_pack('b', sealed, (size_t)i, forged);
		cr_assert_eq(status_of(forged), 403, "cut to %ld", i);
	}
	token_pack('b', sealed, (size_t)n, forged);
	cr_assert_eq(status_of(forged), 200);
	token_pack('s', sealed, (size_t)n, forged);
	cr_assert_eq(status_of(forged), 403, "another type");
}

Test(token_batch, what_does_not_fit_is_refused)
{
	char fields[2048] = "{\"type\":\"batch\",\"policies\":[\"p\"],\"meta\":{\"k\":\"";
	size_t head = strlen(fields);
	int status = 200, n;

	for (n = 0; n < 800 && status == 200; n += 10) {
		memset(fields + head, 'x', (size_t)n);
		memcpy(fields + head + n, "\"}}", 4);
		status = rig_ask(HTTP_POST, "auth/token/create", fields);
		if (status == 200)
			cr_assert_leq(strlen(rig_got("auth.client_token")), 1024);
	}
	cr_assert_eq(status, 400);
	cr_assert_gt(n, 200, "there is room for something");
	GOT("errors",
	    "[batch token would be longer than 1024 bytes: fewer or shorter policies or "
	    "metadata are needed]");
}

Test(token_batch, lives_through_a_new_key_term)
{
	const char *t;

	setup_policies();
	t = batch(rig.root, ",\"ttl\":\"10h\"");
	ASK(204, HTTP_POST, "sys/rotate", NULL);
	for (int i = 0; i < 50; i++) {
		rig_advance(100);
		rig_run();
	}
	cr_assert_eq(keyring_terms(rig.core->keys), 1, "the old term is still there");
	cr_assert_eq(status_of(t), 200);
}

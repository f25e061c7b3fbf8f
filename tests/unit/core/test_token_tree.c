/* SPDX-License-Identifier: Apache-2.0 */
/* The end of tokens with thousands of descendants: in slices, and nobody is forgotten. */
#include "token_rig.h"

#include "server/core/audit/audit.h"
#include "server/core/loop/batch.h"
#include "server/core/storage/store.h"
#include "server/core/token/token_impl.h"

TestSuite(token_tree, .init = rig_start, .fini = rig_stop, .timeout = 120);

#define HOUR 3600000ll

struct family {
	const unsigned char *parent;
	struct token_made *made;
	int n;
	bool chain; /* each the child of the one before */
};

static int breed(struct core *c, void *arg, struct err *e)
{
	struct family *f = arg;
	struct token_spec s = {
		.display_name = "token",
		.path = "auth/token/create",
		.policies = rig_json("[\"default\"]"),
		.parent = f->parent,
		.ttl_ms = 5 * HOUR,
		.renewable = true,
	};

	for (int i = 0; i < f->n; i++) {
		cr_assert_eq(token_create(c, rig.a, &s, &f->made[i], e), ERR_OK, "%s",
		             e->msg);
		if (f->chain)
			s.parent = f->made[i].id;
	}
	return ERR_OK;
}

static struct token_made *offspring(const unsigned char *parent, int n, bool chain)
{
	struct family f = { parent, calloc((size_t)n, sizeof(*f.made)), n, chain };
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, breed, &f, &e), ERR_OK, "%s", e.msg);
	return f.made;
}

static int64_t tokens(void)
{
	return store_count(rig.core, KIND_TOKEN);
}

static void fields_of(const struct token_made *t, char fields[1200])
{
	snprintf(fields, 1200, "{\"token\":\"%s\"}", t->text);
}

static int run_until_answered(int before)
{
	int runs = 0;

	for (; rig.replies == before && runs < 2000; runs++) {
		rig_advance(1);
		rig_run();
	}
	return runs;
}

static void wide_and_deep(bool chain)
{
	struct token_made *root = offspring(NULL, 1, false);
	struct token_made *all = offspring(root->id, 1500, chain);
	int64_t left = tokens() - 1501;
	int before = rig.replies, runs;
	char fields[1200];

	fields_of(root, fields);
	rig_submit(HTTP_POST, "auth/token/revoke", rig.root, fields);
	rig_run();
	cr_assert_eq(rig.replies, before, "it is not over yet");
	cr_assert_eq(status_of(root->text), 403, "but the token itself is dead");
	before = rig.replies;
	runs = run_until_answered(before);
	cr_assert_eq(rig.status, 204, "%s", rig_got("errors"));
	cr_assert_gt(runs, 20, "in slices");
	cr_assert_eq(tokens(), left);
	for (int i = 0; i < 1500; i += 100)
		cr_assert_eq(status_of(all[i].text), 403, "%d", i);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 0);
	free(root);
	free(all);
}

Test(token_tree, wide)
{
	wide_and_deep(false);
}

Test(token_tree, deep)
{
	wide_and_deep(true);
}

Test(token_tree, who_revokes_himself_gets_the_answer)
{
	struct token_made *root = offspring(NULL, 1, false);
	struct token_made *all = offspring(root->id, 300, false);
	int before = rig.replies;
	int64_t records;

	rig_submit(HTTP_POST, "auth/token/revoke-self", root->text, NULL);
	records = audit_size(rig.core);
	run_until_answered(before);
	cr_assert_eq(rig.status, 204, "%s", rig_got("errors"));
	cr_assert_eq(audit_size(rig.core), records + 2, "the request's and the job's");
	cr_assert_eq(status_of(all[299].text), 403);
	free(root);
	free(all);
}

Test(token_tree, a_revocation_goes_on_after_a_restart)
{
	struct token_made *root = offspring(NULL, 1, false);
	struct token_made *all = offspring(root->id, 500, true);
	int64_t left = tokens() - 501;
	char fields[1200];

	fields_of(root, fields);
	rig_submit(HTTP_POST, "auth/token/revoke", rig.root, fields);
	rig_run();
	cr_assert_gt(tokens(), left);
	rig_reopen();
	for (int i = 0; i < 200 && tokens() > left; i++) {
		rig_advance(1);
		rig_run();
	}
	cr_assert_eq(tokens(), left);
	cr_assert_eq(status_of(all[499].text), 403);
	free(root);
	free(all);
}

Test(token_tree, children_set_free_by_the_thousand_live)
{
	struct token_made *root = offspring(NULL, 1, false);
	struct token_made *all = offspring(root->id, 500, false);
	struct token_made *below = offspring(all[499].id, 1, false);
	int before = rig.replies;
	char fields[1200];

	fields_of(root, fields);
	rig_submit(HTTP_POST, "auth/token/revoke-orphan", rig.root, fields);
	run_until_answered(before);
	cr_assert_eq(rig.status, 204, "%s", rig_got("errors"));
	cr_assert_eq(status_of(root->text), 403);
	for (int i = 0; i < 500; i += 99) {
		cr_assert_eq(status_of(all[i].text), 200, "%d", i);
		GOT("data.orphan", "true");
	}
	cr_assert_eq(status_of(below->text), 200);
	GOT("data.orphan", "false");
	free(root);
	free(all);
	free(below);
}

Test(token_tree, expiry_takes_all_and_records_each)
{
	struct token_made *root = offspring(NULL, 1, false);
	struct token_made *all = offspring(root->id, 400, false);
	struct token_made *below = offspring(all[7].id, 400, true);
	int64_t left = tokens() - 801, records;
	int before = rig.replies;

	rig_advance(4 * HOUR);
	for (int i = 0; i < 400; i++) { /* the children would live on */
		rig_submit(HTTP_POST, "auth/token/renew-self", all[i].text, NULL);
		rig_submit(HTTP_POST, "auth/token/renew-self", below[i].text, NULL);
	}
	while (rig.replies < before + 800)
		rig_run();
	records = audit_size(rig.core);
	rig_advance(HOUR);
	for (int i = 0; i < 2000 && tokens() > left; i++) {
		rig_run();
		rig_advance(1);
	}
	cr_assert_eq(tokens(), left);
	cr_assert_eq(audit_size(rig.core), records + 801);
	free(root);
	free(all);
	free(below);
}

static void revoke_prefix(const char *prefix)
{
	int before = rig.replies;

	rig_submit(HTTP_POST, arena_printf(rig.a, "sys/leases/revoke-prefix/%s", prefix),
	           rig.root, NULL);
	run_until_answered(before);
	cr_assert_eq(rig.status, 204, "%s", rig_got("errors"));
}

Test(token_tree, a_prefix_takes_what_was_made_there)
{
	struct token_made *plain = offspring(NULL, 200, false);
	const char *mine, *kept;

	ASK(204, HTTP_POST, "auth/token/roles/web", "{\"path_suffix\":\"x\"}");
	mine = create_at(rig.root, "auth/token/create/web", "{\"policies\":\"default\"}");
	kept = create(rig.root, "{\"policies\":\"default\"}");
	revoke_prefix("auth/token/create/web/x");
	cr_assert_eq(status_of(mine), 403);
	cr_assert_eq(status_of(kept), 200);
	cr_assert_eq(status_of(plain[0].text), 200);
	revoke_prefix("auth/token/create");
	cr_assert_eq(status_of(kept), 403);
	cr_assert_eq(status_of(plain[199].text), 403);
	cr_assert_eq(tokens(), 1, "the root token never expires: it has no lease");
	free(plain);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, timers and the log of the database: who has to wait for whom. */
#include "token_rig.h"

#include "server/core/storage/store.h"
#include "vault/limits.h"

TestSuite(turns, .init = rig_start, .fini = rig_stop, .timeout = 60);

static struct {
	int times, replies;
	int64_t tokens;
	int log_pages;
} flushed;

static void on_flush(void *ctx)
{
	(void)ctx;
	flushed.times++;
	flushed.replies = rig.replies;
	flushed.tokens = store_count(rig.core, KIND_TOKEN);
	flushed.log_pages = db_log_pages(rig.core->db);
}

/* Of the very run: rig_run() keeps the log short. */
static void run_batch(void)
{
	struct err e;

	cr_assert_eq(core_run_batch(rig.core, &e), ERR_OK, "%s", e.msg);
}

static void submit_write(void)
{
	rig_submit(HTTP_POST, "secret/data/a", rig.root, "{\"data\":{\"k\":1}}");
}

static void settle(void)
{
	for (int i = 0; i < 100 && core_wait_ms(rig.core) == 0; i++)
		rig_run();
	cr_assert_neq(core_wait_ms(rig.core), 0);
}

Test(turns, a_reply_is_sent_before_what_is_due_is_done)
{
	int before = rig.replies;
	int64_t tokens = store_count(rig.core, KIND_TOKEN);

	(void)create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");
	before++;
	rig_advance(60001);
	rig.core->opt.flush = on_flush;
	rig_submit(HTTP_GET, "auth/token/lookup-self", rig.root, NULL);
	run_batch();
	cr_assert_eq(flushed.times, 1);
	cr_assert_eq(flushed.replies, before + 1);
	cr_assert_eq(flushed.tokens, tokens + 1, "its turn comes behind the reply");
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), tokens);
}

static struct {
	size_t n;
	uint64_t peer[3 * LIMIT_BATCH_REQUESTS];
} answered;

static void on_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *v)
{
	(void)ctx;
	(void)id;
	(void)v;
	answered.peer[answered.n++] = peer;
}

static size_t place_of(uint64_t peer)
{
	for (size_t i = 0; i < answered.n; i++)
		if (answered.peer[i] == peer)
			return i;
	return SIZE_MAX;
}

Test(turns, a_process_that_asks_much_holds_up_no_other)
{
	rig.core->opt.reply = on_reply;
	for (unsigned i = 0; i < 2 * LIMIT_BATCH_REQUESTS; i++)
		submit_write();
	rig.peer = 1;
	submit_write();
	run_batch();
	cr_assert_leq(place_of(2), 1, "%zu were answered before", place_of(2));
	while (answered.n < 2 * LIMIT_BATCH_REQUESTS + 1)
		run_batch();
}

/* More processes than there are lanes: in turn or not, all are answered, and forgotten.
 */
Test(turns, any_number_of_processes)
{
	rig.core->opt.reply = on_reply;
	for (rig.peer = 0; rig.peer < 40; rig.peer++)
		for (int i = 0; i < 3; i++)
			submit_write();
	core_drop_peer(rig.core, 1 + 20);
	core_cancel(rig.core, 1 + 39, rig.next_id);
	while (core_queued(rig.core) > 0)
		run_batch();
	cr_assert_eq(answered.n, 3 * 39 - 1);
	cr_assert_eq(place_of(1 + 20), SIZE_MAX);
}

Test(turns, what_is_due_has_its_turn_however_much_is_asked)
{
	int64_t tokens = store_count(rig.core, KIND_TOKEN);

	for (int i = 0; i < 40; i++)
		(void)create(rig.root, "{\"policies\":[\"default\"],\"ttl\":60}");
	rig_advance(60001);
	for (int i = 0; i < 40 && store_count(rig.core, KIND_TOKEN) > tokens; i++) {
		rig_submit(HTTP_GET, "auth/token/lookup-self", rig.root, NULL);
		rig_submit(HTTP_GET, "auth/token/lookup-self", rig.root, NULL);
		run_batch();
		rig_advance(3); /* the timers pause where the same time stays due */
	}
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), tokens);
}

Test(turns, the_log_is_moved_when_nobody_asks)
{
	int pages;

	settle();
	while (core_wait_ms(rig.core) != 0) {
		submit_write();
		run_batch();
		cr_assert_lt(db_log_pages(rig.core->db), 250, "nobody tidies");
	}
	pages = db_log_pages(rig.core->db);
	submit_write();
	run_batch();
	cr_assert_geq(db_log_pages(rig.core->db), pages, "not while somebody asks");
	run_batch();
	cr_assert_eq(db_log_pages(rig.core->db), 0);
	cr_assert_neq(core_wait_ms(rig.core), 0);
}

Test(turns, a_log_that_grows_long_is_moved_behind_the_replies)
{
	int before, moved = 0;

	rig.core->opt.flush = on_flush;
	for (int i = 0; i < 200; i++) {
		before = rig.replies;
		flushed.times = 0;
		submit_write();
		run_batch();
		cr_assert_eq(rig.replies, before + 1);
		cr_assert_lt(db_log_pages(rig.core->db), 300);
		if (db_log_pages(rig.core->db) > 0)
			continue;
		moved++;
		cr_assert_eq(flushed.times, 1);
		cr_assert_eq(flushed.replies, before + 1);
		cr_assert_geq(flushed.log_pages, 250);
	}
	cr_assert_geq(moved, 2);
}

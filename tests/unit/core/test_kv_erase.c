/* SPDX-License-Identifier: Apache-2.0 */
/* Very many versions that end at once: in slices, across restarts, and nothing else. */
#include "core_rig.h"

#include "server/core/kv/kv_impl.h"
#include "server/core/mount/mounts.h"

TestSuite(kv_erase, .init = rig_start, .fini = rig_stop, .timeout = 120);

#define MANY 300

/* "secret/data/s" with versions 1 to MANY. */
static void many_versions(void)
{
	ASK(204, HTTP_POST, "secret/metadata/s", "{\"max_versions\":1000}");
	for (int i = 0; i < MANY; i++) {
		rig_submit(HTTP_POST, "secret/data/s", rig.root,
		           "{\"data\":{\"k\":\"old\"}}");
		if (i % 50 == 49)
			rig_run();
	}
	rig_run();
}

/* Payloads that are stored, of versions 1 to MANY. */
static int payloads(void)
{
	const char *rest;
	const struct mount *m = mounts_match(rig.core, "secret/s", &rest);
	unsigned char id[32], *p;
	struct err e = { 0 };
	int there = 0;
	size_t n;

	cr_assert_not_null(m);
	kv_secret_id(rig.core, m, "s", id);
	for (int v = 1; v <= MANY; v++)
		there += payload_get(rig.core, rig.a, id, v, 0, &p, &n, &e) != ERR_NOENT;
	return there;
}

static const char *all_numbers(void)
{
	char *text = arena_alloc(rig.a, 8 * MANY + 64);
	size_t n = (size_t)snprintf(text, 64, "{\"versions\":[");

	for (int i = 1; i <= MANY; i++)
		n += (size_t)snprintf(text + n, 8, "%s%d", i > 1 ? "," : "", i);
	snprintf(text + n, 8, "]}");
	return text;
}

static void step(void)
{
	rig_advance(2);
	rig_run();
}

static void until(int replies)
{
	for (int i = 0; i < 200 && rig.replies < replies; i++)
		step();
	cr_assert_eq(rig.replies, replies);
}

Test(kv_erase, destroyed_at_once_and_answered_when_it_is_done)
{
	int before, batches = 0;

	many_versions();
	cr_assert_eq(payloads(), MANY);
	before = rig.replies;
	rig_submit(HTTP_POST, "secret/destroy/s", rig.root, all_numbers());
	rig_run();
	cr_assert_eq(rig.replies, before, "there is more to do");
	rig_submit(HTTP_GET, "secret/data/s", rig.root, "{\"version\":\"299\"}");
	rig_run();
	cr_assert_eq(rig.replies, before + 1);
	cr_assert_eq(rig.status, 404);
	GOT("data.metadata.destroyed", "true");
	cr_assert_gt(payloads(), 0);
	for (; rig.replies < before + 2; batches++)
		step();
	cr_assert_eq(rig.status, 204);
	cr_assert_gt(batches, 2);
	cr_assert_eq(payloads(), 0);
}

Test(kv_erase, goes_on_after_a_restart)
{
	int left;

	many_versions();
	rig_submit(HTTP_POST, "secret/destroy/s", rig.root, all_numbers());
	rig_run();
	left = payloads();
	cr_assert(left > 0 && left < MANY, "%d left", left);
	rig_reopen();
	for (int i = 0; i < 50; i++)
		step();
	cr_assert_eq(payloads(), 0);
}

Test(kv_erase, leaves_a_new_secret_of_the_name_alone)
{
	int before;

	many_versions();
	before = rig.replies;
	rig_submit(HTTP_DELETE, "secret/metadata/s", rig.root, NULL);
	rig_run();
	cr_assert_eq(rig.replies, before);
	/* version 1 is gone already, versions up to MANY wait for their end */
	for (int i = 0; i < 100; i++)
		rig_submit(HTTP_POST, "secret/data/s", rig.root,
		           "{\"data\":{\"k\":\"new\"}}");
	until(before + 101);
	cr_assert_eq(payloads(), 10, "as many as a secret keeps");
	ASK(200, HTTP_GET, "secret/data/s", NULL);
	GOT("data.data.k", "new");
	GOT("data.metadata.version", "100");
	ASK(200, HTTP_GET, "secret/data/s", "{\"version\":\"91\"}");
	GOT("data.data.k", "new");
}

Test(kv_erase, versions_that_are_trimmed_hold_up_no_write)
{
	many_versions();
	ASK(204, HTTP_POST, "secret/metadata/s", "{\"max_versions\":1}");
	ASK(200, HTTP_POST, "secret/data/s", "{\"data\":{\"k\":\"last\"}}");
	GOT("data.version", "301");
	cr_assert_gt(payloads(), 0);
	for (int i = 0; i < 50; i++)
		step();
	cr_assert_eq(payloads(), 0);
	ASK(200, HTTP_GET, "secret/data/s", NULL);
	GOT("data.data.k", "last");
}

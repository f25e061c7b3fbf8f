/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs side by side: one that fails, and many at once. */
#include "token_rig.h"

#include "server/core/loop/batch.h"
#include "server/core/loop/jobs.h"
#include "server/core/storage/store.h"
#include "server/core/token/auth_token.h"

TestSuite(jobs, .init = rig_start, .fini = rig_stop, .timeout = 60);

static unsigned char started[16];

/* One whose record is damaged. */
static int start_broken(struct core *c, void *arg, struct err *e)
{
	(void)arg;
	return job_start(c, rig.a, "token-revoke", value_object(rig.a), started, e);
}

static int start_revocation(struct core *c, void *arg, struct err *e)
{
	return token_revoke_prefix(c, rig.a, arg, started, e);
}

static void start(int (*fn)(struct core *c, void *arg, struct err *e), char *arg)
{
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, fn, arg, &e), ERR_OK, "%s", e.msg);
}

Test(jobs, one_that_fails_holds_up_no_other)
{
	char prefix[] = "auth/token/create/";
	const char *t = create(rig.root, "{\"policies\":[\"default\"]}");

	start(start_broken, NULL);
	start(start_broken, NULL);
	start(start_revocation, prefix);
	for (int i = 0; i < 10; i++) {
		rig_advance(1000);
		rig_run();
	}
	cr_assert_eq(status_of(t), 403);
	cr_assert_eq(store_count(rig.core, KIND_JOB), 2, "those that fail are kept");
}

static int64_t slow_boot(void *ctx)
{
	(void)ctx;
	return rig.boot += 5;
}

/* On a machine where each look at the clock finds it later, one has its turn a batch. */
Test(jobs, together_they_take_no_longer_than_one)
{
	char none[] = "no/such/path/";

	for (int i = 0; i < 4; i++)
		start(start_revocation, none);
	rig.clock.boot_ms = slow_boot;
	rig_advance(1);
	for (int left = 3; left >= 0; left--) {
		rig_advance(1000);
		rig_run();
		cr_assert_eq(store_count(rig.core, KIND_JOB), left);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "agent/report.h"

TestSuite(report, .timeout = 20);

static const unsigned char one[REPORT_STATE] = { 1 }, two[REPORT_STATE] = { 2 };

static void tell(struct report *r, const unsigned char *state, int64_t now)
{
	report_say(r, state, now);
	report_heard(r);
}

Test(report, comes_a_little_after_a_change)
{
	struct report r = { .known = false };

	cr_assert_eq(report_at(&r, one, 5000), 5000 + REPORT_SETTLE_MS);
	cr_assert_eq(report_at(&r, two, 5500), 5000 + REPORT_SETTLE_MS,
	             "changes that come together are one report");
	tell(&r, two, 6000);
	cr_assert_eq(report_at(&r, two, 7000), -1, "nothing new");
	cr_assert_eq(report_at(&r, one, 8000), 8000 + REPORT_SETTLE_MS);
	cr_assert_eq(report_at(&r, two, 8100), -1, "as it was");
	cr_assert_eq(report_at(&r, one, 9000), 9000 + REPORT_SETTLE_MS);
}

Test(report, is_said_again_until_it_was_heard)
{
	struct report r = { .known = false };

	(void)report_at(&r, one, 0);
	report_say(&r, one, 1000);
	cr_assert_geq(report_at(&r, one, 2000), 0, "the answer was lost");
	report_say(&r, one, 3000);
	report_heard(&r);
	cr_assert_eq(report_at(&r, one, 4000), -1);
}

Test(report, is_rare_in_the_long_run)
{
	struct report r = { .known = false };
	int64_t now = 0, said = 0;

	for (; now < 3600000; now += 100) {
		const unsigned char *state = now / 500 % 2 == 0 ? one : two;
		int64_t at = report_at(&r, state, now);

		if (at >= 0 && now >= at) {
			tell(&r, state, now);
			said++;
		}
	}
	cr_assert_eq(said, 1, "a state that does not last is no news");
	for (; now < 7200000; now += 100) {
		const unsigned char *state = now / 5000 % 2 == 0 ? one : two;
		int64_t at = report_at(&r, state, now);

		if (at >= 0 && now >= at) {
			tell(&r, state, now);
			said++;
		}
	}
	cr_assert(said >= 50 && said <= 60 + REPORT_BURST, "%lld", (long long)said);
}

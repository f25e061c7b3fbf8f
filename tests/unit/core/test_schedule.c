/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "server/core/rotation/schedule.h"
#include "util.h"

struct next_case {
	char name[56];
	long long anchor, every, last, now, want;
};
ParameterizedTestParameters(schedule, next_slot)
{
	/* clang-format off */
	static struct next_case c[] = {
		{ "never", 1000, 0, 0, 5000, 0 },
		{ "the first is one period on", 1000, 500, 0, 1000, 1500 },
		{ "before the anchor", 1000, 500, 0, 10, 1500 },
		{ "between slots", 1000, 500, 1500, 1700, 2000 },
		{ "exactly on a slot", 1000, 500, 1500, 2000, 2500 },
		{ "a late run does not shift the schedule", 1000, 500, 1500, 1999, 2000 },
		{ "missed slots are not run one by one", 1000, 500, 1500, 9100, 9500 },
		{ "a slot never comes twice when the clock steps back", 1000, 500, 3000, 1200, 3500 },
		{ "no overflow", 1000, 0x7fffffffffffffffLL, 0, 2000, 0 },
		{ "far away", 1000, 0x3fffffffffffffffLL, 0, 2000, 0x3fffffffffffffffLL + 1000 },
	};
	/* clang-format on */
	return cr_make_param_array(struct next_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct next_case *c, schedule, next_slot)
{
	const struct schedule s = { .anchor_ms = c->anchor, .every_ms = c->every };
	int64_t got = schedule_next(&s, c->last, c->now);

	cr_assert_eq(got, c->want, "%s: %lld", c->name, (long long)got);
}

Test(schedule, jitter_is_the_same_each_time_and_within_bounds)
{
	struct schedule s = { .every_ms = 86400000, .jitter_ms = 600000, .seed = { 7 } };
	int64_t first = 0, lowest = INT64_MAX, highest = 0;
	int different = 0;

	for (int64_t k = 1; k <= 500; k++) {
		int64_t slot = k * s.every_ms, at = schedule_moment(&s, slot) - slot;

		cr_assert(at >= 0 && at <= s.jitter_ms);
		cr_assert_eq(schedule_moment(&s, slot) - slot, at);
		different += k > 1 && at != first;
		first = k == 1 ? at : first;
		lowest = at < lowest ? at : lowest;
		highest = at > highest ? at : highest;
	}
	cr_assert_gt(different, 400);
	cr_assert_lt(lowest, 60000);
	cr_assert_gt(highest, 540000);
	s.seed[0] = 8;
	different = 0;
	for (int64_t k = 1; k <= 20; k++) {
		struct schedule other = s;

		other.seed[0] = 7;
		different += schedule_moment(&s, k * s.every_ms) !=
		             schedule_moment(&other, k * s.every_ms);
	}
	cr_assert_gt(different, 15, "two secrets do not run at the same moment");
}

Test(schedule, without_jitter_the_slot_is_the_moment)
{
	const struct schedule s = { .anchor_ms = 5, .every_ms = 10 };

	cr_assert_eq(schedule_moment(&s, 25), 25);
}

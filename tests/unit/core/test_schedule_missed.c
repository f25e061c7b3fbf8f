/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of slots that passed while nobody looked. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "schedulefix.h"

TestSuite(schedule_missed, .init = setup, .fini = teardown, .timeout = 60);

/* No jitter here: a moment is its slot. */
struct missed_case {
	char name[48], spec[96], last[28], success[28], now[28];
	int stepped;
	int call; /* 'n'ever, 'w'ait, 'r'un */
	char slot[28];
	int missed, jumped;
};
ParameterizedTestParameters(schedule_missed, decides)
{
#define DAILY "cron=0 3 * * *;window=2h;jitter=none"
	/* clang-format off */
	static struct missed_case c[] = {
		{ "nothing was missed", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-01T12:00:00Z", 0,
		  'w', "2026-01-02T03:00:00Z", 0, 0 },
		{ "on the slot", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-02T03:00:00Z", 0,
		  'r', "2026-01-02T03:00:00Z", 0, 0 },
		{ "within its window", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-02T04:59:59Z", 0,
		  'r', "2026-01-02T03:00:00Z", 0, 0 },
		{ "its window has closed", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-02T05:00:00Z", 0,
		  'w', "2026-01-03T03:00:00Z", 1, 0 },
		{ "three, the newest within its window", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-04T04:00:00Z", 0,
		  'r', "2026-01-04T03:00:00Z", 2, 1 },
		{ "three, none within", DAILY, "2026-01-01T03:00:00Z", "", "2026-01-04T14:00:00Z", 0,
		  'w', "2026-01-05T03:00:00Z", 3, 1 },
		{ "too old to wait", DAILY ";max_age=2d", "2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z",
		  "2026-01-03T14:00:00Z", 0, 'r', "2026-01-03T03:00:00Z", 1, 1 },
		{ "not too old to wait", DAILY ";max_age=4d", "2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z",
		  "2026-01-03T14:00:00Z", 0, 'w', "2026-01-04T03:00:00Z", 2, 1 },
		{ "too old, but skip is skip", DAILY ";max_age=2d;missed=skip", "2026-01-01T03:00:00Z",
		  "2026-01-01T03:00:00Z", "2026-01-03T14:00:00Z", 0, 'w', "2026-01-04T03:00:00Z", 2, 1 },
		{ "too old, in a blackout", DAILY ";max_age=2d;blackout=2026-01-03", "2026-01-01T03:00:00Z",
		  "2026-01-01T03:00:00Z", "2026-01-03T14:00:00Z", 0, 'w', "2026-01-04T00:00:00Z", 1, 0 },
		{ "too old, tried already", DAILY ";max_age=2d", "2026-01-03T03:00:00Z", "2026-01-01T03:00:00Z",
		  "2026-01-03T14:00:00Z", 0, 'w', "2026-01-04T03:00:00Z", 0, 0 },
		{ "an open window", "cron=0 3 * * *;window=0;jitter=none", "2026-01-01T03:00:00Z", "",
		  "2026-01-04T14:00:00Z", 0, 'r', "2026-01-04T03:00:00Z", 2, 1 },
		{ "the clock jumped: never late", DAILY ";max_age=2d;missed=run", "2026-01-01T03:00:00Z",
		  "2026-01-01T03:00:00Z", "2026-07-01T14:00:00Z", 1, 'w', "2026-07-02T03:00:00Z", 181, 1 },
		{ "the clock jumped into a window", DAILY, "2026-01-01T03:00:00Z", "",
		  "2026-07-01T04:00:00Z", 1, 'r', "2026-07-01T03:00:00Z", 180, 1 },
		{ "the clock jumped a little", DAILY ";max_age=1d", "2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z",
		  "2026-01-02T14:00:00Z", 1, 'r', "2026-01-02T03:00:00Z", 0, 0 },
		{ "the clock was moved back", DAILY, "2026-01-05T03:00:00Z", "", "2026-01-02T04:00:00Z", 1,
		  'w', "2026-01-06T03:00:00Z", 0, 0 },
		{ "more than are counted", "cron=* * * * *;jitter=none", "2026-01-01T00:00:00Z", "",
		  "2026-12-31T12:00:30Z", 0, 'r', "2026-12-31T12:00:00Z", SCHEDULE_COUNT_MAX - 1, 1 },
		{ "every", "every=1d;window=2h;jitter=none;anchor=2026-01-01T03:00:00Z", "2026-01-01T00:00:00Z", "",
		  "2026-01-03T04:00:00Z", 0, 'r', "2026-01-03T03:00:00Z", 2, 1 },
		{ "a slot too soon is not missed", "cron=0 * * * *;min_interval=6h;jitter=none;window=10m",
		  "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z", "2026-01-01T15:05:00Z", 0,
		  'w', "2026-01-01T17:00:00Z", 0, 0 },
		{ "after, within its window", "after=20d;window=2h;jitter=none", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z",
		  "2026-01-21T01:00:00Z", 0, 'r', "2026-01-21T00:00:00Z", 0, 0 },
		{ "after, outside: within a day", "after=20d;window=2h;jitter=none", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z",
		  "2026-01-23T12:00:00Z", 0, 'w', "2026-01-24T00:00:00Z", 1, 0 },
		{ "after, more than twice as long", "after=20d;window=2h;jitter=none", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z",
		  "2026-02-23T12:00:00Z", 0, 'w', "2026-02-24T00:00:00Z", 1, 1 },
	};
	/* clang-format on */
	return cr_make_param_array(struct missed_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct missed_case *c, schedule_missed, decides)
{
	struct schedule s = parse(c->spec, "2025-12-31T00:00:00Z");
	struct schedule_past past = {
		.last_slot = at(c->last),
		.last_success = c->success[0] != '\0' ? at(c->success) : 0,
		.stepped = c->stepped,
	};
	int64_t now = at(c->now);
	struct schedule_plan got;

	schedule_missed(&s, &past, now, &got);
	cr_assert_str_eq(show(got.next.slot), c->slot, "%s: %s", c->name,
	                 show(got.next.slot));
	cr_assert_eq("nwr"[got.call], c -> call, "%s", c->name);
	cr_assert_eq(got.missed, c->missed, "%s: %lld", c->name, (long long)got.missed);
	cr_assert_eq(got.jumped, c->jumped, "%s", c->name);
	cr_assert_eq(got.ahead, past.last_slot > now);
	cr_assert_geq(got.settled, past.last_slot);
	cr_assert_lt(got.settled, got.next.slot);

	/* Counted once, and the answer stays. */
	past.last_slot = got.settled;
	schedule_missed(&s, &past, now, &got);
	cr_assert_str_eq(show(got.next.slot), c->slot, "%s, again", c->name);
	cr_assert_eq("nwr"[got.call], c -> call, "%s, again", c->name);
	cr_assert_eq(got.missed, 0, "%s, again", c->name);
	/* And when it has run, that slot is over. */
	past.last_slot = got.next.slot;
	past.last_success = now > got.next.slot ? now : got.next.slot;
	schedule_missed(&s, &past, past.last_success, &got);
	cr_assert_eq(got.call, SCHEDULE_WAIT);
	cr_assert_gt(got.next.slot, past.last_slot);
}

Test(schedule_missed, what_is_late_is_spread_and_not_put_off)
{
	struct schedule s = parse("cron=0 3 * * *;window=2h;missed=run",
	                          "2026-01-01T00:00:00Z");
	int64_t now = at("2026-01-02T14:00:00Z"), lowest = INT64_MAX, highest = 0;

	for (int i = 0; i < 200; i++) {
		struct schedule_past past = { .last_slot = at("2026-01-01T03:00:00Z") };
		struct schedule_plan plan, again;
		int64_t late;

		memset(s.seed, i, sizeof(s.seed));
		schedule_missed(&s, &past, now, &plan);
		late = plan.next.moment - now;
		cr_assert(plan.next.forced && late >= 0 && late < SCHEDULE_LATE_MS);
		lowest = late < lowest ? late : lowest;
		highest = late > highest ? late : highest;
		past.planned_slot = plan.next.slot;
		past.planned_moment = plan.next.moment;
		schedule_missed(&s, &past, now + 60000, &again);
		cr_assert_eq(again.next.moment, plan.next.moment);
		schedule_missed(&s, &past, plan.next.moment, &again);
		cr_assert_eq(again.call, SCHEDULE_RUN);
		/* A plan from before the clock was moved back is of no use. */
		schedule_missed(&s, &past, now - 3600000, &again);
		cr_assert_lt(again.next.moment - (now - 3600000), SCHEDULE_LATE_MS);
	}
	cr_assert_lt(lowest, 30000);
	cr_assert_gt(highest, 570000);
}

Test(schedule_missed, the_moment_in_a_window_is_the_one_that_was_planned)
{
	struct schedule s = parse("cron=0 3 * * *;window=2h", "2026-01-01T00:00:00Z");
	struct schedule_past past = { .last_slot = at("2026-01-01T03:00:00Z") };
	struct schedule_plan plan;
	struct schedule_slot next;
	int64_t slot = at("2026-01-02T03:00:00Z");

	memset(s.seed, 5, sizeof(s.seed));
	cr_assert(schedule_next(&s, &past, at("2026-01-01T12:00:00Z"), &next));
	cr_assert_gt(next.moment, slot + 1);
	schedule_missed(&s, &past, slot + 1, &plan);
	cr_assert_eq(plan.call, SCHEDULE_WAIT);
	cr_assert_eq(plan.next.moment, next.moment);
	schedule_missed(&s, &past, next.moment, &plan);
	cr_assert_eq(plan.call, SCHEDULE_RUN);
	cr_assert_eq(plan.next.slot, slot);
}

Test(schedule_missed, never_stays_never)
{
	const struct schedule s = { 0 };
	const struct schedule_past past = { .last_slot = 5 };
	struct schedule_plan plan;

	schedule_missed(&s, &past, 1000, &plan);
	cr_assert_eq(plan.call, SCHEDULE_NEVER);
	cr_assert_eq(plan.next.slot, 0);
	cr_assert_eq(plan.settled, 5);
}

/* Days of sleep, steps in both directions, failures: a slot never runs twice. */
Test(schedule_missed, slots_only_go_up)
{
	static const char *const specs[] = {
		"cron=*/20 * * * *;tz=Europe/Berlin",
		"cron=30 2 * * *;tz=Europe/Berlin;max_age=3d;missed=run",
		"every=5h;max_age=9h;missed=run",
		"after=2d;window=30m;blackout=2026-03-10/2026-03-12 2026-03-28",
		"cron=0 0 1,15 * *;max_age=10d;min_interval=2d;window=6h",
	};
	uint64_t rnd = 1;

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct schedule s = parse(specs[i], "2026-03-01T00:00:00Z");
		struct schedule_past past = { .last_slot = s.anchor_ms };
		int64_t now = s.anchor_ms, runs = 0;

		for (int step = 0; step < 3000; step++) {
			struct schedule_plan plan;

			rnd = rnd * 6364136223846793005u + 1442695040888963407u;
			schedule_missed(&s, &past, now, &plan);
			cr_assert(plan.call != SCHEDULE_NEVER);
			cr_assert_geq(plan.settled, past.last_slot);
			cr_assert_gt(plan.next.slot, plan.settled);
			cr_assert(plan.next.end > plan.next.slot);
			past.last_slot = plan.settled;
			past.planned_slot = plan.next.slot;
			past.planned_moment = plan.next.moment;
			past.stepped = rnd >> 60 == 0;
			if (plan.call == SCHEDULE_RUN) {
				runs++;
				past.last_slot = plan.next.slot;
				if (rnd >> 62 != 0)
					past.last_success = now;
			} else if (rnd >> 60 > 2) {
				now = plan.next.moment;
				continue;
			}
			now += (int64_t)(rnd >> 33 & 0xfffffff) -
			       (past.stepped ? 0x7ffffff : 0);
		}
		cr_assert_gt(runs, 300, "%s: %lld", specs[i], (long long)runs);
	}
}

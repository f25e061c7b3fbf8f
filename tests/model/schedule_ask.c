/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_ask - slots of our schedules, for a model elsewhere to compare with.
 *
 *   schedule-ask [DIRECTORY]    of time zone files
 *
 * A line in, a line out.  {"schedule": {…}, "from": s, "to": s}: the slots in (from, to],
 * in seconds, and the same looked for from behind.  {"tz": name, "at": [s, …]}: for each
 * instant offset:dst:abbreviation.  What is refused gives its message.
 */
#include <stdio.h>
#include <string.h>

#include "server/core/schedule/schedule.h"
#include "server/net/json.h"

#define SLOTS_MAX 100000

static int64_t member(const struct value *v, const char *key)
{
	return value_int_or(v, key, 0);
}

/* The decision about what was missed has to find the same newest slot. */
static bool newest_agrees(const struct schedule *s, int64_t from, int64_t to,
                          int64_t last, int n)
{
	const struct schedule_past past = { .last_slot = from };
	struct schedule_plan plan;
	int64_t newest;

	schedule_missed(s, &past, to, &plan);
	newest = plan.next.slot <= to && plan.call != SCHEDULE_NEVER ? plan.next.slot
	                                                             : plan.settled;
	if (n == 0)
		return plan.missed == 0 && plan.settled == from;
	return newest == last && plan.missed <= n;
}

static void answer_slots(const struct value *in, struct zones *zones)
{
	int64_t from = member(in, "from") * 1000, to = member(in, "to") * 1000;
	struct schedule s;
	struct schedule_slot got;
	struct schedule_past past = { .last_slot = from };
	struct err e;
	int n = 0;

	if (schedule_parse(value_get(in, "schedule"), zones, 0, &s, &e) != ERR_OK) {
		printf("%s\n", e.msg);
		return;
	}
	while (n < SLOTS_MAX && schedule_next(&s, &past, 0, &got) && got.slot <= to) {
		printf("%lld ", (long long)(got.slot / 1000));
		if (got.slot <= past.last_slot || got.moment < got.slot ||
		    got.moment >= got.end || got.end <= got.slot)
			printf("out of order ");
		past.last_slot = got.slot;
		n++;
	}
	printf("%s\n", newest_agrees(&s, from, to, past.last_slot, n) ? "" : "backwards");
}

static void answer_zone(const struct value *in, struct zones *zones)
{
	const struct value *name = value_get(in, "tz"), *at = value_get(in, "at");
	const struct zone *zone;
	struct zone_span span;
	struct err e;
	int64_t t;

	if (zones_find(zones, name->text, name->len, &zone, &e) != ERR_OK) {
		printf("%s\n", e.msg);
		return;
	}
	for (const struct value *v = at->first; v != NULL; v = v->next) {
		if (value_to_int(v, &t) != 0)
			continue;
		zone_span(zone, t, &span);
		printf("%d:%d:%s%s ", span.offset, span.dst, span.abbr,
		       span.begin <= t && t < span.end ? "" : "!");
	}
	printf("\n");
}

static int run_line(struct arena *a, const char *line, size_t len, struct zones *zones)
{
	struct value *in;
	struct err e;

	if (json_parse(a, line, len, &in, &e) != ERR_OK) {
		fprintf(stderr, "schedule-ask: %s\n", e.msg);
		return -1;
	}
	if (value_get(in, "at") != NULL)
		answer_zone(in, zones);
	else
		answer_slots(in, zones);
	return 0;
}

int main(int argc, char **argv)
{
	const struct zone_source dir = zone_source_at(argc > 1 ? argv[1] : ZONE_DIR);
	struct zones *zones = zones_new(&dir);
	AUTO_ARENA a = arena_new((size_t)4 * 1024 * 1024);
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = a == NULL || zones == NULL;

	while (rc == 0 && (len = getline(&line, &cap, stdin)) > 0) {
		rc = run_line(a, line, (size_t)len, zones) != 0;
		arena_reset(a);
	}
	zones_free(zones);
	return rc;
}

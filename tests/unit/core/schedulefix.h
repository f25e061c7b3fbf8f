/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULEFIX_H
#define SCHEDULEFIX_H
/* schedulefix - schedules and times as texts, for the tests of schedules. */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "schedule.h"
#include "util.h"
#include "value.h"

static struct arena *a;
static struct zones *zones;
static struct err e;

static void setup(void)
{
	a = arena_new(1024u * 1024);
	zones = zones_new(NULL);
	cr_assert(a != NULL && zones != NULL);
}

static void teardown(void)
{
	zones_free(zones);
	arena_free(a);
}

static int64_t at(const char *when)
{
	int64_t ms = 0;

	cr_assert_eq(clock_parse_rfc3339(when, strlen(when), &ms), 0, "%s", when);
	return ms;
}

static UNUSED const char *show(int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0)
		return "never";
	clock_rfc3339(ms, text);
	return arena_str(a, text);
}

/* "key=value;key=value": strings, and a list where the key is blackout. */
static struct value *object(const char *spec)
{
	struct value *v = value_object(a), *list;
	char *rest = arena_str(a, spec), *part, *save = NULL, *item, *save2 = NULL;

	while ((part = strtok_r(rest, ";", &save)) != NULL) {
		char *eq = strchr(part, '=');

		rest = NULL;
		*eq++ = '\0';
		if (strcmp(part, "blackout") != 0) {
			value_set_str(a, v, part, eq);
			continue;
		}
		list = value_array(a);
		for (; (item = strtok_r(eq, " ", &save2)) != NULL; eq = NULL)
			value_add(list, value_str(a, item));
		value_set(v, part, list);
	}
	return v;
}

static UNUSED struct schedule parse(const char *spec, const char *now)
{
	struct schedule s;

	cr_assert_eq(schedule_parse(object(spec), zones, at(now), &s, &e), ERR_OK,
	             "%s: %s", spec, e.msg);
	return s;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules follow the files of their time zones. */
#include <stdio.h>
#include <string.h>

#include "host_rig.h"
#include "server/core/schedule/zone.h"

static struct disk {
	const char *rule; /* of the one zone that there is */
	struct zone_stamp stamp;
} disk;

/* A file without transitions: the footer says it all. */
static int read_zone(const void *ctx, const char *name, void *buf, size_t cap,
                     size_t *len, struct zone_stamp *stamp, struct err *e)
{
	static const char head[44] = "TZif2";
	unsigned char *p = buf;

	(void)ctx;
	if (strcmp(name, "Test/Zone") != 0 || cap < 256)
		return err_set(e, ERR_NOENT, "no such file");
	for (int block = 0; block < 2; block++) {
		memcpy(p, head, sizeof(head));
		p[39] = 1; /* one type, four characters */
		p[43] = 4;
		memcpy(p + 44, "\0\0\0\0\0\0UTC", 10);
		p += 54;
	}
	p += snprintf((char *)p, 100, "\n%s\n", disk.rule);
	*len = (size_t)(p - (unsigned char *)buf);
	*stamp = disk.stamp;
	return ERR_OK;
}

static bool stamp_zone(const void *ctx, const char *name, struct zone_stamp *out)
{
	(void)ctx;
	(void)name;
	*out = disk.stamp;
	return true;
}

static const struct zone_source source = { read_zone, stamp_zone, NULL };

static void use_disk(void)
{
	zones_free(rig.core->zones);
	rig.core->zones = zones_new(&source);
	cr_assert_not_null(rig.core->zones);
}

static void setup(void)
{
	disk = (struct disk){ .rule = "AAA-1" };
	rig_start();
	use_disk();
}

TestSuite(rotation_zones, .init = setup, .fini = rig_stop, .timeout = 120);

#define RULES 150 /* several slices */

static const char *next_of(int i)
{
	ASK(200, HTTP_GET, arena_printf(rig.a, "sys/rotation/config/secret/app/%d", i),
	    NULL);
	return arena_str(rig.a, rig_got("data.next"));
}

static void make_rules(void)
{
	for (int i = 0; i < RULES; i++) {
		put_secret(arena_printf(rig.a, "app/%d", i), "first");
		ASK(204, HTTP_POST,
		    arena_printf(rig.a, "sys/rotation/config/secret/app/%d", i),
		    i == 7 ? "{\"cron\":\"0 12 * * *\",\"jitter\":\"none\"}"
		           : "{\"cron\":\"0 12 * * *\",\"tz\":\"Test/Zone\","
		             "\"jitter\":\"none\"}");
	}
}

static void check_all(const char *want)
{
	for (int i = 0; i < RULES; i++)
		cr_assert_str_eq(next_of(i), i == 7 ? "2026-01-01T12:00:00Z" : want, "%d",
		                 i);
}

Test(rotation_zones, a_changed_file_moves_the_slots)
{
	make_rules();
	check_all("2026-01-01T11:00:00Z");
	disk.rule = "AAA-3"; /* earlier than the timers that are set */
	disk.stamp.mtime_ns = 5;
	rig_advance(61000);
	run_timers();
	check_all("2026-01-01T09:00:00Z");
	disk.rule = "AAA3";
	disk.stamp.mtime_ns = 6;
	rig_advance(61000);
	run_timers();
	check_all("2026-01-01T15:00:00Z");
}

Test(rotation_zones, a_file_that_changed_while_nobody_was_there)
{
	make_rules();
	core_close(rig.core);
	disk.rule = "AAA-3";
	rig_open();
	use_disk();
	rig_unseal();
	run_timers();
	check_all("2026-01-01T09:00:00Z");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tzif - time zone files and the rules in their footers.  Whatever is accepted
 * covers all of time with stretches that meet, and local times lead to instants that do
 * not go back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tzif.h"
#include "zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 400

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_span(const struct zone_span *span, int64_t t)
{
	must(span->begin <= t && t < span->end);
	must(span->offset > -ZONE_OFFSET_MAX && span->offset < ZONE_OFFSET_MAX);
	must(strlen(span->abbr) <= ZONE_ABBR_MAX);
}

static void walk(const struct tzif *z, int64_t t)
{
	struct zone_span span;

	for (int i = 0; i < STEPS; i++) {
		tzif_span(z, t, &span);
		check_span(&span, t);
		if (span.end == INT64_MAX)
			return;
		t = span.end;
	}
}

struct file {
	const uint8_t *data;
	size_t size;
};

static int read_file(const void *ctx, const char *name, void *buf, size_t cap,
                     size_t *len, struct zone_stamp *stamp, struct err *e)
{
	const struct file *f = ctx;

	if (strcmp(name, "Fuzz") != 0)
		return err_set(e, ERR_NOENT, "no such file");
	*len = f->size < cap ? f->size : cap;
	if (*len > 0)
		memcpy(buf, f->data, *len);
	memset(stamp, 0, sizeof(*stamp));
	return ERR_OK;
}

static bool stamp_file(const void *ctx, const char *name, struct zone_stamp *out)
{
	(void)ctx;
	(void)name;
	memset(out, 0, sizeof(*out));
	return true;
}

static void check_zone(const struct file *f)
{
	const struct zone_source source = { read_file, stamp_file, f };
	struct zones *zones = zones_new(&source);
	const struct zone *zone;
	char text[ZONE_TEXT_MAX];
	int64_t last = INT64_MIN;
	struct err e;

	must(zones != NULL && zones_find(zones, "Fuzz", 4, &zone, &e) == ERR_OK);
	for (int64_t local = -4000000000; local < 8000000000; local += 39916801) {
		int64_t at = zone_first(zone, local);

		must(at >= last && zone_local(zone, at) >= local);
		must(at - local <= ZONE_OFFSET_MAX && local - at <= ZONE_OFFSET_MAX);
		zone_text(zone, at, text);
		last = at;
	}
	zones_free(zones);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t from[] = { INT64_MIN, -3000000000, 0, 4102444800,
		                        253402300700 };
	const struct file f = { data, size };
	struct zone_rule rule;
	struct zone_span span;
	struct tzif *z;
	struct err e;

	/* The footer alone is reached much sooner. */
	if (zone_rule_parse((const char *)data, size, &rule) == 0)
		for (size_t i = 0; i < ARRAY_LEN(from); i++) {
			zone_rule_span(&rule, from[i], &span);
			check_span(&span, from[i]);
		}
	if (tzif_read(data, size, &z, &e) != ERR_OK)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		walk(z, from[i]);
	tzif_free(z);
	check_zone(&f);
	return 0;
}

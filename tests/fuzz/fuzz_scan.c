/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan - a blob under the built-in rules: the same is found however it is cut,
 * places are within it, and excerpts are printable.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/match/scan_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct sum {
	size_t n;
	uint64_t lines, places, prints;
};

static void on_finding(void *ctx, const struct finding *f)
{
	struct sum *s = ctx;

	must(f->rule != NULL && f->line >= 1 && f->column >= 1);
	must(strlen(f->excerpt) <= FINDING_EXCERPT);
	for (const char *p = f->excerpt; *p != '\0'; p++)
		must(*p >= 0x20 && *p < 0x7f);
	s->n++;
	s->lines += f->line;
	s->places += f->offset * 31 + f->rule->index;
	for (size_t i = 0; i < FINDING_FINGERPRINT; i++)
		s->prints += (uint64_t)f->fingerprint[i] << i % 8 * 7;
}

static struct sum scan(const struct scan_engine *g, const uint8_t *p, size_t n,
                       size_t step)
{
	static const struct scan_options options = { .filtered = true };
	const struct blob blob = { .path = "fuzz.txt", .binary_ok = true };
	struct sum sum = { 0 };
	struct scan_stream *s = scan_stream_new(g, &options, on_finding, &sum);

	must(s != NULL && scan_stream_begin(s, &blob) == ERR_OK);
	for (size_t at = 0; at < n; at += step)
		must(scan_stream_feed(s, p + at, n - at < step ? n - at : step) ==
		     ERR_OK);
	must(scan_stream_end(s) == ERR_OK);
	scan_stream_free(s);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule_set rules;
	static struct scan_engine *g;
	struct err e = { 0 };
	struct sum whole, parts;

	if (g == NULL && (rules_builtin(&rules, &e) != ERR_OK ||
	                  scan_engine_new(&rules, &g, &e) != ERR_OK))
		abort();
	whole = scan(g, data, size, size > 0 ? size : 1);
	parts = scan(g, data, size, 37);
	must(whole.n == parts.n && whole.lines == parts.lines &&
	     whole.places == parts.places && whole.prints == parts.prints);
	return 0;
}

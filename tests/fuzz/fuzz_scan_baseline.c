/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan_baseline - baselines of findings.
 *
 * The key is 32 zero bytes, so that the corpus has baselines of it.  The error for a file
 * that is refused names it; of one that is taken, each finding is known, and none of a
 * rule that is not in it.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/filter/baseline.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct baseline *empty(void)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000"
				    "000000000000\n";
	static char path[] = "/tmp/fuzz_scan_baseline.XXXXXX";
	struct baseline *b = NULL;
	struct err e = { 0 };
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	must(fd >= 0 && write(fd, zeros, sizeof(zeros) - 1) == sizeof(zeros) - 1);
	close(fd);
	must(baseline_new(path, false, &b, &e) == ERR_OK);
	must(unlink(path) == 0);
	return b;
}

static void known(const struct baseline *b, const json_t *doc)
{
	const json_t *all = json_object_get(doc, "findings"), *one;
	size_t i;

	json_array_foreach((json_t *)all, i, one)
	{
		const char *rule = json_string_value(json_object_get(one, "rule"));
		const char *path = json_string_value(json_object_get(one, "file"));
		const char *hex = json_string_value(json_object_get(one, "fingerprint"));
		unsigned char fingerprint[FINDING_FINGERPRINT];

		must(rule != NULL && path != NULL && hex != NULL);
		must(text_unhex(hex, strlen(hex), fingerprint, sizeof(fingerprint)) ==
		     sizeof(fingerprint));
		must(baseline_has(b, rule, path, fingerprint));
		must(!baseline_has(b,
		                   "no such rule, and too long to be one of a baseline, "
		                   "where sixty-four bytes are the most",
		                   path, fingerprint));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct baseline *b = empty();
	struct err e = { 0 };

	if (baseline_parse(b, "f", (const char *)data, size, &e) == ERR_OK) {
		json_t *doc = json_loadb((const char *)data, size, 0, NULL);

		must(doc != NULL);
		known(b, doc);
		json_decref(doc);
	} else {
		must(e.msg[0] == 'f');
	}
	baseline_free(b);
	return 0;
}

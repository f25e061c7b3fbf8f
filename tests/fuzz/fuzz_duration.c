/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_duration - durations and times: what is read, written and read again is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char text[DURATION_TEXT_MAX], when[CLOCK_RFC3339_MAX];
	int64_t ms = 0, back = 0;
	struct err e;

	if (duration_parse(s, size, &ms, &e) == ERR_OK) {
		duration_format(ms, text);
		if (duration_parse(text, strlen(text), &back, &e) != ERR_OK || back != ms)
			abort();
	}
	if (clock_parse_rfc3339(s, size, &ms) == 0) {
		clock_rfc3339(ms, when);
		/* An offset can lead out of the years that have four digits. */
		if (ms >= INT64_C(-62167219200000) && ms <= INT64_C(253402300799999) &&
		    (clock_parse_rfc3339(when, strlen(when), &back) != 0 || back != ms))
			abort();
	}
	if (size >= sizeof(ms)) {
		memcpy(&ms, data, sizeof(ms));
		duration_format(ms, text);
		clock_rfc3339(ms, when);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cron - what is accepted keeps a text that means the same, and occurs within the
 * years that a search looks, wherever it begins.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "civil.h"
#include "cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool same(const struct cron *x, const struct cron *y)
{
	return x->minute == y->minute && x->hour == y->hour && x->dom == y->dom &&
	       x->month == y->month && x->dow == y->dow && x->hour_star == y->hour_star &&
	       x->dom_star == y->dom_star && x->dow_star == y->dow_star &&
	       strcmp(x->text, y->text) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t years = CRON_YEARS * INT64_C(1461) / 4 * CIVIL_DAY;
	struct cron c, again;
	struct err e;

	if (cron_parse((const char *)data, size, &c, &e) != ERR_OK) {
		must(strlen(e.msg) > 0);
		return 0;
	}
	must(cron_parse(c.text, strlen(c.text), &again, &e) == ERR_OK);
	must(same(&c, &again));
	for (int64_t t = 0; t < 5000000000; t += 479001599) {
		int64_t at = cron_match(&c, NULL, t, t + years + CIVIL_DAY);

		must(at >= t && at % 60 == 0 && cron_day(&c, at / CIVIL_DAY));
		must(c.hour >> (at % CIVIL_DAY / 3600) & 1);
		must(c.minute >> (at % 3600 / 60) & 1);
		must(cron_match(&c, NULL, at, at + 1) == at);
	}
	return 0;
}

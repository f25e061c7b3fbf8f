/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <string.h>

int64_t report_at(struct report *r, const unsigned char state[REPORT_STATE], int64_t now)
{
	int64_t settled, may;

	if (r->known && memcmp(r->told, state, REPORT_STATE) == 0) {
		r->changed = false;
		return -1;
	}
	if (!r->changed) {
		r->changed = true;
		r->changed_at = now;
	}
	settled = r->changed_at + REPORT_SETTLE_MS;
	may = pace_at(&r->pace, REPORT_EVERY_MS, REPORT_BURST);
	return settled > may ? settled : may;
}

void report_say(struct report *r, const unsigned char state[REPORT_STATE], int64_t now)
{
	memcpy(r->saying, state, REPORT_STATE);
	pace_spend(&r->pace, REPORT_EVERY_MS, now);
}

void report_heard(struct report *r)
{
	memcpy(r->told, r->saying, REPORT_STATE);
	r->known = true;
	r->changed = false;
}

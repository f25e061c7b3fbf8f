/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_CENSUS_H
#define SERVER_CORE_ROTATION_CENSUS_H
/* rotation_census - how all rules and their newest attempts are, counted in slices. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"
#include "store.h"

struct rotation_census {
	int64_t rules, scheduled, paused; /* that operators have set */
	int64_t under_way, held, late, retire_late;
	int64_t due;               /* people have to write a new version */
	int64_t overdue;           /* older than max_age, or due */
	int64_t oldest_overdue_ms; /* for how long that has been so, at the most */
	int64_t missed;            /* slots that nobody ran */
	/* where it is */
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	bool done;
};

/** rotation_census_slice(c, s, e): look at some more rules; ${s} is zero at first. */
int rotation_census_slice(struct core *c, struct rotation_census *s, struct err *e)
	MUST_CHECK;

#endif

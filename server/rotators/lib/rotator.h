/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_ROTATOR_H
#define ROTATORS_ROTATOR_H
/*
 * rotator - the frame of a rotator: one request from standard input, one reply to
 * standard output, then the process ends.
 *
 * No core dumps, nothing in arguments or environment; the deadline of the request kills
 * the process, which tells the caller that the outcome is unknown.
 */
#include "request.h"

enum strategy {
	STRATEGY_SINGLE = 1,
	STRATEGY_DUAL_USER = 2,
	STRATEGY_DUAL_KEY = 4,
	STRATEGY_REISSUE = 8,
};

struct rotator {
	const char *name;    /* "postgres"; the program is vault-rotator-postgres */
	unsigned strategies; /* of enum strategy */
	bool needs_admin;    /* or can the account change itself? */
	int64_t value_min, value_max; /* 0 and 0: the target makes the values */
	const char *value_forbid;     /* characters that a value may not have */
	/* Members of config that the rule of one secret may set, beside what its target
	 * says; ends with NULL.  Nothing that leads to another server, or that is
	 * executed. */
	const char *const *per_secret;
	/* All the members of config that there are, beside per_secret; NULL: not said, so
	 * that a name that is written wrong goes unnoticed. */
	const char *const *settings;
	/* NULL: not supported.  0, or the class of the failure. */
	int (*run[OP__MAX])(struct request *r, struct answer *a);
};

/** rotator_main(self): read, run, reply; the exit status: 0 if a reply was written. */
int rotator_main(const struct rotator *self) MUST_CHECK;

/** rotator_describe(self): what `describe` says; owned by the caller. */
json_t *rotator_describe(const struct rotator *self) MUST_CHECK;

/** rotator_strategy(r, s, a): config.strategy, else what the named accounts mean. */
int rotator_strategy(const struct request *r, enum strategy *s, struct answer *a)
	MUST_CHECK;

/** rotator_note(r, fmt, ...): a line on standard error, without the values of ${r}. */
void rotator_note(const struct request *r, const char *fmt, ...) PRINTF(2, 3);

#endif

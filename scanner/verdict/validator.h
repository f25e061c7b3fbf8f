/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VALIDATOR_H
#define VALIDATOR_H
/*
 * validator - the tests that a rule names: checksums, structures, ways to judge.
 *
 * Pure; thread safe.
 */
#include "verdict/verdict.h"

struct place;

/* What a test is given. */
struct tested {
	const struct place *place;
	const char *s; /* the value */
	size_t n;
	const char *arg; /* after the colon; "" if none */
	struct verdict *verdict;
};

/** validator_run(spec, t): runs "name" or "name:argument" on the value and fills in
 * validity, confidence, severity and drop; an unknown name passes.  Does it look at
 * placeholders and randomness by itself? */
bool validator_run(const char *spec, const struct tested *t);

/** validator_known(spec): is there such a test? */
bool validator_known(const char *spec);
#endif

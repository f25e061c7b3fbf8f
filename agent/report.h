/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H
/*
 * report - when the vault is told how this host is: a little after its state changed, so
 * that changes which come together are one report, and one a minute in the long run.
 *
 * A state is known by its digest, so nothing of it is kept.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pace.h"

#define REPORT_STATE     16u
#define REPORT_SETTLE_MS 1000
#define REPORT_EVERY_MS  60000
#define REPORT_BURST     4

struct report {
	bool known; /* the vault has heard of a state at all */
	bool changed;
	int64_t changed_at;
	struct pace pace;
	unsigned char told[REPORT_STATE]; /* the state that the vault has heard of */
	unsigned char saying[REPORT_STATE];
};

/** report_at(r, state, now): when ${state} is to be told; -1 if the vault has heard it.
 */
int64_t report_at(struct report *r, const unsigned char state[REPORT_STATE], int64_t now);

/** report_say(r, state, now): a report of ${state} is being sent. */
void report_say(struct report *r, const unsigned char state[REPORT_STATE], int64_t now);

/** report_heard(r): it was taken, or refused for good. */
void report_heard(struct report *r);

#endif

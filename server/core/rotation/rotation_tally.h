/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_TALLY_H
#define SERVER_CORE_ROTATION_TALLY_H
/*
 * rotation_tally - holders that an attempt need not wait for any more, and whose number
 * its row does not have yet.
 *
 * When thousands of them say so within a second, each would have the same row written
 * anew.  So a batch counts them here and writes the row once, before it commits: what was
 * acknowledged is in the same transaction as before.  Whoever reads the attempt meanwhile
 * sees them, whoever saves it writes them down, and a rollback takes them back.
 */
#include "rotation.h"

#define TALLY_ATTEMPTS 16u /* in one batch; of others the row is written each time */

struct tally {
	bool used;
	unsigned char attempt[16];
	int64_t counting;         /* as in struct rotation_attempt */
	int64_t waiting;          /* that are left */
	int64_t settled, applied; /* that are not in the row */
};

/** tally_count(c, attempt, version, applied): count one more holder of ${version}; false:
 * that is to be done in the attempt itself, for what may follow from it. */
bool tally_count(struct core *c, const unsigned char attempt[16], int64_t version,
                 bool applied);
/** tally_begin(c, t, applied): ${t} has been counted down by one, which is to be all that
 * follows: count it, and what comes next, here; false: there is no room. */
bool tally_begin(struct core *c, const struct rotation_attempt *t, bool applied);
/** tally_merge(c, t): ${t} has just been read: add what its row does not have. */
void tally_merge(struct core *c, struct rotation_attempt *t);
/** tally_save(c, t, e): ${t} is about to be written.  ERR_CONFLICT if holders were
 * counted after it had been read. */
int tally_save(struct core *c, struct rotation_attempt *t, struct err *e) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_FLOOR_H
#define AGENT_FLOOR_H
/*
 * floor - what the vault has told this host already, so that it cannot be set back.
 *
 * <state_dir>/floor holds the newest revision that a statement named, and per secret the
 * lease, revision and version of what was delivered last.  It outlives the files, which
 * are in memory.  A vault that says less than that was restored to an earlier time, or
 * rolled back: it gets nothing wiped and nothing replaced here.
 *
 * A version never goes down on its own: rolling a secret back writes a new version, and a
 * secret that is made anew is leased anew.
 */
#include <stdint.h>

#include "deliver/files.h"
#include "err.h"
#include "settings.h"

#define FLOOR_FILE "floor"

struct floor_lease {
	char lease_id[FILES_LEASE_ID_MAX]; /* "" before the first delivery */
	int64_t rev, version;
};

struct floor {
	const struct settings *settings;
	int64_t rev;
	bool changed;           /* since it was saved */
	struct floor_lease *at; /* one per settings.paths */
};

/** floor_open(f, settings, e): what is remembered; a file that is not there is an empty
 * one.  ERR_INTEGRITY if it is damaged.  ${settings} is borrowed. */
int floor_open(struct floor *f, const struct settings *settings, struct err *e)
	MUST_CHECK;
void floor_close(struct floor *f);

/** floor_of(f, path, lease_id): the floor under a lease; zeros if it is another one than
 * was delivered last. */
struct floor_lease floor_of(const struct floor *f, size_t path, const char *lease_id);
/** floor_deliver(f, path, lease_id, rev, version): that was delivered. */
void floor_deliver(struct floor *f, size_t path, const char *lease_id, int64_t rev,
                   int64_t version);
/** floor_see(f, rev): a statement named this revision. */
void floor_see(struct floor *f, int64_t rev);
/** floor_save(f, e): to disk, if anything changed. */
int floor_save(struct floor *f, struct err *e) MUST_CHECK;
/** floor_forget(dir): after a new join. */
void floor_forget(const char *dir);

#endif

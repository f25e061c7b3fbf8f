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

#define FLOOR_FILE "floor"

struct floor_lease {
	char lease_id[FILES_LEASE_ID_MAX];
	int64_t rev, version;
	bool gone;    /* the vault has taken it away since: nothing kept of it counts */
	int64_t good; /* the version that is in place again, as a newer one was found bad;
	               * 0: it was not */
};

struct floor_entry;

struct floor {
	const char *dir;
	int64_t rev;
	bool changed; /* since it was saved */
	size_t n, cap;
	struct floor_entry *at;
};

/** floor_open(f, dir, e): what is remembered in ${dir} (borrowed); a file that is not
 * there is an empty one.  ERR_INTEGRITY if it is damaged. */
int floor_open(struct floor *f, const char *dir, struct err *e) MUST_CHECK;
void floor_close(struct floor *f);

/** floor_keep(f, wanted, ctx): forget secrets that are not ${wanted} any more. */
void floor_keep(struct floor *f, bool (*wanted)(void *ctx, const char *path), void *ctx);

/** floor_of(f, path, lease_id): the floor under a lease; zeros if it is another one than
 * was delivered last. */
struct floor_lease floor_of(const struct floor *f, const char *path,
                            const char *lease_id);
/** floor_deliver(f, path, lease_id, rev, version, e): that was delivered. */
int floor_deliver(struct floor *f, const char *path, const char *lease_id, int64_t rev,
                  int64_t version, struct err *e) MUST_CHECK;
/** floor_find(f, path): what was delivered last of a secret, or NULL; until the next
 * change of ${f}. */
const struct floor_lease *floor_find(const struct floor *f, const char *path);
/** floor_back(f, path, version): the newest was found bad, ${version} is in place again.
 */
void floor_back(struct floor *f, const char *path, int64_t version);
/** floor_end(f, path): the vault has taken it away; NULL: everything. */
void floor_end(struct floor *f, const char *path);
/** floor_see(f, rev): a statement named this revision. */
void floor_see(struct floor *f, int64_t rev);
/** floor_save(f, e): to disk, if anything changed. */
int floor_save(struct floor *f, struct err *e) MUST_CHECK;
/** floor_forget(dir): after a new join. */
void floor_forget(const char *dir);

#endif

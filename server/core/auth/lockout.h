/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LOCKOUT_H
#define SERVER_CORE_LOCKOUT_H
/*
 * lockout - failed logins per mount and login name, whether the name exists or not.
 *
 * An attempt is counted before its password is looked at, in a transaction of its own, so
 * that attempts at the same time cannot share one count.  Rows are made at the rate at
 * which passwords are hashed at the most, and vanish when they are forgotten.
 *
 * KIND_LOCKOUT body: {name, mount (16 bytes), failures, locked (ms): until when}.
 */
#include <stdbool.h>
#include <stdint.h>

#include "req.h"
#include "store.h"

struct mount_lockout;

/** lockout_locked(c, a, mount, name, locked, e): may this name log in now? */
int lockout_locked(struct core *c, struct arena *a, const unsigned char mount[16],
                   const char *name, bool *locked, struct err *e) MUST_CHECK;
/** lockout_count(c, a, mount, name, rule, e): one more attempt, taken for a failure until
 * lockout_clear(). */
int lockout_count(struct core *c, struct arena *a, const unsigned char mount[16],
                  const char *name, const struct mount_lockout *rule, struct err *e)
	MUST_CHECK;
/** lockout_clear(c, a, mount, name, e): the login succeeded, or an operator unlocks. */
int lockout_clear(struct core *c, struct arena *a, const unsigned char mount[16],
                  const char *name, struct err *e) MUST_CHECK;
/** lockout_expire_due(c, a, limit, e): forget what is over; called by the timer. */
int lockout_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
	MUST_CHECK;
/* Where a walk over all of them stands. */
struct lockout_walk {
	unsigned char after[32]; /* the last one that was seen */
	bool started, done;
};
/** lockout_slice(c, a, w, fn, ctx, e): the next few hundred names, those of them that are
 * locked now; ${fn} gets the mount's id and the name, which lives in ${a}. */
int lockout_slice(struct core *c, struct arena *a, struct lockout_walk *w,
                  void (*fn)(void *ctx, const unsigned char mount[16], const char *name),
                  void *ctx, struct err *e) MUST_CHECK;

#endif

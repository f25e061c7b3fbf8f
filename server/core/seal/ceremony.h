/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CEREMONY_H
#define SERVER_CORE_CEREMONY_H
/*
 * ceremony - an operation that a quorum of share holders carries: its nonce, who began
 * it, the shares so far.  In memory alone; it ends when the vault is sealed, and by
 * itself when nothing was added for a while.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

struct attempt;
struct seal_config;
struct seal_share;

#define CEREMONY_MS (15 * 60 * 1000)

struct ceremony {
	bool active;
	char nonce[37];
	char owner[40];     /* accessor; "" for anybody's */
	int64_t touched_ms; /* boot clock */
	struct attempt *shares;
};

/** ceremony_begin(c, m, owner, e): a new nonce, no shares; undone with the savepoint. */
int ceremony_begin(struct core *c, struct ceremony *m, const char *owner, struct err *e)
	MUST_CHECK;
/** ceremony_end(m): wipe and forget. */
void ceremony_end(struct ceremony *m);
/** ceremony_live(c, m): is it under way?  Ends one whose time is over. */
bool ceremony_live(const struct core *c, struct ceremony *m);
/** ceremony_progress(m): shares so far. */
int ceremony_progress(const struct ceremony *m);
/** ceremony_offer(c, m, cfg, share, e): count one share of ${cfg}.  ERR_INVALID for a
 * foreign, mistyped or repeated one: nothing changes then. */
int ceremony_offer(struct core *c, struct ceremony *m, const struct seal_config *cfg,
                   const struct seal_share *share, struct err *e) MUST_CHECK;
/** ceremony_may_cancel(m, owner, nonce): who began it, or who names its nonce. */
bool ceremony_may_cancel(const struct ceremony *m, const char *owner, const char *nonce);

#endif

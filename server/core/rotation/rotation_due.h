/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_DUE_H
#define SERVER_CORE_ROTATION_DUE_H
/* rotation_due - what the files of this room keep in memory; no other room includes it.
 */
#include "rotation_room.h"
#include "rotation_state.h"
#include "rotation_tally.h"
#include "store.h"
#include "target.h"

/* Failed logins at targets that are not stored. */
#define TARGET_STRIKES 16
struct target_strikes {
	unsigned char id[32];
	int64_t fails[TARGET_FAILS];
};

struct rotation_state {
	struct rotation_room *room;
	struct tally tally[TALLY_ATTEMPTS];
	bool has_failed; /* a row that could not be dealt with: it is put off */
	enum store_kind failed_kind;
	unsigned char failed[STORE_ID_MAX];
	size_t failed_len;
	bool rechecked;        /* no rule is still to be marked after a restore */
	bool recovered;        /* what a crash has interrupted was found since unseal */
	int64_t not_before_ms; /* no schedule begins earlier */
	int64_t turn_ms;       /* the next turn to begin that nobody has taken yet */
	int64_t offset_ms;     /* of the wall clock from the boot clock */
	int64_t look_ms;       /* boot clock: not to be asked for steps before */
	int64_t before_ms;     /* offset_ms before the last step */
	int64_t first_ms;      /* offset_ms when it was first known */
	int64_t life;          /* random: of this time between unseal and seal */
	bool following;        /* times of attempts follow a step … */
	int64_t followed_due;  /* … up to and with the one that is due then … */
	unsigned char followed[STORE_ID_MAX]; /* … with this id */
	size_t followed_len;
	bool stepped;     /* the wall clock was moved: what is due is due by that */
	int64_t zones_ms; /* when the files of time zones are looked at again, boot */
	bool replanned;   /* since unseal, or since one of them has changed */
	bool replanning;  /* up to and with the rule whose id is … */
	unsigned char replan_after[STORE_ID_MAX];
	size_t replan_len;
	struct target_strikes strikes[TARGET_STRIKES];
	size_t next_strikes; /* the oldest of them */
};

/** rotation_pace(c, a, waited, later, e): may a scheduled rotation with a target begin
 * now (*later is 0), or not before a time of the wall clock?  Those that have been told
 * so once have ${waited}, and go before others. */
int rotation_pace(struct core *c, struct arena *a, bool waited, int64_t *later,
                  struct err *e) MUST_CHECK;
/** rotation_pace_begun(c, a, e): one has begun. */
int rotation_pace_begun(struct core *c, struct arena *a, struct err *e) MUST_CHECK;

#endif

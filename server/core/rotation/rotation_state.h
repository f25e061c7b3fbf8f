/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_STATE_H
#define SERVER_CORE_ROTATION_STATE_H
/* rotation_state - how much may go on at once, and when it is worth looking again.  All
 * of it is in memory: a restart looks at the rows. */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

#define ROTATION_RUNNING 8 /* attempts that work at the same time */
#define ROTATION_STARTS \
	20 /* scheduled ones that begin in a minute, of those with a target */

/** rotation_room(c, target, at_once, ok, e): may one more attempt work, at the target
 * with this id (NULL: none), of which ${at_once} may? */
int rotation_room(struct core *c, const unsigned char *target, int64_t at_once, bool *ok,
                  struct err *e) MUST_CHECK;
/** rotation_room_alone(c, target, id, ok, e): may the attempt ${id}, which changes how
 * all others log in at the target, begin?  While it waits for that, none of those begins:
 * else it could wait for ever. */
int rotation_room_alone(struct core *c, const unsigned char target[32],
                        const unsigned char id[16], bool *ok, struct err *e) MUST_CHECK;
struct rotation_attempt;
/** rotation_may_ask(c, t, ok, e): may ${t} ask its target now?  Not while another one
 * changes how it would log in there, nor, for that one, while others are logged in. */
int rotation_may_ask(struct core *c, const struct rotation_attempt *t, bool *ok,
                     struct err *e) MUST_CHECK;
/** rotation_turn_ms(c, least): wall time at which whoever found no room looks again, at
 * least ${least} from now: many that wait take turns. */
int64_t rotation_turn_ms(struct core *c, int64_t least);
/** rotation_room_freed(c): an attempt has stopped to work: scheduled ones may begin. */
void rotation_room_freed(struct core *c);
/** rotation_not_before(c): wall time before which no schedule need be looked at; 0: none.
 */
int64_t rotation_not_before(const struct core *c);

/** rotation_clock_stepped(c): was the wall clock stepped, and has nobody dealt with it?
 */
bool rotation_clock_stepped(const struct core *c);
/** rotation_clock_moved(c): the same, by the times of the batch that runs. */
bool rotation_clock_moved(const struct core *c);
/** rotation_watch_clock(c): was the wall clock stepped?  What attempts wait for, they
 * wait for by elapsed time: their times follow the step.  Each follows when it is loaded,
 * and the rest in slices of the timer. */
void rotation_watch_clock(struct core *c);
/** rotation_clock_mark(c, t): its times are by the clock as it is now.
 * rotation_clock_follow(c, t): make it so; true if they were by another one. */
void rotation_clock_mark(const struct core *c, struct rotation_attempt *t);
bool rotation_clock_follow(const struct core *c, struct rotation_attempt *t);
/** rotation_clock_slice(c, a, e): some of those that have yet to follow. */
int rotation_clock_slice(struct core *c, struct arena *a, struct err *e) MUST_CHECK;

/** rotation_zones_due(c): wall time at which the files of time zones are looked at again,
 * or slots are computed again because of them; 0: none is in use. */
int64_t rotation_zones_due(const struct core *c);

/** rotation_open(c, e), rotation_close(c): with the core. rotation_unsealed(c): what was
 * under way is looked at again. */
int rotation_open(struct core *c, struct err *e) MUST_CHECK;
void rotation_close(struct core *c);
void rotation_unsealed(struct core *c);

/** rotation_flush(c, e): before COMMIT: what a batch has counted is written down. */
int rotation_flush(struct core *c, struct err *e) MUST_CHECK;

/** rotation_recheck_begins(c): the vault was set back; see rotation_restored.h. */
void rotation_recheck_begins(struct core *c);

struct machine;
/** rotation_take_back(m, e): publish the old value again, then undo at the target. */
int rotation_take_back(struct machine *m, struct err *e) MUST_CHECK;

#endif

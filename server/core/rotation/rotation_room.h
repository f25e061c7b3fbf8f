/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROTATION_ROOM_H
#define SERVER_CORE_ROTATION_ROOM_H
/* rotation_room - what rotation_state.h keeps of the attempts that work; see there. */
#include "rotation.h"

struct rotation_room;

/** rotation_room_new(): NULL without memory.  rotation_room_clear(r): look at the rows
 * again. */
struct rotation_room *rotation_room_new(void);
void rotation_room_clear(struct rotation_room *r);
void rotation_room_free(struct rotation_room *r);
/** rotation_room_of(c): that of the core. */
struct rotation_room *rotation_room_of(const struct core *c);

/** rotation_room_note(c, t): the attempt was saved. rotation_room_left(c, id): its row
 * was deleted. */
void rotation_room_note(struct core *c, const struct rotation_attempt *t);
void rotation_room_left(struct core *c, const unsigned char id[16]);

#endif

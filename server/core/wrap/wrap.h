/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_WRAP_H
#define SERVER_CORE_WRAP_H
/*
 * wrap - replies that are kept for the one who holds a token, and given out once.
 *
 * The dispatcher wraps; no handler knows of it.  What is kept (KIND_WRAP, id: id of the
 * wrapping token) is sealed with a key that only the text of that token gives, and of the
 * token the store has a keyed hash alone: database and keyring together do not open it.
 * It goes with its token, whatever removes that.
 */
#include "req.h"
#include "store.h"

/** wrap_wanted(r): is the reply, which is finished, one that the request wants wrapped?
 * Errors, empty replies and bare ones are not. */
bool wrap_wanted(const struct req *r);
/** wrap_reply(r): keep the reply, put wrap_info in its place. */
int wrap_reply(struct req *r) MUST_CHECK;

/** wrap_present(r, self): does who asks to unwrap or rewrap present the wrapping token
 * itself, as the client's or alone, so that it is the authorisation?  Fills r->id if
 * there is such a token, without using it up. */
int wrap_present(struct req *r, bool *self) MUST_CHECK;

/** wrap_forget(c, token_id, e): a token goes: so does what it wraps, if anything. */
int wrap_forget(struct core *c, const unsigned char token_id[32], struct err *e)
	MUST_CHECK;

#endif

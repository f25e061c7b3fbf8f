/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LISTING_H
#define SERVER_CORE_LISTING_H
/* listing - the names of stored objects as a reply, in slices for however many there are.
 */
#include "req.h"
#include "store.h"

struct listing_of {
	enum store_kind kind;
	const unsigned char *parent; /* NULL: all of the kind */
	size_t parent_len;
	const char *member; /* of the body: what is listed */
	/* Is this one shown?  NULL: all are. */
	bool (*shown)(const struct core *c, const struct store_object *o);
};

/** listing_reply(r, of): "return listing_reply(…)": data.keys, sorted. */
int listing_reply(struct req *r, const struct listing_of *of) MUST_CHECK;

#endif

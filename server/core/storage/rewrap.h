/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_REWRAP_H
#define SERVER_CORE_REWRAP_H
/*
 * rewrap - after a new key term began: seal what older terms sealed under the new one.
 *
 * A row keeps its identity, version and body; only its envelope changes (of a payload:
 * the envelope of its data key).  A walk in order of the primary keys, in slices; what is
 * written behind its back is sealed under the new term anyway.
 */
#include "store.h"

/* How far a walk has come. */
struct rewrap_place {
	bool payloads; /* objects are done */
	int kind;
	unsigned char id[STORE_ID_MAX];
	size_t id_len;
	int64_t version;
	int64_t damaged; /* rows that do not open: left as they are */
};

/** rewrap_slice(c, at, done, e): a millisecond or two of it; *done when no row of an
 * older term is left. */
int rewrap_slice(struct core *c, struct rewrap_place *at, bool *done, struct err *e)
	MUST_CHECK;

#endif

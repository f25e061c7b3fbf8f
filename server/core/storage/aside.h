/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ASIDE_H
#define SERVER_CORE_ASIDE_H
/*
 * aside - due rows that did not open: passed over, so that what is due beside them is not
 * held up, and named in the log once.  For the store alone; nobody else includes this.
 */
#include "store_row.h"

#define ASIDE_MAX 64u

struct aside {
	size_t n;
	struct {
		int kind;
		size_t id_len;
		unsigned char id[STORE_ID_MAX];
	} at[ASIDE_MAX];
};

/** aside_has(s, row): is ${row} passed over? */
bool aside_has(const struct aside *s, const struct store_row *row);
/** aside_add(s, row, why): pass ${row} over from now on; logs ${why}.  False if too many
 * are already. */
bool aside_add(struct aside *s, const struct store_row *row, const struct err *why);
/** aside_remove(s, row): it was written anew, or deleted. */
void aside_remove(struct aside *s, const struct store_row *row);
/** aside_any(s, kind): are rows of this kind passed over? */
bool aside_any(const struct aside *s, int kind);

#endif

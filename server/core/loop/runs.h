/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_RUNS_H
#define SERVER_CORE_RUNS_H
/*
 * runs - a long array or object that is put in order while it grows.
 *
 * Each slice sorts what it has added, a run, and keeps the encoding of it (value.h). When
 * all is there the runs are merged, some items at a time.  No step does more than its
 * caller asks for, and the result needs no node per item: it is an encoding itself.
 */
#include "err.h"
#include "value.h"

struct run; /* some items, sorted and encoded */

/* Zero to start with. */
struct runs {
	bool members;       /* of an object, in order of their keys; else texts */
	struct value *open; /* what was added since the last runs_close() */
	size_t n_open;
	struct run *closed; /* the newest; while they merge, none */
	size_t n;           /* closed runs that have something left */
	struct run **at;    /* heap of them, while they merge */
	size_t items;
	size_t size;        /* of the encoding of all items */
	unsigned char *out; /* encoding of the array or object, as far as it is merged */
	size_t used;
};

/** runs_add(s, v): one more; NULL is passed over.  Borrowed until runs_close(); a member
 * has its key already. */
void runs_add(struct runs *s, struct value *v);
/** runs_close(s, a, e): sort and encode what was added since the last call.  ${a} lives
 * as long as the runs.  ERR_NOMEM. */
int runs_close(struct runs *s, struct arena *a, struct err *e) MUST_CHECK;
/** runs_merge(s, a, limit, done, e): merge the next ${limit} items.  After the first call
 * nothing can be added.  ERR_NOMEM. */
int runs_merge(struct runs *s, struct arena *a, size_t limit, bool *done, struct err *e)
	MUST_CHECK;
/** runs_value(s, a): when all is merged: the array or object, encoded unless it is
 * empty. */
struct value *runs_value(const struct runs *s, struct arena *a);

/* What was merged, item by item: start with {out + RUNS_HEAD, out + used}. */
#define RUNS_HEAD 9 /* bytes of an encoded array or object before its items */
struct runs_at {
	const unsigned char *p, *end;
};
/* One item: its text or key, and all of its encoding. */
struct runs_item {
	const char *text;
	size_t len;
	const unsigned char *p;
	size_t size;
};
/** runs_next(at, members, item): the next item of trusted memory; false: no more. */
bool runs_next(struct runs_at *at, bool members, struct runs_item *item);
/** runs_head(out, members, items, size): the RUNS_HEAD bytes before ${items} items of
 * ${size} bytes in all. */
void runs_head(unsigned char out[RUNS_HEAD], bool members, size_t items, size_t size);

#endif

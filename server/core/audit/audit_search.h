/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_SEARCH_H
#define SERVER_CORE_AUDIT_SEARCH_H
/*
 * audit_search - reading the log back, a bounded slice at a time.
 *
 * There is no index over what records say, they are sealed: a search opens every record
 * of its range.  A record that cannot be read is shown as damaged, whatever was asked
 * for.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

#define SEARCH_SLICE   1000
#define SEARCH_SCAN    200000 /* records that one request looks at */
#define SEARCH_LIMIT   100
#define SEARCH_RESULTS 1000

struct audit_search {
	int64_t from, to;     /* records from <= index < to */
	int64_t since, until; /* wall ms; 0 and INT64_MAX: any */
	const char *actor;    /* display name or accessor; NULL: any, as below */
	const char *path;     /* prefix */
	const char *operation;
	const char *outcome;
	bool forward;
	int64_t limit;
	/* progress */
	int64_t at; /* next index to look at */
	int64_t scanned, found;
	struct value *records; /* array in the caller's arena */
};

/** audit_search_slice(c, a, s, done, e): look at SEARCH_SLICE records more; results go to
 * ${a}. */
int audit_search_slice(struct core *c, struct arena *a, struct audit_search *s,
                       bool *done, struct err *e) MUST_CHECK;
/** audit_search_more(s): is there something of the range left to look at? */
bool audit_search_more(const struct audit_search *s);

/** audit_entries(c, a, from, limit, out, e): records as an export carries them, up to the
 * newest checkpoint. */
int audit_entries(struct core *c, struct arena *a, int64_t from, int64_t limit,
                  struct value **out, struct err *e) MUST_CHECK;
/** audit_inclusion(c, a, index, size, out, e): object {index, size, leaf, proof}; size 0:
 * the newest checkpoint's. */
int audit_inclusion(struct core *c, struct arena *a, int64_t index, int64_t size,
                    struct value **out, struct err *e) MUST_CHECK;
/** audit_consistency_to(c, a, from, to, out, e): as audit_consistency(), between any two
 * sizes; to 0: the newest. */
int audit_consistency_to(struct core *c, struct arena *a, int64_t from, int64_t to,
                         struct value **out, struct err *e) MUST_CHECK;
/** audit_head(c, a, key): size of the newest checkpoint, and the verifier key as text in
 * ${a}. */
int64_t audit_head(struct core *c, struct arena *a, const char **key);

#endif

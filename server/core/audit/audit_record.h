/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_RECORD_H
#define SERVER_CORE_AUDIT_RECORD_H
/*
 * audit_record - the bytes of a record: an array in the value encoding, positions below.
 * There is one encoding of a record, so that a digest says what was recorded.
 */
#include <stddef.h>
#include <stdint.h>

#include "audit.h"

#define AUDIT_RECORD_VERSION 1

enum audit_field {
	AUDIT_F_VERSION,    /* number: AUDIT_RECORD_VERSION */
	AUDIT_F_TIME,       /* number: wall clock, ms since 1970 */
	AUDIT_F_BOOT,       /* number: boot clock, ms */
	AUDIT_F_ACTOR_TYPE, /* string, as are all up to the outcome */
	AUDIT_F_ACTOR,
	AUDIT_F_ACCESSOR,
	AUDIT_F_REMOTE,
	AUDIT_F_OPERATION,
	AUDIT_F_PATH,
	AUDIT_F_OUTCOME,
	AUDIT_F_STATUS,     /* number */
	AUDIT_F_ERROR,      /* string */
	AUDIT_F_REQUEST_ID, /* string */
	AUDIT_F_NOTE,       /* object or null */
	AUDIT_F__COUNT
};

/** audit_record_size(r): an upper bound of what audit_record_encode() writes. */
size_t audit_record_size(const struct audit_record *r);
/** audit_record_encode(r, time_ms, boot_ms, out): returns the length. */
size_t audit_record_encode(const struct audit_record *r, int64_t time_ms, int64_t boot_ms,
                           unsigned char *out);
/** audit_record_decode(a, p, n, out, e): the checked array; borrows ${p}.  ERR_INTEGRITY
 * if it is no record. */
int audit_record_decode(struct arena *a, const void *p, size_t n, struct value **out,
                        struct err *e) MUST_CHECK;
/** audit_record_object(a, rec, index): what the API shows of a decoded record; borrows
 * ${rec}. */
struct value *audit_record_object(struct arena *a, const struct value *rec,
                                  int64_t index);

#endif

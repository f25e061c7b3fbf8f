/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ERR_H
#define ERR_H
/*
 * err - one error type from SQLite to HTTP and to the exit status.
 *
 * Functions that can fail return an enum errcode (0 is ERR_OK) and fill the last
 * parameter.  Never format a value, a token or a key into a message.
 */
#include "util.h"
#include "vault/errors.h"

#define ERR_MSG_MAX 256

/* Fixed size: reporting a failure cannot fail. */
struct err {
	enum errcode code;
	char msg[ERR_MSG_MAX];
};

/**
 * err_set(e, code, fmt, ...): record ${code} and a message (cut to fit) in ${e}, which
 * may be NULL.  Returns ${code}, so that callers can write "return err_set(…)".
 */
int err_set(struct err *e, enum errcode code, const char *fmt, ...) PRINTF(3, 4);

/** err_wrap(e, fmt, ...): put "context: " before the message of ${e}; returns
 * its code. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/** err_of_status(status, other): what an HTTP status of a refusal means; ${other} for
 * those that say nothing more. */
enum errcode err_of_status(long status, enum errcode other);

/** err_sys(e, code, errnum, fmt, ...): like err_set(), with ": strerror(errnum)"
 * appended. */
int err_sys(struct err *e, enum errcode code, int errnum, const char *fmt, ...)
	PRINTF(4, 5);

#endif

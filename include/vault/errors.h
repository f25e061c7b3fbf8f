/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_ERRORS_H
#define VAULT_ERRORS_H
/*
 * errors - the one table of error classes that every program agrees on.
 *
 * A row gives the wire name, the HTTP status, the exit status of a program that
 * ends with it, and whether the client may see the message that goes with it
 * (private messages go to the log together with the request id).
 */

/* clang-format off */
/*        code             wire name             HTTP exit public */
#define ERR_TABLE(X) \
	X(ERR_OK,          "ok",                 200,  0, 1) \
	X(ERR_USAGE,       "usage",              400,  2, 1) \
	X(ERR_INVALID,     "invalid_request",    400,  3, 1) \
	X(ERR_DENIED,      "permission_denied",  403,  4, 1) \
	X(ERR_NOENT,       "not_found",          404,  5, 1) \
	X(ERR_CONFLICT,    "conflict",           400,  6, 1) \
	X(ERR_SEALED,      "sealed",             503,  7, 1) \
	X(ERR_METHOD,      "unsupported",        405,  8, 1) \
	X(ERR_INTERNAL,    "internal",           500,  9, 0) \
	X(ERR_DB,          "storage",            500, 10, 0) \
	X(ERR_INTEGRITY,   "integrity",          500, 11, 0) \
	X(ERR_NOMEM,       "out_of_memory",      503, 12, 1) \
	X(ERR_TOO_BIG,     "too_large",          413, 13, 1) \
	X(ERR_BUSY,        "busy",               503, 14, 1) \
	X(ERR_RATE,        "rate_limited",       429, 15, 1) \
	X(ERR_UNKNOWN,     "outcome_unknown",    503, 16, 1) \
	X(ERR_UNREACHABLE, "unreachable",        502, 17, 1) \
	X(ERR_IO,          "io",                 500, 18, 0) \
	X(ERR_FULL,        "storage_full",       503, 19, 1) \
	X(ERR_TIMEOUT,     "timeout",            504, 20, 1) \
	X(ERR_LATE,        "hosts_late",         200, 21, 1) \
	X(ERR_VERIFY,      "verification_failed", 500, 22, 1) \
	X(ERR_UNINIT,      "not_initialized",    400, 23, 1) \
	X(ERR_MEDIA,       "unsupported_media",  415, 24, 1) \
	X(ERR_HELD,        "rotation_held",      200, 25, 1) \
	X(ERR_NOT_ROTATED, "not_rotated",        200, 26, 1) \
	X(ERR_RETIRE_LATE, "retire_late",        200, 27, 1) \
	X(ERR_SCHEMA,      "newer_schema",       500, 65, 1)
/* clang-format on */

#define ERR_ENUM_ROW(code, wire, http, exit_status, public_msg) code,
enum errcode { ERR_TABLE(ERR_ENUM_ROW) ERR__MAX };
#undef ERR_ENUM_ROW

struct errclass {
	const char *wire;
	int http_status;
	int exit_status;
	int public_msg; /* may the client see the message? */
};

extern const struct errclass errclasses[ERR__MAX];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_CLASS_ROW(code, wire, http, exit_status, public_msg) \
	[code] = { (wire), (http), (exit_status), (public_msg) },
const struct errclass errclasses[ERR__MAX] = { ERR_TABLE(ERR_CLASS_ROW) };
#undef ERR_CLASS_ROW

/* ${wanted} bytes were to be in ${msg}: cut in front of a UTF-8 sequence,
 * never inside. */
static void cut(char msg[ERR_MSG_MAX], int wanted)
{
	size_t end = ERR_MSG_MAX - 1;

	if (wanted < ERR_MSG_MAX)
		return;
	while (end > 0 && ((unsigned char)msg[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && (unsigned char)msg[end - 1] >= 0xc0)
		msg[end - 1] = '\0';
}

static void format(char out[ERR_MSG_MAX], const char *fmt, va_list ap)
{
	int n = vsnprintf(out, ERR_MSG_MAX, fmt, ap);

	if (n < 0)
		out[0] = '\0';
	cut(out, n);
}

static void append(char msg[ERR_MSG_MAX], const char *text)
{
	size_t at = strlen(msg);

	cut(msg, (int)at + snprintf(msg + at, ERR_MSG_MAX - at, ": %s", text));
}

int err_set(struct err *e, enum errcode code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return (int)code;
	e->code = code;
	va_start(ap, fmt);
	format(e->msg, fmt, ap);
	va_end(ap);
	return (int)code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[ERR_MSG_MAX];
	va_list ap;

	if (e == NULL)
		return ERR_INTERNAL;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	format(e->msg, fmt, ap);
	va_end(ap);
	append(e->msg, old);
	return (int)e->code;
}

int err_sys(struct err *e, enum errcode code, int errnum, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	if (e == NULL)
		return (int)code;
	e->code = code;
	va_start(ap, fmt);
	format(e->msg, fmt, ap);
	va_end(ap);
	append(e->msg, strerror_r(errnum, buf, sizeof(buf)));
	return (int)code;
}

enum errcode err_of_status(long status, enum errcode other)
{
	switch (status) {
	case 400:
		return ERR_INVALID;
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOENT;
	case 405:
		return ERR_METHOD;
	case 409:
		return ERR_CONFLICT;
	case 413:
		return ERR_TOO_BIG;
	case 429:
		return ERR_RATE;
	case 503:
		return ERR_BUSY;
	default:
		return other;
	}
}

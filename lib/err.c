/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLASS_ROW(code, wire, http, exit_status, public_msg) \
	[code] = { wire, http, exit_status, public_msg },
const struct errclass errclasses[ERR__MAX] = { ERR_TABLE(CLASS_ROW) };
#undef CLASS_ROW

int err_set(struct err *e, enum errcode code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return (int)code;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return (int)code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char context[ERR_MSG_MAX], inner[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(inner, e->msg, sizeof(inner));
	inner[sizeof(inner) - 1] = '\0';
	if (snprintf(e->msg, sizeof(e->msg), "%s: %s", context, inner) < 0)
		e->msg[0] = '\0';
	return (int)e->code;
}

int err_sys(struct err *e, enum errcode code, int errnum, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	size_t n;

	if (e == NULL)
		return (int)code;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror_r(errnum, text, sizeof(text)));
	return (int)code;
}

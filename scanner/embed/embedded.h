/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_EMBEDDED_H
#define SCANNER_EMBEDDED_H
/* embedded - for what emit.c writes, and nothing else. */
#include "scanner/match/buckets.h"
#include "scanner/match/database.h"
#include "scanner/rules/builtin.h"

/* Rules that are parsed own their texts; those of the table are constants, which nobody
 * changes (rule.embedded). */
#define TEXT(s) (char *)(s)
#define TEXTS(...)                                                                    \
	{                                                                             \
		(char **)(const char *const[]){ __VA_ARGS__ },                        \
			sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) \
	}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOG_H
#define LOG_H
/*
 * log - one line per event on stderr: text for a terminal, JSON lines for machines.
 *
 * A line has a time, a level, the program's (role's) name, an event and key=value
 * pairs.  Control bytes, quotes and non-UTF-8 are escaped in both forms.  There is no
 * way to log a struct secret; callers never pass values, tokens or keys.
 */
#include <stdbool.h>
#include <stdint.h>

#include "util.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
	const char *key;
	const char *str; /* used when not NULL */
	int64_t num;
};
#define LOG_S(k, v) ((struct log_field){ (k), (v) != NULL ? (v) : "", 0 })
#define LOG_N(k, v) ((struct log_field){ (k), NULL, (int64_t)(v) })

/** log_init(name, json): ${name} is borrowed (a literal); level starts at INFO. */
void log_init(const char *name, bool json);

/** log_set_level(text): "error", "warn", "info" or "debug"; returns -1 for
 * anything else. */
int log_set_level(const char *text);

/** log_event(level, event, fields, n): write one line; ${event} is a short sentence. */
void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t n);

#define LOG_CALL(level, event, ...)                                            \
	log_event((level), (event), (const struct log_field[]){ __VA_ARGS__ }, \
	          sizeof((const struct log_field[]){ __VA_ARGS__ }) /          \
	                  sizeof(struct log_field))
#define log_error(event, ...) LOG_CALL(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_CALL(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_CALL(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_CALL(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
/* Every call passes at least one field: log_info("listening", LOG_S("address", a)). */

#endif

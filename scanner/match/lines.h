/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_LINES_H
#define SCANNER_LINES_H
/*
 * lines - where the lines around a place of a text begin and end.
 *
 * Anchors come in ascending order and many on one line, so that the last line is kept.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_BEFORE ((size_t)2048) /* of a long line, before a place */
#define LINE_AFTER  ((size_t)4096)

struct spots;
struct text;

struct window {
	size_t from, to;
};

/* A line that is not longer than LINE_BEFORE. */
struct line {
	bool known;
	struct window w;
	bool counted;
	uint64_t has;   /* once it is ${counted}: classes of its bytes */
	uint64_t prose; /* of what is first after prose, or 0: that was not asked for */
};

/** lines_find(l, t, s, at): makes ${l} the line of ${at}, or not known if it is long.
 * ${s}: spots of ${t}, or NULL. */
void lines_find(struct line *l, const struct text *t, const struct spots *s, size_t at);

/** lines_start(t, at, most), lines_end(t, at, most): of the line, at most so far away. */
size_t lines_start(const struct text *t, size_t at, size_t most);
size_t lines_end(const struct text *t, size_t at, size_t most);

/** lines_around(l, t, at, lines, most): the line of ${at}, which may be ${l}, and so many
 * before and after it, at least one of them and more until ${most} bytes. */
struct window lines_around(const struct line *l, const struct text *t, size_t at,
                           unsigned lines, size_t most);

#endif

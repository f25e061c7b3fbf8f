/* SPDX-License-Identifier: Apache-2.0 */
#include "match/lines.h"

#include <string.h>

#include "match/spots.h"
#include "match/stream_impl.h"

size_t lines_start(const struct text *t, size_t at, size_t most)
{
	size_t least = at > most ? at - most : 0;
	const unsigned char *nl = at > least ? memrchr(t->p + least, '\n', at - least)
	                                     : NULL;

	return nl != NULL ? (size_t)(nl - t->p) + 1 : least;
}

size_t lines_end(const struct text *t, size_t at, size_t most)
{
	size_t n = t->n - at < most ? t->n - at : most;
	const unsigned char *nl = memchr(t->p + at, '\n', n);

	return nl != NULL ? (size_t)(nl - t->p) : at + n;
}

static bool has(const struct line *l, size_t at)
{
	return l->known && at >= l->w.from && at <= l->w.to;
}

void lines_find(struct line *l, const struct text *t, const struct spots *s, size_t at)
{
	if (has(l, at))
		return;
	if (s != NULL && spots_line(s, at, &l->w.from, &l->w.to)) {
		l->counted = false;
		l->known = true;
		return;
	}
	l->w.from = lines_start(t, at, LINE_BEFORE);
	l->w.to = lines_end(t, at, LINE_BEFORE);
	l->counted = false;
	l->known = l->w.to - l->w.from <= LINE_BEFORE &&
	           (l->w.from == 0 || t->p[l->w.from - 1] == '\n') &&
	           (l->w.to == t->n || t->p[l->w.to] == '\n');
}

struct window lines_around(const struct line *l, const struct text *t, size_t at,
                           unsigned lines, size_t most)
{
	struct window w = l->w;

	if (!has(l, at))
		w = (struct window){ lines_start(t, at, LINE_BEFORE),
			             lines_end(t, at, LINE_AFTER) };
	for (unsigned i = 0; i < lines && w.from > 0 && at - w.from < most; i++)
		w.from = lines_start(t, w.from - 1, LINE_BEFORE);
	for (unsigned i = 0; i < lines && w.to < t->n && w.to - at < most; i++)
		w.to = lines_end(t, w.to + 1 < t->n ? w.to + 1 : t->n, LINE_AFTER);
	return w;
}

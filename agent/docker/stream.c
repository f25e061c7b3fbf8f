/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 512u

/* --- objects -------------------------------------------------------------------------
 */

static bool grow(struct json_split *s)
{
	size_t cap = s->cap != 0 ? 2 * s->cap : FIRST_CAP;
	char *p = realloc(s->p, cap);

	if (p == NULL)
		return false;
	s->p = p;
	s->cap = cap;
	return true;
}

static void release(struct json_split *s)
{
	free(s->p);
	s->p = NULL;
	s->n = s->cap = 0;
}

static void keep(struct json_split *s, char c)
{
	if (s->dropped)
		return;
	if (s->n == s->max || (s->n == s->cap && !grow(s))) {
		s->dropped = true;
		release(s);
		return;
	}
	s->p[s->n++] = c;
}

static void begin(struct json_split *s)
{
	s->inside = true;
	s->dropped = false;
	s->n = 0;
}

static void end(struct json_split *s, json_split_fn each, void *ctx)
{
	s->inside = false;
	each(ctx, s->dropped ? NULL : s->p, s->dropped ? 0 : s->n);
	/* Between two events may be hours. */
	release(s);
}

static void in_string(struct json_split *s, char c)
{
	if (s->escaped)
		s->escaped = false;
	else if (c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->in_string = false;
}

static void feed_one(struct json_split *s, char c, json_split_fn each, void *ctx)
{
	if (s->first == 0 && strchr(" \t\r\n", c) == NULL)
		s->first = c;
	if (!s->inside && !s->in_string && c == '{' && s->depth == s->level)
		begin(s);
	if (s->inside)
		keep(s, c);
	if (s->in_string) {
		in_string(s, c);
		return;
	}
	if (c == '"')
		s->in_string = true;
	else if (c == '{' || c == '[')
		s->depth++;
	else if ((c == '}' || c == ']') && s->depth > 0 && --s->depth == s->level &&
	         s->inside)
		end(s, each, ctx);
}

void json_split_feed(struct json_split *s, const char *p, size_t n, json_split_fn each,
                     void *ctx)
{
	for (size_t i = 0; i < n; i++)
		feed_one(s, p[i], each, ctx);
}

void json_split_free(struct json_split *s)
{
	release(s);
	*s = (struct json_split){ .max = s->max, .level = s->level };
}

/* --- output --------------------------------------------------------------------------
 */

static bool take_head(struct demux *d, char c)
{
	d->head[d->n_head++] = (unsigned char)c;
	if (d->n_head < sizeof(d->head))
		return true;
	d->n_head = 0;
	d->left = (uint32_t)d->head[4] << 24 | (uint32_t)d->head[5] << 16 |
	          (uint32_t)d->head[6] << 8 | d->head[7];
	return d->head[0] <= 2 && d->head[1] == 0 && d->head[2] == 0 && d->head[3] == 0;
}

static bool take_bytes(struct demux *d, const char *p, size_t n)
{
	size_t room = d->max - d->n, taken = n < room ? n : room;

	d->cut |= taken < n;
	if (taken == 0)
		return true;
	if (d->p == NULL && (d->p = malloc(d->max + 1)) == NULL)
		return false;
	memcpy(d->p + d->n, p, taken);
	d->n += taken;
	d->p[d->n] = '\0';
	return true;
}

bool demux_feed(struct demux *d, const char *p, size_t n)
{
	while (n > 0) {
		size_t part = 1;

		if (d->left == 0) {
			if (!take_head(d, *p))
				return false;
		} else {
			part = n < d->left ? n : d->left;
			if (!take_bytes(d, p, part))
				return false;
			d->left -= (uint32_t)part;
		}
		p += part;
		n -= part;
	}
	return true;
}

void demux_free(struct demux *d)
{
	free(d->p);
	*d = (struct demux){ .max = d->max };
}

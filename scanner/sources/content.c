/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <stdio.h>
#include <string.h>

#include "scanner/archive/ahead.h"
#include "scanner/archive/member_path.h"
#include "scanner/archive/nested.h"
#include "scanner/archive/tar.h"
#include "scanner/archive/unpack.h"

#define SHOWN_CAP 4096 /* of "outer!inner" */

struct inner {
	struct work *w;
	enum scan_channel channel;
	const char *outer;
	unsigned depth; /* of what is inside */
	char path[SHOWN_CAP];
};

static struct inner *inner_new(struct work *w, enum scan_channel channel,
                               const char *outer, unsigned depth)
{
	struct inner *in = malloc(sizeof(*in));

	if (in == NULL) {
		work_skip(w, outer, "out of memory");
		return NULL;
	}
	in->w = w;
	in->channel = channel;
	in->outer = outer;
	in->depth = depth;
	return in;
}

/* "outer!inner"; false: no more members. */
static bool enter(struct inner *in, const char *name)
{
	char clean[MEMBER_PATH_CAP];

	member_path(name, clean);
	/* It may be cut: it is to be shown. */
	if (snprintf(in->path, sizeof(in->path), "%s!%s", in->outer, clean) < 0)
		return false;
	return work_entry(in->w, in->path);
}

static bool go_on(const struct inner *in)
{
	return !in->w->budget.over && !in->w->gone;
}

static void read_tar(struct inner *in, struct stream *s)
{
	struct tar *t = tar_open(s);
	struct tar_entry e;
	int r = 0;

	if (t == NULL) {
		work_skip(in->w, in->outer, "out of memory");
		return;
	}
	while (go_on(in) && (r = tar_next(t, &e)) > 0 && enter(in, e.name)) {
		if (e.doubtful)
			work_skip(in->w, in->path, "its headers disagree on its size");
		if (e.size > 0)
			content_read(in->w, in->channel, in->path, tar_data(t),
			             in->depth);
	}
	if (r < 0) {
		work_skip(in->w, in->outer, tar_why(t));
		(void)snprintf(in->path, sizeof(in->path), "%s!(behind the damage)",
		               in->outer);
		work_stream(in->w, in->channel, in->path, tar_rest(t), true);
	}
	tar_close(t);
}

/* What a decompressor gives counts. */
struct counted {
	struct stream s;
	struct stream *in;
	struct work *w;
	const char *path;
};

static int counted_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct counted *c = (struct counted *)base;
	int r = stream_next(c->in, p, n);

	if (r < 0) {
		base->why = c->in->why;
	} else if (r > 0 && !work_output(c->w, c->path, *n)) {
		base->why = "too many bytes when unpacked";
		return -1;
	}
	return r;
}

static void read_nested(struct inner *in, struct stream *s)
{
	struct nested *z = nested_open(s, in->w->limits->ratio);
	const char *name, *why;
	int r = 0;

	if (z == NULL) {
		work_skip(in->w, in->outer, "out of memory");
		return;
	}
	while (go_on(in) && (r = nested_next(z, &name)) > 0 && enter(in, name)) {
		struct counted c = { .s = { .next = counted_next },
			             .in = nested_data(z, &why),
			             .w = in->w,
			             .path = in->path };

		if (c.in != NULL)
			content_read(in->w, in->channel, in->path, &c.s, in->depth);
		else if (why != NULL)
			work_skip(in->w, in->path, why);
	}
	if (r < 0)
		work_skip(in->w, in->outer, nested_why(z));
	nested_close(z);
}

static void read_packed(struct inner *in, enum unpack_kind kind, struct stream *s)
{
	struct unpack *u = unpack_open(kind, s, in->w->limits->ratio);
	struct counted c = { .s = { .next = counted_next }, .w = in->w };

	if (u == NULL) {
		work_skip(in->w, in->outer, "out of memory");
		return;
	}
	c.in = ahead_open(in->w->ahead, unpack_stream(u));
	c.path = in->outer;
	content_read(in->w, in->channel, in->outer, &c.s, in->depth);
	ahead_close(in->w->ahead, c.in);
	unpack_close(u);
}

bool content_plain(const uint8_t *p, size_t n)
{
	const size_t look = n < STREAM_PEEK ? n : STREAM_PEEK;

	return unpack_kind_of(p, look) == UNPACK_NONE && !tar_looks(p, look) &&
	       !nested_looks(p, look);
}

void content_read(struct work *w, enum scan_channel channel, const char *path,
                  struct stream *s, unsigned depth)
{
	const uint8_t *p;
	size_t n = stream_peek(s, &p);
	enum unpack_kind kind = unpack_kind_of(p, n);
	bool tar = kind == UNPACK_NONE && tar_looks(p, n);
	struct inner *in;

	if (kind == UNPACK_NONE && !tar && !nested_looks(p, n)) {
		work_stream(w, channel, path, s, depth > 0 || w->layer != NULL);
		return;
	}
	/* A decompressor and the archive in it are two. */
	if (depth >= 2 * w->limits->depth) {
		work_skip(w, path, "too many archives in each other");
		return;
	}
	in = inner_new(w, channel, path, depth + 1);
	if (in == NULL)
		return;
	if (tar)
		read_tar(in, s);
	else if (kind != UNPACK_NONE)
		read_packed(in, kind, s);
	else
		read_nested(in, s);
	free(in);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "layer.h"

#include <stdio.h>
#include <string.h>

#include "content.h"
#include "scanner/archive/ahead.h"
#include "scanner/archive/member_path.h"
#include "scanner/archive/stream_hash.h"
#include "scanner/archive/tar.h"
#include "scanner/archive/unpack.h"
#include "scanner/path_hash.h"
#include "source.h"

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"

#define HASHES 4096u /* in one record */

struct layer {
	struct work *w;
	const char *key;
	struct tar *tar;
	uint64_t hash[HASHES];
	size_t n;
	char path[MEMBER_PATH_CAP];
};

static void flush(struct layer *l)
{
	struct record r = { .type = RECORD_ENTRIES,
		            .text = { l->key },
		            .bytes = l->hash,
		            .bytes_n = l->n * sizeof(l->hash[0]) };

	if (l->n > 0)
		work_send(l->w, &r);
	l->n = 0;
}

static void note(struct layer *l, enum entry_kind kind, const char *path, size_t n)
{
	if (l->n == HASHES)
		flush(l);
	l->hash[l->n++] = path_hash(l->w->hash_key, kind, path, n);
}

/* Whiteouts are labels: true if it was one. */
static bool whiteout(struct layer *l, size_t n)
{
	char *slash = strrchr(l->path, '/'), *name = slash != NULL ? slash + 1 : l->path;
	size_t dir = slash != NULL ? (size_t)(slash - l->path) : 0;
	char hidden[MEMBER_PATH_CAP];
	int len;

	(void)n;
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
		return false;
	if (strcmp(name, OPAQUE) == 0) {
		note(l, ENTRY_OPAQUE, l->path, dir);
		return true;
	}
	len = snprintf(hidden, sizeof(hidden), "%.*s%s%s", (int)dir, l->path,
	               dir > 0 ? "/" : "", name + strlen(WHITEOUT));
	note(l, ENTRY_WHITEOUT, hidden, (size_t)len);
	return true;
}

static bool take_entry(struct layer *l, const struct tar_entry *e)
{
	size_t n = member_path(e->name, l->path);

	if (!work_entry(l->w, l->path))
		return false;
	if (e->doubtful)
		work_skip(l->w, l->path, "its headers disagree on its size");
	if (whiteout(l, n)) {
		/* Docker ignores what it holds; we do not. */
	} else if (e->kind == TAR_DIRECTORY) {
		note(l, ENTRY_DIRECTORY, l->path, n);
	} else {
		note(l, ENTRY_FILE, l->path, n);
	}
	if (e->apparent > e->size &&
	    !work_output(l->w, l->path, (size_t)(e->apparent - e->size)))
		return false;
	if (e->size > 0)
		content_read(l->w, CHANNEL_FILE, l->path, tar_data(l->tar), 0);
	return !l->w->budget.over && !l->w->gone;
}

/* Bytes that no tar reader shows to anybody: behind the end, or behind damage. */
static void read_rest(struct layer *l, struct stream *in, const char *path)
{
	const uint8_t *p;
	bool begun = false;
	size_t n;
	int r;

	while ((r = stream_next(in, &p, &n)) > 0) {
		if (!begun && (p[0] != 0 || memcmp(p, p + 1, n - 1) != 0)) {
			work_begin(l->w, CHANNEL_FILE, path);
			begun = true;
		}
		if (begun)
			work_feed(l->w, p, n);
		if (!work_output(l->w, path, 0))
			break;
	}
	if (begun)
		work_end(l->w);
	if (r < 0)
		work_skip(l->w, path, in->why);
}

static void read_tar(struct layer *l, struct stream *in)
{
	struct tar_entry e;
	int r = 0;

	l->tar = tar_open(in);
	if (l->tar == NULL) {
		work_skip(l->w, l->key, "out of memory");
		return;
	}
	while ((r = tar_next(l->tar, &e)) > 0 && take_entry(l, &e))
		;
	flush(l);
	if (r < 0)
		work_skip(l->w, l->path, tar_why(l->tar));
	if (r <= 0)
		read_rest(l, tar_rest(l->tar),
		          r < 0 ? "(behind the damage)" : "(behind the end)");
	tar_close(l->tar);
}

/* What comes out of a decompressor counts. */
struct counted {
	struct stream s;
	struct stream *in;
	struct layer *l;
};

static int counted_next(struct stream *base, const uint8_t **p, size_t *n)
{
	struct counted *c = (struct counted *)base;
	int r = stream_next(c->in, p, n);

	if (r < 0) {
		base->why = c->in->why;
	} else if (r > 0 && !work_output(c->l->w, c->l->path, *n)) {
		base->why = "too many bytes when unpacked";
		return -1;
	}
	return r;
}

static void read_content(struct layer *l, struct stream *in)
{
	struct counted c = { .s = { .next = counted_next }, .in = in, .l = l };
	const uint8_t *p;
	size_t n = stream_peek(&c.s, &p);

	if (n == 0)
		return;
	if (tar_looks(p, n) || (n == STREAM_PEEK && p[0] == 0))
		read_tar(l, &c.s);
	else
		content_read(l->w, CHANNEL_FILE, l->key, &c.s, 0);
}

static void read_packed(struct layer *l, struct stream *in)
{
	const uint8_t *p;
	size_t n = stream_peek(in, &p);
	enum unpack_kind kind = unpack_kind_of(p, n);
	struct stream *out;
	struct unpack *u;

	if (kind == UNPACK_NONE) {
		read_content(l, in);
		return;
	}
	u = unpack_open(kind, in, l->w->limits->ratio);
	if (u == NULL) {
		work_skip(l->w, l->key, "out of memory");
		return;
	}
	out = ahead_open(l->w->ahead, unpack_stream(u));
	read_content(l, out);
	ahead_close(l->w->ahead, out);
	unpack_close(u);
}

void layer_read(struct work *w, const char *key, struct stream *in, const char *digest)
{
	struct layer *l = calloc(1, sizeof(*l));
	char got[STREAM_DIGEST_LEN + 1];
	struct stream_hash h;

	if (l == NULL) {
		work_skip(w, key, "out of memory");
		return;
	}
	l->w = w;
	l->key = key;
	(void)snprintf(l->path, sizeof(l->path), "%s", key);
	w->layer = key;
	stream_hash_init(&h, in);
	read_packed(l, digest != NULL ? &h.s : in);
	if (digest != NULL && stream_drain(&h.s) == 0) {
		stream_hash_end(&h, got);
		if (strcmp(got, digest) != 0)
			work_skip(w, key, "its digest is not the one that names it");
	}
	w->layer = NULL;
	free(l);
}

void source_layer(struct work *w, const struct job *j, unsigned i)
{
	struct stream_fd s;

	stream_fd_range(&s, j->fd[i], j->offset, j->size, w->buffer, WORK_BUFFER);
	layer_read(w, j->layer != NULL ? j->layer : j->name[i], &s.s, j->digest);
}

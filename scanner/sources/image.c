/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - image archives (docker save, OCI layout).
 *
 * Where the archive can seek, its members are listed first and the layers are left to
 * other workers.  Where it cannot, small JSON documents are kept and layers are searched
 * as they pass; what they belong to is known at the end.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "image_impl.h"
#include "json_text.h"
#include "layer.h"
#include "scanner/archive/ahead.h"
#include "scanner/archive/stream.h"
#include "scanner/archive/stream_hash.h"
#include "scanner/archive/tar.h"
#include "scanner/archive/unpack.h"
#include "source.h"

bool image_digest_of(const char *name, char out[80])
{
	static const char prefix[] = "blobs/sha256/";

	if (strncmp(name, prefix, strlen(prefix)) != 0 ||
	    strlen(name) != strlen(prefix) + (size_t)2 * SHA256_BYTES)
		return false;
	(void)snprintf(out, 80, "sha256:%s", name + strlen(prefix));
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

struct member *image_member(struct image *im, const char *name)
{
	char path[MEMBER_PATH_CAP], target[MEMBER_PATH_CAP];
	struct member key = { .name = path }, *m;

	member_path(name, path);
	for (int i = 0; i < 8; i++) {
		m = im->n > 0 ? bsearch(&key, im->member, im->n, sizeof(key), by_name)
		              : NULL;
		if (m == NULL || m->link == NULL)
			return m;
		m->used = true;
		member_path_link(m->name, m->link, target);
		memcpy(path, target, sizeof(path));
	}
	return NULL;
}

static struct member *add_member(struct image *im, const struct tar_entry *e)
{
	char path[MEMBER_PATH_CAP];
	struct member *m;

	if (im->n == SCAN_BLOBS) {
		work_skip(im->w, e->name, "too many members in the image archive");
		return NULL;
	}
	if (im->n == im->cap) {
		size_t cap = im->cap * 2 + 64;

		m = realloc(im->member, cap * sizeof(*m));
		if (m == NULL)
			return NULL;
		im->member = m;
		im->cap = cap;
	}
	m = &im->member[im->n];
	memset(m, 0, sizeof(*m));
	member_path(e->name, path);
	m->name = strdup(path);
	m->link = e->kind == TAR_LINK ? strdup(e->link) : NULL;
	m->offset = e->offset;
	m->size = e->size;
	if (m->name == NULL || (e->kind == TAR_LINK && m->link == NULL)) {
		free(m->name);
		free(m->link);
		return NULL;
	}
	im->n++;
	return m;
}

static bool looks_like_json(struct stream *s)
{
	const uint8_t *p;
	size_t n = stream_peek(s, &p), i = 0;

	while (i < n && isspace(p[i]))
		i++;
	return i < n && (p[i] == '{' || p[i] == '[');
}

/* All of a small stream; NULL, and reported. */
static uint8_t *slurp(struct work *w, const char *name, struct stream *s, uint64_t size)
{
	uint8_t *text = malloc((size_t)size + 1);
	const uint8_t *p;
	size_t n, have = 0;
	int r;

	if (text == NULL) {
		work_skip(w, name, "out of memory");
		return NULL;
	}
	while ((r = stream_next(s, &p, &n)) > 0 && n <= size - have) {
		memcpy(text + have, p, n);
		have += n;
	}
	if (r == 0 && have == size)
		return text;
	work_skip(w, name, r < 0 ? s->why : "it is not as long as it says");
	free(text);
	return NULL;
}

/* A member of an archive that cannot seek: now or never. */
static void take_passing(struct image *im, struct member *m, struct stream *s)
{
	char digest[80];
	bool has = image_digest_of(m->name, digest);

	if (m->size <= im->w->limits->json && looks_like_json(s)) {
		if (im->kept + m->size > im->w->limits->json_all) {
			work_skip(im->w, m->name, "too many documents in the archive");
			return;
		}
		m->text = slurp(im->w, m->name, s, m->size);
		im->kept += m->text != NULL ? m->size : 0;
		return;
	}
	layer_read(im->w, m->name, s, has ? digest : NULL);
	m->read = true;
}

static bool take_member(struct image *im, struct tar *t, const struct tar_entry *e)
{
	struct member *m;

	if (!work_entry(im->w, e->name))
		return false;
	if (e->doubtful)
		work_skip(im->w, e->name, "its headers disagree on its size");
	if (e->kind != TAR_FILE && e->kind != TAR_LINK)
		return true;
	m = add_member(im, e);
	if (m == NULL) {
		work_skip(im->w, e->name, "out of memory");
		return false;
	}
	if (!im->seekable && m->size > 0)
		take_passing(im, m, tar_data(t));
	return !im->w->budget.over && !im->w->gone;
}

static int seek_over(void *ctx, uint64_t n)
{
	struct stream_fd *s = ctx;
	size_t here = n < s->s.rest_n ? (size_t)n : s->s.rest_n;

	/* What was read ahead when the first bytes were looked at. */
	s->s.rest += here;
	s->s.rest_n -= here;
	n -= here;
	if (n > s->left)
		return -1;
	s->at += n;
	s->left -= n;
	return 0;
}

static void list_members(struct image *im, struct stream *in, struct stream_fd *seek)
{
	struct tar *t = tar_open(in);
	struct tar_entry e;
	int r = 0;

	if (t == NULL) {
		work_skip(im->w, im->j->name[0], "out of memory");
		return;
	}
	if (im->seekable)
		tar_skip_with(t, seek_over, seek);
	while ((r = tar_next(t, &e)) > 0 && take_member(im, t, &e))
		;
	if (r < 0)
		work_skip(im->w, im->j->name[0], tar_why(t));
	tar_close(t);
}

static bool list_unpacked(struct image *im, enum unpack_kind kind, struct stream *in)
{
	struct unpack *u = unpack_open(kind, in, im->w->limits->ratio);
	struct stream *out;

	if (u == NULL)
		return false;
	out = ahead_open(im->w->ahead, unpack_stream(u));
	list_members(im, out, NULL);
	ahead_close(im->w->ahead, out);
	unpack_close(u);
	return true;
}

static void sort_members(struct image *im)
{
	if (im->n == 0)
		return;
	qsort(im->member, im->n, sizeof(im->member[0]), by_name);
	for (size_t i = 1; i < im->n; i++)
		if (strcmp(im->member[i - 1].name, im->member[i].name) == 0)
			work_skip(im->w, im->member[i].name,
			          "the archive has it twice: it is ambiguous");
}

static uint8_t *text_of(struct image *im, const struct member *m)
{
	struct stream_fd s;

	if (!im->seekable || m->size > im->w->limits->json) {
		work_skip(im->w, m->name,
		          im->seekable ? "it is too large for a document"
		                       : "it is no document");
		return NULL;
	}
	stream_fd_range(&s, im->j->fd[0], m->offset, m->size, im->w->buffer, WORK_BUFFER);
	return slurp(im->w, m->name, &s.s, m->size);
}

json_t *image_document(struct image *im, struct member *m, const char *digest)
{
	uint8_t *text = m->text != NULL ? m->text : text_of(im, m);
	char got[STREAM_DIGEST_LEN + 1];
	json_t *v;

	m->used = true;
	if (text == NULL)
		return NULL;
	stream_hash_of(text, (size_t)m->size, got);
	if (digest != NULL && strcmp(digest, got) != 0)
		work_skip(im->w, m->name, "its digest is not the one that names it");
	v = json_text_load(im->w, m->name, text, (size_t)m->size);
	if (v == NULL)
		work_text(im->w, CHANNEL_FILE, m->name, text, (size_t)m->size);
	if (text != m->text)
		free(text);
	return v;
}

/* What no manifest names is searched all the same. */
static void read_unnamed(struct image *im, struct member *m)
{
	struct json_at at;
	struct stream_fd s;
	json_t *v;

	if (m->used || m->read || m->link != NULL || m->size == 0)
		return;
	stream_fd_range(&s, im->j->fd[0], m->offset, m->size, im->w->buffer, WORK_BUFFER);
	if (m->text == NULL &&
	    (m->size > im->w->limits->json || !looks_like_json(&s.s))) {
		if (im->seekable)
			image_tell_layer(im, IMAGE_NO, 0, m, "");
		return;
	}
	v = image_document(im, m, NULL);
	if (v == NULL)
		return;
	json_at_begin(&at, im->w, m->name);
	json_text_all(&at, CHANNEL_FILE, v);
	json_decref(v);
}

static void read_image(struct image *im)
{
	sort_members(im);
	image_manifests(im);
	for (size_t i = 0; i < im->n && !im->w->gone; i++)
		read_unnamed(im, &im->member[i]);
	for (size_t i = 0; i < im->n; i++) {
		free(im->member[i].name);
		free(im->member[i].link);
		free(im->member[i].text);
	}
	free(im->member);
	json_decref(im->known);
}

void source_image(struct work *w, const struct job *j, unsigned i)
{
	struct image im = { .w = w, .j = j, .known = json_object() };
	struct stream_fd s;
	const uint8_t *p;
	enum unpack_kind kind;
	size_t n;

	source_open(w, j, i, &s);
	if (!j->streamed)
		stream_fd_range(&s, j->fd[i], 0, j->size, w->buffer, WORK_BUFFER);
	n = stream_peek(&s.s, &p);
	kind = unpack_kind_of(p, n);
	im.seekable = !j->streamed && kind == UNPACK_NONE;
	if (kind == UNPACK_NONE)
		list_members(&im, &s.s, &s);
	else if (!list_unpacked(&im, kind, &s.s))
		work_skip(w, j->name[i], "out of memory");
	read_image(&im);
}

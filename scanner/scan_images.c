/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_images.h"

#include <fcntl.h>
#include <string.h>

#include "leaktag.h"
#include "scan_images_impl.h"
#include "scanner/worker/record_finding.h"

struct image_archive *image_archive_new(struct scan *s, const char *name)
{
	struct image_archive *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->s = s;
	a->name = strdup(name);
	if (a->name == NULL) {
		free(a);
		return NULL;
	}
	a->next = s->archives;
	s->archives = a;
	return a;
}

void image_archive_free(struct image_archive *a)
{
	struct image_archive **at = &a->s->archives;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	for (size_t i = 0; i < a->images; i++) {
		free(a->image[i].name);
		free(a->image[i].layer);
	}
	for (size_t i = 0; i < a->blobs; i++) {
		free(a->blob[i].key);
		free(a->blob[i].diff_id);
		free(a->blob[i].hash);
	}
	for (size_t i = 0; i < a->findings; i++)
		free(a->finding[i].text);
	free(a->image);
	free(a->blob);
	free(a->finding);
	free(a->name);
	free(a);
}

/* Room for one more of ${n} elements of ${size}, which grow by doubling. */
static void *room(void *p, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return p;
	return realloc(p, (n != 0 ? 2 * n : 1) * size);
}

static struct archive_blob *blob_of(struct image_archive *a, const char *key)
{
	struct archive_blob *b;

	for (size_t i = 0; i < a->blobs; i++)
		if (strcmp(a->blob[i].key, key) == 0)
			return &a->blob[i];
	if (a->blobs >= SCAN_BLOBS || (b = room(a->blob, a->blobs, sizeof(*b))) == NULL)
		return NULL;
	a->blob = b;
	b = &a->blob[a->blobs];
	memset(b, 0, sizeof(*b));
	b->key = strdup(key);
	b->diff_id = strdup("");
	if (b->key == NULL || b->diff_id == NULL) {
		free(b->key);
		free(b->diff_id);
		return NULL;
	}
	a->blobs++;
	return b;
}

static void lost(struct image_archive *a, const char *what)
{
	scan_skip_add(a->s, a->name, NULL, what, "out of memory");
}

static void on_image(struct image_archive *a, const struct record *r)
{
	struct archive_image *im;

	if (r->number[0] != a->images || a->images >= SCAN_IMAGES ||
	    (im = room(a->image, a->images, sizeof(*im))) == NULL) {
		lost(a, r->text[0]);
		return;
	}
	a->image = im;
	im = &a->image[a->images];
	memset(im, 0, sizeof(*im));
	im->name = strdup(r->text[0]);
	if (im->name != NULL)
		a->images++;
}

static bool add_layer(struct archive_image *im, unsigned blob)
{
	unsigned *layer;

	if (im->n >= SCAN_IMAGE_LAYERS ||
	    (layer = room(im->layer, im->n, sizeof(*layer))) == NULL)
		return false;
	im->layer = layer;
	im->layer[im->n++] = blob;
	return true;
}

/* A worker of its own for a layer that nobody has read yet. */
static void start_layer(struct image_archive *a, const struct job *from, const char *key,
                        const struct record *r)
{
	struct job *j = job_new(FORMAT_LAYER, CHANNEL_FILE, from->source, NULL);
	int fd = fcntl(from->fd[0], F_DUPFD_CLOEXEC, 3);

	if (j == NULL || fd < 0 || !job_add(j, fd, from->name[0]) ||
	    (j->layer = strdup(key)) == NULL ||
	    (*r->text[2] != '\0' && (j->digest = strdup(r->text[2])) == NULL)) {
		lost(a, key);
		job_free(j);
		return;
	}
	j->offset = r->number[2];
	j->size = r->number[3];
	image_archive_add_job(a, j);
	a->s->progress.jobs++;
	a->s->progress.layers++;
	pool_add(a->s->pool, j);
}

static void on_layer(struct image_archive *a, const struct job *j, const struct record *r)
{
	struct archive_blob *b = blob_of(a, r->text[0]);

	if (b == NULL) {
		lost(a, r->text[0]);
		return;
	}
	if (*b->diff_id == '\0' && *r->text[1] != '\0') {
		char *id = strdup(r->text[1]);

		if (id != NULL) {
			free(b->diff_id);
			b->diff_id = id;
		}
	}
	if (r->number[0] < a->images &&
	    !add_layer(&a->image[r->number[0]], (unsigned)(b - a->blob)))
		lost(a, r->text[0]);
	if (r->number[4] == 0 || b->has_job || j->n == 0)
		return;
	b->has_job = true;
	start_layer(a, j, b->key, r);
}

static void on_entries(struct image_archive *a, const struct record *r)
{
	struct archive_blob *b = blob_of(a, r->text[0]);
	size_t n = r->bytes_n / sizeof(uint64_t);
	uint64_t *hash;

	if (n == 0)
		return;
	if (b == NULL || a->hashes + n > ARCHIVE_HASHES_MAX) {
		a->too_many = true;
		return;
	}
	if (b->n + n > b->cap) {
		size_t cap = b->n + n + b->n / 2;

		hash = realloc(b->hash, cap * sizeof(*hash));
		if (hash == NULL) {
			a->too_many = true;
			return;
		}
		b->hash = hash;
		b->cap = cap;
	}
	memcpy(b->hash + b->n, r->bytes, n * sizeof(*hash));
	b->n += n;
	a->hashes += n;
}

/* All texts of a finding in one piece of memory. */
static bool copy_texts(struct archive_finding *w)
{
	size_t path = strlen(w->at.path) + 1, source = strlen(w->at.source) + 1;
	size_t known = w->f.known != NULL ? LEAK_ID : 0;
	char *to = w->text = malloc(path + source + known + w->f.secret_n);

	if (to == NULL)
		return false;
	w->at.path = memcpy(to, w->at.path, path);
	w->at.source = memcpy(to + path, w->at.source, source);
	to += path + source;
	if (known > 0)
		w->f.known = memcpy(to, w->f.known, known);
	if (w->f.secret != NULL)
		w->f.secret = memcpy(to + known, w->f.secret, w->f.secret_n);
	return true;
}

/* True: it waits.  A finding in a configuration is in no layer. */
static bool on_finding(struct image_archive *a, const struct record *r)
{
	struct archive_finding w = { 0 }, *list;
	struct archive_blob *b;

	w.at.later = "";
	if (record_get_finding(r, &a->s->rules, &w.f, &w.at) != 0 ||
	    *w.at.layer == '\0' || a->findings >= ARCHIVE_FINDINGS_MAX)
		return false;
	b = blob_of(a, w.at.layer);
	list = b != NULL ? room(a->finding, a->findings, sizeof(w)) : NULL;
	if (list == NULL)
		return false;
	a->finding = list;
	w.blob = (unsigned)(b - a->blob);
	if (!copy_texts(&w))
		return false;
	a->finding[a->findings++] = w;
	return true;
}

bool image_archive_record(struct image_archive *a, struct job *j, const struct record *r)
{
	switch (r->type) {
	case RECORD_IMAGE:
		on_image(a, r);
		return true;
	case RECORD_LAYER:
		on_layer(a, j, r);
		return true;
	case RECORD_ENTRIES:
		on_entries(a, r);
		return true;
	case RECORD_FINDING:
		return on_finding(a, r);
	default:
		return false;
	}
}

void image_archive_add_job(struct image_archive *a, struct job *j)
{
	j->tag = a;
	a->jobs++;
}

void image_archive_job_done(struct image_archive *a)
{
	if (--a->jobs > 0)
		return;
	if (a->too_many)
		scan_skip_add(a->s, a->name, NULL, a->name,
		              "too many files to tell which ones later layers hide");
	image_archive_settle(a);
	image_archive_free(a);
}

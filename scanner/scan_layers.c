/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_layers - is a file of a layer still there in the image?  A layer above hides it by
 * a whiteout of it or of a directory around it, by making one of these opaque, or by
 * another file of the same name.
 */
#include <string.h>

#include "scan_images_impl.h"
#include "scanner/path_hash.h"

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static bool has(const struct image_archive *a, const struct archive_blob *b,
                enum entry_kind kind, const char *path, size_t n)
{
	uint64_t h = path_hash(a->s->hash_key, kind, path, n);

	return b->n > 0 && bsearch(&h, b->hash, b->n, sizeof(h), by_value) != NULL;
}

/* What one layer does to the file path[0 … n) of one below. */
static enum scan_visibility effect_on(const struct image_archive *a,
                                      const struct archive_blob *b, const char *path,
                                      size_t n)
{
	if (has(a, b, ENTRY_FILE, path, n) || has(a, b, ENTRY_DIRECTORY, path, n))
		return OVERWRITTEN;
	if (has(a, b, ENTRY_WHITEOUT, path, n))
		return DELETED;
	while (n > 0) {
		while (n > 0 && path[n - 1] != '/')
			n--;
		n -= n > 0;
		if (has(a, b, ENTRY_OPAQUE, path, n) ||
		    has(a, b, ENTRY_WHITEOUT, path, n) || has(a, b, ENTRY_FILE, path, n))
			return DELETED;
	}
	return VISIBLE;
}

/* A member of an archive ("outer!inner") lives and dies with the archive. */
static enum scan_visibility effect(const struct image_archive *a,
                                   const struct archive_blob *b, const char *path)
{
	size_t n = 0;

	do {
		enum scan_visibility v;

		n += strcspn(path + n, "!");
		v = effect_on(a, b, path, n);
		if (v != VISIBLE)
			return v;
	} while (path[n++] != '\0');
	return VISIBLE;
}

/* In one image; *later is the layer that hides it. */
static enum scan_visibility in_image(const struct image_archive *a,
                                     const struct archive_image *im, size_t from,
                                     const char *path, const char **later)
{
	for (size_t i = from + 1; i < im->n; i++) {
		const struct archive_blob *b = &a->blob[im->layer[i]];
		enum scan_visibility v = effect(a, b, path);

		if (v != VISIBLE) {
			*later = *b->diff_id != '\0' ? b->diff_id : b->key;
			return v;
		}
	}
	*later = "";
	return VISIBLE;
}

/* The image that shows most of it names the finding. */
static void settle_one(struct image_archive *a, struct archive_finding *w)
{
	const struct archive_blob *b = &a->blob[w->blob];
	bool found = false;

	w->at.layer = *b->diff_id != '\0' ? b->diff_id : b->key;
	for (size_t i = 0; i < a->images; i++) {
		const struct archive_image *im = &a->image[i];

		for (size_t k = 0; k < im->n; k++) {
			enum scan_visibility v;
			const char *later;

			if (im->layer[k] != w->blob)
				continue;
			v = in_image(a, im, k, w->at.path, &later);
			if (found && (v != VISIBLE || w->at.visibility == VISIBLE))
				continue;
			found = true;
			w->at.visibility = v;
			w->at.later = later;
			w->at.source = im->name;
		}
	}
}

void image_archive_settle(struct image_archive *a)
{
	for (size_t i = 0; i < a->blobs; i++)
		if (a->blob[i].n > 0)
			qsort(a->blob[i].hash, a->blob[i].n, sizeof(uint64_t), by_value);
	for (size_t i = 0; i < a->findings; i++) {
		settle_one(a, &a->finding[i]);
		scan_tell(a->s, &a->finding[i].f, &a->finding[i].at);
	}
}

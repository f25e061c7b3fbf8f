/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_IMAGE_IMPL_H
#define SCANNER_IMAGE_IMPL_H
/* image_impl - what the files that read image archives share; nobody else includes it. */
#include <jansson.h>

#include "scanner/archive/member_path.h"
#include "scanner/worker/work.h"

#define IMAGE_NO UINT64_MAX /* layers of no image */

/* A member of the archive. */
struct member {
	char *name; /* as member_path() makes it */
	char *link; /* what it is a link to, or NULL */
	uint64_t offset, size;
	uint8_t *text; /* a JSON document that was kept, or NULL */
	bool used;     /* named by a manifest, or read */
	bool read;     /* as a layer, when it passed by */
};

struct image {
	struct work *w;
	const struct job *j;
	bool seekable;
	struct member *member; /* sorted by name once all are known */
	size_t n, cap;
	uint64_t kept;      /* bytes of documents */
	uint64_t images;    /* told to the main process */
	json_t *known;      /* configuration's member name -> names of its layers */
	unsigned depth;     /* of indexes in indexes */
	unsigned documents; /* looked at */
};

/** image_member(im, name): by its name, links followed; NULL. */
struct member *image_member(struct image *im, const char *name);
/** image_document(im, m, digest): the JSON of a member, checked against ${digest} (or
 * NULL); NULL, and reported. */
json_t *image_document(struct image *im, struct member *m, const char *digest) MUST_CHECK;
/** image_manifests(im): read manifest.json and index.json, tell images and layers, search
 * configurations. */
void image_manifests(struct image *im);
/** image_tell(im, name, platform, config, layers): one image; ${layers} are names of
 * members (strings) with the digests that they must have, or "". */
void image_tell(struct image *im, const char *name, const char *platform,
                const char *config, const json_t *layers);
/** image_tell_layer(im, number, position, m, diff_id): a layer of image ${number}. */
void image_tell_layer(struct image *im, uint64_t number, uint64_t position,
                      const struct member *m, const char *diff_id);
/** image_digest_of(name, out): "sha256:…" of a name "blobs/sha256/…"; false. */
bool image_digest_of(const char *name, char out[80]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_IMAGES_IMPL_H
#define SCANNER_SCAN_IMAGES_IMPL_H
/* scan_images_impl - what the two files of an archive share; nobody else includes it. */
#include "scan_images.h"

#define ARCHIVE_HASHES_MAX   3000000u /* 24 MiB */
#define ARCHIVE_FINDINGS_MAX 20000u

struct archive_blob {
	char *key;      /* its name in the archive */
	char *diff_id;  /* or "" */
	uint64_t *hash; /* path_hash() of its entries; sorted at the end */
	size_t n, cap;
	bool has_job;
};

struct archive_image {
	char *name;
	unsigned *layer; /* indexes of blobs, lowest first */
	size_t n, cap;
};

/* A finding that waits. */
struct archive_finding {
	struct finding f;
	struct scan_place at; /* texts are in ${text} */
	unsigned blob;
	char *text;
};

struct image_archive {
	struct scan *s;
	struct image_archive *next; /* of the scan's */
	char *name;
	unsigned jobs;
	struct archive_image *image;
	size_t images;
	struct archive_blob *blob;
	size_t blobs;
	struct archive_finding *finding;
	size_t findings;
	size_t hashes;
	bool too_many; /* hashes: not all is known of what layers hide */
};

/** image_archive_settle(a): tell all findings with what became of their files. */
void image_archive_settle(struct image_archive *a);

#endif

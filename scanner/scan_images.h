/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_IMAGES_H
#define SCANNER_SCAN_IMAGES_H
/*
 * scan_images - what the main process knows of one image archive while workers read it:
 * its images, their layers, what each layer does to paths, and the findings, which wait
 * until it is known which of them later layers hide.
 */
#include "scan_impl.h"

struct image_archive;

/** image_archive_new(s, name): for the jobs' tag; NULL if out of memory. */
struct image_archive *image_archive_new(struct scan *s, const char *name) MUST_CHECK;
/** image_archive_free(a): without telling its findings. */
void image_archive_free(struct image_archive *a);
/** image_archive_add_job(a, j): ${j} belongs to it. */
void image_archive_add_job(struct image_archive *a, struct job *j);
/** image_archive_record(a, j, r): true: it was one for the archive. */
bool image_archive_record(struct image_archive *a, struct job *j, const struct record *r);
/** image_archive_job_done(a): after the last one it tells its findings, and is gone. */
void image_archive_job_done(struct image_archive *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SOURCE_H
#define SCANNER_SOURCE_H
/*
 * source - how each kind of job is read, in a worker.
 */
#include "scanner/worker/work.h"

/** source_run(w, j): all items of a job; what cannot be read becomes records. */
void source_run(struct work *w, const struct job *j);

struct stream_fd;
/** source_open(w, j, i, s): item ${i} as a stream through the worker's buffer. */
void source_open(struct work *w, const struct job *j, unsigned i, struct stream_fd *s);

/* The rows of source.c's table; one item each, which is item ${i} of the job. */
void source_file(struct work *w, const struct job *j, unsigned i);
void source_nul(struct work *w, const struct job *j, unsigned i);
void source_image(struct work *w, const struct job *j, unsigned i);
void source_layer(struct work *w, const struct job *j, unsigned i);
void source_container(struct work *w, const struct job *j, unsigned i);
void source_containers(struct work *w, const struct job *j, unsigned i);
void source_services(struct work *w, const struct job *j, unsigned i);
void source_configs(struct work *w, const struct job *j, unsigned i);
void source_dockerfile(struct work *w, const struct job *j, unsigned i);
void source_compose(struct work *w, const struct job *j, unsigned i);
void source_git(struct work *w, const struct job *j, unsigned i);

#endif

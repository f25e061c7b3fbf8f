/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_WORK_H
#define SCANNER_WORK_H
/*
 * work - what the parsers of a worker share: where bytes to be searched go, where what
 * could not be read is reported, and the bounds of the job.
 *
 * Lives in a worker process; nothing here opens anything.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scanner/blob.h"
#include "scanner/bounds.h"
#include "status.h"
#include "wire.h"

struct ahead;
struct scan_stream;
struct stream;

#define WORK_BUFFER (256u << 10)

/* What a job has used of its bounds. */
struct work_budget {
	uint64_t output;
	uint64_t entries;
	bool over; /* the job reads no further, and has said why */
};

struct work {
	int sock;
	struct worker_status *status;
	const struct scan_limits *limits;
	struct scan_stream *match;
	struct blob blob;    /* that is being searched */
	struct ahead *ahead; /* the helper that unpacks; NULL: none */
	uint8_t *buffer;     /* WORK_BUFFER bytes, for the one descriptor that is read */
	const uint8_t *held; /* bytes that the main process has read */
	size_t held_n;
	uint8_t hash_key[16]; /* of path_hash() */
	const struct job *job;
	const char *source; /* of what is read now, or NULL */
	const char *layer;
	uint64_t line_base; /* lines of the file before the blob */
	struct work_budget budget;
	uint64_t bytes, blobs, filtered; /* since the last RECORD_BYTES */
	bool gone;                       /* nobody listens any more */
	bool failed;                     /* the blob cannot be searched any further */
};

/** work_beat(w): say that there is progress; nearly free, and for any thread. */
void work_beat(struct work *w);
/** work_at(w, path): what is being read, for whoever finds us dead. */
void work_at(struct work *w, const char *path);

/** work_begin(w, channel, path), work_feed(), work_end(): one blob to be searched.
 * ${path} is borrowed until work_end(). */
void work_begin(struct work *w, enum scan_channel channel, const char *path);
void work_feed(struct work *w, const void *p, size_t n);
void work_end(struct work *w);
/** work_text(w, channel, path, p, n): a whole blob. */
void work_text(struct work *w, enum scan_channel channel, const char *path, const void *p,
               size_t n);
/** work_stream(w, channel, path, s): all of a stream, at most limits->file bytes if
 * ${bounded}; what is missing is reported. */
void work_stream(struct work *w, enum scan_channel channel, const char *path,
                 struct stream *s, bool bounded);

/** work_skip(w, path, why): ${path} was not scanned, or not to its end. */
void work_skip(struct work *w, const char *path, const char *why);
/** work_entry(w, path): count a member of an archive; false: no more of them. */
bool work_entry(struct work *w, const char *path);
/** work_output(w, path, n): count ${n} bytes out of a decompressor; false: no more. */
bool work_output(struct work *w, const char *path, size_t n);
/** work_send(w, r): a record of the running job. */
void work_send(struct work *w, struct record *r);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_WIRE_H
#define SCANNER_WIRE_H
/*
 * wire - what goes between the scanner's main process and its workers, one message each
 * over a SOCK_SEQPACKET pair: jobs with descriptors one way, records the other.
 *
 * The main process trusts nothing in a record but its own job number: wire_get_record()
 * checks every length, and texts are bytes to be escaped before they are shown.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "scanner/blob.h"

#define WIRE_MAX       65536u /* bytes of a message */
#define WIRE_PATH_MAX  4096u  /* of a name of an item */
#define WIRE_ITEMS_MAX 32u
#define WIRE_NAMES_MAX 32768u /* bytes of all names of a job */
#define WIRE_NUMBERS   10u
#define WIRE_TEXTS     8u

/* How a worker reads the items of a job. */
enum job_format {
	FORMAT_FILE,       /* whatever it is; archives are opened */
	FORMAT_NUL,        /* NUL-separated strings: /proc/PID/environ and cmdline */
	FORMAT_GIT,        /* git log -p */
	FORMAT_IMAGE,      /* an image archive; its layers are returned if it can seek */
	FORMAT_LAYER,      /* one layer: item 0 from offset, size bytes */
	FORMAT_CONTAINER,  /* JSON of the Docker API: containers' configuration, */
	FORMAT_SERVICES,   /* Swarm services, tasks, */
	FORMAT_CONFIGS,    /* Swarm configs */
	FORMAT_DOCKERFILE, /* text, and the files that it copies are named */
	FORMAT_COMPOSE,    /* text, and the files that it refers to are named */
	FORMAT_CONTAINERS, /* JSON of the Docker API: a list of containers, which are
	                      named */
	FORMAT__MAX
};

/* An item whose bytes are held, see held.h. */
struct job_span {
	uint32_t at, n;
};

struct held;
struct job {
	uint32_t id; /* given by the pool */
	enum job_format format;
	enum scan_channel channel;
	unsigned n;             /* items */
	int fd[WIRE_ITEMS_MAX]; /* -1: there is a span instead */
	struct job_span span[WIRE_ITEMS_MAX];
	char *name[WIRE_ITEMS_MAX];
	size_t names_len;
	char *source;    /* image, container, repository …; or NULL */
	char *layer;     /* diff_id, or NULL */
	char *digest;    /* what the bytes must hash to ("sha256:…"), or NULL */
	uint64_t offset; /* FORMAT_LAYER */
	uint64_t size;
	bool streamed; /* item 0 is a pipe: it may be slow, and cannot be read twice */
	struct held *held; /* where its spans are, in one slot; or NULL */
	unsigned slot;
	size_t slot_n; /* bytes in it */
	void *tag;     /* the submitter's own; borrowed */
	struct job *next;
};

enum record_type {
	RECORD_FINDING, /* see record_finding.h */
	RECORD_SKIPPED, /* texts: path, layer, reason */
	RECORD_BYTES,   /* numbers: bytes and blobs scanned, and candidates that were
	                   filtered and are not told, since the last one */
	RECORD_IMAGE,   /* numbers: image; texts: name, platform, digest */
	RECORD_LAYER, /* numbers: image, position, offset, size, known place; texts: blob,
	                 diff_id, digest */
	RECORD_ENTRIES,   /* texts: layer; bytes: struct wire_entry … */
	RECORD_REFERENCE, /* texts: a file that the item refers to, or a container in a
	                     list */
	RECORD_SANDBOX,   /* texts: what this kernel does not have */
	RECORD_DONE,      /* the job is done */
	RECORD__MAX
};

struct record {
	enum record_type type;
	uint32_t job;
	uint64_t number[WIRE_NUMBERS];
	const char *text[WIRE_TEXTS]; /* never NULL; borrowed */
	const void *bytes;
	size_t bytes_n;
};

/* What a layer does to a path, as a keyed hash of kind and path. */
enum entry_kind { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_WHITEOUT, ENTRY_OPAQUE };

/** job_new(format, channel, source, layer): without items; NULL if out of memory. */
struct job *job_new(enum job_format format, enum scan_channel channel, const char *source,
                    const char *layer) MUST_CHECK;
/** job_add(j, fd, name): another item; takes ${fd}, also on failure.  False: the job is
 * full, the name is too long, or memory is. */
bool job_add(struct job *j, int fd, const char *name) MUST_CHECK;
/** job_add_span(j, span, name): the same of one that is held. */
bool job_add_span(struct job *j, struct job_span span, const char *name) MUST_CHECK;
/** job_fits(j, name): would job_add() take it? */
bool job_fits(const struct job *j, const char *name) MUST_CHECK;
/** job_free(j): closes its descriptors; NULL is allowed. */
void job_free(struct job *j);

/** wire_send_job(sock, j, e): one message, the descriptors attached and still ours. */
int wire_send_job(int sock, const struct job *j, struct err *e) MUST_CHECK;
/** wire_recv_job(sock, out, e): *out is the caller's.  ERR_UNREACHABLE at the end. */
int wire_recv_job(int sock, struct job **out, struct err *e) MUST_CHECK;

/** wire_send_record(sock, r): texts that are NULL are sent as empty, texts that do not
 * fit are cut.  -1 if the main process has gone. */
int wire_send_record(int sock, const struct record *r) MUST_CHECK;
/** wire_get_record(p, n, r): ${r} points into ${p}; -1 if it is no record. */
int wire_get_record(const void *p, size_t n, struct record *r) MUST_CHECK;

#endif

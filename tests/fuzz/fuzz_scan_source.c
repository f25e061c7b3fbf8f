/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan_source - all that a worker of the scanner parses: files and archives in each
 * other, image archives with their manifests, layers, JSON of the Docker API, git's
 * output, Compose files and Dockerfiles.
 *
 * The first byte says which.  The engine is one of this file, which wants blobs to begin
 * and end in turn; what goes to the main process is read as that would.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "scanner/match/scan_stream.h"
#include "scanner/sources/source.h"
#include "scanner/worker/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scan_stream {
	bool open;
	uint64_t sum;
	unsigned char room[700];
};

int scan_stream_begin(struct scan_stream *s, const struct blob *b)
{
	if (s->open || b->path == NULL || b->channel >= CHANNEL__MAX)
		abort();
	s->open = true;
	s->sum += strlen(b->path) + (b->source != NULL ? strlen(b->source) : 0) +
	          (b->layer != NULL ? strlen(b->layer) : 0);
	return ERR_OK;
}

int scan_stream_feed(struct scan_stream *s, const unsigned char *p, size_t n)
{
	if (!s->open)
		abort();
	/* Every byte is looked at: a sanitizer sees what may not be. */
	for (size_t i = 0; i < n; i++)
		s->sum += p[i];
	return ERR_OK;
}

int scan_stream_whole(struct scan_stream *s, const unsigned char *p, size_t n)
{
	return scan_stream_feed(s, p, n);
}

unsigned char *scan_stream_room(struct scan_stream *s, size_t *n)
{
	*n = sizeof(s->room);
	return s->room;
}

int scan_stream_filled(struct scan_stream *s, size_t n)
{
	return scan_stream_feed(s, s->room, n);
}

int scan_stream_end(struct scan_stream *s)
{
	if (!s->open)
		abort();
	s->open = false;
	return ERR_OK;
}

void scan_stream_untold(const struct scan_stream *s, struct scan_untold *out)
{
	(void)s;
	*out = (struct scan_untold){ 0 };
}

static int records[2] = { -1, -1 };

static void *read_records(void *arg)
{
	static char message[WIRE_MAX];
	struct record r;

	(void)arg;
	for (;;) {
		ssize_t n = recv(records[0], message, sizeof(message), 0);

		if (n <= 0 || wire_get_record(message, (size_t)n, &r) != 0)
			abort();
	}
	return NULL;
}

static void start_once(void)
{
	pthread_t thread;

	if (records[0] >= 0)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, records) != 0 ||
	    pthread_create(&thread, NULL, read_records, NULL) != 0 ||
	    pthread_detach(thread) != 0)
		abort();
}

/* The input as a file, or through a stream. */
static struct job *make_job(uint8_t kind, const uint8_t *data, size_t size)
{
	enum job_format format = (enum job_format)(kind % FORMAT__MAX);
	struct job *j = job_new(format, CHANNEL_FILE, "source", NULL);
	int fd = memfd_create("input", 0);

	if (j == NULL || fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    lseek(fd, 0, SEEK_SET) != 0 || !job_add(j, fd, "dir/name"))
		abort();
	j->streamed = kind & 0x80 && format != FORMAT_LAYER;
	j->size = size;
	if (kind & 0x40)
		j->digest = strdup("sha256:00");
	return j;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scan_limits limits = { .output = 4u << 20,
		                                   .file = 1u << 20,
		                                   .entries = 1000,
		                                   .ratio = 200,
		                                   .depth = 3,
		                                   .json = 64u << 10,
		                                   .json_all = 128u << 10 };
	static uint8_t buffer[WORK_BUFFER];
	static struct worker_status status;
	struct scan_stream match = { 0 };
	struct work w = {
		.status = &status, .limits = &limits, .match = &match, .buffer = buffer
	};
	struct job *j;

	if (size < 1)
		return 0;
	start_once();
	j = make_job(data[0], data + 1, size - 1);
	w.sock = records[1];
	w.job = j;
	w.source = j->source;
	source_run(&w, j);
	if (match.open || w.gone)
		abort();
	job_free(j);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include <stdio.h>
#include <string.h>

#include "scanner/archive/stream.h"
#include "scanner/match/scan_stream.h"

#define REPORT_EVERY (32u << 20) /* bytes between two records for the progress bar */

void work_beat(struct work *w)
{
	atomic_fetch_add_explicit(&w->status->beats, 1, memory_order_relaxed);
}

void work_at(struct work *w, const char *path)
{
	size_t n = strnlen(path, STATUS_PATH_MAX - 1);

	memcpy(w->status->path, path, n);
	w->status->path[n] = '\0';
	work_beat(w);
}

void work_send(struct work *w, struct record *r)
{
	r->job = w->job->id;
	if (!w->gone && wire_send_record(w->sock, r) != 0)
		w->gone = true;
}

static void report_bytes(struct work *w)
{
	struct record r = {
		.type = RECORD_BYTES, .number = {w->bytes, w->blobs, w->filtered}
	};

	w->bytes = w->blobs = w->filtered = 0;
	work_send(w, &r);
}

void work_skip(struct work *w, const char *path, const char *why)
{
	struct record r = {
		.type = RECORD_SKIPPED, .text = {path, w->layer, why}
	};

	work_send(w, &r);
}

bool work_entry(struct work *w, const char *path)
{
	work_beat(w);
	if (w->budget.over)
		return false;
	if (++w->budget.entries <= w->limits->entries)
		return true;
	w->budget.over = true;
	work_skip(w, path, "too many members: the rest was not scanned");
	return false;
}

bool work_output(struct work *w, const char *path, size_t n)
{
	work_beat(w);
	if (w->budget.over)
		return false;
	w->budget.output += n;
	if (w->budget.output <= w->limits->output)
		return true;
	w->budget.over = true;
	work_skip(w, path, "too many bytes when unpacked: the rest was not scanned");
	return false;
}

void work_begin(struct work *w, enum scan_channel channel, const char *path)
{
	w->blob = (struct blob){ .channel = channel,
		                 .path = path,
		                 .source = w->source,
		                 .layer = w->layer,
		                 .binary_ok = false };
	work_at(w, path);
	w->blobs++;
	w->failed = scan_stream_begin(w->match, &w->blob) != 0;
}

/* ${n} bytes more have been searched, or not: ${rc}. */
static void count(struct work *w, size_t n, int rc)
{
	w->failed |= rc != ERR_OK;
	w->bytes += n;
	if (w->bytes >= REPORT_EVERY)
		report_bytes(w);
}

void work_feed(struct work *w, const void *p, size_t n)
{
	work_beat(w);
	count(w, n, n > 0 && !w->failed ? scan_stream_feed(w->match, p, n) : ERR_OK);
}

void work_end(struct work *w)
{
	struct scan_untold untold;
	char why[160];

	if (scan_stream_end(w->match) != 0 || w->failed)
		work_skip(w, w->status->path, "it could not be searched to its end");
	scan_stream_untold(w->match, &untold);
	w->filtered += untold.dropped;
	if (untold.costly != NULL) {
		(void)snprintf(
			why, sizeof(why),
			"rule %s takes too many steps: it was not tried everywhere",
			untold.costly->id);
		work_skip(w, w->blob.path, why);
	}
	if (untold.encoded > 0) {
		(void)snprintf(why, sizeof(why),
		               "too much in it is encoded: %llu bytes were not decoded",
		               (unsigned long long)untold.encoded);
		work_skip(w, w->blob.path, why);
	}
}

void work_text(struct work *w, enum scan_channel channel, const char *path, const void *p,
               size_t n)
{
	work_begin(w, channel, path);
	work_beat(w);
	count(w, n, n > 0 && !w->failed ? scan_stream_whole(w->match, p, n) : ERR_OK);
	work_end(w);
}

/* The next piece, of at most ${left} bytes, read to where it is searched, as a copy takes
 * 2 % of the time of all that is done with it.  False: it has to be fed; else ${more} is
 * as of stream_next(). */
static bool read_piece(struct work *w, struct stream *s, uint64_t *left, int *more)
{
	size_t room = 0, n;
	uint8_t *p = w->failed ? NULL : scan_stream_room(w->match, &room);

	room = room < *left ? room : (size_t)*left;
	if (p == NULL || room < STREAM_PEEK)
		return false;
	*more = stream_fill(s, p, room, &n);
	if (*more > 0) {
		work_beat(w);
		count(w, n, scan_stream_filled(w->match, n));
		*left -= n;
	}
	return true;
}

/* The next piece, fed; ${over}: there is more than ${left}. */
static int feed_piece(struct work *w, struct stream *s, uint64_t *left, bool *over)
{
	const uint8_t *p;
	size_t n;
	int more = stream_next(s, &p, &n);

	if (more <= 0)
		return more;
	*over = n > *left;
	n = *over ? (size_t)*left : n;
	work_feed(w, p, n);
	*left -= n;
	return 1;
}

void work_stream(struct work *w, enum scan_channel channel, const char *path,
                 struct stream *s, bool bounded)
{
	uint64_t left = bounded ? w->limits->file : UINT64_MAX;
	bool over = false;
	int more = 1;

	work_begin(w, channel, path);
	while (more > 0 && !over)
		if (!read_piece(w, s, &left, &more))
			more = feed_piece(w, s, &left, &over);
	work_end(w);
	if (more < 0)
		work_skip(w, path, s->why);
	else if (more > 0)
		work_skip(w, path, "larger than what is scanned of one member");
}

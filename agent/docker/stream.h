/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_STREAM_H
#define AGENT_DOCKER_STREAM_H
/*
 * stream - what the Engine sends piece by piece: JSON objects one after the other, and
 * the output of a command with its two streams interleaved.  Pure; memory is bounded
 * whatever comes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cuts objects out of a stream without parsing them: of a sequence (level 0), or of an
 * array (level 1). */
struct json_split {
	size_t max;     /* bytes of an object; longer ones are left out */
	unsigned level; /* how deep in brackets objects begin */
	size_t depth;
	char first; /* byte of the stream that is no blank; 0: there was none */
	bool in_string;
	bool escaped;
	bool inside;  /* an object */
	bool dropped; /* this one, for its length or for lack of memory */
	char *p;
	size_t n, cap;
};

/* ${text} is borrowed; NULL: there was an object that is left out. */
typedef void (*json_split_fn)(void *ctx, const char *text, size_t n);

/** json_split_feed(s, p, n, each, ctx): go on with the next ${n} bytes. */
void json_split_feed(struct json_split *s, const char *p, size_t n, json_split_fn each,
                     void *ctx);
/** json_split_free(s): also what is unfinished; ${s} is at the beginning again. */
void json_split_free(struct json_split *s);

/* Takes apart "{stream, 0, 0, 0, length} bytes" frames of stdout and stderr, and keeps
 * the first bytes of both in the order in which they came. */
struct demux {
	unsigned char head[8];
	size_t n_head;
	uint32_t left; /* of the frame */
	char *p;
	size_t n;
	size_t max; /* bytes that are kept */
	bool cut;   /* there was more */
};

/** demux_feed(d, p, n): false: this is no such stream, or out of memory. */
bool demux_feed(struct demux *d, const char *p, size_t n);
/** demux_free(d): nothing was received. */
void demux_free(struct demux *d);

#endif

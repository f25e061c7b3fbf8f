/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_TRANSCODE_H
#define SCANNER_TRANSCODE_H
/*
 * transcode - a stream of UTF-16 or UTF-32 as UTF-8.
 *
 * What stands for no character becomes U+FFFD; a byte order mark is left out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum transcode_form {
	TRANSCODE_NONE, /* bytes as they are */
	TRANSCODE_UTF16LE,
	TRANSCODE_UTF16BE,
	TRANSCODE_UTF32LE,
	TRANSCODE_UTF32BE,
};

#define TRANSCODE_LOOK 4096u /* bytes that tell the form, or all if there are fewer */

struct transcode {
	enum transcode_form form;
	unsigned char left[4]; /* of a unit that is not complete */
	unsigned left_n;
	uint32_t high; /* the first half of a pair; 0: none */
	bool begun;
};

/** transcode_detect(p, n): the form of a stream that begins so: by its byte order mark,
 * or because every other byte of much text is NUL. */
enum transcode_form transcode_detect(const unsigned char *p, size_t n);

/** transcode_name(form): "utf16le" …; "" for TRANSCODE_NONE. */
const char *transcode_name(enum transcode_form form);

/** TRANSCODE_ROOM(n): bytes that ${n} bytes become at most. */
#define TRANSCODE_ROOM(n) ((n) / 2 * 3 + 8)

/** transcode_run(t, p, n, out): the next ${n} bytes; how many were written to ${out}.
 * ${t} begins as { .form = … }. */
size_t transcode_run(struct transcode *t, const unsigned char *p, size_t n,
                     unsigned char *out);
#endif

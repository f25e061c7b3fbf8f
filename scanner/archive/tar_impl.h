/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_TAR_IMPL_H
#define SCANNER_TAR_IMPL_H
/* tar_impl - what the two files of the tar reader share; nobody else includes it. */
#include "tar.h"

#define TAR_BLOCK     512u
#define TAR_OCTAL_MAX (UINT64_C(1) << 33) /* what eleven octal digits cannot say */

struct tar {
	struct stream *in;
	const uint8_t *piece; /* what is left of the stream's last piece */
	size_t piece_n;
	uint64_t at;       /* bytes taken */
	uint64_t left;     /* of the entry's data */
	uint64_t pad;      /* behind it */
	uint64_t extended; /* bytes of extended headers before this entry */
	uint8_t block[TAR_BLOCK];
	char name[SCAN_TAR_NAME + 1];
	char link[SCAN_TAR_NAME + 1];
	uint64_t pax_size, pax_real;
	bool have_name, have_link, have_size, have_real;
	bool failed;
	struct stream data;
	int (*skip)(void *ctx, uint64_t n);
	void *skip_ctx;
	const char *why;
};

/** tar_extended(t): take the extended header that t->block begins. */
int tar_extended(struct tar *t) MUST_CHECK;
/** tar_read(t, out, n): exactly ${n} bytes; 1, or -1. */
int tar_read(struct tar *t, void *out, size_t n) MUST_CHECK;
/** tar_pass(t, n): pass over ${n} bytes. */
int tar_pass(struct tar *t, uint64_t n) MUST_CHECK;
/** tar_fail(t, why): remember; -1. */
int tar_fail(struct tar *t, const char *why);
/** tar_number(p, n): a field of octal digits, or GNU's binary form; -1. */
int64_t tar_number(const uint8_t *p, size_t n);

#endif

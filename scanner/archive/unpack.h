/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_UNPACK_H
#define SCANNER_UNPACK_H
/*
 * unpack - decompressors as streams over streams: gzip (ISA-L), zstd, xz.
 *
 * Members and frames that follow each other are one stream.  Window and memory are
 * bounded, and so is the ratio: ${ratio} bytes for each byte of input and of the first
 * MiB, which a small file of zeroes may use.
 */
#include "scanner/bounds.h"
#include "stream.h"

enum unpack_kind { UNPACK_NONE, UNPACK_GZIP, UNPACK_ZSTD, UNPACK_XZ };

struct unpack;

/** unpack_kind_of(p, n): by the first bytes. */
enum unpack_kind unpack_kind_of(const uint8_t *p, size_t n);
/** unpack_open(kind, in, ratio): reads from ${in}, which stays the caller's; NULL if out
 * of memory. */
struct unpack *unpack_open(enum unpack_kind kind, struct stream *in, uint64_t ratio)
	MUST_CHECK;
/** unpack_stream(u): what comes out. */
struct stream *unpack_stream(struct unpack *u);
/** unpack_close(u): NULL is allowed. */
void unpack_close(struct unpack *u);

#endif

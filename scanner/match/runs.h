/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RUNS_H
#define SCANNER_RUNS_H
/*
 * runs - the line ends of a text, and its long runs of characters that tokens are made
 * of, in blocks of 64 bytes.  Runs without a digit or a capital are names: a token of 20
 * letters and digits is one in 30 million times.
 */
#include <stddef.h>
#include <stdint.h>

#define RUNS_BLOCK ((size_t)64)

/* Runs that are long in a block, and have a digit or a capital there or in the block
 * before: from the first byte of the first one, or 0 if that began before the block, to
 * the last byte of the last one.  RUNS_NONE: there is none. */
#define RUNS_NONE 255u
struct runs_long {
	uint8_t first, last;
};

/* Of one block. */
struct runs_block {
	struct runs_long run;  /* RULE_RUN_… */
	struct runs_long wide; /* RULE_WIDE_…, which are of those */
};

/* Of all blocks, for which there is room. */
struct runs {
	uint64_t *lines;          /* line feeds of each, from the lowest bit on */
	uint64_t *some;           /* a bit for each: it has a run … */
	struct runs_block *block; /* … and these; what others have here is void */
};

/** runs_find(p, n, out): for RUNS_BLOCK bytes each, begun or whole. */
void runs_find(const unsigned char *p, size_t n, const struct runs *out);

/** runs_lines(lines, n): how many there are in the first ${n} bytes. */
size_t runs_lines(const uint64_t *lines, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RUNS_H
#define SCANNER_RUNS_H
/*
 * runs - the line ends of a text, and its long runs of characters that tokens are made
 * of, in blocks of 64 bytes.
 */
#include <stddef.h>
#include <stdint.h>

#define RUNS_BLOCK ((size_t)64)

/* Where the run that makes a block count begins in it; or there is none in it. */
#define RUNS_NONE 255u

/* Of one block. */
struct runs_block {
	uint64_t lines; /* line feeds, from the lowest bit on */
	/* Offset of the first byte of a run that grows long in this block: RULE_RUN_… and
	 * RULE_WIDE_…; 0 if it began before the block. */
	uint8_t run, wide;
};

/** runs_find(p, n, out): one of ${out} per RUNS_BLOCK bytes, begun or whole. */
void runs_find(const unsigned char *p, size_t n, struct runs_block *out);
/** runs_find_plain(p, n, out): the same without vector instructions. */
void runs_find_plain(const unsigned char *p, size_t n, struct runs_block *out);

#endif

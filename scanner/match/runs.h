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
	uint64_t lines;        /* line feeds, from the lowest bit on */
	struct runs_long run;  /* RULE_RUN_… */
	struct runs_long wide; /* RULE_WIDE_… */
};

/** runs_find(p, n, out): one of ${out} per RUNS_BLOCK bytes, begun or whole. */
void runs_find(const unsigned char *p, size_t n, struct runs_block *out);
/** runs_find_plain(p, n, out): the same without vector instructions. */
void runs_find_plain(const unsigned char *p, size_t n, struct runs_block *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLANES_H
#define PLANES_H
/* planes - what 64 bytes are, a word of bits for each thing that they may be, on any
 * processor. */
#include <stddef.h>
#include <stdint.h>

#define PLANES       8u
#define PLANES_BYTES 64u

/** planes_of(table, p, out): bit i of ${out}[k] is bit k of what ${table} has for byte i
 * of PLANES_BYTES. */
void planes_of(const uint8_t table[256], const unsigned char *p, uint64_t out[PLANES]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* planes - eight squares of 8 x 8 bits, each turned by itself, and then their rows
 * (Warren, Hacker's Delight, 7-3). */
#include "planes.h"

#include <string.h>

/* Swaps the bits of ${mask} with those ${n} further on. */
static inline uint64_t swap(uint64_t x, uint64_t mask, unsigned n)
{
	const uint64_t differ = (x >> n ^ x) & mask;

	return x ^ differ ^ differ << n;
}

/* Bit k of byte i becomes bit i of byte k. */
static inline uint64_t turn(uint64_t x)
{
	x = swap(x, 0x00aa00aa00aa00aa, 7);
	x = swap(x, 0x0000cccc0000cccc, 14);
	return swap(x, 0x00000000f0f0f0f0, 28);
}

static inline uint64_t look_up(const uint8_t table[256], const unsigned char *p)
{
	uint64_t x = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		x |= (uint64_t)table[p[i]] << 8 * i;
	return x;
}

/* Swaps the bits of ${mask} in ${b} with those ${n} further on in ${a}. */
static inline void exchange(uint64_t *a, uint64_t *b, uint64_t mask, unsigned n)
{
	const uint64_t differ = (*a >> n ^ *b) & mask;

	*b ^= differ;
	*a ^= differ << n;
}

/* Byte k of word i becomes byte i of word k. */
static inline void turn_bytes(uint64_t x[PLANES])
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < 4; i++)
		exchange(&x[i], &x[i + 4], 0x00000000ffffffff, 32);
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i += i % 4 == 1 ? 3 : 1)
		exchange(&x[i], &x[i + 2], 0x0000ffff0000ffff, 16);
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i += 2)
		exchange(&x[i], &x[i + 1], 0x00ff00ff00ff00ff, 8);
}

void planes_of(const uint8_t table[256], const unsigned char *p, uint64_t out[PLANES])
{
	uint64_t x[PLANES];

#pragma GCC unroll 8
	for (unsigned i = 0; i < PLANES; i++)
		x[i] = turn(look_up(table, p + (size_t)8 * i));
	turn_bytes(x);
	memcpy(out, x, sizeof(x));
}

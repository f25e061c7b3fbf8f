/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_BYTES_H
#define AGENT_BYTES_H
/* bytes - putting together small messages that are signed or hashed. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** bytes_put(at, p, n): copy and return the end. */
static inline unsigned char *bytes_put(unsigned char *at, const void *p, size_t n)
{
	memcpy(at, p, n);
	return at + n;
}

/** bytes_put_u64be(at, n): eight bytes, the highest first. */
static inline unsigned char *bytes_put_u64be(unsigned char *at, uint64_t n)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		*at++ = (unsigned char)(n >> shift);
	return at;
}

#endif

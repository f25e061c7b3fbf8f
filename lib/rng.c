/* SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <sodium.h>
#include <string.h>

#define BUFFER 1024u
#define LARGE 128u /* larger requests are not buffered */

static unsigned char buffer[BUFFER];
static size_t left;

void rng_bytes(void *p, size_t n)
{
	if (n > LARGE) {
		randombytes_buf(p, n);
		return;
	}
	if (n > left) {
		randombytes_buf(buffer, sizeof(buffer));
		left = sizeof(buffer);
	}
	left -= n;
	memcpy(p, buffer + left, n);
	sodium_memzero(buffer + left, n);
}

void rng_forget(void)
{
	sodium_memzero(buffer, sizeof(buffer));
	left = 0;
}

void rng_uuid4(char out[37])
{
	static const char digit[] = "0123456789abcdef";
	unsigned char b[16];
	size_t at = 0;

	rng_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		out[at++] = digit[b[i] >> 4];
		out[at++] = digit[b[i] & 15];
	}
	out[at] = '\0';
}

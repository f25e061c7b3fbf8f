/* SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#include "text.h"

#define BUFFERED 1024u
#define LARGE    256u /* a request above this size is worth its own system call */

/* All in one page that reads as zeroes after fork(): a child finds nothing buffered. */
struct reserve {
	size_t left;
	unsigned char bytes[BUFFERED];
};

static _Thread_local struct reserve *reserve;

static struct reserve *reserve_new(void)
{
	size_t size = sizeof(struct reserve);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	               -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, size, MADV_WIPEONFORK) != 0 ||
	    madvise(p, size, MADV_DONTDUMP) != 0) {
		munmap(p, size);
		return NULL;
	}
	(void)mlock(p, size);
	return p;
}

void rng_bytes(void *p, size_t n)
{
	unsigned char *from;

	if (reserve == NULL)
		reserve = reserve_new();
	if (reserve == NULL || n > LARGE) {
		randombytes_buf(p, n);
		return;
	}
	if (n > reserve->left) {
		randombytes_buf(reserve->bytes, BUFFERED);
		reserve->left = BUFFERED;
	}
	from = reserve->bytes + BUFFERED - reserve->left;
	memcpy(p, from, n);
	sodium_memzero(from, n);
	reserve->left -= n;
}

void rng_forget(void)
{
	if (reserve != NULL)
		sodium_memzero(reserve, sizeof(*reserve));
}

void rng_uuid4(char out[37])
{
	static const unsigned char dash_before[] = { 4, 6, 8, 10 };
	unsigned char raw[16];
	char hex[33];
	size_t at = 0, dash = 0;

	rng_bytes(raw, sizeof(raw));
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	text_hex(raw, sizeof(raw), hex);
	for (size_t i = 0; i < sizeof(raw); i++) {
		if (dash < sizeof(dash_before) && i == dash_before[dash]) {
			out[at++] = '-';
			dash++;
		}
		memcpy(out + at, hex + 2 * i, 2);
		at += 2;
	}
	out[at] = '\0';
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "keymem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define UNIT    16u
#define CLASSES 65u /* of 1 to 64 units; all larger blocks share the first list */

/* A free block holds this and zeroes. */
struct hole {
	struct hole *next;
	size_t size;
};

static struct {
	unsigned char *area;
	size_t used;
	struct hole *holes[CLASSES];
	const char *mode;
} km = { .mode = "unlocked" };

static size_t rounded(size_t n)
{
	return n == 0 ? UNIT : (n + UNIT - 1) / UNIT * UNIT;
}

static struct hole **holes_of(size_t size)
{
	return &km.holes[size / UNIT < CLASSES ? size / UNIT : 0];
}

/* The kernel's own mapping does not have these pages; nor can root read them from
 * outside. */
static bool map_secret(unsigned char *at)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	return fd >= 0 && ftruncate(fd, KEYMEM_MAX) == 0 &&
	       mmap(at, KEYMEM_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	            0) == at;
}

static bool map_plain(unsigned char *at)
{
	return mmap(at, KEYMEM_MAX, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
}

/* An address range with an inaccessible page on either side of the area. */
static unsigned char *reserve(size_t page)
{
	unsigned char *p = mmap(NULL, KEYMEM_MAX + 2 * page, PROT_NONE,
	                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p + page;
}

static int refuse(struct err *e)
{
	struct rlimit lim = { 0, 0 };

	(void)getrlimit(RLIMIT_MEMLOCK, &lim);
	return err_set(
		e, ERR_NOMEM,
		"cannot lock %u KiB of memory for keys: the limit (ulimit -l, "
		"LimitMEMLOCK=) is %llu KiB; raise it to at least %u, or start with "
		"--allow-unlocked",
		KEYMEM_MAX / 1024, (unsigned long long)lim.rlim_cur / 1024,
		KEYMEM_MAX / 1024 + 64);
}

static int protect(unsigned char *area, const char *mode, struct err *e)
{
	bool secret = strcmp(mode, "secret") == 0;

	if (madvise(area, KEYMEM_MAX, MADV_DONTFORK) != 0)
		return err_sys(e, ERR_NOMEM, errno, "key memory: MADV_DONTFORK");
	/* Secret memory is never dumped, and old kernels refuse to be told so again. */
	if (madvise(area, KEYMEM_MAX, MADV_DONTDUMP) != 0 && !secret)
		return err_sys(e, ERR_NOMEM, errno, "key memory: MADV_DONTDUMP");
	return ERR_OK;
}

int keymem_init(bool allow_unlocked, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const char *mode = "secret";
	unsigned char *area;
	int rc;

	if (km.area != NULL)
		return ERR_OK;
	area = reserve(page);
	if (area == NULL)
		return err_sys(e, ERR_NOMEM, errno, "key memory");
	if (!map_secret(area)) {
		mode = "locked";
		if (!map_plain(area))
			return err_sys(e, ERR_NOMEM, errno, "key memory");
		if (mlock(area, KEYMEM_MAX) != 0) {
			mode = "unlocked";
			if (!allow_unlocked) {
				munmap(area - page, KEYMEM_MAX + 2 * page);
				return refuse(e);
			}
		}
	}
	if ((rc = protect(area, mode, e)) != ERR_OK)
		return rc;
	km.area = area;
	km.mode = mode;
	return ERR_OK;
}

void *keymem_alloc(size_t n)
{
	size_t size = rounded(n);
	struct hole **at, *h;
	void *p;

	if (km.area == NULL || n > KEYMEM_MAX)
		return NULL;
	for (at = holes_of(size); (h = *at) != NULL; at = &h->next) {
		if (h->size != size)
			continue;
		*at = h->next;
		sodium_memzero(h, sizeof(*h));
		return h;
	}
	if (size > KEYMEM_MAX - km.used)
		return NULL;
	p = km.area + km.used;
	km.used += size;
	return p;
}

void keymem_free(void *p, size_t n)
{
	size_t size = rounded(n);
	struct hole **at, *h = p;

	if (p == NULL)
		return;
	sodium_memzero(p, size);
	at = holes_of(size);
	h->size = size;
	h->next = *at;
	*at = h;
}

const char *keymem_mode(void)
{
	return km.mode;
}

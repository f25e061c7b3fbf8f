/* SPDX-License-Identifier: Apache-2.0 */
#include "held.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

struct held {
	int fd;
	uint8_t *p;
	unsigned n; /* slots */
	bool taken[];
};

/* The only mapping that can be written to is the main process's, which no child has. */
static bool map(struct held *h)
{
	const size_t size = (size_t)h->n * HELD_SLOT;

	if (ftruncate(h->fd, (off_t)size) != 0)
		return false;
	h->p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	return h->p != MAP_FAILED && madvise(h->p, size, MADV_DONTFORK) == 0 &&
	       madvise(h->p, size, MADV_DONTDUMP) == 0 &&
	       fcntl(h->fd, F_ADD_SEALS,
	             F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
	               0;
}

struct held *held_new(unsigned slots)
{
	struct held *h = calloc(1, sizeof(*h) + slots * sizeof(h->taken[0]));

	if (h == NULL)
		return NULL;
	h->n = slots;
	h->p = MAP_FAILED;
	h->fd = memfd_create("vault-scan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (h->fd >= 0 && map(h))
		return h;
	held_free(h);
	return NULL;
}

void held_free(struct held *h)
{
	if (h == NULL)
		return;
	if (h->p != MAP_FAILED)
		(void)munmap(h->p, (size_t)h->n * HELD_SLOT);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

const uint8_t *held_map(const struct held *h, size_t *n)
{
	const size_t size = (size_t)h->n * HELD_SLOT;
	const uint8_t *p = mmap(NULL, size, PROT_READ, MAP_SHARED, h->fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	*n = size;
	return p;
}

/* The first slot that is free, as the others may never have been touched. */
static bool take(struct held *h, struct job *j)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (h->taken[i])
			continue;
		h->taken[i] = true;
		j->held = h;
		j->slot = i;
		j->slot_n = 0;
		return true;
	}
	return false;
}

void held_give_back(struct job *j)
{
	struct held *h = j->held;

	if (h == NULL)
		return;
	/* Not for longer than it is needed. */
	sodium_memzero(h->p + (size_t)j->slot * HELD_SLOT, j->slot_n);
	h->taken[j->slot] = false;
	j->held = NULL;
}

bool held_fits(const struct job *j, uint64_t size)
{
	return j->held == NULL || size > HELD_FILE || size < HELD_SLOT - j->slot_n;
}

/* Sizes are what a file system says: one byte more is asked for, and not to be there. */
bool held_add(struct held *h, struct job *j, int fd, uint64_t size, const char *name)
{
	struct job_span span = { .n = (uint32_t)size };
	struct iovec room = { .iov_len = (size_t)size + 1 };
	ssize_t n;

	if (size > HELD_FILE || (j->held == NULL && !take(h, j)))
		return false;
	span.at = (uint32_t)(j->slot * HELD_SLOT + j->slot_n);
	room.iov_base = h->p + span.at;
	n = preadv2(fd, &room, 1, 0, RWF_NOWAIT);
	if (n != (ssize_t)size || !job_add_span(j, span, name)) {
		if (n > 0)
			sodium_memzero(room.iov_base, (size_t)n);
		return false;
	}
	close(fd);
	j->slot_n += (size_t)size;
	return true;
}

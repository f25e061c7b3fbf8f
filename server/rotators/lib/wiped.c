/* SPDX-License-Identifier: Apache-2.0 */
#include "wiped.h"

#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "keymem.h"

struct head {
	_Alignas(max_align_t) size_t n; /* of the block, this included */
	bool locked;
};

static void *wiping_malloc(size_t n)
{
	size_t size = n + sizeof(struct head);
	struct head *h;
	bool locked;

	if (n > SIZE_MAX - sizeof(struct head))
		return NULL;
	h = keymem_alloc(size);
	locked = h != NULL;
	if (!locked && (h = malloc(size)) == NULL)
		return NULL;
	h->n = size;
	h->locked = locked;
	return h + 1;
}

static void wiping_free(void *p)
{
	struct head *h = p;

	if (p == NULL)
		return;
	h--;
	if (h->locked) {
		keymem_free(h, h->n);
		return;
	}
	sodium_memzero(h, h->n);
	free(h);
}

void wiped_init(void)
{
	struct rlimit lim;

	/* Client libraries copy passwords to where they like.  A limit that is lower than
	 * what they map would make their allocations fail later: all or nothing. */
	if (getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	/* Better unlocked than not rotated: a locked area is no condition here. */
	if (keymem_init(true, NULL) != ERR_OK)
		fprintf(stderr, "no key memory: the heap has to do\n");
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

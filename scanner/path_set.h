/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_PATH_SET_H
#define SCANNER_PATH_SET_H
/* path_set - hashes of the files that were scanned, so that none is scanned twice. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_set {
	uint64_t *at; /* 0: free */
	size_t n, room;
};

/** path_set_add(s, hash): false: it was there.  Out of memory, nothing is: rather a file
 * twice than not at all. */
bool path_set_add(struct path_set *s, uint64_t hash);
/** path_set_free(s): it is empty then. */
void path_set_free(struct path_set *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_PATH_HASH_H
#define SCANNER_PATH_HASH_H
/*
 * path_hash - what a layer does to a path, in eight bytes.  Keyed per scan: nobody can
 * make a path that seems to hide another one.
 */
#include <stddef.h>
#include <stdint.h>

#include "scanner/worker/wire.h"

#define PATH_HASH_KEY 16u

/** path_hash(key, kind, path, n): of a path in the form of member_path(). */
uint64_t path_hash(const uint8_t key[PATH_HASH_KEY], enum entry_kind kind,
                   const char *path, size_t n);

#endif

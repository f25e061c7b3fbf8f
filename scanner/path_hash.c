/* SPDX-License-Identifier: Apache-2.0 */
#include "scanner/path_hash.h"

#include <sodium.h>
#include <string.h>

uint64_t path_hash(const uint8_t key[PATH_HASH_KEY], enum entry_kind kind,
                   const char *path, size_t n)
{
	_Static_assert(crypto_shorthash_KEYBYTES == PATH_HASH_KEY, "key of shorthash");
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t out;

	crypto_shorthash(hash, (const unsigned char *)path, n, key);
	memcpy(&out, hash, sizeof(out));
	/* Two bits less for the kind. */
	return (out & ~UINT64_C(3)) | (uint64_t)kind;
}

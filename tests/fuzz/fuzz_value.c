/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_value - the value decoder: what it takes has one encoding, equals its own copy,
 * and nothing else is taken.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(16u << 20);
	struct value *v = NULL, *copy;
	unsigned char *again;
	struct err e;
	size_t n = 0;

	if (value_decode(a, data, size, &v, &e) == ERR_OK) {
		again = value_pack(a, v, &n);
		copy = value_copy(a, v);
		if (!arena_failed(a) &&
		    (n != size || memcmp(again, data, n) != 0 || !value_equal(v, copy)))
			abort();
	}
	arena_free(a);
	return 0;
}

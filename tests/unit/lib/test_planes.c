/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>

#include "planes.h"

TestSuite(planes, .timeout = 20);

Test(planes, are_those_of_each_byte)
{
	unsigned char text[PLANES_BYTES];
	uint8_t table[256];
	uint64_t out[PLANES];

	for (unsigned round = 0; round < 200; round++) {
		randombytes_buf(text, sizeof(text));
		randombytes_buf(table, sizeof(table));
		planes_of(table, text, out);
		for (unsigned i = 0; i < PLANES_BYTES; i++)
			for (unsigned k = 0; k < PLANES; k++)
				cr_assert_eq(out[k] >> i & 1, table[text[i]] >> k & 1,
				             "bit %u of byte %u", k, i);
	}
}

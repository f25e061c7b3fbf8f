/* SPDX-License-Identifier: Apache-2.0 */
/* Each hash is new once. */
#include <criterion/criterion.h>

#include "scanner/path_set.h"

TestSuite(path_set, .timeout = 60);

#define MANY 3000u

/* All in one place of the smallest table, if ${spread} is 0. */
static uint64_t hash_of(uint64_t i, unsigned spread)
{
	return i * UINT64_C(0x9e3779b97f4a7c15) << (spread == 0 ? 16 : 0);
}

Test(path_set, tells_what_it_has)
{
	for (unsigned spread = 0; spread < 2; spread++) {
		struct path_set s = { 0 };

		for (uint64_t i = 0; i < MANY; i++)
			cr_assert(path_set_add(&s, hash_of(i, spread)), "%u",
			          (unsigned)i);
		for (uint64_t i = 0; i < MANY; i++)
			cr_assert_not(path_set_add(&s, hash_of(i, spread)), "%u",
			              (unsigned)i);
		cr_assert_eq(s.n, MANY);
		path_set_free(&s);
		cr_assert(path_set_add(&s, hash_of(1, spread)));
		path_set_free(&s);
	}
}

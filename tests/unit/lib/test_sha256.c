/* SPDX-License-Identifier: Apache-2.0 */
/* sha256 against libsodium's, which is another implementation on every processor. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "sha256.h"

static unsigned char text[70000];

static void setup(void)
{
	static const unsigned char seed[randombytes_SEEDBYTES] = "sha256";

	cr_assert_geq(sodium_init(), 0);
	randombytes_buf_deterministic(text, sizeof(text), seed);
}

TestSuite(sha256, .init = setup, .timeout = 60);

static void check(const unsigned char *p, size_t n, size_t cut)
{
	unsigned char want[32], whole[32], pieces[32];
	struct sha256 h;

	crypto_hash_sha256(want, p, n);
	sha256_of(whole, p, n);
	sha256_start(&h);
	sha256_add(&h, p, cut);
	sha256_add(&h, p + cut, n - cut);
	sha256_end(&h, pieces);
	cr_assert_arr_eq(whole, want, 32, "%zu bytes", n);
	cr_assert_arr_eq(pieces, want, 32, "%zu bytes, cut at %zu", n, cut);
}

Test(sha256, every_short_length)
{
	for (size_t n = 0; n <= 300; n++)
		for (size_t cut = 0; cut <= n; cut++)
			check(text, n, cut);
}

Test(sha256, random_lengths_and_places)
{
	for (int i = 0; i < 2000; i++) {
		size_t at = randombytes_uniform(1000);
		size_t n = randombytes_uniform((uint32_t)(sizeof(text) - at));

		check(text + at, n, randombytes_uniform((uint32_t)n + 1));
	}
}

Test(sha256, nothing_at_all)
{
	unsigned char want[32], got[32];

	crypto_hash_sha256(want, NULL, 0);
	sha256_of(got, NULL, 0);
	cr_assert_arr_eq(got, want, 32);
}

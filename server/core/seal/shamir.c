/* SPDX-License-Identifier: Apache-2.0 */
#include "shamir.h"

#include <sodium.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"

/* Eight rounds, masks instead of branches. */
uint8_t shamir_mul(uint8_t a, uint8_t b)
{
	unsigned x = a, y = b, r = 0;

	for (int i = 0; i < 8; i++) {
		r ^= x & (0u - (y & 1u));
		y >>= 1;
		x = (x << 1) ^ (0x11bu & (0u - (x >> 7)));
	}
	return (uint8_t)r;
}

/* a^254 by a fixed chain of squares and products. */
uint8_t shamir_inv(uint8_t a)
{
	uint8_t r = 1, s = a;

	for (int i = 1; i < 8; i++) {
		s = shamir_mul(s, s);
		r = shamir_mul(r, s);
	}
	return r;
}

/* Horner's rule from the top coefficient down to the secret. */
static void evaluate(const uint8_t *secret, const uint8_t *coefficients, int t, uint8_t x,
                     uint8_t *y)
{
	memset(y, 0, SHAMIR_SECRET);
	for (int k = t - 1; k >= 0; k--) {
		const uint8_t *c = k > 0 ? coefficients + (k - 1) * SHAMIR_SECRET
		                         : secret;

		for (int i = 0; i < SHAMIR_SECRET; i++)
			y[i] = (uint8_t)(shamir_mul(y[i], x) ^ c[i]);
	}
}

int shamir_split(const uint8_t secret[SHAMIR_SECRET], int n, int t,
                 uint8_t (*y)[SHAMIR_SECRET], struct err *e)
{
	size_t size = (size_t)(t > 1 ? t - 1 : 1) * SHAMIR_SECRET;
	uint8_t *coefficients;

	if (t < 1 || n < t || n > 255)
		return err_set(e, ERR_INVALID, "invalid share counts");
	coefficients = keymem_alloc(size);
	if (coefficients == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	/* All uniform, the top one too: never excluding 0 is what makes t-1 shares
	 * useless. */
	rng_bytes(coefficients, size);
	for (int i = 0; i < n; i++)
		evaluate(secret, coefficients, t, (uint8_t)(i + 1), y[i]);
	keymem_free(coefficients, size);
	return ERR_OK;
}

int shamir_combine(const uint8_t *x, const uint8_t (*y)[SHAMIR_SECRET], int t,
                   uint8_t out[SHAMIR_SECRET])
{
	for (int i = 0; i < t; i++) {
		if (x[i] == 0)
			return -1;
		for (int j = 0; j < i; j++)
			if (x[i] == x[j])
				return -1;
	}
	memset(out, 0, SHAMIR_SECRET);
	for (int i = 0; i < t; i++) {
		uint8_t basis = 1;

		for (int j = 0; j < t; j++)
			if (j != i)
				basis = shamir_mul(
					basis, shamir_mul(x[j], shamir_inv(x[i] ^ x[j])));
		for (int b = 0; b < SHAMIR_SECRET; b++)
			out[b] ^= shamir_mul(y[i][b], basis);
	}
	return 0;
}

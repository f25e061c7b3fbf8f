/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_crl - what an operator writes as a revocation list: as PEM, and as the DER inside.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/text.h"
#include "lib/value.h"
#include "server/core/auth/crl_pem.h"

#define DER_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct der d, const unsigned char *p, size_t n)
{
	return d.n == 0 || (d.p >= p && d.p + d.n <= p + n);
}

/* Everything lies within the list, and there are as many entries as it says. */
static void check(const struct crl_der *d, const unsigned char *p, size_t n)
{
	struct der left = d->entries, serial;
	char text[TEXT_DECIMAL_LEN + 1];
	size_t seen = 0;

	assert(is_inside(d->issuer, p, n) && d->issuer.n >= 2);
	assert(is_inside(d->signed_, p, n) && d->signed_.n >= 2);
	assert(is_inside(d->algorithm, p, n) && is_inside(d->signature, p, n));
	assert(is_inside(d->entries, p, n));
	while (crl_der_next(&left, &serial)) {
		struct der bare = crl_serial(serial);

		assert(is_inside(serial, p, n) && serial.n <= LIMIT_SERIAL);
		assert(serial.p[-1] == serial.n && serial.p[-2] == 0x02);
		assert(bare.n > 0 && (bare.n == 1 || bare.p[0] != 0));
		assert(text_decimal(bare.p, bare.n, text) == strlen(text));
		seen++;
	}
	assert(left.n == 0 && seen == d->n);
}

static void try_der(const uint8_t *data, size_t size)
{
	struct crl_der d;
	struct err e;

	if (crl_der_read(data, size, &d, &e) == ERR_OK)
		check(&d, data, size);
	else
		assert(e.code == ERR_INVALID && e.msg[0] != '\0');
}

static void try_text(struct arena *a, const uint8_t *data, size_t size)
{
	struct crl_text t;
	struct err e;
	int rc = crl_pem_read(a, (const char *)data, size, &t, &e);

	assert(rc == ERR_OK || rc == ERR_INVALID);
	if (rc == ERR_OK) {
		assert(t.given->len <= LIMIT_CRL_GIVEN);
		check(&t.der, t.p, t.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);

	assert(a != NULL);
	if (size <= DER_MAX)
		try_der(data, size);
	try_text(a, data, size);
	return 0;
}

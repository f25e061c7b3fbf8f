/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cert_pem - what an operator writes into a certificate role: as PEM, and as the DER
 * inside. */
#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "lib/sha256.h"
#include "lib/text.h"
#include "server/core/auth/cert_pem.h"

#define BEGIN   "-----BEGIN CERTIFICATE-----\n"
#define END     "\n-----END CERTIFICATE-----\n"
#define DER_MAX 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cert_set *s)
{
	unsigned char sha256[32];

	assert(s->n > 0 && s->n <= LIMIT_CERT_PER_ROLE);
	for (size_t i = 0; i < s->n; i++) {
		sha256_of(sha256, s->at[i].p, s->at[i].n);
		assert(memcmp(sha256, s->at[i].sha256, sizeof(sha256)) == 0);
		for (size_t j = 0; j < i; j++)
			assert(memcmp(sha256, s->at[j].sha256, sizeof(sha256)) != 0);
	}
}

static int read_pem(struct arena *a, const char *text, size_t n, struct cert_set *s)
{
	struct err e;
	int rc = cert_pem_read(a, text, n, s, &e);

	if (rc == ERR_OK)
		check(s);
	else
		assert(rc == ERR_INVALID);
	return rc;
}

/* Everything that is accepted is what went in. */
static void try_der(struct arena *a, const uint8_t *data, size_t size)
{
	static char text[sizeof(BEGIN END) + TEXT_BASE64_LEN(DER_MAX)];
	size_t n = strlen(BEGIN);
	struct cert_set s;

	if (size > DER_MAX)
		return;
	memcpy(text, BEGIN, n);
	n += text_base64(data, size, text + n);
	memcpy(text + n, END, strlen(END));
	if (read_pem(a, text, n + strlen(END), &s) == ERR_OK)
		assert(s.n == 1 && s.at[0].n == size &&
		       memcmp(s.at[0].p, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA a = arena_new((size_t)64 * 1024 * 1024);
	struct cert_set s;

	assert(a != NULL);
	(void)read_pem(a, (const char *)data, size, &s);
	try_der(a, data, size);
	return 0;
}

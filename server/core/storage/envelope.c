/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "keyring.h"
#include "rng.h"

#define HEADER                8u
#define NONCE                 crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG                   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ALG_XCHACHA20POLY1305 1

_Static_assert(ENVELOPE_OVERHEAD == HEADER + NONCE + TAG, "envelope layout");

static const char prefix[] = "vault/aad/v1"; /* with its NUL */

static void put_u32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

/* The header is known when the envelope is made: its place is kept free. */
void aad_init(struct aad *a)
{
	memcpy(a->buf, prefix, sizeof(prefix));
	memset(a->buf + sizeof(prefix), 0, HEADER);
	a->n = sizeof(prefix) + HEADER;
	a->overflow = false;
}

void aad_bytes(struct aad *a, const void *p, size_t n)
{
	if (n > sizeof(a->buf) || a->n + 4 + n > sizeof(a->buf)) {
		a->overflow = true;
		return;
	}
	put_u32(a->buf + a->n, (uint32_t)n);
	if (n > 0)
		memcpy(a->buf + a->n + 4, p, n);
	a->n += 4 + n;
}

void aad_int(struct aad *a, int64_t v)
{
	unsigned char b[8];

	put_u32(b, (uint32_t)((uint64_t)v >> 32));
	put_u32(b + 4, (uint32_t)(uint64_t)v);
	aad_bytes(a, b, sizeof(b));
}

static size_t with_header(const struct aad *a, const unsigned char *header,
                          unsigned char *out)
{
	memcpy(out, a->buf, a->n);
	memcpy(out + sizeof(prefix), header, HEADER);
	return a->n;
}

void envelope_seal(const unsigned char key[32], uint32_t term, enum seal_purpose purpose,
                   const struct aad *aad, const void *p, size_t n, unsigned char *out)
{
	const unsigned char magic[4] = { 'V', '1', ALG_XCHACHA20POLY1305,
		                         (unsigned char)purpose };
	unsigned char full[sizeof(aad->buf)];
	size_t full_n;

	assert(!aad->overflow);
	memcpy(out, magic, sizeof(magic));
	put_u32(out + 4, term);
	rng_bytes(out + HEADER, NONCE);
	full_n = with_header(aad, out, full);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
		out + HEADER + NONCE, NULL, p, n, full, full_n, NULL, out + HEADER, key);
}

int envelope_term(const void *p, size_t n, uint32_t *term)
{
	const unsigned char *b = p;

	if (n < ENVELOPE_OVERHEAD || b[0] != 'V' || b[1] != '1' ||
	    b[2] != ALG_XCHACHA20POLY1305)
		return -1;
	*term = (uint32_t)b[4] << 24 | (uint32_t)b[5] << 16 | (uint32_t)b[6] << 8 | b[7];
	return 0;
}

int envelope_open(const unsigned char key[32], enum seal_purpose purpose,
                  const struct aad *aad, const void *p, size_t n, unsigned char *out,
                  struct err *e)
{
	const unsigned char *b = p;
	unsigned char full[sizeof(aad->buf)];
	uint32_t term;

	if (aad->overflow || envelope_term(p, n, &term) != 0 ||
	    b[3] != (unsigned char)purpose)
		return err_set(e, ERR_INTEGRITY, "sealed data does not open");
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, b + HEADER + NONCE, n - HEADER - NONCE, full,
		    with_header(aad, b, full), b + HEADER, key) != 0)
		return err_set(e, ERR_INTEGRITY, "sealed data does not open");
	return ERR_OK;
}

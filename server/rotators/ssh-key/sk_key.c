/* SPDX-License-Identifier: Apache-2.0 */
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "sha256.h"
#include "sk.h"
#include "text.h"

#define BLOB_MAX    16384u
#define COLUMNS     70u
#define PAD_TO      8u
#define PEM_BEGIN   "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define PEM_END     "-----END OPENSSH PRIVATE KEY-----\n"
#define FINGERPRINT "SHA256:"

static const struct sk_key_type key_types[] = {
	{"ed25519",   0   },
	{ "rsa-2048", 2048},
	{ "rsa-3072", 3072},
	{ "rsa-4096", 4096},
};

const struct sk_key_type *sk_key_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
		if (strcmp(name, key_types[i].name) == 0)
			return &key_types[i];
	return NULL;
}

/* --- the wire format --- */

bool sk_put_u32(struct buf *b, uint32_t n)
{
	const unsigned char p[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		                     (unsigned char)(n >> 8), (unsigned char)n };

	return buf_add(b, p, sizeof(p));
}

bool sk_put(struct buf *b, const void *p, size_t n)
{
	return sk_put_u32(b, (uint32_t)n) && (n == 0 || buf_add(b, p, n));
}

bool sk_put_mpint(struct buf *b, const unsigned char *p, size_t n)
{
	static const unsigned char zero = 0;
	bool sign;

	for (; n > 0 && *p == 0; n--)
		p++;
	sign = n > 0 && (*p & 0x80) != 0;
	return sk_put_u32(b, (uint32_t)(n + sign)) && (!sign || buf_add(b, &zero, 1)) &&
	       (n == 0 || buf_add(b, p, n));
}

static bool put_text(struct buf *b, const char *s)
{
	return sk_put(b, s, strlen(s));
}

/* --- the two kinds: the public blob, and the private part without its comment --- */

static int make_ed25519(struct buf *public, struct buf *private, struct answer *a)
{
	unsigned char pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
	bool ok = crypto_sign_keypair(pk, sk) == 0 && put_text(public, "ssh-ed25519") &&
	          sk_put(public, pk, sizeof(pk)) && put_text(private, "ssh-ed25519") &&
	          sk_put(private, pk, sizeof(pk)) && sk_put(private, sk, sizeof(sk));

	sodium_memzero(sk, sizeof(sk));
	return ok ? 0 : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

enum { N, E, D, P, Q, U, PARTS };

static bool put_rsa(struct buf *public, struct buf *private,
                    const gnutls_datum_t part[PARTS])
{
	static const int order[] = { N, E, D, U, P, Q };
	bool ok = put_text(public, "ssh-rsa") &&
	          sk_put_mpint(public, part[E].data, part[E].size) &&
	          sk_put_mpint(public, part[N].data, part[N].size) &&
	          put_text(private, "ssh-rsa");

	for (size_t i = 0; ok && i < ARRAY_LEN(order); i++)
		ok = sk_put_mpint(private, part[order[i]].data, part[order[i]].size);
	return ok;
}

static int make_rsa(unsigned bits, struct buf *public, struct buf *private,
                    struct answer *a)
{
	gnutls_datum_t part[PARTS] = { 0 };
	gnutls_x509_privkey_t key;
	bool ok = false;
	int rc = gnutls_x509_privkey_init(&key);

	if (rc != 0)
		return answer_fail(a, CLASS_RETRYABLE, "making a key: %s",
		                   gnutls_strerror(rc));
	rc = gnutls_x509_privkey_generate2(key, GNUTLS_PK_RSA, bits, 0, NULL, 0);
	if (rc == 0)
		rc = gnutls_x509_privkey_export_rsa_raw(key, &part[N], &part[E], &part[D],
		                                        &part[P], &part[Q], &part[U]);
	if (rc == 0)
		ok = put_rsa(public, private, part);
	for (size_t i = 0; i < PARTS; i++) {
		if (part[i].data != NULL)
			gnutls_memset(part[i].data, 0, part[i].size);
		gnutls_free(part[i].data);
	}
	gnutls_x509_privkey_deinit(key);
	return ok ? 0
	          : answer_fail(a, CLASS_RETRYABLE, "making a key: %s",
	                        rc != 0 ? gnutls_strerror(rc) : "out of memory");
}

/* --- as text --- */

/* The file of ssh-keygen, without a passphrase: whoever delivers it protects it. */
static bool put_file(struct buf *file, const struct buf *public,
                     const struct buf *private, const char *comment)
{
	AUTO_BUF part = { .max = BLOB_MAX };
	uint32_t check;
	bool ok;

	rng_bytes(&check, sizeof(check)); /* twice the same: read without a passphrase */
	ok = sk_put_u32(&part, check);
	ok = ok && sk_put_u32(&part, check) &&
	     buf_add(&part, private->p + private->start, private->len) &&
	     put_text(&part, comment);
	for (unsigned char i = 1; ok && part.len % PAD_TO != 0; i++)
		ok = buf_add(&part, &i, 1);
	return ok && buf_add(file, "openssh-key-v1", sizeof("openssh-key-v1")) &&
	       put_text(file, "none") && put_text(file, "none") && put_text(file, "") &&
	       sk_put_u32(file, 1) &&
	       sk_put(file, public->p + public->start, public->len) &&
	       sk_put(file, part.p + part.start, part.len);
}

static char *pem(struct arena *arena, const struct buf *file)
{
	size_t n = TEXT_BASE64_LEN(file->len), lines = (n + COLUMNS - 1) / COLUMNS;
	char *text = arena_alloc(arena, n + 1);
	char *out = arena_alloc(arena, sizeof(PEM_BEGIN) + sizeof(PEM_END) + n + lines);
	char *at = out;

	if (text == NULL || out == NULL)
		return NULL;
	n = text_base64(file->p + file->start, file->len, text);
	memcpy(at, PEM_BEGIN, sizeof(PEM_BEGIN) - 1);
	at += sizeof(PEM_BEGIN) - 1;
	for (size_t i = 0; i < n; i += COLUMNS) {
		size_t take = n - i < COLUMNS ? n - i : COLUMNS;

		memcpy(at, text + i, take);
		at += take;
		*at++ = '\n';
	}
	memcpy(at, PEM_END, sizeof(PEM_END));
	return out;
}

static char *fingerprint(struct arena *arena, const struct buf *public)
{
	unsigned char digest[SHA256_BYTES];
	char text[TEXT_BASE64_LEN(SHA256_BYTES) + 1];

	sha256_of(digest, public->p + public->start, public->len);
	text_base64(digest, sizeof(digest), text);
	text[strcspn(text, "=")] = '\0';
	return arena_printf(arena, FINGERPRINT "%s", text);
}

int sk_make(struct arena *arena, const struct sk_key_type *type, const char *comment,
            struct sk_made *out, struct answer *a)
{
	AUTO_BUF public = { .max = BLOB_MAX };
	AUTO_BUF private = { .max = BLOB_MAX };
	AUTO_BUF file = { .max = BLOB_MAX };
	char *blob;
	int rc = type->rsa_bits == 0 ? make_ed25519(&public, &private, a)
	                             : make_rsa(type->rsa_bits, &public, &private, a);

	if (rc != 0)
		return rc;
	if (!put_file(&file, &public, &private, comment) ||
	    (out->private_key = pem(arena, &file)) == NULL ||
	    (out->fingerprint = fingerprint(arena, &public)) == NULL ||
	    (blob = arena_alloc(arena, TEXT_BASE64_LEN(public.len) + 1)) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	text_base64(public.p + public.start, public.len, blob);
	out->public_key = arena_printf(arena, "%s %s %s",
	                               type->rsa_bits == 0 ? "ssh-ed25519" : "ssh-rsa",
	                               blob, comment);
	return out->public_key != NULL ? 0
	                               : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "leak.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "keyring.h"
#include "value.h"

#define PLACE_BYTES (1u + 32u + 8u + 2u)
_Static_assert(LEAK_ID == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + PLACE_BYTES +
                                  crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "an id is a sealed place");
_Static_assert(LEAK_KEY_BYTES <= crypto_generichash_BYTES_MAX, "one hash is enough");

static void derive(struct core *c, const char *what, const void *p, size_t n,
                   unsigned char *out, size_t len)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, keyring_key(c->keys, KEY_FINGERPRINT), 32, len);
	crypto_generichash_update(&st, (const unsigned char *)what, strlen(what) + 1);
	crypto_generichash_update(&st, p, n);
	crypto_generichash_final(&st, out, len);
	sodium_memzero(&st, sizeof(st));
}

void leak_pack_key(struct core *c, const unsigned char pack[LEAK_PACK_ID],
                   unsigned char out[LEAK_KEY_BYTES])
{
	derive(c, "vault/leak-pack/v1", pack, LEAK_PACK_ID, out, LEAK_KEY_BYTES);
}

static const unsigned char id_context[] = "vault/leak-id/v1";

void leak_id_seal(struct core *c, const struct leak_place *p, unsigned char id[LEAK_ID])
{
	unsigned char key[32], plain[PLACE_BYTES], *q = plain;

	*q++ = (unsigned char)p->kind;
	memcpy(q, p->row, 32);
	q += 32;
	for (int shift = 56; shift >= 0; shift -= 8)
		*q++ = (unsigned char)((uint64_t)p->version >> shift);
	*q++ = (unsigned char)(p->leaf >> 8);
	*q = (unsigned char)p->leaf;
	derive(c, (const char *)id_context, NULL, 0, key, sizeof(key));
	randombytes_buf(id, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		id + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, NULL, plain,
		sizeof(plain), id_context, sizeof(id_context), NULL, id, key);
	sodium_memzero(key, sizeof(key));
}

int leak_id_open(struct core *c, const unsigned char id[LEAK_ID], struct leak_place *out)
{
	unsigned char key[32], plain[PLACE_BYTES], *q = plain + 33;
	const unsigned nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
	uint64_t version = 0;
	int rc;

	derive(c, (const char *)id_context, NULL, 0, key, sizeof(key));
	rc = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, id + nonce,
	                                                LEAK_ID - nonce, id_context,
	                                                sizeof(id_context), id, key);
	sodium_memzero(key, sizeof(key));
	if (rc != 0)
		return -1;
	out->kind = plain[0];
	memcpy(out->row, plain + 1, 32);
	for (int i = 0; i < 8; i++)
		version = version << 8 | *q++;
	out->version = (int64_t)version;
	out->leaf = (unsigned)q[0] << 8 | q[1];
	return out->kind == KIND_SECRET || out->kind == KIND_ENTRY ? 0 : -1;
}

/* --- what a version holds -------------------------------------------------------------
 */

static bool begins(const char *p, size_t n, const char *with)
{
	size_t len = strlen(with);

	return n >= len && memcmp(p, with, len) == 0;
}

bool leak_is_public(const char *p, size_t n)
{
	static const char *const forms[] = {
		"-----BEGIN CERTIFICATE-----",
		"-----BEGIN PUBLIC KEY-----",
		"-----BEGIN RSA PUBLIC KEY-----",
		"-----BEGIN CERTIFICATE REQUEST-----",
		"-----BEGIN X509 CRL-----",
		"-----BEGIN PGP PUBLIC KEY BLOCK-----",
		"ssh-rsa ",
		"ssh-ed25519 ",
		"ecdsa-sha2-",
		"sk-ssh-",
		"sk-ecdsa-",
	};
	static const char private[] = "PRIVATE KEY";

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (begins(p, n, forms[i]))
			return memmem(p, n, private, sizeof(private) - 1) == NULL;
	return false;
}

struct walk {
	leak_leaf_fn fn;
	void *ctx;
	unsigned next;
};

static int walk(struct walk *w, const struct value *v)
{
	struct leak_leaf l;
	int rc = ERR_OK;

	for (const struct value *i = v->type == V_ARRAY || v->type == V_OBJECT ? v->first
	                                                                       : NULL;
	     i != NULL && rc == ERR_OK; i = i->next)
		rc = walk(w, i);
	if (v->type != V_STRING)
		return rc;
	l = (struct leak_leaf){ v->text, v->len, w->next++ };
	while (l.n > 0 && strchr(" \t\r\n", l.text[l.n - 1]) != NULL)
		l.n--;
	return w->fn(w->ctx, &l);
}

int leak_leaves(const struct value *data, leak_leaf_fn fn, void *ctx)
{
	struct walk w = { fn, ctx, 0 };

	return walk(&w, data);
}

/* The name of the text with that number below ${v}; *left counts down to it. */
static char *find(struct arena *a, const struct value *v, unsigned *left,
                  const char *above)
{
	unsigned n = 0;
	char *name = NULL, *found;

	if (v->type == V_STRING)
		return (*left)-- == 0 ? arena_str(a, above) : NULL;
	if (v->type != V_ARRAY && v->type != V_OBJECT)
		return NULL;
	for (const struct value *i = v->first; i != NULL; i = i->next, n++) {
		if (v->type == V_OBJECT)
			name = arena_printf(a, "%s%s%.*s", above, *above ? "." : "",
			                    (int)i->key_len, i->key);
		else
			name = arena_printf(a, "%s[%u]", above, n);
		if (name != NULL && (found = find(a, i, left, name)) != NULL)
			return found;
	}
	return NULL;
}

char *leak_leaf_name(struct arena *a, const struct value *data, unsigned index)
{
	return find(a, data, &index, "");
}

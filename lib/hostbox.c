/* SPDX-License-Identifier: Apache-2.0 */
#include "hostbox.h"

#include <sodium.h>
#include <string.h>

#include "rng.h"

#define NONCE  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define OP_MAX 32u

_Static_assert(NONCE + TAG == HOSTBOX_OVERHEAD, "the form of hostbox.h");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == HOSTBOX_KEY,
               "the form of hostbox.h");

static const char context[] = "vault/host-session/v1";

struct said_as {
	unsigned char text[sizeof(context) + 1 + OP_MAX + 1];
	size_t n;
};

static void say_as(struct said_as *s, enum hostbox_says who, const char *op)
{
	size_t len = strnlen(op, OP_MAX);

	memcpy(s->text, context, sizeof(context));
	s->text[sizeof(context)] = (unsigned char)who;
	memcpy(s->text + sizeof(context) + 1, op, len);
	s->text[sizeof(context) + 1 + len] = '\0';
	s->n = sizeof(context) + 1 + len + 1;
}

void hostbox_seal(const unsigned char key[HOSTBOX_KEY], enum hostbox_says who,
                  const char *op, const void *p, size_t n, unsigned char *out)
{
	struct said_as as;

	say_as(&as, who, op);
	rng_bytes(out, NONCE);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, p, n, as.text,
	                                                 as.n, NULL, out, key);
}

int hostbox_open(const unsigned char key[HOSTBOX_KEY], enum hostbox_says who,
                 const char *op, const void *p, size_t n, unsigned char *out)
{
	const unsigned char *box = p;
	struct said_as as;

	if (n < HOSTBOX_OVERHEAD)
		return -1;
	say_as(&as, who, op);
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		out, NULL, NULL, box + NONCE, n - NONCE, as.text, as.n, box, key);
}

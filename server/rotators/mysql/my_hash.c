/* SPDX-License-Identifier: Apache-2.0 */
#include <nettle/sha1.h>
#include <sodium.h>
#include <string.h>

#include "my.h"
#include "text.h"

void my_hash_native(const char *password, char out[MY_HASH_NATIVE + 1])
{
	unsigned char digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx h;

	sha1_init(&h);
	sha1_update(&h, strlen(password), (const unsigned char *)password);
	sha1_digest(&h, sizeof(digest), digest);
	sha1_update(&h, sizeof(digest), digest);
	sha1_digest(&h, sizeof(digest), digest);
	out[0] = '*';
	text_hex(digest, sizeof(digest), out + 1);
	for (char *p = out; *p != '\0'; p++)
		if (*p >= 'a')
			*p = (char)(*p - 'a' + 'A');
	sodium_memzero(digest, sizeof(digest));
	sodium_memzero(&h, sizeof(h));
}

/* The secret scalar is SHA-512 of the whole password, clamped, where Ed25519 proper
 * hashes a seed of 32 bytes; the key is the same multiple of the base point. */
int my_hash_ed25519(const char *password, char out[MY_HASH_ED25519 + 1])
{
	unsigned char az[crypto_hash_sha512_BYTES], key[crypto_core_ed25519_BYTES];
	char text[TEXT_BASE64_LEN(crypto_core_ed25519_BYTES) + 1];
	int rc;

	crypto_hash_sha512(az, (const unsigned char *)password, strlen(password));
	rc = crypto_scalarmult_ed25519_base(key, az); /* clamps */
	sodium_memzero(az, sizeof(az));
	if (rc != 0)
		return -1;
	text_base64(key, sizeof(key), text);
	memcpy(out, text, MY_HASH_ED25519);
	out[MY_HASH_ED25519] = '\0';
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "identity_seal.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "file.h"

#define MAGIC          "vault-agent identity sealed 1\n"
#define MAGIC_LEN      (sizeof(MAGIC) - 1)
#define NONCE_LEN      crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN        crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY_CONTEXT    "vault/agent-identity/v1"
#define CREDENTIAL_MIN 32u
#define CREDENTIAL_MAX 4096u

int identity_credential(struct identity *id, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * (size_t)CREDENTIAL_MAX);
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	crypto_generichash_state st;
	char path[PATH_MAX], *text;
	size_t n = 0;
	int rc;

	if (dir == NULL)
		return ERR_OK;
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/" IDENTITY_CREDENTIAL, dir);
	if (access(path, F_OK) != 0)
		return ERR_OK;
	if ((rc = file_read(a, path, CREDENTIAL_MAX, &text, &n, e)) != ERR_OK)
		return rc;
	if (n < CREDENTIAL_MIN)
		return err_set(e, ERR_INVALID, "'%s' needs at least %u bytes", path,
		               CREDENTIAL_MIN);
	crypto_generichash_init(&st, NULL, 0, sizeof(id->seal_key));
	crypto_generichash_update(&st, (const unsigned char *)KEY_CONTEXT,
	                          sizeof(KEY_CONTEXT));
	crypto_generichash_update(&st, (const unsigned char *)text, n);
	crypto_generichash_final(&st, id->seal_key, sizeof(id->seal_key));
	sodium_memzero(&st, sizeof(st));
	id->has_seal = true;
	return ERR_OK;
}

bool identity_is_sealed(const char *p, size_t n)
{
	return n >= MAGIC_LEN && memcmp(p, MAGIC, MAGIC_LEN) == 0;
}

int identity_seal(const struct identity *id, struct arena *a, const void *p, size_t n,
                  unsigned char **out, size_t *len, struct err *e)
{
	unsigned char *nonce;

	*len = MAGIC_LEN + NONCE_LEN + n + TAG_LEN;
	if ((*out = arena_alloc(a, *len)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	nonce = bytes_put(*out, MAGIC, MAGIC_LEN);
	randombytes_buf(nonce, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_LEN, NULL, p, n,
	                                           (const unsigned char *)MAGIC,
	                                           MAGIC_LEN, NULL, nonce, id->seal_key);
	return ERR_OK;
}

int identity_unseal(const struct identity *id, struct arena *a, const char *p, size_t n,
                    char **out, size_t *len, struct err *e)
{
	const unsigned char *nonce = (const unsigned char *)p + MAGIC_LEN;

	if (!id->has_seal)
		return err_set(e, ERR_DENIED,
		               "the identity is sealed, and the credential '%s' is not "
		               "there (LoadCredentialEncrypted= of the unit)",
		               IDENTITY_CREDENTIAL);
	if (n < MAGIC_LEN + NONCE_LEN + TAG_LEN)
		return err_set(e, ERR_INTEGRITY, "the identity is cut short");
	*len = n - MAGIC_LEN - NONCE_LEN - TAG_LEN;
	if ((*out = arena_alloc(a, *len + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    (unsigned char *)*out, NULL, NULL, nonce + NONCE_LEN,
		    n - MAGIC_LEN - NONCE_LEN, (const unsigned char *)MAGIC, MAGIC_LEN,
		    nonce, id->seal_key) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "the identity is damaged, or was sealed with another "
		               "credential '%s'",
		               IDENTITY_CREDENTIAL);
	return ERR_OK;
}

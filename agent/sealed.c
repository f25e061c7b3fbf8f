/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

#include <sodium.h>
#include <string.h>

#include "text.h"
#include "vault/limits.h"

#define CONTEXT_LEN sizeof(SEALED_CONTEXT)
_Static_assert(CONTEXT_LEN <= crypto_sign_BYTES,
               "the context fits where the signature was");

/* The opened box: its length, or -1. */
static long unseal(const struct identity *id, struct arena *a, const char *text,
                   unsigned char **plain)
{
	size_t cap = strlen(text) / 4 * 3 + 3;
	unsigned char *box = arena_alloc(a, cap);
	long n = box == NULL ? -1 : text_unbase64(text, strlen(text), box, cap);

	if (n < (long)(crypto_box_SEALBYTES + crypto_sign_BYTES))
		return -1;
	*plain = arena_alloc(a, (size_t)n);
	if (*plain == NULL || crypto_box_seal_open(*plain, box, (unsigned long long)n,
	                                           id->box_pk, id->box_sk) != 0)
		return -1;
	return n - (long)crypto_box_SEALBYTES;
}

/* The signature covers context || body: the context is put where the signature ended. */
static int signed_by_vault(const struct identity *id, unsigned char *plain, size_t n)
{
	unsigned char sig[crypto_sign_BYTES];
	unsigned char *msg = plain + crypto_sign_BYTES - CONTEXT_LEN;

	memcpy(sig, plain, sizeof(sig));
	memcpy(msg, SEALED_CONTEXT, CONTEXT_LEN);
	return crypto_sign_verify_detached(sig, msg, n - crypto_sign_BYTES + CONTEXT_LEN,
	                                   id->order_key) == 0;
}

static int names_this_host(const struct identity *id, const struct value *host)
{
	char hex[33];

	text_hex(id->host_id, sizeof(id->host_id), hex);
	if (host == NULL)
		return 0;
	if (host->type == V_BYTES)
		return host->len == 16 && memcmp(host->text, id->host_id, 16) == 0;
	return value_is_str(host, hex);
}

static int fits(const struct identity *id, const struct value *body,
                const struct sealed_expect *want, int64_t *version, struct err *e)
{
	if (!names_this_host(id, value_get(body, "host_id")))
		return err_set(e, ERR_INTEGRITY, "a value is meant for another host");
	if (!value_is_str(value_get(body, "lease_id"), want->lease_id) ||
	    !value_is_str(value_get(body, "path"), want->path))
		return err_set(e, ERR_INTEGRITY, "a value belongs to another lease");
	if (value_to_int(value_get(body, "version"), version) != 0 ||
	    *version < want->min_version)
		return err_set(e, ERR_INTEGRITY,
		               "a value is older than what is in place");
	return ERR_OK;
}

int sealed_open(const struct identity *id, struct arena *a, const char *text,
                const struct sealed_expect *want, int64_t *version, struct value **data,
                struct err *e)
{
	unsigned char *plain = NULL;
	struct value *body = NULL, *fields;
	long n = unseal(id, a, text, &plain);
	int64_t seen = 0;
	int rc;

	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n < 0)
		return err_set(e, ERR_VERIFY, "a value is not sealed to this host");
	if (!signed_by_vault(id, plain, (size_t)n))
		return err_set(e, ERR_VERIFY, "a value is not signed by the vault");
	if ((rc = value_decode(a, plain + crypto_sign_BYTES,
	                       (size_t)n - crypto_sign_BYTES, &body, e)) != ERR_OK ||
	    (rc = fits(id, body, want, &seen, e)) != ERR_OK)
		return rc;
	fields = value_get(body, "data");
	if (fields == NULL || fields->type != V_OBJECT)
		return err_set(e, ERR_INTEGRITY, "a value has no fields");
	*version = seen;
	*data = fields;
	return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_pem.h"

#include <string.h>

#include "arena.h"
#include "pem.h"
#include "value.h"

static int unreadable(struct err *e)
{
	return err_set(e, ERR_INVALID,
	               "failed to parse CRL: neither PEM nor base64 of its DER");
}

static int decode(struct arena *a, struct pem_text body, const unsigned char **p,
                  size_t *n, struct err *e)
{
	int rc = pem_bytes(a, body, p, n, e);

	return rc == ERR_INVALID ? unreadable(e) : rc;
}

static int add_certificate(struct arena *a, struct pem_text body, struct crl_text *out,
                           struct err *e)
{
	const unsigned char *p;
	size_t n;
	int rc;

	if (out->given->len == LIMIT_CRL_GIVEN)
		return err_set(e, ERR_INVALID,
		               "at most %u certificates may come with a revocation list",
		               LIMIT_CRL_GIVEN);
	if ((rc = decode(a, body, &p, &n, e)) == ERR_OK)
		value_add(out->given, value_bytes(a, p, n));
	return rc;
}

static int add_list(struct arena *a, struct pem_text body, struct crl_text *out,
                    struct err *e)
{
	if (out->p != NULL)
		return err_set(e, ERR_INVALID,
		               "'crl' must be one revocation list: write others under "
		               "names of their own");
	return decode(a, body, &out->p, &out->n, e);
}

static int read_blocks(struct arena *a, struct pem_text in, struct crl_text *out,
                       struct err *e)
{
	struct pem_block block;
	int rc = ERR_OK, more;

	while (rc == ERR_OK && (more = pem_next(&in, &block)) != 0) {
		if (more < 0)
			return unreadable(e);
		if (pem_is(block.label, "X509 CRL"))
			rc = add_list(a, block.body, out, e);
		else if (pem_is(block.label, "CERTIFICATE"))
			rc = add_certificate(a, block.body, out, e);
		else
			return err_set(e, ERR_INVALID,
			               "'crl' holds something else than a revocation "
			               "list and certificates");
	}
	return rc;
}

int crl_pem_read(struct arena *a, const char *text, size_t n, struct crl_text *out,
                 struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if ((out->given = value_array(a)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n > LIMIT_CRL_TEXT)
		return err_set(e, ERR_INVALID, "'crl': at most %u bytes", LIMIT_CRL_TEXT);
	if (memmem(text, n, "-----", 5) != NULL)
		rc = read_blocks(a, (struct pem_text){ text, n }, out, e);
	else
		rc = decode(a, (struct pem_text){ text, n }, &out->p, &out->n, e);
	if (rc == ERR_OK && out->p == NULL)
		rc = unreadable(e);
	return rc == ERR_OK ? crl_der_read(out->p, out->n, &out->der, e) : rc;
}

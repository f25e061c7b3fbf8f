/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_pem.h"

#include <string.h>

#include "pem.h"
#include "sha256.h"

#define TAG_BOOLEAN    0x01u
#define TAG_INTEGER    0x02u
#define TAG_OCTETS     0x04u
#define TAG_OID        0x06u
#define TAG_SEQUENCE   0x30u
#define TAG_VERSION    0xa0u
#define TAG_EXTENSIONS 0xa3u

static const unsigned char oid_basic_constraints[] = { 0x55, 0x1d, 0x13 };
static const unsigned char oid_key_usage[] = { 0x55, 0x1d, 0x25 }; /* the extended one */
static const unsigned char oid_any_usage[] = { 0x55, 0x1d, 0x25, 0x00 };
static const unsigned char oid_client_auth[] = { 0x2b, 0x06, 0x01, 0x05,
	                                         0x05, 0x07, 0x03, 0x02 };

/* ---- DER: what kind of certificate is it? ---- */

static bool is_oid(struct der d, const unsigned char *oid, size_t n)
{
	return d.n == n && memcmp(d.p, oid, n) == 0;
}

/* The next element, which must have this tag. */
static bool take(struct der *in, unsigned want, struct der *out)
{
	unsigned tag;

	return der_next(in, &tag, out) && tag == want;
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, … } */
static bool read_constraints(struct der in, struct cert_der *out)
{
	struct der list, first;
	unsigned tag;

	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0)
		return false;
	if (list.n == 0)
		return true;
	if (!der_next(&list, &tag, &first))
		return false;
	out->ca = tag == TAG_BOOLEAN && first.n == 1 && first.p[0] != 0;
	return true;
}

/* ExtKeyUsageSyntax ::= SEQUENCE OF OBJECT IDENTIFIER */
static bool read_usage(struct der in, struct cert_der *out)
{
	struct der list, oid;

	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0)
		return false;
	out->client_auth = false;
	while (list.n > 0) {
		if (!take(&list, TAG_OID, &oid))
			return false;
		if (is_oid(oid, oid_client_auth, sizeof(oid_client_auth)) ||
		    is_oid(oid, oid_any_usage, sizeof(oid_any_usage)))
			out->client_auth = true;
	}
	return true;
}

/* Extension ::= SEQUENCE { OBJECT IDENTIFIER, BOOLEAN DEFAULT FALSE, OCTET STRING } */
static bool read_extension(struct der in, struct cert_der *out)
{
	struct der oid, value;
	unsigned tag;

	if (!take(&in, TAG_OID, &oid) || !der_next(&in, &tag, &value))
		return false;
	if (tag == TAG_BOOLEAN && !der_next(&in, &tag, &value))
		return false;
	if (tag != TAG_OCTETS || in.n != 0)
		return false;
	if (is_oid(oid, oid_basic_constraints, sizeof(oid_basic_constraints)))
		return read_constraints(value, out);
	if (is_oid(oid, oid_key_usage, sizeof(oid_key_usage)))
		return read_usage(value, out);
	return true;
}

static bool read_extensions(struct der in, struct cert_der *out)
{
	struct der list, one;

	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0)
		return false;
	while (list.n > 0)
		if (!take(&list, TAG_SEQUENCE, &one) || !read_extension(one, out))
			return false;
	return true;
}

/* Certificate ::= SEQUENCE { SEQUENCE { …, [3] Extensions OPTIONAL }, … } */
static bool read_kind(struct cert_der *out)
{
	struct der in = { out->p, out->n }, cert, body, part;
	unsigned tag;

	out->ca = false;
	out->client_auth = true;
	if (!take(&in, TAG_SEQUENCE, &cert) || in.n != 0 ||
	    !take(&cert, TAG_SEQUENCE, &body))
		return false;
	while (body.n > 0) {
		if (!der_next(&body, &tag, &part))
			return false;
		if (tag == TAG_EXTENSIONS && !read_extensions(part, out))
			return false;
	}
	return true;
}

/* ---- PEM ---- */

static bool seen(const struct cert_set *s, const unsigned char sha256[32])
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->at[i].sha256, sha256, sizeof(s->at[i].sha256)) == 0)
			return true;
	return false;
}

static int unreadable(struct err *e)
{
	return err_set(e, ERR_INVALID, "failed to parse certificate");
}

static int add_body(struct arena *a, struct pem_text body, struct cert_set *s,
                    struct err *e)
{
	struct cert_der d;
	int rc = pem_bytes(a, body, &d.p, &d.n, e);

	if (rc != ERR_OK)
		return rc == ERR_INVALID ? unreadable(e) : rc;
	if (!read_kind(&d))
		return unreadable(e);
	sha256_of(d.sha256, d.p, d.n);
	if (seen(s, d.sha256))
		return ERR_OK;
	if (s->n == LIMIT_CERT_PER_ROLE)
		return err_set(e, ERR_INVALID, "'certificate': at most %u certificates",
		               LIMIT_CERT_PER_ROLE);
	s->at[s->n++] = d;
	return ERR_OK;
}

int cert_pem_read(struct arena *a, const char *text, size_t n, struct cert_set *out,
                  struct err *e)
{
	struct pem_text in = { text, n };
	struct pem_block block;
	int rc, more;

	out->n = 0;
	if (n > LIMIT_CERT_PEM)
		return err_set(e, ERR_INVALID, "'certificate': at most %u bytes",
		               LIMIT_CERT_PEM);
	while ((more = pem_next(&in, &block)) != 0) {
		if (!pem_is(block.label, "CERTIFICATE"))
			return err_set(e, ERR_INVALID,
			               "'certificate' holds something else than "
			               "certificates");
		if (more < 0)
			return unreadable(e);
		if ((rc = add_body(a, block.body, out, e)) != ERR_OK)
			return rc;
	}
	return out->n > 0 ? ERR_OK : unreadable(e);
}

bool cert_der_issued(const unsigned char *p, size_t n, struct cert_issued *out)
{
	struct der in = { p, n }, cert, body, part, name;
	unsigned tag;

	if (!take(&in, TAG_SEQUENCE, &cert) || in.n != 0 ||
	    !take(&cert, TAG_SEQUENCE, &body) || !der_next(&body, &tag, &part))
		return false;
	if (tag == TAG_VERSION && !der_next(&body, &tag, &part))
		return false;
	if (tag != TAG_INTEGER || part.n == 0 || !take(&body, TAG_SEQUENCE, &name))
		return false;
	out->serial = part;
	out->issuer.p = body.p;
	if (!take(&body, TAG_SEQUENCE, &name))
		return false;
	out->issuer.n = (size_t)(body.p - out->issuer.p);
	return true;
}

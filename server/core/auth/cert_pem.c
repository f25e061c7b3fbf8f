/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_pem.h"

#include <string.h>

#include "der.h"
#include "sha256.h"
#include "text.h"

#define BEGIN "-----BEGIN "
#define END   "-----END "
#define LABEL "CERTIFICATE-----"

#define TAG_BOOLEAN    0x01u
#define TAG_OCTETS     0x04u
#define TAG_OID        0x06u
#define TAG_SEQUENCE   0x30u
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

static const char *find(const char *text, size_t n, const char *what)
{
	return memmem(text, n, what, strlen(what));
}

static bool starts(const char *text, size_t n, const char *what)
{
	return n >= strlen(what) && memcmp(text, what, strlen(what)) == 0;
}

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

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

/* One body: base64 with line breaks. */
static int add_body(struct arena *a, const char *text, size_t n, struct cert_set *s,
                    struct err *e)
{
	char *packed = arena_alloc(a, n + 1);
	unsigned char *der = arena_alloc(a, n + 1);
	struct cert_der d = { .p = der };
	size_t len = 0;
	long got;

	if (packed == NULL || der == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!is_space(text[i]))
			packed[len++] = text[i];
	got = text_unbase64(packed, len, der, n);
	if (got <= 0)
		return unreadable(e);
	d.n = (size_t)got;
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
	const char *end = text + n, *at, *stop;
	int rc;

	out->n = 0;
	if (n > LIMIT_CERT_PEM)
		return err_set(e, ERR_INVALID, "'certificate': at most %u bytes",
		               LIMIT_CERT_PEM);
	while ((at = find(text, (size_t)(end - text), BEGIN)) != NULL) {
		at += strlen(BEGIN);
		if (!starts(at, (size_t)(end - at), LABEL))
			return err_set(e, ERR_INVALID,
			               "'certificate' holds something else than "
			               "certificates");
		at += strlen(LABEL);
		stop = find(at, (size_t)(end - at), END);
		if (stop == NULL || !starts(stop + strlen(END),
		                            (size_t)(end - stop) - strlen(END), LABEL))
			return unreadable(e);
		if ((rc = add_body(a, at, (size_t)(stop - at), out, e)) != ERR_OK)
			return rc;
		text = stop + strlen(END LABEL);
	}
	return out->n > 0 ? ERR_OK : unreadable(e);
}

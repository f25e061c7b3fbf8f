/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_der.h"

#include <string.h>

#include "clock.h"
#include "util.h"

#define TAG_BOOLEAN    0x01u
#define TAG_INTEGER    0x02u
#define TAG_BITS       0x03u
#define TAG_OCTETS     0x04u
#define TAG_OID        0x06u
#define TAG_UTC_TIME   0x17u
#define TAG_TIME       0x18u
#define TAG_SEQUENCE   0x30u
#define TAG_EXTENSIONS 0xa0u
#define TAG_INDIRECT   0x84u /* of an IssuingDistributionPoint */

#define UTC_TIME_LEN 13u /* YYMMDDHHMMSSZ */
#define TIME_LEN     15u /* YYYYMMDDHHMMSSZ */

static const unsigned char oid_delta[] = { 0x55, 0x1d, 0x1b };
static const unsigned char oid_scope[] = { 0x55, 0x1d,
	                                   0x1c }; /* IssuingDistributionPoint */
/* May be critical and say nothing that matters here: number and key of the issuer. */
static const unsigned char oid_number[] = { 0x55, 0x1d, 0x14 };
static const unsigned char oid_key[] = { 0x55, 0x1d, 0x23 };

static int malformed(struct err *e)
{
	return err_set(e, ERR_INVALID, "failed to parse CRL: it is malformed");
}

static bool is(struct der d, const unsigned char *p, size_t n)
{
	return d.n == n && memcmp(d.p, p, n) == 0;
}

/* The next element, which must have this tag. */
static bool take(struct der *in, unsigned want, struct der *out)
{
	unsigned tag;

	return der_next(in, &tag, out) && tag == want;
}

/* The same with its header. */
static bool take_whole(struct der *in, unsigned want, struct der *out)
{
	struct der content;

	out->p = in->p;
	if (!take(in, want, &content))
		return false;
	out->n = (size_t)(in->p - out->p);
	return true;
}

static bool next_is(const struct der *in, unsigned tag)
{
	return in->n > 0 && in->p[0] == tag;
}

/* ---- times ---- */

/* UTCTime or GeneralizedTime in the only forms that RFC 5280 allows. */
static bool read_time(unsigned tag, struct der in, int64_t *ms)
{
	char text[] = "YYYY-MM-DDTHH:MM:SSZ";
	static const char at[] = { 5, 6, 8, 9, 11, 12, 14, 15, 17, 18 };
	const unsigned char *p = in.p;

	if (in.n != (tag == TAG_UTC_TIME ? UTC_TIME_LEN : TIME_LEN) || p[in.n - 1] != 'Z')
		return false;
	if (tag == TAG_UTC_TIME) {
		text[0] = p[0] >= '5' ? '1' : '2';
		text[1] = p[0] >= '5' ? '9' : '0';
		memcpy(text + 2, p, 2);
		p += 2;
	} else {
		memcpy(text, p, 4);
		p += 4;
	}
	for (size_t i = 0; i < sizeof(at); i++)
		text[(size_t)at[i]] = (char)p[i];
	return clock_parse_rfc3339(text, strlen(text), ms) == 0;
}

static bool take_time(struct der *in, int64_t *ms)
{
	struct der part;
	unsigned tag;

	return der_next(in, &tag, &part) && (tag == TAG_UTC_TIME || tag == TAG_TIME) &&
	       read_time(tag, part, ms);
}

/* ---- extensions ---- */

struct extension {
	struct der oid, value;
	bool critical;
};

/* Extension ::= SEQUENCE { OBJECT IDENTIFIER, BOOLEAN DEFAULT FALSE, OCTET STRING } */
static bool take_extension(struct der *list, struct extension *x)
{
	struct der in, flag;

	x->critical = false;
	if (!take(list, TAG_SEQUENCE, &in) || !take(&in, TAG_OID, &x->oid))
		return false;
	if (next_is(&in, TAG_BOOLEAN)) {
		if (!take(&in, TAG_BOOLEAN, &flag) || flag.n != 1)
			return false;
		x->critical = flag.p[0] != 0;
	}
	return take(&in, TAG_OCTETS, &x->value) && in.n == 0;
}

static int read_scope(struct der in, struct err *e)
{
	struct der list, part;
	unsigned tag;

	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0)
		return malformed(e);
	while (list.n > 0) {
		if (!der_next(&list, &tag, &part))
			return malformed(e);
		if (tag == TAG_INDIRECT && (part.n != 1 || part.p[0] != 0))
			return err_set(e, ERR_INVALID,
			               "the revocation list is an indirect one: lists of "
			               "the issuers themselves are supported alone");
	}
	return ERR_OK;
}

static int unknown_critical(struct err *e)
{
	return err_set(e, ERR_INVALID,
	               "the revocation list has a critical extension that is not "
	               "supported");
}

static int read_extensions(struct der in, struct err *e)
{
	struct extension x;
	struct der list;
	int rc = ERR_OK;

	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0)
		return malformed(e);
	while (rc == ERR_OK && list.n > 0) {
		if (!take_extension(&list, &x))
			return malformed(e);
		if (is(x.oid, oid_delta, sizeof(oid_delta)))
			return err_set(e, ERR_INVALID,
			               "the revocation list is a delta: complete ones "
			               "are supported alone");
		if (is(x.oid, oid_scope, sizeof(oid_scope)))
			rc = read_scope(x.value, e);
		else if (x.critical && !is(x.oid, oid_number, sizeof(oid_number)) &&
		         !is(x.oid, oid_key, sizeof(oid_key)))
			rc = unknown_critical(e);
	}
	return rc;
}

/* ---- entries ---- */

/* SEQUENCE { serial, date, extensions OPTIONAL }: what the date is matters to nobody. */
static bool take_entry(struct der *entries, struct der *serial, struct der *extensions)
{
	struct der in, date;
	unsigned tag;

	*extensions = (struct der){ NULL, 0 };
	if (!take(entries, TAG_SEQUENCE, &in) || !take(&in, TAG_INTEGER, serial) ||
	    serial->n == 0 || serial->n > LIMIT_SERIAL || !der_next(&in, &tag, &date) ||
	    (tag != TAG_UTC_TIME && tag != TAG_TIME))
		return false;
	return in.n == 0 || (take(&in, TAG_SEQUENCE, extensions) && in.n == 0);
}

static int read_entries(struct crl_der *out, struct err *e)
{
	struct der left = out->entries, serial, list;
	struct extension x;

	while (left.n > 0) {
		if (!take_entry(&left, &serial, &list))
			return malformed(e);
		while (list.n > 0) {
			if (!take_extension(&list, &x))
				return malformed(e);
			if (x.critical)
				return unknown_critical(e);
		}
		out->n++;
	}
	return ERR_OK;
}

bool crl_der_next(struct der *entries, struct der *serial)
{
	struct der extensions;

	return entries->n > 0 && take_entry(entries, serial, &extensions);
}

struct der crl_serial(struct der serial)
{
	while (serial.n > 1 && serial.p[0] == 0) {
		serial.p++;
		serial.n--;
	}
	return serial;
}

/* ---- the list ---- */

/* TBSCertList ::= SEQUENCE { version OPTIONAL, signature, issuer, thisUpdate,
 * nextUpdate OPTIONAL, revokedCertificates OPTIONAL, [0] extensions OPTIONAL } */
static int read_signed(struct der whole, struct der algorithm, struct crl_der *out,
                       struct err *e)
{
	struct der in, version, same, list = { NULL, 0 };

	if (!take(&whole, TAG_SEQUENCE, &in))
		return malformed(e);
	if (next_is(&in, TAG_INTEGER) &&
	    (!take(&in, TAG_INTEGER, &version) || version.n != 1 || version.p[0] != 1))
		return malformed(e);
	if (!take_whole(&in, TAG_SEQUENCE, &same) ||
	    !is(same, algorithm.p, algorithm.n) ||
	    !take_whole(&in, TAG_SEQUENCE, &out->issuer) ||
	    !take_time(&in, &out->this_ms))
		return malformed(e);
	if ((next_is(&in, TAG_UTC_TIME) || next_is(&in, TAG_TIME)) &&
	    !take_time(&in, &out->next_ms))
		return malformed(e);
	if (next_is(&in, TAG_SEQUENCE) && !take(&in, TAG_SEQUENCE, &out->entries))
		return malformed(e);
	if (next_is(&in, TAG_EXTENSIONS) && !take(&in, TAG_EXTENSIONS, &list))
		return malformed(e);
	if (in.n != 0)
		return malformed(e);
	return list.p != NULL ? read_extensions(list, e) : ERR_OK;
}

int crl_der_read(const unsigned char *p, size_t n, struct crl_der *out, struct err *e)
{
	struct der in = { p, n }, list, algorithm, fields, bits;
	int rc;

	memset(out, 0, sizeof(*out));
	if (n > LIMIT_CRL)
		return err_set(e, ERR_INVALID,
		               "a revocation list may have at most %u "
		               "bytes",
		               LIMIT_CRL);
	if (!take(&in, TAG_SEQUENCE, &list) || in.n != 0 ||
	    !take_whole(&list, TAG_SEQUENCE, &out->signed_) ||
	    !take_whole(&list, TAG_SEQUENCE, &algorithm) ||
	    !take(&list, TAG_BITS, &bits) || list.n != 0)
		return malformed(e);
	in = algorithm;
	if (!take(&in, TAG_SEQUENCE, &fields) ||
	    !take(&fields, TAG_OID, &out->algorithm) || bits.n < 2 || bits.p[0] != 0)
		return malformed(e);
	out->signature = (struct der){ bits.p + 1, bits.n - 1 };
	rc = read_signed(out->signed_, algorithm, out, e);
	return rc == ERR_OK ? read_entries(out, e) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client_cert.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <string.h>

#include "der.h"
#include "spki.h"
#include "text.h"
#include "trust.h"
#include "util.h"
#include "vault/ipc.h"
#include "vault/limits.h"

#define NAMES_MAX      256u /* subject alternative names of all kinds */
#define EXTENSIONS_MAX 64u
#define RDN_MAX        16u /* of one kind in the subject */
#define KEY_ID_MAX     64u
#define NAME_MAX_BYTES 512u
#define OID_MAX        128u

#define OID_SAN     "2.5.29.17"
#define SAN_EMAIL   0x81u /* context tags of a GeneralName */
#define SAN_DNS     0x82u
#define SAN_URI     0x86u
#define DER_SEQ     0x30u
#define RSA_MIN     2048u
#define RSA_MAX     4096u
#define RSA_E_BYTES 5u /* 32 bits and a sign */

struct chain {
	gnutls_x509_crt_t crt[IPC_CLIENT_CHAIN];
	unsigned n;
};

/* Text that is exactly what it looks like. */
static bool is_name(const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return n > 0 && n <= NAME_MAX_BYTES && text_utf8_ok(p, n);
}

static bool rsa_ok(gnutls_x509_crt_t crt, unsigned bits)
{
	gnutls_datum_t m = { NULL, 0 }, e = { NULL, 0 };
	bool ok;

	if (bits < RSA_MIN || bits > RSA_MAX ||
	    gnutls_x509_crt_get_pk_rsa_raw(crt, &m, &e) != 0)
		return false;
	ok = e.size <= RSA_E_BYTES;
	gnutls_free(m.data);
	gnutls_free(e.data);
	return ok;
}

static bool key_ok(gnutls_x509_crt_t crt)
{
	unsigned bits = 0;

	switch (gnutls_x509_crt_get_pk_algorithm(crt, &bits)) {
	case GNUTLS_PK_RSA:
		return rsa_ok(crt, bits);
	case GNUTLS_PK_ECDSA:
	case GNUTLS_PK_EDDSA_ED25519:
		return true;
	default:
		return false;
	}
}

bool client_key_ok(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	bool ok;

	if (gnutls_x509_crt_init(&crt) != 0)
		return false;
	ok = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 && key_ok(crt);
	gnutls_x509_crt_deinit(crt);
	return ok;
}

static void chain_close(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
	c->n = 0;
}

static bool chain_open(struct chain *c, const gnutls_datum_t *der, unsigned n)
{
	size_t bytes = 0;

	if (n == 0 || n > IPC_CLIENT_CHAIN)
		return false;
	for (unsigned i = 0; i < n; i++)
		if ((bytes += der[i].size) > IPC_CLIENT_BYTES)
			return false;
	for (unsigned i = 0; i < n; i++) {
		if (gnutls_x509_crt_init(&c->crt[i]) != 0)
			return false;
		c->n++;
		if (gnutls_x509_crt_import(c->crt[i], &der[i], GNUTLS_X509_FMT_DER) != 0)
			return false;
	}
	return true;
}

static bool set_serial(struct arena *a, struct value *v, gnutls_x509_crt_t crt)
{
	unsigned char p[LIMIT_SERIAL];
	char text[TEXT_DECIMAL_LEN + 1];
	size_t n = sizeof(p);

	if (gnutls_x509_crt_get_serial(crt, p, &n) != 0 || n == 0 || (p[0] & 0x80) != 0)
		return false;
	value_set(v, "serial", value_bytes(a, arena_dup(a, p, n), n));
	text_decimal(p, n, text);
	value_set_str(a, v, "serial_number", arena_str(a, text));
	return true;
}

/* What a revocation list would call it. */
static bool add_issued(struct arena *a, struct value *list, gnutls_x509_crt_t crt)
{
	unsigned char serial[LIMIT_SERIAL], hash[crypto_hash_sha256_BYTES];
	gnutls_datum_t name = { NULL, 0 };
	struct value *one = value_object(a);
	size_t n = sizeof(serial);

	if (gnutls_x509_crt_get_serial(crt, serial, &n) != 0 || n == 0 ||
	    gnutls_x509_crt_get_raw_issuer_dn(crt, &name) != 0)
		return false;
	crypto_hash_sha256(hash, name.data, name.size);
	gnutls_free(name.data);
	value_set_bytes(a, one, "issuer", arena_dup(a, hash, sizeof(hash)), sizeof(hash));
	value_set_bytes(a, one, "serial", arena_dup(a, serial, n), n);
	value_add(list, one);
	return true;
}

static bool set_issued(struct arena *a, struct value *v, const struct chain *c)
{
	struct value *list = value_array(a);

	for (unsigned i = 0; i < c->n; i++)
		if (!add_issued(a, list, c->crt[i]))
			return false;
	value_set(v, "issued", list);
	return true;
}

/* All values of one attribute of the subject, in their order. */
static bool subject_names(struct arena *a, gnutls_x509_crt_t crt, const char *oid,
                          struct value *out)
{
	char p[NAME_MAX_BYTES + 1];
	size_t n;
	int rc;

	for (unsigned i = 0;; i++) {
		n = sizeof(p);
		rc = gnutls_x509_crt_get_dn_by_oid(crt, oid, i, 0, p, &n);
		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return true;
		if (rc != 0 || i == RDN_MAX || !is_name(p, n))
			return false;
		value_add(out, value_strdup(a, p, n));
	}
}

static bool set_subject(struct arena *a, struct value *v, gnutls_x509_crt_t crt)
{
	struct value *names = value_array(a), *units = value_array(a);

	if (!subject_names(a, crt, GNUTLS_OID_X520_COMMON_NAME, names) ||
	    !subject_names(a, crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, units))
		return false;
	/* Of several the last one counts, as in Go. */
	value_set(v, "common_name",
	          names->len > 0 ? value_strn(a, names->last->text, names->last->len)
	                         : value_str(a, ""));
	value_set(v, "organizational_units", units);
	return true;
}

static void set_key_id(struct arena *a, struct value *v, const char *key,
                       gnutls_x509_crt_t crt,
                       int (*get)(gnutls_x509_crt_t, void *, size_t *, unsigned *))
{
	unsigned char p[KEY_ID_MAX];
	unsigned critical;
	size_t n = sizeof(p);

	if (get(crt, p, &n, &critical) == 0)
		value_set(v, key, value_bytes(a, arena_dup(a, p, n), n));
	else
		value_set(v, key, value_null(a));
}

struct names {
	struct value *dns, *email, *uri;
	unsigned n;
	bool seen;
};

static bool add_name(struct arena *a, struct names *s, unsigned tag, struct der name)
{
	struct value *to = tag == SAN_DNS     ? s->dns
	                   : tag == SAN_EMAIL ? s->email
	                   : tag == SAN_URI   ? s->uri
	                                      : NULL;

	if (++s->n > NAMES_MAX)
		return false;
	if (to == NULL)
		return true; /* an address, an otherName …: core has no rule for it */
	if (!is_name(name.p, name.n))
		return false;
	value_add(to, value_strdup(a, (const char *)name.p, name.n));
	return true;
}

static bool read_san(struct arena *a, struct names *s, struct der in)
{
	struct der list, name;
	unsigned tag;

	if (s->seen || !der_next(&in, &tag, &list) || tag != DER_SEQ || in.n != 0)
		return false;
	s->seen = true;
	while (list.n > 0)
		if (!der_next(&list, &tag, &name) || !add_name(a, s, tag, name))
			return false;
	return true;
}

static bool read_extension(struct arena *a, gnutls_x509_crt_t crt, unsigned i,
                           struct names *s, struct value *out, bool *end)
{
	char oid[OID_MAX];
	size_t oid_n = sizeof(oid), n;
	unsigned critical = 0;
	gnutls_datum_t data = { NULL, 0 };
	struct value *v = value_object(a);
	struct der text;
	bool ok = true;
	int rc = gnutls_x509_crt_get_extension_info(crt, i, oid, &oid_n, &critical);

	*end = rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	if (rc != 0 || gnutls_x509_crt_get_extension_data2(crt, i, &data) != 0)
		return *end;
	n = data.size;
	value_set_str(a, v, "oid", arena_str(a, oid));
	value_set_bool(a, v, "critical", critical != 0);
	value_set(v, "value", value_bytes(a, arena_dup(a, data.data, n), n));
	if (der_text((struct der){ data.data, n }, &text) && is_name(text.p, text.n))
		value_set(v, "text", value_strdup(a, (const char *)text.p, text.n));
	else
		value_set(v, "text", value_null(a));
	value_add(out, v);
	if (strcmp(oid, OID_SAN) == 0)
		ok = read_san(a, s, (struct der){ data.data, n });
	gnutls_free(data.data);
	return ok;
}

static bool set_extensions(struct arena *a, struct value *v, gnutls_x509_crt_t crt)
{
	struct names s = { value_array(a), value_array(a), value_array(a), 0, false };
	struct value *list = value_array(a);
	bool end = false;

	for (unsigned i = 0; !end; i++)
		if (i > EXTENSIONS_MAX || !read_extension(a, crt, i, &s, list, &end))
			return false;
	value_set(v, "dns_names", s.dns);
	value_set(v, "email_addresses", s.email);
	value_set(v, "uris", s.uri);
	value_set(v, "extensions", list);
	return true;
}

static bool set_spki(struct arena *a, struct value *v, gnutls_x509_crt_t crt)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	if (spki_sha256_crt(crt, hash) != 0)
		return false;
	value_set(v, "spki_sha256",
	          value_bytes(a, arena_dup(a, hash, sizeof(hash)), sizeof(hash)));
	return true;
}

static void set_chain(struct arena *a, struct value *v, const gnutls_datum_t *der,
                      unsigned n)
{
	struct value *list = value_array(a);

	for (unsigned i = 0; i < n; i++)
		value_add(list, value_bytes(a, arena_dup(a, der[i].data, der[i].size),
		                            der[i].size));
	value_set(v, "chain", list);
}

static bool describe(struct value *v, const struct trust *t, struct chain *c,
                     const gnutls_datum_t *der, time_t now, struct arena *a)
{
	gnutls_x509_crt_t crt = c->crt[0];
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, der[0].data, der[0].size);
	value_set(v, "sha256",
	          value_bytes(a, arena_dup(a, hash, sizeof(hash)), sizeof(hash)));
	if (!key_ok(crt) || !set_spki(a, v, crt) || !set_serial(a, v, crt) ||
	    !set_subject(a, v, crt) || !set_issued(a, v, c) || !set_extensions(a, v, crt))
		return false;
	set_key_id(a, v, "subject_key_id", crt, gnutls_x509_crt_get_subject_key_id);
	set_key_id(a, v, "authority_key_id", crt, gnutls_x509_crt_get_authority_key_id);
	value_set_int(a, v, "not_before", gnutls_x509_crt_get_activation_time(crt));
	value_set_int(a, v, "not_after", gnutls_x509_crt_get_expiration_time(crt));
	set_chain(a, v, der, c->n);
	value_set(v, "anchors", trust_judge(t, c->crt, c->n, hash, now, a));
	return !arena_failed(a);
}

struct value *client_cert_describe(const struct trust *t, const gnutls_datum_t *der,
                                   unsigned n, time_t now, struct arena *a)
{
	struct chain c = { .n = 0 };
	struct value *v = value_object(a);

	if (!chain_open(&c, der, n) || !describe(v, t, &c, der, now, a))
		v = NULL;
	chain_close(&c);
	return v;
}

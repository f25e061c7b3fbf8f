/* SPDX-License-Identifier: Apache-2.0 */
/* What net tells core about the certificate of a client: the contract of vault/ipc.h. */
#include <sodium.h>

#include "certs.h"
#include "der.h"
#include "server/net/client_cert.h"
#include "vault/ipc.h"

static struct arena *a;
static struct cert ca, leaf;
static time_t now;

static void more_names(gnutls_x509_crt_t crt, void *ctx)
{
	static const unsigned char text[] = { 0x0c, 5, 's', 't', 'a', 'g', 'e' };

	(void)ctx;
	gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0,
	                              "ops", 3);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "a.example", 9,
	                                     GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "b.example", 9,
	                                     GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_RFC822NAME, "m@a.example",
	                                     11, GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, "spiffe://x/y", 12,
	                                     GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, "\x7f\0\0\1", 4,
	                                     GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_extension_by_oid(crt, "1.3.6.1.4.1.99999.1", text,
	                                     sizeof(text), 0);
	gnutls_x509_crt_set_extension_by_oid(crt, "1.3.6.1.4.1.99999.2", "\x05\0", 2, 0);
	gnutls_x509_crt_set_subject_key_id(crt, "\1\2\3", 3);
	gnutls_x509_crt_set_authority_key_id(crt, "\4\5", 2);
}

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	a = arena_new((size_t)64 << 20);
	now = time(NULL);
	cert_make(&ca, &(struct cert_options){ .cn = "an authority", .ca = true });
	cert_make(&leaf, &(struct cert_options){
				 .cn = "web1", .issuer = &ca, .more = more_names });
}

static void teardown(void)
{
	cert_free(&ca);
	cert_free(&leaf);
	arena_free(a);
}

TestSuite(client_cert, .init = setup, .fini = teardown, .timeout = 60);

static struct trust *trusting(const struct cert *const *certs, size_t n)
{
	struct value *set = value_object(a), *cas = value_array(a);
	struct trust *t;

	for (size_t i = 0; i < n; i++)
		value_add(cas, value_bytes(a, certs[i]->der.data, certs[i]->der.size));
	value_set(set, "cas", cas);
	t = trust_new(set, NULL);
	cr_assert_not_null(t);
	return t;
}

static struct trust *trusting_one(const struct cert *c)
{
	return trusting(&c, 1);
}

static struct value *describe(const struct trust *t, const struct cert *c)
{
	return client_cert_describe(t, &c->der, 1, now, a);
}

static size_t anchors(const struct trust *t, const struct cert *c)
{
	const struct value *v = describe(t, c);

	cr_assert_not_null(v);
	return value_get(v, "anchors")->len;
}

static void has_bytes(const struct value *v, const char *key, const void *p, size_t n)
{
	const struct value *m = value_get(v, key);

	cr_assert(m != NULL && m->type == V_BYTES && m->len == n &&
	                  memcmp(m->text, p, n) == 0,
	          "%s", key);
}

static void has_list(const struct value *v, const char *key, size_t n, const char *first)
{
	const struct value *m = value_get(v, key);

	cr_assert(m != NULL && m->type == V_ARRAY && m->len == n, "%s", key);
	cr_assert(n == 0 || value_is_str(m->first, first), "%s", key);
}

Test(client_cert, every_member_is_there_and_exact)
{
	struct trust *t = trusting_one(&ca);
	const struct value *v = describe(t, &leaf), *m;
	gnutls_datum_t name = { NULL, 0 };
	unsigned char hash[32];

	cr_assert_not_null(v);
	crypto_hash_sha256(hash, leaf.der.data, leaf.der.size);
	has_bytes(v, "sha256", hash, 32);
	cr_assert_eq(value_get(v, "spki_sha256")->len, 32);
	cr_assert_eq(value_get(v, "serial")->len, 1);
	cr_assert(value_is_str(value_get(v, "serial_number"), "18"));
	cr_assert(value_is_str(value_get(v, "common_name"), "web1"));
	has_list(v, "organizational_units", 1, "ops");
	has_list(v, "dns_names", 2, "a.example");
	has_list(v, "email_addresses", 1, "m@a.example");
	has_list(v, "uris", 1, "spiffe://x/y");
	has_bytes(v, "subject_key_id", "\1\2\3", 3);
	has_bytes(v, "authority_key_id", "\4\5", 2);
	cr_assert_eq(value_int_or(v, "not_before", 0), now - 3600);
	cr_assert_eq(value_int_or(v, "not_after", 0), now + 3600);
	m = value_get(v, "extensions");
	cr_assert_eq(m->len, 7);
	for (const struct value *x = m->first; x != NULL; x = x->next) {
		if (value_is_str(value_get(x, "oid"), "1.3.6.1.4.1.99999.1"))
			cr_assert(value_is_str(value_get(x, "text"), "stage"));
		else
			cr_assert_eq(value_get(x, "text")->type, V_NULL);
	}
	m = value_get(v, "issued");
	cr_assert_eq(m->len, 1);
	cr_assert_eq(gnutls_x509_crt_get_raw_dn(ca.crt, &name), 0);
	crypto_hash_sha256(hash, name.data, name.size);
	gnutls_free(name.data);
	has_bytes(m->first, "issuer", hash, 32);
	has_bytes(m->first, "serial", "\x12", 1);
	m = value_get(v, "chain");
	cr_assert(m->len == 1 && m->first->len == leaf.der.size);
	crypto_hash_sha256(hash, ca.der.data, ca.der.size);
	m = value_get(v, "anchors");
	cr_assert(m->len == 1 && memcmp(m->first->text, hash, 32) == 0);
	trust_free(t);
}

Test(client_cert, who_vouches)
{
	struct cert other, twin;
	struct trust *t;

	cert_make(&other, &(struct cert_options){ .cn = "another", .ca = true });
	/* the same name with another key */
	cert_make(&twin, &(struct cert_options){ .cn = "an authority", .ca = true });
	cr_assert_eq(anchors(NULL, &leaf), 0);
	t = trusting_one(&other);
	cr_assert_eq(anchors(t, &leaf), 0);
	trust_free(t);
	t = trusting_one(&twin);
	cr_assert_eq(anchors(t, &leaf), 0, "a name is no signature");
	trust_free(t);
	t = trusting((const struct cert *const[]){ &other, &twin, &ca, &leaf }, 4);
	cr_assert_eq(anchors(t, &leaf), 2, "its authority, and itself");
	trust_free(t);
	cert_free(&other);
	cert_free(&twin);
}

Test(client_cert, no_leaf_is_an_authority)
{
	struct cert below;
	struct trust *t = trusting_one(&leaf);

	cert_make(&below, &(struct cert_options){ .cn = "below", .issuer = &leaf });
	cr_assert_eq(anchors(t, &below), 0, "signed by a trusted leaf");
	trust_free(t);
	cert_free(&below);
}

Test(client_cert, an_intermediate_is_shown_by_the_client)
{
	struct cert middle, end;
	struct trust *t = trusting_one(&ca);
	gnutls_datum_t shown[2];
	const struct value *v;

	cert_make(&middle,
	          &(struct cert_options){ .cn = "middle", .ca = true, .issuer = &ca });
	cert_make(&end, &(struct cert_options){ .cn = "end", .issuer = &middle });
	cr_assert_eq(anchors(t, &end), 0, "without it nobody can tell");
	shown[0] = end.der;
	shown[1] = middle.der;
	v = client_cert_describe(t, shown, 2, now, a);
	cr_assert_eq(value_get(v, "anchors")->len, 1);
	cr_assert_eq(value_get(v, "chain")->len, 2);
	trust_free(t);
	t = trusting((const struct cert *const[]){ &ca, &middle }, 2);
	v = client_cert_describe(t, shown, 2, now, a);
	cr_assert_eq(value_get(v, "anchors")->len, 2, "both vouch for it");
	trust_free(t);
	cert_free(&middle);
	cert_free(&end);
}

static void server_only(gnutls_x509_crt_t crt, void *ctx)
{
	(void)ctx;
	gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
}

Test(client_cert, times_and_purpose_count)
{
	struct cert old, young, server;
	struct trust *t = trusting_one(&ca), *pin;

	cert_make(&old,
	          &(struct cert_options){
			  .cn = "old", .issuer = &ca, .from = -7200, .until = -60 });
	cert_make(&young,
	          &(struct cert_options){
			  .cn = "young", .issuer = &ca, .from = 60, .until = 600 });
	cert_make(&server, &(struct cert_options){
				   .cn = "server", .issuer = &ca, .more = server_only });
	cr_assert_eq(anchors(t, &old), 0);
	cr_assert_eq(anchors(t, &young), 0);
	cr_assert_eq(anchors(t, &server), 0);
	pin = trusting_one(&old);
	cr_assert_eq(anchors(pin, &old), 0, "pinned, and expired all the same");
	trust_free(pin);
	trust_free(t);
	cert_free(&old);
	cert_free(&young);
	cert_free(&server);
}

struct odd_case {
	char name[32];
	int kind;
};

enum { ODD_NUL, ODD_CONTROL, ODD_LATIN1, ODD_MANY_UNITS, ODD_MANY_NAMES, ODD_MANY_EXT };

/* One name as it is: the library itself would not write these. */
static void set_san(gnutls_x509_crt_t crt, unsigned char tag, const char *name, size_t n)
{
	unsigned char der[64] = { 0x30, (unsigned char)(n + 2), tag, (unsigned char)n };

	memcpy(der + 4, name, n);
	cr_assert_eq(gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", der,
	                                                  (unsigned)n + 4, 0),
	             0);
}

static void make_odd(gnutls_x509_crt_t crt, void *ctx)
{
	char text[40];

	switch (*(int *)ctx) {
	case ODD_NUL:
		set_san(crt, 0x82, "good.example\0.bad.example", 25);
		break;
	case ODD_CONTROL:
		set_san(crt, 0x86, "a\nb", 3);
		break;
	case ODD_LATIN1:
		set_san(crt, 0x81, "a\xe9z", 3);
		break;
	case ODD_MANY_UNITS:
		for (unsigned i = 0; i < 17; i++)
			gnutls_x509_crt_set_dn_by_oid(
				crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0, "x", 1);
		break;
	case ODD_MANY_NAMES:
		for (int i = 0; i < 257; i++) {
			int n = snprintf(text, sizeof(text), "n%d.example", i);

			gnutls_x509_crt_set_subject_alt_name(
				crt, GNUTLS_SAN_DNSNAME, text, (unsigned)n,
				i == 0 ? GNUTLS_FSAN_SET : GNUTLS_FSAN_APPEND);
		}
		break;
	default:
		for (int i = 0; i < 65; i++) {
			snprintf(text, sizeof(text), "1.3.6.1.4.1.99999.%d", i);
			gnutls_x509_crt_set_extension_by_oid(crt, text, "\x05\0", 2, 0);
		}
	}
}

ParameterizedTestParameters(client_cert, counts_as_none)
{
	static struct odd_case c[] = {
		{"NUL in a name",        ODD_NUL       },
                { "control character",   ODD_CONTROL   },
		{ "no UTF-8",            ODD_LATIN1    },
                { "17 units",            ODD_MANY_UNITS},
		{ "257 names",           ODD_MANY_NAMES},
                { "too many extensions", ODD_MANY_EXT  },
	};
	return cr_make_param_array(struct odd_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct odd_case *c, client_cert, counts_as_none)
{
	struct cert odd;

	cert_make(&odd, &(struct cert_options){ .cn = "odd",
	                                        .issuer = &ca,
	                                        .more = make_odd,
	                                        .ctx = &c->kind });
	cr_assert_null(describe(NULL, &odd), "%s", c->name);
	cert_free(&odd);
}

Test(client_cert, size_and_length_of_the_chain_are_bounded)
{
	gnutls_datum_t many[IPC_CLIENT_CHAIN + 1];
	static unsigned char big[IPC_CLIENT_BYTES + 1];
	gnutls_datum_t huge = { big, sizeof(big) };

	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		many[i] = leaf.der;
	cr_assert_not_null(client_cert_describe(NULL, many, IPC_CLIENT_CHAIN, now, a));
	cr_assert_null(client_cert_describe(NULL, many, IPC_CLIENT_CHAIN + 1, now, a));
	cr_assert_null(client_cert_describe(NULL, many, 0, now, a));
	cr_assert_null(client_cert_describe(NULL, &huge, 1, now, a));
}

/* Every byte changed in turn: each is taken or refused, none does harm, and a changed
 * certificate is never vouched for. */
Test(client_cert, no_flipped_byte_is_vouched_for)
{
	struct trust *t = trusting_one(&ca);
	struct cert bad = { .der = leaf.der };
	unsigned char *copy = malloc(leaf.der.size);
	size_t taken = 0;

	for (size_t i = 0; i < leaf.der.size; i++) {
		struct value *v;

		memcpy(copy, leaf.der.data, leaf.der.size);
		copy[i] ^= 0x40;
		bad.der.data = copy;
		v = describe(t, &bad);
		taken += v != NULL;
		cr_assert(v == NULL || value_get(v, "anchors")->len == 0, "byte %zu", i);
		arena_reset(a);
	}
	cr_assert_gt(taken, 0);
	cr_assert_lt(taken, leaf.der.size);
	free(copy);
	trust_free(t);
}

Test(client_cert, cut_short_it_is_none)
{
	for (unsigned n = 0; n < leaf.der.size; n++) {
		gnutls_datum_t cut = { leaf.der.data, n };

		cr_assert_null(client_cert_describe(NULL, &cut, 1, now, a), "%u", n);
		arena_reset(a);
	}
}

Test(client_cert, keys_that_cost_too_much)
{
	struct cert c = leaf;
	gnutls_x509_privkey_t weak;
	gnutls_datum_t der;

	cr_assert(client_key_ok(&leaf.der));
	cr_assert_eq(gnutls_x509_privkey_init(&weak), 0);
	cr_assert_eq(gnutls_x509_privkey_generate(weak, GNUTLS_PK_RSA, 1024, 0), 0);
	gnutls_x509_crt_set_key(c.crt, weak);
	gnutls_x509_crt_sign2(c.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0);
	cr_assert_eq(gnutls_x509_crt_export2(c.crt, GNUTLS_X509_FMT_DER, &der), 0);
	cr_assert_not(client_key_ok(&der));
	cr_assert_not(client_key_ok(&(gnutls_datum_t){ (unsigned char *)"x", 1 }));
	gnutls_free(der.data);
	gnutls_x509_privkey_deinit(weak);
}

Test(client_cert, what_is_no_certificate_vouches_for_nobody)
{
	struct value *set = value_object(a), *cas = value_array(a);
	struct trust *t;

	value_add(cas, value_bytes(a, "nonsense", 8));
	value_add(cas, value_bytes(a, ca.der.data, ca.der.size));
	value_set(set, "cas", cas);
	t = trust_new(set, NULL);
	cr_assert_not_null(t);
	cr_assert_eq(anchors(t, &leaf), 1, "the rest still does");
	trust_free(t);
	cr_assert_null(trust_new(value_object(a), NULL));
	cr_assert_null(trust_new(value_null(a), NULL));
	value_add(cas, value_str(a, "text"));
	cr_assert_null(trust_new(set, NULL));
}

struct der_case {
	char name[24];
	unsigned char p[8];
	size_t n;
	int ok;
};

ParameterizedTestParameters(client_cert, der_of_one_string)
{
	static struct der_case c[] = {
		{"empty",              { 0 },				       0, 0},
		{ "tag alone",         { 0x0c },                                    1, 0},
		{ "empty text",        { 0x0c, 0 },                                 2, 1},
		{ "text",              { 0x0c, 1, 'a' },                            3, 1},
		{ "printable",         { 0x13, 1, 'a' },                            3, 1},
		{ "octets",            { 0x04, 1, 'a' },                            3, 0},
		{ "too short",         { 0x0c, 2, 'a' },                            3, 0},
		{ "something behind",  { 0x0c, 1, 'a', 0 },                         4, 0},
		{ "long form",         { 0x0c, 0x81, 1, 'a' },                      4, 0},
		{ "indefinite",        { 0x0c, 0x80, 0, 0 },                        4, 0},
		{ "five length bytes", { 0x0c, 0x85, 0, 0, 0, 0, 1, 'a' },          8, 0},
		{ "huge",              { 0x0c, 0x84, 0xff, 0xff, 0xff, 0xff, 'a' }, 7, 0},
		{ "high tag",          { 0x1f, 1, 'a' },                            3, 0},
	};
	return cr_make_param_array(struct der_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct der_case *c, client_cert, der_of_one_string)
{
	struct der out;

	cr_assert_eq(der_text((struct der){ c->p, c->n }, &out), c->ok, "%s", c->name);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_X5_H
#define ROTATORS_X5_H
/*
 * x5 - certificates by an internal authority, whose key is the account that acts.
 *
 * x5_name.c   names, and which of them may be issued
 * x5_plan.c   what the configuration asks for
 * x5_ca.c     the authority: is it one, and may it still sign?
 * x5_issue.c  create
 * x5_check.c  test and probe
 * x5_crl.c    retire: the revocation list in a file
 *
 * One process serves one call: what GnuTLS holds is given back by its end, but for keys.
 */
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "rotator.h"

/* --- names --- */

#define X5_NAMES_MAX 64u
#define X5_TEXT_MAX  1024u /* of one name */
#define X5_CN_MAX    64u   /* ub-common-name of RFC 5280 */

enum x5_kind { X5_DNS, X5_IP, X5_URI, X5_EMAIL };

struct x5_name {
	enum x5_kind kind;
	const char *text; /* as it is written; a DNS name in lower case */
	unsigned char ip[16];
	size_t ip_len; /* 4 or 16, of an X5_IP */
};

/** x5_name_parse(arena, text, out, a): "DNS:…", "IP:…", "URI:…", "email:…", or what it
 * looks like.  CLASS_PERMANENT if it is no name. */
int x5_name_parse(struct arena *arena, const char *text, struct x5_name *out,
                  struct answer *a) MUST_CHECK;
/** x5_name_within(n, domain): "example.com" holds itself and what is below,
 * ".example.com" only that; "10.0.0.0/8" holds addresses; "ops@example.com" that mailbox
 * alone. */
bool x5_name_within(const struct x5_name *n, const char *domain);
/** x5_name_equal(a, b): the same name in a certificate? */
bool x5_name_equal(const struct x5_name *a, const struct x5_name *b);

/* --- the plan --- */

enum x5_usage { X5_SERVER = 1, X5_CLIENT = 2 };

struct x5_key_type {
	const char *name;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits; /* for gnutls_x509_privkey_generate2() */
};

struct x5_plan {
	const char *common_name;
	struct x5_name names[X5_NAMES_MAX]; /* the common name is one of them */
	size_t n;
	int64_t ttl_s;
	const struct x5_key_type *key_type;
	unsigned usages; /* of enum x5_usage */
	const char *organization, *unit, *country, *locality, *province; /* or NULL */
};

#define X5_TTL_S     (30ll * 24 * 3600)
#define X5_TTL_MAX_S (100ll * 365 * 24 * 3600)
#define X5_TTL_MIN_S 60

/** x5_plan_read(r, plan, a): CLASS_PERMANENT for what cannot be, or may not be issued. */
int x5_plan_read(struct request *r, struct x5_plan *plan, struct answer *a) MUST_CHECK;

/* --- the authority --- */

#define X5_CHAIN_MAX 8u

struct x5_ca {
	gnutls_x509_crt_t chain[X5_CHAIN_MAX]; /* [0] signs */
	unsigned n;
	gnutls_x509_privkey_t key;
	const char *pem;     /* of the chain */
	int64_t from, until; /* seconds: when all of the chain is valid */
};

/** x5_ca_open(r, ca, a): admin.ca_certificate and admin.ca_private_key (with
 * admin.ca_passphrase).  CLASS_PERMANENT if it may not sign.  x5_ca_close(ca) takes any
 * state. */
int x5_ca_open(struct request *r, struct x5_ca *ca, struct answer *a) MUST_CHECK;
void x5_ca_close(struct x5_ca *ca);
#define AUTO_CA __attribute__((cleanup(x5_ca_close))) struct x5_ca

/** x5_verify(ca, crt, why): does ${crt} verify by ${ca} now?  *why (a literal) says what
 * does not. */
bool x5_verify(const struct x5_ca *ca, gnutls_x509_crt_t crt, const char **why)
	MUST_CHECK;

/** x5_hash(ca, out): what the authority's key signs with; 0, or GnuTLS's error. */
int x5_hash(const struct x5_ca *ca, gnutls_digest_algorithm_t *out) MUST_CHECK;

/** x5_failed(a, what, rc): something of GnuTLS that should not fail has. */
int x5_failed(struct answer *a, const char *what, int rc);
/** x5_now(): seconds of the wall clock. */
int64_t x5_now(void);
/** x5_field(c, name): a field of a credential as text, or NULL. */
const char *x5_field(const struct credential *c, const char *name);

/* --- the certificate --- */

#define X5_SERIAL 20u
/** x5_serial(ca_der, n, attempt, out): positive, of full length, the same for the same
 * attempt, and of 128 random bits since the attempt's id is. */
void x5_serial(const void *ca_der, size_t n, const char *attempt,
               unsigned char out[X5_SERIAL]);
/** x5_serial_text(p, n, out): "0a:1b:…", 3n bytes. */
void x5_serial_text(const unsigned char *p, size_t n, char *out);

/* What a credential holds. */
struct x5_pair {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};
/** x5_pair_read(c, what, p, a): CLASS_PERMANENT if one of the two is missing or is none.
 * x5_pair_free(p) takes any state. */
int x5_pair_read(const struct credential *c, const char *what, struct x5_pair *p,
                 struct answer *a) MUST_CHECK;
void x5_pair_free(struct x5_pair *p);
#define AUTO_PAIR __attribute__((cleanup(x5_pair_free))) struct x5_pair

/* --- the list of what is revoked --- */

/** x5_crl_lists(r, ca, crt, listed, a): is ${crt} on the list of config.crl_file?  Not if
 * there is no such file. */
int x5_crl_lists(struct request *r, const struct x5_ca *ca, gnutls_x509_crt_t crt,
                 bool *listed, struct answer *a) MUST_CHECK;

/* --- the steps --- */
int x5_create(struct request *r, struct answer *a);
int x5_test(struct request *r, struct answer *a);
int x5_probe(struct request *r, struct answer *a);
int x5_retire(struct request *r, struct answer *a);
int x5_login(struct request *r, struct answer *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "x5.h"

#define KEY_ID_MAX 64u

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)text,
		                 .size = (unsigned)strlen(text) };
}

/* --- one credential --- */

int x5_pair_read(const struct credential *c, const char *what, struct x5_pair *p,
                 struct answer *a)
{
	const char *crt = x5_field(c, "certificate"), *key = x5_field(c, "private_key");
	gnutls_datum_t pem;

	*p = (struct x5_pair){ 0 };
	if (!c->given)
		return answer_fail(a, CLASS_PERMANENT, "the request has no '%s'", what);
	if (crt == NULL || key == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'%s' has no certificate or no private key", what);
	if (gnutls_x509_crt_init(&p->crt) != 0 || gnutls_x509_privkey_init(&p->key) != 0)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	pem = datum(crt);
	if (gnutls_x509_crt_import(p->crt, &pem, GNUTLS_X509_FMT_PEM) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the certificate of '%s' is no PEM of one", what);
	pem = datum(key);
	if (gnutls_x509_privkey_import2(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the private key of '%s' is no PEM of one", what);
	return 0;
}

void x5_pair_free(struct x5_pair *p)
{
	if (p->crt != NULL)
		gnutls_x509_crt_deinit(p->crt);
	if (p->key != NULL)
		gnutls_x509_privkey_deinit(p->key);
	*p = (struct x5_pair){ 0 };
}

static bool belongs(const struct x5_pair *p)
{
	unsigned char x[KEY_ID_MAX], y[KEY_ID_MAX];
	size_t nx = sizeof(x), ny = sizeof(y);

	return gnutls_x509_crt_get_key_id(p->crt, GNUTLS_KEYID_USE_SHA256, x, &nx) == 0 &&
	       gnutls_x509_privkey_get_key_id(p->key, GNUTLS_KEYID_USE_SHA256, y, &ny) ==
	               0 &&
	       nx == ny && memcmp(x, y, nx) == 0;
}

/* Would somebody who trusts the authority take it, from somebody with this key?  *judged:
 * it was found out; the list of what is revoked may not be readable. */
static int check_pair(struct request *r, const struct x5_ca *ca, const struct x5_pair *p,
                      bool *judged, struct answer *a)
{
	const char *why;
	bool listed;
	int rc;

	*judged = true;
	if (!belongs(p))
		return answer_fail(a, CLASS_PERMANENT,
		                   "certificate and private key do not belong together");
	if (!x5_verify(ca, p->crt, &why))
		return answer_fail(a, CLASS_PERMANENT, "the certificate is not valid: %s",
		                   why);
	rc = x5_crl_lists(r, ca, p->crt, &listed, a);
	*judged = rc == 0;
	if (rc != 0)
		return rc;
	if (listed)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the certificate is not valid: it is revoked");
	return 0;
}

/* --- names --- */

/* Name number ${i} of the certificate; false if there is none. */
static bool name_at(struct request *r, gnutls_x509_crt_t crt, unsigned i,
                    struct x5_name *out, bool *known)
{
	char buf[X5_TEXT_MAX + 1];
	size_t n = sizeof(buf);
	int type = gnutls_x509_crt_get_subject_alt_name(crt, i, buf, &n, NULL);

	*out = (struct x5_name){ 0 };
	*known = true;
	if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return false;
	switch (type) {
	case GNUTLS_SAN_DNSNAME:
		out->kind = X5_DNS;
		break;
	case GNUTLS_SAN_IPADDRESS:
		out->kind = X5_IP;
		break;
	case GNUTLS_SAN_URI:
		out->kind = X5_URI;
		break;
	case GNUTLS_SAN_RFC822NAME:
		out->kind = X5_EMAIL;
		break;
	default:
		*known = false;
		return true;
	}
	if (out->kind == X5_IP && n <= sizeof(out->ip)) {
		memcpy(out->ip, buf, n);
		out->ip_len = n;
	}
	out->text = out->kind == X5_IP ? "" : arena_dup(r->arena, buf, n);
	*known = out->text != NULL;
	return true;
}

static bool has_name(struct request *r, gnutls_x509_crt_t crt, const struct x5_name *want)
{
	struct x5_name have;
	bool known;

	for (unsigned i = 0; name_at(r, crt, i, &have, &known); i++)
		if (known && x5_name_equal(&have, want))
			return true;
	return false;
}

/* --- the steps --- */

int x5_test(struct request *r, struct answer *a)
{
	AUTO_CA ca = { 0 };
	AUTO_PAIR pair = { 0 };
	struct x5_plan plan;
	bool judged;
	int rc;

	if ((rc = x5_plan_read(r, &plan, a)) != 0 || (rc = x5_ca_open(r, &ca, a)) != 0 ||
	    (rc = x5_pair_read(&r->pending, "pending", &pair, a)) != 0 ||
	    (rc = check_pair(r, &ca, &pair, &judged, a)) != 0)
		return rc;
	for (size_t i = 0; i < plan.n; i++)
		if (!has_name(r, pair.crt, &plan.names[i]))
			return answer_fail(a, CLASS_PERMANENT,
			                   "the certificate is not for '%.80s'",
			                   plan.names[i].text);
	return 0;
}

/* A secret that holds no certificate yet cannot be judged; one that holds something else
 * in its place can. */
static enum verdict judge(struct request *r, const struct x5_ca *ca,
                          const struct credential *c, const char *what)
{
	AUTO_PAIR pair = { 0 };
	struct answer why = { 0 };
	bool judged = true;
	int rc;

	if (!c->given)
		return VERDICT_NONE;
	if (x5_field(c, "certificate") == NULL || x5_field(c, "private_key") == NULL)
		return VERDICT_UNKNOWN;
	if ((rc = x5_pair_read(c, what, &pair, &why)) == 0)
		rc = check_pair(r, ca, &pair, &judged, &why);
	if (rc == 0)
		return VERDICT_VALID;
	rotator_note(r, "probe: %s: %s", what, why.message);
	return !judged || rc == CLASS_RETRYABLE ? VERDICT_UNKNOWN : VERDICT_INVALID;
}

int x5_probe(struct request *r, struct answer *a)
{
	AUTO_CA ca = { 0 };
	int rc = x5_ca_open(r, &ca, a);

	if (rc != 0)
		return rc;
	a->probed = true;
	a->current = judge(r, &ca, &r->current, "current");
	a->pending = judge(r, &ca, &r->pending, "pending");
	a->previous = judge(r, &ca, &r->previous, "previous");
	return 0;
}

/* Can the account that acts do what it is for? */
int x5_login(struct request *r, struct answer *a)
{
	AUTO_CA ca = { 0 };

	return x5_ca_open(r, &ca, a);
}

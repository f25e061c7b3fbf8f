/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that show certificates, good and odd, over the wire. */
#include <gnutls/gnutls.h>
#include <time.h>

#include "certs.h"
#include "rig.h"
#include "vault/ipc.h"

#define HOST  "Host: localhost\r\n"
#define LOGIN "GET /v1/auth/x HTTP/1.1\r\n" HOST "\r\n"

static struct rig rig;
static struct cert server, ca, client;

/* What the client shows: a chain and the key of the first. */
struct shown {
	gnutls_pcert_st chain[IPC_CLIENT_CHAIN + 2];
	unsigned n;
	gnutls_privkey_t key;
};

static struct shown shown;

static void setup(void)
{
	cert_make(&server, &(struct cert_options){ .cn = "server" });
	cert_make(&ca, &(struct cert_options){ .cn = "an authority", .ca = true });
	cert_make(&client, &(struct cert_options){ .cn = "web1", .issuer = &ca });
	rig_start(&rig, &(struct rig_options){ .cert = (char *)server.pem.data,
	                                       .key = (char *)server.key_pem.data });
	cr_assert_eq(gnutls_privkey_init(&shown.key), 0);
	cr_assert_eq(gnutls_privkey_import_x509(shown.key, client.key, 0), 0);
}

static void teardown(void)
{
	rig_stop(&rig);
	gnutls_privkey_deinit(shown.key);
	cert_free(&server);
	cert_free(&ca);
	cert_free(&client);
}

TestSuite(role_cert, .init = setup, .fini = teardown, .timeout = 120);

static void show(const gnutls_datum_t *der, unsigned n)
{
	static gnutls_pubkey_t key;

	if (key == NULL) {
		cr_assert_eq(gnutls_pubkey_init(&key), 0);
		cr_assert_eq(gnutls_pubkey_import_x509(key, client.crt, 0), 0);
	}
	shown.n = n;
	for (unsigned i = 0; i < n; i++)
		shown.chain[i] = (gnutls_pcert_st){ .pubkey = key,
			                            .cert = der[i],
			                            .type = GNUTLS_CRT_X509 };
}

static int on_wanted(gnutls_session_t s, const gnutls_datum_t *ca_names, int names,
                     const gnutls_pk_algorithm_t *algorithms, int n,
                     gnutls_pcert_st **chain, unsigned *len, gnutls_privkey_t *key)
{
	(void)s;
	(void)ca_names;
	(void)names;
	(void)algorithms;
	(void)n;
	*chain = shown.n > 0 ? shown.chain : NULL;
	*len = shown.n;
	*key = shown.n > 0 ? shown.key : NULL;
	return 0;
}

struct tls {
	gnutls_session_t s;
	gnutls_certificate_credentials_t cred;
	int fd;
};

static bool tls_dial(struct tls *t)
{
	int rc;

	t->fd = rig_dial(&rig);
	gnutls_certificate_allocate_credentials(&t->cred);
	gnutls_certificate_set_retrieve_function2(t->cred, on_wanted);
	gnutls_init(&t->s, GNUTLS_CLIENT);
	gnutls_priority_set_direct(t->s, "NORMAL", NULL);
	gnutls_credentials_set(t->s, GNUTLS_CRD_CERTIFICATE, t->cred);
	gnutls_transport_set_int(t->s, t->fd);
	gnutls_handshake_set_timeout(t->s, RIG_WAIT_MS);
	do {
		rc = gnutls_handshake(t->s);
	} while (rc < 0 && gnutls_error_is_fatal(rc) == 0);
	return rc == 0;
}

static void tls_end(struct tls *t)
{
	gnutls_deinit(t->s);
	gnutls_certificate_free_credentials(t->cred);
	close(t->fd);
}

static void tls_put(struct tls *t, const char *text)
{
	cr_assert_eq(gnutls_record_send(t->s, text, strlen(text)), (ssize_t)strlen(text));
}

/* One reply, or the end; the status, 0 at the end. */
static int tls_get(struct tls *t)
{
	char text[2048];
	ssize_t n;
	int status = 0;

	do {
		n = gnutls_record_recv(t->s, text, sizeof(text) - 1);
	} while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	cr_assert_eq(sscanf(text, "HTTP/1.1 %d", &status), 1);
	return status;
}

static const struct value *client_of(struct tls *t, const char *path)
{
	char text[256];
	struct rig_request q;

	snprintf(text, sizeof(text),
	         "POST /v1/%s HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", path);
	tls_put(t, text);
	q = rig_request(&rig);
	rig_answer(&rig, q.id, 204, IPC_K_EMPTY, NULL);
	cr_assert_eq(tls_get(t), 204);
	return value_at(q.v, IPC_RQ_CLIENT);
}

static void trust(const struct cert *c)
{
	struct value *set = value_object(rig.a), *cas = value_array(rig.a);

	value_add(cas, value_bytes(rig.a, c->der.data, c->der.size));
	value_set(set, "cas", cas);
	rig_core_put(&rig, IPC_TRUST, 0, set);
}

static size_t anchors(const struct value *v)
{
	cr_assert_eq(v->type, V_OBJECT);
	return value_get(v, "anchors")->len;
}

/* net has two sources, core and clients, and takes them in no order that could be relied
 * on: what core has sent is in force soon, not at the next request. */
static void await_anchors(struct tls *t, size_t n)
{
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	while (anchors(client_of(t, "auth/cert/login")) != n) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		cr_assert_lt((now.tv_sec - began.tv_sec) * 1000, RIG_WAIT_MS,
		             "never %zu anchors", n);
	}
}

Test(role_cert, core_hears_of_a_certificate_at_logins_alone)
{
	struct tls t;
	const struct value *v;

	trust(&ca);
	show(&client.der, 1);
	cr_assert(tls_dial(&t));
	await_anchors(&t, 1);
	v = client_of(&t, "auth/cert/login");
	cr_assert(value_is_str(value_get(v, "common_name"), "web1"));
	cr_assert_eq(client_of(&t, "secret/data/x")->type, V_NULL);
	cr_assert_eq(anchors(client_of(&t, "auth/token/renew-self")), 1);
	tls_end(&t);
}

Test(role_cert, none_is_asked_for_only)
{
	struct tls t;

	trust(&ca);
	show(NULL, 0);
	cr_assert(tls_dial(&t));
	cr_assert_eq(client_of(&t, "auth/cert/login")->type, V_NULL);
	tls_end(&t);
}

Test(role_cert, whom_core_trusts_may_change_under_a_connection)
{
	struct tls t;

	show(&client.der, 1);
	cr_assert(tls_dial(&t));
	cr_assert_eq(anchors(client_of(&t, "auth/cert/login")), 0);
	trust(&ca);
	await_anchors(&t, 1);
	trust(&server);
	await_anchors(&t, 0);
	trust(&client);
	await_anchors(&t, 1);
	tls_end(&t);
}

/* Does net still serve, and without having been told anything wrong? */
static void still_there(void)
{
	struct tls t;

	show(NULL, 0);
	cr_assert(tls_dial(&t));
	cr_assert_eq(client_of(&t, "auth/cert/login")->type, V_NULL);
	tls_end(&t);
}

/* The status of a login that is answered by net or not at all: the frame, if one comes,
 * must not speak of a certificate that is vouched for. */
static void try_login(void)
{
	struct tls t;
	const struct value *v;
	struct value *rq = NULL;
	uint64_t id;
	bool came = false;

	if (tls_dial(&t)) {
		/* whoever is refused may learn of it only now, by an alert */
		(void)gnutls_record_send(t.s, LOGIN, strlen(LOGIN));
		while (!came) {
			struct pollfd p[2] = {
				{t.fd,                     POLLIN, 0},
				{ frame_conn_fd(rig.core), POLLIN, 0}
			};

			cr_assert_gt(poll(p, 2, RIG_WAIT_MS), 0,
			             "neither answer nor end");
			came = rig_core_wait(&rig, 5, IPC_REQUEST, &id, &rq);
			if (!came && p[0].revents != 0 && tls_get(&t) == 0)
				break;
		}
	}
	if (came) {
		v = value_at(rq, IPC_RQ_CLIENT);
		cr_assert(v->type == V_NULL || value_get(v, "anchors")->len == 0);
		rig_answer(&rig, id, 204, IPC_K_EMPTY, NULL);
	}
	tls_end(&t);
}

static uint32_t seed = 1;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Test 55 of the security tests; the same numbers in every run. */
Test(role_cert, hundreds_of_malformed_certificates)
{
	static unsigned char copy[4096];
	gnutls_datum_t der = { copy, 0 };

	trust(&ca);
	for (int i = 0; i < 300; i++) {
		der.size = client.der.size;
		memcpy(copy, client.der.data, der.size);
		for (uint32_t k = 1 + draw(4); k > 0; k--)
			copy[draw(der.size)] = (unsigned char)draw(256);
		if (i % 5 == 0)
			der.size = draw(der.size) + 1;
		if (memcmp(copy, client.der.data, der.size) == 0)
			continue;
		show(&der, 1);
		try_login();
	}
	still_there();
}

Test(role_cert, large_and_long_chains)
{
	static unsigned char big[IPC_CLIENT_BYTES + 4096];
	gnutls_datum_t many[IPC_CLIENT_CHAIN + 1], large = { big, sizeof(big) };

	trust(&ca);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		many[i] = i == 0 ? client.der : ca.der;
	show(many, ARRAY_LEN(many));
	try_login();
	memcpy(big, client.der.data, client.der.size);
	show(&large, 1);
	try_login();
	still_there();
}

Test(role_cert, refusals_are_counted)
{
	static unsigned char big[IPC_CLIENT_BYTES + 4096];
	gnutls_datum_t large = { big, sizeof(big) };
	struct value *v;
	struct tls t;

	memcpy(big, client.der.data, client.der.size);
	show(&large, 1);
	if (tls_dial(&t))
		cr_assert_eq(tls_get(&t), 0);
	tls_end(&t);
	cr_assert(rig_core_wait(&rig, 3000, IPC_REJECTED, NULL, &v));
	cr_assert(value_is_str(value_get(v, "reason"), "client certificate too large"));
}

/* Another's certificate without its key. */
Test(role_cert, a_stolen_certificate_is_useless)
{
	gnutls_privkey_t own = shown.key, wrong;
	struct tls t;

	trust(&ca);
	cr_assert_eq(gnutls_privkey_init(&wrong), 0);
	cr_assert_eq(gnutls_privkey_import_x509(wrong, server.key, 0), 0);
	shown.key = wrong;
	show(&client.der, 1);
	if (tls_dial(&t)) {
		(void)gnutls_record_send(t.s, LOGIN, strlen(LOGIN));
		cr_assert_eq(tls_get(&t), 0);
	}
	rig_no_request(&rig, 30);
	tls_end(&t);
	shown.key = own;
	gnutls_privkey_deinit(wrong);
	still_there();
}

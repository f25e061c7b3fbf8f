/* SPDX-License-Identifier: Apache-2.0 */
/* The net role as a process: many clients, slow clients, lost peers, draining, TLS. */
#include "rig.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/resource.h>
#include <time.h>

#include "vault/limits.h"

#define HOST   "Host: v\r\n"
#define GET_X  "GET /v1/x HTTP/1.1\r\n" HOST "\r\n"
#define POLLS  1500
#define HEALTH "GET /v1/sys/health HTTP/1.1\r\n" HOST "\r\n"

static struct rig rig;

static void setup(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	rig_start(&rig, &(struct rig_options){ .hosts = false });
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(role_life, .init = setup, .fini = teardown, .timeout = 120);

static void expect_in(int fd, int status, const char *body, int ms)
{
	static struct rig_reply out;

	rig_get_in(fd, &out, ms);
	cr_assert_eq(out.status, status, "%s\n%s", out.head, out.body);
	if (body != NULL)
		cr_assert_str_eq(out.body, body);
}

static void expect(int fd, int status, const char *body)
{
	expect_in(fd, status, body, RIG_WAIT_MS);
}

/* ${n} clients whose requests are ready in the same instant. */
static void at_once(int n)
{
	static int fd[512];

	for (int i = 0; i < n; i++)
		fd[i] = rig_dial(&rig);
	for (int round = 0; round < 3; round++) {
		poll(NULL, 0, 50); /* net sleeps in its epoll_wait() */
		kill(rig.pid, SIGSTOP);
		for (int i = 0; i < n; i++)
			rig_put(fd[i], GET_X);
		kill(rig.pid, SIGCONT);
		for (int i = 0; i < n; i++)
			rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{}");
		for (int i = 0; i < n; i++)
			expect(fd[i], 200, "{}\n");
	}
	for (int i = 0; i < n; i++)
		close(fd[i]);
}

Test(role_life, answers_127_128_and_256_clients_that_are_ready_at_once)
{
	at_once(127);
	at_once(128);
	at_once(256);
}

Test(role_life, requests_lost_with_core_are_answered_and_a_new_core_is_used)
{
	int fd[3];
	static struct rig_reply out;
	uint64_t id[3], q;

	for (int i = 0; i < 3; i++) {
		fd[i] = rig_dial(&rig);
		rig_put(fd[i], GET_X);
		id[i] = rig_request(&rig).id;
	}
	frame_conn_free(rig.core);
	rig.core = NULL;
	for (int i = 0; i < 3; i++) {
		rig_get(fd[i], &out);
		cr_assert_eq(out.status, 503);
		cr_assert_eq(strncmp(out.body, "{\"errors\":[\"outcome unknown (request ",
		                     36),
		             0, "%s", out.body);
		cr_assert(strstr(out.head, "\r\nRetry-After: 1\r\n") != NULL);
	}
	/* No core: health says sealed, all else that nobody is there. */
	rig_put(fd[0], GET_X);
	expect(fd[0], 503, NULL);
	rig_put(fd[0], HEALTH);
	expect(fd[0], 503, NULL);

	rig_connect_core(&rig, false);
	cr_assert(value_is_str(value_get(rig.hello, "listener"), "api"));
	poll(NULL, 0, 50);
	rig_put(fd[0], GET_X);
	q = rig_request(&rig).id;
	rig_answer(&rig, id[0], 200, IPC_K_BARE, "{\"late\":true}"); /* for nobody */
	rig_answer(&rig, q, 200, IPC_K_BARE, "{}");
	expect(fd[0], 200, "{}\n");
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

Test(role_life, a_malformed_frame_ends_core)
{
	int fd = rig_dial(&rig);

	rig_put(fd, GET_X);
	rig_request(&rig);
	cr_assert_eq(send(frame_conn_fd(rig.core), "not a frame at all, and too long", 32,
	                  0),
	             32);
	expect(fd, 503, NULL);
	close(fd);
}

Test(role_life, a_client_that_goes_while_core_works_is_cancelled)
{
	int fd = rig_dial(&rig);
	struct rig_request q;
	struct value *v;
	uint64_t id;

	rig_put(fd, GET_X);
	q = rig_request(&rig);
	poll(NULL, 0, 1300); /* long enough to be watched */
	close(fd);
	cr_assert(rig_core_wait(&rig, 3000, IPC_CANCEL, &id, &v), "no cancel");
	cr_assert_eq(id, q.id);
	rig_answer(&rig, q.id, 200, IPC_K_BARE, "{}");

	fd = rig_dial(&rig);
	rig_put(fd, GET_X);
	q = rig_request(&rig);
	poll(NULL, 0, 1300);
	rig_answer(&rig, q.id, 200, IPC_K_BARE, "{}");
	expect(fd, 200, "{}\n"); /* watching does not disturb who stays */
	rig_put(fd, GET_X);
	rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{}");
	expect(fd, 200, "{}\n");
	/* Of who goes before the next request is watched, that is known when it is. */
	rig_put(fd, GET_X);
	q = rig_request(&rig);
	close(fd);
	cr_assert(rig_core_wait(&rig, 3000, IPC_CANCEL, &id, &v), "no cancel");
	cr_assert_eq(id, q.id);
}

Test(role_life, draining_finishes_what_is_under_way)
{
	int idle = rig_dial(&rig), busy = rig_dial(&rig), poller = rig_dial(&rig);
	int fresh = rig_dial(&rig), silent = rig_dial(&rig);
	struct rig_request b;
	static struct rig_reply out;
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(rig.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int late = socket(AF_INET, SOCK_STREAM, 0);

	rig_put(idle, GET_X);
	rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{}");
	expect(idle, 200, "{}\n");
	rig_put(poller, GET_X);
	rig_request(&rig);
	poll(NULL, 0, 1200);
	rig_put(busy, GET_X);
	b = rig_request(&rig);
	rig_send(&rig, IPC_DRAIN, value_null(rig.a), -1);
	cr_assert(rig_closed(idle, 1000));
	rig_put(fresh, GET_X);
	rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{}");
	rig_get(fresh, &out);
	cr_assert_eq(out.status, 200, "who was let in before is answered");
	rig_answer(&rig, b.id, 200, IPC_K_BARE, "{}");
	rig_get(busy, &out);
	cr_assert_eq(out.status, 200);
	cr_assert(strstr(out.head, "\r\nConnection: close\r\n") != NULL, "%s", out.head);
	cr_assert_neq(connect(late, (struct sockaddr *)&sa, sizeof(sa)), 0);
	expect(poller, 503, "{\"errors\":[\"server is restarting, ask again\"]}\n");
	cr_assert(rig_closed(silent, 2000));
	cr_assert_eq(rig_wait_exit(&rig, 3000), 0);
	close(idle);
	close(fresh);
	close(silent);
	close(busy);
	close(poller);
	close(late);
}

Test(role_life, ends_when_the_supervisor_has_gone)
{
	int fd = rig_dial(&rig);

	rig_put(fd, GET_X);
	rig_request(&rig);
	close(rig.control);
	rig.control = -1;
	cr_assert_eq(rig_wait_exit(&rig, 2000), 1);
	close(fd);
}

/* Send ${text} a byte every half second; true when the connection has ended. */
struct dripper {
	int fd;
	const char *text;
	size_t at;
};

static bool drip(struct dripper *d)
{
	struct pollfd p = { d->fd, POLLIN, 0 };
	char c;

	if (poll(&p, 1, 0) == 1 && recv(d->fd, &c, 1, 0) <= 0)
		return true;
	if (d->text[d->at] != '\0' && send(d->fd, d->text + d->at, 1, MSG_NOSIGNAL) == 1)
		d->at++;
	return false;
}

static int small_window_dial(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(rig.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int size = 4096, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* A client that asks for much and reads nothing. */
static int deaf_client(void)
{
	size_t n = (size_t)12 << 20;
	char *text = malloc(n);
	int fd = small_window_dial();

	rig_put(fd, GET_X);
	memset(text, 'x', n);
	memcpy(text, "{\"a\":\"", 6);
	snprintf(text + n - 3, 3, "\"}");
	rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, text);
	free(text);
	return fd;
}

Test(role_life, slow_clients_are_cut_at_the_deadline)
{
	struct dripper d[] = {
		{rig_dial(&rig),  "",					      0},
		{ rig_dial(&rig),
                 "GET /v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",  0},
		{ rig_dial(&rig),
                 "GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 0},
		{ rig_dial(&rig), "",					      0},
	};
	size_t open = ARRAY_LEN(d);
	int64_t from = rig_now(), first = 0;

	rig_put(d[3].fd, "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n");
	d[3].text = "{\"a\": \"cccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
	while (open > 0) {
		cr_assert_lt(rig_now() - from, 20000, "%zu slow clients still there",
		             open);
		poll(NULL, 0, 500);
		for (size_t i = 0; i < ARRAY_LEN(d); i++)
			if (d[i].fd >= 0 && drip(&d[i])) {
				close(d[i].fd);
				d[i].fd = -1;
				open--;
				first = first != 0 ? first : rig_now() - from;
			}
	}
	cr_assert_gt(first, (int64_t)LIMIT_REQUEST_SECONDS * 1000 - 1500);
	rig_no_request(&rig, 50);
}

Test(role_life, honest_clients_are_served_beside_deaf_ones)
{
	int deaf = deaf_client(), fd = rig_dial(&rig);

	for (int i = 0; i < 20; i++) {
		rig_put(fd, GET_X);
		rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{}");
		expect_in(fd, 200, "{}\n", 500);
	}
	close(fd);
	close(deaf);
}

/* More suspended connections than are resumed one by one. */
Test(role_life, many_long_polls_are_all_answered)
{
	static int fd[POLLS];
	static uint64_t id[POLLS];

	for (int i = 0; i < POLLS; i++) {
		fd[i] = rig_dial(&rig);
		rig_put(fd[i], GET_X);
		id[i] = rig_request(&rig).id;
	}
	for (int i = 0; i < 100; i++) { /* one wake at a time */
		rig_answer(&rig, id[i], 200, IPC_K_BARE, "{}");
		expect_in(fd[i], 200, "{}\n", 500);
	}
	for (int i = 100; i < POLLS; i++) /* and all in one go */
		rig_answer(&rig, id[i], 200, IPC_K_BARE, "{}");
	for (int i = 100; i < POLLS; i++)
		expect(fd[i], 200, "{}\n");
	for (int i = 0; i < POLLS; i++)
		close(fd[i]);
}

Test(role_hosts, the_hosts_listener_says_so, .timeout = 60)
{
	int fd;
	struct rig_request q;

	rig_start(&rig, &(struct rig_options){ .hosts = true });
	cr_assert(value_is_str(value_get(rig.hello, "listener"), "hosts"));
	fd = rig_dial(&rig);
	rig_put(fd, GET_X);
	q = rig_request(&rig);
	cr_assert_eq(rig_int(value_at(q.v, IPC_RQ_LISTENER)), IPC_ON_HOSTS);
	rig_answer(&rig, q.id, 200, IPC_K_BARE, "{}");
	expect(fd, 200, "{}\n");
	close(fd);
	rig_stop(&rig);
}

Test(role_silent, without_a_word_from_core_nothing_is_served, .timeout = 60)
{
	static struct rig_reply out;
	int fd;

	rig_start(&rig, &(struct rig_options){ .silent_core = true });
	fd = rig_dial(&rig);
	rig_put(fd, HEALTH);
	rig_get(fd, &out);
	cr_assert_eq(out.status, 503);
	cr_assert(strstr(out.body, "\"sealed\":true") != NULL, "%s", out.body);
	rig_put(fd, "GET /v1/sys/seal-status HTTP/1.1\r\n" HOST "\r\n");
	expect(fd, 503, "{\"errors\":[\"server is starting, try again\"]}\n");
	rig_put(fd, GET_X);
	expect(fd, 503, "{\"errors\":[\"server is starting, try again\"]}\n");
	close(fd);
	rig_stop(&rig);
}

Test(role_life, net_that_core_refuses_fails)
{
	enum ipc_type type;
	struct value *v;
	struct err e;
	int fd;

	rig_connect_core(&rig, true);
	rig_core_put(&rig, IPC_WELCOME, 0,
	             rig_json(&rig,
	                      "{\"accepted\":false,\"reason\":\"unannounced key\"}"));
	cr_assert_eq(frame_recv_fd(rig.control, rig.a, &type, &v, &fd, &e), ERR_OK);
	cr_assert_eq(type, IPC_FAILED);
	cr_assert(value_is_str(v, "unannounced key"));
	cr_assert_eq(rig_wait_exit(&rig, 2000), 1);
}

/* A self-signed certificate with a P-256 key, and the SHA-256 of its public key. */
struct identity {
	gnutls_datum_t cert;
	gnutls_datum_t key;
	unsigned char spki[32];
};

static void make_identity(struct identity *id)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t pub;
	gnutls_datum_t der;

	cr_assert_eq(gnutls_x509_privkey_init(&key), 0);
	cr_assert_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, 256, 0), 0);
	cr_assert_eq(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x01", 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_key(crt, key);
	cr_assert_eq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	cr_assert_eq(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &id->cert), 0);
	cr_assert_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &id->key), 0);
	cr_assert_eq(gnutls_pubkey_init(&pub), 0);
	cr_assert_eq(gnutls_pubkey_import_x509(pub, crt, 0), 0);
	cr_assert_eq(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &der), 0);
	crypto_hash_sha256(id->spki, der.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(pub);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

/* Handshake with ${priorities}; NULL if refused. */
static gnutls_session_t tls_dial(const char *priorities, int *fd)
{
	static gnutls_certificate_credentials_t cred;
	gnutls_session_t s;
	int rc;

	if (cred == NULL)
		gnutls_certificate_allocate_credentials(&cred);
	*fd = rig_dial(&rig);
	gnutls_init(&s, GNUTLS_CLIENT);
	cr_assert_eq(gnutls_priority_set_direct(s, priorities, NULL), 0);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(s, *fd);
	gnutls_handshake_set_timeout(s, 3000);
	do {
		rc = gnutls_handshake(s);
	} while (rc < 0 && gnutls_error_is_fatal(rc) == 0);
	if (rc == 0)
		return s;
	gnutls_deinit(s);
	close(*fd);
	return NULL;
}

static void tls_round_trip(const char *priorities)
{
	char text[2048];
	size_t n = 0;
	int fd;
	gnutls_session_t s = tls_dial(priorities, &fd);

	cr_assert(s != NULL, "no handshake with %s", priorities);
	for (int i = 0; i < 3; i++) {
		cr_assert_gt(gnutls_record_send(s, GET_X, strlen(GET_X)), 0);
		rig_answer(&rig, rig_request(&rig).id, 200, IPC_K_BARE, "{\"tls\":1}");
		for (n = 0; n < 10 || memcmp(text + n - 10, "{\"tls\":1}\n", 10) != 0;) {
			ssize_t got = gnutls_record_recv(s, text + n, sizeof(text) - n);

			cr_assert_gt(got, 0, "%s", gnutls_strerror((int)got));
			n += (size_t)got;
		}
		cr_assert_eq(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0);
	}
	gnutls_deinit(s);
	close(fd);
}

Test(role_tls, speaks_tls_1_3_and_1_2_but_nothing_weak, .timeout = 60)
{
	struct identity id;
	const struct value *spki;
	int fd;

	make_identity(&id);
	rig_start(&rig, &(struct rig_options){ .cert = (char *)id.cert.data,
	                                       .key = (char *)id.key.data });
	spki = value_get(rig.ready, "spki");
	cr_assert(spki != NULL && spki->len == 32 &&
	          memcmp(spki->text, id.spki, 32) == 0);
	spki = value_get(rig.hello, "spki");
	cr_assert(spki != NULL && spki->len == 32 &&
	          memcmp(spki->text, id.spki, 32) == 0);
	tls_round_trip("NORMAL:-VERS-ALL:+VERS-TLS1.3");
	tls_round_trip("NORMAL:-VERS-ALL:+VERS-TLS1.2");
	cr_assert(tls_dial("NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", &fd) == NULL);
	cr_assert(tls_dial("NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC",
	                   &fd) == NULL);
	gnutls_free(id.cert.data);
	gnutls_free(id.key.data);
	rig_stop(&rig);
}

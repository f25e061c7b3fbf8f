/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "pg.h"
#include "target.h"

#define PARAMS_MAX 24
#define SYSTEM_CA  "/etc/ssl/certs/ca-certificates.crt"

struct params {
	const char *key[PARAMS_MAX + 1];
	const char *value[PARAMS_MAX + 1];
	size_t n;
	PQconninfoOption *options; /* owns what came from a URL */
	const char *host, *mode, *ca;
};

/* Of a connection URL.  Not among them: what reads credentials or settings from files of
 * the server, and what sets parameters of the session. */
static const char *const allowed[] = {
	"host",
	"hostaddr",
	"port",
	"dbname",
	"sslmode",
	"sslsni",
	"sslcert",
	"sslrootcert",
	"sslkey",
	"ssl_min_protocol_version",
	"gssencmode",
	"krbsrvname",
	"channel_binding",
	"application_name",
	"target_session_attrs",
	"connect_timeout",
	"fallback_application_name",
	"keepalives",
	"tcp_user_timeout",
};

static void add(struct params *p, const char *key, const char *value)
{
	if (value == NULL || p->n >= PARAMS_MAX)
		return;
	p->key[p->n] = key;
	p->value[p->n++] = value;
}

static bool is_allowed(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (strcmp(key, allowed[i]) == 0)
			return true;
	return false;
}

static int take_option(struct params *p, const PQconninfoOption *o, struct answer *a)
{
	if (o->val == NULL || strcmp(o->keyword, "user") == 0 ||
	    strcmp(o->keyword, "password") == 0)
		return 0;
	if (!is_allowed(o->keyword))
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url: '%s' may not be used here",
		                   o->keyword);
	if (strcmp(o->keyword, "sslmode") == 0)
		p->mode = o->val;
	else if (strcmp(o->keyword, "sslrootcert") == 0)
		p->ca = o->val;
	else if (strcmp(o->keyword, "host") == 0)
		p->host = o->val;
	else if (strcmp(o->keyword, "connect_timeout") != 0) /* the deadline's */
		add(p, o->keyword, o->val);
	return 0;
}

static int from_url(struct request *r, const struct target *t, struct params *p,
                    struct answer *a)
{
	char *url = NULL, *why = NULL;
	int rc = target_cut_user(r->arena, t->url, &url, a);

	if (rc != 0)
		return rc;
	p->options = PQconninfoParse(url, &why);
	if (p->options == NULL) {
		/* libpq's message quotes the text, which may hold a password. */
		PQfreemem(why);
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url: libpq cannot read it");
	}
	for (const PQconninfoOption *o = p->options; o->keyword != NULL; o++)
		if ((rc = take_option(p, o, a)) != 0)
			return rc;
	return 0;
}

static int from_parts(struct request *r, const struct target *t, struct params *p,
                      struct answer *a)
{
	char *port = t->port > 0 ? arena_printf(r->arena, "%lld", (long long)t->port)
	                         : NULL;

	if (t->port > 0 && port == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	p->host = t->host;
	add(p, "port", port);
	add(p, "dbname", t->database != NULL ? t->database : "postgres");
	return 0;
}

static const char *mode_name(enum tls_mode mode)
{
	switch (mode) {
	case TLS_VERIFY_FULL:
		return "verify-full";
	case TLS_VERIFY_CA:
		return "verify-ca";
	case TLS_OFF:
		return "disable";
	default:
		return "require"; /* TLS_PREFER: at first */
	}
}

/* For verification without certificates of one's own. */
static int system_ca(struct params *p, enum tls_mode mode, struct answer *a)
{
	if (p->ca != NULL || (mode != TLS_VERIFY_CA && mode != TLS_VERIFY_FULL))
		return 0;
	if (access(SYSTEM_CA, R_OK) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "there is nothing to verify the server by: set 'ca'");
	p->ca = SYSTEM_CA;
	return 0;
}

static int read_params(struct request *r, struct params *p, enum tls_mode *mode,
                       struct answer *a)
{
	enum tls_mode said = TLS_DEFAULT;
	struct target t;
	int rc = target_read(r, &t, a);

	if (rc != 0)
		return rc;
	/* Defaults: what a URL says later counts. */
	add(p, "gssencmode",
	    "disable"); /* would be tried first, by whatever ticket is there */
	add(p, "application_name", "vault-rotator");
	rc = t.url != NULL ? from_url(r, &t, p, a) : from_parts(r, &t, p, a);
	if (rc != 0)
		return rc;
	if (p->mode != NULL && target_tls_parse(p->mode, &said) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url: sslmode is unknown");
	if ((rc = target_tls_url(&t, said, a)) != 0)
		return rc;
	if (p->ca == NULL)
		p->ca = t.ca;
	*mode = target_tls(t.tls, p->host, p->ca);
	if ((rc = system_ca(p, *mode, a)) != 0)
		return rc;
	add(p, "host", p->host);
	add(p, "sslrootcert", p->ca);
	add(p, "client_encoding", "UTF8");
	return 0;
}

void pg_find_state(const char *text, char out[6])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at = text;

	out[0] = '\0';
	/* "FATAL:  28P01: password authentication failed …"; the word may be translated.
	 */
	while ((at = strstr(at, ":  ")) != NULL) {
		at += 3;
		if (strspn(at, digits) != 5 || at[5] != ':')
			continue;
		memcpy(out, at, 5);
		out[5] = '\0';
	}
}

/* Until the connection stands or fails; -1 when the time is over. */
static int drive(PGconn *conn, int64_t end_ms)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;

	while (want == PGRES_POLLING_WRITING || want == PGRES_POLLING_READING) {
		struct pollfd fd = {
			.fd = PQsocket(conn),
			.events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		};
		int64_t left = end_ms - clock_boot(clock_system());
		int n = left > 0 ? poll(&fd, 1, (int)left) : 0;

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			return -1;
		want = PQconnectPoll(conn);
	}
	return want == PGRES_POLLING_OK ? 0 : 1;
}

static void failed(struct pg *p, const char *text, struct answer *why)
{
	pg_find_state(text, p->state);
	answer_fail(why, pg_class(p->state, false), "%s", text);
}

/* One attempt: p->conn is open or in failure. */
static int attempt(struct request *r, struct pg *p, struct params *params,
                   const struct credential *c, enum tls_mode mode, struct answer *why)
{
	size_t n = params->n;
	int rc;

	add(params, "user", c->username);
	add(params, "password", c->password != NULL ? c->password : "");
	add(params, "sslmode", mode_name(mode));
	/* Not what the user's home has. */
	add(params, "passfile", "/dev/null");
	p->conn = PQconnectStartParams(params->key, params->value, 0);
	for (; params->n > n; params->n--)
		params->key[params->n - 1] = params->value[params->n - 1] = NULL;
	if (p->conn == NULL)
		return answer_fail(why, CLASS_RETRYABLE, "out of memory");
	PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
	rc = PQstatus(p->conn) == CONNECTION_BAD
	             ? 1
	             : drive(p->conn, clock_boot(clock_system()) + request_left_ms(r));
	PQsetErrorVerbosity(p->conn, PQERRORS_DEFAULT);
	if (rc < 0)
		return answer_fail(why, CLASS_RETRYABLE,
		                   "no connection before the deadline");
	if (rc > 0)
		failed(p, PQerrorMessage(p->conn), why);
	return rc;
}

/* Could the same work without TLS, and was no password tried yet? */
static bool wants_plain(const struct pg *p)
{
	if (p->conn == NULL || PQconnectionUsedPassword(p->conn))
		return false;
	return strcmp(p->state, "28000") == 0 ||
	       (p->state[0] == '\0' &&
	        strstr(PQerrorMessage(p->conn), "does not support SSL") != NULL);
}

static void reopen(struct pg *p)
{
	PQfinish(p->conn);
	p->conn = NULL;
	p->state[0] = '\0';
}

static int connect_as(struct request *r, struct pg *p, const struct credential *c,
                      struct answer *why)
{
	struct params params = { 0 };
	enum tls_mode mode = TLS_DEFAULT;
	int rc = read_params(r, &params, &mode, why);

	if (rc == 0) {
		rc = attempt(r, p, &params, c, mode, why);
		if (rc != 0 && mode == TLS_PREFER && wants_plain(p)) {
			reopen(p);
			*why = (struct answer){ 0 };
			rc = attempt(r, p, &params, c, TLS_OFF, why);
		}
	}
	PQconninfoFree(params.options);
	return rc;
}

static int limit_statements(struct request *r, struct pg *p, struct answer *a)
{
	char sql[120];

	snprintf(sql, sizeof(sql),
	         "SET statement_timeout = %lld; SET lock_timeout = %lld",
	         (long long)request_left_ms(r), (long long)request_left_ms(r));
	return pg_exec(p, false, a, sql);
}

/* What a refusal says of the password. */
static enum login judge(const struct pg *p, const struct answer *why)
{
	if (pg_refused(p->state, why->message))
		return LOGIN_REFUSED;
	/* The database and the right to it are looked at after the password. */
	if ((strcmp(p->state, "3D000") == 0 || strcmp(p->state, "42501") == 0) &&
	    PQconnectionUsedPassword(p->conn))
		return LOGIN_BARRED;
	return LOGIN_UNKNOWN;
}

static void silent(void *ctx, const PGresult *res)
{
	(void)ctx;
	(void)res; /* notices would go to standard error, with names in them */
}

enum login pg_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why)
{
	struct pg *p = arena_alloc(r->arena, sizeof(*p));
	enum login result;

	if (p == NULL) {
		answer_fail(why, CLASS_RETRYABLE, "out of memory");
		return LOGIN_UNKNOWN;
	}
	if (connect_as(r, p, c, why) != 0) {
		result = judge(p, why);
		PQfinish(p->conn);
		return result;
	}
	result = PQconnectionUsedPassword(p->conn) ? LOGIN_OK : LOGIN_UNPROVEN;
	PQsetNoticeReceiver(p->conn, silent, NULL);
	if (limit_statements(r, p, why) != 0) {
		PQfinish(p->conn);
		return LOGIN_UNKNOWN;
	}
	*session = p;
	return result;
}

void pg_logout(void *session)
{
	struct pg *p = session;

	PQfinish(p->conn);
	p->conn = NULL;
}

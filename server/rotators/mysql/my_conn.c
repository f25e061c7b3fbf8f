/* SPDX-License-Identifier: Apache-2.0 */
#include <errmsg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "my.h"
#include "target.h"

/* Ways to prove a password that do not send it in the clear. */
#define PLUGINS \
	"mysql_native_password,caching_sha2_password,client_ed25519,sha256_password"

struct place {
	const char *host, *socket, *database, *ca;
	unsigned port;
	enum tls_mode tls;
};

/* --- where --- */

/* "tcp(host:port)" or "unix(path)", as far as the bracket that closes it. */
static int parse_address(struct request *r, const char *at, struct place *p,
                         const char **end, struct answer *a)
{
	const char *open = strchr(at, '('),
		   *close = open != NULL ? strchr(open, ')') : NULL;
	char *inside, *colon, *stop;
	unsigned long port = 0;

	if (close == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url: no 'tcp(host:port)' or 'unix(path)'");
	if ((inside = arena_dup(r->arena, open + 1, (size_t)(close - open - 1))) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	*end = close + 1;
	if (strncmp(at, "unix(", 5) == 0 && inside[0] == '/') {
		p->socket = inside;
		return 0;
	}
	colon = inside[0] == '[' ? strchr(inside, ']') : inside;
	colon = colon != NULL ? strchr(colon, ':') : NULL;
	if (colon != NULL) {
		*colon = '\0';
		port = strtoul(colon + 1, &stop, 10);
		if (*stop != '\0' || port == 0 || port > 65535)
			port = 65536;
	}
	if (inside[0] == '[' && inside[strlen(inside) - 1] == ']') {
		inside[strlen(inside) - 1] = '\0';
		inside++;
	}
	if (strncmp(at, "tcp", 3) != 0 || port > 65535 || inside[0] == '\0')
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url: the address makes no sense");
	p->host = inside;
	p->port = (unsigned)port;
	return 0;
}

/* "/database?tls=…&…": parameters of Go's driver that are not about TLS are its own. */
static int parse_rest(struct request *r, const char *at, struct place *p,
                      enum tls_mode *said, struct answer *a)
{
	char *rest = arena_str(r->arena, *at == '/' ? at + 1 : at), *save = NULL, *query;

	if (rest == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	query = strchr(rest, '?');
	if (query != NULL)
		*query++ = '\0';
	if (rest[0] != '\0')
		p->database = rest;
	for (char *w = query != NULL ? strtok_r(query, "&", &save) : NULL; w != NULL;
	     w = strtok_r(NULL, "&", &save))
		if (strncmp(w, "tls=", 4) == 0 && target_tls_parse(w + 4, said) != 0)
			return answer_fail(a, CLASS_PERMANENT,
			                   "connection_url: tls is unknown");
	return 0;
}

static int find_place(struct request *r, struct place *p, struct answer *a)
{
	enum tls_mode said = TLS_DEFAULT;
	const char *rest = "";
	struct target t;
	char *url = NULL;
	int rc = target_read(r, &t, a);

	if (rc != 0)
		return rc;
	*p = (struct place){ .database = t.database, .tls = t.tls, .ca = t.ca };
	p->port = (unsigned)t.port;
	if (t.url != NULL &&
	    ((rc = target_cut_user(r->arena, t.url, &url, a)) != 0 ||
	     (rc = parse_address(r, strncmp(url, "mysql://", 8) == 0 ? url + 8 : url, p,
	                         &rest, a)) != 0 ||
	     (rc = parse_rest(r, rest, p, &said, a)) != 0 ||
	     (rc = target_tls_url(&t, said, a)) != 0))
		return rc;
	if (t.url == NULL && t.host[0] == '/')
		p->socket = t.host;
	else if (t.url == NULL)
		p->host = t.host;
	p->tls = target_tls(t.tls, p->socket != NULL ? p->socket : p->host, p->ca);
	return 0;
}

/* --- connecting --- */

static void set_options(struct request *r, MYSQL *c, const struct place *p,
                        enum tls_mode mode)
{
	unsigned seconds = (unsigned)((request_left_ms(r) + 999) / 1000), off = 0;
	unsigned protocol = p->socket != NULL ? MYSQL_PROTOCOL_SOCKET
	                                      : MYSQL_PROTOCOL_TCP;
	my_bool tls = mode != TLS_OFF,
		verify = mode == TLS_VERIFY_CA || mode == TLS_VERIFY_FULL;

	/* "localhost" would be a socket of the library's choice. */
	mysql_options(c, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(c, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_options(c, MYSQL_OPT_READ_TIMEOUT, &seconds);
	mysql_options(c, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
	mysql_options(c, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(c, MARIADB_OPT_RESTRICTED_AUTH, PLUGINS);
	mysql_options(c, MYSQL_OPT_SSL_ENFORCE, &tls);
	mysql_options(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	if (tls && p->ca != NULL)
		mysql_options(c, MYSQL_OPT_SSL_CA, p->ca);
	mysql_options4(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "vault-rotator");
}

static int failed(struct my *m, bool sets_password, struct answer *a)
{
	m->error = mysql_errno(m->c);
	return answer_fail(a, my_class(m->error, sets_password), "%s (error %u)",
	                   mysql_error(m->c), m->error);
}

static int attempt(struct request *r, struct my *m, const struct place *p,
                   const struct credential *c, enum tls_mode mode, struct answer *why)
{
	const char *password = c->password != NULL ? c->password : "";

	m->error = 0;
	m->c = mysql_init(NULL);
	if (m->c == NULL)
		return answer_fail(why, CLASS_RETRYABLE, "out of memory");
	set_options(r, m->c, p, mode);
	if (mysql_real_connect(m->c, p->host, c->username, password, p->database, p->port,
	                       p->socket, 0) == NULL)
		return failed(m, false, why);
	/* The library takes the word of a server that it cannot encrypt, unless it is to
	 * be verified.  What was sent by then is the answer to a challenge. */
	if (mode != TLS_OFF && p->tls != TLS_PREFER && mysql_get_ssl_cipher(m->c) == NULL)
		return answer_fail(why, CLASS_PERMANENT, "the server does not encrypt");
	return 0;
}

/* With TLS if the server can; nothing is tried with a password before that is known. */
static int connect_as(struct request *r, struct my *m, const struct place *p,
                      const struct credential *c, struct answer *why)
{
	int rc = attempt(r, m, p, c, p->tls, why);

	if (rc == 0 || p->tls != TLS_PREFER || m->error != CR_SSL_CONNECTION_ERROR)
		return rc;
	mysql_close(m->c);
	*why = (struct answer){ 0 };
	return attempt(r, m, p, c, TLS_OFF, why);
}

/* --- who --- */

/* Is the session that of the account, by its password?  The server may have taken it for
 * an anonymous one, or may look at the process behind a socket instead. */
static bool is_proved(struct my *m, const struct place *p, const struct credential *c)
{
	struct answer ignored = { 0 };
	MYSQL_RES *res = NULL;
	MYSQL_ROW row;
	bool ok;

	if (my_query(m, &ignored, "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)",
	             &res) != 0)
		return false;
	row = mysql_fetch_row(res);
	ok = row != NULL && row[0] != NULL &&
	     strncmp(row[0], c->username, strcspn(c->username, "@")) == 0;
	mysql_free_result(res);
	if (!ok || p->socket == NULL)
		return ok;
	if (my_query(m, &ignored, "SHOW CREATE USER CURRENT_USER()", &res) != 0)
		return false;
	row = mysql_fetch_row(res);
	ok = row != NULL && row[0] != NULL && strstr(row[0], "socket") == NULL;
	mysql_free_result(res);
	return ok;
}

enum login my_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why)
{
	struct my *m = arena_alloc(r->arena, sizeof(*m));
	enum login result;
	struct place p;

	if (m == NULL) {
		answer_fail(why, CLASS_RETRYABLE, "out of memory");
		return LOGIN_UNKNOWN;
	}
	if (config_text(r, "host_pattern", "%", &m->host, why) != 0 ||
	    find_place(r, &p, why) != 0)
		return LOGIN_UNKNOWN;
	if (connect_as(r, m, &p, c, why) != 0) {
		result = my_verdict(m->error);
		if (m->c != NULL)
			mysql_close(m->c);
		return result;
	}
	m->mariadb = mariadb_connection(m->c);
	*session = m;
	return is_proved(m, &p, c) ? LOGIN_OK : LOGIN_UNPROVEN;
}

void my_logout(void *session)
{
	struct my *m = session;

	mysql_close(m->c);
	m->c = NULL;
}

/* --- statements --- */

int my_exec(struct my *m, bool sets_password, struct answer *a, const char *sql)
{
	if (mysql_real_query(m->c, sql, strlen(sql)) != 0)
		return failed(m, sets_password, a);
	mysql_free_result(mysql_use_result(m->c));
	return 0;
}

int my_query(struct my *m, struct answer *a, const char *sql, MYSQL_RES **out)
{
	MYSQL_RES *res;

	if (mysql_real_query(m->c, sql, strlen(sql)) != 0 ||
	    (res = mysql_store_result(m->c)) == NULL)
		return failed(m, false, a);
	*out = res;
	return 0;
}

char *my_literal(struct request *r, struct my *m, const char *s)
{
	size_t n = strlen(s);
	char *out = arena_alloc(r->arena, 2 * n + 3);

	if (out == NULL)
		return NULL;
	out[0] = '\'';
	n = mysql_real_escape_string(m->c, out + 1, s, n);
	out[n + 1] = '\'';
	return out;
}

char *my_name(struct request *r, struct my *m, const char *user)
{
	char *u = my_literal(r, m, user), *h = my_literal(r, m, m->host);

	return u != NULL && h != NULL ? arena_printf(r->arena, "%s@%s", u, h) : NULL;
}

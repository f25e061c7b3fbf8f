/* SPDX-License-Identifier: Apache-2.0 */
/* http_request - from an accepted head and its body to the frame that core gets. */
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "duration.h"
#include "net.h"
#include "path.h"
#include "query.h"
#include "vault/limits.h"

/* A body over the limit is still read, and dropped, for so much, so that the client
 * gets to see the answer; then the connection is cut. */
#define EXCESS_MAX (1024u * 1024)

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{"GET",     HTTP_GET   },
        { "LIST",   HTTP_LIST  },
        { "POST",   HTTP_POST  },
	{ "PUT",    HTTP_POST  },
        { "PATCH",  HTTP_PATCH },
        { "DELETE", HTTP_DELETE},
	{ "HEAD",   HTTP_HEAD  },
        { "SCAN",   HTTP_SCAN  },
};

static bool find_method(const char *name, enum http_method *out)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(name, methods[i].name) == 0) {
			*out = methods[i].method;
			return true;
		}
	return false;
}

static bool takes_body(const struct conn *c)
{
	return c->method == HTTP_POST || c->method == HTTP_PATCH;
}

/* Does the media type of a Content-Type header equal ${type}, parameters aside? */
static bool media_type_is(const char *header, const char *type)
{
	size_t n = header != NULL ? strcspn(header, "; \t") : 0;

	return n == strlen(type) && strncasecmp(header, type, n) == 0;
}

/* TYPE or TYPE/SUBTYPE, as Go takes it. */
static bool is_media_type(const char *header)
{
	size_t n = strcspn(header, "; \t");
	const char *slash = memchr(header, '/', n);

	if (slash == NULL)
		return http_token(header, n);
	return http_token(header, (size_t)(slash - header)) &&
	       http_token(slash + 1, n - (size_t)(slash - header) - 1);
}

static bool wrong_patch_type(struct conn *c)
{
	char text[160];
	int shown;

	if (c->method != HTTP_PATCH ||
	    media_type_is(c->content_type, "application/merge-patch+json"))
		return false;
	if (c->content_type == NULL || c->content_type[0] == '\0') {
		answer_errors(c, 400, "no Content-Type", "mime: no media type");
		return true;
	}
	if (!is_media_type(c->content_type)) {
		answer_errors(c, 400, "malformed Content-Type",
		              "mime: invalid media type");
		return true;
	}
	shown = (int)strcspn(c->content_type, "; \t");
	snprintf(
		text, sizeof(text),
		"PATCH requires Content-Type of application/merge-patch+json, provided %.*s",
		shown < 64 ? shown : 64, c->content_type);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x7f)
			*p = '?'; /* a reply is UTF-8 */
	answer_errors(c, 415, "wrong Content-Type", text);
	return true;
}

/* The digits of a Content-Length that libmicrohttpd has accepted. */
static uint64_t announced_length(const struct conn *c)
{
	return c->content_length != NULL ? strtoumax(c->content_length, NULL, 10) : 0;
}

static void too_large(struct conn *c)
{
	answer_errors(c, 413, "body too large", "http: request body too large");
}

/* Milliseconds are what the loop's clock has; a burst is at least as long as one pass. */
static int64_t take_one(const struct conn *c)
{
	const struct net *n = c->net;

	if (c->loopback && !n->rate_loopback)
		return 0;
	return rate_take(n->requests, &n->request_rate, c->address, sizeof(c->address),
	                 n->now * 1000);
}

bool request_begin(struct conn *c, const char *method)
{
	int64_t wait = take_one(c);

	c->body_max = c->net->body_max;
	if (c->target[0] != '/') {
		answer_errors(c, 400, "malformed request target",
		              "malformed request target");
	} else if (strncmp(c->target, "/v1/", 4) != 0) {
		answer_errors(c, 404, "path outside /v1/", NULL);
	} else if (wait > 0) {
		answer_rate(c, rate_retry_after(wait));
		/* Its body is not worth reading; without one the connection goes on. */
		return !c->chunked && announced_length(c) == 0;
	} else if (!find_method(method, &c->method)) {
		answer_errors(c, 405, "unknown method", NULL);
	} else if (takes_body(c) && announced_length(c) > c->body_max) {
		too_large(c);
	} else {
		wrong_patch_type(c);
	}
	return announced_length(c) <= c->body_max + EXCESS_MAX || c->response == NULL;
}

bool request_body(struct conn *c, char *p, size_t n)
{
	size_t cap = c->body.cap;

	c->body_seen += n;
	if (c->response == NULL && takes_body(c)) {
		if (c->body_seen > c->body_max) {
			conn_drop_body(c);
			too_large(c);
		} else if (c->net->bodies + n > NET_BODIES_MAX) {
			conn_drop_body(c);
			answer_errors(c, 503, "too many request bodies",
			              "server is busy");
		} else {
			jbuf_add(&c->body, p, n);
			c->net->bodies += c->body.cap - cap;
		}
	}
	sodium_memzero(p, n);
	return c->body_seen <= c->body_max + EXCESS_MAX;
}

static int missing_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "server is busy");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int parse_body(struct conn *c, struct value **out, struct err *e)
{
	struct arena *a = c->net->a;
	const char *p = c->body.p;
	size_t n = c->body.len;
	int rc;

	*out = NULL;
	if (c->body.failed)
		return missing_memory(e);
	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	if (!takes_body(c) || n == 0)
		return ERR_OK;
	if (*p != '{' && *p != '[' &&
	    media_type_is(c->content_type, "application/x-www-form-urlencoded"))
		return query_parse(a, p, n, out, e);
	if ((rc = json_parse(a, c->body.p, c->body.len, out, e)) != ERR_OK)
		return rc;
	if ((*out)->type == V_NULL)
		*out = NULL;
	else if ((*out)->type != V_OBJECT)
		return err_set(
			e, ERR_INVALID,
			"failed to decode JSON input: expected an object at offset 0");
	return ERR_OK;
}

/* What a query says beyond its fields: it may turn a GET into a LIST or a SCAN. */
static int apply_query(struct conn *c, struct value *query)
{
	struct value *list = query_remove(query, "list");
	struct value *scan = query_remove(query, "scan");
	struct value *help = query_remove(query, "help");
	bool want_list, want_scan;

	if (c->method == HTTP_GET && query_go_bool(help, &c->help) != 0) {
		answer_errors(c, 400, "malformed query", NULL);
		return ERR_INVALID;
	}
	if (c->method != HTTP_GET && c->method != HTTP_LIST && c->method != HTTP_SCAN)
		return ERR_OK;
	if (query_go_bool(list, &want_list) != 0 ||
	    query_go_bool(scan, &want_scan) != 0 || (want_list && want_scan)) {
		answer_errors(c, 400, "malformed query", NULL);
		return ERR_INVALID;
	}
	if (c->method == HTTP_GET && (want_list || want_scan))
		c->method = want_list ? HTTP_LIST : HTTP_SCAN;
	return ERR_OK;
}

static int parse_wrap_ttl(struct conn *c, int64_t *seconds, struct err *e)
{
	int64_t ms = 0;
	int rc;

	*seconds = 0;
	if (c->wrap_ttl == NULL)
		return ERR_OK;
	rc = duration_parse(c->wrap_ttl, strlen(c->wrap_ttl), &ms, e);
	if (rc == ERR_OK && ms < 0)
		rc = err_set(e, ERR_INVALID, "requested ttl can not be negative");
	if (rc != ERR_OK)
		return err_wrap(e, "error parsing X-Vault-Wrap-TTL header");
	*seconds = ms / 1000 + (ms % 1000 != 0);
	return ERR_OK;
}

static bool printable_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return false;
	return true;
}

/* X-Vault-Token, or a bearer token; NULL value if there is none. */
static int find_token(struct conn *c, struct value **out, struct err *e)
{
	const char *s = c->token;
	size_t n = c->token_len;

	if (n == 0 && c->authorization_len > 7 &&
	    strncasecmp(c->authorization, "Bearer ", 7) == 0) {
		s = c->authorization + 7;
		n = c->authorization_len - 7;
	}
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	while (n > 0 && is_blank(*s)) {
		s++;
		n--;
	}
	if (n > LIMIT_TOKEN_TEXT || !printable_ascii(s, n))
		return err_set(e, ERR_INVALID, "malformed token");
	*out = n > 0 ? value_strn(c->net->a, s, n) : value_null(c->net->a);
	return ERR_OK;
}

struct parsed {
	char path[LIMIT_PATH + 1];
	size_t path_len;
	struct value *query;
	struct value *body;
	struct value *token;
	int64_t wrap_ttl_s;
};

static int parse_target(struct conn *c, struct parsed *p, struct err *e)
{
	const char *raw = c->target + 4; /* behind "/v1/" */
	const char *mark = strchr(raw, '?');
	size_t raw_len = mark != NULL ? (size_t)(mark - raw) : strlen(raw);
	int rc;

	if (raw[0] == '/') /* path_decode() would take it for the one of "/v1/" */
		return err_set(e, ERR_INVALID, "invalid path: empty segment");
	rc = path_decode(raw, raw_len, p->path, sizeof(p->path), &p->path_len, e);
	if (rc != ERR_OK)
		return rc;
	p->path[p->path_len] = '\0';
	if (mark == NULL)
		return ERR_OK;
	return query_parse(c->net->a, mark + 1, strlen(mark + 1), &p->query, e);
}

/* The frame for core; its members are in the order of enum ipc_request_field. */
static struct value *build_frame(struct conn *c, struct parsed *p)
{
	struct arena *a = c->net->a;
	struct value *v = value_array(a);
	enum ipc_listener on = c->l->kind;

	value_add(v, value_int(a, c->method));
	value_add(v, value_strn(a, p->path, p->path_len));
	value_add(v, p->token);
	value_add(v, value_str(a, c->remote));
	value_add(v, p->query != NULL && p->query->len > 0 ? p->query : value_null(a));
	value_add(v, p->body != NULL ? p->body : value_null(a));
	value_add(v, value_int(a, p->wrap_ttl_s));
	value_add(v, value_int(a, on));
	value_add(v, value_int(a, (c->loopback ? IPC_F_LOOPBACK : 0) |
	                                  (c->wants_text ? IPC_F_METRICS_TEXT : 0) |
	                                  (c->help ? IPC_F_HELP : 0)));
	value_add(v, strncmp(p->path, "auth/", 5) == 0 ? tls_client(c) : value_null(a));
	return arena_failed(a) ? NULL : v;
}

static void refuse(struct conn *c, const struct err *e)
{
	if (e->code == ERR_NOMEM || e->code == ERR_FULL)
		answer_errors(c, 503, "server is busy", "server is busy");
	else
		answer_errors(c, 400, "malformed request", e->msg);
}

bool known_namespace(const struct conn *c)
{
	const char *s = c->name_space;

	return s == NULL || s[0] == '\0' || strcmp(s, "/") == 0 ||
	       strcmp(s, "root") == 0 || strcmp(s, "root/") == 0;
}

static void send_to_core(struct conn *c, struct parsed *p)
{
	struct err e;
	struct value *v;
	int rc = ERR_NOMEM;

	if (parse_body(c, &p->body, &e) != ERR_OK ||
	    parse_wrap_ttl(c, &p->wrap_ttl_s, &e) != ERR_OK ||
	    find_token(c, &p->token, &e) != ERR_OK) {
		refuse(c, &e);
		return;
	}
	if ((v = build_frame(c, p)) != NULL)
		rc = core_send(c, v);
	if (rc == ERR_OK)
		c->phase = CONN_WAITING;
	else if (rc == ERR_UNREACHABLE)
		answer_errors(c, 503, "no core", "server is starting, try again");
	else
		answer_errors(c, 503, "server is busy", "server is busy");
}

static void dispatch(struct conn *c)
{
	struct parsed p = { .path_len = 0 };
	struct err e;

	if (parse_target(c, &p, &e) != ERR_OK)
		refuse(c, &e);
	else if (p.query != NULL && apply_query(c, p.query) != ERR_OK)
		return; /* has answered */
	else if (!known_namespace(c))
		answer_errors(c, 404, "unknown namespace", NULL);
	else if (status_answer(c, p.path, p.query))
		return;
	else if (c->method == HTTP_HEAD)
		answer_errors(c, 405, "HEAD", NULL);
	else
		send_to_core(c, &p);
}

void request_dispatch(struct conn *c)
{
	if (c->response == NULL)
		dispatch(c);
	arena_reset(c->net->a);
	conn_drop_body(c);
	conn_wipe_credentials(c);
}

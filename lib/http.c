/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "http_impl.h"
#include "vault/limits.h"
#include "vault/version.h"

#define CONNECT_TIMEOUT_MS 5000L

/* libcurl copies tokens and bodies into buffers of its own: wipe those as they go. */
static void wiping_free(void *p)
{
	if (p != NULL)
		sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

static void *wiping_realloc(void *p, size_t n)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *q = malloc(n != 0 ? n : 1);

	if (q == NULL)
		return NULL;
	if (p != NULL)
		memcpy(q, p, old < n ? old : n);
	wiping_free(p);
	return q;
}

static void *plain_malloc(size_t n)
{
	return malloc(n);
}

static void *plain_calloc(size_t n, size_t size)
{
	return calloc(n, size);
}

static char *plain_strdup(const char *s)
{
	return strdup(s);
}

static int init_once(struct err *e)
{
	static bool ready;

	if (ready)
		return ERR_OK;
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, plain_malloc, wiping_free,
	                         wiping_realloc, plain_strdup, plain_calloc) != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "cannot initialise libcurl");
	ready = true;
	return ERR_OK;
}

static bool is_loopback(const char *host)
{
	unsigned char v4[4];

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	/* A dotted quad, not a name such as 127.example.org. */
	return inet_pton(AF_INET, host, v4) == 1 && v4[0] == 127;
}

/* curl's own parser decides what the host is, as it does when it connects. */
static int check_url(const struct http_options *o, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	int rc = ERR_OK;

	if (u == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (o->base_url == NULL ||
	    curl_url_set(u, CURLUPART_URL, o->base_url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		rc = err_set(e, ERR_USAGE, "the server's address is not a URL");
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		rc = err_set(e, ERR_USAGE, "a server's address may not hold a user name");
	else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
		rc = err_set(e, ERR_USAGE,
		             "'%s': only https:// and http:// are supported",
		             o->base_url);
	else if (strcmp(scheme, "http") == 0 && o->unix_socket == NULL &&
	         !is_loopback(host))
		rc = err_set(e, ERR_USAGE,
		             "'%s': http:// is for this machine alone, use https://",
		             o->base_url);
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	return rc;
}

/* Is there somebody who takes this body as it comes? */
static bool is_streamed(const struct http_client *c)
{
	long status = 0;

	if (c->data == NULL)
		return false;
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2;
}

static size_t receive(char *p, size_t size, size_t n, void *ctx)
{
	struct http_client *c = ctx;
	size_t more = size * n;

	if (is_streamed(c)) {
		c->too_big = !c->data(c->data_ctx, p, more);
		return c->too_big ? 0 : more;
	}
	if (more > c->max - c->len) {
		c->too_big = true;
		return 0;
	}
	if (c->cap - c->len < more + 1) {
		size_t cap = 2 * c->cap + more + 4096;
		char *body = wiping_realloc(c->body, cap);

		if (body == NULL)
			return 0;
		c->body = body;
		c->cap = cap;
	}
	memcpy(c->body + c->len, p, more);
	c->len += more;
	c->body[c->len] = '\0';
	return more;
}

static CURLcode set_tls(CURL *h, const struct http_options *o)
{
	bool by_pin = o->pin != NULL && o->ca_file == NULL;
	long verify = o->skip_verify || by_pin ? 0 : 1;
	CURLcode r = curl_easy_setopt(h, CURLOPT_SSLVERSION,
	                              (long)CURL_SSLVERSION_TLSv1_2);

	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, verify);
	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, verify != 0 ? 2L : 0L);
	if (r == CURLE_OK && o->ca_file != NULL)
		r = curl_easy_setopt(h, CURLOPT_CAINFO, o->ca_file);
	/* The pin is the identity: the system's CA bundle is not even read (7 MiB). */
	if (r == CURLE_OK && by_pin)
		r = curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
	if (r == CURLE_OK && by_pin)
		r = curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	if (r == CURLE_OK && o->pin != NULL)
		r = curl_easy_setopt(h, CURLOPT_PINNEDPUBLICKEY, o->pin);
	if (r == CURLE_OK && o->client_cert != NULL)
		r = curl_easy_setopt(h, CURLOPT_SSLCERT, o->client_cert);
	if (r == CURLE_OK && o->client_key != NULL)
		r = curl_easy_setopt(h, CURLOPT_SSLKEY, o->client_key);
	return r;
}

static CURLcode set_numbers(CURL *h)
{
	static const struct {
		CURLoption option;
		long value;
	} options[] = {
		{CURLOPT_NOSIGNAL,        1                    },
		{ CURLOPT_FOLLOWLOCATION, 0                    },
		{ CURLOPT_NETRC,          CURL_NETRC_IGNORED   },
		{ CURLOPT_TCP_KEEPALIVE,  1                    },
		{ CURLOPT_PATH_AS_IS,     1                    },
		{ CURLOPT_HTTP_VERSION,   CURL_HTTP_VERSION_1_1},
	};
	CURLcode r = CURLE_OK;

	for (size_t i = 0; i < ARRAY_LEN(options) && r == CURLE_OK; i++)
		r = curl_easy_setopt(h, options[i].option, options[i].value);
	return r;
}

static CURLcode set_texts(CURL *h, const struct http_options *o)
{
	const struct {
		CURLoption option;
		const char *value;
	} options[] = {
		{CURLOPT_PROTOCOLS_STR,     "http,https"          },
		{ CURLOPT_PROXY,            ""                    },
		{ CURLOPT_USERAGENT,        "vault/" VAULT_VERSION},
		{ CURLOPT_UNIX_SOCKET_PATH, o->unix_socket        },
	};
	CURLcode r = CURLE_OK;

	for (size_t i = 0; i < ARRAY_LEN(options) && r == CURLE_OK; i++)
		r = curl_easy_setopt(h, options[i].option, options[i].value);
	return r;
}

static CURLcode set_options(struct http_client *c, const struct http_options *o)
{
	CURL *h = c->easy;
	CURLcode r = set_numbers(h);

	if (r == CURLE_OK)
		r = set_texts(h, o);
	if (r == CURLE_OK && o->one_shot)
		r = curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
	if (r == CURLE_OK && o->one_shot)
		r = curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, receive);
	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->detail);
	if (r == CURLE_OK)
		r = curl_easy_setopt(h, CURLOPT_PRIVATE, c);
	return r != CURLE_OK ? r : set_tls(h, o);
}

struct http_client *http_new(const struct http_options *o, struct err *e)
{
	struct http_client *c;
	CURLcode r = CURLE_OUT_OF_MEMORY;

	if (init_once(e) != ERR_OK || check_url(o, e) != ERR_OK)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c != NULL) {
		c->request.max = LIMIT_BODY_MAX;
		c->connect_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms
		                                          : CONNECT_TIMEOUT_MS;
		c->max = o->reply_max != 0 ? o->reply_max : LIMIT_FRAME;
		c->easy = curl_easy_init();
		c->base = strdup(o->base_url);
		c->wrap_ttl = o->wrap_ttl != NULL ? strdup(o->wrap_ttl) : NULL;
	}
	if (c != NULL && c->easy != NULL && c->base != NULL &&
	    (o->wrap_ttl == NULL || c->wrap_ttl != NULL))
		r = set_options(c, o);
	if (r == CURLE_OK)
		return c;
	http_free(c);
	err_set(e, r == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_USAGE, "'%s': %s",
	        o->base_url, curl_easy_strerror(r));
	return NULL;
}

/* Nothing of a request stays behind in the client. */
static void wipe_request(struct http_client *c)
{
	for (struct curl_slist *h = c->headers; h != NULL; h = h->next)
		sodium_memzero(h->data, strlen(h->data));
	curl_slist_free_all(c->headers);
	c->headers = NULL;
	buf_free(&c->request);
	wiping_free(c->body);
	c->body = NULL;
	c->len = c->cap = 0;
}

void http_wrap(struct http_client *c, bool wanted)
{
	c->unwrapped = !wanted;
}

void http_stream(struct http_client *c, http_data_fn data, void *ctx)
{
	c->data = data;
	c->data_ctx = ctx;
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
	struct http_client *c = ctx;

	(void)down_all, (void)down, (void)up_all, (void)up;
	return c->tick == NULL || c->tick(c->tick_ctx) ? 0 : 1;
}

void http_tick(struct http_client *c, http_tick_fn tick, void *ctx)
{
	c->tick = tick;
	c->tick_ctx = ctx;
	/* Neither can fail for an option that libcurl has. */
	(void)curl_easy_setopt(c->easy, CURLOPT_XFERINFODATA, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, tick == NULL ? 1L : 0L);
}

void http_free(struct http_client *c)
{
	if (c == NULL)
		return;
	http_multi_drop(c);
	curl_easy_cleanup(c->easy);
	wipe_request(c);
	free(c->base);
	free(c->wrap_ttl);
	free(c);
}

static bool add_header(struct http_client *c, const char *name, const char *text)
{
	size_t n = strlen(name) + strlen(text) + 3;
	char *line = malloc(n);
	struct curl_slist *list = NULL;

	if (line != NULL) {
		(void)snprintf(line, n, *text != '\0' ? "%s: %s" : "%s:", name, text);
		list = curl_slist_append(c->headers, line);
		sodium_memzero(line, n);
		free(line);
	}
	if (list == NULL)
		return false;
	c->headers = list;
	return true;
}

static bool add_headers(struct http_client *c, const struct http_request *q)
{
	const char *type = strcmp(q->method, "PATCH") == 0
	                           ? "application/merge-patch+json"
	                           : "application/json";

	return add_header(c, "Accept", "application/json") &&
	       add_header(c, "Expect", "") && add_header(c, "X-Vault-Request", "true") &&
	       (q->body == NULL || add_header(c, "Content-Type", type)) &&
	       (c->wrap_ttl == NULL || c->unwrapped ||
	        add_header(c, "X-Vault-Wrap-TTL", c->wrap_ttl)) &&
	       (q->token == NULL || add_header(c, "X-Vault-Token", q->token));
}

static CURLcode set_method(struct http_client *c, const struct http_request *q)
{
	CURLcode r = curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);

	if (r == CURLE_OK && q->body != NULL) {
		r = curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		                     (curl_off_t)c->request.len);
		if (r == CURLE_OK)
			r = curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS,
			                     c->request.p + c->request.start);
	} else if (r == CURLE_OK && strcmp(q->method, "HEAD") == 0) {
		r = curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	}
	return r != CURLE_OK
	               ? r
	               : curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, q->method);
}

/* curl's timer for connecting goes off even when nothing was connected: one that sleeps
 * through long polls would wake for it each time.  If the connection turns out to be
 * gone, the time of the whole request bounds the next one. */
static CURLcode set_times(struct http_client *c, long timeout_ms)
{
	CURLcode r = curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
	                              c->answered ? 0L : c->connect_ms);

	return r != CURLE_OK ? r
	                     : curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
}

static CURLcode set_request(struct http_client *c, const struct http_request *q)
{
	size_t n = strlen(c->base) + strlen(q->path) + 1;
	char *url = malloc(n);
	CURLcode r;

	if (url == NULL)
		return CURLE_OUT_OF_MEMORY;
	(void)snprintf(url, n, "%s%s", c->base, q->path);
	r = curl_easy_setopt(c->easy, CURLOPT_URL, url);
	free(url);
	if (r == CURLE_OK)
		r = set_times(c, q->timeout_ms);
	if (r == CURLE_OK)
		r = curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	return r != CURLE_OK ? r : set_method(c, q);
}

/* A line break would end the header or the request line that the text is put in. */
static bool one_line(const char *s)
{
	return s == NULL || s[strcspn(s, "\r\n")] == '\0';
}

int http_prepare(struct http_client *c, const struct http_request *q, struct err *e)
{
	CURLcode r;

	if (c->multi != NULL)
		return err_set(e, ERR_BUSY, "a request is under way");
	if (!one_line(q->token) || !one_line(q->path) || !one_line(q->method) ||
	    q->path[strcspn(q->path, " ")] != '\0')
		return err_set(e, ERR_USAGE, "line break or space in a token or path");
	wipe_request(c);
	c->too_big = false;
	c->detail[0] = '\0';
	if (q->body != NULL && strlen(q->body) > LIMIT_BODY_MAX)
		return err_set(e, ERR_TOO_BIG, "the request has more than %u MiB",
		               LIMIT_BODY_MAX >> 20);
	if ((q->body != NULL && !buf_add(&c->request, q->body, strlen(q->body))) ||
	    !add_headers(c, q)) {
		wipe_request(c);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	r = set_request(c, q);
	if (r == CURLE_OK)
		return ERR_OK;
	wipe_request(c);
	return err_set(e, r == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL, "%s: %s",
	               c->base, curl_easy_strerror(r));
}

static enum errcode classify(const struct http_client *c, CURLcode r)
{
	switch (r) {
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_ABORTED_BY_CALLBACK:
		return ERR_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return ERR_VERIFY;
	case CURLE_OUT_OF_MEMORY:
		return ERR_NOMEM;
	case CURLE_WRITE_ERROR:
		return c->too_big ? ERR_TOO_BIG : ERR_NOMEM;
	default:
		return ERR_UNREACHABLE;
	}
}

static int fail(const struct http_client *c, CURLcode r, struct err *e)
{
	enum errcode code = classify(c, r);
	const char *what = c->detail[0] != '\0' ? c->detail : curl_easy_strerror(r);

	if (code == ERR_TOO_BIG)
		what = "the reply is too large";
	else if (r == CURLE_ABORTED_BY_CALLBACK)
		what = "nothing comes any more";
	return err_set(e, code, "%s: %s", c->base, what);
}

int http_finish(struct http_client *c, CURLcode result, struct http_reply *reply,
                struct err *e)
{
	curl_off_t after = 0;
	int rc = ERR_OK;

	*reply = (struct http_reply){ 0 };
	c->answered = result == CURLE_OK;
	if (result != CURLE_OK)
		rc = fail(c, result, e);
	else if (c->body == NULL && (c->body = calloc(1, 1)) == NULL)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK) {
		(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &reply->status);
		(void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &after);
		reply->retry_after = after > 0 && after < 86400 ? (int)after : 0;
		reply->body = c->body;
		reply->len = c->len;
		c->body = NULL; /* transferred */
	}
	(void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
	wipe_request(c);
	return rc;
}

int http_call(struct http_client *c, const char *method, const char *path,
              const char *token, const char *body, long timeout_ms,
              struct http_reply *reply, struct err *e)
{
	const struct http_request q = { method, path, token, body, timeout_ms };
	int rc = http_prepare(c, &q, e);

	if (rc != ERR_OK)
		return rc;
	return http_finish(c, curl_easy_perform(c->easy), reply, e);
}

void http_reply_clear(struct http_reply *r)
{
	wiping_free(r->body);
	*r = (struct http_reply){ 0 };
}

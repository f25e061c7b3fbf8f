/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "ht.h"
#include "target.h"

#define AGENT       "vault-rotator-http"
#define RETRY_MAX_S 86400

struct exchange {
	CURL *curl;
	struct curl_slist *headers;
	struct buf body;
	bool too_long;
};

static void exchange_end(struct exchange *x)
{
	curl_slist_free_all(x->headers);
	curl_easy_cleanup(x->curl);
	buf_free(&x->body);
}
#define AUTO_EXCHANGE __attribute__((cleanup(exchange_end))) struct exchange

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;

	if (buf_add(&x->body, p, size * n))
		return size * n;
	x->too_long = true;
	return 0;
}

/* --- the target --- */

/* https, or http where that is allowed. */
static int check_url(const struct ht_plan *p, struct answer *a)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;
	bool https = false, http = false, local = false;

	if (u != NULL &&
	    curl_url_set(u, CURLUPART_URL, p->url, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		https = strcmp(scheme, "https") == 0;
		http = strcmp(scheme, "http") == 0;
		local = strcmp(host, "[::1]") == 0 ||
		        (host[0] != '\0' && target_is_local(host));
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	if (https || (http && (local || p->clear)))
		return 0;
	return answer_fail(
		a, CLASS_PERMANENT,
		http ? "config.requests.%s: http:// is for this machine alone, "
		       "unless config.insecure is true"
		     : "config.requests.%s: 'url' is none of https://",
		p->name);
}

/* A pin comes on top of the chain: it is no way around it. */
static int set_trust(struct request *r, CURL *c, struct answer *a)
{
	struct target t = { 0 };
	const char *pin = NULL;
	CURLcode rc = CURLE_OK;
	int failed;

	if ((failed = target_read_ca(r, &t, a)) != 0 ||
	    (failed = config_text(r, "pin", NULL, &pin, a)) != 0)
		return failed;
	if (pin != NULL && strncmp(pin, "sha256//", 8) != 0)
		return answer_fail(
			a, CLASS_PERMANENT,
			"config.pin is not \"sha256//…\", base64 of a key's hash");
	if (pin != NULL)
		rc = curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, pin);
	if (rc == CURLE_OK && t.ca != NULL)
		rc = curl_easy_setopt(c, CURLOPT_CAINFO, t.ca);
	return rc == CURLE_OK ? 0
	                      : answer_fail(a, CLASS_PERMANENT, "TLS: %s",
	                                    curl_easy_strerror(rc));
}

/* --- the request --- */

static bool set_request(struct request *r, const struct ht_plan *p, struct exchange *x)
{
	long left = (long)request_left_ms(r);
	CURL *c = x->curl;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_FOLLOWLOCATION,            0                 },
		{ CURLOPT_NOSIGNAL,                 1                 },
		{ CURLOPT_PATH_AS_IS,               1                 },
		{ CURLOPT_TIMEOUT_MS,               left              },
		{ CURLOPT_CONNECTTIMEOUT_MS,        left              },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1                 },
		{ CURLOPT_NETRC,                    CURL_NETRC_IGNORED},
	};
	CURLcode rc = CURLE_OK;

	for (size_t i = 0; rc == CURLE_OK && i < ARRAY_LEN(numbers); i++)
		rc = curl_easy_setopt(c, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < p->headers; i++) {
		struct curl_slist *more = curl_slist_append(x->headers, p->header[i]);

		if (more == NULL)
			return false;
		x->headers = more;
	}
	if (rc == CURLE_OK && strcmp(p->method, "HEAD") == 0)
		rc = curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	if (rc == CURLE_OK && p->body != NULL)
		rc = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
		                      (curl_off_t)strlen(p->body));
	if (rc == CURLE_OK && p->body != NULL)
		rc = curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body);
	return rc == CURLE_OK && curl_easy_setopt(c, CURLOPT_URL, p->url) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, p->method) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, AGENT) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK;
}

static enum answer_class class_of(CURLcode rc)
{
	switch (rc) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return CLASS_PERMANENT;
	default:
		return CLASS_RETRYABLE;
	}
}

/* --- the reply --- */

static void read_reply(struct exchange *x, struct ht_reply *out)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &out->status);
	if (curl_easy_getinfo(x->curl, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK &&
	    seconds > 0)
		out->retry_after_ms =
			1000 * (int64_t)(seconds < RETRY_MAX_S ? seconds : RETRY_MAX_S);
	/* What is no JSON is of no use, and of no harm. */
	if (x->body.len > 0)
		out->json = json_loadb((const char *)x->body.p + x->body.start,
		                       x->body.len, JSON_DECODE_ANY, NULL);
}

int ht_call(struct request *r, const struct ht_plan *p, struct ht_reply *out,
            struct answer *a)
{
	AUTO_EXCHANGE x = { .body = { .max = HT_REPLY_MAX } };
	CURLcode rc;
	int failed;

	*out = (struct ht_reply){ 0 };
	if ((failed = check_url(p, a)) != 0)
		return failed;
	if ((x.curl = curl_easy_init()) == NULL || !set_request(r, p, &x))
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((failed = set_trust(r, x.curl, a)) != 0)
		return failed;
	rc = curl_easy_perform(x.curl);
	if (x.too_long)
		return answer_fail(a, CLASS_RETRYABLE, "%s: the reply is over %u bytes",
		                   p->name, HT_REPLY_MAX);
	/* libcurl's longer text may quote the URL. */
	if (rc != CURLE_OK)
		return answer_fail(a, class_of(rc), "%s: %s", p->name,
		                   curl_easy_strerror(rc));
	read_reply(&x, out);
	return 0;
}

void ht_reply_free(struct ht_reply *reply)
{
	json_decref(reply->json);
	reply->json = NULL;
}

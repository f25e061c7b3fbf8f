/* SPDX-License-Identifier: Apache-2.0 */
#include "wh.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "rotator.h"
#include "target.h"
#include "vault/version.h"

#define CONNECT_MS   5000L
#define RETRY_MAX_MS (3600ll * 1000)

struct post {
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* of jansson */
	char detail[CURL_ERROR_SIZE];
};

static void post_clear(struct post *p)
{
	curl_easy_cleanup(p->easy);
	curl_slist_free_all(p->headers);
	answer_release(p->body);
}

/* Nobody reads what the other side writes. */
static size_t discard(char *p, size_t size, size_t n, void *ctx)
{
	(void)p;
	(void)ctx;
	return size * n;
}

static bool add_header(struct post *p, const char *name, const char *value)
{
	struct curl_slist *longer;
	char line[512];

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(p->headers, line);
	if (longer != NULL)
		p->headers = longer;
	return longer != NULL;
}

static int build(struct post *p, const struct request *r, struct answer *a)
{
	const json_t *notice = json_object_get(r->doc, "notice");
	const char *id = json_string_value(json_object_get(notice, "id"));
	const char *event = json_string_value(json_object_get(notice, "event"));
	char signature[WH_SIGNATURE_MAX];

	if (id == NULL || event == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "bad request: 'notice' has no id or no event");
	if (r->admin.password == NULL)
		return answer_fail(a, CLASS_PERMANENT, "bad request: there is no key");
	p->body = json_dumps(notice, JSON_COMPACT | JSON_PRESERVE_ORDER);
	p->easy = curl_easy_init();
	if (p->body == NULL || p->easy == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	wh_sign(r->admin.password, clock_wall(clock_system()) / 1000, p->body, signature);
	if (!add_header(p, "Content-Type", "application/json") ||
	    !add_header(p, "Vaultd-Signature", signature) ||
	    !add_header(p, "Vaultd-Event", event) || !add_header(p, "Vaultd-Id", id) ||
	    !add_header(p, "Expect", ""))
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return 0;
}

static CURLcode set_options(struct post *p, const char *url, const char *ca, long ms)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL,           1                                },
		{ CURLOPT_FOLLOWLOCATION,    0                                },
		{ CURLOPT_NETRC,             CURL_NETRC_IGNORED               },
		{ CURLOPT_HTTP_VERSION,      CURL_HTTP_VERSION_1_1            },
		{ CURLOPT_SSL_VERIFYPEER,    1                                },
		{ CURLOPT_SSL_VERIFYHOST,    2                                },
		{ CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS},
		{ CURLOPT_TIMEOUT_MS,        ms                               },
		{ CURLOPT_POST,              1                                },
		{ CURLOPT_POSTFIELDSIZE,     (long)strlen(p->body)            },
	};
	const struct {
		CURLoption option;
		const void *value;
	} pointers[] = {
		{CURLOPT_PROTOCOLS_STR, "http,https"                   },
		{ CURLOPT_PROXY,        ""                             },
		{ CURLOPT_USERAGENT,    "vaultd-webhook/" VAULT_VERSION},
		{ CURLOPT_URL,          url                            },
		{ CURLOPT_POSTFIELDS,   p->body                        },
		{ CURLOPT_HTTPHEADER,   p->headers                     },
		{ CURLOPT_ERRORBUFFER,  p->detail                      },
	};
	CURLcode rc = curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, discard);

	for (size_t i = 0; i < ARRAY_LEN(numbers) && rc == CURLE_OK; i++)
		rc = curl_easy_setopt(p->easy, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < ARRAY_LEN(pointers) && rc == CURLE_OK; i++)
		rc = curl_easy_setopt(p->easy, pointers[i].option, pointers[i].value);
	if (rc == CURLE_OK && ca != NULL)
		rc = curl_easy_setopt(p->easy, CURLOPT_CAINFO, ca);
	return rc;
}

static int judge(struct post *p, CURLcode rc, struct answer *a)
{
	curl_off_t wait = 0;
	long status = 0;

	if (rc != CURLE_OK)
		return answer_fail(a, CLASS_RETRYABLE, "%s",
		                   p->detail[0] != '\0' ? p->detail
		                                        : curl_easy_strerror(rc));
	(void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300) {
		snprintf(a->message, sizeof(a->message), "HTTP %ld", status);
		return 0;
	}
	(void)curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &wait);
	if (wait > 0)
		a->retry_after_ms = wait < RETRY_MAX_MS / 1000 ? (int64_t)wait * 1000
		                                               : RETRY_MAX_MS;
	return answer_fail(a, CLASS_RETRYABLE, "HTTP %ld%s", status,
	                   status >= 300 && status < 400 ? ": redirects are not followed"
	                                                 : "");
}

int wh_notify(struct request *r, struct answer *a)
{
	struct post p = { .detail = "" };
	struct target where = { 0 };
	const char *url = NULL;
	bool insecure = false;
	CURLcode set;
	int rc;

	if ((rc = config_text(r, "url", NULL, &url, a)) != 0 ||
	    (rc = config_bool(r, "insecure", false, &insecure, a)) != 0 ||
	    (rc = wh_check_url(url != NULL ? url : "", insecure, a)) != 0 ||
	    (rc = target_read_ca(r, &where, a)) != 0)
		return rc;
	rc = build(&p, r, a);
	if (rc == 0 && p.body != NULL) {
		set = set_options(&p, url, where.ca, (long)request_left_ms(r));
		rc = set == CURLE_OK ? judge(&p, curl_easy_perform(p.easy), a)
		                     : answer_fail(a, CLASS_RETRYABLE, "libcurl: %s",
		                                   curl_easy_strerror(set));
	}
	post_clear(&p);
	return rc;
}

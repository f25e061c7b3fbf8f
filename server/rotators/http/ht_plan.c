/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "ht.h"
#include "text.h"

#define METHOD_MAX 16u
#define TYPE_JSON  "application/json"
#define TYPE_FORM  "application/x-www-form-urlencoded"
#define TYPE_TEXT  "text/plain"

const json_t *ht_spec(const struct request *r, const char *name)
{
	return json_object_get(json_object_get(r->config, "requests"), name);
}

static int bad(const struct ht_plan *p, struct answer *a, const char *what)
{
	return answer_fail(a, CLASS_PERMANENT, "config.requests.%s: %s", p->name, what);
}

static const char *text_of(const json_t *v)
{
	const char *s = json_string_value(v);

	return s != NULL && strlen(s) == json_string_length(v) ? s : NULL;
}

static int read_method(struct ht_plan *p, struct answer *a)
{
	const json_t *v = json_object_get(p->spec, "method");

	p->method = v != NULL ? text_of(v) : "GET";
	if (p->method == NULL || p->method[0] == '\0' || strlen(p->method) > METHOD_MAX ||
	    strspn(p->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(p->method))
		return bad(p, a, "'method' is no word in capitals");
	return 0;
}

/* Where requests go is not up to values: nothing is filled in before the path. */
static bool literal_host(const char *url)
{
	const char *start = strstr(url, "://"), *end, *brace = strstr(url, "{{");

	if (start == NULL)
		return false;
	end = start + 3 + strcspn(start + 3, "/?#");
	return end > start + 3 && (brace == NULL || brace >= end);
}

static int read_url(const struct ht_scope *s, struct ht_plan *p, struct answer *a)
{
	const char *url = text_of(json_object_get(p->spec, "url")), *base = NULL;
	char *filled = NULL;
	int rc = config_text(s->r, "base_url", NULL, &base, a);

	if (rc != 0)
		return rc;
	if (url == NULL)
		return bad(p, a, "'url' is missing");
	if (url[0] == '/' && base != NULL) {
		size_t n = strlen(base);

		n -= n > 0 && base[n - 1] == '/';
		url = arena_printf(s->r->arena, "%.*s%s", (int)n, base, url);
	}
	if (url == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if (!literal_host(url))
		return bad(p, a,
		           "'url' is not http(s)://host/…, or has {{…}} before the path");
	if ((rc = ht_fill(s, url, HT_URL, &filled, a)) != 0)
		return rc;
	p->url = filled;
	return 0;
}

/* --- headers --- */

static bool is_token(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("!#$%&'*+-.^_`|~", *s) == NULL)
			return false;
	return true;
}

static int add_header(const struct ht_scope *s, struct ht_plan *p, const char *name,
                      const char *value, struct answer *a)
{
	char *line = NULL;

	if (p->headers == HT_HEADERS_MAX)
		return bad(p, a, "too many headers");
	/* An empty value needs a form of its own in libcurl. */
	line = arena_printf(s->r->arena, value[0] != '\0' ? "%s: %s" : "%s;%s", name,
	                    value);
	if (line == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	p->header[p->headers++] = line;
	return 0;
}

static int add_headers(const struct ht_scope *s, struct ht_plan *p, const json_t *headers,
                       struct answer *a)
{
	const char *name;
	json_t *v;
	int rc;

	if (headers != NULL && !json_is_object(headers))
		return bad(p, a, "'headers' is no object");
	json_object_foreach((json_t *)(uintptr_t)headers, name, v)
	{
		char *value = NULL;

		if (!is_token(name) || text_of(v) == NULL ||
		    !text_printable(text_of(v), strlen(text_of(v))))
			return bad(p, a, "'headers' has a name or a value that is none");
		if (strcasecmp(name, "host") == 0 ||
		    strcasecmp(name, "content-length") == 0 ||
		    strcasecmp(name, "transfer-encoding") == 0)
			return bad(p, a, "'headers' has one that is not yours to set");
		if ((rc = ht_fill(s, text_of(v), HT_HEADER, &value, a)) != 0 ||
		    (rc = add_header(s, p, name, value, a)) != 0)
			return rc;
	}
	return 0;
}

/* "basic": {"username": …, "password": …} */
static int add_basic(const struct ht_scope *s, struct ht_plan *p, struct answer *a)
{
	const json_t *v = json_object_get(p->spec, "basic");
	const char *user = text_of(json_object_get(v, "username"));
	const char *password = text_of(json_object_get(v, "password"));
	char *u = NULL, *w = NULL, *both, *text;
	int rc;

	if (v == NULL)
		return 0;
	if (user == NULL || password == NULL)
		return bad(p, a, "'basic' has no username or no password");
	if ((rc = ht_fill(s, user, HT_HEADER, &u, a)) != 0 ||
	    (rc = ht_fill(s, password, HT_HEADER, &w, a)) != 0)
		return rc;
	if (strchr(u, ':') != NULL)
		return bad(p, a, "the username of 'basic' has a colon");
	both = arena_printf(s->r->arena, "%s:%s", u, w);
	text = both != NULL ? arena_alloc(s->r->arena, TEXT_BASE64_LEN(strlen(both)) + 1)
	                    : NULL;
	if (text == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	text_base64(both, strlen(both), text);
	text = arena_printf(s->r->arena, "Basic %s", text);
	return text != NULL ? add_header(s, p, "Authorization", text, a)
	                    : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* The value of a header that was added; NULL if there is none. */
static const char *header_of(const struct ht_plan *p, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < p->headers; i++)
		if (strncasecmp(p->header[i], name, n) == 0 && p->header[i][n] == ':')
			return p->header[i] + n + 2;
	return NULL;
}

/* --- the body --- */

static bool is_type(const char *header, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(header, type, n) == 0 &&
	       (header[n] == '\0' || header[n] == ';' || header[n] == ' ');
}

static int json_body(const struct ht_scope *s, struct ht_plan *p, const json_t *v,
                     struct answer *a)
{
	json_t *filled = NULL;
	char *text;
	int rc = ht_fill_json(s, v, &filled, a);

	if (rc != 0)
		return rc;
	text = json_dumps(filled, JSON_COMPACT);
	json_decref(filled);
	p->body = arena_str(s->r->arena, text);
	answer_release(text);
	if (p->body == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if (header_of(p, "Content-Type") != NULL)
		return 0;
	return add_header(s, p, "Content-Type", TYPE_JSON, a);
}

/* How a value has to be written is known for few kinds of text; others are not guessed.
 */
static int text_body(const struct ht_scope *s, struct ht_plan *p, const char *text,
                     struct answer *a)
{
	const char *type = header_of(p, "Content-Type");
	char *filled = NULL;
	enum ht_place place;
	int rc;

	if (type != NULL && is_type(type, TYPE_FORM))
		place = HT_URL;
	else if (type != NULL && is_type(type, TYPE_JSON))
		place = HT_JSON;
	else if (type != NULL && is_type(type, TYPE_TEXT))
		place = HT_PLAIN;
	else
		return bad(p, a,
		           "a 'body' of text needs a header 'Content-Type' of " TYPE_FORM
		           ", " TYPE_JSON " or " TYPE_TEXT);
	if ((rc = ht_fill(s, text, place, &filled, a)) != 0)
		return rc;
	p->body = filled;
	return 0;
}

static int read_body(const struct ht_scope *s, struct ht_plan *p, struct answer *a)
{
	const json_t *v = json_object_get(p->spec, "body");

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return json_body(s, p, v, a);
	return text_of(v) != NULL ? text_body(s, p, text_of(v), a)
	                          : bad(p, a, "'body' has a zero character");
}

/* Without TLS only to this machine, unless somebody has said so. */
static int read_clear(const struct ht_scope *s, struct ht_plan *p, struct answer *a)
{
	return config_bool(s->r, "insecure", false, &p->clear, a);
}

int ht_plan_read(const struct ht_scope *s, const json_t *spec, const char *name,
                 struct ht_plan *p, struct answer *a)
{
	int rc;

	*p = (struct ht_plan){ .spec = spec, .name = name };
	if (!json_is_object(spec))
		return bad(p, a, "there is no such request");
	if ((rc = read_method(p, a)) != 0 || (rc = read_url(s, p, a)) != 0 ||
	    (rc = add_headers(s, p, json_object_get(s->r->config, "headers"), a)) != 0 ||
	    (rc = add_headers(s, p, json_object_get(spec, "headers"), a)) != 0 ||
	    (rc = add_basic(s, p, a)) != 0 || (rc = read_body(s, p, a)) != 0)
		return rc;
	return read_clear(s, p, a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vault/limits.h"

#define HEAD 16u /* before each block of jansson's: its size; keeps the alignment */

static void *wiped_malloc(size_t n)
{
	char *p = n <= SIZE_MAX - HEAD ? malloc(HEAD + n) : NULL;

	if (p == NULL)
		return NULL;
	memcpy(p, &n, sizeof(n));
	return p + HEAD;
}

static void wiped_free(void *p)
{
	char *block = p;
	size_t n;

	if (p == NULL)
		return;
	block -= HEAD;
	memcpy(&n, block, sizeof(n));
	sodium_memzero(block, HEAD + n);
	free(block);
}

void wire_init(void)
{
	json_set_alloc_funcs(wiped_malloc, wiped_free);
}

/* ---- requests ---- */

static bool put(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

static bool put_string(struct buf *b, const char *p, size_t n)
{
	size_t from = 0;
	char u[8];
	bool ok = put(b, "\"");

	for (size_t i = 0; i < n && ok; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		snprintf(u, sizeof(u), "\\u%04x", c);
		ok = buf_add(b, p + from, i - from) && put(b, u);
		from = i + 1;
	}
	return ok && buf_add(b, p + from, n - from) && put(b, "\"");
}

static bool put_value(struct buf *b, const struct value *v, unsigned depth);

static bool put_children(struct buf *b, const struct value *v, unsigned depth)
{
	bool object = v->type == V_OBJECT, ok = put(b, object ? "{" : "[");

	for (const struct value *m = v->first; m != NULL && ok; m = m->next) {
		if (m != v->first)
			ok = put(b, ",");
		if (ok && object)
			ok = put_string(b, m->key, m->key_len) && put(b, ":");
		ok = ok && put_value(b, m, depth + 1);
	}
	return ok && put(b, object ? "}" : "]");
}

static bool put_value(struct buf *b, const struct value *v, unsigned depth)
{
	switch (v->type) {
	case V_NULL:
		return put(b, "null");
	case V_FALSE:
	case V_TRUE:
		return put(b, v->type == V_TRUE ? "true" : "false");
	case V_NUMBER:
		return buf_add(b, v->text, v->len);
	case V_STRING:
		return put_string(b, v->text, v->len);
	case V_ARRAY:
	case V_OBJECT:
		return depth < LIMIT_JSON_DEPTH && put_children(b, v, depth);
	default: /* JSON has no bytes */
		return false;
	}
}

static bool is_deadline(const struct value *m)
{
	static const char name[] = "deadline_ms";

	return m->key_len == strlen(name) && memcmp(m->key, name, m->key_len) == 0;
}

int wire_request(struct buf *b, const struct value *request, int64_t deadline_ms,
                 struct err *e)
{
	char deadline[48];
	bool ok;

	if (request == NULL || request->type != V_OBJECT)
		return err_set(e, ERR_INVALID, "the request is no object");
	snprintf(deadline, sizeof(deadline), "{\"deadline_ms\":%lld",
	         (long long)deadline_ms);
	ok = put(b, deadline);
	for (const struct value *m = request->first; m != NULL && ok; m = m->next)
		if (!is_deadline(m))
			ok = put(b, ",") && put_string(b, m->key, m->key_len) &&
			     put(b, ":") && put_value(b, m, 1);
	ok = ok && put(b, "}\n");
	return ok ? ERR_OK
	          : err_set(e, ERR_TOO_BIG, "the request cannot be written as JSON");
}

/* ---- replies ---- */

static struct value *from_json(struct arena *a, const json_t *j, unsigned depth)
{
	struct value *out;
	char number[48];
	const char *key;
	json_t *item;
	size_t i;

	if (depth > LIMIT_JSON_DEPTH)
		return value_null(a);
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		out = value_object(a);
		json_object_foreach((json_t *)(uintptr_t)j, key, item)
		{
			value_set(out, arena_str(a, key), from_json(a, item, depth + 1));
		}
		return out;
	case JSON_ARRAY:
		out = value_array(a);
		json_array_foreach(j, i, item)
		{
			value_add(out, from_json(a, item, depth + 1));
		}
		return out;
	case JSON_STRING:
		return value_strdup(a, json_string_value(j), json_string_length(j));
	case JSON_INTEGER:
		return value_int(a, json_integer_value(j));
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(j));
		return value_number(a, arena_str(a, number), strlen(number));
	case JSON_TRUE:
	case JSON_FALSE:
		return value_bool(a, json_is_true(j));
	default:
		return value_null(a);
	}
}

static bool one_of(const json_t *v, const char *const *texts)
{
	const char *s = json_string_value(v);

	while (s != NULL && *texts != NULL && strcmp(s, *texts) != 0)
		texts++;
	return s != NULL && *texts != NULL;
}

static bool absent(const json_t *v)
{
	return v == NULL || json_is_null(v);
}

static bool fields_ok(const json_t *fields)
{
	const char *key;
	json_t *item;

	if (absent(fields))
		return true;
	if (!json_is_object(fields))
		return false;
	json_object_foreach((json_t *)(uintptr_t)fields, key, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return true;
}

static bool probe_ok(const json_t *probe)
{
	static const char *const answers[] = { "valid", "invalid", "unknown", NULL };
	static const char *const which[] = { "current", "pending", "previous" };

	if (absent(probe))
		return true;
	if (!json_is_object(probe))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		const json_t *v = json_object_get(probe, which[i]);

		if (!absent(v) && !one_of(v, answers))
			return false;
	}
	return true;
}

/* Which rule it breaks, or NULL. */
static const char *broken_rule(const json_t *j)
{
	static const char *const statuses[] = { "ok", "noop", "error", NULL };
	static const char *const classes[] = { "retryable", "rejected_value", "auth",
		                               "permanent", NULL };
	const json_t *status = json_object_get(j, "status");
	const json_t *retry = json_object_get(j, "retry_after_ms");
	const json_t *message = json_object_get(j, "message");
	const json_t *describe = json_object_get(j, "describe");

	if (!json_is_object(j))
		return "it is no object";
	if (json_integer_value(json_object_get(j, "v")) != 1)
		return "\"v\" is not 1";
	if (!one_of(status, statuses))
		return "\"status\" is not ok, noop or error";
	if (strcmp(json_string_value(status), "error") == 0 &&
	    !one_of(json_object_get(j, "class"), classes))
		return "an error has no valid \"class\"";
	if (!absent(message) && !json_is_string(message))
		return "\"message\" is no string";
	if (!fields_ok(json_object_get(j, "fields")))
		return "\"fields\" is no object of strings";
	if (!probe_ok(json_object_get(j, "probe")))
		return "\"probe\" does not say valid, invalid or unknown";
	if (!absent(describe) && !json_is_object(describe))
		return "\"describe\" is no object";
	if (!absent(retry) && (!json_is_integer(retry) || json_integer_value(retry) < 0))
		return "\"retry_after_ms\" is no number of milliseconds";
	return NULL;
}

static int take(struct arena *a, const json_t *j, struct value **out, struct err *e)
{
	static const char *const members[] = { "status",        "class", "message",
		                               "fields",        "probe", "describe",
		                               "retry_after_ms" };
	const char *broken = broken_rule(j);
	struct value *v = value_object(a);

	if (broken != NULL)
		return err_set(e, ERR_INVALID, "its reply breaks the contract: %s",
		               broken);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *m = json_object_get(j, members[i]);

		value_set(v, members[i], m != NULL ? from_json(a, m, 1) : value_null(a));
	}
	*out = v;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory for its reply")
	                       : ERR_OK;
}

int wire_reply(struct arena *a, const char *p, size_t n, struct value **out,
               struct err *e)
{
	json_error_t why;
	json_t *j = json_loadb(p != NULL ? p : "", n, JSON_REJECT_DUPLICATES, &why);
	int rc;

	if (j == NULL)
		return err_set(e, ERR_INVALID,
		               n == 0 ? "it has not replied"
		                      : "its reply is not one JSON document");
	rc = take(a, j, out, e);
	json_decref(j);
	/* jansson quotes what it did not understand. */
	sodium_memzero(&why, sizeof(why));
	return rc;
}

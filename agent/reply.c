/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define BYTES_MAX  128u
#define ERROR_TEXT 160u

/* Each block is preceded by its size, so that it can be wiped. */
union head {
	size_t size;
	max_align_t align;
};

static void *wiping_malloc(size_t n)
{
	union head *h = n > SIZE_MAX / 2 ? NULL : malloc(sizeof(*h) + n);

	if (h == NULL)
		return NULL;
	h->size = n;
	return h + 1;
}

static void wiping_free(void *p)
{
	union head *h = p;

	if (h == NULL)
		return;
	h--;
	sodium_memzero(h + 1, h->size);
	free(h);
}

void reply_init(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

char *reply_text(const json_t *o)
{
	return json_dumps(o, JSON_COMPACT);
}

void reply_text_free(char *s)
{
	json_malloc_t get;
	json_free_t put;

	json_get_alloc_funcs(&get, &put);
	put(s);
}

json_t *reply_parse(const char *text, size_t len, struct err *e)
{
	json_error_t why;
	json_t *doc = text == NULL ? NULL
	                           : json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!json_is_object(doc)) {
		json_decref(doc);
		err_set(e, ERR_INVALID, "the server's reply is not a JSON object");
		return NULL;
	}
	return doc;
}

int reply_error(long status, const json_t *doc, struct err *e)
{
	enum errcode code = err_of_status(status, ERR_UNREACHABLE);
	const char *text =
		json_string_value(json_array_get(json_object_get(doc, "errors"), 0));
	size_t n = text == NULL ? 0 : strcspn(text, "\r\n");

	if (n > ERROR_TEXT)
		n = ERROR_TEXT;
	if (n == 0 || !text_printable(text, n))
		return err_set(e, code, "the server answered %ld", status);
	return err_set(e, code, "the server answered %ld: %.*s", status, (int)n, text);
}

const char *reply_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

int64_t reply_int(const json_t *o, const char *key, int64_t dflt)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : dflt;
}

int reply_hex(const json_t *o, const char *key, void *out, size_t n)
{
	const char *s = reply_str(o, key);

	return s != NULL && text_unhex(s, strlen(s), out, n) == (long)n ? 0 : -1;
}

int reply_base64(const json_t *o, const char *key, void *out, size_t n)
{
	const char *s = reply_str(o, key);

	return s != NULL && text_unbase64(s, strlen(s), out, n) == (long)n ? 0 : -1;
}

int reply_set_hex(json_t *o, const char *key, const void *p, size_t n)
{
	char text[2 * BYTES_MAX + 1];

	if (n > BYTES_MAX)
		return -1;
	text_hex(p, n, text);
	return json_object_set_new(o, key, json_string(text));
}

int reply_set_base64(json_t *o, const char *key, const void *p, size_t n)
{
	char text[TEXT_BASE64_LEN(BYTES_MAX) + 1];

	if (n > BYTES_MAX)
		return -1;
	text_base64(p, n, text);
	return json_object_set_new(o, key, json_string(text));
}

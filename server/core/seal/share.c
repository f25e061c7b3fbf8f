/* SPDX-License-Identifier: Apache-2.0 */
#include "share.h"

#include <string.h>
#include <strings.h>

#include "text.h"

#define SHARE_MIN 16
#define SHARE_MAX 33

const struct value *share_member(const struct req *r, const char *name)
{
	for (const struct value *v = r->body->first; v != NULL; v = v->next)
		if (v->key_len == strlen(name) &&
		    strncasecmp(v->key, name, v->key_len) == 0)
			return v;
	return NULL;
}

/* Hex first, then base64, as Vault reads it. */
int share_take(struct req *r, const char *missing, struct seal_share *out)
{
	const struct value *key = share_member(r, "key");
	unsigned char bytes[64];
	long n;

	if (key == NULL || key->type != V_STRING || key->len == 0)
		return req_fail(r, ERR_INVALID, "%s", missing);
	n = text_unhex(key->text, key->len, bytes, sizeof(bytes));
	if (n < SHARE_MIN || n > SHARE_MAX)
		n = text_unbase64(key->text, key->len, bytes, sizeof(bytes));
	if (n < 0)
		return req_fail(r, ERR_INVALID,
		                "'key' must be a valid hex or base64 string");
	if (n < SHARE_MIN)
		return req_fail(r, ERR_INVALID, "key is shorter than minimum %d bytes",
		                SHARE_MIN);
	if (n > SHARE_MAX)
		return req_fail(r, ERR_INVALID, "key is longer than maximum %d bytes",
		                SHARE_MAX);
	memcpy(out->bytes, bytes, (size_t)n);
	out->len = (size_t)n;
	explicit_bzero(bytes, sizeof(bytes));
	return ERR_OK;
}

void share_texts(struct arena *a, const struct seal_share *share, int n,
                 struct value **hex, struct value **b64)
{
	char text[80];

	*hex = value_array(a);
	*b64 = value_array(a);
	for (int i = 0; i < n; i++) {
		text_hex(share[i].bytes, share[i].len, text);
		value_add(*hex, value_strdup(a, text, strlen(text)));
		text_base64(share[i].bytes, share[i].len, text);
		value_add(*b64, value_strdup(a, text, strlen(text)));
	}
	explicit_bzero(text, sizeof(text));
}

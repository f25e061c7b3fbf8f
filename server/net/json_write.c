/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <sodium.h>
#include <string.h>

#include "text.h"

#define JBUF_MIN 512u

bool jbuf_room(struct jbuf *b, size_t more)
{
	size_t cap = b->cap < JBUF_MIN ? JBUF_MIN : b->cap;
	char *p;

	if (b->failed || more > SIZE_MAX / 4 - b->len) {
		b->failed = true;
		return false;
	}
	if (b->cap - b->len >= more)
		return true;
	while (cap - b->len < more)
		cap *= 2;
	if ((p = malloc(cap)) == NULL) {
		b->failed = true;
		return false;
	}
	if (b->p != NULL) {
		memcpy(p, b->p, b->len);
		sodium_memzero(b->p, b->len);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void jbuf_add(struct jbuf *b, const void *p, size_t n)
{
	if (n == 0 || !jbuf_room(b, n))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

void jbuf_free(struct jbuf *b)
{
	if (b->p != NULL) {
		sodium_memzero(b->p, b->len);
		free(b->p);
	}
	*b = (struct jbuf){ NULL, 0, 0, false };
}

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static void write_escape(struct jbuf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char *const names = "btn_fr"; /* for 8 to 13; 11 has no short form */
	char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (c == '"' || c == '\\') {
		esc[1] = (char)c;
		jbuf_add(b, esc, 2);
	} else if (c >= 8 && c <= 13 && c != 11) {
		esc[1] = names[c - 8];
		jbuf_add(b, esc, 2);
	} else {
		jbuf_add(b, esc, sizeof(esc));
	}
}

void json_write_str(struct jbuf *b, const char *s, size_t n)
{
	size_t from = 0;

	jbuf_lit(b, "\"");
	for (size_t i = 0; i < n; i++) {
		if (!needs_escape((unsigned char)s[i]))
			continue;
		jbuf_add(b, s + from, i - from);
		write_escape(b, (unsigned char)s[i]);
		from = i + 1;
	}
	jbuf_add(b, s + from, n - from);
	jbuf_lit(b, "\"");
}

static void write_bytes(struct jbuf *b, const char *p, size_t n)
{
	jbuf_lit(b, "\"");
	/* text_base64() ends its output with a NUL, which is not counted here. */
	if (jbuf_room(b, TEXT_BASE64_LEN(n) + 1))
		b->len += text_base64(p, n, b->p + b->len);
	jbuf_lit(b, "\"");
}

static void write_children(struct jbuf *b, const struct value *v)
{
	bool object = v->type == V_OBJECT;

	jbuf_add(b, object ? "{" : "[", 1);
	for (const struct value *c = v->first; c != NULL; c = c->next) {
		if (c != v->first)
			jbuf_lit(b, ",");
		if (object) {
			json_write_str(b, c->key, c->key_len);
			jbuf_lit(b, ":");
		}
		json_write(b, c);
	}
	jbuf_add(b, object ? "}" : "]", 1);
}

void json_write(struct jbuf *b, const struct value *v)
{
	switch (v != NULL ? v->type : V_NULL) {
	case V_FALSE:
		jbuf_lit(b, "false");
		break;
	case V_TRUE:
		jbuf_lit(b, "true");
		break;
	case V_NUMBER:
		jbuf_add(b, v->text, v->len);
		break;
	case V_STRING:
		json_write_str(b, v->text, v->len);
		break;
	case V_BYTES:
		write_bytes(b, v->text, v->len);
		break;
	case V_ARRAY:
	case V_OBJECT:
		write_children(b, v);
		break;
	case V_ENCODED: /* exists on the way out of core only, never in a decoded tree */
	case V_NULL:
	default:
		jbuf_lit(b, "null");
		break;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "scrub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char mark[3] = { '*', '*', '*' };

struct scrub_form {
	struct scrub_form *next;
	const char *p;
	size_t n;
};

/* Longest first: a value may contain another. */
static void add_form(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	struct scrub_form **at = &s->first, *f;

	if (p == NULL || n < SCRUB_MIN)
		return;
	for (; *at != NULL && (*at)->n >= n; at = &(*at)->next)
		if ((*at)->n == n && memcmp((*at)->p, p, n) == 0)
			return;
	f = arena_alloc(a, sizeof(*f));
	if (f == NULL)
		return;
	*f = (struct scrub_form){ *at, p, n };
	*at = f;
}

static void add_hex(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	char *lower = arena_alloc(a, 2 * n + 1), *upper = arena_alloc(a, 2 * n + 1);

	if (lower == NULL || upper == NULL)
		return;
	text_hex(p, n, lower);
	for (size_t i = 0; i < 2 * n; i++)
		upper[i] = lower[i] >= 'a' ? (char)(lower[i] - 'a' + 'A') : lower[i];
	add_form(s, a, lower, 2 * n);
	add_form(s, a, upper, 2 * n);
}

/*
 * In base64 a value begins at one of three places in a group, and what stands beside it
 * shares the first and the last digit with it: those are left out.
 */
static void add_base64(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	for (size_t shift = 0; shift < 3; shift++) {
		char *in = arena_alloc(a, n + shift), *std, *url;
		size_t skip = shift == 0 ? 0 : shift + 1, end = (shift + n) * 8 / 6;

		std = arena_alloc(a, TEXT_BASE64_LEN(n + shift) + 1);
		url = arena_alloc(a, TEXT_BASE64_LEN(n + shift) + 1);
		if (in == NULL || std == NULL || url == NULL)
			return;
		memcpy(in + shift, p, n);
		text_base64(in, n + shift, std);
		text_base64url(in, n + shift, url);
		if (end <= skip + 6)
			continue;
		add_form(s, a, std + skip, end - skip);
		add_form(s, a, url + skip, end - skip);
	}
}

static void to_lower(char *hex)
{
	if (*hex >= 'A' && *hex <= 'F')
		*hex = (char)(*hex - 'A' + 'a');
}

static void add_url(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	size_t len = text_percent(p, n, "", NULL);
	char *upper = arena_alloc(a, len + 1), *lower = arena_alloc(a, len + 1);

	if (upper == NULL || lower == NULL)
		return;
	(void)text_percent(p, n, "", upper);
	memcpy(lower, upper, len + 1);
	for (size_t i = 0; i + 2 < len; i++)
		if (upper[i] == '%') {
			to_lower(lower + i + 1);
			to_lower(lower + i + 2);
		}
	add_form(s, a, upper, len);
	add_form(s, a, lower, len);
}

static void add_json(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	char *out = arena_alloc(a, 6 * n + 1);
	size_t at = 0;

	for (size_t i = 0; out != NULL && i < n; i++) {
		const char *special = p[i] != '\0' ? strchr(from, p[i]) : NULL;

		if (special != NULL) {
			out[at++] = '\\';
			out[at++] = to[special - from];
		} else if ((unsigned char)p[i] < 0x20) {
			at += (size_t)snprintf(out + at, 7, "\\u%04x", p[i]);
		} else {
			out[at++] = p[i];
		}
	}
	add_form(s, a, out, at);
}

void scrub_add(struct scrub *s, struct arena *a, const char *p, size_t n)
{
	const char *line = p, *end;

	if (n < SCRUB_MIN)
		return;
	add_form(s, a, p, n);
	add_json(s, a, p, n);
	add_url(s, a, p, n);
	add_hex(s, a, p, n);
	add_base64(s, a, p, n);
	/* What is said comes in lines. */
	while ((end = memchr(line, '\n', (size_t)(p + n - line))) != NULL) {
		add_form(s, a, line, (size_t)(end - line));
		line = end + 1;
	}
	if (line != p)
		add_form(s, a, line, (size_t)(p + n - line));
}

/* Whose value it is, and till when, is what a message is about. */
static bool is_open(const struct value *v)
{
	static const char *const open[] = { "username", "expiration" };

	for (size_t i = 0; v->key != NULL && i < ARRAY_LEN(open); i++)
		if (v->key_len == strlen(open[i]) &&
		    memcmp(v->key, open[i], v->key_len) == 0)
			return true;
	return false;
}

void scrub_add_tree(struct scrub *s, struct arena *a, const struct value *v)
{
	if (v == NULL || is_open(v))
		return;
	if (v->type == V_STRING)
		scrub_add(s, a, v->text, v->len);
	if (v->type != V_OBJECT && v->type != V_ARRAY)
		return;
	for (const struct value *m = v->first; m != NULL; m = m->next)
		scrub_add_tree(s, a, m);
}

size_t scrub_text(const struct scrub *s, char *text, size_t n)
{
	for (const struct scrub_form *f = s->first; f != NULL; f = f->next) {
		char *at = text, *hit;

		while ((hit = memmem(at, n - (size_t)(at - text), f->p, f->n)) != NULL) {
			size_t rest = n - (size_t)(hit - text) - f->n;

			memcpy(hit, mark, sizeof(mark));
			at = hit + sizeof(mark);
			memmove(at, hit + f->n, rest);
			n -= f->n - sizeof(mark);
		}
	}
	return n;
}

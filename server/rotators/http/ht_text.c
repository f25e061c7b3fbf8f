/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "ht.h"
#include "text.h"

#define NAME_MAX_LEN 128u
#define DEPTH_MAX    32

/* --- names --- */

static const char *member(const struct credential *c, const char *name)
{
	if (c == NULL || !c->given)
		return NULL;
	/* What the configuration calls otherwise in secrets. */
	if (strcmp(name, "username") == 0)
		return c->username;
	if (strcmp(name, "password") == 0)
		return c->password;
	return json_string_value(json_object_get(c->fields, name));
}

static const char *account_of(const struct ht_scope *s)
{
	const struct request *r = s->r;

	if (r->accounts == 1)
		return r->account[0];
	return s->pending != NULL && s->pending->given ? s->pending->username : NULL;
}

/* false: there is no such name. */
static bool look_up(const struct ht_scope *s, const char *name, const char **value)
{
	const json_t *vars = json_object_get(s->r->config, "vars");
	const struct {
		const char *prefix;
		const struct credential *c;
		const json_t *v;
	} groups[] = {
		{"admin.",       &s->r->admin,    NULL    },
		{ "current.",    s->current,      NULL    },
		{ "pending.",    s->pending,      NULL    },
		{ "previous.",   &s->r->previous, NULL    },
		{ "credential.", s->credential,   NULL    },
		{ "found.",      NULL,            s->found},
		{ "vars.",       NULL,            vars    },
	};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		size_t n = strlen(groups[i].prefix);

		if (strncmp(name, groups[i].prefix, n) != 0 || name[n] == '\0')
			continue;
		*value = groups[i].c != NULL
		                 ? member(groups[i].c, name + n)
		                 : json_string_value(
					   json_object_get(groups[i].v, name + n));
		return true;
	}
	if (strcmp(name, "attempt") == 0)
		*value = s->r->attempt;
	else if (strcmp(name, "secret") == 0)
		*value = s->r->secret;
	else if (strcmp(name, "account") == 0)
		*value = account_of(s);
	else
		return false;
	return true;
}

/* --- places --- */

static bool put_url(struct buf *b, const char *s)
{
	size_t n = text_percent(s, strlen(s), "", NULL);

	if (!buf_reserve(b, n + 1))
		return false;
	b->len += text_percent(s, strlen(s), "", (char *)buf_tail(b));
	return true;
}

static bool put_json(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		char code[8];
		int n = 1;

		if (c == '"' || c == '\\')
			n = snprintf(code, sizeof(code), "\\%c", c);
		else if (c < 0x20)
			n = snprintf(code, sizeof(code), "\\u%04x", c);
		else
			code[0] = *s;
		if (!buf_add(b, code, (size_t)n))
			return false;
	}
	return true;
}

/* May the value stand there at all?  Dots alone would lead to another path. */
static bool fits(const char *value, enum ht_place place)
{
	switch (place) {
	case HT_URL:
		return strcmp(value, ".") != 0 && strcmp(value, "..") != 0;
	case HT_HEADER:
		return text_printable(value, strlen(value));
	case HT_JSON:
		return text_utf8_ok(value, strlen(value));
	case HT_PLAIN:
		break;
	}
	return true;
}

static bool put(struct buf *b, const char *value, enum ht_place place)
{
	switch (place) {
	case HT_URL:
		return put_url(b, value);
	case HT_JSON:
		return put_json(b, value);
	case HT_PLAIN:
	case HT_HEADER:
		break;
	}
	return value[0] == '\0' || buf_add(b, value, strlen(value));
}

/* --- templates --- */

/* "{{ name }}" at ${at}: its end and its name; NULL if it is none. */
static const char *reference(const char *at, char name[NAME_MAX_LEN + 1])
{
	const char *p = at + 2 + strspn(at + 2, " ");
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                     "0123456789_.-");

	if (n == 0 || n > NAME_MAX_LEN)
		return NULL;
	memcpy(name, p, n);
	name[n] = '\0';
	p += n;
	p += strspn(p, " ");
	return p[0] == '}' && p[1] == '}' ? p + 2 : NULL;
}

static int put_value(const struct ht_scope *s, const char *name, enum ht_place place,
                     struct buf *b, struct answer *a)
{
	const char *value = NULL;

	if (!look_up(s, name, &value))
		return answer_fail(a, CLASS_PERMANENT,
		                   "a request uses {{%.40s}}, which is unknown", name);
	if (value == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "a request uses {{%.40s}}, and there is none", name);
	if (!fits(value, place))
		return answer_fail(a,
		                   strcmp(name, "pending.password") == 0
		                           ? CLASS_REJECTED
		                           : CLASS_PERMANENT,
		                   "{{%.40s}} has a value that may not stand where the "
		                   "request uses it",
		                   name);
	if (!put(b, value, place))
		return answer_fail(a, CLASS_PERMANENT, "a request is too long");
	return 0;
}

int ht_fill(const struct ht_scope *s, const char *text, enum ht_place place, char **out,
            struct answer *a)
{
	AUTO_BUF b = { .max = HT_TEXT_MAX };
	char name[NAME_MAX_LEN + 1];
	int rc;

	while (*text != '\0') {
		const char *at = strstr(text, "{{");
		size_t n = at != NULL ? (size_t)(at - text) : strlen(text);
		const char *end = at != NULL ? reference(at, name) : NULL;

		if (at != NULL && end == NULL)
			return answer_fail(a, CLASS_PERMANENT,
			                   "a request has {{ without a name and }}");
		if (n > 0 && !buf_add(&b, text, n))
			return answer_fail(a, CLASS_PERMANENT, "a request is too long");
		if (at == NULL)
			break;
		if ((rc = put_value(s, name, place, &b, a)) != 0)
			return rc;
		text = end;
	}
	*out = arena_dup(s->r->arena, b.len > 0 ? (char *)b.p + b.start : "", b.len);
	return *out != NULL ? 0 : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* --- JSON --- */

static int fill_tree(const struct ht_scope *s, const json_t *v, int depth, json_t **out,
                     struct answer *a);

static int fill_object(const struct ht_scope *s, const json_t *v, int depth, json_t *made,
                       struct answer *a)
{
	const char *key;
	json_t *item, *filled;
	int rc;

	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		if ((rc = fill_tree(s, item, depth, &filled, a)) != 0)
			return rc;
		if (json_object_set_new(made, key, filled) != 0)
			return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	}
	return 0;
}

static int fill_array(const struct ht_scope *s, const json_t *v, int depth, json_t *made,
                      struct answer *a)
{
	json_t *filled;
	int rc;

	for (size_t i = 0; i < json_array_size(v); i++) {
		if ((rc = fill_tree(s, json_array_get(v, i), depth, &filled, a)) != 0)
			return rc;
		if (json_array_append_new(made, filled) != 0)
			return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	}
	return 0;
}

static int fill_string(const struct ht_scope *s, const json_t *v, json_t **out,
                       struct answer *a)
{
	char *text = NULL;
	int rc;

	if (strlen(json_string_value(v)) != json_string_length(v))
		return answer_fail(a, CLASS_PERMANENT, "a request has a zero character");
	if ((rc = ht_fill(s, json_string_value(v), HT_PLAIN, &text, a)) != 0)
		return rc;
	/* NULL as well if it is no UTF-8 */
	*out = json_string(text);
	return *out != NULL ? 0
	                    : answer_fail(a, CLASS_PERMANENT,
	                                  "a request cannot be written as JSON");
}

static int fill_tree(const struct ht_scope *s, const json_t *v, int depth, json_t **out,
                     struct answer *a)
{
	int rc;

	*out = NULL;
	if (depth > DEPTH_MAX)
		return answer_fail(a, CLASS_PERMANENT, "a request is too deep");
	if (json_is_string(v))
		return fill_string(s, v, out, a);
	if (!json_is_object(v) && !json_is_array(v))
		*out = json_copy((json_t *)(uintptr_t)v);
	else
		*out = json_is_object(v) ? json_object() : json_array();
	if (*out == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	rc = json_is_object(v)  ? fill_object(s, v, depth + 1, *out, a)
	     : json_is_array(v) ? fill_array(s, v, depth + 1, *out, a)
	                        : 0;
	if (rc != 0) {
		json_decref(*out);
		*out = NULL;
	}
	return rc;
}

int ht_fill_json(const struct ht_scope *s, const json_t *v, json_t **out,
                 struct answer *a)
{
	return fill_tree(s, v, 0, out, a);
}

/* One token of a pointer, "~1" and "~0" undone; false if it is too long or malformed. */
static bool token(const char **p, char out[NAME_MAX_LEN + 1])
{
	size_t n = 0;

	for ((*p)++; **p != '\0' && **p != '/'; (*p)++) {
		char c = **p;

		if (n == NAME_MAX_LEN)
			return false;
		if (c == '~') {
			(*p)++;
			if (**p != '0' && **p != '1')
				return false;
			c = **p == '0' ? '~' : '/';
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

const json_t *ht_pointer(const json_t *doc, const char *p)
{
	char name[NAME_MAX_LEN + 1];

	while (doc != NULL && *p != '\0') {
		if (*p != '/' || !token(&p, name))
			return NULL;
		if (json_is_array(doc)) {
			char *end;
			unsigned long i = strtoul(name, &end, 10);

			if (name[0] < '0' || name[0] > '9' || *end != '\0' ||
			    (name[0] == '0' && name[1] != '\0'))
				return NULL;
			doc = json_array_get(doc, i);
		} else {
			doc = json_object_get(doc, name);
		}
	}
	return doc;
}

const char *ht_as_text(struct arena *arena, const json_t *v)
{
	if (json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v))
		return arena_str(arena, json_string_value(v));
	if (json_is_integer(v))
		return arena_printf(arena, "%lld", (long long)json_integer_value(v));
	return NULL;
}

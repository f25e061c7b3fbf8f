/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static const char *const class_names[] = {
	[CLASS_RETRYABLE] = "retryable",
	[CLASS_REJECTED] = "rejected_value",
	[CLASS_AUTH] = "auth",
	[CLASS_PERMANENT] = "permanent",
};

static const char *const verdict_names[] = {
	[VERDICT_VALID] = "valid",
	[VERDICT_INVALID] = "invalid",
	[VERDICT_UNKNOWN] = "unknown",
};

/* One line of text that any JSON reader takes. */
static void tidy(char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = ' ';
	while (n > 0 && s[n - 1] == ' ')
		s[--n] = '\0';
	if (!text_utf8_ok(s, n))
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)s[i] >= 0x80)
				s[i] = '?';
}

static void say(struct answer *a, const char *fmt, va_list ap) PRINTF(2, 0);
static void say(struct answer *a, const char *fmt, va_list ap)
{
	vsnprintf(a->message, sizeof(a->message), fmt, ap);
	tidy(a->message);
}

int answer_fail(struct answer *a, enum answer_class class, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(a, fmt, ap);
	va_end(ap);
	a->class = class;
	a->noop = false;
	return (int)class;
}

int answer_field(struct answer *a, const char *name, const char *value)
{
	if (a->fields == NULL)
		a->fields = json_object();
	if (json_object_set_new(a->fields, name, json_string(value)) != 0)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return 0;
}

int answer_noop(struct answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(a, fmt, ap);
	va_end(ap);
	a->class = CLASS_NONE;
	a->noop = true;
	return 0;
}

void answer_scrub(char *text, const char *secret)
{
	size_t n = secret != NULL ? strlen(secret) : 0;
	char *at = text;

	if (n < 4) /* would take ordinary words apart, and hides nothing */
		return;
	while ((at = strstr(at, secret)) != NULL) {
		memset(at, '*', n);
		at += n;
	}
}

/* How much of ${text}, from its start, stands in ${secret} in one piece. */
static size_t shared(const char *text, const char *secret)
{
	size_t best = 0;

	for (; *secret != '\0'; secret++) {
		size_t n = 0;

		while (secret[n] != '\0' && text[n] == secret[n])
			n++;
		best = n > best ? n : best;
	}
	return best;
}

void answer_scrub_pieces(char *text, const char *secret)
{
	size_t n;

	for (; *text != '\0'; text += n > 0 ? n : 1) {
		n = shared(text, secret);
		if (n < 4)
			n = 0;
		memset(text, '*', n);
	}
}

static void set_verdict(json_t *probe, const char *key, enum verdict v)
{
	if (v != VERDICT_NONE)
		json_object_set_new(probe, key, json_string(verdict_names[v]));
}

static json_t *document(const struct answer *a)
{
	json_t *doc = json_object(), *probe;
	const char *status = a->class != CLASS_NONE ? "error" : a->noop ? "noop" : "ok";

	json_object_set_new(doc, "v", json_integer(1));
	json_object_set_new(doc, "status", json_string(status));
	if (a->class != CLASS_NONE)
		json_object_set_new(doc, "class", json_string(class_names[a->class]));
	if (a->message[0] != '\0')
		json_object_set_new(doc, "message", json_string(a->message));
	if (a->retry_after_ms > 0)
		json_object_set_new(doc, "retry_after_ms",
		                    json_integer(a->retry_after_ms));
	if (a->describe != NULL)
		json_object_set(doc, "describe", a->describe);
	if (a->fields != NULL && a->class == CLASS_NONE)
		json_object_set(doc, "fields", a->fields);
	if (a->probed && a->class == CLASS_NONE) {
		probe = json_object();
		set_verdict(probe, "current", a->current);
		set_verdict(probe, "pending", a->pending);
		set_verdict(probe, "previous", a->previous);
		json_object_set_new(doc, "probe", probe);
	}
	return doc;
}

char *answer_text(const struct answer *a)
{
	json_t *doc = document(a);
	char *text = json_dumps(doc, JSON_COMPACT);

	json_decref(doc);
	if (text != NULL && strlen(text) >= REPLY_MAX) {
		answer_release(text);
		return NULL;
	}
	return text;
}

void answer_release(char *text)
{
	json_free_t release;

	json_get_alloc_funcs(NULL, &release);
	if (text != NULL)
		release(text);
}

void answer_free(struct answer *a)
{
	json_decref(a->describe);
	a->describe = NULL;
	json_decref(a->fields);
	a->fields = NULL;
}

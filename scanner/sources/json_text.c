/* SPDX-License-Identifier: Apache-2.0 */
#include "json_text.h"

#include <stdio.h>
#include <string.h>

json_t *json_text_load(struct work *w, const char *name, const void *p, size_t n)
{
	json_error_t why;
	json_t *v = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	work_beat(w);
	if (v == NULL)
		work_skip(w, name,
		          json_error_code(&why) == json_error_duplicate_key
		                  ? "it names a member twice: it is ambiguous"
		                  : "it is no JSON");
	return v;
}

void json_at_begin(struct json_at *at, struct work *w, const char *document)
{
	at->w = w;
	(void)snprintf(at->path, sizeof(at->path) - 1, "%s#", document);
	at->n = strlen(at->path);
}

/* RFC 6901: ~ is ~0 and / is ~1. */
size_t json_at_down(struct json_at *at, const char *key)
{
	size_t before = at->n;

	if (at->n + 2 < sizeof(at->path))
		at->path[at->n++] = '/';
	for (; *key != '\0' && at->n + 3 < sizeof(at->path); key++) {
		if (*key == '~' || *key == '/') {
			at->path[at->n++] = '~';
			at->path[at->n++] = *key == '~' ? '0' : '1';
		} else {
			at->path[at->n++] = *key;
		}
	}
	at->path[at->n] = '\0';
	return before;
}

size_t json_at_down_index(struct json_at *at, size_t i)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", i);
	return json_at_down(at, text);
}

void json_at_up(struct json_at *at, size_t n)
{
	at->n = n;
	at->path[n] = '\0';
}

static void pair(struct json_at *at, enum scan_channel channel, const char *key,
                 const json_t *value)
{
	work_begin(at->w, channel, at->path);
	work_feed(at->w, key, strlen(key));
	work_feed(at->w, "=", 1);
	work_feed(at->w, json_string_value(value), json_string_length(value));
	work_feed(at->w, "\n", 1);
	work_end(at->w);
}

static void words(struct json_at *at, enum scan_channel channel, const json_t *list)
{
	size_t i;
	json_t *word;

	work_begin(at->w, channel, at->path);
	json_array_foreach(list, i, word)
	{
		if (i > 0)
			work_feed(at->w, " ", 1);
		work_feed(at->w, json_string_value(word), json_string_length(word));
	}
	work_end(at->w);
}

static bool is_command(const char *key, const json_t *v)
{
	static const char *const names[] = { "Cmd",  "Command",    "Args",
		                             "Test", "Entrypoint", "Shell" };
	bool named = false;
	size_t i;
	json_t *word;

	for (i = 0; i < ARRAY_LEN(names); i++)
		named = named || strcmp(key, names[i]) == 0;
	json_array_foreach(v, i, word)
	{
		named = named && json_is_string(word);
	}
	return named && json_array_size(v) > 0;
}

void json_text_member(struct json_at *at, enum scan_channel channel, const char *key,
                      const json_t *v)
{
	if (json_is_string(v))
		pair(at, channel, key, v);
	else if (is_command(key, v))
		words(at, channel, v);
	else
		json_text_all(at, channel, v);
}

/* Depth is bounded by the parser's own. */
void json_text_all(struct json_at *at, enum scan_channel channel, const json_t *v)
{
	const char *key;
	json_t *member;
	size_t i, up;

	json_object_foreach((json_t *)(uintptr_t)v, key, member)
	{
		up = json_at_down(at, key);
		json_text_member(at, channel, key, member);
		json_at_up(at, up);
	}
	json_array_foreach(v, i, member)
	{
		up = json_at_down_index(at, i);
		json_text_all(at, channel, member);
		json_at_up(at, up);
	}
	if (json_is_string(v))
		work_text(at->w, channel, at->path, json_string_value(v),
		          json_string_length(v));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define LINE 4096

static enum log_level threshold = LOG_LEVEL_INFO;
static const char *program = "?";
static bool as_json;

static const char *const names[] = { "error", "warn", "info", "debug" };

void log_init(const char *name, bool json)
{
	program = name;
	as_json = json;
}

int log_set_level(const char *text)
{
	for (size_t i = 0; text != NULL && i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) == 0) {
			threshold = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

struct line {
	char buf[LINE];
	size_t n;
};

static void put(struct line *l, const char *s)
{
	size_t n = strlen(s), room = sizeof(l->buf) - l->n - 3;

	n = n < room ? n : room;
	memcpy(l->buf + l->n, s, n);
	l->n += n;
}

/* In quotes, with \u00XX for control bytes, quotes and (when the text is not UTF-8) all high bytes. */
static void put_quoted(struct line *l, const char *s)
{
	bool utf8 = text_utf8_ok(s, strlen(s));
	char one[8];

	put(l, "\"");
	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			snprintf(one, sizeof(one), "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f || (ch >= 0x80 && !utf8))
			snprintf(one, sizeof(one), "\\u%04x", ch);
		else
			snprintf(one, sizeof(one), "%c", ch);
		put(l, one);
	}
	put(l, "\"");
}

static void put_pair(struct line *l, const struct log_field *f)
{
	char num[24];

	put(l, as_json ? ",\"" : " ");
	put(l, f->key);
	put(l, as_json ? "\":" : "=");
	if (f->str != NULL) {
		put_quoted(l, f->str);
		return;
	}
	snprintf(num, sizeof(num), "%lld", (long long)f->num);
	put(l, num);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	struct line l = { .n = 0 };
	char when[CLOCK_RFC3339_MAX];

	if (level > threshold)
		return;
	clock_rfc3339(clock_wall(clock_system()), when);
	if (as_json) {
		put(&l, "{\"time\":\"");
		put(&l, when);
		put(&l, "\",\"level\":\"");
		put(&l, names[level]);
		put(&l, "\",\"program\":\"");
		put(&l, program);
		put(&l, "\",\"event\":");
		put_quoted(&l, event);
	} else {
		put(&l, when);
		put(&l, " ");
		put(&l, names[level]);
		put(&l, " ");
		put(&l, program);
		put(&l, ": ");
		put(&l, event);
	}
	for (size_t i = 0; i < n; i++)
		put_pair(&l, &fields[i]);
	if (as_json)
		l.buf[l.n++] = '}';
	l.buf[l.n++] = '\n';
	/* One write per line, so that lines of several processes do not mix.  A log that
	 * cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, l.buf, l.n) < 0)
		return;
}

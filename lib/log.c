/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"

#define LINE_MAX_BYTES 4096u
/* Room that text from outside leaves for quotes, and that those leave for the
 * line's end. */
#define QUOTE_ROOM (TAIL_ROOM + 8u)
#define TAIL_ROOM  32u

static struct {
	const char *name;
	bool json;
	enum log_level level;
} logger = { "vault", false, LOG_LEVEL_INFO };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
	bool cut;
};

void log_init(const char *name, bool json)
{
	logger.name = name;
	logger.json = json;
	logger.level = LOG_LEVEL_INFO;
}

int log_set_level(const char *text)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			logger.level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

/* All of ${s} or nothing: an escape is never cut in half. */
static bool put_within(struct line *l, const char *s, size_t n, size_t spare)
{
	if (l->n + n > sizeof(l->text) - spare) {
		l->cut = true;
		return false;
	}
	memcpy(l->text + l->n, s, n);
	l->n += n;
	return true;
}

static void put(struct line *l, const char *s, size_t n)
{
	(void)put_within(l, s, n, TAIL_ROOM);
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Bytes of the printable character at ${s}, 0 if it must be escaped. */
static size_t printable(const char *s, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++)
		if (text_printable(s, n))
			return n;
	return 0;
}

/* The same in both forms: \" \\ and \xNN; in JSON the backslash of \xNN is
 * escaped too. */
static size_t escape(const char *s, size_t n, char out[8])
{
	if (n == 0)
		return (size_t)snprintf(out, 8, "%s\\x%02x", logger.json ? "\\" : "",
		                        (unsigned)(unsigned char)*s);
	if (n == 1 && (*s == '"' || *s == '\\'))
		return (size_t)snprintf(out, 8, "\\%c", *s);
	memcpy(out, s, n);
	return n;
}

static void put_escaped(struct line *l, const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t n = printable(s, left);
		char out[8];

		if (!put_within(l, out, escape(s, n, out), QUOTE_ROOM))
			return;
		n = n > 0 ? n : 1;
		s += n;
		left -= n;
	}
}

static bool plain(const char *s)
{
	return *s != '\0' && s[strcspn(s, " \"\\=")] == '\0' &&
	       text_printable(s, strlen(s));
}

static void put_quoted(struct line *l, const char *s)
{
	put(l, "\"", 1);
	put_escaped(l, s);
	put(l, "\"", 1);
}

static void put_field(struct line *l, const struct log_field *f)
{
	size_t before = l->n;
	char number[24];

	put_str(l, logger.json ? ",\"" : " ");
	put_escaped(l, f->key);
	put_str(l, logger.json ? "\":" : "=");
	if (f->str == NULL) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)f->num);
		put_str(l, number);
	} else if (logger.json || !plain(f->str)) {
		put_quoted(l, f->str);
	} else {
		put_str(l, f->str);
	}
	if (l->cut)
		l->n = before; /* a field is there as a whole or not at all */
}

static void put_head(struct line *l, enum log_level level, const char *event)
{
	char when[CLOCK_RFC3339_MAX];

	clock_rfc3339(clock_wall(clock_system()), when);
	if (!logger.json) {
		put_str(l, when);
		put_str(l, " ");
		put_str(l, level_names[level]);
		put_str(l, " ");
		put_str(l, logger.name);
		put_str(l, ": ");
		put_escaped(l, event);
		return;
	}
	put_str(l, "{\"time\":");
	put_quoted(l, when);
	put_str(l, ",\"level\":");
	put_quoted(l, level_names[level]);
	put_str(l, ",\"name\":");
	put_quoted(l, logger.name);
	put_str(l, ",\"event\":");
	put_quoted(l, event);
}

/* One write, so that lines of several processes do not mix.  A log that cannot be written
 * has nobody to be reported to. */
static void emit(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t n)
{
	int saved = errno;
	struct line l;
	const char *tail;

	if (level > logger.level)
		return;
	l.n = 0;
	l.cut = false;
	put_head(&l, level, event);
	for (size_t i = 0; i < n && !l.cut; i++)
		put_field(&l, &fields[i]);
	tail = logger.json ? (l.cut ? ",\"cut\":true}\n" : "}\n")
	                   : (l.cut ? " cut=true\n" : "\n");
	memcpy(l.text + l.n, tail, strlen(tail));
	emit(l.text, l.n + strlen(tail));
	errno = saved;
}

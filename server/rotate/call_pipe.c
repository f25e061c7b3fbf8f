/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "call_impl.h"
#include "log.h"

#define LINE_MAX_LOGGED 2048u

void call_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool again(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

void call_write(struct call *k)
{
	while (k->proc.in >= 0 && k->in.len > 0) {
		ssize_t n = write(k->proc.in, k->in.p + k->in.start, k->in.len);

		if (again(n))
			return;
		/* It need not read what it is told. */
		buf_take(&k->in, n > 0 ? (size_t)n : k->in.len);
	}
	buf_free(&k->in);
	call_close(&k->proc.in);
}

/* One read; false when nothing is there for now, or for good. */
static bool take(int *fd, struct buf *b, size_t room)
{
	ssize_t n;

	if (*fd < 0 || room == 0 || !buf_reserve(b, room))
		return false;
	n = read(*fd, buf_tail(b), room);
	if (n > 0) {
		b->len += (size_t)n;
		return true;
	}
	if (!again(n))
		call_close(fd);
	return false;
}

void call_read(struct call *k)
{
	while (take(&k->proc.out, &k->out, k->out.max - k->out.len))
		continue;
	if (k->out.len <= LIMIT_STEP_REPLY)
		return;
	call_close(&k->proc.out);
	if (k->state != CALL_RUNNING)
		return;
	k->why = "its reply is too long";
	k->state = CALL_ENDING;
	k->kill_at_ms = INT64_MAX;
	call_kill(k);
}

static void log_line(struct call *k, char *line, size_t n)
{
	char text[LINE_MAX_LOGGED + 1];

	n = scrub_text(&k->scrub, line, n);
	if (n > LINE_MAX_LOGGED)
		n = LINE_MAX_LOGGED;
	memcpy(text, line, n);
	text[n] = '\0';
	if (n > 0)
		log_info("a rotator says", LOG_S("rotator", k->name), LOG_S("op", k->op),
		         LOG_S("attempt", k->attempt), LOG_S("line", text));
}

static void log_lines(struct call *k)
{
	char *p, *end;

	while (k->said.len > 0) {
		p = (char *)k->said.p + k->said.start;
		end = memchr(p, '\n', k->said.len);
		if (end == NULL)
			return;
		log_line(k, p, (size_t)(end - p));
		buf_take(&k->said, (size_t)(end - p) + 1);
	}
}

/* What is beyond the limit is read, so that nobody waits for us, and thrown away. */
static bool discard(struct call *k)
{
	char nothing[4096];
	ssize_t n = k->proc.err >= 0 ? read(k->proc.err, nothing, sizeof(nothing)) : -1;

	if (n > 0) {
		/* A line that was cut may end within a value: it is not logged. */
		buf_free(&k->said);
		k->cut = true;
		return true;
	}
	if (k->proc.err >= 0 && !again(n))
		call_close(&k->proc.err);
	return false;
}

void call_listen(struct call *k)
{
	for (int turns = 0; turns < 64; turns++) {
		size_t before = k->said.len;

		if (k->logged >= LIMIT_STEP_LOG) {
			if (!discard(k))
				return;
			continue;
		}
		if (!take(&k->proc.err, &k->said, LIMIT_STEP_LOG - k->logged))
			return;
		k->logged += k->said.len - before;
		log_lines(k);
	}
}

void call_last_words(struct call *k)
{
	if (k->said.len > 0)
		log_line(k, (char *)k->said.p + k->said.start, k->said.len);
	buf_free(&k->said);
	if (k->cut)
		log_warn("a rotator says more than is logged", LOG_S("rotator", k->name),
		         LOG_N("logged", LIMIT_STEP_LOG));
}

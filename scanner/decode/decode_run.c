/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_run - runs of base64 and hexadecimal.
 *
 * Nearly all runs are words, digests or keys, whose bytes are no text.  So the first few
 * bytes are looked at; only of long runs everything is decoded and searched for stretches
 * of text.
 */
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <string.h>

#include "decode/decode_impl.h"
#include "decode/transcode.h"

#define RUN_LONG      64u   /* characters from which on text is looked for within */
#define STRETCH_MIN   9u    /* bytes of text at the beginning of what was decoded … */
#define WITHIN_MIN    20u   /* … and after other bytes */
#define WHOLE         20u   /* characters below which base64 is whole quads */
#define WRAP_MAX      1024u /* characters of a line of base64 that others follow */
#define NAMED_LONGEST 512u  /* bytes of text that needs its name */
#define STARTS_MAX    4u    /* places in a run where base64 is tried */
#define OVERLAP       1024u
#define SEARCHED      512u /* characters of a run that is tried at one place only */

/* A run, and the lines that continue it. */
struct run {
	size_t at, end; /* in the text; padding included */
	size_t pads;
};

static bool texty(unsigned char c)
{
	return (c >= ' ' && c != 0x7f) || (c >= '\t' && c <= '\r') || c == 0x1b;
}

/* Bytes of text that ${p} begins with: printable ASCII, and UTF-8. */
static size_t stretch(const unsigned char *p, size_t n)
{
	size_t i = 0, more;

	while (i < n && texty(p[i])) {
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		more = p[i] >= 0xf0 ? 3 : p[i] >= 0xe0 ? 2 : p[i] >= 0xc2 ? 1 : 0;
		if (more == 0 || p[i] > 0xf4)
			return i;
		for (size_t k = 1; k <= more; k++)
			if (i + k < n && (p[i + k] & 0xc0) != 0x80)
				return i;
		i += more + 1;
	}
	return i < n ? i : n;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(const unsigned char *p, size_t n, unsigned char *out)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		int high = hex_digit(p[i]), low = hex_digit(p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* --- what was decoded -----------------------------------------------------------------
 */

static bool quote(unsigned char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool name_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_' || c == '-' || c == '.';
}

/* What a run is the value of, if it says so: name and '=' or ':'. */
struct name {
	size_t at, end;
};

static size_t back_over_name(const struct search *s, size_t i, size_t least)
{
	while (i > least && name_byte(s->p[i - 1]))
		i--;
	return i;
}

/* Back over quotes, blanks and a call that decodes it: name = b64decode("…. */
static size_t back_to_assignment(const struct search *s, size_t i, size_t least)
{
	for (unsigned calls = 0; i > least; i--) {
		unsigned char c = s->p[i - 1];

		if (c == '(' && calls < 2) {
			calls++;
			i = back_over_name(s, i - 1, least) + 1;
		} else if (!quote(c) && c != ' ' && c != '\t' && c != '\\') {
			break;
		}
	}
	return i;
}

static struct name name_of(const struct search *s, size_t at)
{
	const size_t least = at > DECODE_NAME ? at - DECODE_NAME : 0;
	const size_t end = back_to_assignment(s, at, least);
	size_t i = end;

	if (i == least || (s->p[i - 1] != '=' && s->p[i - 1] != ':'))
		return (struct name){ at, at };
	while (i > least && (s->p[i - 1] == '=' || s->p[i - 1] == ':' ||
	                     s->p[i - 1] == ' ' || quote(s->p[i - 1])))
		i--;
	i = back_over_name(s, i, least);
	return (struct name){ i, end };
}

static void append(struct made *m, const void *p, size_t n)
{
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void begin_span(struct made *m, size_t at, size_t len)
{
	m->spans[m->spans_n++] = (struct decode_span){ m->n, at, len };
}

/* One stretch of text.  A short one gets its name, which says what it is. */
static void tell_text(struct search *s, const struct run *r, const unsigned char *p,
                      size_t n, const char *how)
{
	const char *mark = memchr(p, '"', n) == NULL ? "\"" : "'";
	struct made *m = &s->level->run;
	struct name name = { 0, 0 };

	if (!decode_afford(s, n))
		return;
	if (memchr(p, '\n', n) == NULL && n <= NAMED_LONGEST)
		name = name_of(s, r->at);
	if (name.at < name.end) {
		begin_span(m, name.at, name.end - name.at);
		append(m, s->p + name.at, name.end - name.at);
	}
	begin_span(m, r->at, r->end - r->at);
	if (name.at < name.end)
		append(m, mark, 1);
	append(m, p, n);
	if (name.at < name.end)
		append(m, mark, 1);
	decode_tell(s, m, how);
}

static bool zipped(const unsigned char *p, size_t n)
{
	return n > 12 &&
	       ((p[0] == 0x1f && p[1] == 0x8b && p[2] == 8) ||
	        (p[0] == 0x78 && (p[1] == 0x01 || p[1] == 0x9c || p[1] == 0xda)));
}

static void tell_bytes(struct search *s, const struct run *r, const unsigned char *p,
                       size_t n, const char *how);

/* In pieces that overlap, until the budget is used up: what is left of the input counts
 * as skipped then. */
static void tell_zipped(struct search *s, const struct run *r, const unsigned char *p,
                        size_t n, const char *how)
{
	struct inflate_state state;
	unsigned char *out = s->level->unzipped;
	const uint64_t skipped = s->d->skipped;
	char name[DECODE_HOW];
	size_t kept = 0;
	bool more;
	int rc;

	isal_inflate_init(&state);
	state.crc_flag = p[0] == 0x1f ? ISAL_GZIP : ISAL_ZLIB;
	state.next_in = (uint8_t *)(uintptr_t)p;
	state.avail_in = (uint32_t)n;
	snprintf(name, sizeof(name), "%s>%s", how, p[0] == 0x1f ? "gzip" : "zlib");
	do {
		state.next_out = out + kept;
		state.avail_out = (uint32_t)(DECODE_PIECE - kept);
		rc = isal_inflate(&state);
		if (rc < 0 && rc != ISAL_INCORRECT_CHECKSUM)
			return;
		tell_bytes(s, r, out, DECODE_PIECE - state.avail_out, name);
		more = state.avail_out == 0 && state.block_state != ISAL_BLOCK_FINISH;
		kept = OVERLAP;
		memmove(out, out + DECODE_PIECE - kept, kept);
	} while (more && s->d->skipped == skipped);
	if (more)
		s->d->skipped += state.avail_in;
}

static bool tell_wide(struct search *s, const struct run *r, const unsigned char *p,
                      size_t n, const char *how)
{
	struct transcode t = { .form = transcode_detect(p, n) };
	char name[DECODE_HOW];
	size_t used;

	if (t.form == TRANSCODE_NONE || n > DECODE_PIECE / 2)
		return false;
	used = transcode_run(&t, p, n, s->level->unwide);
	snprintf(name, sizeof(name), "%s>%s", how, transcode_name(t.form));
	if (stretch(s->level->unwide, used) == used)
		tell_text(s, r, s->level->unwide, used, name);
	return true;
}

/* After the last of WITHIN_MIN bytes that no text has; 0: all of them may be of one. */
static size_t after_no_text(const unsigned char *p)
{
	/* Controls, and what is not in UTF-8, a bit each. */
	static const uint64_t none[] = { 0xf7ffc1ff, UINT64_C(1) << 63, 0,
		                         UINT64_C(0xffe0000000000003) };
	size_t i = WITHIN_MIN;

	while (i > 0 && (none[p[i - 1] / 64] >> p[i - 1] % 64 & 1) == 0)
		i--;
	return i;
}

static void tell_bytes(struct search *s, const struct run *r, const unsigned char *p,
                       size_t n, const char *how)
{
	size_t at = 0, some = stretch(p, n);

	if (some >= STRETCH_MIN)
		tell_text(s, r, p, some, how);
	else if (zipped(p, n) && p != s->level->unzipped) {
		tell_zipped(s, r, p, n, how);
		return;
	} else if (tell_wide(s, r, p, n, how)) {
		return;
	}
	for (at = some + 1; at + WITHIN_MIN < n;) {
		const size_t skip = after_no_text(p + at);

		at += skip;
		if (skip > 0)
			continue;
		some = stretch(p + at, n - at);
		if (some >= WITHIN_MIN)
			tell_text(s, r, p + at, some, how);
		at += some + 1;
	}
}

/* --- is it worth it? ------------------------------------------------------------------
 */

/* Do the first bytes look like those of text, or of something that may hold text? */
static bool promising(const unsigned char *p, size_t n)
{
	size_t some = n < 12 ? n : 12;

	return stretch(p, some) == some || zipped(p, n) ||
	       (n >= 16 && transcode_detect(p, 16) != TRANSCODE_NONE);
}

/* What is short is nothing that was cut off. */
static bool whole(size_t n, size_t pads)
{
	return n >= WHOLE || (n + pads) % 4 == 0;
}

/* Text that is base64 of a word's letters is rare, but of all letters it is not. */
static bool try_base64(struct search *s, const struct run *r, const unsigned char *p,
                       size_t n)
{
	unsigned char head[18];
	size_t some;

	if (n < RUN_LONG &&
	    (!whole(n, r->pads) || !decode_begins_text(&s->d->tables.long_text, p)))
		return false;
	if (n % 4 == 1)
		n--;
	some = decode_base64(p, n < 24 ? n : 24, head);
	if (!promising(head, some) && n < RUN_LONG)
		return false;
	if (n > DECODE_PIECE / 3 * 4)
		n = DECODE_PIECE / 3 * 4;
	some = decode_base64(p, n, s->level->bytes);
	tell_bytes(s, r, s->level->bytes, some, "base64");
	return n >= SEARCHED || promising(s->level->bytes, some);
}

static bool try_hex(struct search *s, const struct run *r, const unsigned char *p,
                    size_t n)
{
	if (n >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
		p += 2;
		n -= 2;
	}
	if (n < DECODE_HEX_MIN || n % 2 != 0 || !unhex(p, 16, s->level->bytes))
		return false;
	if (n > (size_t)2 * DECODE_PIECE)
		n = (size_t)2 * DECODE_PIECE;
	if (!unhex(p, n, s->level->bytes))
		return false;
	if (promising(s->level->bytes, n / 2))
		tell_bytes(s, r, s->level->bytes, n / 2, "hex");
	return true;
}

/* Where base64 may begin after ${at}: what is glued to it by a sign may be something
 * else.
 */
static size_t next_start(const unsigned char *p, size_t n, size_t at)
{
	while (at < n && p[at] != '/' && p[at] != '-' && p[at] != '_' && p[at] != '+')
		at++;
	return at + (at < n);
}

/* What is glued to the front of a run by '/' or '-' may be something else. */
static void try_run(struct search *s, const struct run *r, const unsigned char *p,
                    size_t n)
{
	size_t at = 0;

	if (memcmp(p, p + 1, 8) == 0 && n < RUN_LONG)
		return; /* a line of dashes */
	if (try_hex(s, r, p, n))
		return;
	for (unsigned i = 0; i < STARTS_MAX && n - at >= DECODE_RUN_MIN; i++) {
		if (try_base64(s, r, p + at, n - at))
			return;
		at = next_start(p, n, at);
	}
}

static size_t pads_at(const struct search *s, size_t at)
{
	size_t pads = 0;

	while (pads < 2 && at + pads < s->n && s->p[at + pads] == '=')
		pads++;
	return pads;
}

/* All but the first two, which may be "0x", and not much more than a word may have. */
static bool may_be_hex(const unsigned char *p)
{
	for (unsigned i = 2; i < 16; i++)
		if (hex_digit(p[i]) < 0)
			return false;
	return true;
}

bool decode_may_hold(const struct search *s, size_t at, size_t n)
{
	const unsigned char *p = s->p + at;
	const size_t pads = pads_at(s, at + n);
	size_t i = 0;

	if (n >= DECODE_WRAP_MIN || (n >= DECODE_HEX_MIN && may_be_hex(p)))
		return true;
	for (unsigned k = 0; k < STARTS_MAX && n - i >= DECODE_RUN_MIN; k++) {
		if (whole(n - i, pads) &&
		    decode_begins_text(&s->d->tables.long_text, p + i))
			return true;
		i = next_start(p, n, i);
	}
	return false;
}

/* --- the run itself -------------------------------------------------------------------
 */

/* Skips a line end and the blanks or comment signs before the next run. */
static size_t next_line(const struct search *s, size_t i)
{
	size_t from = i;

	i += i < s->n && s->p[i] == '\r';
	if (i == s->n || s->p[i] != '\n')
		return from;
	for (i++;
	     i < s->n && i - from < 64 &&
	     (s->p[i] == ' ' || s->p[i] == '\t' || s->p[i] == '#' || s->p[i] == '*');)
		i++;
	return i;
}

/* Does a run that ends at ${i} end its line? */
static bool ends_line(const struct search *s, size_t i)
{
	for (unsigned pads = 0; pads < 2 && i < s->n && s->p[i] == '='; pads++)
		i++;
	return i == s->n || s->p[i] == '\n' || s->p[i] == '\r' || quote(s->p[i]) ||
	       s->p[i] == '<' || s->p[i] == ' ';
}

/* Joins the lines of a run that is broken into lines of equal length; bytes of it. */
static size_t unwrap(const struct search *s, struct run *r, unsigned char *out,
                     size_t room)
{
	size_t width = r->end - r->at, n = width, next, some = width;

	memcpy(out, s->p + r->at, width);
	while (some == width && (next = next_line(s, r->end)) != r->end) {
		some = decode_run_length(s->p + next, s->n - next);
		if (some == 0 || some > width || n + some > room ||
		    !ends_line(s, next + some))
			break;
		memcpy(out + n, s->p + next, some);
		n += some;
		r->end = next + some;
	}
	return n;
}

size_t decode_run(struct search *s, size_t at, size_t end)
{
	const size_t room = DECODE_PIECE / 3 * 4;
	const unsigned char *p = s->p + at;
	struct run r = { at, end, 0 };
	size_t n = end - at, on;
	bool done = at < s->run_done;

	if (n >= DECODE_WRAP_MIN && n < WRAP_MAX && next_line(s, end) != end) {
		n = unwrap(s, &r, s->level->joined, room);
		p = s->level->joined;
	}
	if (!s->last && s->n - r.end < WRAP_MAX &&
	    s->n - at <= DECODE_KEEP - DECODE_NAME) {
		decode_hold(s, at > DECODE_NAME ? at - DECODE_NAME : 0);
		return r.end;
	}
	r.pads = pads_at(s, r.end);
	r.end += r.pads;
	on = r.end;
	if (n > room || (!s->last && end == s->n)) {
		/* A piece of it; the rest is another, of the same alignment. */
		n = (n < room ? n : room) & ~(size_t)3;
		r.end = at + n;
		on = r.end - OVERLAP;
	}
	s->run_done = done ? s->run_done : at + 1;
	if (!done)
		try_run(s, &r, p, n);
	return on;
}

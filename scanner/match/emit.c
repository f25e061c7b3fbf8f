/* SPDX-License-Identifier: Apache-2.0 */
/* emit - the better of candidates that overlap, and what is told of them. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

#define BEFORE 64u /* bytes of the line that an excerpt shows */
#define AFTER  32u
#define SHOWN  4u  /* of a secret at its beginning and end */
#define LONG   20u /* secrets of which anything is shown */
#define CUT    64u /* bytes that every rule lets a value have that nothing ends */
#define CODED  14u /* bytes of a run that may be encoded, as decode has it */
#define REST   ((size_t)512) /* looked at, of a value that was cut */

size_t count_lines(const unsigned char *p, size_t n)
{
	size_t lines = 0, i = 0;
	uint8_t some;

	/* Blocks of less than 256, so that a byte counts them, 16 at a time. */
	for (; i + 240 <= n; i += 240) {
		some = 0;
		for (size_t k = 0; k < 240; k++)
			some = (uint8_t)(some + (p[i + k] == '\n'));
		lines += some;
	}
	for (; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

static int by_place(const void *x, const void *y)
{
	const struct found *a = x, *b = y;

	return a->at != b->at ? (a->at < b->at ? -1 : 1) : (a->n > b->n) - (a->n < b->n);
}

/* What is told when two say something of the same bytes. */
static int rank(const struct found *f)
{
	if (f->rule == NULL)
		return 100;
	return (int)f->verdict.confidence * 10 +
	       (f->verdict.validity == VALIDITY_VALID ? 5 : 0);
}

/* What has the shape of a token and a wrong checksum is no other secret either. */
static void lookalike(const struct found *a, struct found *b)
{
	if (a->verdict.drop == DROP_LOOKALIKE && b->verdict.drop == DROP_NONE &&
	    b->rule != NULL && b->rule->charset == CHARSET_NONE)
		b->verdict.drop = DROP_LOOKALIKE;
}

static void settle(struct founds *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = i + 1; k < f->n && f->v[k].at < f->v[i].at + f->v[i].n;
		     k++) {
			struct found *a = &f->v[i], *b = &f->v[k];

			lookalike(a, b);
			lookalike(b, a);
			if (a->verdict.drop != DROP_NONE ||
			    b->verdict.drop != DROP_NONE ||
			    (a->rule == NULL && b->rule == NULL))
				continue;
			(rank(b) > rank(a) ? a : b)->verdict.drop = DROP_OVERLAP;
		}
}

static bool holds(const struct found *outer, const struct found *f)
{
	return outer->at <= f->at && f->at + f->n <= outer->at + outer->n;
}

/* A value of the vault is one wherever it stands. */
static void allow(struct scan_stream *s)
{
	for (size_t i = 0; i < s->founds.n; i++)
		for (size_t k = 0; k < s->allowed.n; k++)
			if (s->founds.v[i].verdict.drop == DROP_NONE &&
			    s->founds.v[i].rule != NULL &&
			    holds(&s->allowed.v[k], &s->founds.v[i]))
				s->founds.v[i].verdict.drop = DROP_ALLOW_RULE;
}

static void fingerprint(const struct scan_stream *s, const struct found *f,
                        const unsigned char *value, unsigned char *out)
{
	crypto_generichash_state st;
	const char *id = f->rule != NULL ? f->rule->id : "known";

	crypto_generichash_init(&st, s->options.key, sizeof(s->options.key),
	                        FINDING_FINGERPRINT);
	crypto_generichash_update(&st, (const unsigned char *)id, strlen(id) + 1);
	crypto_generichash_update(&st, value, f->n);
	crypto_generichash_final(&st, out, FINDING_FINGERPRINT);
}

/* Where what ${f} is a part of ends.  A value that its rule cut at a maximum goes on
 * until something that no value has; one that is not as long ends before a host, too. */
static size_t whole_end(const struct text *t, const struct found *f)
{
	const size_t from = f->at + f->n;
	const size_t end = t->n - from < REST ? t->n : from + REST;
	size_t at = from;

	if (at < end && f->n < CUT && t->p[at] == '@')
		return at;
	while (at < end && t->p[at] > ' ' && strchr("\"'`,;)]}<", t->p[at]) == NULL)
		at++;
	return at;
}

/* Of one's own secret, the ends are shown if it is long; not one that is cut. */
static bool own_end(const struct found *f, size_t at)
{
	if (f->n < LONG || f->rule == NULL || f->rule->collect_pem || at >= f->at + f->n)
		return false;
	return at < f->at + SHOWN ||
	       (at >= f->at + f->n - SHOWN && f->whole_end == f->at + f->n);
}

/* May byte ${at} of the text be shown?  ${f}: whose excerpt it is. */
static bool hidden(const struct scan_stream *s, const struct found *f, size_t at)
{
	const struct found *v = s->founds.v, *end = v + s->founds.n;

	/* Neighbours are near in the list, too. */
	for (const struct found *o = f - (f - v < 32 ? f - v : 32); o < end && o < f + 32;
	     o++)
		if (at >= o->at && at < o->whole_end && !(o == f && own_end(f, at)))
			return true;
	return false;
}

/* Can the run be base64 or hexadecimal?  If enough of it mix letters and digits, with no
 * '/' among them: the parts of paths are short. */
static bool may_be_coded(const unsigned char *p, size_t n)
{
	size_t digits = 0, from = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '/') {
			digits = 0;
			from = i + 1;
		}
		digits += p[i] >= '0' && p[i] <= '9';
		if (i + 1 - from >= CODED && digits > 0 && digits < i + 1 - from)
			return true;
	}
	return false;
}

/* The end of the run of base64's alphabet that byte ${at} is of, or else of the byte;
 * what
 * ${f} covers is apart.  ${coded}: what it holds only decoding knows, so that it is
 * hidden beside others. */
static size_t run_end(const struct text *t, const struct found *f, size_t at, bool *coded)
{
	const size_t low = at < f->at ? 0 : f->at + f->n;
	const size_t high = at < f->at ? f->at : t->n;
	size_t from = at, to = at;

	*coded = false;
	if (at >= f->at && at < low)
		return low;
	while (to < high && to - at < REST && charset_has(CHARSET_BASE64, t->p[to]))
		to++;
	if (to == at)
		return at + 1;
	while (from > low && at - from < REST &&
	       charset_has(CHARSET_BASE64, t->p[from - 1]))
		from--;
	*coded = may_be_coded(t->p + from, to - from);
	while (*coded && to < high && t->p[to] == '=')
		to++;
	return to;
}

static void excerpt(const struct scan_stream *s, const struct text *t,
                    const struct found *f, char *out)
{
	size_t from = f->at > BEFORE ? f->at - BEFORE : 0, to, n = 0, run = 0;
	bool stars = false, coded = false;

	for (size_t i = from; i < f->at; i++)
		if (t->p[i] == '\n' || t->p[i] == '\r')
			from = i + 1;
	to = f->at + f->n;
	for (unsigned i = 0;
	     i < AFTER && to < t->n && t->p[to] != '\n' && t->p[to] != '\r'; i++)
		to++;
	for (size_t i = from; i < to && n + 5 < FINDING_EXCERPT; i++) {
		if (i >= run)
			run = run_end(t, f, i, &coded);
		if (coded || hidden(s, f, i)) {
			if (!stars) {
				memcpy(out + n, "****", 4);
				n += 4;
			}
			stars = true;
			continue;
		}
		stars = false;
		out[n++] = t->p[i] >= 0x20 && t->p[i] < 0x7f ? (char)t->p[i] : '.';
	}
	out[n] = '\0';
}

/* Where it is in the blob: of what was decoded, where that stands. */
static void place(const struct text *t, size_t at, uint64_t line, struct finding *out)
{
	const unsigned char *nl;

	if (t->decoded != NULL) {
		at = decode_origin(t->decoded, at)->at;
		t = t->in;
		line = t->line + count_lines(t->p, at);
	}
	nl = at > 0 ? memrchr(t->p, '\n', at) : NULL;
	out->offset = t->offset + at;
	out->line = line;
	out->column = at - (nl != NULL ? (size_t)(nl - t->p) + 1 : 0) + 1;
}

static void tell(struct scan_stream *s, const struct text *t, const struct found *f,
                 uint64_t line)
{
	const unsigned char *value = t->p + f->at;
	struct finding out = {
		.rule = f->rule,
		.blob = s->blob,
		.confidence = f->verdict.confidence,
		.severity = f->verdict.severity,
		.validity = f->verdict.validity,
		.drop = f->verdict.drop,
		.known = f->known,
		.known_current = f->current,
	};

	place(t, f->at, line, &out);
	if (t->decoded != NULL)
		snprintf(out.decoded, sizeof(out.decoded), "%s", t->decoded->how);
	excerpt(s, t, f, out.excerpt);
	fingerprint(s, f, value, out.fingerprint);
	if (s->options.reveal) {
		out.secret = (const char *)value;
		out.secret_n = (uint32_t)(f->n < FINDING_SECRET ? f->n : FINDING_SECRET);
	}
	s->sink(s->ctx, &out);
}

void emit_zone(struct scan_stream *s, const struct text *t)
{
	uint64_t line = t->line;
	size_t at = 0;

	if (s->founds.n > 0) {
		qsort(s->founds.v, s->founds.n, sizeof(*s->founds.v), by_place);
		allow(s);
		settle(&s->founds);
		told_before(s, t);
	}
	for (size_t i = 0; i < s->founds.n; i++)
		s->founds.v[i].whole_end = whole_end(t, &s->founds.v[i]);
	for (size_t i = 0; i < s->founds.n; i++) {
		const struct found *f = &s->founds.v[i];

		if (f->verdict.drop != DROP_NONE && !s->options.filtered) {
			s->dropped++;
			continue;
		}
		line += count_lines(t->p + at, f->at - at);
		at = f->at;
		tell(s, t, f, line);
	}
	s->founds.n = s->allowed.n = 0;
}

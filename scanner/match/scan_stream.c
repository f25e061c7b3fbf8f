/* SPDX-License-Identifier: Apache-2.0 */
/* scan_stream - the buffer that slides over a blob. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "known/known.h"
#include "match/names.h"
#include "match/stream_impl.h"

#define STACK_MAX   ((size_t)256 * 1024)
#define MATCH_LIMIT 200000u
#define HEAP_KIB    4096u
#define GROUPS      32u
_Static_assert(STREAM_BEHIND >= KNOWN_BEHIND, "where a known value begins is kept");

static bool make_pcre(struct scan_stream *s)
{
	s->re = calloc(s->g->rules->n + 1, sizeof(*s->re));
	s->md = pcre2_match_data_create(GROUPS, NULL);
	s->limits = pcre2_match_context_create(NULL);
	s->stack = pcre2_jit_stack_create(32 * 1024, STACK_MAX, NULL);
	if (s->re == NULL || s->md == NULL || s->limits == NULL || s->stack == NULL)
		return false;
	pcre2_set_match_limit(s->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(s->limits, HEAP_KIB);
	pcre2_jit_stack_assign(s->limits, NULL, s->stack);
	return true;
}

static bool make_off(struct scan_stream *s)
{
	const struct rule_set *rules = s->g->rules;

	s->off = calloc(rules->n + 1, 1);
	s->off_binary = calloc(rules->n + 1, 1);
	s->names = names_new(rules);
	if (s->off == NULL || s->off_binary == NULL || s->names == NULL)
		return false;
	for (unsigned i = 0; i < rules->n; i++) {
		const struct rule *u = &rules->at[i];

		s->off_binary[i] = u->confidence != CONFIDENCE_HIGH && !u->allow;
	}
	return true;
}

struct scan_stream *scan_stream_new(const struct scan_engine *g,
                                    const struct scan_options *options, scan_sink sink,
                                    void *ctx)
{
	struct scan_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->g = g;
	s->options = *options;
	s->sink = sink;
	s->ctx = ctx;
	s->buf = malloc(STREAM_BUFFER);
	for (unsigned k = 0; k < SPOT_KINDS; k++)
		if ((s->scratch[k] = literals_scratch_new(g->anchors[k])) == NULL)
			s->failed = true;
	s->trigger_scratch = literals_scratch_new(g->trigger_literals);
	s->spots = spots_new();
	s->gathered = calloc(1, sizeof(*s->gathered));
	s->decoder = decoder_new();
	s->progress.of = calloc(g->rules->n + 1, sizeof(*s->progress.of));
	s->in_decoded.of = calloc(g->rules->n + 1, sizeof(*s->in_decoded.of));
	if (s->buf == NULL || s->failed || s->trigger_scratch == NULL ||
	    s->spots == NULL || s->gathered == NULL || s->decoder == NULL ||
	    s->progress.of == NULL || s->in_decoded.of == NULL || !make_off(s) ||
	    !make_pcre(s)) {
		scan_stream_free(s);
		return NULL;
	}
	return s;
}

void scan_stream_free(struct scan_stream *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; s->re != NULL && i < s->g->rules->n; i++)
		pcre2_code_free(s->re[i].code);
	free(s->re);
	pcre2_match_data_free(s->md);
	pcre2_match_context_free(s->limits);
	pcre2_jit_stack_free(s->stack);
	for (unsigned k = 0; k < SPOT_KINDS; k++)
		literals_scratch_free(s->scratch[k]);
	for (unsigned k = 0; k < ANCHOR_KINDS; k++)
		free(s->hits[k].v);
	literals_scratch_free(s->trigger_scratch);
	spots_free(s->spots);
	if (s->gathered != NULL)
		sodium_memzero(s->gathered, sizeof(*s->gathered));
	free(s->gathered);
	decoder_free(s->decoder);
	if (s->buf != NULL)
		sodium_memzero(s->buf, STREAM_BUFFER);
	free(s->buf);
	free(s->off);
	free(s->off_binary);
	names_free(s->names);
	free(s->progress.of);
	free(s->in_decoded.of);
	free(s->founds.v);
	free(s->allowed.v);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

int scan_stream_begin(struct scan_stream *s, const struct blob *b)
{
	s->blob = b;
	s->whole = NULL;
	s->n = s->n_head = s->from = s->known_from = 0;
	s->decode_from = s->wide_from = 0;
	s->offset = s->searched_bytes = s->dropped = 0;
	s->costly = NULL;
	s->line = 1;
	s->started = s->binary = s->failed = false;
	s->wide = (struct transcode){ .form = TRANSCODE_NONE };
	decoder_begin(s->decoder);
	s->founds.n = s->allowed.n = s->told_n = 0;
	s->progress.round++;
	return ERR_OK;
}

/* --- what kind of blob it is ----------------------------------------------------------
 */

static void start(struct scan_stream *s, const unsigned char *p, size_t look)
{
	s->started = true;
	s->wide.form = transcode_detect(p, look);
	s->binary = s->wide.form == TRANSCODE_NONE && !s->blob->binary_ok &&
	            memchr(p, '\0', look) != NULL;
	if (s->binary)
		memcpy(s->off, s->off_binary, s->g->rules->n);
	else
		memset(s->off, 0, s->g->rules->n);
	names_turn_off(s->names, s->blob->path, s->off);
}

/* --- zones ----------------------------------------------------------------------------
 */

static void known_hit(void *ctx, const struct known_hit *h)
{
	struct scan_stream *s = ctx;
	struct found f = {
		.at = h->at,
		.n = h->len,
		.known = h->id,
		.current = h->current,
		.verdict = {.confidence = CONFIDENCE_HIGH,
                            .severity = h->current ? SEVERITY_CRITICAL : SEVERITY_LOW,
                            .validity = VALIDITY_VALID},
	};

	s->failed |= founds_add(&s->founds, &f) != 0;
}

static void scan_text(struct scan_stream *s, const struct text *t)
{
	confirm_zone(s, t);
	emit_zone(s, t);
}

struct decoding {
	struct scan_stream *s;
	const struct text *in;
};

static void decoded(void *ctx, const struct decoded *d)
{
	const struct decoding *g = ctx;
	struct text t = {
		.p = d->p,
		.n = d->n,
		.to = d->n,
		.last = true,
		.progress = {g->s->in_decoded.of, ++g->s->in_decoded.round},
		.decoded = d,
		.in = g->in,
	};

	if (g->s->options.known != NULL)
		known_scan(g->s->options.known, d->p, d->n, 0, true, known_hit, g->s);
	scan_text(g->s, &t);
}

static void zone(struct scan_stream *s, bool last)
{
	struct text t = {
		.p = s->whole != NULL ? s->whole : s->buf,
		.n = s->n,
		.from = s->from,
		.to = last ? s->n : s->n - STREAM_AHEAD,
		.last = last,
		.offset = s->offset,
		.line = s->line,
		.progress = s->progress,
	};
	struct decoding g = { s, &t };
	const size_t usual = t.to > STREAM_BEHIND ? t.to - STREAM_BEHIND : 0;
	size_t keep = t.to, lines;

	if (s->options.known != NULL) {
		s->known_from = known_scan(s->options.known, t.p, t.n, s->known_from,
		                           last, known_hit, s);
		keep = keep < s->known_from ? keep : s->known_from;
	}
	scan_text(s, &t);
	lines = spots_lines(s->spots, &t, usual);
	s->decode_from = decode_find(s->decoder, t.p, t.n, s->decode_from, last, decoded,
	                             &g);
	keep = keep < s->decode_from ? keep : s->decode_from;
	if (s->binary) {
		s->wide_from = decode_wide(s->decoder, t.p, t.n, s->wide_from, last,
		                           decoded, &g);
		keep = keep < s->wide_from ? keep : s->wide_from;
	}
	if (last)
		return;
	s->from = t.to;
	/* Known values and encodings may go on from a place before the zone's end. */
	keep = keep > STREAM_BEHIND ? keep - STREAM_BEHIND : 0;
	s->line += keep == usual ? lines : count_lines(s->buf, keep);
	memmove(s->buf, s->buf + keep, s->n - keep);
	s->offset += keep;
	s->n -= keep;
	s->from -= keep;
	s->known_from -= keep < s->known_from ? keep : s->known_from;
	s->decode_from -= keep < s->decode_from ? keep : s->decode_from;
	s->wide_from -= keep < s->wide_from ? keep : s->wide_from;
}

static void put(struct scan_stream *s, const unsigned char *p, size_t n)
{
	size_t some;

	while (n > 0) {
		if (s->n == STREAM_BUFFER)
			zone(s, false);
		some = STREAM_BUFFER - s->n < n ? STREAM_BUFFER - s->n : n;
		memcpy(s->buf + s->n, p, some);
		s->n += some;
		p += some;
		n -= some;
	}
}

/* UTF-16 is scanned as UTF-8. */
static void put_wide(struct scan_stream *s, const unsigned char *p, size_t n)
{
	unsigned char out[TRANSCODE_ROOM(1024)];
	size_t some;

	while (n > 0) {
		some = n < 1024 ? n : 1024;
		put(s, out, transcode_run(&s->wide, p, some, out));
		p += some;
		n -= some;
	}
}

static void take(struct scan_stream *s, const unsigned char *p, size_t n)
{
	if (s->wide.form == TRANSCODE_NONE)
		put(s, p, n);
	else
		put_wide(s, p, n);
}

static void begin_text(struct scan_stream *s)
{
	start(s, s->head, s->n_head);
	take(s, s->head, s->n_head);
}

int scan_stream_feed(struct scan_stream *s, const unsigned char *p, size_t n)
{
	size_t some = 0;

	if (!s->started) {
		some = STREAM_HEAD - s->n_head < n ? STREAM_HEAD - s->n_head : n;
		memcpy(s->head + s->n_head, p, some);
		s->n_head += some;
		if (s->n_head == STREAM_HEAD)
			begin_text(s);
	}
	if (n > some)
		take(s, p + some, n - some);
	return s->failed ? ERR_NOMEM : ERR_OK;
}

int scan_stream_whole(struct scan_stream *s, const unsigned char *p, size_t n)
{
	if (s->started || s->n_head > 0 || n > STREAM_BUFFER)
		return scan_stream_feed(s, p, n);
	start(s, p, n < STREAM_HEAD ? n : STREAM_HEAD);
	if (s->wide.form != TRANSCODE_NONE) {
		put_wide(s, p, n);
	} else {
		s->whole = p;
		s->n = n;
	}
	return s->failed ? ERR_NOMEM : ERR_OK;
}

unsigned char *scan_stream_room(struct scan_stream *s, size_t *n)
{
	/* It has to be known first what it is. */
	if (!s->started || s->wide.form != TRANSCODE_NONE)
		return NULL;
	if (s->n == STREAM_BUFFER)
		zone(s, false);
	*n = STREAM_BUFFER - s->n;
	return s->buf + s->n;
}

int scan_stream_filled(struct scan_stream *s, size_t n)
{
	s->n += n;
	return s->failed ? ERR_NOMEM : ERR_OK;
}

int scan_stream_end(struct scan_stream *s)
{
	size_t used;

	if (!s->started)
		begin_text(s);
	/* All of it, if the blob was larger. */
	used = s->offset > 0 ? STREAM_BUFFER : s->n;
	if (s->n > 0)
		zone(s, true);
	sodium_memzero(s->head, s->n_head);
	if (s->whole == NULL)
		sodium_memzero(s->buf, used);
	s->n = 0;
	return s->failed ? ERR_NOMEM : ERR_OK;
}

void scan_stream_untold(const struct scan_stream *s, struct scan_untold *out)
{
	*out = (struct scan_untold){ .costly = s->costly,
		                     .encoded = decode_skipped(s->decoder),
		                     .dropped = s->dropped };
}

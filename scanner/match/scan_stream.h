/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_STREAM_H
#define SCANNER_SCAN_STREAM_H
/*
 * scan_stream - bytes in, findings out.
 *
 * An engine is what all scans share: rules, compiled.  A stream is one worker's: a buffer
 * that slides over one blob after the other.  Anchors of all rules are looked for at
 * once; around each the rule's regular expression is run, and what it finds is judged.
 */
#include "err.h"
#include "finding.h"
#include "rules/rules.h"

struct known;
struct scan_engine;
struct scan_stream;

struct scan_options {
	bool filtered;             /* tell what was dropped, too */
	bool reveal;               /* fill in finding.secret */
	const struct known *known; /* values of the vault; NULL: none */
	unsigned char key[32];     /* of the fingerprints of this scan */
};

/** scan_engine_new(rules, out, e): compile; ${rules} is borrowed for the engine's life.
 * ERR_INVALID names the rule whose expression does not compile. */
int scan_engine_new(const struct rule_set *rules, struct scan_engine **out, struct err *e)
	MUST_CHECK;
void scan_engine_free(struct scan_engine *g);

typedef void (*scan_sink)(void *ctx, const struct finding *f);
/** scan_stream_new(g, options, sink, ctx): NULL: out of memory.  ${options} are copied.
 */
struct scan_stream *scan_stream_new(const struct scan_engine *g,
                                    const struct scan_options *options, scan_sink sink,
                                    void *ctx);
void scan_stream_free(struct scan_stream *s);
/** scan_stream_prepare(s): compile what is to be machine code now: a worker may not make
 * any once it is in its sandbox. */
void scan_stream_prepare(struct scan_stream *s);

/** scan_stream_begin(s, b), scan_stream_feed(s, p, n), scan_stream_end(s): one blob;
 * ${b} is borrowed until the end.  ERR_OK or ERR_NOMEM. */
int scan_stream_begin(struct scan_stream *s, const struct blob *b) MUST_CHECK;
int scan_stream_feed(struct scan_stream *s, const unsigned char *p, size_t n) MUST_CHECK;
int scan_stream_end(struct scan_stream *s) MUST_CHECK;
/** scan_stream_whole(s, p, n): as scan_stream_feed(), once, of all of the blob; ${p} is
 * borrowed until scan_stream_end(). */
int scan_stream_whole(struct scan_stream *s, const unsigned char *p, size_t n) MUST_CHECK;
/** scan_stream_room(s, n): where the next bytes can be read to without a copy, at most
 * ${n} of them; NULL: they have to be fed.  Until the next call of any function. */
unsigned char *scan_stream_room(struct scan_stream *s, size_t *n) MUST_CHECK;
/** scan_stream_filled(s, n): so many are there; else as scan_stream_feed(). */
int scan_stream_filled(struct scan_stream *s, size_t n) MUST_CHECK;

/* What was not told of a blob. */
struct scan_untold {
	const struct rule *costly; /* its expression was given up somewhere, or NULL */
	uint64_t encoded;          /* bytes that were left encoded: there was too much */
	uint64_t dropped;          /* candidates, if options do not ask for them */
};
/** scan_stream_untold(s, out): of the blob that ended last. */
void scan_stream_untold(const struct scan_stream *s, struct scan_untold *out);

#endif

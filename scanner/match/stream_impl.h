/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_STREAM_IMPL_H
#define SCANNER_STREAM_IMPL_H
/*
 * stream_impl - what the parts of a scan share.
 *
 *   feed -> buffer: [ before | zone | ahead ]
 *                            triggers and long runs of the zone -> spots
 *                            anchors in spots -> rules around them -> candidates
 *                            what is encoded -> decoded -> the same once more
 *                            candidates -> the better of those that overlap -> findings
 *
 * What belongs to an anchor lies at most STREAM_BEHIND before and STREAM_AHEAD after it,
 * so that every anchor is looked at once, with all that belongs to it.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <limits.h>
#include <pcre2.h>

#include "decode/decode.h"
#include "decode/transcode.h"
#include "match/classes.h"
#include "match/lines.h"
#include "match/literals.h"
#include "match/open_find.h"
#include "match/run_find.h"
#include "match/scan_stream.h"
#include "match/spots.h"
#include "verdict/verdict.h"

#define STREAM_BEHIND ((size_t)16 * 1024)
#define STREAM_AHEAD  ((size_t)72 * 1024)
#define STREAM_HEAD   ((size_t)8192)
#define STREAM_ZONE   ((size_t)512 * 1024)
#define STREAM_BUFFER (STREAM_BEHIND + STREAM_ZONE + STREAM_AHEAD)

/* What all of a text is searched for: a text that makes the lines around it worth a look,
 * or an anchor that need not be looked for once more, or both. */
#define NO_ANCHOR UINT_MAX
struct trigger {
	struct literal literal;
	uint64_t letters; /* of it, in lower case, a bit for some bytes each */
	unsigned anchor;  /* NO_ANCHOR: none */
	bool marks;       /* a spot: */
	char needs;       /* is on its line; or 0 */
	bool after;       /* behind it */
	unsigned lines;   /* its line and so many before belong to it, … */
	size_t before;    /* … but so many bytes alone */
	bool covered;
};

/* Anchors, by where they are looked for. */
enum anchor_kind {
	ANCHOR_IN_TEXT = SPOT_TEXT,
	ANCHOR_IN_RUN = SPOT_RUN,
	ANCHOR_ANYWHERE, /* with the triggers: one is in it */
	ANCHOR_KINDS
};

/* Where a match of a rule begins. */
enum begins {
	BEGINS_ANYWHERE,
	BEGINS_HERE, /* at the anchor */
	BEGINS_LINE,
	BEGINS_NEAR, /* at most ${reach} bytes before the anchor */
};

/* A rule of an anchor: what is looked at first of it, since most are not tried. */
struct attempt {
	/* A match has of each of these classes: a byte on its one line; from the anchor
	 * on, the first that is not of a word; from where it begins on, the first that is
	 * not of prose, or, BEGINS_NEAR, not of a word. */
	uint64_t line, word, first;
	uint16_t rule, reach;
	enum begins begins;
	bool wide; /* TRIGGER_WIDE_RUN */
};

/* What is asked of an anchor wherever it is: small, as its literal is not. */
struct anchor {
	unsigned first; /* of its rules in ${attempts}, up to that of the next anchor */
	uint16_t n;     /* bytes */
	bool followed;  /* by a run */
};

struct scan_engine {
	const struct rule_set *rules;
	struct literals *anchors[SPOT_KINDS];
	struct anchor *anchor;    /* one more than there are anchors */
	struct attempt *attempts; /* rules of the anchors */
	struct classes line, word, prose;
	struct run_finder *runs;           /* of the rules */
	struct open_finder *open;          /* of those that are near their anchors */
	struct literal *literals;          /* the anchors, of one kind after the other */
	size_t first_of[ANCHOR_KINDS + 1]; /* where those of each begin in it */
	size_t n;
	size_t longest[ANCHOR_KINDS]; /* bytes of one of each */
	struct literals *trigger_literals;
	struct literal *trigger_texts; /* of ${triggers}, as the former borrows them */
	struct trigger *triggers;
	size_t n_triggers;
	unsigned wide_lines; /* that a keyword of a TRIGGER_WIDE_RUN may be away */
	unsigned *whole;     /* rules without anchors: for whole files of a name */
	size_t n_whole;
};

/* How far a text has been searched for one rule. */
struct reached {
	uint64_t round;    /* the text that it is of */
	uint64_t covered;  /* anchors before this have been looked at */
	uint64_t searched; /* of rules with keywords or a window: bytes, too */
	uint64_t reopened; /* a match that is no secret ended here, and is searched again
	                    */
};
/* The same per rule: nothing yet, where it is of another round.  Few rules have an anchor
 * in a text, and most texts are short. */
struct progress {
	struct reached *of;
	uint64_t round;
};

/* Spots, side by side: searching many short texts costs more than one that is as long. */
#define GATHERED_PIECES 1024u
struct gathered {
	size_t n, pieces;
	struct {
		size_t at;    /* in ${p} */
		size_t from;  /* in the text */
		size_t after; /* what ends there or before was found */
	} piece[GATHERED_PIECES];
	unsigned char p[64 * 1024];
};

/* Anchors in the text, in ascending order of their ends. */
struct hit {
	size_t at;
	unsigned id, n; /* bytes before ${at} */
};
struct hits {
	struct hit *v;
	size_t n, room;
	size_t next; /* that is taken */
	bool failed; /* out of memory */
};

/* A text that is scanned: the buffer, or what was decoded from it. */
struct text {
	const unsigned char *p;
	size_t n;
	size_t from, to; /* the zone */
	bool last;       /* nothing comes after ${n} */
	uint64_t offset; /* of p[0] in the blob */
	uint64_t line;   /* of p[0] */
	struct progress progress;
	/* Of what was decoded: what it is, and the text that it stands in. */
	const struct decoded *decoded;
	const struct text *in;
};

struct found {
	const struct rule *rule; /* NULL: known */
	size_t at, n;            /* of the secret in the text */
	size_t whole_end; /* at + n, or behind what its rule cut off; for excerpts */
	const unsigned char *known; /* its id in the pack */
	bool current;
	struct verdict verdict;
};

struct founds {
	struct found *v;
	size_t n, room;
};

/* What was told lately of the blob. */
#define TOLD_MAX    256u
#define TOLD_PREFIX 48u
#define TOLD_DIGEST 16u
struct told {
	uint64_t at, n; /* in the blob: of the secret, or of what it was decoded from */
	bool decoded;
	enum confidence confidence;
	const struct rule *rule;
	unsigned char prefix[TOLD_PREFIX];
	unsigned prefix_n;
	unsigned round;                    /* of the text that it was found in */
	unsigned char digest[TOLD_DIGEST]; /* of a decoded secret, all of it */
};

struct expression {
	pcre2_code *code;
	bool machine; /* as machine code */
};

struct scan_stream {
	const struct scan_engine *g;
	struct scan_options options;
	scan_sink sink;
	void *ctx;
	struct expression *re; /* compiled when they are needed first */
	pcre2_match_data *md;
	pcre2_match_context *limits;
	pcre2_jit_stack *stack;
	struct literals_scratch *scratch[SPOT_KINDS], *trigger_scratch;
	struct spots *spots;
	struct gathered *gathered;
	struct hits hits[ANCHOR_KINDS];
	struct hits *hits_of;    /* that the last one that was taken is of … */
	size_t hits_until;       /* … and where the next one of the others is */
	struct line anchor_line; /* of the anchor that was looked at last */
	/* the blob */
	const struct blob *blob;
	unsigned char *buf;
	const unsigned char *whole; /* that is searched in place of it; or NULL */
	size_t n, from;             /* bytes in it; where the next zone begins */
	size_t known_from;          /* the same for known values */
	size_t decode_from;         /* and for what is encoded */
	size_t wide_from;           /* and for UTF-16 in what is no text */
	uint64_t offset, line;      /* of buf[0] */
	bool started, binary;
	unsigned char head[STREAM_HEAD]; /* until it is known what kind of blob it is */
	size_t n_head;
	struct transcode wide; /* UTF-16 is scanned as UTF-8 */
	struct decoder *decoder;
	unsigned char *off;        /* per rule: not for this blob */
	unsigned char *off_binary; /* the same of what is no text, whatever its name */
	struct names *names;       /* rules for files of some names alone */
	struct progress progress;
	struct progress in_decoded; /* the same of what was decoded last */
	struct founds founds;
	struct founds allowed; /* what rules of allow: true cover */
	struct told told[TOLD_MAX];
	size_t told_n; /* of this blob; the last TOLD_MAX are kept */
	unsigned told_round;
	const struct rule *costly; /* see scan_stream_untold() */
	uint64_t dropped;
	uint64_t searched_bytes; /* that expressions were run on, of this blob */
	bool failed;             /* out of memory */
};

static inline struct reached *progress_of(const struct text *t, const struct rule *u)
{
	struct reached *r = &t->progress.of[u->index];

	if (r->round != t->progress.round)
		*r = (struct reached){ .round = t->progress.round };
	return r;
}

/** engine_literals(g, i): what it looks for, one list after the other; NULL: no more. */
const struct literals *engine_literals(const struct scan_engine *g, unsigned i);
/** engine_triggers(g, e): lists the triggers of all rules. */
int engine_triggers(struct scan_engine *g, struct err *e) MUST_CHECK;
/** engine_has_trigger(g, l): is a trigger found wherever ${l} is? */
bool engine_has_trigger(const struct scan_engine *g, const struct literal *l);
/** engine_first_pass(g, spots, e): fills in what all of a text is searched for: the
 * triggers of rules that ${spots} says have an anchor that is looked for in spots, and
 * the anchors that are not. */
int engine_first_pass(struct scan_engine *g, const bool *spots, struct err *e) MUST_CHECK;
/** founds_add(f, one): -1: out of memory. */
int founds_add(struct founds *f, const struct found *one);

/** hits_add(h, g, t, anchor, at): adds one that ends at ${at}, if that is in the zone and
 * what has to follow does. */
void hits_add(struct hits *h, const struct scan_engine *g, const struct text *t,
              unsigned anchor, size_t at);
/** hits_find(s, t): looks for all other anchors in the spots that were found last. */
void hits_find(struct scan_stream *s, const struct text *t);
/** hits_next(s): in ascending order; NULL: there are no more. */
const struct hit *hits_next(struct scan_stream *s);
/** confirm_zone(s, t): candidates of all anchors in the zone of ${t}. */
void confirm_zone(struct scan_stream *s, const struct text *t);
/** emit_zone(s, t): tells what was found in it, and forgets it. */
void emit_zone(struct scan_stream *s, const struct text *t);
/** told_before(s, t): drops what of ${t}'s founds was told already, decoded or not; and
 * remembers the others. */
void told_before(struct scan_stream *s, const struct text *t);
/** count_lines(p, n): line feeds. */
size_t count_lines(const unsigned char *p, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_DECODE_IMPL_H
#define SCANNER_DECODE_IMPL_H
/* decode_impl - what the files of decode share. */
#include "decode/decode.h"

#define DECODE_ROOM     (DECODE_PIECE + 1024u) /* a piece and the name before it */
#define DECODE_SPANS    2048u
#define DECODE_RUN_MIN  14u /* characters of a run that may be base64 */
#define DECODE_HEX_MIN  24u /* or hexadecimal */
#define DECODE_WRAP_MIN 40u /* of a line of base64 that others follow */
#define DECODE_NAME     80u /* bytes before a run that may name it */

/* Ways to write out a line; each has a text of its own that lines are added to. */
enum line_kind { LINE_ESCAPES, LINE_PERCENT, LINE_HTML, LINE_JOINED, LINE__KINDS };

/* A text that is being made. */
struct made {
	size_t n, spans_n;
	struct decode_span spans[DECODE_SPANS];
	unsigned char p[DECODE_ROOM];
};

/* Room for what one level of nesting makes; lines, and the run at hand. */
struct level {
	struct made line[LINE__KINDS];
	struct made run;
	unsigned char joined[DECODE_ROOM / 3 * 4]; /* the lines of a run */
	unsigned char bytes[DECODE_ROOM];          /* decoded, not yet known to be text */
	unsigned char unzipped[DECODE_ROOM];
	unsigned char unwide[DECODE_ROOM];
};

/* What something encoded can begin with: three bytes whose entries have a bit in common.
 * The last entry is that of all bytes that are not ASCII. */
struct beginning {
	unsigned char of[3][128];
};

#define DECODE_TEXT_SEEN 7u /* characters of base64 that say whether it is of text */

/* The same of base64 of text, of its first six bytes: places 0 to 2 and 4 to 6 of the
 * characters, as what is in place 3 may be any. */
struct text_beginning {
	uint32_t of[6][128];
};

#define CLASS_SIGN    0x01u /* + / - _ */
#define CLASS_DIGIT   0x02u
#define CLASS_CAPITAL 0x04u
#define CLASS_SMALL   0x08u
#define CLASS_HEX     0x10u

/* Bits of what planes_of() is asked for. */
enum {
	DECODE_IS_RUN, /* of any class above */
	DECODE_IS_DIGIT,
	DECODE_IS_MIXED, /* a digit or a capital */
	DECODE_IS_SMALL,
	DECODE_IS_HEX,
	DECODE_IS_LINE /* what says something else may begin with it */
};

/* What bytes are; those that are of none of the classes above are not of base64. */
struct decode_tables {
	unsigned char is[128];
	uint8_t planes[256];
	struct beginning text;           /* that is base64 */
	struct text_beginning long_text; /* the same, of more of it */
	struct beginning line;           /* that says something else than it seems to */
};

struct decoder {
	struct decode_tables tables;
	uint64_t seen, made, skipped;
	size_t line_ahead[LINE__KINDS],
		run_ahead; /* done, of what the next call begins with */
	struct level level[DECODE_DEPTH];
};

/* A search through one text. */
struct search {
	struct decoder *d;
	struct level *level;
	const struct decoded *parent; /* NULL: the caller's buffer */
	const unsigned char *p;
	size_t n;
	bool last;
	unsigned depth; /* of what is found */
	bool joined;    /* what can be put together has been */
	decode_fn fn;
	void *ctx;
	size_t line_done[LINE__KINDS]; /* what is before has been written out */
	size_t macro;                  /* a line that goes on with a macro of C begins */
	size_t run_done;               /* so are runs that begin before it */
	size_t hold; /* the next call begins there; SIZE_MAX: at the end */
};

/* --- decode.c */

/* Tells ${m}, decoded the way ${how}, and searches it; it is empty afterwards. */
void decode_tell(struct search *s, struct made *m, const char *how);
/* The next call shall see what begins at ${at} again. */
void decode_hold(struct search *s, size_t at);
/* Is there budget for ${n} bytes more?  Takes it, or counts them as skipped. */
bool decode_afford(struct search *s, size_t n);

/* --- decode_tables.c */

/** decode_tables_fill(t): all of them. */
void decode_tables_fill(struct decode_tables *t);
/** decode_place(c): the entry of ${c} in tables. */
static inline unsigned decode_place(unsigned char c)
{
	return c < 0x7f ? c : 0x7f;
}
/** decode_begins(b, p): do the three bytes at ${p} begin so? */
static inline bool decode_begins(const struct beginning *b, const unsigned char *p)
{
	return (b->of[0][decode_place(p[0])] & b->of[1][decode_place(p[1])] &
	        b->of[2][decode_place(p[2])]) != 0;
}

/** decode_begins_text(b, p): may the DECODE_TEXT_SEEN characters of base64 at ${p} be of
 * text, or of something else that is decoded? */
static inline bool decode_begins_text(const struct text_beginning *b,
                                      const unsigned char *p)
{
	return (b->of[0][p[0]] & b->of[1][p[1]] & b->of[2][p[2]] & b->of[3][p[4]] &
	        b->of[4][p[5]] & b->of[5][p[6]]) != 0;
}

/* --- decode_mark.c: bits of 64 bytes each, from the lowest. */

#define DECODE_BLOCKS 64u /* that are looked through at once */

/* What the bytes of some blocks are, and of one block more. */
struct marks {
	uint64_t run[DECODE_BLOCKS + 1]; /* of the alphabets of base64, and of these … */
	uint64_t digit[DECODE_BLOCKS + 1], lower[DECODE_BLOCKS + 1];
	uint64_t mixed[DECODE_BLOCKS + 1]; /* digits and capitals */
	/* Not after letter or digit; text may begin, and does not have other bytes soon,
	 * if it is long enough. */
	uint64_t text[DECODE_BLOCKS + 1];
	uint64_t hex[DECODE_BLOCKS + 1];  /* hexadecimal digits */
	uint64_t line[DECODE_BLOCKS + 1]; /* such of \ % & " ' as may count */
	uint64_t longs[DECODE_BLOCKS];    /* DECODE_RUN_MIN of the alphabets follow */
	/* One of its bytes at least, of a run that begins there and may be encoded. */
	uint64_t worth[DECODE_BLOCKS];
	uint64_t busy; /* a bit for each block that has anything */
};
/** decode_marks(t, p, n, m): of the first bytes of ${p}; there are none after ${n}.  With
 * CPU_AVX2, more bits of ${m}->line are set than otherwise. */
void decode_marks(const struct decode_tables *t, const unsigned char *p, size_t n,
                  struct marks *m);

/* --- decode_base64.c */

/** decode_run_length(p, n): how many bytes of ${p} from its first on are of the alphabets
 * of base64. */
size_t decode_run_length(const unsigned char *p, size_t n);
/** decode_base64(p, n, out): what ${n} such bytes say, whole quads and what is left of
 * the last one; how many bytes, which ${out} has room for. */
size_t decode_base64(const unsigned char *p, size_t n, unsigned char *out);
/** decode_base64_plain(p, n, out): the same, for any processor. */
size_t decode_base64_plain(const unsigned char *p, size_t n, unsigned char *out);

/* --- decode_run.c */

/** decode_may_hold(s, at, n): can a run of ${n} bytes from ${at}, with what follows it,
 * be anything encoded?  By its length and a few of its bytes; most that are short cannot.
 */
bool decode_may_hold(const struct search *s, size_t at, size_t n);
/* A run of the alphabets of base64 from ${at} to ${end}.  Returns where to go on. */
size_t decode_run(struct search *s, size_t at, size_t end);

/* --- decode_promise.c */

/** decode_may_count(t, p, n, at): can the mark at ${at} count?  By the next two bytes,
 * and the one before; most cannot. */
bool decode_may_count(const struct decode_tables *t, const unsigned char *p, size_t n,
                      size_t at);

/* --- decode_line.c */

/* One of \ % & " ' at ${at}: writes out its line if that says something else then. */
void decode_line(struct search *s, size_t at);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RULE_H
#define SCANNER_RULE_H
/* rule - one kind of secret, as docs/scanning-rules.md describes it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };
enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };

enum charset {
	CHARSET_NONE,
	CHARSET_ALNUM,
	CHARSET_HEX,
	CHARSET_BASE58,
	CHARSET_BASE64,
	CHARSET_BASE64URL,
	CHARSET_BASE64ANY,
	CHARSET_TOKEN,
};

/** charset_has(c, byte). */
bool charset_has(enum charset c, unsigned char byte);

struct texts {
	char **at;
	size_t n;
};

/* A set of bytes. */
struct bytes {
	uint64_t w[4];
};

/** rule_has_byte(b, c). */
static inline bool rule_has_byte(const struct bytes *b, unsigned char c)
{
	return b->w[c / 64] >> c % 64 & 1;
}

/* So many bytes in a row, at least, of a set. */
struct run {
	unsigned n;
	struct bytes of;
};

/* Sets of bytes: of each, one at least. */
#define RULE_MUSTS 4u
struct musts {
	size_t n; /* with no gap after it: rules are compared as bytes */
	struct bytes of[RULE_MUSTS];
};

/* Bytes that a match may begin with, the first and the second; or, if ${line}, anything
 * where a line begins. */
struct opening {
	struct bytes one, two;
	uint64_t line; /* with no gap after it: as of musts */
};

/* What a text must have for a rule to be looked for in it. */
enum rule_trigger {
	TRIGGER_TEXT,     /* one of the rule's triggers, on the lines of a match */
	TRIGGER_RUN,      /* a long run of a token's characters on its line */
	TRIGGER_WIDE_RUN, /* the same, and longer, as near to its keyword as they may be
	                   */
};

#define RULE_REACH_LINES 1000001u /* more than a file can say */

struct rule {
	char *id, *title, *family, *regex;
	struct texts anchors; /* empty: only whole files of a name (files) */
	bool exact; /* anchors count in their case; else they are in lower case */
	struct texts keywords; /* lower case */
	struct texts files;    /* globs */
	char *validator;       /* "crc32-base62:4"; "" if none */
	enum charset charset;
	enum confidence confidence;
	enum severity severity;
	double entropy;      /* bits per character at least; 0: not asked */
	unsigned window;     /* bytes before and after the anchor; 0: lines */
	unsigned lines_span; /* lines that a match may cover, 1 or more */
	unsigned within;     /* of a keyword, in bytes on the line; 0: not asked */
	unsigned lines;      /* of a keyword, in lines before and after */
	bool verified;
	bool allow;
	bool collect_pem;
	bool checked;  /* its expression is known to compile */
	bool prefixed; /* each match begins where an anchor does */
	bool at_line;  /* … or where a line does */
	/* The bytes that may be the first of a match and what follows it that is none of
	 * a word, or of prose. */
	struct bytes after_word, after_prose;
	struct opening opening;
	struct musts musts; /* each match has them */
	struct run run;     /* is in each match */
	struct run next;    /* of a prefixed rule: follows the anchor */
	enum rule_trigger trigger;
	struct texts triggers; /* in lower case unless ${trigger_exact} */
	bool trigger_exact;
	unsigned reach; /* bytes that an anchor begins before a trigger, at most; or
	                 * RULE_REACH_LINES: on its lines */
	bool near; /* it is tried from ${reach} bytes before an anchor on, nowhere else */
	char needs; /* each match has it, on the line of the trigger; 0: not known */
	bool needs_after; /* behind the trigger */
	bool by_keyword;  /* no literal of its own: its keywords are its anchors */
	struct texts positive, negative;
	char *example_path; /* NULL: none */
	unsigned line;      /* in its file */
	unsigned index;     /* in its set */
	bool embedded;      /* its texts are constants of the program */
};

#endif

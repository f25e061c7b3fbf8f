/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_RULES_H
#define SCANNER_RULES_H
/* rules - sets of rules, from what is built in and from files of users. */
#include "err.h"
#include "rules/rule.h"

#define RULES_MAX      4096u
#define RULES_FILE_MAX (4u * 1024 * 1024)
#define RULE_TEXT_MAX  4096u /* of a regular expression */

struct rule_set {
	struct rule *at;
	size_t n;
};

/** rules_builtin(out, e): those that are embedded in the program; they are not parsed,
 * and are known to compile. */
int rules_builtin(struct rule_set *out, struct err *e) MUST_CHECK;
/** rules_add(set, name, text, n, e): those of one file; a rule with an id that is there
 * replaces it.  ERR_INVALID names file, line, column and key; the set is as before then.
 */
int rules_add(struct rule_set *set, const char *name, const char *text, size_t n,
              struct err *e) MUST_CHECK;
/** rules_add_own(set, name, text, n, e): the same for a file of scanner/rules, whose
 * expressions may be all that PCRE2 knows; scan_engine_new() checks that they compile. */
int rules_add_own(struct rule_set *set, const char *name, const char *text, size_t n,
                  struct err *e) MUST_CHECK;
/** rules_add_file(set, path, e): the same of a file; ERR_NOENT, ERR_IO. */
int rules_add_file(struct rule_set *set, const char *path, struct err *e) MUST_CHECK;

#define RULE_WHY    160u
#define RULE_GROUPS 31u /* of a regular expression */
/** rule_check(u, why): does its expression compile, and keep to the part of PCRE2's
 * syntax that docs/scanning-rules.md names?  0, and it counts as checked; or -1, and
 * ${why} says it. */
int rule_check(struct rule *u, char why[RULE_WHY]);

/** rules_free(set). */
void rules_free(struct rule_set *set);
/** rules_find(set, id): NULL if there is none. */
const struct rule *rules_find(const struct rule_set *set, const char *id);

/** rule_any_case(regex): is any part of it told to match in any case?  The texts of the
 * next two are in lower case then, and else as matches have them. */
bool rule_any_case(const char *regex);

/** rule_anchors(regex, out): literals of two bytes or more, one of which is in every
 * match; 0 of them if there are none.  -1: out of memory. */
int rule_anchors(const char *regex, struct texts *out);

/* Letters, digits, '_', '-' and '.'; and with blanks, quotes and backslashes, too. */
extern const struct bytes rule_word, rule_prose;

/* Bytes that tokens are made of. */
enum rule_byte_set {
	RULE_ALNUM,  /* letters and digits */
	RULE_URL,    /* and '-' and '_' */
	RULE_BASE64, /* and '+' and '/' */
	RULE_SETS
};
extern const struct bytes rule_set_of[RULE_SETS];

/* What every match of an expression has. */
struct lead {
	struct texts begin; /* it begins with one of these, of three bytes or more, or of
	                     * two that a long run follows; none: that is not known */
	struct run next;    /* follows each of ${begin} */
	struct run run;     /* the longest of one class in it; of 0 bytes: not known */
	/* The first byte of it, and of what follows it, that is none of rule_word, and
	 * none of rule_prose. */
	struct bytes after_word, after_prose;
	/* So many bytes of each set follow each other in it, at least. */
	unsigned stretch[RULE_SETS];
	unsigned token[RULE_SETS]; /* the same, with digits or capitals among them */
	bool at_line;              /* it begins where a line, or the text, does */
	struct opening opening;
	struct musts musts; /* what it has a byte of, where that is not in most lines */
};
/** rule_lead(regex, out): texts_free() ${out->begin}, in any case.  -1: out of memory. */
int rule_lead(const char *regex, struct lead *out);

/* Runs that are rare in text, and that tokens have: bytes of the set, at least. */
#define RULE_RUN_ALNUM  20u
#define RULE_RUN_URL    36u
#define RULE_RUN_BASE64 36u
#define RULE_WIDE_ALNUM 32u /* for TRIGGER_WIDE_RUN */
/** rule_triggers(u, lead, other): choose ${u->trigger} and fill in ${u->triggers} if the
 * rule does not name them, by what every match has and by ${u->anchors}; ${other}: the
 * anchors that it had before it was prefixed, in any case.  -1: out of memory. */
int rule_triggers(struct rule *u, const struct lead *lead, const struct texts *other);

/** rule_needs_after(u): is what ${u->needs} written behind all of its triggers?  By how
 * they are written in the expression, which can be done in other ways: for rules that
 * were looked at. */
bool rule_needs_after(const struct rule *u);

/** texts_add(t, s, n), texts_free(t): the former -1 for out of memory. */
int texts_add(struct texts *t, const char *s, size_t n);
void texts_free(struct texts *t);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_POLICY_IMPL_H
#define SERVER_CORE_POLICY_IMPL_H
/*
 * policy_impl - what the parts of the policy module share: tokens of the language, the
 * compiled form of one policy, and the calls that only the policy API needs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

/* --- the language: policy_lex.c --- */

enum policy_tok {
	PT_EOF,
	PT_IDENT,
	PT_STRING,
	PT_NUMBER,
	PT_ASSIGN, /* '=' in HCL, ':' in JSON */
	PT_LBRACE,
	PT_RBRACE,
	PT_LBRACK,
	PT_RBRACK,
	PT_COMMA,
};

struct policy_lex {
	const char *p, *end;
	int line; /* of the next byte */
	bool json;
	struct arena *a;
	struct err *e;
	enum policy_tok tok;
	const char *text; /* of an identifier, string or number: not NUL-terminated */
	size_t len;
	int tok_line;
};

/** policy_lex_start(l, a, text, n, e): the language is JSON if the first byte that is not
 * blank is '{'. */
void policy_lex_start(struct policy_lex *l, struct arena *a, const char *text, size_t n,
                      struct err *e);
/** policy_lex_next(l): the next token into l->tok; ERR_INVALID. */
int policy_lex_next(struct policy_lex *l) MUST_CHECK;
/** policy_lex_fail(l, line, fmt, …): ERR_INVALID "failed to parse policy: line N: …"; the
 * format is a literal. */
#define policy_lex_fail(l, line, fmt, ...)                                            \
	err_set((l)->e, ERR_INVALID, "failed to parse policy: line %d: " fmt, (line), \
	        ##__VA_ARGS__)

/* --- the compiled form: policy_doc.c --- */

enum policy_rule_kind { RULE_EXACT, RULE_PREFIX, RULE_SEGMENT };

struct policy_rule {
	char *text; /* without the final '*' */
	size_t len;
	size_t wild;   /* where the first '+' or '*' is */
	unsigned plus; /* how many segments are '+' */
	bool glob;     /* ended in '*' */
	enum policy_rule_kind kind;
	unsigned caps;
};

struct policy_doc {
	struct policy_rule *rules;
	size_t n, cap;
	/* index over exact and prefix rules, open addressing, rule number + 1 */
	uint32_t *slots;
	size_t mask;
	uint32_t *lengths; /* distinct lengths of prefix rules, longest first */
	size_t n_lengths;
	uint32_t *segments; /* numbers of the rules with '+' */
	size_t n_segments;
};

struct policy_doc *policy_doc_new(void) MUST_CHECK;
/** policy_doc_add(d, path, n, caps): a rule, merged with one of the same pattern; -1: out
 * of memory. */
int policy_doc_add(struct policy_doc *d, const char *path, size_t n, unsigned caps)
	MUST_CHECK;
/** policy_doc_index(d): build the index, once, after the last rule; -1: out of memory. */
int policy_doc_index(struct policy_doc *d) MUST_CHECK;

/** policy_decide(docs, n, path, list): CAP_* that the policies together grant on a path;
 * CAP_DENY alone if nothing.  For a list the path ends in a slash. */
unsigned policy_decide(const struct policy_doc *const *docs, size_t n, const char *path,
                       bool list);

/* --- the mirror: policy.c --- */

/** policies_put(c, a, name, text, n, e): parse, store and mirror a policy; ${name} is
 * canonical. */
int policies_put(struct core *c, struct arena *a, const char *name, const char *text,
                 size_t n, struct err *e) MUST_CHECK;
/** policies_delete(c, a, name, e): ERR_OK if there is none. */
int policies_delete(struct core *c, struct arena *a, const char *name, struct err *e)
	MUST_CHECK;
/** policies_text(c, a, name, out, e): the text as it was written; ERR_NOENT. */
int policies_text(struct core *c, struct arena *a, const char *name, const char **out,
                  struct err *e) MUST_CHECK;
/** policies_exist(c, name): is there a policy of this name ("root" too)? */
bool policies_exist(struct core *c, const char *name);
/** policies_names(c, a): sorted array of all names, "root" included. */
struct value *policies_names(struct core *c, struct arena *a);
/** policies_store_default(c, a, e): store the built-in "default" policy unless there is
 * one. */
int policies_store_default(struct core *c, struct arena *a, struct err *e) MUST_CHECK;
/** policies_touch_mount(c, names, mount): do the policies grant anything on ${mount}
 * (with its slash) or below? */
bool policies_touch_mount(struct core *c, const struct value *names, const char *mount);
/** policies_cap_names(a, caps): sorted array: "create", "delete", …; ["deny"] for
 * nothing. */
struct value *policies_cap_names(struct arena *a, unsigned caps);

#endif

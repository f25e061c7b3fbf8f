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
#include "vault/limits.h"

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
	const char *what; /* failed, in messages: "failed to parse policy" */
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
/** policy_lex_expect(l, tok, what): go past a token that must be there. */
int policy_lex_expect(struct policy_lex *l, enum policy_tok tok, const char *what)
	MUST_CHECK;
/** policy_lex_assign(l): go past the '=' or ':' between a key and its value. */
int policy_lex_assign(struct policy_lex *l) MUST_CHECK;
/** policy_lex_separator(l, close): between two members of what ends in ${close}: JSON
 * wants a comma and none at the end, HCL takes any. */
int policy_lex_separator(struct policy_lex *l, enum policy_tok close) MUST_CHECK;
/** policy_lex_is(l, s): is the text of the token ${s}? */
bool policy_lex_is(const struct policy_lex *l, const char *s);
/** policy_lex_shown(l): how much of the token's text a message may repeat. */
int policy_lex_shown(const struct policy_lex *l);
/** policy_lex_fail(l, line, fmt, …): ERR_INVALID "failed to parse policy: line N: …"; the
 * format is a literal. */
#define policy_lex_fail(l, line, fmt, ...)                                   \
	err_set((l)->e, ERR_INVALID, "%s: line %d: " fmt, (l)->what, (line), \
	        ##__VA_ARGS__)

/* --- what a rule demands beyond capabilities: policy_limits.c --- */

/* Of one block of a policy.  Values live in the arena of the document. */
struct policy_limits {
	struct policy_limits *next; /* of another block with the same pattern */
	/* object: name in lower case -> array of values, an empty one: any; NULL: none */
	struct value *allowed, *denied;
	struct value *required;           /* array of names, or NULL */
	int64_t min_wrap_ms, max_wrap_ms; /* 0: none */
};

struct field;

/* What is asked of the policies. */
struct policy_ask {
	const char *path; /* of a list with a slash at its end */
	enum op op;
	bool sudo;                  /* the route wants that capability too */
	const struct value *params; /* object, or NULL */
	const struct field *fields; /* what the handler reads of them, or NULL */
	int64_t wrap_ms;            /* how long a wrapped reply is to live, 0: plain */
};

/** policy_limits_parse(l, a, limits, known): if the token is the key of a limit, parse it
 * and its value into ${limits}, with copies in ${a}; *known is false (and nothing was
 * taken) if it is another key. */
int policy_limits_parse(struct policy_lex *l, struct arena *a,
                        struct policy_limits *limits, bool *known) MUST_CHECK;
/** policy_limits_allow(at, n, ask): do all the limits that go with the pattern that was
 * chosen, of ${n} policies, let the request pass?  They merge as Vault's do: parameters
 * as a union, the smaller of the bounds for wrapping. */
bool policy_limits_allow(const struct policy_limits *const *at, size_t n,
                         const struct policy_ask *ask);

/* --- templates: policy_template.c --- */

/** policy_template_check(path, n, templated, why): is every {{…}} in a pattern
 * well-formed and about something we know?  -1 with the reason in *why. */
int policy_template_check(const char *path, size_t n, bool *templated, const char **why)
	MUST_CHECK;

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
	uint32_t shape;               /* of a rule with '+', once it is indexed */
	struct policy_limits *limits; /* NULL: none */
};

/* Where the wildcards of a pattern with '+' are. */
struct policy_shape {
	uint64_t plus; /* bit i: segment i is '+' */
	unsigned n;    /* segments */
	unsigned tail; /* bytes of the last one, if it ended in '*' */
	bool glob;
};

struct policy_doc {
	struct policy_rule *rules;
	size_t n, cap;
	/* index over exact and prefix rules (before policy_doc_index(): over all), open
	 * addressing, rule number + 1 */
	uint32_t *slots;
	size_t mask;
	uint32_t *lengths; /* distinct lengths of prefix rules, longest first */
	size_t n_lengths;
	struct policy_shape *shapes; /* that several rules with '+' have, in order */
	size_t n_shapes;
	uint32_t *segments; /* numbers of the other rules with '+' */
	size_t n_segments;
	struct arena *arena; /* of limits; NULL: no rule has any */
};

struct policy_doc *policy_doc_new(void) MUST_CHECK;
/** policy_doc_add(d, path, n, caps, limits): a rule, merged with one of the same pattern;
 * ${limits} is borrowed from d->arena, or NULL; -1: out of memory. */
int policy_doc_add(struct policy_doc *d, const char *path, size_t n, unsigned caps,
                   struct policy_limits *limits) MUST_CHECK;
/** policy_doc_index(d): build the index, once, after the last rule; -1: out of memory. */
int policy_doc_index(struct policy_doc *d) MUST_CHECK;

/** policy_doc_cost(d): what a path costs to look up, in places that are visited. */
size_t policy_doc_cost(const struct policy_doc *d);

/* --- patterns with '+': policy_shape.c --- */

/* A path cut at its slashes. */
#define POLICY_PARTS 64u
struct policy_part {
	const char *s;
	size_t len;
	uint32_t hash;
};
struct policy_parts {
	size_t n; /* may be more than are kept */
	struct policy_part at[POLICY_PARTS];
};
void policy_parts_cut(const char *path, size_t n, struct policy_parts *out);
/** policy_shape_of(r, out): false if the pattern has more than POLICY_PARTS segments. */
bool policy_shape_of(const struct policy_rule *r, struct policy_shape *out);
/** policy_shape_order(x, y): 0: the same; else some order. */
int policy_shape_order(const struct policy_shape *x, const struct policy_shape *y);
/** policy_shape_hash(shape, parts, n, out): the hash that a pattern of the shape has if
 * it matches the first ${n} segments; false: none can. */
bool policy_shape_hash(const struct policy_shape *shape, const struct policy_parts *parts,
                       size_t n, uint32_t *out);

/* The rule that applies, and what all policies say for its pattern. */
struct policy_verdict {
	const struct policy_rule *rule; /* one of them; NULL: nothing matches */
	unsigned caps;                  /* CAP_*; CAP_DENY alone if nothing */
	size_t n_limits;
	const struct policy_limits *limits[LIMIT_POLICIES_PER_TOKEN];
};

/** policy_judge(docs, n, path, list, v): find the one rule that the policies, at most
 * LIMIT_POLICIES_PER_TOKEN, have for a path.  For a list the path ends in a slash. */
void policy_judge(const struct policy_doc *const *docs, size_t n, const char *path,
                  bool list, struct policy_verdict *v);
/** policy_decide(docs, n, path, list): the capabilities alone. */
unsigned policy_decide(const struct policy_doc *const *docs, size_t n, const char *path,
                       bool list);
/** policy_permits(docs, n, ask): the whole decision: the rule, its capabilities, its
 * limits. */
bool policy_permits(const struct policy_doc *const *docs, size_t n,
                    const struct policy_ask *ask);
/** policy_rule_order(x, y): > 0: ${x} goes before ${y}; 0: the same pattern. */
int policy_rule_order(const struct policy_rule *x, const struct policy_rule *y);

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
/** policies_docs(c, names, d): the documents of the named policies (array of strings).
 */
struct policy_docs {
	const struct policy_doc *at[LIMIT_POLICIES_PER_TOKEN];
	size_t n;
	bool root;
	bool broken; /* one cannot be read, or there are too many: denies all */
};
void policies_docs(struct core *c, const struct value *names, struct policy_docs *d);
/** policies_touch_mount(c, names, mount): do the policies grant anything on ${mount}
 * (with its slash) or below? */
bool policies_touch_mount(struct core *c, const struct value *names, const char *mount);
/** policies_cap_names(a, caps): sorted array: "create", "delete", …; ["deny"] for
 * nothing. */
struct value *policies_cap_names(struct arena *a, unsigned caps);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "path.h"
#include "policy_impl.h"
#include "text.h"
#include "vault/limits.h"

static const struct {
	const char *name;
	unsigned cap;
} cap_names[] = {
	{"create",  CAP_CREATE},
        { "delete", CAP_DELETE},
        { "deny",   CAP_DENY  },
	{ "list",   CAP_LIST  },
        { "patch",  CAP_PATCH },
        { "read",   CAP_READ  },
	{ "scan",   CAP_SCAN  },
        { "sudo",   CAP_SUDO  },
        { "update", CAP_UPDATE},
};

#define LIMITS_ARENA ((size_t)64 * 1024 * 1024)

#define CAPS_READ  (CAP_READ | CAP_LIST)
#define CAPS_WRITE (CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_DELETE | CAP_LIST)

static const struct {
	const char *name;
	unsigned caps;
} shorthands[] = {
	{"deny",   CAP_DENY             },
	{ "read",  CAPS_READ            },
	{ "write", CAPS_WRITE           },
	{ "sudo",  CAPS_WRITE | CAP_SUDO},
};

struct parse {
	struct policy_lex l;
	struct policy_doc *doc;
};

static bool is_key(const struct parse *p)
{
	return p->l.tok == PT_STRING || (p->l.tok == PT_IDENT && !p->l.json);
}

static int add_capability(struct parse *p, unsigned *caps)
{
	if (p->l.tok != PT_STRING)
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "capabilities: expected a string");
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++) {
		if (policy_lex_is(&p->l, cap_names[i].name)) {
			*caps |= cap_names[i].cap;
			return policy_lex_next(&p->l);
		}
	}
	return policy_lex_fail(&p->l, p->l.tok_line, "invalid capability \"%.*s\"",
	                       policy_lex_shown(&p->l), p->l.text);
}

static int parse_capabilities(struct parse *p, unsigned *caps)
{
	int rc = policy_lex_expect(&p->l, PT_LBRACK, "a list of capabilities");

	while (rc == ERR_OK && p->l.tok != PT_RBRACK) {
		if ((rc = add_capability(p, caps)) != ERR_OK)
			break;
		if (!p->l.json && p->l.tok != PT_COMMA && p->l.tok != PT_RBRACK)
			return policy_lex_fail(&p->l, p->l.tok_line,
			                       "expected ',' or ']'");
		rc = policy_lex_separator(&p->l, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

static int parse_shorthand(struct parse *p, unsigned *caps)
{
	for (size_t i = 0; p->l.tok == PT_STRING && i < ARRAY_LEN(shorthands); i++) {
		if (policy_lex_is(&p->l, shorthands[i].name)) {
			*caps |= shorthands[i].caps;
			return policy_lex_next(&p->l);
		}
	}
	return policy_lex_fail(
		&p->l, p->l.tok_line,
		"policy: expected \"read\", \"write\", \"sudo\" or \"deny\"");
}

static int unknown_key(struct parse *p)
{
	return policy_lex_fail(&p->l, p->l.tok_line, "invalid key \"%.*s\"",
	                       policy_lex_shown(&p->l), p->l.text);
}

/* One block, as far as it was read. */
struct block {
	unsigned caps;
	bool limited;
	struct policy_limits limits;
};

static int parse_limit(struct parse *p, struct block *b)
{
	bool known = false;
	int rc;

	if (p->doc->arena == NULL && (p->doc->arena = arena_new(LIMITS_ARENA)) == NULL)
		return err_set(p->l.e, ERR_NOMEM, "out of memory");
	rc = policy_limits_parse(&p->l, p->doc->arena, &b->limits, &known);
	if (rc == ERR_OK && !known)
		return unknown_key(p);
	b->limited = true;
	return rc;
}

static int parse_rule_member(struct parse *p, struct block *b)
{
	int (*value)(struct parse * p, unsigned *caps);
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	if (policy_lex_is(&p->l, "capabilities"))
		value = parse_capabilities;
	else if (policy_lex_is(&p->l, "policy"))
		value = parse_shorthand;
	else
		return parse_limit(p, b);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK ||
	    (rc = policy_lex_assign(&p->l)) != ERR_OK)
		return rc;
	return value(p, &b->caps);
}

static int check_path_pattern(struct parse *p, const char *path, size_t n, int line,
                              bool *templated)
{
	const char *why;

	if (n > LIMIT_PATH)
		return policy_lex_fail(&p->l, line, "path is longer than %u bytes",
		                       LIMIT_PATH);
	if (!text_printable(path, n))
		return policy_lex_fail(&p->l, line,
		                       "path has control characters or is not UTF-8");
	if (memmem(path, n, "+*", 2) != NULL)
		return policy_lex_fail(&p->l, line,
		                       "path \"%.*s\": invalid use of wildcards ('+*')",
		                       n < 80 ? (int)n : 80, path);
	if (policy_template_check(path, n, templated, &why) != 0)
		return policy_lex_fail(&p->l, line, "path \"%.*s\": %s",
		                       n < 80 ? (int)n : 80, path, why);
	return ERR_OK;
}

static int check_wrap_bounds(struct parse *p, const struct block *b, int line)
{
	const struct policy_limits *m = &b->limits;

	if (m->max_wrap_ms != 0 && m->max_wrap_ms < m->min_wrap_ms)
		return policy_lex_fail(
			&p->l, line,
			"max_wrapping_ttl cannot be less than min_wrapping_ttl");
	return ERR_OK;
}

static int add_rule(struct parse *p, const char *path, size_t n, const struct block *b)
{
	struct policy_limits *limits = NULL;

	if (n > 0 && path[0] == '/') {
		path++;
		n--;
	}
	if (b->limited &&
	    (limits = arena_dup(p->doc->arena, &b->limits, sizeof(b->limits))) == NULL)
		return err_set(p->l.e, ERR_NOMEM, "out of memory");
	return policy_doc_add(p->doc, path, n, b->caps, limits) == 0
	               ? ERR_OK
	               : err_set(p->l.e, ERR_NOMEM, "out of memory");
}

/* p->l is at the '{' behind the path.  A block with a template is dropped: no token here
 * has an identity, and a value that is missing matches nothing. */
static int parse_rule(struct parse *p, const char *path, size_t n, int line)
{
	struct block b = { 0 };
	bool templated = false;
	int rc = check_path_pattern(p, path, n, line, &templated);

	if (rc != ERR_OK || (rc = policy_lex_expect(&p->l, PT_LBRACE, "'{'")) != ERR_OK)
		return rc;
	while (p->l.tok != PT_RBRACE) {
		if (p->l.tok == PT_EOF)
			return policy_lex_fail(&p->l, line, "block not closed");
		if ((rc = parse_rule_member(p, &b)) != ERR_OK ||
		    (rc = policy_lex_separator(&p->l, PT_RBRACE)) != ERR_OK)
			return rc;
	}
	if ((rc = check_wrap_bounds(p, &b, line)) != ERR_OK ||
	    (!templated && (rc = add_rule(p, path, n, &b)) != ERR_OK))
		return rc;
	return policy_lex_next(&p->l);
}

/* "x" { … } and, in maps, "x" = { … }. */
static int parse_named_rule(struct parse *p)
{
	const char *path = p->l.text;
	size_t n = p->l.len;
	int line = p->l.tok_line, rc = policy_lex_next(&p->l);

	if (rc == ERR_OK && p->l.json)
		rc = policy_lex_expect(&p->l, PT_ASSIGN, "':'");
	else if (rc == ERR_OK && p->l.tok == PT_ASSIGN)
		rc = policy_lex_next(&p->l);
	return rc == ERR_OK ? parse_rule(p, path, n, line) : rc;
}

static int parse_rule_map(struct parse *p)
{
	int line = p->l.tok_line, rc = policy_lex_expect(&p->l, PT_LBRACE, "'{'");

	while (rc == ERR_OK && p->l.tok != PT_RBRACE) {
		if (p->l.tok == PT_EOF)
			return policy_lex_fail(&p->l, line, "block not closed");
		if (p->l.tok != PT_STRING)
			return policy_lex_fail(&p->l, p->l.tok_line,
			                       "expected a path in quotes");
		if ((rc = parse_named_rule(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, PT_RBRACE);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

static int parse_rule_maps(struct parse *p)
{
	int rc = policy_lex_next(&p->l);

	while (rc == ERR_OK && p->l.tok != PT_RBRACK) {
		if ((rc = parse_rule_map(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

/* Behind the word "path". */
static int parse_path(struct parse *p)
{
	int rc;

	if (!p->l.json && p->l.tok == PT_STRING)
		return parse_named_rule(p);
	if ((rc = policy_lex_expect(&p->l, PT_ASSIGN,
	                            p->l.json ? "':'" : "a path in quotes")) != ERR_OK)
		return rc;
	return p->l.tok == PT_LBRACK ? parse_rule_maps(p) : parse_rule_map(p);
}

static int parse_name(struct parse *p)
{
	int rc = policy_lex_assign(&p->l);

	return rc == ERR_OK ? policy_lex_expect(&p->l, PT_STRING, "a string") : rc;
}

static int parse_top_member(struct parse *p)
{
	bool is_path;
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	is_path = policy_lex_is(&p->l, "path");
	if (!is_path && !policy_lex_is(&p->l, "name"))
		return unknown_key(p);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	return is_path ? parse_path(p) : parse_name(p);
}

static int parse_members(struct parse *p, enum policy_tok close)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && p->l.tok != close) {
		if ((rc = parse_top_member(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, close);
	}
	return rc;
}

static int parse_all(struct parse *p)
{
	int rc = policy_lex_next(&p->l);

	if (rc != ERR_OK || !p->l.json)
		return rc == ERR_OK ? parse_members(p, PT_EOF) : rc;
	if ((rc = policy_lex_next(&p->l)) != ERR_OK ||
	    (rc = parse_members(p, PT_RBRACE)) != ERR_OK ||
	    (rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	return p->l.tok == PT_EOF
	               ? ERR_OK
	               : policy_lex_fail(&p->l, p->l.tok_line, "text after the end");
}

int policy_parse(const char *text, size_t n, struct policy_doc **out, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * LIMIT_POLICY_TEXT + 64 * 1024);
	struct parse p = { 0 };
	int rc;

	if (n > LIMIT_POLICY_TEXT)
		return err_set(e, ERR_TOO_BIG, "policy is larger than %u bytes",
		               LIMIT_POLICY_TEXT);
	if (a == NULL || (p.doc = policy_doc_new()) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	policy_lex_start(&p.l, a, text, n, e);
	rc = parse_all(&p);
	if (rc == ERR_OK && policy_doc_index(p.doc) != 0)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK) {
		policy_doc_free(p.doc);
		return rc;
	}
	*out = p.doc;
	return ERR_OK;
}

struct value *policies_cap_names(struct arena *a, unsigned caps)
{
	struct value *list = value_array(a);

	if (caps == 0 || (caps & CAP_DENY)) {
		value_add(list, value_str(a, "deny"));
		return list;
	}
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++)
		if (caps & cap_names[i].cap)
			value_add(list, value_str(a, cap_names[i].name));
	return list;
}

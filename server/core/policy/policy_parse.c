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
	{ "sudo",   CAP_SUDO  },
        { "update", CAP_UPDATE},
};

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

/* Understood, but nothing here would act on them: such a policy is refused as a whole. */
static const char *const unsupported[] = {
	"allowed_parameters", "denied_parameters", "required_parameters",
	"min_wrapping_ttl",   "max_wrapping_ttl",
};

struct parse {
	struct policy_lex l;
	struct policy_doc *doc;
};

static bool text_is(const struct policy_lex *l, const char *s)
{
	return l->len == strlen(s) && memcmp(l->text, s, l->len) == 0;
}

/* For messages: as much of a token's text as is printable. */
static int shown(const struct policy_lex *l)
{
	if (l->len > 80 || !text_printable(l->text, l->len))
		return 0;
	return (int)l->len;
}

static int expect(struct parse *p, enum policy_tok tok, const char *what)
{
	if (p->l.tok != tok)
		return policy_lex_fail(&p->l, p->l.tok_line, "expected %s", what);
	return policy_lex_next(&p->l);
}

static bool is_key(const struct parse *p)
{
	return p->l.tok == PT_STRING || (p->l.tok == PT_IDENT && !p->l.json);
}

/* Between two members: JSON wants a comma and none at the end, HCL takes any. */
static int separator(struct parse *p, enum policy_tok close)
{
	bool comma = p->l.tok == PT_COMMA;
	int line = p->l.tok_line, rc;

	if (comma && (rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	if (p->l.json && comma == (p->l.tok == close))
		return policy_lex_fail(&p->l, line, "%s",
		                       comma ? "comma before the end" : "expected ','");
	return ERR_OK;
}

static int add_capability(struct parse *p, unsigned *caps)
{
	if (p->l.tok != PT_STRING)
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "capabilities: expected a string");
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++) {
		if (text_is(&p->l, cap_names[i].name)) {
			*caps |= cap_names[i].cap;
			return policy_lex_next(&p->l);
		}
	}
	return policy_lex_fail(&p->l, p->l.tok_line, "invalid capability \"%.*s\"",
	                       shown(&p->l), p->l.text);
}

static int parse_capabilities(struct parse *p, unsigned *caps)
{
	int rc = expect(p, PT_LBRACK, "a list of capabilities");

	while (rc == ERR_OK && p->l.tok != PT_RBRACK) {
		if ((rc = add_capability(p, caps)) != ERR_OK)
			break;
		if (!p->l.json && p->l.tok != PT_COMMA && p->l.tok != PT_RBRACK)
			return policy_lex_fail(&p->l, p->l.tok_line,
			                       "expected ',' or ']'");
		rc = separator(p, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

static int parse_shorthand(struct parse *p, unsigned *caps)
{
	for (size_t i = 0; p->l.tok == PT_STRING && i < ARRAY_LEN(shorthands); i++) {
		if (text_is(&p->l, shorthands[i].name)) {
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
	for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
		if (text_is(&p->l, unsupported[i]))
			return policy_lex_fail(
				&p->l, p->l.tok_line,
				"%s is not supported yet: the policy was not "
				"stored, because it would grant more than it says",
				unsupported[i]);
	return policy_lex_fail(&p->l, p->l.tok_line, "invalid key \"%.*s\"", shown(&p->l),
	                       p->l.text);
}

static int parse_rule_member(struct parse *p, unsigned *caps)
{
	int (*value)(struct parse * p, unsigned *caps);
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	if (text_is(&p->l, "capabilities"))
		value = parse_capabilities;
	else if (text_is(&p->l, "policy"))
		value = parse_shorthand;
	else
		return unknown_key(p);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	rc = expect(p, PT_ASSIGN, p->l.json ? "':'" : "'='");
	return rc == ERR_OK ? value(p, caps) : rc;
}

static int check_path_pattern(struct parse *p, const char *path, size_t n, int line)
{
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
	if (memmem(path, n, "{{", 2) != NULL || memmem(path, n, "}}", 2) != NULL)
		return policy_lex_fail(&p->l, line,
		                       "templates in paths are not supported yet");
	return ERR_OK;
}

/* p->l is at the '{' behind the path. */
static int parse_rule(struct parse *p, const char *path, size_t n, int line)
{
	unsigned caps = 0;
	int rc = check_path_pattern(p, path, n, line);

	if (rc != ERR_OK || (rc = expect(p, PT_LBRACE, "'{'")) != ERR_OK)
		return rc;
	while (p->l.tok != PT_RBRACE) {
		if (p->l.tok == PT_EOF)
			return policy_lex_fail(&p->l, line, "block not closed");
		if ((rc = parse_rule_member(p, &caps)) != ERR_OK ||
		    (rc = separator(p, PT_RBRACE)) != ERR_OK)
			return rc;
	}
	if (n > 0 && path[0] == '/') {
		path++;
		n--;
	}
	if (policy_doc_add(p->doc, path, n, caps) != 0)
		return err_set(p->l.e, ERR_NOMEM, "out of memory");
	return policy_lex_next(&p->l);
}

/* "x" { … } and, in maps, "x" = { … }. */
static int parse_named_rule(struct parse *p)
{
	const char *path = p->l.text;
	size_t n = p->l.len;
	int line = p->l.tok_line, rc = policy_lex_next(&p->l);

	if (rc == ERR_OK && p->l.json)
		rc = expect(p, PT_ASSIGN, "':'");
	else if (rc == ERR_OK && p->l.tok == PT_ASSIGN)
		rc = policy_lex_next(&p->l);
	return rc == ERR_OK ? parse_rule(p, path, n, line) : rc;
}

static int parse_rule_map(struct parse *p)
{
	int line = p->l.tok_line, rc = expect(p, PT_LBRACE, "'{'");

	while (rc == ERR_OK && p->l.tok != PT_RBRACE) {
		if (p->l.tok == PT_EOF)
			return policy_lex_fail(&p->l, line, "block not closed");
		if (p->l.tok != PT_STRING)
			return policy_lex_fail(&p->l, p->l.tok_line,
			                       "expected a path in quotes");
		if ((rc = parse_named_rule(p)) == ERR_OK)
			rc = separator(p, PT_RBRACE);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

static int parse_rule_maps(struct parse *p)
{
	int rc = policy_lex_next(&p->l);

	while (rc == ERR_OK && p->l.tok != PT_RBRACK) {
		if ((rc = parse_rule_map(p)) == ERR_OK)
			rc = separator(p, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

/* Behind the word "path". */
static int parse_path(struct parse *p)
{
	int rc;

	if (!p->l.json && p->l.tok == PT_STRING)
		return parse_named_rule(p);
	if ((rc = expect(p, PT_ASSIGN, p->l.json ? "':'" : "a path in quotes")) != ERR_OK)
		return rc;
	return p->l.tok == PT_LBRACK ? parse_rule_maps(p) : parse_rule_map(p);
}

static int parse_name(struct parse *p)
{
	int rc = expect(p, PT_ASSIGN, p->l.json ? "':'" : "'='");

	return rc == ERR_OK ? expect(p, PT_STRING, "a string") : rc;
}

static int parse_top_member(struct parse *p)
{
	bool is_path;
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	is_path = text_is(&p->l, "path");
	if (!is_path && !text_is(&p->l, "name"))
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
			rc = separator(p, close);
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

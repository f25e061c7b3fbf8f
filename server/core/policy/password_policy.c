/* SPDX-License-Identifier: Apache-2.0 */
#include "password_policy.h"

#include <string.h>

#include "arena.h"
#include "path.h"
#include "policy_impl.h"
#include "store.h"
#include "text.h"

#define INVALID "invalid password policy: "

/* A policy as far as it was read. */
struct parse {
	struct policy_lex l;
	struct generate_mix *mix;
	int64_t length;
	int64_t least; /* characters that the rules demand together */
};

static bool is_key(const struct parse *p)
{
	return p->l.tok == PT_STRING || (p->l.tok == PT_IDENT && !p->l.json);
}

static int unknown_key(struct parse *p)
{
	return policy_lex_fail(&p->l, p->l.tok_line, "invalid key \"%.*s\"",
	                       policy_lex_shown(&p->l), p->l.text);
}

/* A whole number behind '='; a sign is read, to be refused by who knows what it is. */
static int parse_number(struct parse *p, const char *what, int64_t *out)
{
	int rc = policy_lex_assign(&p->l);
	const char *s = p->l.text;
	size_t n = p->l.len, at = 0;
	int64_t v = 0;

	if (rc != ERR_OK)
		return rc;
	if (p->l.tok != PT_NUMBER)
		return policy_lex_fail(&p->l, p->l.tok_line, "%s: expected a number",
		                       what);
	at = s[0] == '-';
	for (; at < n && s[at] >= '0' && s[at] <= '9' && v < 1000000; at++)
		v = v * 10 + (s[at] - '0');
	if (at < n || n == (size_t)(s[0] == '-'))
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "%s: expected a whole number", what);
	*out = s[0] == '-' ? -v : v;
	return policy_lex_next(&p->l);
}

/* The code point at ${*at} of text that is known to be UTF-8. */
static uint32_t code_point(const char *text, size_t *at)
{
	const unsigned char *p = (const unsigned char *)text + *at;
	size_t more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	uint32_t cp = more == 0 ? p[0] : p[0] & (0x3fu >> more);

	for (size_t i = 1; i <= more; i++)
		cp = cp << 6 | (p[i] & 0x3fu);
	*at += more + 1;
	return cp;
}

/* Blank and invisible characters beyond ASCII are not what a password should have. */
static bool is_printed(uint32_t cp)
{
	return cp != 0xa0 && cp != 0xad && cp != 0x3000 && cp != 0xfeff &&
	       !(cp >= 0x2000 && cp <= 0x200f) && !(cp >= 0x2028 && cp <= 0x202f) &&
	       !(cp >= 0x205f && cp <= 0x206f) && !(cp >= 0xe000 && cp <= 0xf8ff) &&
	       !(cp >= 0xfff0 && cp <= 0xfffb) && (cp & 0xfffe) != 0xfffe && cp < 0xe0000;
}

struct charset {
	uint32_t chars[GENERATE_CHARS_MAX + 1];
	size_t n;
	int64_t min;
};

static int parse_chars(struct parse *p, struct charset *set)
{
	int rc = policy_lex_assign(&p->l);

	if (rc != ERR_OK)
		return rc;
	if (p->l.tok != PT_STRING)
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "charset: expected a string");
	if (!text_printable(p->l.text, p->l.len))
		return err_set(p->l.e, ERR_INVALID,
		               INVALID "1 error occurred:\n\t* non-printable character "
		                       "in charset\n\n");
	set->n = 0;
	for (size_t at = 0; at < p->l.len && set->n <= GENERATE_CHARS_MAX;) {
		set->chars[set->n] = code_point(p->l.text, &at);
		if (!is_printed(set->chars[set->n++]))
			return err_set(p->l.e, ERR_INVALID,
			               INVALID "1 error occurred:\n\t* non-printable "
			                       "character in charset\n\n");
	}
	if (set->n > GENERATE_CHARS_MAX)
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "charset is too long: limited to %u characters",
		                       GENERATE_CHARS_MAX);
	return policy_lex_next(&p->l);
}

static int parse_rule_member(struct parse *p, struct charset *set)
{
	bool chars;
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	chars = policy_lex_is(&p->l, "charset");
	if (!chars && !policy_lex_is(&p->l, "min-chars"))
		return unknown_key(p);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	return chars ? parse_chars(p, set) : parse_number(p, "min-chars", &set->min);
}

static int add_rule(struct parse *p, const struct charset *set, int line)
{
	struct err why;

	if (set->n == 0)
		return policy_lex_fail(&p->l, line, "no charset specified");
	if (set->min < 0)
		return policy_lex_fail(&p->l, line, "min-chars must not be negative");
	p->least += set->min;
	if (generate_mix_add(p->mix, set->chars, set->n, (size_t)set->min, &why) !=
	    ERR_OK)
		return policy_lex_fail(&p->l, line, "%s", why.msg);
	return ERR_OK;
}

/* From the '{' of a charset. */
static int parse_charset(struct parse *p)
{
	struct charset set = { .n = 0 };
	int line = p->l.tok_line, rc = policy_lex_expect(&p->l, PT_LBRACE, "'{'");

	while (rc == ERR_OK && p->l.tok != PT_RBRACE) {
		if (p->l.tok == PT_EOF)
			return policy_lex_fail(&p->l, line, "block not closed");
		if ((rc = parse_rule_member(p, &set)) == ERR_OK)
			rc = policy_lex_separator(&p->l, PT_RBRACE);
	}
	if (rc != ERR_OK || (rc = add_rule(p, &set, line)) != ERR_OK)
		return rc;
	return policy_lex_next(&p->l);
}

typedef int (*parse_fn)(struct parse *p);

/* One of what ${fn} reads, or in JSON a list of them. */
static int parse_each(struct parse *p, parse_fn fn)
{
	int rc;

	if (!p->l.json || p->l.tok != PT_LBRACK)
		return fn(p);
	rc = policy_lex_next(&p->l);
	while (rc == ERR_OK && p->l.tok != PT_RBRACK) {
		if ((rc = fn(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

/* The kind of a rule and what is in it: "charset" { … } */
static int parse_kind(struct parse *p)
{
	int rc;

	if (p->l.tok != PT_STRING)
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "rule: expected its kind in quotes");
	if (!policy_lex_is(&p->l, "charset"))
		return policy_lex_fail(&p->l, p->l.tok_line,
		                       "unrecognized rule type %.*s",
		                       policy_lex_shown(&p->l), p->l.text);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	if (p->l.json && (rc = policy_lex_assign(&p->l)) != ERR_OK)
		return rc;
	return parse_each(p, parse_charset);
}

/* JSON: { "charset": { … } } */
static int parse_kinds(struct parse *p)
{
	int rc = policy_lex_expect(&p->l, PT_LBRACE, "'{'");

	while (rc == ERR_OK && p->l.tok != PT_RBRACE) {
		if ((rc = parse_kind(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, PT_RBRACE);
	}
	return rc == ERR_OK ? policy_lex_next(&p->l) : rc;
}

static int parse_top_member(struct parse *p)
{
	bool rule;
	int rc;

	if (!is_key(p))
		return policy_lex_fail(&p->l, p->l.tok_line, "expected a key");
	rule = policy_lex_is(&p->l, "rule");
	if (!rule && !policy_lex_is(&p->l, "length"))
		return unknown_key(p);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	if (!rule)
		return parse_number(p, "length", &p->length);
	if (!p->l.json)
		return parse_kind(p);
	if ((rc = policy_lex_assign(&p->l)) != ERR_OK)
		return rc;
	return parse_each(p, parse_kinds);
}

static int parse_members(struct parse *p, enum policy_tok close)
{
	int rc = policy_lex_next(&p->l);

	while (rc == ERR_OK && p->l.tok != close) {
		if ((rc = parse_top_member(p)) == ERR_OK)
			rc = policy_lex_separator(&p->l, close);
	}
	return rc;
}

static int parse_all(struct parse *p)
{
	int rc;

	if (!p->l.json)
		return parse_members(p, PT_EOF);
	if ((rc = policy_lex_next(&p->l)) != ERR_OK ||
	    (rc = parse_members(p, PT_RBRACE)) != ERR_OK ||
	    (rc = policy_lex_next(&p->l)) != ERR_OK)
		return rc;
	return p->l.tok == PT_EOF
	               ? ERR_OK
	               : policy_lex_fail(&p->l, p->l.tok_line, "text after the end");
}

/* What Vault says of the policy as a whole, all at once. */
static int check_numbers(const struct parse *p, struct err *e)
{
	char demand[128] = "";
	bool no_chars = p->mix->n == 0;

	if (p->length <= 0)
		(void)snprintf(demand, sizeof(demand), "length must be > 0");
	else if (p->length < p->least)
		(void)snprintf(demand, sizeof(demand),
		               "specified rules require at least %lld characters but "
		               "%lld is specified",
		               (long long)p->least, (long long)p->length);
	if (demand[0] != '\0' && no_chars)
		return err_set(e, ERR_INVALID,
		               INVALID "2 errors occurred:\n\t* %s\n\t* no charset "
		                       "specified\n\n",
		               demand);
	if (demand[0] != '\0' || no_chars)
		return err_set(e, ERR_INVALID, INVALID "1 error occurred:\n\t* %s\n\n",
		               no_chars ? "no charset specified" : demand);
	if (p->length < PASSWORD_LENGTH_MIN || p->length > PASSWORD_LENGTH_MAX)
		return err_set(e, ERR_INVALID,
		               "passwords must be between %d and %d characters",
		               PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX);
	return ERR_OK;
}

/* Can it be met, and is one password in some thousand texts what meets it? */
static int check_share(const struct generate_mix *m, struct err *e)
{
	struct err why;
	double share = 0;
	int rc = generate_mix_share(m, &share, &why);

	if (rc != ERR_OK)
		return err_set(e, rc, INVALID "%s", why.msg);
	if (share < GENERATE_SHARE_MIN)
		return err_set(e, ERR_INVALID,
		               INVALID "fewer than one in %d random texts would meet the "
		                       "rules: make it longer, or demand less",
		               (int)(1 / GENERATE_SHARE_MIN));
	return ERR_OK;
}

int password_policy_parse(const char *text, size_t n, struct generate_mix *out,
                          struct err *e)
{
	AUTO_ARENA a = arena_new(4 * PASSWORD_POLICY_TEXT + 64 * 1024);
	struct parse p = { .mix = out };
	int rc;

	if (n > PASSWORD_POLICY_TEXT)
		return err_set(e, ERR_TOO_BIG, "policy is larger than %u bytes",
		               PASSWORD_POLICY_TEXT);
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memset(out, 0, sizeof(*out));
	policy_lex_start(&p.l, a, text, n, e);
	p.l.what = "invalid password policy";
	if ((rc = parse_all(&p)) != ERR_OK || (rc = check_numbers(&p, e)) != ERR_OK)
		return rc;
	out->length = (size_t)p.length;
	return check_share(out, e);
}

/* --- stored ----------------------------------------------------------------------- */

static int open_policy(struct core *c, struct arena *a, const char *name,
                       struct store_object *o, struct err *e)
{
	unsigned char id[32];
	int rc;

	store_blind(c, id, "password-policy", name, strlen(name), NULL, 0);
	rc = store_get(c, a, KIND_PASSWORD_POLICY, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	*o = (struct store_object){ .kind = KIND_PASSWORD_POLICY, .id_len = sizeof(id) };
	memcpy(o->id, id, sizeof(id));
	return err_set(e, ERR_NOENT, "policy does not exist");
}

int password_policy_put(struct core *c, struct arena *a, const char *name,
                        const char *text, size_t n, struct err *e)
{
	struct store_object o = { 0 };
	struct generate_mix mix;
	int rc = password_policy_parse(text, n, &mix, e);

	if (rc != ERR_OK)
		return rc;
	rc = open_policy(c, a, name, &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	o.body = value_object(a);
	value_set_str(a, o.body, "name", name);
	value_set(o.body, "text", value_strn(a, text, n));
	return store_put(c, &o, e);
}

int password_policy_text(struct core *c, struct arena *a, const char *name,
                         const char **out, struct err *e)
{
	struct store_object o = { 0 };
	int rc = open_policy(c, a, name, &o, e);

	if (rc == ERR_OK)
		*out = value_cstr_or(a, o.body, "text", "");
	return rc;
}

int password_policy_delete(struct core *c, struct arena *a, const char *name,
                           struct err *e)
{
	struct store_object o = { 0 };
	int rc = open_policy(c, a, name, &o, e);

	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? store_delete(c, &o, e) : rc;
}

int password_policy_generate(struct core *c, struct arena *a, const char *name,
                             const char **out, struct err *e)
{
	uint32_t *text = arena_alloc(a, PASSWORD_LENGTH_MAX * sizeof(*text));
	char *password = arena_alloc(a, PASSWORD_LENGTH_MAX * TEXT_UTF8_MAX + 1);
	struct generate_mix mix = { .length = 0 };
	const char *policy = "";
	size_t n = 0;
	int rc;

	if (text == NULL || password == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = password_policy_text(c, a, name, &policy, e)) != ERR_OK)
		return rc;
	if (password_policy_parse(policy, strlen(policy), &mix, e) != ERR_OK)
		return err_set(e, ERR_INTEGRITY,
		               "stored password policy configuration failed to parse");
	if ((rc = generate_mix_text(&mix, text, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < mix.length; i++)
		n += text_utf8_put(password + n, text[i]);
	password[n] = '\0';
	*out = password;
	return ERR_OK;
}

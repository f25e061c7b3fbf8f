/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/judge.h"

#include <string.h>

#include "text.h"
#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/keyname.h"
#include "verdict/placeholder.h"
#include "verdict/random.h"
#include "verdict/structure.h"

bool judge_encoded_words(const char *s, size_t n)
{
	char plain[96];
	long len;

	if (n < 12 || n % 4 != 0)
		return false;
	len = structure_unbase64(s, n, (uint8_t *)plain, sizeof(plain));
	return len >= 8 && text_printable(plain, (size_t)len) &&
	       placeholder_words(plain, (size_t)len);
}

/* In single quotes, which no shell and few languages look into. */
static bool in_literal(const struct place *p, const char *s)
{
	return p->at > 0 && s == p->text + p->at && s[-1] == '\'';
}

enum drop judge_common(const struct place *p, const char *s, size_t n)
{
	bool public;

	if (placeholder_variable(s, n, in_literal(p, s)) || placeholder_reference(s, n))
		return DROP_PLACEHOLDER;
	public = placeholder_public(s, n);
	if (!public && (placeholder_redacted(s, n) || placeholder_interface(s, n) ||
	                placeholder_words(s, n) || judge_encoded_words(s, n) ||
	                placeholder_pattern(s, n)))
		return DROP_PLACEHOLDER;
	/* Last, since it takes a hash. */
	if (placeholder_sample(s, n))
		return DROP_PLACEHOLDER;
	return public ? DROP_ALLOW_RULE : DROP_NONE;
}

/* Letters, digits and '_', the first no digit, maybe more of them after '.', '::' or
 * '->'. */
static bool identifier(const char *s, size_t n)
{
	bool start = true;

	for (size_t i = 0; i < n; i++) {
		if (ascii_alpha(s[i]) || s[i] == '_' || (!start && ascii_digit(s[i])))
			start = false;
		else if (s[i] == '.' || s[i] == ':' ||
		         (s[i] == '-' && i + 1 < n && s[i + 1] == '>') ||
		         (s[i] == '>' && i > 0 && s[i - 1] == '-'))
			start = true;
		else
			return false;
	}
	return n > 0 && !start;
}

static bool uuid(const char *s, size_t n)
{
	if (n != 36)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !ascii_any("0123456789abcdefABCDEF", s[i]))
			return false;
	}
	return true;
}

static const char *const *const file_kinds[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("asc"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("crt", "conf", "css", "cer"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("deb"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("env"),
	[ASCII_FIRST('g')] = ASCII_TEXTS("go", "gpg"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("html", "h"),
	[ASCII_FIRST('j')] = ASCII_TEXTS("json", "js", "jsx", "jks", "java", "jar"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("key", "keystore"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("md"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("pem", "php", "py", "png", "p12", "pub", "pfx"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("rb", "rpm"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("svg", "service"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("txt", "ts", "tsx", "tgz"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("whl"),
	[ASCII_FIRST('x')] = ASCII_TEXTS("xml"),
	[ASCII_FIRST('y')] = ASCII_TEXTS("yaml", "yml"),
};

/* Does it end like the name of a file? */
static bool of_file(const char *s, size_t n)
{
	const char *dot = memrchr(s, '.', n), *const * kind;
	size_t len;

	if (dot == NULL || dot == s)
		return false;
	len = n - (size_t)(++dot - s);
	kind = ascii_texts_of(file_kinds, len > 0 ? *dot : '\0');
	for (; *kind != NULL; kind++)
		if (ascii_equal(dot, len, *kind))
			return true;
	return false;
}

static bool path_like(const char *s, size_t n)
{
	struct shape shape;

	if (of_file(s, n))
		return true;
	if (ascii_starts(s, n, "./") || ascii_starts(s, n, "../") ||
	    ascii_starts(s, n, "~/") || ascii_find(s, n < 24 ? n : 24, "://") != NULL ||
	    (n > 3 && s[1] == ':' && s[2] == '\\'))
		return true;
	shape_of(s, n, &shape);
	return (s[0] == '/' || ascii_count(s, n, "/") > 0) && shape.words > 0.3 &&
	       ascii_count(s, n, "+=!@#$%^&*") == 0;
}

/* A call or an index: name( or name[, also where the regular expression cut it off. */
static bool call(const struct place *p, const char *s, size_t n)
{
	size_t i = 0;

	if (context_quoted(p) &&
	    (ascii_count(s, n, "0123456789") >= 4 || !ascii_any(")]}", s[n - 1])))
		return false;

	while (i < n && (ascii_alnum(s[i]) || s[i] == '_' || s[i] == '.' || s[i] == ':' ||
	                 s[i] == '>' || s[i] == '-' || s[i] == '$' || s[i] == '\\'))
		i++;
	if (i == n && p->at + n < p->text_n && s == p->text + p->at)
		return p->text[p->at + n] == '(' || p->text[p->at + n] == '[' ||
		       p->text[p->at + n] == '{';
	return i > 0 && i < n && (s[i] == '(' || s[i] == '[' || s[i] == '{') &&
	       (ascii_alpha(s[0]) || s[0] == '_');
}

/* Is what ${s} begins with, of two bytes or more, of no text but an expression? */
static bool pattern_mark(const char *s, size_t n)
{
	switch (s[0]) {
	case '\\':
		return ascii_any("dwsSbx", s[1]);
	case '[':
		return s[1] == '^' || (n >= 4 && memcmp(s, "[0-9", 4) == 0);
	case 'a':
		return n >= 3 && memcmp(s, "a-z", 3) == 0;
	case '(':
		return s[1] == '?';
	case '+':
	case '*':
		return s[1] == ')';
	default:
		return false;
	}
}

/* A regular expression or glob.  Of two signs that meet by chance in a password, too, the
 * text around them decides. */
static bool pattern(const char *s, size_t n)
{
	struct shape shape;

	if (s[0] == '^' && s[n - 1] == '$')
		return true;
	for (size_t i = 0; i + 1 < n; i++)
		if (pattern_mark(s + i, n - i))
			return true;
	if (memmem(s, n, ".*", 2) == NULL && memmem(s, n, ".+", 2) == NULL)
		return false;
	shape_of(s, n, &shape);
	return shape_classes(&shape) < 4 || shape.digit < 2 ||
	       ascii_count(s, n, "()[]{}|\\") > 0;
}

/* Numbers, dates, addresses, versions: digits and what parts them. */
static bool number(const char *s, size_t n)
{
	size_t digits = 0, letters = 0;

	for (size_t i = 0; i < n; i++) {
		digits += ascii_digit(s[i]);
		letters += ascii_alpha(s[i]);
		if (!ascii_alnum(s[i]) && !ascii_any(".:-/,_+ xT", s[i]))
			return false;
	}
	if (n > 1 && s[0] == '-')
		s++, n--;
	return (digits > 0 && letters == 0) ||
	       (n > 2 && s[0] == '0' && ascii_lower(s[1]) == 'x' && n <= 18);
}

/* A port of /etc/services: "464/tcp". */
static bool service_port(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && ascii_digit(s[i]))
		i++;
	return i > 0 && i < 6 &&
	       (ascii_equal(s + i, n - i, "/tcp") || ascii_equal(s + i, n - i, "/udp") ||
	        ascii_equal(s + i, n - i, "/sctp"));
}

static bool address(const char *s, size_t n)
{
	const char *at = memchr(s, '@', n);

	/* A mail address: name@host.tld. */
	if (at == NULL || at == s || memchr(at, '.', (size_t)(s + n - at)) == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ascii_alnum(s[i]) && !ascii_any("@._-+", s[i]))
			return false;
	return memchr(at + 1, '@', (size_t)(s + n - at - 1)) == NULL &&
	       ascii_alpha(s[n - 1]);
}

/* "Winter_Vault4027", "renEA5Sm_BThM8CK": names of programs have fewer digits, or none
 * within, or no capitals. */
static bool made_up(const struct shape *shape, const char *s, size_t separators)
{
	return separators == 1 && shape_classes(shape) == 4 && shape->n <= 24 &&
	       (shape->digit >= 3 || shape_inner_digits(s, shape->n) >= 2);
}

/* Is what is in no quotes the name of a variable, and no value of a file of settings? */
static bool of_variable(const struct place *p, const struct shape *shape, const char *s)
{
	const size_t n = shape->n;

	if (context_quoted(p) || !identifier(s, n))
		return false;
	/* Files of settings hold no variables, and names have few digits. */
	if (memchr(s, '.', n) == NULL &&
	    (context_data_file(p) ? shape->digit >= 3
	                          : shape->digit >= 1 && context_env(p)))
		return false;
	if (shape->digit >= 3 && shape_classes(shape) == 4 && shape_random(shape) &&
	    context_config(p))
		return false;
	/* A name as of a function of a library. */
	if (ascii_count(s, n, "_") >= 2 && (shape->upper == 0 || shape->lower == 0) &&
	    shape->digit <= n / 6 && !context_data_file(p))
		return true;
	if (ascii_count(s, n, "._:>") > 0 && (shape->digit == 0 || shape->words > 0))
		return true;
	return shape_wordy(shape) && shape->lower > 0 && shape->upper > 0 &&
	       shape->digit <= n / 6;
}

bool judge_code(const struct place *p, const char *s, size_t n)
{
	const char *equals;
	struct shape shape;
	size_t separators;

	if (n == 0 || uuid(s, n) || number(s, n) || service_port(s, n) || address(s, n) ||
	    path_like(s, n) || pattern(s, n) || call(p, s, n))
		return true;
	shape_of(s, n, &shape);
	if (ascii_any("<>{}[]()", s[0]) && shape.words > 0)
		return true;
	/* Words parted by dots, dashes, colons, underscores or slashes. */
	separators = ascii_count(s, n, "-_.:/, ");
	if (separators > 0 && separators == shape.sign + shape.space &&
	    ((shape_wordy(&shape) && shape.digit <= 2 + n / 8 &&
	      !made_up(&shape, s, separators)) ||
	     (shape.digit == 0 && separators >= 2 && shape.words > -0.2) ||
	     (separators >= 3 && (shape.upper == 0 || shape.lower == 0) &&
	      shape.digit <= n / 4 && shape.words > -0.3)))
		return true;
	/* A long text of words alone, a version: "v1alpha". */
	if ((n >= 24 && shape.digit == 0 && shape.sign <= 3 && shape_wordy(&shape)) ||
	    (n < 12 && s[0] == 'v' && ascii_digit(s[1]) && shape.upper + shape.sign == 0))
		return true;
	/* A query: name=value&name=value, or after "name?". */
	if ((equals = memchr(s, '?', n)) != NULL && identifier(s, (size_t)(equals - s)) &&
	    memchr(equals, '=', (size_t)(s + n - equals)) != NULL)
		return true;
	equals = memchr(s, '=', n);
	if (equals != NULL && identifier(s, (size_t)(equals - s)) &&
	    (memchr(equals, '&', (size_t)(s + n - equals)) != NULL ||
	     number(equals + 1, (size_t)(s + n - equals - 1))))
		return true;
	/* Markup of manual pages; the end of braces that begin elsewhere. */
	if (memmem(s, n, "\\f", 2) != NULL ||
	    (s[n - 1] == '}' && memchr(s, '{', n) == NULL && !context_quoted(p) &&
	     memmem(p->text + p->from, p->at - p->from, "${", 2) == NULL))
		return true;
	/* What a literal goes on with after an escape, or an operator. */
	if (s[0] == '\\' || s[0] == ':' || s[0] == ',' || s[0] == ';' || s[0] == '&')
		return true;
	if (memchr(s, '\\', n) != NULL && shape_wordy(&shape))
		return true;
	/* A variable of an object in Ruby, and a call that may be of nothing. */
	if (!context_quoted(p) &&
	    ((s[0] == '@' && identifier(s + 1, n - 1) && shape.digit == 0) ||
	     memmem(s, n, "&.", 2) != NULL))
		return true;
	/* Code around it: brackets, a pointer, a sum of names, a file, a title. */
	if (ascii_count(s, n, "(){}[];") >= 4 ||
	    (s[0] == '*' && identifier(s + 1, n - 1)) ||
	    (!context_quoted(p) && shape.digit == 0 && memchr(s, '+', n) != NULL &&
	     shape.sign == ascii_count(s, n, "+_.")) ||
	    (s[0] == '/' && ascii_count(s, n, "/") >= 2 &&
	     ascii_count(s, n, ".-_") > 0) ||
	    (shape.digit == 0 && s[n - 1] == ':'))
		return true;
	/* A part of a resource name. */
	if (p->at - p->from > 4 &&
	    ascii_find(p->text + p->at - (p->at - p->from < 80 ? p->at - p->from : 80),
	               p->at - p->from < 80 ? p->at - p->from : 80, "arn:aws") != NULL)
		return true;
	return of_variable(p, &shape, s);
}

/* Letters and digits mixed, or a sign that is in no word. */
static bool mixed(const struct shape *shape, const char *s)
{
	size_t strong = ascii_count(s, shape->n, "!@#$%^&*+=?~|\\,;");

	if (shape_classes(shape) >= 3 && (shape->digit > 0 || strong > 0))
		return true;
	if (shape->digit > 0 && shape->lower + shape->upper >= 2)
		return shape->n >= 8 || shape->words < 0.3 || strong > 0;
	return strong > 0 && shape->n >= 8 && shape->lower + shape->upper > 2 &&
	       !shape_wordy(shape);
}

static enum drop too_short(size_t n, size_t least)
{
	return n < least ? DROP_ENTROPY : DROP_NONE;
}

enum drop judge_password(const struct place *p, const char *s, size_t n)
{
	enum drop drop = judge_common(p, s, n);
	struct shape shape;

	if (drop != DROP_NONE || (drop = too_short(n, 4)) != DROP_NONE)
		return drop;
	if (pattern(s, n) || call(p, s, n) || ascii_starts(s, n, "/run/") ||
	    ascii_starts(s, n, "-"))
		return DROP_PLACEHOLDER;
	shape_of(s, n, &shape);
	/* Random text with a space in it, as the salts of WordPress. */
	if (n >= 24 && shape_classes(&shape) == 4 && shape.space <= n / 8 &&
	    shape.words < 0.2)
		return DROP_NONE;
	if (shape.space > 0)
		return judge_phrase(p, s, n);
	if (shape.n < 6 && shape_classes(&shape) < 2)
		return DROP_ENTROPY;
	if (context_prose(p) && shape_weak(&shape))
		return DROP_ENTROPY;
	if (shape.digit + shape.sign == 0 && (context_prose(p) || context_local(p)) &&
	    (shape_wordy(&shape) || shape_spoken(s, n)))
		return DROP_PLACEHOLDER;
	return DROP_NONE;
}

/* Code assigns what is not quoted to variables: foo = bar; only lines of configuration
 * files hold bare values. */
static bool bare_code(const struct place *p, const struct shape *shape, const char *s)
{
	const char *end = p->text + p->at + p->n;
	char next = p->at + p->n < p->to ? *end : '\n';

	if (context_quoted(p) || context_config(p))
		return false;
	if (ascii_count(s, shape->n, "{}()=;") > 1)
		return true;
	if ((next == ';' || next == ',') && context_listed(p))
		return false;
	if (next == ';' || next == ',' || next == ')' || next == '(' || next == '[')
		return !(shape_random(shape) && shape->digit > 1);
	return ascii_any("&*!-+=~@^%?:|", s[0]) && shape->digit < 2;
}

enum drop judge_strict(const struct place *p, const char *s, size_t n)
{
	enum drop drop = judge_common(p, s, n);
	struct shape shape;

	if (drop != DROP_NONE || (drop = too_short(n, 6)) != DROP_NONE)
		return drop;
	shape_of(s, n, &shape);
	if (shape.space > 0)
		return judge_phrase(p, s, n);
	if (shape.high > n / 4)
		return DROP_ENTROPY;
	if ((judge_code(p, s, n) || bare_code(p, &shape, s)) &&
	    (!shape_passphrase(s, n) || context_prose(p)))
		return DROP_PLACEHOLDER;
	if (context_hash(p))
		return DROP_CONTEXT;
	if (context_compared(p) && !context_quoted(p))
		return DROP_PLACEHOLDER;
	if (shape.digit + shape.sign == 0)
		return n >= (context_config(p) ? 8u : 12u) && !shape_wordy(&shape) &&
		                       shape.high == 0 && !shape_spoken(s, n) &&
		                       !context_prose(p)
		               ? DROP_NONE
		               : DROP_ENTROPY;
	if (context_prose(p) && shape_weak(&shape))
		return DROP_ENTROPY;
	return mixed(&shape, s) && !placeholder_standard(s, n) ? DROP_NONE : DROP_ENTROPY;
}

enum drop judge_opaque(const struct place *p, const char *s, size_t n)
{
	struct shape shape;
	enum drop drop;

	/* Most is not random, and that is seen soonest. */
	shape_of(s, n, &shape);
	if (!shape_random(&shape) || shape.high > 0)
		return DROP_ENTROPY;
	drop = judge_common(p, s, n);
	if (drop != DROP_NONE)
		return drop;
	return judge_code(p, s, n) ? DROP_PLACEHOLDER : DROP_NONE;
}

enum drop judge_bearer(const struct place *p, const char *s, size_t n)
{
	return uuid(s, n) ? judge_common(p, s, n) : judge_opaque(p, s, n);
}

/* "PASS: name of a test", what test suites print. */
static bool test_result(const struct place *p)
{
	const char *line = p->text + p->from;
	size_t n = p->at - p->from;

	if (n > 0 && line[0] == 'X')
		line++, n--;
	return n >= 6 && strncmp(line, "PASS: ", 6) == 0 &&
	       !ascii_glob("*.y*ml", p->path);
}

static enum drop assigned_password(const struct place *p, const char *s, size_t n)
{
	struct shape shape;
	enum drop drop;

	if (test_result(p))
		return DROP_CONTEXT;
	if (judge_random(p, s, n, &drop))
		return drop;
	drop = judge_strict(p, s, n);
	if (drop == DROP_PLACEHOLDER && shape_passphrase(s, n) && !context_prose(p) &&
	    (context_quoted(p) || context_config(p)))
		return judge_common(p, s, n);
	if (drop != DROP_ENTROPY || n < 7)
		return drop;
	shape_of(s, n, &shape);
	if (shape_scrambled(&shape) && !context_prose(p) &&
	    (context_quoted(p) || context_config(p)))
		return DROP_NONE;
	/* A word is a password where nothing else can be. */
	if (shape.space == 0 && shape.high == 0 && shape.sign == 0 && context_env(p) &&
	    !context_prose(p) && (shape.lower == 0 || shape.upper <= 1))
		return DROP_NONE;
	return DROP_ENTROPY;
}

/* Random, or what a person made up with signs and digits. */
static bool token_shape(const struct place *p, const struct shape *shape, const char *s)
{
	const size_t n = shape->n;

	/* Short texts of two classes are numbers of something. */
	if (shape_random(shape) &&
	    (n >= 16 || shape_classes(shape) >= 3 || (n >= 12 && context_config(p))))
		return true;
	return shape_classes(shape) >= 3 && shape->digit > 0 && shape->words < 1.0 &&
	       n <= 64 && ascii_count(s, n, "!@#$%^&*+=?~") > 0;
}

static enum drop assigned_token(const struct place *p, const char *s, size_t n)
{
	struct shape shape;
	enum drop drop;

	if (judge_random(p, s, n, &drop))
		return drop;
	shape_of(s, n, &shape);
	if (n < 8 || shape.space > 0 || shape.high > 0 || !token_shape(p, &shape, s))
		return DROP_ENTROPY;
	drop = judge_common(p, s, n);
	if (drop != DROP_NONE)
		return drop;
	if (judge_code(p, s, n) || bare_code(p, &shape, s))
		return DROP_PLACEHOLDER;
	if ((shape_hex(&shape) && context_test(p)) || context_hash(p))
		return DROP_CONTEXT;
	return shape.digit + shape.sign == 0 && shape_spoken(s, n) ? DROP_ENTROPY
	                                                           : DROP_NONE;
}

/* Of "value&name=…", a parameter among others, the length of the value. */
static size_t parameter_end(const char *s, size_t n)
{
	const char *amp = memchr(s, '&', n);

	if (amp == NULL || memchr(amp, '=', (size_t)(s + n - amp)) == NULL)
		return n;
	return (size_t)(amp - s);
}

/* In a file of settings, "key" alone is the name of a secret if the value is long. */
static bool lone_key(const struct place *p, const struct shape *shape)
{
	if (!context_data_file(p) || shape->n < 24)
		return false;
	return context_config(p) || (shape->n >= 32 && shape_classes(shape) >= 3);
}

/* "some_key": may be the key of anything. */
static enum drop assigned_key(const struct place *p, const char *name, const char *s,
                              size_t n)
{
	struct shape shape;
	enum drop drop;

	shape_of(s, n, &shape);
	/* "key" alone is any key: of a map, a cache, a test vector. */
	if ((strchr(name, '_') == NULL && !lone_key(p, &shape)) ||
	    (shape_hex(&shape) && !keyname_promises(name)))
		return DROP_NAME;
	drop = judge_opaque(p, s, n);
	if (drop != DROP_NONE)
		return drop;
	if (context_prose(p))
		return DROP_NAME;
	if (context_hash(p) || bare_code(p, &shape, s))
		return DROP_CONTEXT;
	return n >= 16 && shape.digit > 0 ? DROP_NONE : DROP_ENTROPY;
}

enum drop judge_assign(const struct place *p, const char *s, size_t n)
{
	char name[KEYNAME_MAX];

	n = parameter_end(s, n);
	/* The escaped end of a line, in a literal. */
	while (n > 6 && s[n - 2] == '\\' && (s[n - 1] == 'n' || s[n - 1] == 'r'))
		n -= 2;
	keyname_before(p->text + p->from, p->at - p->from, name);
	if (name[0] == '\0')
		keyname_before(p->text, p->at, name);
	if (context_compared(p) && !context_quoted(p))
		return DROP_PLACEHOLDER;
	/* What a call is said to return: f('', 'secret') => 'result'. */
	if (p->at - p->from > 8 && ascii_find(p->text + p->at - 8, 8, ") =>") != NULL)
		return DROP_CONTEXT;
	if (structure_chain_address(s, n) && strstr(name, "private") == NULL)
		return DROP_STRUCTURE;
	if (uuid(s, n) && keyname_of_uuid(name) && !context_prose(p))
		return judge_common(p, s, n);
	switch (keyname_class(name)) {
	case KEYNAME_PASSWORD:
		return assigned_password(p, s, n);
	case KEYNAME_TOKEN:
		return assigned_token(p, s, n);
	case KEYNAME_KEY:
		return assigned_key(p, name, s, n);
	default:
		return DROP_NAME;
	}
}

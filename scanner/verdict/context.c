/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/context.h"

#include <string.h>

#include "util.h"
#include "verdict/ascii.h"

#define NEAR_MAX   800u /* bytes to a keyword on other lines */
#define ESCAPE_MAX 16u  /* of a sequence for a terminal */

void context_place(const char *text, size_t n, size_t at, size_t value_n,
                   struct place *out)
{
	const char *before = memrchr(text, '\n', at),
		   *after = memchr(text + at, '\n', n - at);

	out->text = text;
	out->text_n = n;
	out->at = at;
	out->n = value_n;
	out->from = before == NULL ? 0 : (size_t)(before - text) + 1;
	out->to = after == NULL ? n : (size_t)(after - text);
}

/* Hexadecimal and base58 text that letters follow is part of something, too. */
static bool in_run(enum charset charset, char c)
{
	return ascii_alnum(c) || charset_has(charset, (unsigned char)c);
}

bool context_after_escape(const char *text, size_t at)
{
	size_t i = at > 0 ? at - 1 : 0;

	if (at == 0 || !ascii_alpha(text[i]))
		return false;
	while (i > 0 && at - i < ESCAPE_MAX &&
	       (ascii_digit(text[i - 1]) || text[i - 1] == ';'))
		i--;
	return i >= 2 && text[i - 1] == '[' && text[i - 2] == '\x1b';
}

bool context_whole(const struct place *p, enum charset charset)
{
	const char *end = p->text + p->at + p->n, *last = p->text + p->text_n;

	if (charset == CHARSET_NONE || p->n == 0)
		return true;
	/* A letter before it, unless it is that of an escape (\n) or a percent code. */
	if (p->at > 0 && ascii_alnum(p->text[p->at]) && ascii_alnum(p->text[p->at - 1]) &&
	    !context_after_escape(p->text, p->at) &&
	    !(p->at > 1 && p->text[p->at - 2] == '\\') &&
	    !(p->at > 2 && p->text[p->at - 3] == '%'))
		return false;
	/* In plain base64, '+' and '/' before it too make it a part of something. */
	if (p->at > 0 && charset == CHARSET_BASE64 && p->text[p->at - 1] == '+')
		return false;
	if (end >= last || !in_run(charset, *end))
		return true;
	/* A full stop or a dash that nothing follows ends a sentence, not a token. */
	return !ascii_alnum(*end) && (end + 1 >= last || !in_run(charset, end[1]));
}

/* An id has ended where no letter, digit or dash within it follows: "a" is not "a-b". */
static bool ends_id(const char *s, size_t n)
{
	return n == 0 ||
	       !(ascii_alnum(s[0]) || (s[0] == '-' && n > 1 && ascii_alnum(s[1])));
}

bool context_allowed(const struct place *p, const char *id)
{
	static const char *const tags[] = { "vaultscan:allow",
		                            "gitleaks:allow",
		                            "betterleaks:allow",
		                            "trufflehog:ignore",
		                            "kingfisher:ignore",
		                            "ggignore",
		                            "pragma: allowlist secret",
		                            "pragma: whitelist secret",
		                            "nosecret" };
	const char *before = p->from > 1 ? memrchr(p->text, '\n', p->from - 1) : NULL;
	size_t from = p->from < 2      ? p->from
	              : before == NULL ? 0
	                               : (size_t)(before - p->text) + 1;
	const char *s = p->text + from, *own;
	size_t n = p->to - from;

	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		if (ascii_find(s, n, tags[i]) != NULL)
			return true;
	own = ascii_find(s, n, "vaultctl:allow");
	if (own == NULL)
		return false;
	own += strlen("vaultctl:allow");
	n -= (size_t)(own - s);
	/* A rule may follow. */
	if (n < 2 || own[0] != ' ' || !ascii_alnum(own[1]))
		return true;
	own++;
	n--;
	return ascii_starts(own, n, id) && ends_id(own + strlen(id), n - strlen(id));
}

static bool word_in(const char *s, size_t n, const char *word)
{
	const char *at;
	size_t len = strlen(word);

	for (const char *from = s;
	     (at = ascii_find(from, n - (size_t)(from - s), word)) != NULL;
	     from = at + 1) {
		bool alone = (at == s || !ascii_alnum(at[-1])) &&
		             (at + len == s + n || !ascii_alnum(at[len]));

		if (len > 3 || alone || !ascii_alnum(word[len - 1]))
			return true;
	}
	return false;
}

bool context_near(const struct place *p, const char *word, size_t within, unsigned lines)
{
	size_t from = p->from, to = p->to, end = p->at + p->n;

	if (p->at - from > within)
		from = p->at - within;
	if (to > end + within)
		to = end + within;
	if (word_in(p->text + from, p->at - from, word) ||
	    (to > end && word_in(p->text + end, to - end, word)))
		return true;
	if (lines == 0)
		return false;
	for (from = p->from, to = p->to; lines > 0; lines--) {
		const char *at = from > 1 ? memrchr(p->text, '\n', from - 1) : NULL;

		from = at == NULL ? 0 : (size_t)(at - p->text) + 1;
		at = to < p->text_n ? memchr(p->text + to + 1, '\n', p->text_n - to - 1)
		                    : NULL;
		to = at == NULL ? p->text_n : (size_t)(at - p->text);
	}
	/* Lines may be long. */
	if (p->at - from > NEAR_MAX)
		from = p->at - NEAR_MAX;
	if (to > end + NEAR_MAX)
		to = end + NEAR_MAX;
	return word_in(p->text + from, p->at - from, word) ||
	       (to > end && word_in(p->text + end, to - end, word));
}

static bool path_is(const struct place *p, const char *const *globs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_glob(globs[i], p->path))
			return true;
	return false;
}

bool context_hash(const struct place *p)
{
	static const char *const locks[] = {
		"*package-lock.json",
		"*npm-shrinkwrap.json",
		"*yarn.lock",
		"*pnpm-lock.yaml",
		"*poetry.lock",
		"*cargo.lock",
		"*go.sum",
		"*composer.lock",
		"*gemfile.lock",
		"*flake.lock",
		"*.terraform.lock.hcl",
		"*pipfile.lock",
		"*uv.lock",
		"*md5sums",
		"*sha256sums*",
		"*checksums.txt",
		"*podfile.lock",
		"*mix.lock",
		"*deno.lock",
		"*bun.lock",
		"*.map",
		"*package.resolved",
		"*packages.lock.json",
		"*.svg",
		"*/record",
		"*gradle.lockfile",
		"*.asc",
		"*.sig",
	};
	static const char *const marks[] = {
		"integrity", "sha1-",        "sha256-",  "sha384-", "sha512-",
		"sha256:",   "sha512:",      "checksum", "digest",  "nar_hash",
		"narhash",   "\"mappings\"", ";base64,", "h1:",     "\"hash\"",
		"--hash=",   "md5sum:",      "-md5:"
	};

	if (path_is(p, locks, ARRAY_LEN(locks)))
		return true;
	if (context_near(p, "encrypteddata", 0, 5) ||
	    context_near(p, "sealedsecret", 0, 5))
		return true;
	/* Only what stands near it: a minified file is one line. */
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		size_t from = p->at - p->from > 60 ? p->at - 60 : p->from;

		if (ascii_find(p->text + from, p->at - from, marks[i]) != NULL)
			return true;
	}
	return false;
}

bool context_data_file(const struct place *p)
{
	static const char *const globs[] = { "*.env",        "*.env.*", "*.yaml",
		                             "*.yml",        "*.json",  "*.toml",
		                             "*.ini",        "*.conf",  "*.cfg",
		                             "*.properties", "*.cnf",   "*.tfvars",
		                             "*.config",     "*.plist" };

	return path_is(p, globs, ARRAY_LEN(globs));
}

bool context_compared(const struct place *p)
{
	size_t at = p->at;

	while (at > p->from && (ascii_space(p->text[at - 1]) || p->text[at - 1] == '"' ||
	                        p->text[at - 1] == '\''))
		at--;
	return at > p->from + 1 && p->text[at - 1] == '=' &&
	       (p->text[at - 2] == '=' || p->text[at - 2] == '!');
}

bool context_quoted(const struct place *p)
{
	char c = p->at > 0 ? p->text[p->at - 1] : ' ';

	return c == '"' || c == '\'' || c == '`';
}

bool context_config(const struct place *p)
{
	const char *s = p->text + p->from, *value = p->text + p->at;
	const char *end = value + p->n, *stop = p->text + p->to;

	while (s < value && (ascii_space(*s) || *s == '-' || *s == '"' || *s == '\'' ||
	                     *s == '#' || *s == ';'))
		s++;
	if (ascii_starts(s, (size_t)(value - s), "export ") ||
	    ascii_starts(s, (size_t)(value - s), "setenv "))
		s += 7;
	else if (ascii_starts(s, (size_t)(value - s), "env ") ||
	         ascii_starts(s, (size_t)(value - s), "arg ") ||
	         ascii_starts(s, (size_t)(value - s), "set "))
		s += 4;
	if (s == value)
		return false;
	while (s < value && (ascii_alnum(*s) || *s == '_' || *s == '.' || *s == '-'))
		s++;
	while (s < value && (ascii_space(*s) || ascii_any("=:\"'", *s)))
		s++;
	if (s != value)
		return false;
	while (end < stop &&
	       (ascii_space(*end) || *end == '"' || *end == '\'' || *end == ','))
		end++;
	return end == stop || *end == '#';
}

bool context_env(const struct place *p)
{
	const char *s = p->text + p->from;
	size_t upper = 0;

	if (!context_config(p))
		return false;
	if (ascii_starts(s, p->at - p->from, "export ") ||
	    ascii_starts(s, p->at - p->from, "set ") ||
	    ascii_starts(s, p->at - p->from, "env "))
		s = (const char *)memchr(s, ' ', p->at - p->from) + 1;
	for (; s < p->text + p->at && (ascii_upper(*s) || ascii_digit(*s) || *s == '_');
	     s++)
		upper += ascii_upper(*s);
	return upper >= 4 && *s == '=';
}

bool context_test(const struct place *p)
{
	static const char *const paths[] = {
		"*/test/*",  "*/tests/*", "*/testdata/*", "*/fixtures/*",
		"*_test.*",  "*test_*",   "*.spec.*",     "*.test.*",
		"*_spec.rb", "*/spec/*",  "*/__tests__/*"
	};

	return path_is(p, paths, ARRAY_LEN(paths));
}

bool context_prose(const struct place *p)
{
	static const char *const paths[] = {
		"*/doc/*",
		"*/docs/*",
		"*/test/*",
		"*/tests/*",
		"*/example*",
		"*.examples.*",
		"*examples-*.json",
		"*/locale*",
		"*/i18n/*",
		"*/languages/*",
		"*/lang/*",
		"*/l10n/*",
		"*/translations/*",
		"*/man/*",
		"*.po",
		"*.pot",
		"*.md",
		"*.rst",
		"*.html",
		"*.htm",
		"*.txt",
		"*/testdata/*",
		"*_test.*",
		"*test_*",
		"*.spec.*",
		"*.test.*",
		"*readme*",
		"*/fixtures/*",
		"*.adoc",
		"*messages*.properties",
		"*strings.xml",
		"*.xlf",
		"*.resx",
		"*.1",
		"*.5",
		"*.8",
		"*.3",
		"*.7",
		"*.gz",
		"*changelog*",
	};

	return path_is(p, paths, ARRAY_LEN(paths));
}

bool context_local(const struct place *p)
{
	static const char *const hosts[] = {
		"localhost", "127.0.0.1",  "@host",   "0.0.0.0",  "[::1]",   "example.",
		".example",  ".local",     ".test",   ".invalid", "@server", "@proxy",
		"@foo",      "@bar",       "@my",     "@some",    "your",    "@a/",
		"@db:",      "@postgres:", "@redis:", "@mysql:",  "@mongo:", "@rabbitmq:",
		"@hostname", "@domain",    "@url",    "@database"
	};
	size_t from = p->at + p->n, to = p->to > from + 60 ? from + 60 : p->to;

	if (from >= to)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (ascii_find(p->text + from, to - from, hosts[i]) != NULL)
			return true;
	return false;
}

bool context_listed(const struct place *p)
{
	const char *stop = p->text + p->to, *end = p->text + p->at + p->n, *next;

	if (end >= stop || (*end != ';' && *end != ','))
		return false;
	next = end + 1;
	if (*end == ';')
		return next < stop && ascii_any("\"'", *next);
	while (next < stop && (ascii_alnum(*next) || *next == '_'))
		next++;
	return next > end + 1 && next + 1 < stop && *next == '=' && next[1] != '=' &&
	       next[1] != ' ';
}

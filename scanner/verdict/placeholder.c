/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/placeholder.h"

#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "util.h"
#include "verdict/ascii.h"

bool placeholder_public(const char *s, size_t n)
{
	static const char *const starts[] = { "pk_live_",
		                              "pk_test_",
		                              "pk.eyj",
		                              "phc_",
		                              "pk-lf-",
		                              "ssh-rsa",
		                              "ssh-ed25",
		                              "ecdsa-sha2",
		                              "age1",
		                              "npub1",
		                              "xpub",
		                              "sb_publishable_",
		                              "mob-",
		                              "ukey-",
		                              "-----begin cert",
		                              "-----begin pub",
		                              "mii",
		                              "mfkwewyhkozizj0c",
		                              "mfywea",
		                              "mcowbqydk2vw",
		                              "6lc",
		                              "6ld",
		                              "6le",
		                              "6lf" };
	static const char client[] = ".apps.googleusercontent.com";

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (ascii_starts(s, n, starts[i]) &&
		    (strlen(starts[i]) > 3 || n == 40 || n > 200))
			return true;
	return ascii_find(s, n, client) != NULL;
}

/* The longest run of one character of ${of}. */
static size_t longest_run(const char *s, size_t n, const char *of)
{
	size_t best = 0, run = 0;

	for (size_t i = 0; i < n; i++) {
		run = i > 0 && s[i] == s[i - 1] ? run + 1 : 1;
		if (run > best && ascii_any(of, s[i]))
			best = run;
	}
	return best;
}

bool placeholder_redacted(const char *s, size_t n)
{
	static const char *const words[] = { "redacted", "hidden",  "filtered",
		                             "masked",   "omitted", "scrubbed",
		                             "removed",  "snipped", "sanitized" };

	if (longest_run(s, n, "*xX.#\xa2") >= 4 || longest_run(s, n, "0-_?") >= 8 ||
	    (n >= 3 && longest_run(s, n, "*xX.#0-_?") == n) ||
	    ascii_find(s, n, "***") != NULL)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (n < 4 * strlen(words[i]) && ascii_find(s, n, words[i]) != NULL)
			return true;
	return ascii_find(s, n, "...") != NULL ||
	       ascii_find(s, n, "\xe2\x80\xa6") != NULL;
}

/* Does ${s} hold ${open}, and ${close} after it? */
static bool brackets(const char *s, size_t n, const char *open, const char *close)
{
	const char *at = ascii_find(s, n, open);

	return at != NULL && ascii_find(at, n - (size_t)(at - s), close) != NULL;
}

/* Is it, after its '$', of letters and '_' alone, or of capitals, digits and '_'? */
static bool plain_name(const char *s, size_t n)
{
	size_t small = 0, digits = 0;

	for (size_t i = 1; i < n; i++) {
		if (!ascii_alnum(s[i]) && s[i] != '_')
			return false;
		small += ascii_alpha(s[i]) && !ascii_upper(s[i]);
		digits += ascii_digit(s[i]);
	}
	return small == 0 || digits == 0;
}

bool placeholder_variable(const char *s, size_t n, bool literal)
{
	if (literal && !plain_name(s, n))
		return false;
	if (n >= 2 && s[0] == '$' && (ascii_alpha(s[1]) || s[1] == '_')) {
		size_t i = 1;

		while (i < n && (ascii_alnum(s[i]) || s[i] == '_' || s[i] == ':' ||
		                 s[i] == '.' || s[i] == '-' || s[i] == '>'))
			i++;
		return i == n || s[i] == '/' || s[i] == '=' || s[i] == '"' ||
		       s[i] == '\\' || s[i] == '@' || s[i] == '$' || s[i] == '[' ||
		       s[i] == '(' || s[i] == '{';
	}
	return false;
}

/* %NAME%, @name@, __NAME__, *your-name*: a name, or words, between two of the same.  What
 * mixes digits and small letters is a password with signs at its ends. */
static bool fenced(const char *s, size_t n)
{
	size_t from = 0, small = 0, digits = 0;
	bool of_templates = s[0] == '%' || s[0] == '@' || s[0] == '_' || s[0] == '#';

	while (from < n && from < 2 && s[from] == s[0])
		from++;
	if (n < 2 * from + 2 || !ascii_any("%@_#~|!*", s[0]) || s[n - 1] != s[0])
		return false;
	for (size_t i = from; i < n - from; i++) {
		if (!ascii_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-' &&
		    s[i] != ' ' && s[i] != '#')
			return false;
		small += ascii_alpha(s[i]) && !ascii_upper(s[i]);
		digits += ascii_digit(s[i]);
	}
	return small == 0 ||
	       (digits == 0 && (of_templates || memchr(s, '-', n) != NULL)) ||
	       placeholder_words(s + from, n - 2 * from);
}

/* printf conversions and positional parameters: nothing but them and punctuation. */
static bool format(const char *s, size_t n)
{
	if (n >= 2 && s[0] == '%' &&
	    (ascii_any("sdvqr@({", s[1]) || ascii_find(s, n, ")s") != NULL))
		return n <= 4 || s[1] == '(' || s[1] == '{';
	return n >= 2 && s[0] == '{' && s[n - 1] == '}';
}

/* How a value begins that says where the secret is. */
static const char *const reference_starts[] = {
	"op://",
	"vault:",
	"vault(",
	"ref+",
	"arn:aws",
	"projects/",
	"/run/secrets/",
	"enc[",
	"enc(",
	"$ansible_vault",
	"!vault",
	"secretkeyref",
	"process.env",
	"os.environ",
	"os.getenv",
	"system.getenv",
	"getenv",
	"env[",
	"env(",
	"env.",
	"env:",
	"env!",
	"secrets.",
	"var.",
	"local.",
	"data.",
	"module.",
	"ssm:",
	"awssm",
	"aws-sm",
	"gcpsm",
	"sm://",
	"keyring:",
	"keychain:",
	"file:",
	"file(",
	"secret:",
	"secrets/",
	"secret/",
	"@microsoft.keyvault",
	"resolve:",
	"!ref",
	"!sub",
	"!getatt",
	"!env",
	"!secret",
	"!reference",
	"lookup(",
	"import.meta",
	"deno.env",
	"config.",
	"settings.",
	"self.",
	"this.",
	"args.",
	"opts.",
	"options.",
	"params.",
	"request.",
	"req.",
	"ctx.",
	"context.",
	"props.",
	"state.",
	"event.",
	"app.config",
	"configuration[",
	"builder.",
	"azurekeyvault",
	"keyvault",
	"aws-secrets",
	"gopass:",
	"pass:show",
	"bws:",
	"doppler:",
	"infisical:",
	"conjur:",
	"akeyless:",
	"kms:",
	"ageenc[",
	"encrypted:",
	"{cipher}",
	"sops:",
	"pkcs11:",
	"tpm2:",
	"credentials(",
	"credentialsid",
	"std::env",
	"viper.",
	"os.env",
	"rails.application",
	"figaro.",
	"env.fetch",
	"env::",
	"nconf.",
};

/* ${…}, {{…}}, <%…%> and the like, whole or cut short by what may not be in a value. */
static bool of_template(const char *s, size_t n)
{
	static const char *const open[] = { "${", "$(", "{{", "<%", "#{", "$env:" };

	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		if (ascii_starts(s, n, open[i]))
			return true;
	for (size_t i = 1; i + 1 < n; i++)
		if (s[i] == '$' && s[i - 1] == '=' && ascii_alpha(s[i + 1]))
			return true; /* --option=$NAME */
	return (s[0] == '<' && memchr(s, '>', n) != NULL) || brackets(s, n, "[[", "]]") ||
	       brackets(s, n, "%(", ")") || brackets(s, n, "${", "}") ||
	       brackets(s, n, "$(", ")") || brackets(s, n, "{{", "}}") ||
	       brackets(s, n, "<%", "%>") || brackets(s, n, "#{", "}");
}

bool placeholder_reference(const char *s, size_t n)
{
	if (n == 0 || fenced(s, n) || format(s, n) || of_template(s, n))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(reference_starts); i++)
		if (ascii_starts(s, n, reference_starts[i]))
			return true;
	return ascii_find(s, n, "secretsmanager") != NULL ||
	       ascii_find(s, n, "getenv(") != NULL ||
	       ascii_find(s, n, "process.env") != NULL ||
	       ascii_find(s, n, "os.environ") != NULL;
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* By their first letters; longest first where one begins another. */
static const char *const *const example_words[26] = {
	['a' - 'a'] = WORDS("anonymous", "access", "admin", "auth", "actual", "api",
	                    "abc", "asdf", "and", "app", "aws", "an", "a", "account",
	                    "alice", "azure", "another"),
	['b' - 'a'] = WORDS("babe", "bad", "blank", "bar", "baz", "bogus", "bearer",
	                    "basic", "bob", "by", "base64", "bcrypt"),
	['c' - 'a'] = WORDS("credential", "changethis", "changeme", "changeit", "cafe",
	                    "client", "change", "code", "correct", "commit"),
	['d' - 'a'] = WORDS("default", "dummy", "deadbeef", "demo", "docker", "devel",
	                    "doe", "database", "db", "do", "dont"),
	['e' - 'a'] = WORDS("example", "enter", "empty", "elastic", "existing",
	                    "encrypted", "encoded", "expected"),
	['f' - 'a'] = WORDS("foobar", "feedface", "fake", "from", "false", "fixme", "foo",
	                    "for", "first", "field", "fixture"),
	['g' - 'a'] = WORDS("guest", "grafana", "goes", "generated", "generate", "github",
	                    "gitlab", "google"),
	['h' - 'a'] = WORDS("hunter2", "hello", "here", "hash"),
	['i' - 'a'] = WORDS("insert", "invalid", "in", "is", "id", "it", "input"),
	['j' - 'a'] = WORDS("joe", "jane", "john", "jwt"),
	['k' - 'a'] = WORDS("key"),
	['l' - 'a'] = WORDS("letmein", "login", "long", "localhost"),
	['m' - 'a'] = WORDS("mock", "must", "mysql", "mariadb", "mongo", "minio", "my",
	                    "me"),
	['n' - 'a'] = WORDS("nothing", "name", "none", "null", "not", "new", "no",
	                    "never", "nil"),
	['o' - 'a'] = WORDS("optional", "oracle", "obtain", "of", "old", "openai", "on",
	                    "other", "only"),
	['p' - 'a'] = WORDS("placeholder", "passphrase", "password", "passwort", "passwd",
	                    "private", "postgres", "pass", "pwd", "put", "please",
	                    "provide", "phrase", "production"),
	['q' - 'a'] = WORDS("qwerty"),
	['r' - 'a'] = WORDS("replace", "required", "root", "real", "random", "redis",
	                    "rabbitmq", "rotate"),
	['s' - 'a'] = WORDS("sample", "supersecret", "secret", "string", "site", "some",
	                    "strong", "secure", "sqlserver", "set", "specify", "staging",
	                    "service", "server", "slack", "stripe", "second", "super",
	                    "such", "signing", "sha256", "stub"),
	['t' - 'a'] = WORDS("testing", "token", "test", "temp", "this", "that", "text",
	                    "true", "todo", "the", "to", "toor", "top"),
	['u' - 'a'] = WORDS("username", "undefined", "user", "ubuntu", "use", "unique"),
	['v' - 'a'] = WORDS("value", "valid", "vagrant", "very"),
	['w' - 'a'] = WORDS("world", "with", "wrong"),
	['x' - 'a'] = WORDS("xyz"),
	['y' - 'a'] = WORDS("yourpassword", "your"),
};

/* How many letters at the start of ${s} are one of the words, if no letter follows that
 * would make it part of a longer lower-case word of three letters or less. */
static size_t word_at(const char *s, size_t n, bool fresh)
{
	const char *const *words = example_words[ascii_lower(s[0]) - 'a'];

	for (; words != NULL && *words != NULL; words++) {
		size_t len;

		if (!ascii_starts(s, n, *words))
			continue;
		len = strlen(*words);
		/* Short words only where they stand alone. */
		if (len <= 3 &&
		    (!fresh || (len < n && ascii_alpha(s[len]) &&
		                !(ascii_upper(s[len]) && !ascii_upper(s[len - 1])))))
			continue;
		return len;
	}
	return 0;
}

bool placeholder_words(const char *s, size_t n)
{
	size_t letters = 0, covered = 0, digits = 0, signs = 0;

	for (size_t i = 0; i < n; i++) {
		letters += ascii_alpha(s[i]);
		digits += ascii_digit(s[i]);
		signs += !ascii_alnum(s[i]) && !ascii_any("-_. ", s[i]);
	}
	for (size_t i = 0; i < n;) {
		bool fresh = i == 0 || !ascii_alpha(s[i - 1]) ||
		             (ascii_upper(s[i]) && !ascii_upper(s[i - 1]));
		size_t len = ascii_alpha(s[i]) ? word_at(s + i, n - i, fresh) : 0;

		for (size_t k = 0; k < len; k++)
			covered += ascii_alpha(s[i + k]);
		i += len == 0 ? 1 : len;
	}
	if (letters == 0)
		return digits > 0 && n <= 6;
	/* my_apiKey */
	if (digits + signs == 0 && n > 4 && ascii_starts(s, n, "my") &&
	    ascii_any("_-", s[2]))
		return true;
	/* What a person made of words, digits and signs may well be a password. */
	if (digits + signs >= 5 && covered < letters)
		return false;
	return covered * 10 >= letters * (n >= 24 ? 5u : 6u);
}

bool placeholder_pattern(const char *s, size_t n)
{
	static const char *const rows[] = { "qwertyuiop", "asdfghjkl", "zxcvbnm" };
	size_t run = 1, counted = 0, period;

	for (size_t i = 1; i <= n; i++) {
		bool more = i < n && (s[i] == s[i - 1] + 1 || s[i] == s[i - 1] ||
		                      (s[i - 1] == '9' &&
		                       (s[i] == 'a' || s[i] == 'A' || s[i] == '0')) ||
		                      (s[i - 1] == '0' && s[i] == '9'));

		if (more) {
			run++;
			continue;
		}
		counted += run >= 4 ? run : 0;
		run = 1;
	}
	if (counted * 2 >= n && counted >= 4)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (n <= 12 && ascii_starts(s, n, rows[i]))
			return true;
	for (period = 1; period <= 16 && period * 2 <= n; period++)
		if (memcmp(s, s + period, n - period) == 0)
			return n >= 6;
	return false;
}

/* The first eight bytes of the SHA-256 of each sample. */
static const uint64_t samples[] = {
#include "verdict/samples.inc"
};

/* The same of private keys that packages carry. */
static const uint64_t public_keys[] = {
#include "verdict/public_keys.inc"
};

static uint64_t first_of_sum(const void *p, size_t n)
{
	uint8_t sum[SHA256_BYTES];
	uint64_t first = 0;

	sha256_of(sum, p, n);
	for (size_t i = 0; i < 8; i++)
		first = first << 8 | sum[i];
	return first;
}

bool placeholder_public_key(const uint8_t *p, size_t n)
{
	size_t low = 0, high = ARRAY_LEN(public_keys);
	uint64_t first = first_of_sum(p, n);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (public_keys[middle] == first)
			return true;
		if (public_keys[middle] < first)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool placeholder_sample(const char *s, size_t n)
{
	uint64_t first;

	if (n >= 12 &&
	    (ascii_find(s, n, "example") != NULL || ascii_find(s, n, "EXAMPLE") != NULL))
		return true;
	first = first_of_sum(s, n);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (samples[i] == first)
			return true;
	return false;
}

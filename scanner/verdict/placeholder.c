/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/placeholder.h"

#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "util.h"
#include "verdict/ascii.h"

#define RUN_LEAST ((size_t)3) /* that is asked for */

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

/* The longest run of one character of ${of}, if it is of ${RUN_LEAST} or more. */
static size_t longest_run(const char *s, size_t n, const char *of)
{
	size_t best = RUN_LEAST - 1, run = 0;

	for (size_t i = 0; i < n; i++) {
		run = i > 0 && s[i] == s[i - 1] ? run + 1 : 1;
		if (run > best && ascii_any(of, s[i]))
			best = run;
	}
	return best < RUN_LEAST ? 0 : best;
}

static const char *const *const redacted_words[ASCII_FIRSTS] = {
	[ASCII_FIRST('r')] = ASCII_TEXTS("redacted", "removed"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("hidden"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("filtered"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("masked"),
	[ASCII_FIRST('o')] = ASCII_TEXTS("omitted"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("scrubbed", "snipped", "sanitized"),
};

static bool says_redacted(const char *s, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		const char *const *word = ascii_texts_of(redacted_words, s[at]);

		/* Not one word of many. */
		for (; *word != NULL; word++)
			if (n < 4 * strlen(*word) && ascii_starts(s + at, n - at, *word))
				return true;
	}
	return false;
}

static const char *const *const redacted_marks[ASCII_FIRSTS] = {
	[ASCII_FIRST('*')] = ASCII_TEXTS("***"),
	[ASCII_FIRST('.')] = ASCII_TEXTS("..."),
	[ASCII_FIRST('\xe2')] = ASCII_TEXTS("\xe2\x80\xa6"),
};

bool placeholder_redacted(const char *s, size_t n)
{
	return longest_run(s, n, "*xX.#\xa2") >= 4 || longest_run(s, n, "0-_?") >= 8 ||
	       (n >= 3 && longest_run(s, n, "*xX.#0-_?") == n) || says_redacted(s, n) ||
	       ascii_find_any(s, n, redacted_marks);
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
static const char *const *const reference_starts[ASCII_FIRSTS] = {
	[ASCII_FIRST('!')] = ASCII_TEXTS("!vault", "!ref", "!sub", "!getatt", "!env",
	                                 "!secret", "!reference"),
	[ASCII_FIRST('$')] = ASCII_TEXTS("$ansible_vault"),
	[ASCII_FIRST('/')] = ASCII_TEXTS("/run/secrets/"),
	[ASCII_FIRST('@')] = ASCII_TEXTS("@microsoft.keyvault"),
	[ASCII_FIRST('a')] = ASCII_TEXTS("arn:aws", "awssm", "aws-sm", "args.",
	                                 "app.config", "azurekeyvault", "aws-secrets",
	                                 "akeyless:", "ageenc["),
	[ASCII_FIRST('b')] = ASCII_TEXTS("builder.", "bws:"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("config.", "ctx.", "context.", "configuration[",
	                                 "conjur:", "credentials(", "credentialsid"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("data.", "deno.env", "doppler:"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("enc[", "enc(", "env[", "env(", "env.",
	                                 "env:", "env!", "event.",
	                                 "encrypted:", "env.fetch", "env::"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("file:", "file(", "figaro."),
	[ASCII_FIRST('g')] = ASCII_TEXTS("getenv", "gcpsm", "gopass:"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("import.meta", "infisical:"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("keyring:", "keychain:", "keyvault", "kms:"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("local.", "lookup("),
	[ASCII_FIRST('m')] = ASCII_TEXTS("module."),
	[ASCII_FIRST('n')] = ASCII_TEXTS("nconf."),
	[ASCII_FIRST('o')] = ASCII_TEXTS("op://", "os.environ", "os.getenv", "opts.",
	                                 "options.", "os.env"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("projects/", "process.env", "params.", "props.",
	                                 "pass:show", "pkcs11:"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("ref+", "resolve:", "request.", "req.",
	                                 "rails.application"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("secretkeyref", "system.getenv", "secrets.",
	                                 "ssm:", "sm://", "secret:", "secrets/",
	                                 "secret/", "settings.", "self.", "state.",
	                                 "sops:", "std::env"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("this.", "tpm2:"),
	[ASCII_FIRST('v')] = ASCII_TEXTS("vault:", "vault(", "var.", "viper."),
	[ASCII_FIRST('{')] = ASCII_TEXTS("{cipher}"),
	[ASCII_FIRST('%')] = ASCII_TEXTS("%env("),
};

/* ${…}, {{…}}, <%…%> and the like, whole or cut short by what may not be in a value. */
static bool of_template(const char *s, size_t n)
{
	static const char *const open[] = { "${", "$(", "{{", "<%", "#{", "$env:" };

	/* Most values have none of the bytes that these begin with. */
	if (ascii_count(s, n, "$<{[%#") == 0)
		return false;
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

static const char *const *const reference_parts[ASCII_FIRSTS] = {
	[ASCII_FIRST('s')] = ASCII_TEXTS("secretsmanager"),
	[ASCII_FIRST('g')] = ASCII_TEXTS("getenv("),
	[ASCII_FIRST('p')] = ASCII_TEXTS("process.env"),
	[ASCII_FIRST('o')] = ASCII_TEXTS("os.environ"),
};

bool placeholder_elsewhere(const char *s, size_t n)
{
	return ascii_starts_any(s, n, reference_starts) ||
	       ascii_find_any(s, n, reference_parts);
}

bool placeholder_reference(const char *s, size_t n)
{
	return n == 0 || fenced(s, n) || format(s, n) || of_template(s, n) ||
	       placeholder_elsewhere(s, n);
}

/* By their first letters; longest first where one begins another. */
static const char *const *const example_words[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("anonymous", "access", "admin", "auth", "actual",
	                                 "api", "abc", "asdf", "and", "app", "aws", "an",
	                                 "a", "account", "alice", "azure", "another"),
	[ASCII_FIRST('b')] = ASCII_TEXTS("babe", "bad", "blank", "bar", "baz", "bogus",
	                                 "bearer", "basic", "bob", "by", "base64",
	                                 "bcrypt"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("credential", "changethis", "changeme",
	                                 "changeit", "cafe", "client", "change", "code",
	                                 "correct", "commit"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("default", "dummy", "deadbeef", "demo", "docker",
	                                 "devel", "doe", "database", "db", "do", "dont"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("example", "enter", "empty", "elastic",
	                                 "existing", "encrypted", "encoded", "expected"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("foobar", "feedface", "fake", "from", "false",
	                                 "fixme", "foo", "for", "first", "field",
	                                 "fixture"),
	[ASCII_FIRST('g')] = ASCII_TEXTS("guest", "grafana", "goes", "generated",
	                                 "generate", "github", "gitlab", "google"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("hunter2", "hello", "here", "hash"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("insert", "invalid", "in", "is", "id", "it",
	                                 "input"),
	[ASCII_FIRST('j')] = ASCII_TEXTS("joe", "jane", "john", "jwt"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("key"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("letmein", "login", "long", "localhost"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("mock", "must", "mysql", "mariadb", "mongo",
	                                 "minio", "my", "me"),
	[ASCII_FIRST('n')] = ASCII_TEXTS("nothing", "name", "none", "null", "not", "new",
	                                 "no", "never", "nil"),
	[ASCII_FIRST('o')] = ASCII_TEXTS("optional", "oracle", "obtain", "of", "old",
	                                 "openai", "on", "other", "only"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("placeholder", "passphrase", "password",
	                                 "passwort", "passwd", "private", "postgres",
	                                 "pass", "pwd", "put", "please", "provide",
	                                 "phrase", "production"),
	[ASCII_FIRST('q')] = ASCII_TEXTS("qwerty"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("replace", "required", "root", "real", "random",
	                                 "redis", "rabbitmq", "rotate"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("sample", "supersecret", "secret", "string",
	                                 "site", "some", "strong", "secure", "sqlserver",
	                                 "set", "specify", "staging", "service", "server",
	                                 "slack", "stripe", "second", "super", "such",
	                                 "signing", "sha256", "stub"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("testing", "token", "test", "temp", "this",
	                                 "that", "text", "true", "todo", "the", "to",
	                                 "toor", "top"),
	[ASCII_FIRST('u')] = ASCII_TEXTS("username", "undefined", "user", "ubuntu", "use",
	                                 "unique"),
	[ASCII_FIRST('v')] = ASCII_TEXTS("value", "valid", "vagrant", "very"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("world", "with", "wrong"),
	[ASCII_FIRST('x')] = ASCII_TEXTS("xyz"),
	[ASCII_FIRST('y')] = ASCII_TEXTS("yourpassword", "your"),
};

/* How many letters at the start of ${s} are one of the words, if no letter follows that
 * would make it part of a longer lower-case word of three letters or less. */
static size_t word_at(const char *s, size_t n, bool fresh)
{
	const char *const *words = ascii_texts_of(example_words, s[0]);

	for (; *words != NULL; words++) {
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

	if (n >= 12 && ascii_find(s, n, "example") != NULL)
		return true;
	first = first_of_sum(s, n);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (samples[i] == first)
			return true;
	return false;
}

/* Letters and the digits behind them. */
static size_t word_end(const char *s, size_t n, size_t from, size_t *letters)
{
	size_t end = from;

	while (end < n && ascii_alpha(s[end]))
		end++;
	*letters = end - from;
	while (end < n && ascii_digit(s[end]))
		end++;
	return end;
}

bool placeholder_standard(const char *s, size_t n)
{
	static const char *const names[] = {
		"aes",     "sha",     "hmac",    "pbkdf",    "argon", "bcrypt", "scrypt",
		"rfc",     "wpa",     "psk",     "rsa",      "gcm",   "cbc",    "ctr",
		"md",      "jwt",     "oauth",   "kerberos", "sm",    "ecdsa",  "ecdh",
		"tls",     "ssl",     "ieee",    "iso",      "utf",   "base",   "hs",
		"rs",      "es",      "bit",     "bits",     "byte",  "bytes",  "chars",
		"id",      "v",       "version", "fips",     "nist",  "x",      "crc",
		"changed", "rotated", "min",     "max",      "q",     "m",
	};
	size_t known = 0, letters;

	for (size_t i = 0, end; i<n; i = end> i ? end : i + 1) {
		bool found = false;

		end = word_end(s, n, i, &letters);
		for (size_t k = 0; letters > 0 && !found && k < ARRAY_LEN(names); k++)
			found = ascii_equal(s + i, letters, names[k]);
		if (letters > 0 && !found)
			return false;
		known += found;
	}
	return known > 0;
}

/* Of a form's field, as frameworks write them: "required|string|min:12". */
static bool is_validation(const char *s, size_t n)
{
	static const char *const rules[] = { "required|", "nullable|", "|required",
		                             "|confirmed", "string|" };

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (ascii_find(s, n, rules[i]) != NULL)
			return true;
	return false;
}

/* A text of a translation: letters, some of them as \u00e9, and nothing else. */
static bool is_escaped_text(const char *s, size_t n)
{
	size_t escapes = 0;

	for (size_t i = 0; i < n; i++) {
		if (n - i >= 6 && memcmp(s + i, "\\u00", 4) == 0) {
			escapes++;
			i += 5;
		} else if (!ascii_alpha(s[i])) {
			return false;
		}
	}
	return escapes > 0;
}

bool placeholder_interface(const char *s, size_t n)
{
	return ascii_starts(s, n, "ctrl+") || ascii_starts(s, n, "cmd+") ||
	       ascii_starts(s, n, "alt+") || ascii_starts(s, n, "shift+") ||
	       is_validation(s, n) || is_escaped_text(s, n);
}

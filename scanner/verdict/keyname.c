/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/keyname.h"

#include <stdint.h>
#include <string.h>

#include "util.h"
#include "verdict/ascii.h"

#define LOOK_BACK 200u

static bool name_byte(char c)
{
	return ascii_alnum(c) || c == '_' || c == '-' || c == '.' || c == '$' || c == '/';
}

/* Words of a name that promise a secret. */
static const char *const *const promises[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("auth"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("cred", "cookie", "contrase"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("dsn"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("heroku", "haslo", "heslo"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("identified"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("key", "kennwort"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("losenord"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("pass", "pwd", "psk", "pin", "pw", "postmark",
	                                 "parol"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("secret", "salt", "signature", "senha"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("token"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("webhook", "wachtwoord"),
};

/* The last place of a promise in ${n} bytes; NULL if there is none. */
static const char *last_promise(const char *s, size_t n)
{
	for (size_t at = n; at-- > 0;) {
		const char *const *word = ascii_texts_of(promises, ascii_lower(s[at]));

		for (; *word != NULL; word++)
			if (ascii_starts(s + at, n - at, *word))
				return s + at;
	}
	return NULL;
}

/* "dbPassword" and "DB-Password" become "db_password". */
static void normalise(const char *s, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len + 2 < KEYNAME_MAX; i++) {
		bool after_lower = i > 0 && !ascii_upper(s[i - 1]) &&
		                   ascii_alnum(s[i - 1]);
		bool before_lower = i + 1 < n && ascii_alpha(s[i + 1]) &&
		                    !ascii_upper(s[i + 1]) && i > 0 &&
		                    ascii_upper(s[i - 1]);

		if (!ascii_alnum(s[i])) {
			if (len > 0 && out[len - 1] != '_')
				out[len++] = '_';
			continue;
		}
		if (ascii_upper(s[i]) && (after_lower || before_lower) && len > 0 &&
		    out[len - 1] != '_')
			out[len++] = '_';
		out[len++] = ascii_lower(s[i]);
	}
	while (len > 0 && out[len - 1] == '_')
		len--;
	out[len] = '\0';
}

/* A word that is part of the name, though a space parts them: "API key", in a sentence.
 */
static size_t qualifier(const char *s, size_t n)
{
	static const char *const qualifiers[] = { "api ",     "access ",  "secret ",
		                                  "app ",     "account ", "master ",
		                                  "signing ", "shared ",  "storage ",
		                                  "private ", "license ", "encryption " };

	if (n == 0 || s[n - 1] != ' ')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++) {
		size_t len = strlen(qualifiers[i]);

		if (n >= len && ascii_starts(s + n - len, len, qualifiers[i]))
			return len;
	}
	return 0;
}

void keyname_before(const char *line, size_t at, char *out)
{
	size_t from = at > LOOK_BACK ? at - LOOK_BACK : 0;
	const char *start, *end, *found;

	/* Of the lines before, only the last one that is not empty counts. */
	out[0] = '\0';
	found = last_promise(line + from, at - from);
	if (found == NULL)
		return;
	start = end = found;
	while (start > line + from && name_byte(start[-1]))
		start--;
	start -= qualifier(line, (size_t)(start - line));
	while (end < line + at && (name_byte(*end) || (end < found && *end == ' ')))
		end++;
	normalise(start, (size_t)(end - start), out);
}

/* A name, which letters are in it, and where its words begin. */
struct name {
	const char *s;
	size_t n;
	uint32_t letters;
	unsigned words;
	unsigned char word[KEYNAME_MAX / 2 + 1];
};

static uint32_t letter(char c)
{
	return UINT32_C(1) << (c & 31);
}

static struct name name_of(const char *s)
{
	struct name name = { .s = s };

	for (; s[name.n] != '\0'; name.n++) {
		name.letters |= letter(s[name.n]);
		if ((name.n == 0 || s[name.n - 1] == '_') &&
		    name.words < sizeof(name.word))
			name.word[name.words++] = (unsigned char)name.n;
	}
	return name;
}

/* What is behind ${word} at ${s}; NULL if it is not there. */
static const char *behind(const char *s, const char *word)
{
	for (; *word != '\0'; s++, word++)
		if (*s != *word)
			return NULL;
	return s;
}

/* Is one of ${words}, each one or more whole words, in ${name}; or its last, if ${last}?
 */
static bool any_in(const struct name *name, const char *const *const *words, bool last)
{
	for (unsigned i = 0; i < name->words; i++) {
		const char *at = name->s + name->word[i];
		const char *const *word = ascii_texts_of(words, *at);

		for (; *word != NULL; word++) {
			const char *end = behind(at, *word);

			if (end != NULL && (*end == '\0' || (*end == '_' && !last)))
				return true;
		}
	}
	return false;
}

static bool has(const struct name *name, const char *const *const *words)
{
	return any_in(name, words, false);
}

static bool ends(const struct name *name, const char *const *const *words)
{
	return any_in(name, words, true);
}

/* Does it end with ${word}, maybe as a part of its last word? */
static bool tails(const struct name *name, const char *word)
{
	size_t len = strlen(word);

	return name->n >= len && memcmp(name->s + name->n - len, word, len) == 0;
}

static bool any_tails(const struct name *name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((name->letters & letter(words[i][0])) != 0 && tails(name, words[i]))
			return true;
	return false;
}

static bool holds(const struct name *name, const char *text)
{
	return (name->letters & letter(text[0])) != 0 && strstr(name->s, text) != NULL;
}

/* What the last word makes of the name: a place, a property, a text about the secret. */
static const char *const *const last_words[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("age", "algorithm", "algo", "alg", "arn",
	                                 "alias", "audience", "action", "attempts",
	                                 "annotation", "attribute", "attributes", "at",
	                                 "address", "addr"),
	[ASCII_FIRST('b')] = ASCII_TEXTS("bits", "button", "by"),
	[ASCII_FIRST('c')] = ASCII_TEXTS(
		"count", "checksum", "column", "class", "controller", "color", "callback",
		"config", "changed", "confirmation", "confirm", "command", "cmd",
		"created", "charset", "code_length", "chars", "contract"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("dir", "desc", "description", "days", "digest",
	                                 "disabled", "domain", "dialog", "derivation",
	                                 "date", "default", "delimiter", "down"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("endpoint", "error", "errors", "expiry",
	                                 "expires", "expiration", "expire", "enabled",
	                                 "encoder", "env", "event", "eval", "exchange",
	                                 "encoding"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("file", "files", "folder", "format", "field",
	                                 "fields", "fingerprint", "func", "fn", "form",
	                                 "forgotten", "for"),
	[ASCII_FIRST('g')] = ASCII_TEXTS("generator"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("header", "headers", "hint", "help", "hours",
	                                 "handler", "host", "hash"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("id", "ids", "invalid", "index", "issuer",
	                                 "icon"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("kid", "kind"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("length", "len", "label", "limit", "location",
	                                 "list", "link", "login", "lifetime"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("min", "max", "message", "msg", "minutes",
	                                 "manager", "mode", "method", "map", "mismatch",
	                                 "mount"),
	[ASCII_FIRST('n')] = ASCII_TEXTS("name", "names", "namespace"),
	[ASCII_FIRST('o')] = ASCII_TEXTS("options", "of"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("path", "paths", "policy", "prompt", "pattern",
	                                 "prefix", "provider", "placeholder", "port",
	                                 "page", "property", "press"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("required", "regex", "regexp", "ref",
	                                 "reference", "rotation", "reset", "reader",
	                                 "retries", "requirements", "rules"),
	[ASCII_FIRST('s')] = ASCII_TEXTS(
		"size", "seconds", "suffix", "service", "store", "source", "scope",
		"scopes", "style", "strength", "state", "status", "schema", "spec",
		"settings", "set", "screen", "script", "secretname", "selector", "suite",
		"suites", "separator", "symbol"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("ttl", "type", "types", "title", "text",
	                                 "timeout", "table", "thumbprint", "template",
	                                 "test", "tests", "tries", "time", "tag", "tags"),
	[ASCII_FIRST('u')] = ASCII_TEXTS("url", "urls", "uri", "usage", "uuid", "updated",
	                                 "up"),
	[ASCII_FIRST('v')] = ASCII_TEXTS("version", "valid", "validator", "var", "view",
	                                 "volume", "validity"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("writer", "words"),
};

/* What names no secret wherever it stands, if the name does not end like one. */
static const char *const *const denied[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("author", "authors", "authority",
	                                 "authorization_endpoint", "authentication",
	                                 "authenticate", "authenticated", "authorized",
	                                 "authorized_keys", "accelerator"),
	[ASCII_FIRST('b')] = ASCII_TEXTS("bypass"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("cache_key", "composite_key", "continuation",
	                                 "csrf", "compass", "checksum", "commit",
	                                 "change"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("dedup", "donkey", "dict_key"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("etag", "encrypted"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("foreign_key", "fingerprint"),
	[ASCII_FIRST('g')] = ASCII_TEXTS("gpgkey", "grant_type", "group_key"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("hash_key", "hotkey", "hockey", "hashed"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("idempotency", "integrity", "i18n"),
	[ASCII_FIRST('j')] = ASCII_TEXTS("jockey"),
	[ASCII_FIRST('k')] = ASCII_TEXTS(
		"keyboard", "keyword", "keywords", "keypress", "keydown", "keyup",
		"keycode", "keymap", "keyframe", "keyframes", "keyring", "keyspace",
		"keystone", "keyid", "key_id", "known_hosts", "key_type", "keystroke",
		"keyserver", "keysym", "key_details"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("locale", "lookup_key", "lock_token"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("max_tokens", "monkey", "md5", "map_key",
	                                 "mac_key"),
	[ASCII_FIRST('n')] = ASCII_TEXTS("next_token", "nonce"),
	[ASCII_FIRST('o')] = ASCII_TEXTS("object_key"),
	[ASCII_FIRST('p')] = ASCII_TEXTS(
		"public", "pub", "publishable", "partition_key", "page_token", "passive",
		"passenger", "passport", "passage", "passed", "passing", "passes",
		"passthrough", "primary_key_column", "passwordless", "protobuf_key"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("range_key", "row_key", "revision", "request"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("sort_key", "site_key", "sitekey", "secretary",
	                                 "sha", "sha1", "sha256", "sha384", "sha512",
	                                 "signed_by", "ssh_host", "surrogate", "sealed",
	                                 "search_key_word", "shortcut", "secretless"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("turkey", "tokenizer", "tokenize", "tokens",
	                                 "token_type", "translation", "trusted",
	                                 "test_key_name", "tokenization"),
	[ASCII_FIRST('u')] = ASCII_TEXTS("unique_key"),
	[ASCII_FIRST('v')] = ASCII_TEXTS("vapid_key", "vaulttoken_path"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("whiskey"),
	[ASCII_FIRST('x')] = ASCII_TEXTS("xsrf"),
};

/* Names that end like these are of a secret, */
static const char *const secret_ends[] = { "password", "passwd", "passphrase", "secret" };

/* but with one of these words: it is not there in plain, or a text on a screen. */
static const char *const *const no_secrets[ASCII_FIRSTS] = {
	[ASCII_FIRST('c')] = ASCII_TEXTS("change"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("encrypted", "etc_passwd"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("hashed"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("i18n"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("locale"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("sealed"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("translation"),
};

/* Nor are all that end in "token". */
static const char *const *const no_tokens[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("action_token", "authorized"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("csrf", "continuation", "client_token",
	                                 "commit"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("dedup"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("idempotency"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("lock_token"),
	[ASCII_FIRST('n')] = ASCII_TEXTS("next_token", "nonce"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("page_token", "public", "pub", "publishable"),
	[ASCII_FIRST('r')] = ASCII_TEXTS("request_token"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("sha256", "sync_token"),
	[ASCII_FIRST('x')] = ASCII_TEXTS("xsrf"),
};

/* What may follow on a password's name: which one it is. */
static const char *const variants[] = { "_test", "_tests", "_default" };
static const char *const variant_of[] = { "password", "passwd", "passphrase", "pass",
	                                  "pwd" };

/* Also in Spanish, Catalan, Polish, Czech, German, Swedish, French, Portuguese, Dutch,
 * Russian. */
static const char *const *const passwords[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("authtok"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("contrase", "contrasena", "contrasenya"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("haslo", "heslo"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("identified"),
	[ASCII_FIRST('k')] = ASCII_TEXTS("kennwort"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("losenord"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("pass", "pwd", "psk", "pw", "pin", "passe",
	                                 "parol"),
	[ASCII_FIRST('s')] = ASCII_TEXTS("senha"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("wachtwoord"),
};

static const char *const *const tokens[ASCII_FIRSTS] = {
	[ASCII_FIRST('a')] = ASCII_TEXTS("apikey", "api_key", "access_key", "auth_key",
	                                 "authkey", "account_key", "admin_key", "app_key",
	                                 "application_key", "accesskey", "authtoken",
	                                 "accesstoken", "aes_key", "api_secret", "auth"),
	[ASCII_FIRST('c')] = ASCII_TEXTS("credential", "credentials", "creds", "cred",
	                                 "client_key", "consumer_key", "crypt_key",
	                                 "cipher_key"),
	[ASCII_FIRST('d')] = ASCII_TEXTS("deploy_key", "decryption_key"),
	[ASCII_FIRST('e')] = ASCII_TEXTS("encryption_key", "encrypt_key",
	                                 "erlang_cookie"),
	[ASCII_FIRST('f')] = ASCII_TEXTS("function_key"),
	[ASCII_FIRST('h')] = ASCII_TEXTS("host_key", "hmac_key", "heroku"),
	[ASCII_FIRST('i')] = ASCII_TEXTS("integration_key", "ingest_key"),
	[ASCII_FIRST('j')] = ASCII_TEXTS("jwt_key"),
	[ASCII_FIRST('l')] = ASCII_TEXTS("license_key"),
	[ASCII_FIRST('m')] = ASCII_TEXTS("master_key", "merchant_key", "magic_cookie"),
	[ASCII_FIRST('n')] = ASCII_TEXTS("node_cookie"),
	[ASCII_FIRST('p')] = ASCII_TEXTS("private_key", "privkey", "priv_key",
	                                 "postmark"),
	[ASCII_FIRST('s')] = ASCII_TEXTS(
		"secret", "secrets", "signing_key", "service_key", "shared_key",
		"subscription_key", "secretkey", "storage_key", "session_key",
		"server_key", "secret_base", "sdk_key", "session_cookie", "salt"),
	[ASCII_FIRST('t')] = ASCII_TEXTS("token"),
	[ASCII_FIRST('v')] = ASCII_TEXTS("validation_key"),
	[ASCII_FIRST('w')] = ASCII_TEXTS("webhook", "write_key"),
};

/* "db_password_test" becomes "db_password". */
static void cut_variant(struct name *name, char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		struct name cut = *name;

		if (!tails(name, variants[i]))
			continue;
		cut.n -= strlen(variants[i]);
		if (any_tails(&cut, variant_of, ARRAY_LEN(variant_of))) {
			s[cut.n] = '\0';
			*name = name_of(s);
			return;
		}
	}
}

static bool is_denied(const struct name *name)
{
	bool secret = any_tails(name, secret_ends, ARRAY_LEN(secret_ends));

	if (!secret && !tails(name, "token"))
		return has(name, denied);
	return has(name, no_secrets) || (!secret && has(name, no_tokens));
}

static bool of_password(const struct name *name)
{
	if (holds(name, "pass") &&
	    (strstr(name->s, "passw") != NULL || strstr(name->s, "passphrase") != NULL ||
	     strstr(name->s, "passcode") != NULL ||
	     strstr(name->s, "pass_phrase") != NULL ||
	     strstr(name->s, "pass_word") != NULL))
		return true;
	return has(name, passwords) || tails(name, "motdepasse") ||
	       (name->n > 4 && tails(name, "pass")) ||
	       (name->n > 3 && tails(name, "pwd"));
}

enum keyname keyname_class(const char *s)
{
	char base[KEYNAME_MAX] = "";
	struct name name;

	memcpy(base, s, strnlen(s, sizeof(base) - 1));
	name = name_of(base);
	cut_variant(&name, base);
	if (name.n == 0 || is_denied(&name) || ends(&name, last_words))
		return KEYNAME_OTHER;
	if (of_password(&name))
		return KEYNAME_PASSWORD;
	if (has(&name, tokens) || holds(&name, "secret") || holds(&name, "apikey") ||
	    (name.n > 5 && tails(&name, "token")))
		return KEYNAME_TOKEN;
	return holds(&name, "key") ? KEYNAME_KEY : KEYNAME_OTHER;
}

bool keyname_promises(const char *name)
{
	static const char *const words[] = { "api", "secret", "private", "crypt",
		                             "sign" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(name, words[i]) != NULL)
			return true;
	return false;
}

bool keyname_of_uuid(const char *s)
{
	static const char *const words[] = { "client_secret", "clientsecret",
		                             "api_key",       "apikey",
		                             "secret_key",    "access_key",
		                             "license_key" };
	const struct name name = name_of(s);

	return any_tails(&name, words, ARRAY_LEN(words));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/keyname.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util.h"
#include "verdict/ascii.h"

#define LOOK_BACK 200u

static bool name_byte(char c)
{
	return ascii_alnum(c) || c == '_' || c == '-' || c == '.' || c == '$' || c == '/';
}

/* Words of a name that promise a secret, in the order in which they are looked for. */
static const char *const promises[] = { "pass",     "pwd",       "secret",  "token",
	                                "key",      "cred",      "auth",    "salt",
	                                "psk",      "dsn",       "cookie",  "signature",
	                                "pin",      "pw",        "webhook", "heroku",
	                                "postmark", "identified" };

/* The last place of a promise in ${n} bytes, and its length; NULL if there is none. */
static const char *last_promise(const char *s, size_t n)
{
	for (size_t at = n; at-- > 0;)
		for (size_t i = 0; i < ARRAY_LEN(promises); i++)
			if (ascii_starts(s + at, n - at, promises[i]))
				return s + at;
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

static const char *const qualifiers[] = { "api ",     "access ",  "secret ",
	                                  "app ",     "account ", "master ",
	                                  "signing ", "shared ",  "storage ",
	                                  "private ", "license ", "encryption " };

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
	/* "API key", in a sentence. */
	for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++) {
		size_t len = strlen(qualifiers[i]);

		if ((size_t)(start - line) >= len &&
		    ascii_starts(start - len, len, qualifiers[i])) {
			start -= len;
			break;
		}
	}
	while (end < line + at && (name_byte(*end) || (end < found && *end == ' ')))
		end++;
	normalise(start, (size_t)(end - start), out);
}

/* Is ${word}, one or more whole words, in ${name}? */
static bool has(const char *name, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = name; (at = strstr(at, word)) != NULL; at++)
		if ((at == name || at[-1] == '_') && (at[len] == '\0' || at[len] == '_'))
			return true;
	return false;
}

static bool ends(const char *name, const char *word)
{
	size_t n = strlen(name), len = strlen(word);

	return n >= len && memcmp(name + n - len, word, len) == 0 &&
	       (n == len || name[n - len - 1] == '_');
}

static uint32_t letter(char c)
{
	return UINT32_C(1) << (c & 31);
}

/* Is there a word of which ${test} is true?  It holds for none that is not in the name.
 */
static bool any(const char *name, const char *const *words, size_t n,
                bool (*test)(const char *, const char *))
{
	uint32_t letters = 0;

	for (const char *c = name; *c != '\0'; c++)
		letters |= letter(*c);
	for (size_t i = 0; i < n; i++)
		if ((letters & letter(words[i][0])) != 0 &&
		    (letters & letter(words[i][1])) != 0 && test(name, words[i]))
			return true;
	return false;
}

/* What the last word makes of the name: a place, a property, a text about the secret. */
static const char *const last_words[] = {
	"file",         "files",     "path",         "paths",       "dir",
	"folder",       "name",      "names",        "id",          "ids",
	"url",          "urls",      "uri",          "endpoint",    "header",
	"headers",      "ttl",       "length",       "len",         "size",
	"min",          "max",       "policy",       "type",        "types",
	"format",       "field",     "fields",       "label",       "title",
	"hint",         "message",   "msg",          "error",       "errors",
	"help",         "desc",      "description",  "text",        "prompt",
	"count",        "limit",     "expiry",       "expires",     "expiration",
	"expire",       "timeout",   "age",          "days",        "hours",
	"minutes",      "seconds",   "version",      "algorithm",   "algo",
	"alg",          "digest",    "checksum",     "enabled",     "required",
	"disabled",     "valid",     "invalid",      "regex",       "regexp",
	"pattern",      "prefix",    "suffix",       "index",       "column",
	"table",        "provider",  "manager",      "service",     "store",
	"source",       "mode",      "method",       "ref",         "reference",
	"arn",          "alias",     "scope",        "scopes",      "issuer",
	"audience",     "class",     "style",        "bits",        "usage",
	"rotation",     "reset",     "strength",     "generator",   "validator",
	"encoder",      "reader",    "writer",       "handler",     "controller",
	"location",     "env",       "var",          "kid",         "thumbprint",
	"fingerprint",  "event",     "action",       "state",       "status",
	"color",        "template",  "placeholder",  "test",        "tests",
	"func",         "fn",        "callback",     "schema",      "spec",
	"config",       "settings",  "options",      "list",        "map",
	"set",          "host",      "port",         "domain",      "page",
	"form",         "button",    "icon",         "link",        "view",
	"screen",       "dialog",    "login",        "required",    "changed",
	"forgotten",    "mismatch",  "confirmation", "confirm",     "command",
	"cmd",          "script",    "eval",         "attempts",    "tries",
	"retries",      "words",     "types",        "kind",        "secretname",
	"namespace",    "mount",     "volume",       "selector",    "annotation",
	"suite",        "suites",    "exchange",     "derivation",  "attribute",
	"attributes",   "property",  "uuid",         "lifetime",    "validity",
	"created",      "updated",   "date",         "time",        "at",
	"by",           "for",       "of",           "encoding",    "charset",
	"default",      "separator", "delimiter",    "tag",         "tags",
	"down",         "up",        "press",        "code_length", "chars",
	"requirements", "rules",     "address",      "addr",        "contract",
	"symbol",       "hash",
};

/* What names no secret wherever it stands, if the name does not end like one. */
static const char *const denied[] = {
	"public",
	"pub",
	"publishable",
	"keyboard",
	"keyword",
	"keywords",
	"keypress",
	"keydown",
	"keyup",
	"keycode",
	"keymap",
	"keyframe",
	"keyframes",
	"keyring",
	"keyspace",
	"keystone",
	"foreign_key",
	"partition_key",
	"sort_key",
	"range_key",
	"hash_key",
	"cache_key",
	"object_key",
	"row_key",
	"unique_key",
	"composite_key",
	"site_key",
	"sitekey",
	"hotkey",
	"idempotency",
	"dedup",
	"max_tokens",
	"next_token",
	"page_token",
	"continuation",
	"csrf",
	"xsrf",
	"monkey",
	"turkey",
	"donkey",
	"hockey",
	"jockey",
	"whiskey",
	"author",
	"authors",
	"authority",
	"authorization_endpoint",
	"authentication",
	"authenticate",
	"authenticated",
	"authorized",
	"passive",
	"passenger",
	"passport",
	"passage",
	"bypass",
	"compass",
	"passed",
	"passing",
	"passes",
	"passthrough",
	"tokenizer",
	"tokenize",
	"tokens",
	"secretary",
	"integrity",
	"checksum",
	"sha",
	"sha1",
	"sha256",
	"sha384",
	"sha512",
	"md5",
	"etag",
	"commit",
	"revision",
	"nonce",
	"fingerprint",
	"keyid",
	"key_id",
	"gpgkey",
	"signed_by",
	"ssh_host",
	"known_hosts",
	"authorized_keys",
	"key_type",
	"token_type",
	"grant_type",
	"i18n",
	"locale",
	"translation",
	"surrogate",
	"lookup_key",
	"group_key",
	"map_key",
	"dict_key",
	"sealed",
	"trusted",
	"request",
	"change",
	"lock_token",
	"vapid_key",
	"encrypted",
	"hashed",
	"keystroke",
	"primary_key_column",
	"search_key_word",
	"shortcut",
	"accelerator",
	"mac_key",
	"keyserver",
	"keysym",
	"test_key_name",
	"tokenization",
	"passwordless",
	"secretless",
	"vaulttoken_path",
};

/* Names that end like these are of a secret, */
static const char *const secret_ends[] = { "password", "passwd", "passphrase", "secret" };

/* but with one of these words: it is not there in plain, or a text on a screen. */
static const char *const no_secrets[] = { "encrypted",   "hashed",    "sealed",
	                                  "change",      "i18n",      "locale",
	                                  "translation", "etc_passwd" };

/* Nor are all that end in "token". */
static const char *const no_tokens[] = {
	"csrf",          "xsrf",         "next_token",   "page_token",  "continuation",
	"request_token", "client_token", "action_token", "lock_token",  "public",
	"pub",           "nonce",        "idempotency",  "publishable", "authorized",
	"dedup",         "sha256",       "commit",
};

/* What may follow on a password's name: which one it is. */
static const char *const variants[] = { "_test", "_tests", "_default" };
static const char *const variant_of[] = { "password", "passwd", "passphrase", "pass",
	                                  "pwd" };

static const char *const passwords[] = {
	"pass", "pwd", "psk", "pw", "pin", "identified"
};

static const char *const tokens[] = {
	"secret",         "secrets",      "token",
	"apikey",         "api_key",      "access_key",
	"auth_key",       "authkey",      "private_key",
	"privkey",        "priv_key",     "signing_key",
	"encryption_key", "credential",   "credentials",
	"creds",          "cred",         "client_key",
	"master_key",     "account_key",  "service_key",
	"shared_key",     "license_key",  "subscription_key",
	"admin_key",      "app_key",      "application_key",
	"secretkey",      "accesskey",    "authtoken",
	"accesstoken",    "webhook",      "storage_key",
	"function_key",   "host_key",     "session_key",
	"jwt_key",        "hmac_key",     "deploy_key",
	"merchant_key",   "consumer_key", "integration_key",
	"ingest_key",     "write_key",    "server_key",
	"crypt_key",      "aes_key",      "cipher_key",
	"encrypt_key",    "secret_base",  "api_secret",
	"sdk_key",        "heroku",       "postmark",
	"erlang_cookie",  "node_cookie",  "magic_cookie",
	"session_cookie", "auth",         "salt",
};

/* The same as ends(), also as a part of the last word. */
static bool tails(const char *name, const char *word)
{
	size_t n = strlen(name), len = strlen(word);

	return n >= len && memcmp(name + n - len, word, len) == 0;
}

/* "db_password_test" becomes "db_password". */
static void cut_variant(char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		char *end = name + strlen(name);

		if (!tails(name, variants[i]))
			continue;
		end -= strlen(variants[i]);
		*end = '\0';
		if (any(name, variant_of, ARRAY_LEN(variant_of), tails))
			return;
		*end = '_';
	}
}

static bool is_denied(const char *name)
{
	bool secret = any(name, secret_ends, ARRAY_LEN(secret_ends), tails);

	if (!secret && !tails(name, "token"))
		return any(name, denied, ARRAY_LEN(denied), has);
	return any(name, no_secrets, ARRAY_LEN(no_secrets), has) ||
	       (!secret && any(name, no_tokens, ARRAY_LEN(no_tokens), has));
}

static enum keyname class_of(const char *name)
{
	if (name[0] == '\0' || is_denied(name) ||
	    any(name, last_words, ARRAY_LEN(last_words), ends))
		return KEYNAME_OTHER;
	if (strstr(name, "passw") != NULL || strstr(name, "passphrase") != NULL ||
	    strstr(name, "passcode") != NULL || strstr(name, "pass_phrase") != NULL ||
	    strstr(name, "pass_word") != NULL ||
	    any(name, passwords, ARRAY_LEN(passwords), has) ||
	    (strlen(name) > 4 && strcmp(name + strlen(name) - 4, "pass") == 0) ||
	    (strlen(name) > 3 && strcmp(name + strlen(name) - 3, "pwd") == 0))
		return KEYNAME_PASSWORD;
	if (any(name, tokens, ARRAY_LEN(tokens), has) || strstr(name, "secret") != NULL ||
	    strstr(name, "apikey") != NULL ||
	    (strlen(name) > 5 && strcmp(name + strlen(name) - 5, "token") == 0))
		return KEYNAME_TOKEN;
	return strstr(name, "key") != NULL ? KEYNAME_KEY : KEYNAME_OTHER;
}

enum keyname keyname_class(const char *name)
{
	char base[KEYNAME_MAX];

	(void)snprintf(base, sizeof(base), "%s", name);
	cut_variant(base);
	return class_of(base);
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

bool keyname_of_uuid(const char *name)
{
	static const char *const words[] = { "client_secret", "clientsecret",
		                             "api_key",       "apikey",
		                             "secret_key",    "access_key",
		                             "license_key" };

	return any(name, words, ARRAY_LEN(words), tails);
}

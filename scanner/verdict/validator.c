/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/validator.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util.h"
#include "verdict/ascii.h"
#include "verdict/checksum.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/placeholder.h"
#include "verdict/random.h"
#include "verdict/structure.h"

#define NAME_MAX_LEN 24

/* A checksum or structure says yes or no. */
static void answer(const struct tested *t, bool ok)
{
	t->verdict->validity = ok ? VALIDITY_VALID : VALIDITY_INVALID;
}

static void encrypted(const struct tested *t)
{
	t->verdict->severity = SEVERITY_LOW;
}

static void v_crc32_base62(const struct tested *t)
{
	answer(t, checksum_crc32_base62(t->s, t->n, strtoul(t->arg, NULL, 10)));
}

static void v_crc32_hex(const struct tested *t)
{
	const char *at = memchr(t->s, t->arg[0], t->n);

	answer(t, at != NULL &&
	                  checksum_crc32_hex(t->s, t->n, (size_t)(at - t->s) + 1, false));
}

static void v_crc32_hex_upper(const struct tested *t)
{
	answer(t, checksum_crc32_hex(t->s, t->n, strtoul(t->arg, NULL, 10), true));
}

static void v_crc32_le_hex(const struct tested *t)
{
	answer(t, checksum_crc32_le_hex(t->s, t->n));
}

static void v_crc32_base36(const struct tested *t)
{
	answer(t, checksum_crc32_base36(t->s, t->n));
}

static void v_marvin32(const struct tested *t)
{
	bool ok = checksum_marvin32(t->s, t->n, t->arg);

	answer(t, ok);
	/* A seed that is not known here yet, or an older key. */
	if (!ok)
		t->verdict->confidence = CONFIDENCE_MEDIUM;
}

static void v_bech32(const struct tested *t)
{
	answer(t, checksum_bech32(t->s, t->n));
}

static void v_base58check(const struct tested *t)
{
	answer(t,
	       checksum_base58(t->s, t->n,
	                       t->arg[0] == '\0' ? -1 : (int)strtol(t->arg, NULL, 16)));
}

static void v_aws_account(const struct tested *t)
{
	/* Keys of today carry their account; older ones do not. */
	if (structure_aws_account(t->s, t->n) == 0)
		t->verdict->confidence = CONFIDENCE_MEDIUM;
}

/* "TEXT" or "TEXT@SKIP": the decoded value after SKIP characters starts with TEXT. */
static void v_base64_text(const struct tested *t)
{
	const char *at = strchr(t->arg, '@');
	size_t skip = at == NULL ? 0 : strtoul(at + 1, NULL, 10);
	size_t len = at == NULL ? strlen(t->arg) : (size_t)(at - t->arg);
	char text[32] = "";

	if (len < sizeof(text))
		memcpy(text, t->arg, len);
	answer(t, t->n > skip && structure_base64_starts(t->s + skip, t->n - skip, text));
}

static void v_base64_json(const struct tested *t)
{
	size_t skip = strtoul(t->arg, NULL, 10);

	answer(t,
	       t->n > skip && structure_base64_starts(t->s + skip, t->n - skip, "{\""));
}

static void v_base64_pem(const struct tested *t)
{
	answer(t, structure_base64_starts(t->s, t->n, "-----BEGIN ") &&
	                  !structure_base64_starts(t->s, t->n, "-----BEGIN CERT") &&
	                  !structure_base64_starts(t->s, t->n, "-----BEGIN PUBLIC"));
}

static void v_basic(const struct tested *t)
{
	char pass[STRUCTURE_PAIR_MAX];
	size_t n;

	if (!structure_pair(t->s, t->n, pass, &n)) {
		t->verdict->drop = DROP_STRUCTURE;
		return;
	}
	t->verdict->validity = VALIDITY_VALID;
	t->verdict->drop = judge_password(t->place, pass, n);
}

static void v_auth_header(const struct tested *t)
{
	static const size_t look = 24;
	size_t from = t->place->at > look ? t->place->at - look : 0;
	const char *before = t->place->text + from;

	if (ascii_find(before, t->place->at - from, "basic") != NULL)
		v_basic(t);
	else if (structure_jwt(t->s, t->n))
		t->verdict->drop = judge_common(t->place, t->s, t->n);
	else
		t->verdict->drop = judge_bearer(t->place, t->s, t->n);
}

static void v_npmrc(const struct tested *t)
{
	char pass[STRUCTURE_PAIR_MAX];
	size_t n;

	struct shape shape;

	if (structure_pair(t->s, t->n, pass, &n)) {
		t->verdict->drop = judge_password(t->place, pass, n);
		return;
	}
	t->verdict->drop = judge_common(t->place, t->s, t->n);
	shape_of(t->s, t->n, &shape);
	if (t->verdict->drop == DROP_NONE && shape_wordy(&shape) && shape.digit < 4)
		t->verdict->drop = DROP_ENTROPY;
}

static void v_jwt(const struct tested *t)
{
	if (!structure_jwt(t->s, t->n))
		t->verdict->drop = DROP_STRUCTURE;
	else if (structure_jwt_sample(t->s, t->n))
		t->verdict->drop = DROP_PLACEHOLDER;
	else
		t->verdict->validity = VALIDITY_VALID;
}

static void key_answer(const struct tested *t, enum structure_key key)
{
	if (key == STRUCTURE_KEY_NONE) {
		t->verdict->drop = DROP_STRUCTURE;
		return;
	}
	t->verdict->validity = VALIDITY_VALID;
	if (key == STRUCTURE_KEY_PUBLISHED)
		t->verdict->drop = DROP_PLACEHOLDER;
	if (key == STRUCTURE_KEY_ENCRYPTED)
		encrypted(t);
}

static void v_pem(const struct tested *t)
{
	key_answer(t, structure_pem(t->s, t->n));
}

static void v_pgp(const struct tested *t)
{
	key_answer(t, structure_pgp(t->s, t->n));
}

static void v_ppk(const struct tested *t)
{
	if (ascii_find(t->s, t->n, "encryption: none") == NULL &&
	    ascii_find(t->place->text, t->place->text_n, "encryption: none") == NULL)
		encrypted(t);
}

static void v_pypi(const struct tested *t)
{
	answer(t, structure_pypi(t->s, t->n));
}

static void v_discord(const struct tested *t)
{
	if (structure_discord(t->s, t->n)) {
		t->verdict->validity = VALIDITY_VALID;
		return;
	}
	/* Not a user's number: a token only where its name is near. */
	if (!context_near(t->place, "discord", 120, 3) &&
	    !context_near(t->place, "bot", 60, 1))
		t->verdict->drop = DROP_STRUCTURE;
}

static void v_eth_key(const struct tested *t)
{
	if (!structure_curve_key(t->s, t->n))
		t->verdict->drop = DROP_STRUCTURE;
}

static void v_mixed(const struct tested *t)
{
	struct shape shape;

	shape_of(t->s, t->n, &shape);
	if (shape_hex(&shape) ? shape.entropy < 2.8
	                      : shape.digit == 0 || shape.lower + shape.upper == 0 ||
	                                shape.words > 0.5 || shape.entropy < 3.0)
		t->verdict->drop = DROP_ENTROPY;
}

static void v_digits_and_letters(const struct tested *t)
{
	struct shape shape;

	/* After a prefix: at least three digits among the letters. */
	shape_of(t->s, t->n, &shape);
	if (shape.digit < 3 || shape.lower + shape.upper < 5)
		t->verdict->drop = DROP_ENTROPY;
}

static void v_hash(const struct tested *t)
{
	if (placeholder_redacted(t->s, t->n) || placeholder_pattern(t->s, t->n))
		t->verdict->drop = DROP_PLACEHOLDER;
}

static void v_password(const struct tested *t)
{
	t->verdict->drop = judge_password(t->place, t->s, t->n);
}

static void v_url_password(const struct tested *t)
{
	t->verdict->drop = judge_url(t->place, t->s, t->n);
	if (context_local(t->place))
		t->verdict->severity = SEVERITY_LOW;
}

static void v_strict(const struct tested *t)
{
	t->verdict->drop = judge_strict(t->place, t->s, t->n);
}

static void v_strong(const struct tested *t)
{
	t->verdict->drop = judge_strong(t->place, t->s, t->n);
}

static void v_assign(const struct tested *t)
{
	t->verdict->drop = judge_assign(t->place, t->s, t->n);
}

static void v_assign_strict(const struct tested *t)
{
	t->verdict->drop = judge_assign(t->place, t->s, t->n);
	if (t->verdict->drop == DROP_NONE)
		t->verdict->drop = judge_strict(t->place, t->s, t->n);
}

static void v_opaque(const struct tested *t)
{
	t->verdict->drop = judge_opaque(t->place, t->s, t->n);
}

static void v_opaque_keyed(const struct tested *t)
{
	struct shape shape;

	t->verdict->drop = judge_opaque(t->place, t->s, t->n);
	shape_of(t->s, t->n, &shape);
	if (t->verdict->drop == DROP_NONE && (context_hash(t->place) || shape.digit < 3))
		t->verdict->drop = DROP_CONTEXT;
	if (t->verdict->drop == DROP_NONE && structure_chain_address(t->s, t->n))
		t->verdict->drop = DROP_STRUCTURE;
}

static void v_uuid_key(const struct tested *t)
{
	enum drop drop;

	/* A UUID made at random has few zeros in a row; its name has to end like a key.
	 */
	t->verdict->drop = judge_common(t->place, t->s, t->n);
	if (t->verdict->drop == DROP_NONE && context_prose(t->place))
		t->verdict->drop = DROP_CONTEXT;
	if (t->verdict->drop != DROP_NONE)
		return;
	/* Under such a name any random text is a secret. */
	drop = judge_assign(t->place, "q7ZvT2mLx9Kd7RwP4nBs", 20);
	t->verdict->drop = drop == DROP_NAME ? DROP_NAME : DROP_NONE;
}

static void v_encoded(const struct tested *t)
{
	char plain[512];
	long n = structure_unbase64(t->s, t->n, (uint8_t *)plain, sizeof(plain));

	if (context_test(t->place))
		t->verdict->drop = DROP_CONTEXT;
	else if (n >= 4 && text_printable(plain, (size_t)n))
		t->verdict->drop = judge_password(t->place, plain, (size_t)n);
	else
		t->verdict->drop = judge_opaque(t->place, t->s, t->n);
}

static void v_phrase(const struct tested *t)
{
	t->verdict->drop = judge_phrase(t->place, t->s, t->n);
}

static void v_words(const struct tested *t)
{
	t->verdict->drop = placeholder_sample(t->s, t->n) ? DROP_PLACEHOLDER : DROP_NONE;
}

static void v_k8s(const struct tested *t)
{
	t->verdict->drop = judge_k8s(t->place, t->s, t->n);
}

/* 'Tq7', 'vz2' is judged as Tq7vz2. */
static void v_pieces(const struct tested *t)
{
	char whole[512], quote = '\0';
	size_t n = 0;

	for (size_t i = 0; i < t->n && n < sizeof(whole); i++) {
		char c = t->s[i];

		if (quote == '\0')
			quote = c == '"' || c == '\'' ? c : '\0';
		else if (c == quote)
			quote = '\0';
		else
			whole[n++] = c;
	}
	t->verdict->drop = judge_assign(t->place, whole, n);
}

static void v_column(const struct tested *t)
{
	t->verdict->drop = judge_column(t->place, t->s, t->n);
}

static const struct {
	const char *name;
	void (*run)(const struct tested *);
	bool judges;
} validators[] = {
	{"crc32-base62",        v_crc32_base62,       false},
	{ "crc32-hex",          v_crc32_hex,          false},
	{ "crc32-hex-upper",    v_crc32_hex_upper,    false},
	{ "crc32-le-hex",       v_crc32_le_hex,       false},
	{ "crc32-base36",       v_crc32_base36,       false},
	{ "marvin32",           v_marvin32,           false},
	{ "bech32",             v_bech32,             false},
	{ "base58check",        v_base58check,        false},
	{ "aws-account",        v_aws_account,        false},
	{ "base64-text",        v_base64_text,        false},
	{ "base64-json",        v_base64_json,        false},
	{ "base64-pem",         v_base64_pem,         false},
	{ "basic",              v_basic,              true },
	{ "auth-header",        v_auth_header,        true },
	{ "npmrc",              v_npmrc,              true },
	{ "jwt",                v_jwt,                false},
	{ "pem",                v_pem,                true },
	{ "pgp-armor",          v_pgp,                true },
	{ "ppk",                v_ppk,                true },
	{ "pypi",               v_pypi,               false},
	{ "discord",            v_discord,            false},
	{ "eth-key",            v_eth_key,            false},
	{ "mixed",              v_mixed,              false},
	{ "digits-and-letters", v_digits_and_letters, false},
	{ "crypt-hash",         v_hash,               true },
	{ "password",           v_password,           true },
	{ "url-password",       v_url_password,       true },
	{ "password-strict",    v_strict,             true },
	{ "password-strong",    v_strong,             true },
	{ "assign",             v_assign,             true },
	{ "flag",               v_assign,             true },
	{ "assign-strict",      v_assign_strict,      true },
	{ "opaque",             v_opaque,             true },
	{ "opaque-keyed",       v_opaque_keyed,       true },
	{ "uuid-key",           v_uuid_key,           true },
	{ "encoded",            v_encoded,            true },
	{ "phrase",             v_phrase,             true },
	{ "words",              v_words,              true },
	{ "k8s-data",           v_k8s,                true },
	{ "column",             v_column,             true },
	{ "pieces",             v_pieces,             true },
};

/* The row of ${spec}; -1 if there is none.  ${arg} is what follows the name. */
static int row(const char *spec, const char **arg)
{
	size_t len = 0;

	while (spec != NULL && spec[len] != '\0' && !ascii_any(":@", spec[len]))
		len++;
	if (len == 0 || len > NAME_MAX_LEN)
		return -1;
	*arg = spec[len] == '\0' ? "" : spec + len + 1;
	for (size_t i = 0; i < ARRAY_LEN(validators); i++)
		if (validators[i].name[0] == spec[0] &&
		    strncmp(validators[i].name, spec, len) == 0 &&
		    validators[i].name[len] == '\0')
			return (int)i;
	return -1;
}

bool validator_run(const char *spec, const struct tested *t)
{
	struct tested with = *t;
	int i = row(spec, &with.arg);

	if (i < 0)
		return false;
	validators[i].run(&with);
	return validators[i].judges;
}

bool validator_known(const char *spec)
{
	const char *arg;

	return row(spec, &arg) >= 0;
}

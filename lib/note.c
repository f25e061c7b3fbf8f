/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define ED25519       0x01
#define DASH          "\xe2\x80\x94 "
#define DASH_LEN      (sizeof(DASH) - 1)
#define SIG_BYTES     (4 + crypto_sign_BYTES)
#define SIG_BYTES_MAX (8u * 1024) /* other algorithms' signatures are longer */

/* Code points that Unicode calls white space, in UTF-8. */
static const char *const wide_spaces[] = {
	"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
	"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
	"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
	"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

static bool name_ok(const char *s, size_t n)
{
	if (n == 0 || !text_utf8_ok(s, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '+' || s[i] == 0x7f)
			return false;
	for (size_t i = 0; i < ARRAY_LEN(wide_spaces); i++)
		if (memmem(s, n, wide_spaces[i], strlen(wide_spaces[i])) != NULL)
			return false;
	return true;
}

static void key_id(const char *name, size_t n, const unsigned char pub[32],
                   unsigned char out[4])
{
	static const unsigned char middle[2] = { '\n', ED25519 };
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const unsigned char *)name, n);
	crypto_hash_sha256_update(&st, middle, sizeof(middle));
	crypto_hash_sha256_update(&st, pub, 32);
	crypto_hash_sha256_final(&st, hash);
	memcpy(out, hash, 4);
}

static int key_make(const char *name, size_t n, const unsigned char pub[32],
                    struct note_key *out, struct err *e)
{
	if (n > NOTE_NAME_MAX || !name_ok(name, n))
		return err_set(e, ERR_INVALID,
		               "not a key name that a signed note can carry");
	memset(out, 0, sizeof(*out));
	memcpy(out->name, name, n);
	memcpy(out->pub, pub, 32);
	key_id(name, n, pub, out->id);
	return ERR_OK;
}

int note_key_make(const char *name, const unsigned char pub[32], struct note_key *out,
                  struct err *e)
{
	return key_make(name, strlen(name), pub, out, e);
}

int note_key_parse(const char *text, size_t n, struct note_key *out, struct err *e)
{
	const char *hex = memchr(text, '+', n), *b64;
	unsigned char id[4], key[33];
	struct note_key k;
	size_t left;
	int rc;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	left = hex != NULL ? n - (size_t)(hex + 1 - text) : 0;
	if (hex == NULL || left < 10 || hex[9] != '+' ||
	    text_unhex(hex + 1, 8, id, sizeof(id)) != 4)
		return err_set(e, ERR_INVALID, "not a verifier key (name+id+key)");
	b64 = hex + 10;
	if (text_unbase64(b64, n - (size_t)(b64 - text), key, sizeof(key)) != sizeof(key))
		return err_set(e, ERR_INVALID, "the verifier key's last part is no key");
	if (key[0] != ED25519)
		return err_set(e, ERR_INVALID, "a verifier key of an unknown type");
	if ((rc = key_make(text, (size_t)(hex - text), key + 1, &k, e)) != ERR_OK)
		return rc;
	if (memcmp(k.id, id, sizeof(id)) != 0)
		return err_set(e, ERR_INVALID,
		               "the verifier key's id does not fit its key");
	*out = k;
	return ERR_OK;
}

void note_key_format(const struct note_key *k, char out[NOTE_KEY_TEXT_MAX])
{
	unsigned char typed[33];
	char hex[9], b64[TEXT_BASE64_LEN(33) + 1];

	typed[0] = ED25519;
	memcpy(typed + 1, k->pub, 32);
	text_hex(k->id, sizeof(k->id), hex);
	text_base64(typed, sizeof(typed), b64);
	snprintf(out, NOTE_KEY_TEXT_MAX, "%s+%s+%s", k->name, hex, b64);
}

/* One signature line without its newline. */
struct line {
	const char *name;
	size_t name_len;
	unsigned char id[4];
	const unsigned char *sig;
	size_t sig_len;
};

static int line_parse(const char *s, size_t n, unsigned char *buf, struct line *out,
                      struct err *e)
{
	const char *sep;
	long len;

	if (n <= DASH_LEN || memcmp(s, DASH, DASH_LEN) != 0)
		return err_set(e, ERR_INVALID,
		               "a signed note with a line that is no signature");
	out->name = s + DASH_LEN;
	sep = memchr(out->name, ' ', n - DASH_LEN);
	if (sep == NULL || !name_ok(out->name, (size_t)(sep - out->name)))
		return err_set(e, ERR_INVALID, "a signed note with a malformed key name");
	out->name_len = (size_t)(sep - out->name);
	len = text_unbase64(sep + 1, (size_t)(s + n - sep - 1), buf, SIG_BYTES_MAX);
	if (len < 5)
		return err_set(e, ERR_INVALID,
		               "a signed note with a malformed signature");
	memcpy(out->id, buf, 4);
	out->sig = buf + 4;
	out->sig_len = (size_t)len - 4;
	return ERR_OK;
}

static const struct note_key *known(const struct line *l, const struct note_key *keys,
                                    size_t nkeys)
{
	for (size_t i = 0; i < nkeys; i++)
		if (memcmp(keys[i].id, l->id, 4) == 0 &&
		    strlen(keys[i].name) == l->name_len &&
		    memcmp(keys[i].name, l->name, l->name_len) == 0)
			return &keys[i];
	return NULL;
}

/* The last blank line parts text and signatures. */
static int find_body(const char *text, size_t n, size_t *body_len, struct err *e)
{
	if (n > NOTE_MAX)
		return err_set(e, ERR_INVALID, "a signed note of more than %u bytes",
		               NOTE_MAX);
	if (n < 2 || text[n - 1] != '\n' || !text_utf8_ok(text, n))
		return err_set(e, ERR_INVALID, "not a signed note");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\n')
			return err_set(e, ERR_INVALID,
			               "a signed note with control characters");
	for (size_t i = n - 1; i-- > 1;) {
		if (text[i] == '\n' && text[i - 1] == '\n') {
			*body_len = i;
			return ERR_OK;
		}
	}
	return err_set(e, ERR_INVALID, "a note without signatures");
}

static int check_line(const struct line *l, const char *text, size_t body_len,
                      const struct note_key *k, struct err *e)
{
	if (l->sig_len != crypto_sign_BYTES ||
	    crypto_sign_verify_detached(l->sig, (const unsigned char *)text, body_len,
	                                k->pub) != 0)
		return err_set(e, ERR_VERIFY, "the signature of %s is wrong", k->name);
	return ERR_OK;
}

int note_verify(const char *text, size_t n, const struct note_key *keys, size_t nkeys,
                size_t *body_len, struct err *e)
{
	unsigned char buf[SIG_BYTES_MAX];
	size_t body = 0, at, lines = 0, good = 0;
	int rc;

	if ((rc = find_body(text, n, &body, e)) != ERR_OK)
		return rc;
	for (at = body + 1; at < n; lines++) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = (size_t)(end - (text + at));
		const struct note_key *k;
		struct line l = { .name = "" };

		if (lines == NOTE_SIGNATURES_MAX)
			return err_set(e, ERR_INVALID, "a note with too many signatures");
		if ((rc = line_parse(text + at, len, buf, &l, e)) != ERR_OK)
			return rc;
		k = known(&l, keys, nkeys);
		if (k != NULL && (rc = check_line(&l, text, body, k, e)) != ERR_OK)
			return rc;
		good += k != NULL;
		at += len + 1;
	}
	if (good == 0)
		return err_set(e, ERR_VERIFY, "not signed by the key that is trusted");
	*body_len = body;
	return ERR_OK;
}

size_t note_checkpoint_body(const struct note_checkpoint *cp, char *out, size_t cap)
{
	char root[TEXT_BASE64_LEN(32) + 1];
	int n;

	text_base64(cp->root, sizeof(cp->root), root);
	n = snprintf(out, cap, "%s\n%llu\n%s\n", cp->origin, (unsigned long long)cp->size,
	             root);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

size_t note_sign_line(const struct note_key *k, const unsigned char sig[64], char *out,
                      size_t cap)
{
	unsigned char bytes[SIG_BYTES];
	char b64[TEXT_BASE64_LEN(SIG_BYTES) + 1];
	int n;

	memcpy(bytes, k->id, 4);
	memcpy(bytes + 4, sig, crypto_sign_BYTES);
	text_base64(bytes, sizeof(bytes), b64);
	n = snprintf(out, cap, "\n" DASH "%s %s\n", k->name, b64);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* Digits without a leading zero, below 2^63. */
static int parse_size(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 18 || (n > 1 && s[0] == '0'))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = v;
	return 0;
}

int note_checkpoint_parse(const char *body, size_t n, struct note_checkpoint *out,
                          struct err *e)
{
	struct note_checkpoint cp = { .size = 0 };
	const char *line[3], *p = body;
	size_t len[3];

	for (size_t i = 0; i < 3; i++) {
		const char *end = memchr(p, '\n', n - (size_t)(p - body));

		if (end == NULL)
			return err_set(e, ERR_INVALID, "not a checkpoint");
		line[i] = p;
		len[i] = (size_t)(end - p);
		p = end + 1;
	}
	if (len[0] > NOTE_NAME_MAX || !text_printable(line[0], len[0]) || len[0] == 0)
		return err_set(e, ERR_INVALID, "a checkpoint with a malformed origin");
	memcpy(cp.origin, line[0], len[0]);
	if (parse_size(line[1], len[1], &cp.size) != 0)
		return err_set(e, ERR_INVALID, "a checkpoint with a malformed size");
	if (len[2] != TEXT_BASE64_LEN(32) ||
	    text_unbase64(line[2], len[2], cp.root, sizeof(cp.root)) != sizeof(cp.root))
		return err_set(e, ERR_INVALID, "a checkpoint with a malformed root");
	*out = cp;
	return ERR_OK;
}

const char *note_checkpoint_line(const char *text, size_t n, const char *prefix,
                                 size_t *len)
{
	const char *p = text, *end;

	for (size_t i = 0; (end = memchr(p, '\n', n - (size_t)(p - text))) != NULL; i++) {
		*len = (size_t)(end - p);
		if (*len == 0)
			return NULL; /* what follows are signatures */
		if (i >= 3 && *len >= strlen(prefix) &&
		    memcmp(p, prefix, strlen(prefix)) == 0)
			return p;
		p = end + 1;
	}
	return NULL;
}

int note_checkpoint_verify(const char *text, size_t n, const struct note_key *k,
                           struct note_checkpoint *out, struct err *e)
{
	struct note_checkpoint cp;
	size_t body_len = 0;
	int rc;

	if ((rc = note_verify(text, n, k, 1, &body_len, e)) != ERR_OK ||
	    (rc = note_checkpoint_parse(text, body_len, &cp, e)) != ERR_OK)
		return rc;
	if (strcmp(cp.origin, k->name) != 0)
		return err_set(e, ERR_VERIFY, "a checkpoint of another log");
	*out = cp;
	return ERR_OK;
}

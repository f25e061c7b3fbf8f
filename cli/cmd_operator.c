/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_operator - keys over their life: new shares, a new key term, a new root token. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "out.h"
#include "text.h"

/* Shares are asked for one by one until the server has enough; *doc is its last reply. */
static int give_shares(struct cli *c, const char *path, const char *nonce, json_t **doc,
                       struct err *e)
{
	char *share = NULL;
	json_t *body;
	int rc = ERR_OK;

	do {
		json_decref(*doc);
		*doc = NULL;
		if ((rc = cli_prompt("Unseal key share", &share, e)) != ERR_OK)
			return rc;
		body = json_pack("{s:s,s:s}", "key", share, "nonce", nonce);
		cli_wipe(share);
		if (body == NULL)
			return err_set(e, ERR_INVALID, "the share is not text");
		rc = cli_call(c, "POST", path, body, doc, e);
		json_decref(body);
		if (rc == ERR_OK && !json_is_true(json_object_get(*doc, "complete")))
			say("%lld of %lld shares.",
			    (long long)json_integer_value(
				    json_object_get(*doc, "progress")),
			    (long long)json_integer_value(
				    json_object_get(*doc, "required")));
	} while (rc == ERR_OK && !json_is_true(json_object_get(*doc, "complete")));
	return rc;
}

static void show_shares(struct cli *c, json_t *doc)
{
	size_t i;
	json_t *v;

	if (c->format == CLI_JSON) {
		out_json(c, doc);
		return;
	}
	json_array_foreach(json_object_get(doc, "keys_base64"), i, v)
		printf("Unseal Key %zu: %s\n", i + 1, json_string_value(v));
	say("Keep the shares apart from each other and from this machine: they are shown once.");
}

/* A copy of the reply's nonce. */
static int take_nonce(const json_t *doc, const char *member, char nonce[64],
                      struct err *e)
{
	const char *s = json_string_value(json_object_get(doc, member));

	if (s == NULL || s[0] == '\0' || strlen(s) >= 64)
		return err_set(e, ERR_INTERNAL, "the server sent no nonce");
	memcpy(nonce, s, strlen(s) + 1);
	return ERR_OK;
}

static int number(struct cli *c, const char *flag, int dflt, json_t *body,
                  const char *field, struct err *e)
{
	const char *v = cli_flag(c, flag);
	char *end = NULL;
	long n = v != NULL ? strtol(v, &end, 10) : dflt;

	if (v != NULL && (end == v || *end != '\0' || n < 1 || n > 255))
		return err_set(e, ERR_USAGE, "--%s: '%.20s' is no number from 1 to 255",
		               flag, v);
	json_object_set_new(body, field, json_integer(n));
	return ERR_OK;
}

/* The new shares do not count before enough of them were given back. */
static int verify_shares(struct cli *c, json_t **doc, struct err *e)
{
	char nonce[64];
	int rc = take_nonce(*doc, "verification_nonce", nonce, e);

	if (rc != ERR_OK)
		return rc;
	say("Now give the new shares back, to prove that they were kept.");
	return give_shares(c, "sys/rekey/verify", nonce, doc, e);
}

static int rekey(struct cli *c, struct err *e)
{
	json_t *body = json_object(), *doc = NULL;
	bool verify = cli_flag(c, "verify") != NULL;
	char nonce[64];
	int rc;

	if (cli_flag(c, "cancel") != NULL) {
		json_decref(body);
		return call_run(c, "DELETE", "sys/rekey/init", NULL, PRINT_NONE, e);
	}
	if (verify)
		json_object_set_new(body, "require_verification", json_true());
	if ((rc = number(c, "key-shares", 5, body, "secret_shares", e)) == ERR_OK &&
	    (rc = number(c, "key-threshold", 3, body, "secret_threshold", e)) == ERR_OK &&
	    (rc = cli_call(c, "POST", "sys/rekey/init", body, &doc, e)) == ERR_OK &&
	    (rc = take_nonce(doc, "nonce", nonce, e)) == ERR_OK &&
	    (rc = give_shares(c, "sys/rekey/update", nonce, &doc, e)) == ERR_OK) {
		show_shares(c, doc);
		if (json_is_true(json_object_get(doc, "verification_required")))
			rc = verify_shares(c, &doc, e);
	}
	if (rc == ERR_OK)
		say("The new shares are in force.");
	json_decref(body);
	json_decref(doc);
	return rc;
}

/* base64 without padding, and both of the same length: token = encoded XOR otp. */
static int decode_root(const char *encoded, const char *otp, char *out, size_t cap,
                       struct err *e)
{
	size_t n = 0, len = strlen(otp);

	if (len >= cap ||
	    sodium_base642bin((unsigned char *)out, cap, encoded, strlen(encoded), NULL,
	                      &n, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
	    n != len)
		return err_set(e, ERR_INTERNAL, "the encoded token does not fit the OTP");
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(out[i] ^ otp[i]);
	out[n] = '\0';
	return ERR_OK;
}

static int show_root(struct cli *c, const json_t *doc, const char *otp, struct err *e)
{
	const char *encoded = json_string_value(json_object_get(doc, "encoded_token"));
	json_t *shown;
	char token[256];
	int rc;

	if (encoded == NULL)
		return err_set(e, ERR_INTERNAL, "the server sent no token");
	if ((rc = decode_root(encoded, otp, token, sizeof(token), e)) != ERR_OK)
		return rc;
	shown = json_pack("{s:s}", "root_token", token);
	if (c->format == CLI_JSON)
		out_json(c, shown);
	else
		printf("Root Token: %s\n", token);
	json_decref(shown);
	sodium_memzero(token, sizeof(token));
	return ERR_OK;
}

static int generate_root(struct cli *c, struct err *e)
{
	json_t *doc = NULL;
	char nonce[64], otp[256] = "";
	const char *given;
	int rc;

	if (cli_flag(c, "cancel") != NULL)
		return call_run(c, "DELETE", "sys/generate-root/attempt", NULL,
		                PRINT_NONE, e);
	if ((rc = cli_call(c, "POST", "sys/generate-root/attempt", NULL, &doc, e)) ==
	            ERR_OK &&
	    (rc = take_nonce(doc, "nonce", nonce, e)) == ERR_OK) {
		given = json_string_value(json_object_get(doc, "otp"));
		if (given == NULL || strlen(given) >= sizeof(otp))
			rc = err_set(e, ERR_INTERNAL, "the server sent no OTP");
		else
			memcpy(otp, given, strlen(given) + 1);
	}
	if (rc == ERR_OK &&
	    (rc = give_shares(c, "sys/generate-root/update", nonce, &doc, e)) == ERR_OK)
		rc = show_root(c, doc, otp, e);
	sodium_memzero(otp, sizeof(otp));
	json_decref(doc);
	return rc;
}

static int rotate_key(struct cli *c, struct err *e)
{
	int rc = call_run(c, "POST", "sys/rotate", NULL, PRINT_NONE, e);

	if (rc == ERR_OK)
		say("New rows are sealed under a new key; old ones follow in the background.");
	return rc;
}

static int key_status(struct cli *c, struct err *e)
{
	return call_run(c, "GET", "sys/key-status", NULL, PRINT_DATA, e);
}

/* A row for each release, oldest first. */
static int version_history(struct cli *c, struct err *e)
{
	static const struct column columns[] = {
		{"VERSION",    "version"            },
		{ "INSTALLED", "timestamp_installed"},
		{ "BUILT",     "build_date"         },
	};
	json_t *doc = NULL, *rows;
	int rc = cli_call(c, "LIST", "sys/version-history", NULL, &doc, e);

	if (rc != ERR_OK || c->format == CLI_JSON) {
		if (rc == ERR_OK)
			out_json(c, doc);
		json_decref(doc);
		return rc;
	}
	rows = out_rows(doc, "version");
	out_table(rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
	json_decref(doc);
	return ERR_OK;
}

static int metrics(struct cli *c, struct err *e)
{
	return call_run(c, "GET", "sys/metrics", NULL, PRINT_DATA, e);
}

/* clang-format off */
static const struct flag rekey_flags[] = {
	{ "key-shares",    FLAG_STRING, "N",  "shares to make (5)" },
	{ "key-threshold", FLAG_STRING, "N",  "shares that unseal (3)" },
	{ "verify",        FLAG_BOOL,   NULL, "old shares count until the new ones were given back" },
	{ "cancel",        FLAG_BOOL,   NULL, "give up one that was begun" },
	{ 0 },
};
static const struct flag root_flags[] = {
	{ "cancel", FLAG_BOOL, NULL, "give up one that was begun" },
	{ 0 },
};
static const char shares_details[] =
	"Shares are read from the terminal without echo, or as lines of standard input.";

static const struct command rows[] = {
	{ "operator", "rekey",         rekey,         0, 0, rekey_flags, "", "make new shares", shares_details },
	{ "operator", "generate-root", generate_root, 0, 0, root_flags,  "", "make a root token with the shares",
	  shares_details },
	{ "operator", "rotate-key",    rotate_key,    0, 0, NULL,        "", "seal new rows under a new key", NULL },
	{ "operator", "key-status",    key_status,    0, 0, NULL,        "", "the key that new rows are sealed under", NULL },
	{ "operator", "version-history", version_history, 0, 0, NULL, "", "releases that have opened this vault", NULL },
	{ "operator", "metrics",       metrics,       0, 0, NULL,        "", "counters of the server", NULL },
};
/* clang-format on */

const struct command_set commands_operator = { rows, ARRAY_LEN(rows) };

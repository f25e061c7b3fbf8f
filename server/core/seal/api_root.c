/* SPDX-License-Identifier: Apache-2.0 */
/* api_root - sys/generate-root: a root token out of a quorum of shares. */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "auth_token.h"
#include "rekey.h"
#include "rng.h"
#include "route.h"
#include "share.h"
#include "text.h"
#include "token.h"

#define OTP_LEN TOKEN_TEXT_LEN

/* OpenBao's newer name of the same operation answers as most endpoints do. */
static bool in_envelope(const struct req *r)
{
	return strncmp(r->path, "sys/generate-root-token/", 24) == 0;
}

/* ${nonce} and ${encoded}: of one that is complete, else NULL. */
static int fill_status(struct req *r, const char *otp, const char *nonce,
                       const char *encoded)
{
	struct root_ceremony *root = root_ceremony(r->core, &r->e);
	struct value *out = in_envelope(r) ? reply_data(r) : reply_bare(r);
	bool complete = nonce != NULL;
	struct seal_status s;

	if (root == NULL)
		return ERR_NOMEM;
	seal_status(r->core, &s);
	value_set_str(r->a, out, "nonce",
	              complete ? nonce : arena_str(r->a, root->m.nonce));
	value_set_bool(r->a, out, "started", complete || root->m.active);
	value_set_int(r->a, out, "progress",
	              complete ? s.t : ceremony_progress(&root->m));
	value_set_int(r->a, out, "required", s.t);
	value_set_bool(r->a, out, "complete", complete);
	value_set_str(r->a, out, "encoded_token", complete ? encoded : "");
	value_set_str(r->a, out, "encoded_root_token", complete ? encoded : "");
	value_set_str(r->a, out, "pgp_fingerprint", "");
	value_set_str(r->a, out, "otp", otp);
	value_set_int(r->a, out, "otp_length", OTP_LEN);
	return ERR_OK;
}

static int h_status(struct req *r)
{
	return fill_status(r, "", NULL, NULL);
}

/* Uniform over base62: bytes beyond the largest multiple of 62 are not used. */
static void random_otp(char out[OTP_LEN + 1])
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t n = 0;

	while (n < OTP_LEN) {
		unsigned char b;

		rng_bytes(&b, 1);
		if (b < 4 * 62)
			out[n++] = digits[b % 62];
	}
	out[OTP_LEN] = '\0';
}

static int take_otp(struct req *r, char otp[OTP_LEN + 1], bool *given)
{
	const char *pgp = "", *text = "";
	bool present;
	int rc;

	if ((rc = req_str(r, "pgp_key", &pgp, &present)) != ERR_OK ||
	    (rc = req_str(r, "otp", &text, &present)) != ERR_OK)
		return rc;
	if (pgp[0] != '\0')
		return req_fail(r, ERR_INVALID,
		                "pgp_key is not supported: use an otp, or let the "
		                "server make one");
	*given = text[0] != '\0';
	if (!*given)
		random_otp(otp);
	else if (strlen(text) != OTP_LEN)
		return req_fail(r, ERR_INVALID, "OTP string is wrong length");
	else
		memcpy(otp, text, OTP_LEN + 1);
	return ERR_OK;
}

static int h_begin(struct req *r)
{
	struct root_ceremony *root = root_ceremony(r->core, &r->e);
	char otp[OTP_LEN + 1];
	bool given = false;
	int rc;

	if (root == NULL)
		return ERR_NOMEM;
	if (root->m.active)
		return req_fail(r, ERR_INVALID, "root generation already in progress");
	if ((rc = take_otp(r, otp, &given)) != ERR_OK ||
	    (rc = ceremony_begin(r->core, &root->m, r->id.accessor, &r->e)) != ERR_OK)
		return rc;
	memcpy(root->otp, otp, sizeof(otp));
	/* Only who begins it sees what the server made. */
	rc = fill_status(r, given ? "" : arena_str(r->a, otp), NULL, NULL);
	explicit_bzero(otp, sizeof(otp));
	return rc;
}

static int h_cancel(struct req *r)
{
	struct root_ceremony *root = root_ceremony(r->core, &r->e);
	const char *nonce = "";
	bool present;
	int rc;

	if (root == NULL)
		return ERR_NOMEM;
	if ((rc = req_str(r, "nonce", &nonce, &present)) != ERR_OK || !root->m.active)
		return rc;
	if (!ceremony_may_cancel(&root->m, r->id.accessor, nonce))
		return req_fail(r, ERR_INVALID,
		                "only who began the operation, or names its nonce, may "
		                "cancel it");
	ceremony_end(&root->m);
	explicit_bzero(root->otp, sizeof(root->otp));
	return ERR_OK;
}

static int make_token(struct req *r, const char otp[OTP_LEN + 1], const char **encoded)
{
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	struct value *policies = value_array(r->a);
	const struct token_spec spec = {
		.display_name = "root",
		.path = "auth/token/root",
		.policies = policies,
	};
	unsigned char mixed[OTP_LEN];
	char *text = arena_alloc(r->a, TEXT_BASE64_LEN(OTP_LEN) + 1);
	int rc;

	if (made == NULL || text == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_add(policies, value_str(r->a, "root"));
	if ((rc = token_create(r->core, r->a, &spec, made, &r->e)) != ERR_OK)
		return rc;
	if (strlen(made->text) != OTP_LEN)
		return req_fail(r, ERR_INTERNAL, "a token of another length");
	for (size_t i = 0; i < OTP_LEN; i++)
		mixed[i] = (unsigned char)(made->text[i] ^ otp[i]);
	text_base64(mixed, sizeof(mixed), text);
	text[strcspn(text, "=")] = '\0';
	req_note_str(r, "root_accessor", made->accessor);
	*encoded = text;
	return ERR_OK;
}

static int h_update(struct req *r)
{
	struct root_ceremony *root = root_ceremony(r->core, &r->e);
	const char *nonce = "", *encoded = "";
	char otp[OTP_LEN + 1];
	struct seal_share share;
	bool present, complete = false;
	int rc;

	if (root == NULL)
		return ERR_NOMEM;
	if ((rc = share_take(r, "'key' must be specified in request body as JSON",
	                     &share)) != ERR_OK ||
	    (rc = req_str(r, "nonce", &nonce, &present)) != ERR_OK)
		return rc;
	memcpy(otp, root->otp, sizeof(otp));
	rc = root_ceremony_offer(r->core, nonce, &share, &complete, &r->e);
	explicit_bzero(&share, sizeof(share));
	if (rc == ERR_OK && complete) {
		explicit_bzero(root->otp, sizeof(root->otp));
		rc = make_token(r, otp, &encoded);
	}
	explicit_bzero(otp, sizeof(otp));
	return rc == ERR_OK ? fill_status(r, "", complete ? nonce : NULL, encoded) : rc;
}

/* clang-format off */
static const struct field begin_fields[] = {
	{ "otp", "string", "what the token is XORed with; without one the server makes it" },
	{ "pgp_key", "string", "not supported" },
	{ NULL, NULL, NULL },
};
static const struct field update_fields[] = {
	{ "key", "string", "one share, hex or base64" },
	{ "nonce", "string", "of the operation" },
	{ NULL, NULL, NULL },
};
static const struct field nonce_fields[] = {
	{ "nonce", "string", "of the operation" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "generate-root/attempt", R_SUDO | R_SHARES, NULL, h_status, NULL,
	  "the generation of a root token that is under way" },
	{ "system", M_POST, "generate-root/attempt", R_SUDO | R_SHARES, begin_fields,
	  h_begin, NULL, "begin to generate a root token" },
	{ "system", M_DELETE, "generate-root/attempt", R_SUDO | R_SHARES, nonce_fields,
	  h_cancel, NULL, "give up generating a root token" },
	{ "system", M_POST, "generate-root/update", R_SUDO | R_SHARES, update_fields,
	  h_update, NULL, "give one share" },
	{ "system", M_GET, "generate-root-token/attempt", R_SUDO, NULL, h_status, NULL,
	  "the generation of a root token that is under way" },
	{ "system", M_POST, "generate-root-token/attempt", R_SUDO, begin_fields, h_begin,
	  NULL, "begin to generate a root token" },
	{ "system", M_DELETE, "generate-root-token/attempt", R_SUDO, nonce_fields, h_cancel,
	  NULL, "give up generating a root token" },
	{ "system", M_POST, "generate-root-token/update", R_SUDO, update_fields, h_update,
	  NULL, "give one share" },
};
/* clang-format on */

const struct route_table routes_root = { rows, ARRAY_LEN(rows) };

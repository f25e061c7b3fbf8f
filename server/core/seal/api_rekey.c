/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_rekey - sys/rekey, and sys/rekey-recovery-key for a vault that unseals itself:
 * there the shares are recovery shares, and rekey of the barrier has no shares to
 * replace.
 */
#include <string.h>

#include "arena.h"
#include "rekey.h"
#include "route.h"
#include "share.h"

#define NO_KEY   "'key' must be specified in request body as JSON"
#define NO_NONCE "'nonce' must be specified in request body as JSON"

static bool is_recovery(const struct req *r)
{
	return strncmp(r->path, "sys/rekey-recovery-key/", 23) == 0;
}

/* Each kind of shares has its own paths. */
static int check_kind(struct req *r)
{
	struct seal_status s;

	seal_status(r->core, &s);
	if (s.auto_unseal && !is_recovery(r))
		return req_fail(r, ERR_INVALID,
		                "this vault unseals itself: its shares are recovery "
		                "shares, see sys/rekey-recovery-key");
	if (!s.auto_unseal && is_recovery(r))
		return req_fail(r, ERR_INVALID, "recovery rekeying not supported");
	return ERR_OK;
}

static int reply_progress(struct req *r)
{
	struct rekey_status s;
	struct value *out = reply_bare(r);

	rekey_status(r->core, &s);
	value_set_str(r->a, out, "nonce", arena_str(r->a, s.nonce));
	value_set_bool(r->a, out, "started", s.started);
	value_set_int(r->a, out, "t", s.t);
	value_set_int(r->a, out, "n", s.n);
	value_set_int(r->a, out, "progress", s.progress);
	value_set_int(r->a, out, "required", s.required);
	value_set(out, "pgp_fingerprints", value_null(r->a));
	value_set_bool(r->a, out, "backup", false);
	value_set_bool(r->a, out, "verification_required", s.verify);
	value_set_str(r->a, out, "verification_nonce", arena_str(r->a, s.verify_nonce));
	return ERR_OK;
}

static int h_status(struct req *r)
{
	int rc = check_kind(r);

	return rc == ERR_OK ? reply_progress(r) : rc;
}

/* PGP keys would have the process that holds all keys parse foreign OpenPGP packets. */
static int refuse_pgp(struct req *r)
{
	const struct value *keys = value_get(r->body, "pgp_keys");
	bool backup = false, present;
	int rc = req_bool(r, "backup", &backup, &present);

	if (rc != ERR_OK)
		return rc;
	if (keys != NULL && keys->type != V_NULL && keys->len > 0)
		return req_fail(r, ERR_INVALID,
		                "pgp_keys is not supported: this server encrypts "
		                "nothing to PGP keys");
	if (backup)
		return req_fail(r, ERR_INVALID,
		                "cannot request a backup of the new keys without "
		                "providing PGP keys for encryption");
	return ERR_OK;
}

static int h_begin(struct req *r)
{
	int64_t n = 0, t = 0;
	bool verify = false, present;
	int rc;

	if ((rc = check_kind(r)) != ERR_OK ||
	    (rc = req_int(r, "secret_shares", &n, &present)) != ERR_OK ||
	    (rc = req_int(r, "secret_threshold", &t, &present)) != ERR_OK ||
	    (rc = req_bool(r, "require_verification", &verify, &present)) != ERR_OK ||
	    (rc = refuse_pgp(r)) != ERR_OK)
		return rc;
	n = n > INT16_MAX ? INT16_MAX : n < 0 ? 0 : n;
	t = t > INT16_MAX ? INT16_MAX : t < 0 ? 0 : t;
	rc = rekey_begin(r->core, r->id.accessor, (int)n, (int)t, verify, &r->e);
	if (rc != ERR_OK)
		return rc;
	req_note_int(r, "shares", n);
	req_note_int(r, "threshold", t);
	req_note_int(r, "verification", verify);
	return reply_progress(r);
}

/* ${nonce} is "" when there is none. */
static int take_nonce(struct req *r, const char **nonce)
{
	bool present;

	*nonce = "";
	return req_str(r, "nonce", nonce, &present);
}

static int h_cancel(struct req *r)
{
	const char *nonce;
	int rc;

	if ((rc = check_kind(r)) != ERR_OK || (rc = take_nonce(r, &nonce)) != ERR_OK)
		return rc;
	return rekey_cancel(r->core, r->id.accessor, nonce, &r->e);
}

static int take_offer(struct req *r, struct seal_share *share, const char **nonce)
{
	int rc;

	if ((rc = check_kind(r)) != ERR_OK ||
	    (rc = share_take(r, NO_KEY, share)) != ERR_OK ||
	    (rc = take_nonce(r, nonce)) != ERR_OK)
		return rc;
	return (*nonce)[0] != '\0' ? ERR_OK : req_fail(r, ERR_INVALID, NO_NONCE);
}

static void reply_made(struct req *r, struct rekey_made *made)
{
	struct value *out = reply_bare(r), *hex, *b64;

	share_texts(r->a, made->share, made->n, &hex, &b64);
	value_set_str(r->a, out, "nonce", made->nonce);
	value_set_bool(r->a, out, "complete", true);
	value_set(out, "keys", hex);
	value_set(out, "keys_base64", b64);
	value_set(out, "pgp_fingerprints", value_null(r->a));
	value_set_bool(r->a, out, "backup", false);
	value_set_bool(r->a, out, "verification_required", made->verify);
	value_set_str(r->a, out, "verification_nonce", made->verify_nonce);
}

static int h_update(struct req *r)
{
	struct rekey_made *made = arena_alloc(r->a, sizeof(*made));
	struct seal_share share;
	const char *nonce;
	int rc;

	if (made == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = take_offer(r, &share, &nonce)) != ERR_OK)
		return rc;
	rc = rekey_offer(r->core, nonce, &share, made, &r->e);
	explicit_bzero(&share, sizeof(share));
	if (rc != ERR_OK)
		return rc;
	if (!made->complete)
		return reply_progress(r);
	req_note_str(r, "phase", made->verify ? "shares made" : "complete");
	reply_made(r, made);
	core_push_state(r->core);
	return ERR_OK;
}

static int reply_verify_status(struct req *r)
{
	struct value *out = reply_bare(r);
	struct rekey_status s;

	rekey_status(r->core, &s);
	value_set_str(r->a, out, "nonce", arena_str(r->a, s.verify_nonce));
	value_set_bool(r->a, out, "started", s.verifying);
	value_set_int(r->a, out, "t", s.t);
	value_set_int(r->a, out, "n", s.n);
	value_set_int(r->a, out, "progress", s.verify_progress);
	return ERR_OK;
}

static int h_verify_status(struct req *r)
{
	struct rekey_status s;
	int rc = check_kind(r);

	if (rc != ERR_OK)
		return rc;
	rekey_status(r->core, &s);
	if (!s.started)
		return req_fail(r, ERR_INVALID, "no rekey configuration found");
	return reply_verify_status(r);
}

static int h_verify(struct req *r)
{
	struct seal_share share;
	bool complete = false;
	const char *nonce;
	struct value *out;
	int rc = take_offer(r, &share, &nonce);

	if (rc != ERR_OK)
		return rc;
	rc = rekey_verify_offer(r->core, nonce, &share, &complete, &r->e);
	explicit_bzero(&share, sizeof(share));
	if (rc != ERR_OK)
		return rc;
	if (!complete)
		return reply_verify_status(r);
	out = reply_bare(r);
	value_set_str(r->a, out, "nonce", nonce);
	value_set_bool(r->a, out, "complete", true);
	req_note_str(r, "phase", "complete");
	core_push_state(r->core);
	return ERR_OK;
}

static int h_verify_restart(struct req *r)
{
	const char *nonce;
	int rc;

	if ((rc = check_kind(r)) != ERR_OK || (rc = take_nonce(r, &nonce)) != ERR_OK)
		return rc;
	rc = rekey_verify_restart(r->core, r->id.accessor, nonce, &r->e);
	if (rc != ERR_OK)
		return rc;
	return reply_verify_status(r);
}

/* There are none without PGP keys: the 404 of nothing, and a delete that is content. */
static int h_no_backup(struct req *r)
{
	(void)r;
	return ERR_OK;
}

/* clang-format off */
static const struct field begin_fields[] = {
	{ "secret_shares", "int", "how many shares the new key is split into" },
	{ "secret_threshold", "int", "how many of them are needed" },
	{ "require_verification", "bool", "the new shares take effect when a quorum of "
	  "them has been given back" },
	{ "pgp_keys", "strings", "not supported" },
	{ "backup", "bool", "not supported" },
	{ NULL, NULL, NULL },
};
static const struct field offer_fields[] = {
	{ "key", "string", "one share, hex or base64" },
	{ "nonce", "string", "of the operation" },
	{ NULL, NULL, NULL },
};
static const struct field nonce_fields[] = {
	{ "nonce", "string", "of the operation" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "rekey/init", R_SUDO | R_SHARES, NULL,
	  h_status, NULL, "the replacement of shares that is under way" },
	{ "system", M_POST, "rekey/init", R_SUDO | R_SHARES, begin_fields,
	  h_begin, NULL, "begin to replace the shares" },
	{ "system", M_DELETE, "rekey/init", R_SUDO | R_SHARES, nonce_fields,
	  h_cancel, NULL, "give up replacing the shares" },
	{ "system", M_POST, "rekey/update", R_SUDO | R_SHARES, offer_fields,
	  h_update, NULL, "give one of the present shares" },
	{ "system", M_GET, "rekey/verify", R_SUDO | R_SHARES, NULL,
	  h_verify_status, NULL, "how many of the new shares came back" },
	{ "system", M_POST, "rekey/verify", R_SUDO | R_SHARES, offer_fields,
	  h_verify, NULL, "give back one of the new shares" },
	{ "system", M_DELETE, "rekey/verify", R_SUDO | R_SHARES, nonce_fields,
	  h_verify_restart, NULL, "begin to verify anew" },
	{ "system", M_GET, "rekey/backup", R_SUDO | R_SHARES, NULL,
	  h_no_backup, NULL, "none: shares are not encrypted to PGP keys" },
	{ "system", M_DELETE, "rekey/backup", R_SUDO | R_SHARES, NULL,
	  h_no_backup, NULL, "none: shares are not encrypted to PGP keys" },
	{ "system", M_GET, "rekey-recovery-key/init", R_SUDO | R_SHARES, NULL,
	  h_status, NULL, "the replacement of shares that is under way (recovery)" },
	{ "system", M_POST, "rekey-recovery-key/init", R_SUDO | R_SHARES, begin_fields,
	  h_begin, NULL, "begin to replace the shares (recovery)" },
	{ "system", M_DELETE, "rekey-recovery-key/init", R_SUDO | R_SHARES, nonce_fields,
	  h_cancel, NULL, "give up replacing the shares (recovery)" },
	{ "system", M_POST, "rekey-recovery-key/update", R_SUDO | R_SHARES, offer_fields,
	  h_update, NULL, "give one of the present shares (recovery)" },
	{ "system", M_GET, "rekey-recovery-key/verify", R_SUDO | R_SHARES, NULL,
	  h_verify_status, NULL, "how many of the new shares came back (recovery)" },
	{ "system", M_POST, "rekey-recovery-key/verify", R_SUDO | R_SHARES, offer_fields,
	  h_verify, NULL, "give back one of the new shares (recovery)" },
	{ "system", M_DELETE, "rekey-recovery-key/verify", R_SUDO | R_SHARES, nonce_fields,
	  h_verify_restart, NULL, "begin to verify anew (recovery)" },
	{ "system", M_GET, "rekey-recovery-key/backup", R_SUDO | R_SHARES, NULL,
	  h_no_backup, NULL, "none: shares are not encrypted to PGP keys (recovery)" },
	{ "system", M_DELETE, "rekey-recovery-key/backup", R_SUDO | R_SHARES, NULL,
	  h_no_backup, NULL, "none: shares are not encrypted to PGP keys (recovery)" },
};
/* clang-format on */

const struct route_table routes_rekey = { rows, ARRAY_LEN(rows) };

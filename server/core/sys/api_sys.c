/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_sys - init, unseal, seal and status.
 *
 * init opens the vault that it made for the rest of its own transaction, to store what
 * every vault starts with; with shares it is sealed again after COMMIT, as Vault leaves
 * it.
 */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "auth_token.h"
#include "db.h"
#include "keymem.h"
#include "kv_impl.h"
#include "policy_impl.h"
#include "route.h"
#include "seal.h"
#include "share.h"
#include "step.h"
#include "sys_state.h"
#include "text.h"
#include "vault/limits.h"
#include "vault/version.h"

#define FIRST_MOUNT "secret/"

void sys_state(struct core *c, struct arena *a, struct value *out)
{
	struct seal_status s;
	char hex[33];

	seal_status(c, &s);
	value_set_bool(a, out, "initialized", s.initialized);
	value_set_bool(a, out, "sealed", c->keys == NULL);
	value_set_int(a, out, "t", s.t);
	value_set_int(a, out, "n", s.n);
	value_set_int(a, out, "progress", s.progress);
	value_set_str(a, out, "nonce", arena_str(a, s.nonce));
	value_set_str(a, out, "type", s.type);
	value_set_bool(a, out, "recovery_seal", s.auto_unseal);
	if (c->keys == NULL)
		return;
	text_hex(c->vault_id, sizeof(c->vault_id), hex);
	value_set_str(a, out, "cluster_id",
	              arena_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	                           hex + 16, hex + 20));
	value_set_str(a, out, "cluster_name", arena_printf(a, "vault-cluster-%.8s", hex));
}

static int reply_seal_status(struct req *r)
{
	struct value *out = reply_bare(r);

	sys_state(r->core, r->a, out);
	value_set_str(r->a, out, "version", VAULT_API_VERSION);
	value_set_str(r->a, out, "build_date", VAULT_BUILD_DATE);
	value_set_bool(r->a, out, "migration", false);
	value_set_str(r->a, out, "storage_type", "sqlite");
	return ERR_OK;
}

static int h_init_read(struct req *r)
{
	value_set_bool(r->a, reply_bare(r), "initialized", r->core->initialized);
	return ERR_OK;
}

struct init_request {
	int64_t shares, threshold;
	bool auto_unseal;
};

static int refuse_unsupported(struct req *r)
{
	static const char *const names[] = { "pgp_keys", "root_token_pgp_key",
		                             "recovery_pgp_keys" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct value *v = value_get(r->body, names[i]);

		if (v != NULL && v->type != V_NULL && v->len > 0)
			return req_fail(r, ERR_INVALID, "%s is not supported", names[i]);
	}
	return ERR_OK;
}

static int check_shares(struct req *r, const struct init_request *q)
{
	const char *why = NULL;

	if (q->shares < 1)
		why = "shares must be at least one";
	else if (q->threshold < 1)
		why = "threshold must be at least one";
	else if (q->shares > 1 && q->threshold == 1)
		why = "threshold must be greater than one for multiple shares";
	else if (q->shares > (int64_t)LIMIT_SHARES)
		why = "shares must be less than 256";
	else if (q->threshold > q->shares)
		why = "threshold cannot be larger than shares";
	if (why != NULL)
		return req_fail(r, ERR_INVALID, "invalid seal configuration: %s", why);
	return ERR_OK;
}

/* With auto-unseal the shares are recovery shares; a client that names only the others
 * means these. */
static int take_init(struct req *r, struct init_request *q)
{
	int64_t shares = 0, threshold = 0;
	bool have_shares, have_threshold, present;
	int rc;

	q->auto_unseal = r->core->opt.auto_unseal_key != NULL;
	if ((rc = refuse_unsupported(r)) != ERR_OK ||
	    (rc = req_int(r, "secret_shares", &q->shares, &present)) != ERR_OK ||
	    (rc = req_int(r, "secret_threshold", &q->threshold, &present)) != ERR_OK ||
	    (rc = req_int(r, "recovery_shares", &shares, &have_shares)) != ERR_OK ||
	    (rc = req_int(r, "recovery_threshold", &threshold, &have_threshold)) !=
	            ERR_OK)
		return rc;
	/* The vault CLI always sends both kinds; zero means that none is wanted. */
	if (!q->auto_unseal && (shares != 0 || threshold != 0))
		return req_fail(
			r, ERR_INVALID,
			"parameters recovery_shares,recovery_threshold not applicable to "
			"seal type shamir");
	if (q->auto_unseal && (shares != 0 || threshold != 0)) {
		q->shares = shares;
		q->threshold = threshold;
	}
	return check_shares(r, q);
}

/* Open the vault that was just made; with auto-unseal it is open already. */
static int open_new_vault(struct req *r, const struct init_request *q,
                          const struct seal_share *shares)
{
	struct core *c = r->core;
	int rc;

	for (int64_t i = 0; c->keys == NULL && i < q->threshold; i++)
		if ((rc = seal_unseal(c, shares[i].bytes, shares[i].len, &r->e)) !=
		    ERR_OK)
			return rc;
	if (c->keys == NULL)
		return req_fail(r, ERR_INTERNAL,
		                "a new vault does not open with its own shares");
	return core_unsealed(c, &r->e);
}

static int fill_new_vault(struct req *r, struct token_made *root)
{
	struct core *c = r->core;
	struct value *policies = value_array(r->a);
	const struct token_spec spec = {
		.display_name = "root",
		.path = "auth/token/root",
		.policies = policies,
	};
	int rc;

	value_add(policies, value_str(r->a, "root"));
	if ((rc = policies_store_default(c, r->a, &r->e)) != ERR_OK ||
	    (rc = mounts_create_kv(c, FIRST_MOUNT, &r->e)) != ERR_OK ||
	    (rc = token_create(c, r->a, &spec, root, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "root_accessor", root->accessor);
	req_note_str(r, "mount", FIRST_MOUNT);
	return ERR_OK;
}

static void reply_shares(struct req *r, const struct init_request *q,
                         const struct seal_share *shares, const char *root_token)
{
	struct value *out = reply_bare(r), *hex, *b64;

	share_texts(r->a, shares, (int)q->shares, &hex, &b64);
	if (q->auto_unseal) {
		value_set(out, "keys", value_array(r->a));
		value_set(out, "keys_base64", value_array(r->a));
	}
	value_set(out, q->auto_unseal ? "recovery_keys" : "keys", hex);
	value_set(out, q->auto_unseal ? "recovery_keys_base64" : "keys_base64", b64);
	value_set_str(r->a, out, "root_token", root_token);
}

static int h_init(struct req *r)
{
	struct init_request q = { 0 };
	struct seal_share *shares;
	struct token_made *root = arena_alloc(r->a, sizeof(*root));
	int rc;

	if (r->core->initialized)
		return req_fail(r, ERR_INVALID, "Vault is already initialized");
	if ((rc = take_init(r, &q)) != ERR_OK)
		return rc;
	shares = arena_alloc(r->a, (size_t)q.shares * sizeof(*shares));
	if (shares == NULL || root == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = seal_init(r->core, (int)q.shares, (int)q.threshold, shares, &r->e);
	if (rc != ERR_OK || (rc = open_new_vault(r, &q, shares)) != ERR_OK ||
	    (rc = fill_new_vault(r, root)) != ERR_OK)
		return rc;
	reply_shares(r, &q, shares, root->text);
	req_note_int(r, "shares", q.shares);
	req_note_int(r, "threshold", q.threshold);
	if (!q.auto_unseal)
		core_seal_now(r->core);
	core_push_state(r->core);
	return ERR_OK;
}

/* A share that was refused may have ended the attempt: that stays, and net is told. */
static int offer_share(struct req *r)
{
	struct core *c = r->core;
	struct seal_share share;
	int rc = share_take(
		r,
		"'key' must be specified in request body as JSON, or 'reset' set to true",
		&share);

	if (rc != ERR_OK)
		return rc;
	rc = seal_unseal(c, share.bytes, share.len, &r->e);
	explicit_bzero(&share, sizeof(share));
	core_push_state(c);
	if (rc == ERR_INVALID) {
		reply_errors(r, 400, arena_str(r->a, r->e.msg), NULL);
		return ERR_OK;
	}
	if (rc != ERR_OK || c->keys == NULL)
		return rc;
	return core_unsealed(c, &r->e);
}

static int h_unseal(struct req *r)
{
	struct core *c = r->core;
	const struct value *v = share_member(r, "reset");
	bool reset = false;
	int rc;

	if (v != NULL && v->type != V_NULL && value_to_bool(v, &reset) != 0)
		return req_fail(r, ERR_INVALID, "'reset' must be a boolean");
	if (!c->initialized)
		return req_fail(r, ERR_UNINIT, "Vault is not initialized");
	if (reset && c->keys != NULL)
		return req_fail(r, ERR_INVALID, "vault is unsealed");
	if (reset) {
		seal_reset(c);
		core_push_state(c);
	} else if (c->keys == NULL) {
		if ((rc = offer_share(r)) != ERR_OK || r->reply_kind == IPC_K_ERRORS)
			return rc;
	}
	return reply_seal_status(r);
}

static int h_seal(struct req *r)
{
	core_seal_now(r->core);
	return ERR_OK;
}

static int h_status(struct req *r)
{
	struct core *c = r->core;
	struct value *out = reply_data(r);
	const char *swap = value_cstr_or(r->a, c->sandbox, "swap", "unknown");

	value_set_str(r->a, out, "version", VAULT_VERSION);
	value_set(out, "sandbox",
	          c->sandbox != NULL ? value_copy(r->a, c->sandbox) : value_object(r->a));
	value_set_str(r->a, out, "memory", keymem_mode());
	value_set_str(r->a, out, "swap", swap);
	value_set_str(r->a, out, "rotate", step_linked(c) ? "up" : "down");
	value_set_int(r->a, out, "steps", (int64_t)step_busy(c));
	value_set_int(r->a, out, "audit_size", audit_size(c));
	value_set_int(r->a, out, "schema", db_schema(c->db));
	value_set_int(r->a, out, "unsealed_for",
	              (c->boot_ms - mounts_unsealed_ms(c)) / 1000);
	if (c->opened_ms != 0)
		value_set_int(r->a, out, "uptime", (c->boot_ms - c->opened_ms) / 1000);
	return ERR_OK;
}

/* clang-format off */
static const struct field init_fields[] = {
	{ "secret_shares", "int", "how many shares the unseal key is split into" },
	{ "secret_threshold", "int", "how many of them unseal" },
	{ "recovery_shares", "int", "the same for the recovery key, with auto-unseal" },
	{ "recovery_threshold", "int", "how many of those are needed" },
	{ "stored_shares", "int", "ignored" },
	{ "pgp_keys", "strings", "not supported" },
	{ "recovery_pgp_keys", "strings", "not supported" },
	{ "root_token_pgp_key", "string", "not supported" },
	{ NULL, NULL, NULL },
};
static const struct field unseal_fields[] = {
	{ "key", "string", "one share, hex or base64" },
	{ "reset", "bool", "forget the shares given so far" },
	{ "migrate", "bool", "ignored" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "init", R_ANON | R_WHEN_SEALED | R_LOOPBACK, NULL, h_init_read,
	  NULL, "is the vault initialized?" },
	{ "system", M_POST, "init", R_ANON | R_WHEN_SEALED | R_LOOPBACK, init_fields,
	  h_init, NULL, "initialize the vault" },
	{ "system", M_POST, "unseal", R_ANON | R_WHEN_SEALED, unseal_fields, h_unseal,
	  NULL, "give one share" },
	{ "system", M_POST, "seal", R_SUDO, NULL, h_seal, NULL, "seal the vault" },
	{ "system", M_GET, "vaultd/status", 0, NULL, h_status, NULL,
	  "state of the server" },
};
/* clang-format on */

const struct route_table routes_sys = { rows, ARRAY_LEN(rows) };

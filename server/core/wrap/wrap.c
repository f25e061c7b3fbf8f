/* SPDX-License-Identifier: Apache-2.0 */
#include "wrap_impl.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "dispatch.h"
#include "jobs.h"
#include "keyring.h"
#include "policy.h"
#include "route.h"
#include "token.h"
#include "token_impl.h"
#include "vault/limits.h"

#define TERM_NONE 0 /* the key is no term of the keyring */
#define NO_WRAP   "wrapping token is not valid or does not exist"

/* The one key, and what it is bound to: this token, made then, for so long, there. */
static void key_of(const char *text, unsigned char key[32])
{
	static const unsigned char label[] = "vltwrap";

	(void)crypto_generichash(key, 32, label, sizeof(label) - 1,
	                         (const unsigned char *)text, strlen(text));
}

static void aad_of(const struct core *c, const unsigned char id[32],
                   const struct value *body, struct aad *aad)
{
	const struct value *path = value_get(body, "path");
	unsigned char digest[32];

	(void)crypto_generichash(digest, sizeof(digest),
	                         (const unsigned char *)(path != NULL ? path->text : ""),
	                         path != NULL ? path->len : 0, NULL, 0);
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_bytes(aad, id, 32);
	aad_bytes(aad, digest, sizeof(digest));
	aad_int(aad, value_int_or(body, "created", 0));
	aad_int(aad, value_int_or(body, "ttl", 0));
}

static int seal_reply(struct req *r, const struct token_made *made, struct value *body,
                      const struct value *reply)
{
	unsigned char key[32], *plain, *sealed;
	struct aad aad;
	size_t n;

	plain = value_pack(r->a, reply, &n);
	sealed = arena_alloc(r->a, n + ENVELOPE_OVERHEAD);
	if (plain == NULL || sealed == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	aad_of(r->core, made->id, body, &aad);
	key_of(made->text, key);
	envelope_seal(key, TERM_NONE, SEAL_WRAP, &aad, plain, n, sealed);
	sodium_memzero(key, sizeof(key));
	value_set_bytes(r->a, body, "sealed", sealed, n + ENVELOPE_OVERHEAD);
	return ERR_OK;
}

static int make_token(struct req *r, const struct wrap_spec *w, struct token_made *made)
{
	struct value *policies = value_array(r->a);
	char text[TOKEN_TEXT_LEN + 1];
	const struct token_spec spec = {
		.display_name = "",
		.path = w->path,
		.policies = policies,
		.ttl_ms = w->ttl_ms,
		.explicit_max_ttl_ms = w->ttl_ms,
		.num_uses = 1,
		.token_text = text,
	};
	int rc;

	value_add(policies, value_str(r->a, POLICY_WRAPPING));
	token_new('w', text);
	rc = token_create(r->core, r->a, &spec, made, &r->e);
	sodium_memzero(text, sizeof(text));
	return rc;
}

static void reply_info(struct req *r, const struct wrap_spec *w,
                       const struct token_made *made)
{
	struct value *info = value_object(r->a);
	char created[CLOCK_RFC3339_MAX];

	clock_rfc3339(r->core->now_ms, created);
	value_set_str(r->a, info, "token", made->text);
	value_set_str(r->a, info, "accessor", made->accessor);
	value_set_int(r->a, info, "ttl", w->ttl_ms / 1000);
	value_set_str(r->a, info, "creation_time", arena_str(r->a, created));
	value_set_str(r->a, info, "creation_path", w->path);
	if (w->of[0] != '\0')
		value_set_str(r->a, info, "wrapped_accessor", w->of);
	r->reply = NULL;
	r->status = 0;
	value_set(reply_envelope(r), "wrap_info", info);
	req_note_str(r, "wrap_accessor", made->accessor);
	req_note_int(r, "wrap_ttl", w->ttl_ms / 1000);
}

int wrap_keep(struct req *r, const struct wrap_spec *w)
{
	struct store_object o = { .kind = KIND_WRAP, .id_len = 32 };
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	int rc;

	o.body = value_object(r->a);
	if (made == NULL || o.body == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = make_token(r, w, made)) != ERR_OK)
		return rc;
	memcpy(o.id, made->id, sizeof(made->id));
	value_set_str(r->a, o.body, "path", w->path);
	value_set_str(r->a, o.body, "of", w->of);
	value_set_int(r->a, o.body, "created", r->core->now_ms);
	value_set_int(r->a, o.body, "ttl", w->ttl_ms);
	if ((rc = seal_reply(r, made, o.body, w->reply)) != ERR_OK ||
	    (rc = store_put(r->core, &o, &r->e)) != ERR_OK)
		return rc;
	jobs_dirty(r->core); /* also where the request itself was a read */
	reply_info(r, w, made);
	return arena_failed(r->a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* --- wrapping --- */

bool wrap_wanted(const struct req *r)
{
	return r->wrap_ttl_s > 0 && r->reply != NULL && r->core->keys != NULL &&
	       r->reply_kind == IPC_K_ENVELOPE && r->status == 200 &&
	       !(r->route->flags & R_UNWRAPPED);
}

/* Of a token or of a secret id, where that is what is inside. */
static const char *accessor_in(struct req *r)
{
	const struct value *auth = value_get(r->reply, "auth");

	if (auth != NULL && auth->type == V_OBJECT)
		return value_cstr_or(r->a, auth, "accessor", "");
	return value_cstr_or(r->a, value_get(r->reply, "data"), "secret_id_accessor", "");
}

int wrap_reply(struct req *r)
{
	struct value *inject = value_get(r->reply, "inject");
	int64_t ttl = r->wrap_ttl_s * 1000;
	struct wrap_spec spec = {
		.path = r->path,
		.of = accessor_in(r),
		.ttl_ms = ttl < TOKEN_TTL_MAX_MS ? ttl : TOKEN_TTL_MAX_MS,
	};

	/* What is unwrapped has its data in one place. */
	if (inject != NULL)
		inject->type = V_FALSE;
	if ((spec.reply = dispatch_reply(r)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (value_size(spec.reply) > LIMIT_WRAPPED)
		return req_fail(r, ERR_TOO_BIG, "response is too large to be wrapped");
	return wrap_keep(r, &spec);
}

/* --- unwrapping --- */

/* A typo, a token of another kind, one that was used, expired or revoked, one that wraps
 * nothing: all the same to the client. */
int wrap_find(struct req *r, const char *text, struct wrap *w)
{
	int rc = ERR_NOENT;

	w->text = text;
	if (text != NULL && token_valid(text, strlen(text), 'w'))
		rc = token_find(r->core, r->a, text, &w->token, &r->e);
	if (rc == ERR_OK)
		rc = store_get(r->core, r->a, KIND_WRAP, w->token.id, 32, &w->o, &r->e);
	return rc == ERR_NOENT ? req_fail(r, ERR_INVALID, NO_WRAP) : rc;
}

int wrap_open(struct req *r, const struct wrap *w, struct value **reply)
{
	const struct value *sealed = value_get(w->o.body, "sealed");
	unsigned char key[32], *plain;
	struct aad aad;
	size_t n;
	int rc;

	if (sealed == NULL || sealed->type != V_BYTES || sealed->len < ENVELOPE_OVERHEAD)
		return req_fail(r, ERR_INTEGRITY, "wrapped reply is malformed");
	n = sealed->len - ENVELOPE_OVERHEAD;
	if ((plain = arena_alloc(r->a, n + 1)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	aad_of(r->core, w->o.id, w->o.body, &aad);
	key_of(w->text, key);
	rc = envelope_open(key, SEAL_WRAP, &aad, sealed->text, sealed->len, plain, &r->e);
	sodium_memzero(key, sizeof(key));
	if (rc == ERR_OK)
		rc = value_decode(r->a, plain, n, reply, &r->e);
	if (rc == ERR_OK && ((*reply)->type != V_ARRAY || (*reply)->len != IPC_RP__COUNT))
		return req_fail(r, ERR_INTEGRITY, "wrapped reply is malformed");
	return rc;
}

static bool same_token(const char *x, const char *y)
{
	size_t n = strlen(x);

	return strlen(y) == n && sodium_memcmp(x, y, n) == 0;
}

int wrap_present(struct req *r, bool *self)
{
	const char *given = NULL;
	struct wrap w = { 0 };
	bool present;
	int rc = req_str(r, "token", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || given[0] == '\0')
		given = r->token;
	*self = given != NULL && (r->token == NULL || same_token(given, r->token));
	if (!*self)
		return ERR_OK;
	rc = wrap_find(r, given, &w);
	if (rc == ERR_OK)
		token_identity(r, &w.token);
	r->id.wrap_itself = true;
	return rc == ERR_INVALID ? ERR_OK : rc; /* the handler will say so */
}

int wrap_forget(struct core *c, const unsigned char token_id[32], struct err *e)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct store_object o = { 0 };
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_get(c, a, KIND_WRAP, token_id, 32, &o, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? store_delete(c, &o, e) : rc;
}

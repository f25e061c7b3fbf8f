/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_batch - tokens that are not stored: "vlt_b_", an envelope as base64url, checksum.
 *
 * The envelope is sealed under a key of its own, which is made and stored (sealed, as all
 * objects are) with the first batch token: new key terms leave batch tokens alone.  It is
 * thrown away when a backup is restored: batch tokens do not come back with it.
 * Plaintext: an array, positions below.
 */
#include <string.h>

#include "arena.h"
#include "keyring.h"
#include "rng.h"
#include "token.h"
#include "token_impl.h"
#include "vault/limits.h"

#define KEY     32u
#define TERM    1u /* the envelope's member; there is one key */
#define VERSION 1

enum field {
	F_VERSION,
	F_PARENT, /* id of the parent token, null: orphan */
	F_DUE,
	F_MEMBERS, /* those of members[], in order; null for what is absent */
};

/* What of a token's body goes with it; the rest is the same for all batch tokens. */
static const char *const members[] = {
	"display_name", "path",  "policies", "meta",  "created",    "ttl",
	"boot_due",     "cidrs", "role",     "mount", "login_role",
};

static void key_id(struct core *c, unsigned char id[32])
{
	store_blind(c, id, "setting", "batch-token-key", 15, NULL, 0);
}

/* ${out} is in the arena. */
static int load_key(struct core *c, struct arena *a, const unsigned char **out,
                    struct err *e)
{
	const struct value *v;
	struct store_object o;
	unsigned char id[32];
	int rc;

	key_id(c, id);
	if ((rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &o, e)) != ERR_OK)
		return rc;
	v = value_get(o.body, "key");
	if (v == NULL || v->type != V_BYTES || v->len != KEY)
		return err_set(e, ERR_INTEGRITY, "the key of batch tokens is malformed");
	*out = (const unsigned char *)v->text;
	return ERR_OK;
}

static int need_key(struct core *c, struct arena *a, const unsigned char **out,
                    struct err *e)
{
	struct store_object o = { .kind = KIND_SETTING, .id_len = 32 };
	unsigned char *made;
	int rc = load_key(c, a, out, e);

	if (rc != ERR_NOENT)
		return rc;
	if ((made = arena_alloc(a, KEY)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rng_bytes(made, KEY);
	*out = made;
	key_id(c, o.id);
	o.body = value_object(a);
	value_set_bytes(a, o.body, "key", made, KEY);
	return store_put(c, &o, e);
}

int token_batch_disown(struct core *c, struct arena *a, struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	key_id(c, id);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &o, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK ? store_delete(c, &o, e) : rc;
}

static void aad_of(const struct core *c, struct aad *aad)
{
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
}

/* ---- making ---- */

static struct value *array_of(struct arena *a, const unsigned char *parent,
                              const struct value *body, int64_t due)
{
	struct value *out = value_array(a);

	value_add(out, value_int(a, VERSION));
	value_add(out, parent != NULL ? value_bytes(a, parent, 32) : value_null(a));
	value_add(out, value_int(a, due));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct value *v = value_get(body, members[i]);

		value_add(out, v != NULL ? value_copy(a, v) : value_null(a));
	}
	return out;
}

int token_batch_make(struct core *c, struct arena *a, const unsigned char *parent,
                     const struct value *body, int64_t due, char *text, struct err *e)
{
	const unsigned char *key = NULL;
	unsigned char *plain, *sealed;
	struct aad aad;
	size_t n = 0;
	int rc = need_key(c, a, &key, e);

	if (rc != ERR_OK)
		return rc;
	plain = value_pack(a, array_of(a, parent, body, due), &n);
	sealed = arena_alloc(a, n + ENVELOPE_OVERHEAD);
	if (plain == NULL || sealed == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (TOKEN_PACKED_LEN(n + ENVELOPE_OVERHEAD) > LIMIT_TOKEN_TEXT)
		return err_set(e, ERR_INVALID,
		               "batch token would be longer than %u bytes: fewer or "
		               "shorter policies or metadata are needed",
		               LIMIT_TOKEN_TEXT);
	aad_of(c, &aad);
	envelope_seal(key, TERM, SEAL_TOKEN, &aad, plain, n, sealed);
	token_pack('b', sealed, n + ENVELOPE_OVERHEAD, text);
	return ERR_OK;
}

/* ---- opening ---- */

static int no_token(struct err *e)
{
	return err_set(e, ERR_NOENT, "no such token");
}

/* The plaintext array of an envelope that this vault sealed. */
static int open_envelope(struct core *c, struct arena *a, const unsigned char *p,
                         size_t n, struct value **out, struct err *e)
{
	const unsigned char *key = NULL;
	unsigned char *plain;
	struct aad aad;
	uint32_t term;
	int rc;

	if (n < ENVELOPE_OVERHEAD || envelope_term(p, n, &term) != 0 || term != TERM)
		return no_token(e);
	if ((rc = load_key(c, a, &key, e)) != ERR_OK)
		return rc;
	if ((plain = arena_alloc(a, n)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	aad_of(c, &aad);
	if (envelope_open(key, SEAL_TOKEN, &aad, p, n, plain, e) != ERR_OK)
		return no_token(e);
	return value_decode(a, plain, n - ENVELOPE_OVERHEAD, out, e);
}

static struct value *body_from(struct arena *a, struct value *array, bool orphan)
{
	struct value *body = value_object(a);

	value_set_bool(a, body, "batch", true);
	value_set_bool(a, body, "orphan", orphan);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct value *v = value_at(array, F_MEMBERS + i);

		if (v->type != V_NULL)
			value_set(body, members[i], value_copy(a, v));
	}
	return body;
}

int token_batch_open(struct core *c, struct arena *a, const char *text, size_t n,
                     struct store_object *o, struct err *e)
{
	unsigned char sealed[LIMIT_TOKEN_TEXT];
	const struct value *parent;
	struct value *array = NULL;
	long len = token_unpack(text, n, 'b', sealed, sizeof(sealed));
	int64_t version = 0;
	int rc;

	if (len < 0)
		return no_token(e);
	if ((rc = open_envelope(c, a, sealed, (size_t)len, &array, e)) != ERR_OK)
		return rc;
	if (array == NULL || array->type != V_ARRAY ||
	    array->len != F_MEMBERS + ARRAY_LEN(members) ||
	    value_to_int(value_at(array, F_VERSION), &version) != 0 || version != VERSION)
		return no_token(e);
	memset(o, 0, sizeof(*o));
	o->kind = KIND_TOKEN;
	token_hash(c, text, n, o->id);
	o->id_len = 32;
	parent = value_at(array, F_PARENT);
	if (parent->type == V_BYTES && parent->len == 32) {
		memcpy(o->parent, parent->text, 32);
		o->parent_len = 32;
	}
	if (value_to_int(value_at(array, F_DUE), &o->due) != 0 || o->due <= 0)
		return no_token(e);
	o->body = body_from(a, array, o->parent_len == 0);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int token_batch_held(struct core *c, struct arena *a, const struct store_object *o,
                     bool *held, struct err *e)
{
	struct store_object parent;
	int rc;

	*held = true;
	if (o->parent_len == 0)
		return ERR_OK;
	rc = token_load(c, a, o->parent, &parent, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	*held = rc == ERR_OK && token_alive(c, &parent);
	return ERR_OK;
}

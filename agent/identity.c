/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "bytes.h"
#include "file.h"
#include "identity_seal.h"
#include "keymem.h"
#include "value.h"

#define MAGIC          "vault-agent identity 1\n"
#define MAGIC_LEN      (sizeof(MAGIC) - 1)
#define FILE_MAX       (16u * 1024)
#define LOGIN_CONTEXT  "vault/host-login/v1"
#define REKEY_CONTEXT  "vault/host-rekey/v1"
#define COSIGN_CONTEXT "vault/cosign/v1"

struct identity *identity_new(void)
{
	return keymem_alloc(sizeof(struct identity));
}

void identity_free(struct identity *id)
{
	keymem_free(id, sizeof(*id));
}

static void derive(struct identity *id)
{
	static const char context[] = "vault/agent-digest/v1";

	crypto_generichash(id->digest_key, sizeof(id->digest_key),
	                   (const unsigned char *)context, sizeof(context), id->box_sk,
	                   sizeof(id->box_sk));
}

void identity_make_keys(struct identity *id)
{
	crypto_sign_keypair(id->sign_pk, id->sign_sk);
	crypto_box_keypair(id->box_pk, id->box_sk);
	derive(id);
}

/* One table for both directions. */
struct member {
	const char *key;
	size_t offset;
	size_t size;
	int text; /* a NUL-terminated string of less than size bytes */
};
#define BYTES_OF(f)                                                                    \
	{                                                                              \
#f, offsetof(struct identity, f), sizeof(((struct identity *)0)->f), 0 \
	}
#define TEXT_OF(f)                                                                     \
	{                                                                              \
#f, offsetof(struct identity, f), sizeof(((struct identity *)0)->f), 1 \
	}
static const struct member members[] = {
	BYTES_OF(host_id), BYTES_OF(vault_id), BYTES_OF(order_key),   BYTES_OF(sign_pk),
	BYTES_OF(sign_sk), BYTES_OF(box_pk),   BYTES_OF(box_sk),      TEXT_OF(name),
	TEXT_OF(server),   TEXT_OF(audit_key), TEXT_OF(hosts_server),
};

static struct value *as_value(struct arena *a, const struct identity *id)
{
	struct value *v = value_object(a), *pins = value_array(a);

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];
		const char *at = (const char *)id + m->offset;

		value_set(v, m->key,
		          m->text ? value_str(a, at) : value_bytes(a, at, m->size));
	}
	for (size_t i = 0; i < id->pins.n; i++)
		value_add(pins, value_bytes(a, id->pins.pin[i], 32));
	value_set(v, "pins", pins);
	value_set_int(a, v, "generation", (int64_t)id->generation);
	value_set_bytes(a, v, "digest_key", id->digest_key, sizeof(id->digest_key));
	value_set_int(a, v, "keys_since", id->keys_since);
	if (id->fresh)
		value_set_bool(a, v, "fresh", true);
	if (id->has_next)
		value_set_bytes(a, v, "next", &id->next, sizeof(id->next));
	if (id->has_last)
		value_set_bytes(a, v, "last_box_sk", id->last_box_sk,
		                sizeof(id->last_box_sk));
	return v;
}

static int take_member(struct identity *id, const struct member *m, const struct value *v)
{
	char *at = (char *)id + m->offset;

	if (v == NULL || v->type != (m->text ? V_STRING : V_BYTES))
		return -1;
	if (m->text ? v->len >= m->size : v->len != m->size)
		return -1;
	if (v->len > 0)
		memcpy(at, v->text, v->len);
	if (m->text)
		at[v->len] = '\0';
	return 0;
}

/* A member that need not be there: *has says if it is; 0, or -1 if it is malformed. */
static int take_bytes(const struct value *v, const char *key, void *out, size_t n,
                      bool *has)
{
	const struct value *m = value_get(v, key);

	*has = m != NULL;
	if (m == NULL)
		return 0;
	if (m->type != V_BYTES || m->len != n)
		return -1;
	memcpy(out, m->text, n);
	return 0;
}

/* What identities of former versions do not have. */
static int take_keys(struct identity *id, const struct value *v)
{
	bool has_digest;

	id->keys_since = value_int_or(v, "keys_since", 0);
	if (take_bytes(v, "next", &id->next, sizeof(id->next), &id->has_next) != 0 ||
	    take_bytes(v, "last_box_sk", id->last_box_sk, sizeof(id->last_box_sk),
	               &id->has_last) != 0 ||
	    take_bytes(v, "digest_key", id->digest_key, sizeof(id->digest_key),
	               &has_digest) != 0)
		return -1;
	if (!has_digest)
		derive(id);
	return 0;
}

static int take_value(struct identity *id, const struct value *v)
{
	const struct value *pins = value_get(v, "pins"), *pin;
	int64_t generation = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (take_member(id, &members[i], value_get(v, members[i].key)) != 0)
			return -1;
	if (value_to_int(value_get(v, "generation"), &generation) != 0 ||
	    generation < 0 || pins == NULL || pins->type != V_ARRAY)
		return -1;
	id->generation = (uint64_t)generation;
	id->fresh = value_bool_or(v, "fresh", false);
	id->pins.n = 0;
	for (pin = pins->first; pin != NULL; pin = pin->next)
		if (pin->type != V_BYTES || pin->len != 32 ||
		    !pins_add_raw(&id->pins, (const unsigned char *)pin->text))
			return -1;
	return take_keys(id, v);
}

int identity_load(const char *dir, struct identity *id, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char path[PATH_MAX];
	struct value *v = NULL;
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/" IDENTITY_FILE, dir);
	if (access(path, F_OK) != 0)
		return err_set(
			e, ERR_NOENT,
			"this host has not joined: there is no '%s' (run vault-agent "
			"join)",
			path);
	if ((rc = file_check_private(path, e)) != ERR_OK ||
	    (rc = file_read(a, path, FILE_MAX, &text, &n, e)) != ERR_OK)
		return rc;
	if ((rc = identity_credential(id, e)) != ERR_OK)
		return rc;
	if (identity_is_sealed(text, n) &&
	    (rc = identity_unseal(id, a, text, n, &text, &n, e)) != ERR_OK)
		return rc;
	if (n < MAGIC_LEN || memcmp(text, MAGIC, MAGIC_LEN) != 0 ||
	    value_decode(a, text + MAGIC_LEN, n - MAGIC_LEN, &v, e) != ERR_OK ||
	    take_value(id, v) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "'%s' is damaged: the host has to join again", path);
	return ERR_OK;
}

int identity_save(const char *dir, const struct identity *id, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char path[PATH_MAX];
	unsigned char *out;
	size_t n;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/" IDENTITY_FILE, dir);
	struct value *v = as_value(a, id);
	out = arena_failed(a) ? NULL : arena_alloc(a, MAGIC_LEN + value_size(v));
	if (out == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = MAGIC_LEN + value_encode(v, bytes_put(out, MAGIC, MAGIC_LEN));
	if (id->has_seal && identity_seal(id, a, out, n, &out, &n, e) != ERR_OK)
		return (int)e->code;
	return file_write_path(path, out, n, 0600, e);
}

void identity_sign_login(const struct identity *id, bool next,
                         const unsigned char nonce[32], const unsigned char pin[32],
                         unsigned char sig[64])
{
	unsigned char msg[sizeof(LOGIN_CONTEXT) + 16 + 16 + 32 + 8 + 32], *at = msg;

	at = bytes_put(at, LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	at = bytes_put(at, id->vault_id, 16);
	at = bytes_put(at, id->host_id, 16);
	at = bytes_put(at, nonce, 32);
	at = bytes_put_u64be(at, id->generation);
	at = bytes_put(at, pin, 32);
	crypto_sign_detached(sig, NULL, msg, (unsigned long long)(at - msg),
	                     next ? id->next.sign_sk : id->sign_sk);
}

void identity_make_next(struct identity *id)
{
	crypto_sign_keypair(id->next.sign_pk, id->next.sign_sk);
	crypto_box_keypair(id->next.box_pk, id->next.box_sk);
	id->has_next = true;
}

void identity_prove_next(const struct identity *id, unsigned char proof[64])
{
	unsigned char msg[sizeof(REKEY_CONTEXT) + 16 + 8 + 32 + 32], *at = msg;

	at = bytes_put(at, REKEY_CONTEXT, sizeof(REKEY_CONTEXT));
	at = bytes_put(at, id->host_id, 16);
	at = bytes_put_u64be(at, id->generation);
	at = bytes_put(at, id->next.sign_pk, 32);
	at = bytes_put(at, id->next.box_pk, 32);
	crypto_sign_detached(proof, NULL, msg, (unsigned long long)(at - msg),
	                     id->next.sign_sk);
}

void identity_drop_next(struct identity *id)
{
	sodium_memzero(&id->next, sizeof(id->next));
	id->has_next = false;
}

void identity_promote(struct identity *id, int64_t now)
{
	memcpy(id->last_box_sk, id->box_sk, sizeof(id->last_box_sk));
	id->has_last = true;
	memcpy(id->sign_pk, id->next.sign_pk, sizeof(id->sign_pk));
	memcpy(id->sign_sk, id->next.sign_sk, sizeof(id->sign_sk));
	memcpy(id->box_pk, id->next.box_pk, sizeof(id->box_pk));
	memcpy(id->box_sk, id->next.box_sk, sizeof(id->box_sk));
	id->keys_since = now;
	identity_drop_next(id);
}

int identity_cosign(const struct identity *id, const char *note, unsigned char sig[64],
                    struct err *e)
{
	unsigned char msg[sizeof(COSIGN_CONTEXT) + NOTE_CHECKPOINT_MAX];
	const char *end = strstr(note, "\n\n");
	size_t n = end != NULL ? (size_t)(end - note) + 1 : 0;

	if (n == 0 || n > NOTE_CHECKPOINT_MAX)
		return err_set(e, ERR_INVALID, "that is no signed checkpoint");
	bytes_put(bytes_put(msg, COSIGN_CONTEXT, sizeof(COSIGN_CONTEXT)), note, n);
	crypto_sign_detached(sig, NULL, msg, sizeof(COSIGN_CONTEXT) + n, id->sign_sk);
	return ERR_OK;
}

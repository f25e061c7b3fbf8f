/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "db.h"
#include "mirror.h"
#include "rng.h"
#include "store_row.h"
#include "text.h"
#include "vault/limits.h"

#define BODY_AT    32
#define BUCKET_MIN 32u
#define BUCKET_MAX (64u * 1024)

/* What a data key is wrapped with: the key, and when the version was made. */
struct data_key {
	unsigned char key[32];
	unsigned char created[8];
};
#define WRAPPED_LEN (sizeof(struct data_key) + ENVELOPE_OVERHEAD)

/* Sizes are rounded up, so that they do not tell values apart: to a power of two, above
 * 64 KiB to a multiple of it.  At least one byte of padding. */
static size_t bucket_of(size_t n)
{
	size_t b = BUCKET_MIN;

	if (n >= BUCKET_MAX)
		return (n / BUCKET_MAX + 1) * BUCKET_MAX;
	while (b <= n)
		b *= 2;
	return b;
}

static void put_int(unsigned char out[8], int64_t v)
{
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
}

static int64_t get_int(const unsigned char in[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return (int64_t)v;
}

static void payload_aad(const struct core *c, const struct payload_row *row,
                        int64_t created_ms, size_t bucket, struct aad *aad)
{
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_bytes(aad, row->secret, 32);
	aad_int(aad, row->version);
	aad_int(aad, created_ms);
	aad_int(aad, (int64_t)bucket);
}

/* The data key is bound to the very ciphertext that it opens. */
static void wrap_aad(const struct core *c, const struct payload_row *row, uint32_t term,
                     struct aad *aad)
{
	unsigned char digest[32];

	(void)crypto_generichash(digest, sizeof(digest), row->sealed, row->sealed_len,
	                         NULL, 0);
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_bytes(aad, row->secret, 32);
	aad_int(aad, row->version);
	aad_int(aad, term);
	aad_bytes(aad, digest, sizeof(digest));
}

static int bad_payload(const struct payload_row *row, struct err *e)
{
	char name[17];

	text_hex(row->secret, 8, name);
	return err_set(e, ERR_INTEGRITY, "payload %s…/%lld does not open", name,
	               (long long)row->version);
}

static int unwrap(const struct core *c, const struct payload_row *row,
                  struct data_key *out, struct err *e)
{
	const unsigned char *kek;
	uint32_t term;
	struct aad aad;

	if (row->wrapped_len != WRAPPED_LEN || row->sealed_len < ENVELOPE_OVERHEAD ||
	    envelope_term(row->wrapped, row->wrapped_len, &term) != 0 || term == 0 ||
	    (kek = keyring_kek(c->keys, &term)) == NULL)
		return bad_payload(row, e);
	wrap_aad(c, row, term, &aad);
	if (envelope_open(kek, SEAL_DEK, &aad, row->wrapped, row->wrapped_len,
	                  (unsigned char *)out, e) != ERR_OK)
		return bad_payload(row, e);
	return ERR_OK;
}

static int unpad(const unsigned char *p, size_t bucket, size_t *n)
{
	while (bucket > 0 && p[bucket - 1] == 0)
		bucket--;
	if (bucket == 0 || p[bucket - 1] != 0x80)
		return -1;
	*n = bucket - 1;
	return 0;
}

/* What a payload opens to. */
struct opened {
	unsigned char *p;
	size_t n;
	int64_t created_ms;
};

static int open_with(const struct core *c, struct arena *a, const struct payload_row *row,
                     const struct data_key *dk, struct opened *out, struct err *e)
{
	size_t bucket = row->sealed_len - ENVELOPE_OVERHEAD;
	struct aad aad;

	out->created_ms = get_int(dk->created);
	out->p = arena_alloc(a, bucket + 1);
	if (out->p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	payload_aad(c, row, out->created_ms, bucket, &aad);
	if (envelope_open(dk->key, SEAL_PAYLOAD, &aad, row->sealed, row->sealed_len,
	                  out->p, e) != ERR_OK ||
	    unpad(out->p, bucket, &out->n) != 0)
		return bad_payload(row, e);
	return ERR_OK;
}

static int open_payload(const struct core *c, struct arena *a,
                        const struct payload_row *row, struct opened *out, struct err *e)
{
	struct data_key dk = { { 0 }, { 0 } };
	int rc = unwrap(c, row, &dk, e);

	if (rc == ERR_OK)
		rc = open_with(c, a, row, &dk, out, e);
	sodium_memzero(&dk, sizeof(dk));
	return rc;
}

int payload_check(const struct core *c, struct arena *a, const struct payload_row *row,
                  struct err *e)
{
	struct opened o;

	return open_payload(c, a, row, &o, e);
}

static int read_payload(struct core *c, struct arena *a, struct payload_row *row,
                        struct opened *out, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_PAYLOAD_GET);
	bool found;
	int rc;

	db_bind_blob(st, 1, row->secret, 32);
	db_bind_int(st, 2, row->version);
	if ((rc = db_step(st, &found, e)) != ERR_OK)
		return rc;
	if (!found)
		return err_set(e, ERR_NOENT, "not found");
	row->wrapped = db_blob(st, 0, &row->wrapped_len);
	row->sealed = db_blob(st, 1, &row->sealed_len);
	if ((rc = open_payload(c, a, row, out, e)) == ERR_OK)
		mirror_keep_payload(state_mirror(c), row);
	return rc;
}

int payload_get(struct core *c, struct arena *a, const unsigned char secret_id[32],
                int64_t version, int64_t created_ms, unsigned char **out, size_t *n,
                struct err *e)
{
	struct payload_row row = { .secret = secret_id, .version = version };
	struct opened o = { 0 };
	int rc;

	if (c->keys == NULL)
		return err_set(e, ERR_SEALED, "Vault is sealed");
	rc = mirror_get_payload(state_mirror(c), &row) ? open_payload(c, a, &row, &o, e)
	                                               : read_payload(c, a, &row, &o, e);
	if (rc != ERR_OK)
		return rc;
	if (o.created_ms != created_ms)
		return bad_payload(&row, e);
	*out = o.p;
	*n = o.n;
	return ERR_OK;
}

static int insert_payload(struct core *c, const struct payload_row *row, struct err *e)
{
	struct stmt *st = db_stmt(c->db, STMT_PAYLOAD_INSERT);
	int rc;

	db_bind_blob(st, 1, row->secret, 32);
	db_bind_int(st, 2, row->version);
	db_bind_blob(st, 3, row->wrapped, row->wrapped_len);
	db_bind_blob(st, 4, row->sealed, row->sealed_len);
	rc = db_run(st, e);
	return rc == ERR_CONFLICT ? err_set(e, rc, "the version exists already") : rc;
}

static void wrap(struct core *c, const struct payload_row *row, const struct data_key *dk,
                 unsigned char wrapped[WRAPPED_LEN])
{
	struct aad aad;

	wrap_aad(c, row, keyring_active(c->keys), &aad);
	seal_under_kek(c, SEAL_DEK, &aad, dk, sizeof(*dk), wrapped);
}

/* ${buf} holds the padded value where the ciphertext will be, and becomes row->sealed. */
static void seal_payload(struct core *c, struct payload_row *row, int64_t created_ms,
                         unsigned char *buf, unsigned char wrapped[WRAPPED_LEN])
{
	size_t bucket = row->sealed_len - ENVELOPE_OVERHEAD;
	struct data_key dk;
	struct aad aad;

	rng_bytes(dk.key, sizeof(dk.key));
	put_int(dk.created, created_ms);
	payload_aad(c, row, created_ms, bucket, &aad);
	envelope_seal(dk.key, 0, SEAL_PAYLOAD, &aad, buf + BODY_AT, bucket, buf);
	row->sealed = buf;
	wrap(c, row, &dk, wrapped);
	sodium_memzero(&dk, sizeof(dk));
}

int payload_rewrap(struct core *c, const struct payload_row *row, unsigned char *wrapped,
                   struct err *e)
{
	struct data_key dk = { { 0 }, { 0 } };
	int rc = unwrap(c, row, &dk, e);

	if (rc == ERR_OK)
		wrap(c, row, &dk, wrapped);
	sodium_memzero(&dk, sizeof(dk));
	return rc;
}

int payload_put(struct core *c, const unsigned char secret_id[32], int64_t version,
                int64_t created_ms, const void *p, size_t n, struct err *e)
{
	unsigned char wrapped[WRAPPED_LEN], digest[STATE_MAC], *buf;
	struct payload_row row = { .secret = secret_id,
		                   .version = version,
		                   .wrapped = wrapped,
		                   .wrapped_len = sizeof(wrapped) };
	int rc;

	if ((rc = state_ready(c, e)) != ERR_OK)
		return rc;
	if (n > LIMIT_BODY_MAX)
		return err_set(e, ERR_TOO_BIG, "the value is too large");
	row.sealed_len = bucket_of(n) + ENVELOPE_OVERHEAD;
	buf = arena_alloc(state_scratch(c), row.sealed_len);
	if (buf == NULL) {
		arena_reset(state_scratch(c));
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (n > 0)
		memcpy(buf + BODY_AT, p, n);
	buf[BODY_AT + n] = 0x80; /* the rest is zero already */
	seal_payload(c, &row, created_ms, buf, wrapped);
	rc = insert_payload(c, &row, e);
	if (rc == ERR_OK) {
		state_digest_payload(c, &row, digest);
		state_payload_changed(c, &row, NULL, digest);
	}
	arena_reset(state_scratch(c));
	return rc;
}

static int digest_stored(struct core *c, const struct payload_row *id, bool *found,
                         unsigned char digest[STATE_MAC], struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_PAYLOAD_WRAPPED);
	struct payload_row row = *id;
	int rc;

	db_bind_blob(st, 1, row.secret, 32);
	db_bind_int(st, 2, row.version);
	if ((rc = db_step(st, found, e)) != ERR_OK || !*found)
		return rc;
	row.wrapped = db_blob(st, 0, &row.wrapped_len);
	state_digest_payload(c, &row, digest);
	return ERR_OK;
}

int payload_destroy(struct core *c, const unsigned char secret_id[32], int64_t version,
                    struct err *e)
{
	const struct payload_row row = { .secret = secret_id, .version = version };
	unsigned char digest[STATE_MAC];
	struct stmt *st;
	bool found;
	int rc;

	if ((rc = state_ready(c, e)) != ERR_OK ||
	    (rc = digest_stored(c, &row, &found, digest, e)) != ERR_OK || !found)
		return rc;
	st = db_stmt(c->db, STMT_PAYLOAD_DELETE);
	db_bind_blob(st, 1, secret_id, 32);
	db_bind_int(st, 2, version);
	if ((rc = db_run(st, e)) != ERR_OK)
		return rc;
	if (db_changes(c->db) != 1)
		return err_set(e, ERR_DB, "a payload was not deleted");
	state_payload_changed(c, &row, digest, NULL);
	return ERR_OK;
}

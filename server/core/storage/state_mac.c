/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "aside.h"
#include "db.h"
#include "folders.h"
#include "mirror.h"
#include "store_row.h"
#include "text.h"
#include "vault/limits.h"

#define SLICE_ROWS  256
#define SCRATCH_MAX (64u * 1024 * 1024)

static const unsigned char state_id[] = { 's', 't', 'a', 't', 'e' };

/* What a rollback has to restore. */
struct state_now {
	struct state_head head;
	bool counted; /* a walk has seen all rows */
	int64_t kinds[KIND__MAX + 1];
	bool dirty; /* not written yet */
	struct state_walk walk;
};

struct store_state {
	struct state_now now;
	struct state_now mark;  /* at the current savepoint */
	struct state_now batch; /* at BEGIN */
	struct arena *scratch;
	struct mirror *mirror;
	struct folders *folders;
	struct aside aside;
};

void state_xor(unsigned char to[STATE_MAC], const unsigned char digest[STATE_MAC])
{
	for (int i = 0; i < STATE_MAC; i++)
		to[i] ^= digest[i];
}

static void hash_int(crypto_generichash_state *h, int64_t v)
{
	unsigned char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
	(void)crypto_generichash_update(h, b, sizeof(b));
}

static void hash_bytes(crypto_generichash_state *h, const void *p, size_t n)
{
	hash_int(h, (int64_t)n);
	if (n > 0)
		(void)crypto_generichash_update(h, p, n);
}

static void hash_start(crypto_generichash_state *h, const struct core *c, int table)
{
	(void)crypto_generichash_init(h, keyring_key(c->keys, KEY_STATE_MAC), 32,
	                              STATE_MAC);
	hash_int(h, table);
}

void state_digest_row(const struct core *c, const struct store_row *row,
                      unsigned char out[STATE_MAC])
{
	crypto_generichash_state h;

	hash_start(&h, c, 1);
	hash_int(&h, row->kind);
	hash_bytes(&h, row->id, row->id_len);
	hash_bytes(&h, row->parent, row->parent_len);
	hash_bytes(&h, row->tag, row->tag_len);
	hash_int(&h, row->due);
	hash_int(&h, row->version);
	hash_bytes(&h, row->sealed, row->sealed_len);
	(void)crypto_generichash_final(&h, out, STATE_MAC);
}

void state_digest_payload(const struct core *c, const struct payload_row *row,
                          unsigned char out[STATE_MAC])
{
	crypto_generichash_state h;

	hash_start(&h, c, 2);
	hash_bytes(&h, row->secret, 32);
	hash_int(&h, row->version);
	hash_bytes(&h, row->wrapped, row->wrapped_len);
	(void)crypto_generichash_final(&h, out, STATE_MAC);
}

/* ---- changes ---- */

static int compare_bytes(const void *a, size_t an, const void *b, size_t bn)
{
	int d = memcmp(a, b, an < bn ? an : bn);

	return d != 0 ? d : (an > bn) - (an < bn);
}

/* Has the walk passed this place already?  Then it has to learn of the change. */
static bool walked_row(const struct state_walk *w, const struct store_row *row)
{
	if (w->payloads)
		return true;
	if (row->kind != w->kind)
		return row->kind < w->kind;
	return compare_bytes(row->id, row->id_len, w->id, w->id_len) <= 0;
}

static bool walked_payload(const struct state_walk *w, const struct payload_row *row)
{
	int d;

	if (!w->payloads)
		return false;
	d = compare_bytes(row->secret, 32, w->id, w->id_len);
	return d < 0 || (d == 0 && row->version <= w->version);
}

/* The last one counts payloads, and what has a kind that we do not know. */
int state_kind(int kind)
{
	return kind > 0 && kind < KIND__MAX ? kind : KIND__MAX;
}

static void apply(struct state_now *now, int kind, bool walked, const unsigned char *old,
                  const unsigned char *new)
{
	int rows = (new != NULL) - (old != NULL);

	if (old != NULL)
		state_xor(now->head.mac, old);
	if (new != NULL)
		state_xor(now->head.mac, new);
	now->head.rows += rows;
	now->kinds[state_kind(kind)] += rows;
	now->dirty = true;
	if (!now->walk.active || !walked)
		return;
	if (old != NULL)
		state_xor(now->walk.mac, old);
	if (new != NULL)
		state_xor(now->walk.mac, new);
	now->walk.rows += rows;
	now->walk.kinds[state_kind(kind)] += rows;
}

void state_row_changed(struct core *c, const struct store_row *row,
                       const unsigned char *old, const unsigned char *new)
{
	struct state_now *now = &c->state->now;

	apply(now, row->kind, walked_row(&now->walk, row), old, new);
	mirror_forget(c->state->mirror, row);
	if (old == NULL || new == NULL)
		folders_changed(c->state->folders, row->kind, row->parent,
		                row->parent_len);
	aside_remove(&c->state->aside, row);
}

void state_payload_changed(struct core *c, const struct payload_row *row,
                           const unsigned char *old, const unsigned char *new)
{
	struct state_now *now = &c->state->now;

	apply(now, KIND__MAX, walked_payload(&now->walk, row), old, new);
	mirror_forget_payload(c->state->mirror, row);
}

struct arena *state_scratch(struct core *c)
{
	return c->state->scratch;
}

struct mirror *state_mirror(const struct core *c)
{
	return c->state != NULL ? c->state->mirror : NULL;
}

struct folders *state_folders(const struct core *c)
{
	return c->state != NULL ? c->state->folders : NULL;
}

struct aside *state_aside(const struct core *c)
{
	return c->state != NULL ? &c->state->aside : NULL;
}

/* ---- the sealed head ---- */

#define HEAD_NUMBERS     5
#define HEAD_NUMBERS_OLD 3 /* without the use of the active key */
#define HEAD_PLAIN       (STATE_MAC + 8 * HEAD_NUMBERS)
#define HEAD_PLAIN_OLD   (STATE_MAC + 8 * HEAD_NUMBERS_OLD)

static void head_pack(const struct state_head *h, unsigned char out[HEAD_PLAIN])
{
	const int64_t n[HEAD_NUMBERS] = { h->counter, h->rows, h->audit_size, h->term,
		                          h->encryptions };

	memcpy(out, h->mac, STATE_MAC);
	for (int i = 0; i < 8 * HEAD_NUMBERS; i++)
		out[STATE_MAC + i] = (unsigned char)((uint64_t)n[i / 8] >>
		                                     (56 - 8 * (i % 8)));
}

static void head_unpack(const unsigned char *in, int numbers, struct state_head *h)
{
	uint64_t n[HEAD_NUMBERS] = { 0 };

	memcpy(h->mac, in, STATE_MAC);
	for (int i = 0; i < 8 * numbers; i++)
		n[i / 8] = n[i / 8] << 8 | in[STATE_MAC + i];
	h->counter = (int64_t)n[0];
	h->rows = (int64_t)n[1];
	h->audit_size = (int64_t)n[2];
	h->term = (int64_t)n[3];
	h->encryptions = (int64_t)n[4];
}

static void head_aad(const struct core *c, int64_t version, struct aad *aad)
{
	const struct store_row row = {
		.kind = KIND_CONSISTENCY,
		.id = state_id,
		.id_len = sizeof(state_id),
		.version = version,
	};

	row_aad(c, &row, aad);
}

static int head_open(const struct core *c, int64_t version, const void *p, size_t n,
                     struct state_head *out, struct err *e)
{
	unsigned char plain[HEAD_PLAIN];
	const unsigned char *kek;
	uint32_t term;
	struct aad aad;

	if ((n != HEAD_PLAIN + ENVELOPE_OVERHEAD &&
	     n != HEAD_PLAIN_OLD + ENVELOPE_OVERHEAD) ||
	    envelope_term(p, n, &term) != 0 ||
	    (kek = keyring_kek(c->keys, &term)) == NULL)
		return err_set(e, ERR_INTEGRITY, "state MAC: sealed data does not open");
	head_aad(c, version, &aad);
	if (envelope_open(kek, SEAL_STATE, &aad, p, n, plain, e) != ERR_OK)
		return err_wrap(e, "state MAC");
	head_unpack(plain,
	            n == HEAD_PLAIN + ENVELOPE_OVERHEAD ? HEAD_NUMBERS : HEAD_NUMBERS_OLD,
	            out);
	if (out->counter != version)
		return err_set(e, ERR_INTEGRITY, "state MAC: counter does not match");
	return ERR_OK;
}

int state_head_read(const struct core *c, struct db *db, struct state_head *out,
                    bool *present, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_OBJECT_GET);
	const void *p;
	size_t n;
	int rc;

	db_bind_int(st, 1, KIND_CONSISTENCY);
	db_bind_blob(st, 2, state_id, sizeof(state_id));
	if ((rc = db_step(st, present, e)) != ERR_OK || !*present)
		return rc;
	p = db_blob(st, 4, &n);
	return head_open(c, db_int(st, 3), p, n, out, e);
}

static int audit_rows(struct db *db, int64_t *out, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_AUDIT_LAST);
	bool row;
	int rc = db_step(st, &row, e);

	if (rc == ERR_OK)
		*out = row ? db_int(st, 0) + 1 : 0;
	return rc;
}

static int any_row(struct db *db, bool *any, struct err *e)
{
	STMT_AUTO st = db_stmt(db, STMT_OBJECT_SCAN);

	db_bind_int(st, 1, 0);
	db_bind_blob(st, 2, "", 0);
	db_bind_int(st, 3, 1);
	return db_step(st, any, e);
}

static int load_head(struct core *c, struct state_head *out, struct err *e)
{
	bool present, any;
	int64_t audit;
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = state_head_read(c, c->db, out, &present, e)) != ERR_OK)
		return rc;
	if (!present) {
		if ((rc = any_row(c->db, &any, e)) == ERR_OK && any)
			return err_set(e, ERR_INTEGRITY, "state MAC: it is missing");
		return rc;
	}
	if ((rc = audit_rows(c->db, &audit, e)) != ERR_OK)
		return rc;
	if (audit < out->audit_size)
		return err_set(e, ERR_INTEGRITY,
		               "the audit log has %lld rows, there were %lld",
		               (long long)audit, (long long)out->audit_size);
	return ERR_OK;
}

static void state_free(struct store_state *s)
{
	arena_free(s->scratch);
	mirror_free(s->mirror);
	folders_free(s->folders);
	free(s);
}

static struct store_state *state_new(void)
{
	struct store_state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->scratch = arena_new(SCRATCH_MAX);
	s->mirror = mirror_new();
	s->folders = folders_new();
	if (s->scratch == NULL || s->mirror == NULL || s->folders == NULL) {
		state_free(s);
		return NULL;
	}
	return s;
}

int store_state_load(struct core *c, struct err *e)
{
	struct state_now fresh = { 0 };
	int rc;

	/* Changes of this very batch are in memory alone. */
	if (c->state != NULL && c->state->now.dirty)
		return ERR_OK;
	if ((rc = load_head(c, &fresh.head, e)) != ERR_OK)
		return rc;
	if (c->state == NULL && (c->state = state_new()) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->state->now = fresh;
	c->state->mark = fresh;
	c->state->batch = fresh;
	return ERR_OK;
}

int state_ready(struct core *c, struct err *e)
{
	if (c->keys == NULL)
		return err_set(e, ERR_SEALED, "Vault is sealed");
	return c->state != NULL ? ERR_OK : store_state_load(c, e);
}

void store_state_free(struct core *c)
{
	if (c->state == NULL)
		return;
	state_free(c->state);
	c->state = NULL;
}

/* Counted before it happens: the head that is sealed counts itself. */
static void head_key_used(struct core *c)
{
	struct state_head *h = &c->state->now.head;
	int64_t term = keyring_active(c->keys);

	if (h->term != term) {
		h->term = term;
		h->encryptions = 0;
	}
	h->encryptions++;
}

void seal_under_kek(struct core *c, enum seal_purpose purpose, const struct aad *aad,
                    const void *p, size_t n, unsigned char *out)
{
	uint32_t term = 0;
	const unsigned char *kek = keyring_kek(c->keys, &term);

	envelope_seal(kek, term, purpose, aad, p, n, out);
	head_key_used(c);
}

int store_state_flush(struct core *c, struct err *e)
{
	unsigned char plain[HEAD_PLAIN], sealed[HEAD_PLAIN + ENVELOPE_OVERHEAD];
	struct state_head head;
	const unsigned char *kek;
	uint32_t term = 0;
	struct stmt *st;
	struct aad aad;
	int rc;

	if (c->state == NULL || !c->state->now.dirty)
		return ERR_OK;
	if (c->keys == NULL)
		return err_set(e, ERR_INTERNAL,
		               "state MAC: sealed with unwritten changes");
	head_key_used(c);
	head = c->state->now.head;
	head.counter++;
	if ((rc = audit_rows(c->db, &head.audit_size, e)) != ERR_OK)
		return rc;
	head_pack(&head, plain);
	head_aad(c, head.counter, &aad);
	kek = keyring_kek(c->keys, &term);
	envelope_seal(kek, term, SEAL_STATE, &aad, plain, sizeof(plain), sealed);
	st = db_stmt(c->db, STMT_STATE_PUT);
	db_bind_int(st, 1, KIND_CONSISTENCY);
	db_bind_blob(st, 2, state_id, sizeof(state_id));
	db_bind_int(st, 3, head.counter);
	db_bind_blob(st, 4, sealed, sizeof(sealed));
	if ((rc = db_run(st, e)) != ERR_OK)
		return rc;
	c->state->now.head = head;
	c->state->now.dirty = false;
	return ERR_OK;
}

bool store_state_summary(const struct core *c, struct store_summary *out)
{
	const struct state_head *h;

	if (c->state == NULL || c->keys == NULL)
		return false;
	h = &c->state->now.head;
	memcpy(out->mac, h->mac, sizeof(out->mac));
	out->counter = h->counter;
	out->rows = h->rows;
	out->encryptions = h->term == (int64_t)keyring_active(c->keys) ? h->encryptions
	                                                               : 0;
	return true;
}

int64_t store_counted(const struct core *c, enum store_kind kind)
{
	if (c->state == NULL || !c->state->now.counted || kind < 0 || kind > KIND__MAX)
		return -1;
	return c->state->now.kinds[kind];
}

void store_state_mark(struct core *c)
{
	if (c->state != NULL)
		c->state->mark = c->state->now;
}

void store_state_rewind(struct core *c)
{
	if (c->state != NULL)
		c->state->now = c->state->mark;
}

void store_state_batch_begin(struct core *c)
{
	if (c->state == NULL)
		return;
	c->state->batch = c->state->now;
	mirror_batch_begin(c->state->mirror);
	folders_batch_begin(c->state->folders);
}

void store_state_batch_abort(struct core *c)
{
	if (c->state != NULL)
		c->state->now = c->state->batch;
}

/* ---- recomputation: the walk is in state_walk.c ---- */

int store_state_verify_slice(struct core *c, bool *done, struct err *e)
{
	struct state_now *now;
	bool same;
	int rc;

	*done = false;
	if ((rc = state_ready(c, e)) != ERR_OK)
		return rc;
	now = &c->state->now;
	if (!now->walk.active)
		memset(&now->walk, 0, sizeof(now->walk));
	rc = state_walk_step(c, c->db, &now->walk, SLICE_ROWS, done, e);
	if (rc == ERR_OK && !*done)
		return ERR_OK;
	same = now->walk.rows == now->head.rows &&
	       sodium_memcmp(now->walk.mac, now->head.mac, STATE_MAC) == 0;
	now->walk.active = false;
	if (rc != ERR_OK)
		return rc;
	memcpy(now->kinds, now->walk.kinds, sizeof(now->kinds));
	now->counted = true;
	if (!same)
		return err_set(
			e, ERR_INTEGRITY,
			"the rows are not those that were written: %lld rows, expected %lld",
			(long long)now->walk.rows, (long long)now->head.rows);
	return ERR_OK;
}

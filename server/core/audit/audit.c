/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "audit_record.h"
#include "audit_state.h"
#include "db.h"
#include "keyring.h"
#include "mutant.h"
#include "rng.h"
#include "sha256.h"

#define INDEX_BYTES  8u
#define DIGEST_BYTES 32u
#define LEAF_HEAD    (1 + INDEX_BYTES + DIGEST_BYTES)
#define SCRATCH_MIN  4096u

int audit_open(struct core *c, struct err *e)
{
	struct audit *au = calloc(1, sizeof(*au));
	bool found;
	int rc;

	if (au == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	fold_init(&au->fold);
	c->audit = au;
	if ((rc = audit_journal_open(c, e)) != ERR_OK)
		return rc;
	return audit_checkpoint_recall(c, &found, e);
}

void audit_close(struct core *c)
{
	struct audit *au = c->audit;

	if (au == NULL)
		return;
	audit_unload(c);
	free(au->pending);
	free(au->buf);
	free(au);
	c->audit = NULL;
}

void audit_unload(struct core *c)
{
	struct audit *au = c->audit;

	free(au->tree);
	au->tree = NULL;
	au->loaded = au->stale = false;
	au->n_pending = 0;
	if (au->buf != NULL)
		sodium_memzero(au->buf, au->cap);
}

int audit_unsealed(struct core *c, struct err *e)
{
	int rc;

	if ((rc = audit_load(c, e)) != ERR_OK || (rc = audit_bind_check(c, e)) != ERR_OK)
		return rc;
	return audit_journal_chain(c, e);
}

void audit_sealed(struct core *c)
{
	if (c->audit != NULL)
		audit_unload(c);
}

int audit_ready(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	size_t pending = au->n_pending;
	int rc;

	if (!au->stale)
		return ERR_OK;
	if ((rc = audit_load(c, e)) != ERR_OK) {
		au->stale = true;
		return rc;
	}
	au->n_pending = pending;
	return ERR_OK;
}

unsigned char *audit_buf(struct core *c, size_t n)
{
	struct audit *au = c->audit;
	unsigned char *buf;

	if (n <= au->cap)
		return au->buf;
	n = n < SCRATCH_MIN ? SCRATCH_MIN : n + n / 2;
	buf = malloc(n);
	if (buf == NULL)
		return NULL;
	if (au->buf != NULL)
		sodium_memzero(au->buf, au->cap);
	free(au->buf);
	au->buf = buf;
	au->cap = n;
	return buf;
}

static void put_u64(unsigned char *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (56 - 8 * i));
}

void audit_leaf(int64_t index, const unsigned char digest[32],
                const unsigned char *envelope, size_t n, unsigned char out[32])
{
	unsigned char head[LEAF_HEAD];
	struct sha256 st;

	head[0] = 0x00;
	put_u64(head + 1, (uint64_t)index);
	memcpy(head + 1 + INDEX_BYTES, digest, DIGEST_BYTES);
	sha256_start(&st);
	sha256_add(&st, head, sizeof(head));
	sha256_add(&st, envelope, n);
	sha256_end(&st, out);
}

static void row_aad(const struct core *c, int64_t index, struct aad *aad)
{
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_int(aad, index);
}

int audit_row_get(struct stmt *st, struct audit_row *row, struct err *e)
{
	size_t leaf, digest;

	row->index = db_int(st, 0);
	row->leaf = db_blob(st, 1, &leaf);
	row->digest = db_blob(st, 2, &digest);
	row->envelope = db_blob(st, 3, &row->n);
	if (row->leaf == NULL || leaf != MERKLE_HASH || row->digest == NULL ||
	    digest != DIGEST_BYTES || row->envelope == NULL)
		return err_set(e, ERR_INTEGRITY, "audit record %lld is damaged",
		               (long long)row->index);
	return ERR_OK;
}

int audit_row_open(struct core *c, const struct audit_row *row, const unsigned char **out,
                   size_t *len, struct err *e)
{
	unsigned char digest[DIGEST_BYTES], *p = audit_buf(c, row->n);
	struct aad aad;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	row_aad(c, row->index, &aad);
	if (row->n < ENVELOPE_OVERHEAD + AUDIT_SALT ||
	    envelope_open(keyring_key(c->keys, KEY_AUDIT), SEAL_AUDIT, &aad,
	                  row->envelope, row->n, p, e) != ERR_OK)
		return err_set(e, ERR_INTEGRITY, "audit record %lld does not open",
		               (long long)row->index);
	*len = row->n - ENVELOPE_OVERHEAD;
	sha256_of(digest, p, *len);
	if (memcmp(digest, row->digest, sizeof(digest)) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "audit record %lld does not match its digest",
		               (long long)row->index);
	*out = p;
	return ERR_OK;
}

static int pending_room(struct audit *au, struct err *e)
{
	size_t cap = au->cap_pending > 0 ? au->cap_pending * 2 : 256;
	unsigned char(*p)[32];

	if (au->n_pending < au->cap_pending)
		return ERR_OK;
	p = realloc(au->pending, cap * sizeof(*p));
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	au->pending = p;
	au->cap_pending = cap;
	return ERR_OK;
}

static int row_insert(struct core *c, int64_t index, const unsigned char *digest,
                      const unsigned char *envelope, size_t n, struct err *e)
{
	struct audit *au = c->audit;
	struct stmt *st = db_stmt(c->db, STMT_AUDIT_INSERT);
	int rc;

	audit_leaf(index, digest, envelope, n, au->pending[au->n_pending]);
	db_bind_int(st, 1, index);
	db_bind_blob(st, 2, au->pending[au->n_pending], MERKLE_HASH);
	db_bind_blob(st, 3, digest, DIGEST_BYTES);
	db_bind_blob(st, 4, envelope, n);
	if ((rc = db_run(st, e)) == ERR_OK)
		au->n_pending++;
	return rc;
}

/* The scratch holds the digest, the envelope, and the plain record behind it. */
static int chain(struct core *c, const struct audit_record *r, struct err *e)
{
	size_t max = AUDIT_SALT + audit_record_size(r), n;
	int64_t index = audit_size(c);
	unsigned char *p, *envelope, *plain;
	struct aad aad;
	int rc;

	if ((rc = pending_room(c->audit, e)) != ERR_OK)
		return rc;
	p = audit_buf(c, DIGEST_BYTES + ENVELOPE_OVERHEAD + 2 * max);
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	envelope = p + DIGEST_BYTES;
	plain = envelope + ENVELOPE_OVERHEAD + max;
	rng_bytes(plain, AUDIT_SALT);
	n = AUDIT_SALT +
	    audit_record_encode(r, c->now_ms, c->boot_ms, plain + AUDIT_SALT);
	sha256_of(p, plain, n);
	row_aad(c, index, &aad);
	envelope_seal(keyring_key(c->keys, KEY_AUDIT), AUDIT_TERM, SEAL_AUDIT, &aad,
	              plain, n, envelope);
	return row_insert(c, index, p, envelope, n + ENVELOPE_OVERHEAD, e);
}

int audit_chain(struct core *c, const struct audit_record *r, struct err *e)
{
	int rc;

	if (!c->audit->loaded && !c->audit->stale)
		return audit_journal_append(c, r, e);
	if ((rc = audit_ready(c, e)) != ERR_OK)
		return rc;
	return chain(c, r, e);
}

/* A refusal of somebody who showed no valid token. */
static bool is_anonymous_refusal(const struct audit_record *r)
{
	return r->actor_type != NULL && strcmp(r->actor_type, "none") == 0 &&
	       r->outcome != NULL && strcmp(r->outcome, "ok") != 0 && r->remote != NULL;
}

int audit_append(struct core *c, const struct audit_record *r, struct err *e)
{
	struct audit_fold *f = &c->audit->fold;

	/* Whoever is beyond a limit of rate must not fill the log instead. */
	if (r->status == 429 && r->remote != NULL) {
		fold_add(f, r->remote, errclasses[ERR_RATE].wire, 1, c->now_ms);
		return ERR_OK;
	}
	if (is_anonymous_refusal(r) && fold_beyond(f, r->remote, c->boot_ms)) {
		fold_add(f, r->remote, r->error != NULL ? r->error : "", 1, c->now_ms);
		return ERR_OK;
	}
	return audit_chain(c, r, e);
}

void audit_rejected(struct core *c, const char *address, const char *reason,
                    int64_t count)
{
	fold_add(&c->audit->fold, address, reason, count, clock_wall(c->clock));
}

int64_t audit_next_ms(struct core *c)
{
	return fold_due(&c->audit->fold, clock_wall(c->clock));
}

static int append_count(struct core *c, struct arena *a, const struct fold_count *k,
                        struct err *e)
{
	struct value *note = value_object(a);
	const struct audit_record r = {
		.actor_type = "none",
		.remote = k->address,
		.operation = "aggregate",
		.outcome = "denied",
		.error = k->reason,
		.note = note,
	};

	value_set_int(a, note, "count", k->count);
	value_set_int(a, note, "first_ms", k->first_ms);
	value_set_int(a, note, "last_ms", k->last_ms);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory")
	                       : audit_chain(c, &r, e);
}

static int append_counts(struct core *c, struct err *e)
{
	struct audit_fold *f = &c->audit->fold;
	AUTO_ARENA a = arena_new((size_t)256 * 1024);
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (unsigned i = 0; i < f->counts; i++)
		if ((rc = append_count(c, a, &f->count[i], e)) != ERR_OK)
			return rc;
	f->written = true;
	return ERR_OK;
}

static struct audit_mark mark_now(const struct audit *au)
{
	return (struct audit_mark){ .loaded = au->loaded || au->stale,
		                    .pending = au->n_pending,
		                    .journal = au->journal,
		                    .dropped = au->dropped };
}

static void rewind_to(struct core *c, const struct audit_mark *m)
{
	struct audit *au = c->audit;

	if (au->loaded && !m->loaded)
		audit_unload(c);
	au->n_pending = au->loaded ? m->pending : 0;
	au->journal = m->journal;
	au->dropped = m->dropped;
}

void audit_mark(struct core *c)
{
	c->audit->mark = mark_now(c->audit);
}

void audit_rewind(struct core *c)
{
	rewind_to(c, &c->audit->mark);
}

void audit_batch_begin(struct core *c)
{
	struct audit *au = c->audit;
	struct err e;

	/* Appending something tries again, and reports it. */
	if (audit_ready(c, &e) != ERR_OK)
		au->stale = true;
	au->flushed = false;
	au->batch = mark_now(au);
}

void audit_batch_abort(struct core *c)
{
	struct audit *au = c->audit;

	if (MUTANT(MUTANT_TREE_NOT_REWOUND))
		return;
	rewind_to(c, &au->batch);
	au->fold.written = false;
	au->stale = au->stale || (au->loaded && au->flushed);
	au->flushed = false;
}

static int flush_tree(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	int rc;

	/* Timers may change rows without a record: their head is signed again. */
	if (au->n_pending == 0 && !audit_bind_stale(c))
		return ERR_OK;
	au->flushed = true;
	for (size_t i = 0; i < au->n_pending; i++)
		if ((rc = audit_tree_push(au->tree, c->db, au->pending[i], e)) != ERR_OK)
			return rc;
	au->n_pending = 0;
	if ((rc = audit_tree_store(au->tree, c->db, e)) != ERR_OK)
		return rc;
	return audit_checkpoint_put(c, e);
}

int audit_flush(struct core *c, struct err *e)
{
	int64_t due = fold_due(&c->audit->fold, c->now_ms);
	int rc;

	if ((rc = audit_ready(c, e)) != ERR_OK)
		return rc;
	if (due != 0 && due <= c->now_ms && (rc = append_counts(c, e)) != ERR_OK)
		return rc;
	return c->audit->loaded ? flush_tree(c, e) : audit_journal_flush(c, e);
}

int64_t audit_size(const struct core *c)
{
	const struct audit *au = c->audit;

	return au->loaded ? (int64_t)(au->tree->frontier.size + au->n_pending)
	                  : (int64_t)au->note_size;
}

void audit_root(const struct core *c, unsigned char out[32])
{
	const struct audit *au = c->audit;
	struct merkle_frontier f = { .size = 0 };

	if (au->loaded)
		f = au->tree->frontier;
	for (size_t i = 0; i < au->n_pending; i++)
		(void)merkle_push(&f, au->pending[i], NULL);
	merkle_root(&f, out);
}

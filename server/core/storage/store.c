/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "aside.h"
#include "db.h"
#include "mirror.h"
#include "store_row.h"
#include "text.h"

/* Offset of the ciphertext in an envelope: rows are sealed and opened in place. */
#define BODY_AT 32

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

void row_aad(const struct core *c, const struct store_row *row, struct aad *aad)
{
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_int(aad, row->kind);
	aad_bytes(aad, row->id, row->id_len);
	aad_bytes(aad, row->parent, row->parent_len);
	aad_bytes(aad, row->tag, row->tag_len);
	aad_int(aad, row->due);
	aad_int(aad, row->version);
}

int row_open(const struct core *c, const struct store_row *row, unsigned char *out,
             struct err *e)
{
	const unsigned char *kek;
	char name[17];
	uint32_t term;
	struct aad aad;

	if (row->parent_len <= STORE_ID_MAX && row->tag_len <= STORE_ID_MAX &&
	    envelope_term(row->sealed, row->sealed_len, &term) == 0 && term != 0 &&
	    (kek = keyring_kek(c->keys, &term)) != NULL) {
		row_aad(c, row, &aad);
		if (envelope_open(kek, SEAL_OBJECT, &aad, row->sealed, row->sealed_len,
		                  out, e) == ERR_OK)
			return ERR_OK;
	}
	text_hex(row->id, row->id_len < 8 ? row->id_len : 8, name);
	return err_set(e, ERR_INTEGRITY, "object %d/%s… does not open", row->kind, name);
}

void row_of_columns(struct stmt *st, struct store_row *row)
{
	row->kind = (int)db_int(st, 0);
	row->id = db_blob(st, 1, &row->id_len);
	row->parent = db_blob(st, 2, &row->parent_len);
	row->tag = db_blob(st, 3, &row->tag_len);
	row->due = db_int(st, 4);
	row->version = db_int(st, 5);
	row->sealed = db_blob(st, 6, &row->sealed_len);
}

static int unsealed(const struct core *c, struct err *e)
{
	return c->keys != NULL ? ERR_OK : err_set(e, ERR_SEALED, "Vault is sealed");
}

static void copy_id(unsigned char *to, size_t *to_len, const unsigned char *p, size_t n)
{
	*to_len = p != NULL ? n : 0;
	if (*to_len > 0)
		memcpy(to, p, *to_len);
}

/* ${plain} has room for the body; it may lie inside the row's own envelope. */
static int open_object(const struct core *c, struct arena *a, const struct store_row *row,
                       unsigned char *plain, struct store_object *out, struct err *e)
{
	int rc = row_open(c, row, plain, e);
	struct value *body;

	if (rc != ERR_OK)
		return rc;
	if (row->id_len > STORE_ID_MAX)
		return err_set(e, ERR_INTEGRITY, "an object has an id of %zu bytes",
		               row->id_len);
	rc = value_decode(a, plain, row->sealed_len - ENVELOPE_OVERHEAD, &body, e);
	if (rc != ERR_OK)
		return rc == ERR_NOMEM
		               ? rc
		               : err_set(e, ERR_INTEGRITY, "an object has no form");
	out->kind = (enum store_kind)row->kind;
	copy_id(out->id, &out->id_len, row->id, row->id_len);
	copy_id(out->parent, &out->parent_len, row->parent, row->parent_len);
	copy_id(out->tag, &out->tag_len, row->tag, row->tag_len);
	out->due = row->due;
	out->version = row->version;
	out->body = body;
	return ERR_OK;
}

/* The stored row of an identity; borrowed from ${st}. */
static int find_row(struct stmt *st, int kind, const void *id, size_t n,
                    struct store_row *row, bool *found, struct err *e)
{
	int rc;

	db_bind_int(st, 1, kind);
	db_bind_blob(st, 2, id, n);
	if ((rc = db_step(st, found, e)) != ERR_OK || !*found)
		return rc;
	row->kind = kind;
	row->id = id;
	row->id_len = n;
	row->parent = db_blob(st, 0, &row->parent_len);
	row->tag = db_blob(st, 1, &row->tag_len);
	row->due = db_int(st, 2);
	row->version = db_int(st, 3);
	row->sealed = db_blob(st, 4, &row->sealed_len);
	return ERR_OK;
}

static int read_object(struct core *c, struct arena *a, enum store_kind kind,
                       const void *id, size_t n, struct store_object *out, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_OBJECT_GET);
	struct store_row row;
	unsigned char *plain;
	bool found;
	int rc;

	if ((rc = find_row(st, (int)kind, id, n, &row, &found, e)) != ERR_OK)
		return rc;
	if (!found)
		return err_set(e, ERR_NOENT, "not found");
	if ((plain = arena_alloc(a, row.sealed_len + 1)) == NULL)
		return no_memory(e);
	if ((rc = open_object(c, a, &row, plain, out, e)) == ERR_OK)
		mirror_keep(state_mirror(c), &row, plain,
		            row.sealed_len - ENVELOPE_OVERHEAD);
	return rc;
}

int store_get(struct core *c, struct arena *a, enum store_kind kind, const void *id,
              size_t n, struct store_object *out, struct err *e)
{
	int rc = unsealed(c, e);

	if (rc != ERR_OK || mirror_get(state_mirror(c), a, kind, id, n, out))
		return rc;
	return read_object(c, a, kind, id, n, out, e);
}

int store_find(struct core *c, struct arena *a, enum store_kind kind, const void *id,
               size_t n, struct store_object *out, struct err *e)
{
	int rc = store_get(c, a, kind, id, n, out, e);

	if (rc != ERR_NOENT)
		return rc;
	*out = (struct store_object){ .kind = kind, .id_len = n };
	memcpy(out->id, id, n);
	return rc;
}

static struct store_row row_of_object(const struct store_object *o)
{
	return (struct store_row){
		.kind = (int)o->kind,
		.id = o->id,
		.id_len = o->id_len,
		.parent = o->parent_len > 0 ? o->parent : NULL,
		.parent_len = o->parent_len,
		.tag = o->tag_len > 0 ? o->tag : NULL,
		.tag_len = o->tag_len,
		.due = o->due,
		.version = o->version,
	};
}

static int check_object(const struct store_object *o, struct err *e)
{
	if (o->kind < KIND_MOUNT || o->kind >= KIND__MAX || o->kind == KIND_CONSISTENCY ||
	    o->id_len < 1 || o->id_len > STORE_ID_MAX || o->parent_len > STORE_ID_MAX ||
	    o->tag_len > STORE_ID_MAX || o->due < 0 || o->version < 0)
		return err_set(e, ERR_INTERNAL, "an object of kind %d is not well formed",
		               (int)o->kind);
	return ERR_OK;
}

static bool same_bytes(const void *a, size_t an, const void *b, size_t bn)
{
	return an == bn && (an == 0 || memcmp(a, b, an) == 0);
}

/* The digest of exactly the version that the caller has read; *indexed: is all that an
 * index knows of it as it is in ${o}? */
static int digest_current(struct core *c, const struct store_object *o,
                          unsigned char digest[STATE_MAC], bool *indexed, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_OBJECT_GET);
	struct store_row row;
	bool found;
	int rc = find_row(st, (int)o->kind, o->id, o->id_len, &row, &found, e);

	if (rc != ERR_OK)
		return rc;
	if (!found || row.version != o->version)
		return err_set(e, ERR_CONFLICT,
		               "the object was changed by another request");
	state_digest_row(c, &row, digest);
	*indexed = row.due == o->due &&
	           same_bytes(row.parent, row.parent_len, o->parent, o->parent_len) &&
	           same_bytes(row.tag, row.tag_len, o->tag, o->tag_len);
	return ERR_OK;
}

static int seal_body(struct core *c, const struct value *body, struct store_row *row,
                     struct err *e)
{
	size_t n = value_size(body);
	unsigned char *buf = arena_alloc(state_scratch(c), n + ENVELOPE_OVERHEAD);
	struct aad aad;

	if (buf == NULL)
		return no_memory(e);
	value_encode(body, buf + BODY_AT);
	row_aad(c, row, &aad);
	seal_under_kek(c, SEAL_OBJECT, &aad, buf + BODY_AT, n, buf);
	row->sealed = buf;
	row->sealed_len = n + ENVELOPE_OVERHEAD;
	return ERR_OK;
}

static void bind_due(struct stmt *st, int at, int64_t due)
{
	if (due == 0)
		db_bind_null(st, at);
	else
		db_bind_int(st, at, due);
}

static int insert_row(struct core *c, const struct store_row *row, struct err *e)
{
	struct stmt *st = db_stmt(c->db, STMT_OBJECT_INSERT);
	int rc;

	db_bind_int(st, 1, row->kind);
	db_bind_blob(st, 2, row->id, row->id_len);
	db_bind_blob(st, 3, row->parent, row->parent_len);
	db_bind_blob(st, 4, row->tag, row->tag_len);
	bind_due(st, 5, row->due);
	db_bind_int(st, 6, row->version);
	db_bind_blob(st, 7, row->sealed, row->sealed_len);
	rc = db_run(st, e);
	return rc == ERR_CONFLICT ? err_set(e, rc, "the object exists already") : rc;
}

/* SQLite makes each entry of an index anew that a statement names a column of, changed or
 * not: what is indexed as it was is not named. */
static int update_row(struct core *c, const struct store_row *row, bool indexed,
                      struct err *e)
{
	struct stmt *st = db_stmt(c->db,
	                          indexed ? STMT_OBJECT_UPDATE_BODY : STMT_OBJECT_UPDATE);
	int at = 1, rc;

	if (!indexed) {
		db_bind_blob(st, at++, row->parent, row->parent_len);
		db_bind_blob(st, at++, row->tag, row->tag_len);
		bind_due(st, at++, row->due);
	}
	db_bind_int(st, at++, row->version);
	db_bind_blob(st, at++, row->sealed, row->sealed_len);
	db_bind_int(st, at++, row->kind);
	db_bind_blob(st, at++, row->id, row->id_len);
	db_bind_int(st, at, row->version - 1);
	if ((rc = db_run(st, e)) == ERR_OK && db_changes(c->db) != 1)
		return err_set(e, ERR_CONFLICT,
		               "the object was changed by another request");
	return rc;
}

static int write_row(struct core *c, struct store_object *o, struct err *e)
{
	unsigned char before[STATE_MAC], after[STATE_MAC];
	struct store_row row = row_of_object(o);
	bool is_new = o->version == 0, indexed = false;
	int rc;

	if (!is_new && (rc = digest_current(c, o, before, &indexed, e)) != ERR_OK)
		return rc;
	row.version++;
	if ((rc = seal_body(c, o->body, &row, e)) != ERR_OK)
		return rc;
	rc = is_new ? insert_row(c, &row, e) : update_row(c, &row, indexed, e);
	if (rc != ERR_OK)
		return rc;
	state_digest_row(c, &row, after);
	state_row_changed(c, &row, is_new ? NULL : before, after);
	o->version = row.version;
	return ERR_OK;
}

int store_put(struct core *c, struct store_object *o, struct err *e)
{
	int rc;

	if ((rc = state_ready(c, e)) != ERR_OK || (rc = check_object(o, e)) != ERR_OK)
		return rc;
	if (o->body == NULL)
		return no_memory(e);
	rc = write_row(c, o, e);
	arena_reset(state_scratch(c));
	return rc;
}

int store_delete(struct core *c, const struct store_object *o, struct err *e)
{
	struct store_row row = row_of_object(o);
	unsigned char before[STATE_MAC];
	struct stmt *st;
	bool indexed;
	int rc;

	if ((rc = state_ready(c, e)) != ERR_OK || (rc = check_object(o, e)) != ERR_OK ||
	    (rc = digest_current(c, o, before, &indexed, e)) != ERR_OK)
		return rc;
	st = db_stmt(c->db, STMT_OBJECT_DELETE);
	db_bind_int(st, 1, row.kind);
	db_bind_blob(st, 2, row.id, row.id_len);
	db_bind_int(st, 3, row.version);
	if ((rc = db_run(st, e)) != ERR_OK)
		return rc;
	if (db_changes(c->db) != 1)
		return err_set(e, ERR_CONFLICT,
		               "the object was changed by another request");
	state_row_changed(c, &row, before, NULL);
	return ERR_OK;
}

void store_blind(struct core *c, unsigned char out[32], const char *label, const void *a,
                 size_t an, const void *b, size_t bn)
{
	const size_t len[3] = { strlen(label), an, bn };
	const void *const part[3] = { label, a, b };
	crypto_generichash_state h;
	unsigned char prefix[8];

	(void)crypto_generichash_init(&h, keyring_key(c->keys, KEY_BLIND), 32, 32);
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 8; k++)
			prefix[k] = (unsigned char)((uint64_t)len[i] >> (56 - 8 * k));
		(void)crypto_generichash_update(&h, prefix, sizeof(prefix));
		if (len[i] > 0)
			(void)crypto_generichash_update(&h, part[i], len[i]);
	}
	(void)crypto_generichash_final(&h, out, 32);
}

/* ---- iteration ---- */

/* Rows are copied a page at a time and the statement is done before the first callback,
 * which may therefore read whatever it likes, this very query included. */
#define PAGE 64

struct page {
	struct store_row *row;
	int n;
	int64_t asked;
};

static int copy_row(struct arena *a, const struct store_row *from, struct store_row *to)
{
	*to = *from;
	to->id = arena_dup(a, from->id, from->id_len);
	to->parent = from->parent != NULL ? arena_dup(a, from->parent, from->parent_len)
	                                  : NULL;
	to->tag = from->tag != NULL ? arena_dup(a, from->tag, from->tag_len) : NULL;
	to->sealed = arena_dup(a, from->sealed, from->sealed_len);
	return arena_failed(a) ? -1 : 0;
}

static int read_page(struct stmt *st, struct arena *a, struct page *page, struct err *e)
{
	struct store_row row;
	bool more;
	int rc;

	page->n = 0;
	page->row = arena_alloc(a, PAGE * sizeof(*page->row));
	if (page->row == NULL)
		return no_memory(e);
	while ((rc = db_step(st, &more, e)) == ERR_OK && more && page->n < PAGE) {
		row_of_columns(st, &row);
		if (copy_row(a, &row, &page->row[page->n++]) != 0)
			return no_memory(e);
	}
	return rc;
}

/* One query that is continued behind the last row of the page before. */
struct query {
	enum stmt_id stmt;
	int kind;
	const void *key; /* parent or tag; NULL for the others */
	size_t key_len;
	int64_t now;   /* of STMT_OBJECT_DUE */
	int64_t limit; /* rows that are still wanted, -1: all */
	store_fn fn;
	void *ctx;
	int64_t due; /* place of the last row */
	const unsigned char *after;
	size_t after_len;
};

static struct stmt *bind_query(struct core *c, const struct query *q, int64_t limit)
{
	struct stmt *st = db_stmt(c->db, q->stmt);
	int at = 1;

	db_bind_int(st, at++, q->kind);
	if (q->key != NULL)
		db_bind_blob(st, at++, q->key, q->key_len);
	if (q->stmt == STMT_OBJECT_DUE) {
		db_bind_int(st, at++, q->now);
		db_bind_int(st, at++, q->due);
	}
	db_bind_blob(st, at++, q->after, q->after_len);
	db_bind_int(st, at, limit);
	return st;
}

/* Of what is due, a row that does not open is passed over. */
static int visit_row(struct core *c, struct arena *a, struct query *q,
                     const struct store_row *row, struct err *e)
{
	unsigned char *in_place = (unsigned char *)(uintptr_t)row->sealed + BODY_AT;
	struct aside *aside = q->stmt == STMT_OBJECT_DUE ? state_aside(c) : NULL;
	struct store_object o;
	int rc;

	if (aside != NULL && aside_has(aside, row))
		return ERR_OK;
	rc = open_object(c, a, row, in_place, &o, e);
	if (rc == ERR_INTEGRITY && aside != NULL && aside_add(aside, row, e))
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	if (q->limit > 0)
		q->limit--;
	return q->fn(q->ctx, &o, e);
}

static int visit_page(struct core *c, struct arena *a, struct query *q,
                      const struct page *page, struct err *e)
{
	int rc = ERR_OK;

	for (int i = 0; i < page->n && rc == ERR_OK; i++)
		rc = visit_row(c, a, q, &page->row[i], e);
	return rc;
}

static int run_query(struct core *c, struct arena *a, struct query *q, struct err *e)
{
	struct page page;
	int rc;

	if ((rc = unsealed(c, e)) != ERR_OK)
		return rc;
	do {
		struct stmt *st;

		page.asked = q->limit < 0 || q->limit > PAGE ? PAGE : q->limit;
		st = bind_query(c, q, page.asked);
		rc = read_page(st, a, &page, e);
		db_done(st);
		if (rc != ERR_OK || (rc = visit_page(c, a, q, &page, e)) != ERR_OK)
			return rc;
		if (page.n > 0) {
			q->due = page.row[page.n - 1].due;
			q->after = page.row[page.n - 1].id;
			q->after_len = page.row[page.n - 1].id_len;
		}
	} while (page.n == page.asked && q->limit != 0);
	return ERR_OK;
}

static const unsigned char nothing[1];

static const void *from_start(const void *after)
{
	return after != NULL ? after : nothing;
}

/* The parameters of a page are what a query has: naming them in a struct would only move
 * the list to every caller. */
/* NOLINTNEXTLINE(readability-function-size) */
int store_by_parent_page(struct core *c, struct arena *a, enum store_kind kind,
                         const void *parent, size_t n, const void *after,
                         size_t after_len, int limit, store_fn fn, void *ctx,
                         struct err *e)
{
	struct query q = { .stmt = STMT_OBJECT_BY_PARENT,
		           .kind = (int)kind,
		           .key = parent,
		           .key_len = n,
		           .limit = limit > 0 ? limit : -1,
		           .fn = fn,
		           .ctx = ctx,
		           .after = from_start(after),
		           .after_len = after != NULL ? after_len : 0 };

	return run_query(c, a, &q, e);
}

int store_by_parent(struct core *c, struct arena *a, enum store_kind kind,
                    const void *parent, size_t n, store_fn fn, void *ctx, struct err *e)
{
	return store_by_parent_page(c, a, kind, parent, n, NULL, 0, 0, fn, ctx, e);
}

/* NOLINTNEXTLINE(readability-function-size) */
int store_by_tag_page(struct core *c, struct arena *a, enum store_kind kind,
                      const void *tag, size_t n, const void *after, size_t after_len,
                      int limit, store_fn fn, void *ctx, struct err *e)
{
	struct query q = { .stmt = STMT_OBJECT_BY_TAG,
		           .kind = (int)kind,
		           .key = tag,
		           .key_len = n,
		           .limit = limit > 0 ? limit : -1,
		           .fn = fn,
		           .ctx = ctx,
		           .after = from_start(after),
		           .after_len = after != NULL ? after_len : 0 };

	return run_query(c, a, &q, e);
}

int store_by_tag(struct core *c, struct arena *a, enum store_kind kind, const void *tag,
                 size_t n, store_fn fn, void *ctx, struct err *e)
{
	return store_by_tag_page(c, a, kind, tag, n, NULL, 0, 0, fn, ctx, e);
}

/* NOLINTNEXTLINE(readability-function-size) */
int store_each(struct core *c, struct arena *a, enum store_kind kind, const void *after,
               size_t after_len, int limit, store_fn fn, void *ctx, struct err *e)
{
	struct query q = { .stmt = STMT_OBJECT_EACH,
		           .kind = (int)kind,
		           .limit = limit > 0 ? limit : -1,
		           .fn = fn,
		           .ctx = ctx,
		           .after = from_start(after),
		           .after_len = after != NULL ? after_len : 0 };

	return run_query(c, a, &q, e);
}

int store_due(struct core *c, struct arena *a, enum store_kind kind, int64_t now,
              int limit, store_fn fn, void *ctx, struct err *e)
{
	struct query q = { .stmt = STMT_OBJECT_DUE,
		           .kind = (int)kind,
		           .now = now,
		           .limit = limit > 0 ? limit : -1,
		           .fn = fn,
		           .ctx = ctx,
		           .after = nothing };

	return run_query(c, a, &q, e);
}

int store_due_page(struct core *c, struct arena *a, enum store_kind kind,
                   const struct store_object *after, int limit, store_fn fn, void *ctx,
                   struct err *e)
{
	struct query q = { .stmt = STMT_OBJECT_DUE,
		           .kind = (int)kind,
		           .now = INT64_MAX,
		           .limit = limit > 0 ? limit : -1,
		           .fn = fn,
		           .ctx = ctx,
		           .due = after != NULL ? after->due : 0,
		           .after = after != NULL ? after->id : nothing,
		           .after_len = after != NULL ? after->id_len : 0 };

	return run_query(c, a, &q, e);
}

static int64_t one_number(struct core *c, enum stmt_id id, enum store_kind kind,
                          int64_t on_error)
{
	STMT_AUTO st = db_stmt(c->db, id);
	struct err e;
	bool row;

	db_bind_int(st, 1, (int)kind);
	if (db_step(st, &row, &e) != ERR_OK)
		return on_error;
	return row ? db_int(st, 0) : 0;
}

/* The first due row that is not passed over. */
static int64_t next_due_beside(struct core *c, const struct aside *aside, int kind)
{
	const struct query q = {
		.stmt = STMT_OBJECT_DUE, .kind = kind, .now = INT64_MAX, .after = nothing
	};
	STMT_AUTO st = bind_query(c, &q, -1);
	struct store_row row;
	struct err e;
	bool more;

	while (db_step(st, &more, &e) == ERR_OK && more) {
		row_of_columns(st, &row);
		if (!aside_has(aside, &row))
			return row.due;
	}
	return 0;
}

int64_t store_next_due(struct core *c, enum store_kind kind)
{
	const struct aside *aside = state_aside(c);

	if (aside != NULL && aside_any(aside, (int)kind))
		return next_due_beside(c, aside, (int)kind);
	return one_number(c, STMT_OBJECT_NEXT_DUE, kind, 0);
}

int64_t store_count(struct core *c, enum store_kind kind)
{
	return one_number(c, STMT_OBJECT_COUNT, kind, -1);
}

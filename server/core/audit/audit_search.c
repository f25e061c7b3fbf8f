/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_search.h"

#include <assert.h>
#include <string.h>

#include "arena.h"
#include "audit_record.h"
#include "audit_state.h"
#include "db.h"
#include "value.h"

#define SCRATCH ((size_t)4 * 1024 * 1024)

static bool is_str(const struct value *rec, enum audit_field at, const char *want)
{
	return want == NULL || value_is_str(value_at(rec, at), want);
}

static bool has_prefix(const struct value *v, const char *prefix)
{
	size_t n = prefix != NULL ? strlen(prefix) : 0;

	return n == 0 || (v->len >= n && memcmp(v->text, prefix, n) == 0);
}

static bool matches(const struct audit_search *s, const struct value *rec)
{
	int64_t time = 0;

	(void)value_to_int(value_at(rec, AUDIT_F_TIME), &time);
	return time >= s->since && time < s->until &&
	       (is_str(rec, AUDIT_F_ACTOR, s->actor) ||
	        is_str(rec, AUDIT_F_ACCESSOR, s->actor)) &&
	       has_prefix(value_at(rec, AUDIT_F_PATH), s->path) &&
	       is_str(rec, AUDIT_F_OPERATION, s->operation) &&
	       is_str(rec, AUDIT_F_OUTCOME, s->outcome);
}

static void add(struct audit_search *s, struct value *o)
{
	value_add(s->records, o);
	s->found++;
}

static void add_damaged(struct audit_search *s, struct arena *a, int64_t index,
                        const char *how)
{
	struct value *o = value_object(a);

	value_set_int(a, o, "index", index);
	value_set_str(a, o, "damaged", how);
	add(s, o);
}

/* One row: opened into ${tmp}, copied to ${a} if it is asked for. */
static void look(struct core *c, struct arena *a, struct arena *tmp, struct stmt *st,
                 struct audit_search *s)
{
	int64_t index = db_int(st, 0);
	const unsigned char *p;
	struct audit_row row;
	struct value *rec;
	struct err why;
	size_t n;

	arena_reset(tmp);
	if (audit_row_get(st, &row, &why) != ERR_OK ||
	    audit_row_open(c, &row, &p, &n, &why) != ERR_OK ||
	    audit_record_decode(tmp, p + AUDIT_SALT, n - AUDIT_SALT, &rec, &why) !=
	            ERR_OK) {
		add_damaged(s, a, index, "changed");
		return;
	}
	if (matches(s, rec))
		add(s, value_copy(a, audit_record_object(tmp, rec, index)));
}

static bool in_range(const struct audit_search *s)
{
	return s->forward ? s->at < s->to : s->at >= s->from;
}

bool audit_search_more(const struct audit_search *s)
{
	return in_range(s);
}

static struct stmt *open_range(struct core *c, const struct audit_search *s)
{
	struct stmt *st = db_stmt(c->db,
	                          s->forward ? STMT_AUDIT_RANGE : STMT_AUDIT_RANGE_DOWN);

	db_bind_int(st, 1, s->forward ? s->at : s->from);
	db_bind_int(st, 2, s->forward ? s->to : s->at + 1);
	db_bind_int(st, 3, SEARCH_SLICE);
	return st;
}

int audit_search_slice(struct core *c, struct arena *a, struct audit_search *s,
                       bool *done, struct err *e)
{
	AUTO_ARENA tmp = arena_new(SCRATCH);
	STMT_AUTO st = open_range(c, s);
	bool row = true;
	int rc = ERR_OK, step = s->forward ? 1 : -1;

	if (tmp == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < SEARCH_SLICE && in_range(s) && s->found < s->limit; i++) {
		if ((rc = db_step(st, &row, e)) != ERR_OK)
			return rc;
		if (!row)
			break;
		for (; in_range(s) && s->at != db_int(st, 0) && s->found < s->limit;
		     s->at += step)
			add_damaged(s, a, s->at, "missing");
		if (s->found >= s->limit)
			break;
		look(c, a, tmp, st, s);
		s->at += step;
		s->scanned++;
	}
	/* The range ends with records that are gone. */
	for (; !row && in_range(s) && s->found < s->limit; s->at += step)
		add_damaged(s, a, s->at, "missing");
	*done = s->found >= s->limit || s->scanned >= SEARCH_SCAN || !in_range(s);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static struct value *copy_bytes(struct arena *a, const void *p, size_t n)
{
	return value_bytes(a, arena_dup(a, p, n), n);
}

static int entry(struct core *c, struct arena *a, const struct audit_row *row,
                 struct value **out, struct err *e)
{
	struct value *o = value_object(a);
	const unsigned char *p;
	size_t n;
	int rc;

	if ((rc = audit_row_open(c, row, &p, &n, e)) != ERR_OK)
		return rc;
	value_set_int(a, o, "index", row->index);
	value_set(o, "commit", copy_bytes(a, row->digest, MERKLE_HASH));
	value_set(o, "envelope", copy_bytes(a, row->envelope, row->n));
	value_set(o, "leaf", copy_bytes(a, row->leaf, MERKLE_HASH));
	value_set(o, "record", copy_bytes(a, p + AUDIT_SALT, n - AUDIT_SALT));
	value_set(o, "salt", copy_bytes(a, p, AUDIT_SALT));
	*out = o;
	return ERR_OK;
}

int audit_entries(struct core *c, struct arena *a, int64_t from, int64_t limit,
                  struct value **out, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_AUDIT_RANGE);
	struct value *list = value_array(a), *o = NULL;
	struct audit_row row;
	bool found;
	int rc;

	db_bind_int(st, 1, from);
	db_bind_int(st, 2, (int64_t)c->audit->note_size);
	db_bind_int(st, 3, limit);
	while ((rc = db_step(st, &found, e)) == ERR_OK && found) {
		if ((rc = audit_row_get(st, &row, e)) != ERR_OK ||
		    (rc = entry(c, a, &row, &o, e)) != ERR_OK)
			return rc;
		value_add(list, o);
	}
	*out = list;
	if (rc != ERR_OK)
		return rc;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static struct value *proof_value(struct arena *a, const struct merkle_proof *p)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < p->n; i++)
		value_add(list, copy_bytes(a, p->hash[i], MERKLE_HASH));
	return list;
}

/* The stored hashes, for proofs up to ${size}. */
static int hashes(struct core *c, struct arena *a, uint64_t size,
                  struct audit_hashes **out, struct err *e)
{
	struct audit *au = c->audit;
	struct audit_hashes *h = arena_alloc(a, sizeof(*h));
	int rc;

	if (h == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!au->loaded && !au->stale)
		return err_set(e, ERR_SEALED, "Vault is sealed");
	if ((rc = audit_ready(c, e)) != ERR_OK)
		return rc;
	if (size > au->note_size)
		return err_set(e, ERR_INVALID, "the log has only %llu records",
		               (unsigned long long)au->note_size);
	audit_hashes_init(h, au->tree, c->db);
	*out = h;
	return ERR_OK;
}

int audit_inclusion(struct core *c, struct arena *a, int64_t index, int64_t size,
                    struct value **out, struct err *e)
{
	uint64_t to = size != 0 ? (uint64_t)size : c->audit->note_size;
	struct audit_hashes *h = NULL;
	struct value *o = value_object(a);
	struct merkle_proof p;
	unsigned char leaf[MERKLE_HASH];
	int rc;

	if (index < 0 || size < 0)
		return err_set(e, ERR_INVALID, "an index cannot be negative");
	if ((rc = hashes(c, a, to, &h, e)) != ERR_OK)
		return rc;
	assert(h != NULL);
	if ((rc = merkle_prove_inclusion(&h->reader, (uint64_t)index, to, &p, e)) !=
	            ERR_OK ||
	    (rc = h->reader.read(h, 0, (uint64_t)index, leaf, e)) != ERR_OK)
		return rc;
	value_set_int(a, o, "index", index);
	value_set_int(a, o, "size", (int64_t)to);
	value_set(o, "leaf", copy_bytes(a, leaf, MERKLE_HASH));
	value_set(o, "proof", proof_value(a, &p));
	*out = o;
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int audit_consistency_to(struct core *c, struct arena *a, int64_t from, int64_t to,
                         struct value **out, struct err *e)
{
	uint64_t size = to != 0 ? (uint64_t)to : c->audit->note_size;
	struct audit_hashes *h = NULL;
	struct merkle_proof p;
	int rc;

	if (from < 0 || to < 0)
		return err_set(e, ERR_INVALID, "a size cannot be negative");
	if ((rc = hashes(c, a, size, &h, e)) != ERR_OK ||
	    (rc = merkle_prove_consistency(&h->reader, (uint64_t)from, size, &p, e)) !=
	            ERR_OK)
		return rc;
	*out = proof_value(a, &p);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int64_t audit_head(struct core *c, struct arena *a, const char **key)
{
	char text[NOTE_KEY_TEXT_MAX] = "";

	if (c->audit->loaded)
		note_key_format(&c->audit->key, text);
	*key = arena_str(a, text);
	return (int64_t)c->audit->note_size;
}

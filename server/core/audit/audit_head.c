/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_head - signed tree heads: making them, which ones stay, and proofs between them.
 *
 * One is made with each batch.  The newest stays, the first of every thousand records
 * stays for ever, and until the next of those so does one a minute.
 */
#include <string.h>

#include "arena.h"
#include "audit_search.h"
#include "audit_state.h"
#include "db.h"
#include "keyring.h"

#define KEEP_RECORDS 1000u
#define KEEP_MS      60000

static int sign_head(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	struct note_checkpoint cp = { .size = au->tree->frontier.size };
	unsigned char sig[64];
	size_t body, line;

	memcpy(cp.origin, au->key.name, sizeof(cp.origin));
	merkle_root(&au->tree->frontier, cp.root);
	body = note_checkpoint_body(&cp, au->note, sizeof(au->note));
	if (body > 0)
		body = audit_bind_add(c, au->note, body, sizeof(au->note));
	keyring_checkpoint_sign(c->keys, au->note, body, sig);
	line = note_sign_line(&au->key, sig, au->note + body, sizeof(au->note) - body);
	if (body == 0 || line == 0)
		return err_set(e, ERR_INTERNAL, "a checkpoint that does not fit");
	au->note_size = cp.size;
	return ERR_OK;
}

/* Drop the heads in between; one that is not kept goes when its successor comes. */
static int drop_between(struct db *db, uint64_t after, uint64_t before, struct err *e)
{
	struct stmt *st = db_stmt(db, STMT_CHECKPOINT_DELETE);

	db_bind_int(st, 1, (int64_t)after);
	db_bind_int(st, 2, (int64_t)before);
	return db_run(st, e);
}

static int drop_old(struct core *c, uint64_t previous, struct err *e)
{
	struct audit *au = c->audit;
	uint64_t size = au->note_size;
	int rc = ERR_OK;

	if (size / KEEP_RECORDS != previous / KEEP_RECORDS || previous == 0) {
		rc = drop_between(c->db, au->thousand_size, size, e);
		au->thousand_size = au->kept_size = size;
		au->kept_ms = c->boot_ms;
		return rc;
	}
	if (previous > au->kept_size)
		rc = drop_between(c->db, au->kept_size, size, e);
	if (c->boot_ms - au->kept_ms >= KEEP_MS) {
		au->kept_size = size;
		au->kept_ms = c->boot_ms;
	}
	return rc;
}

int audit_checkpoint_put(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	uint64_t previous = au->note_size;
	struct stmt *st;
	int rc;

	if ((rc = sign_head(c, e)) != ERR_OK)
		return rc;
	st = db_stmt(c->db, STMT_CHECKPOINT_PUT);
	db_bind_int(st, 1, (int64_t)au->note_size);
	db_bind_blob(st, 2, au->note, strlen(au->note));
	if ((rc = db_run(st, e)) != ERR_OK)
		return rc;
	return drop_old(c, previous, e);
}

static int head_at(struct core *c, uint64_t from, uint64_t *size, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_CHECKPOINT_AT);
	bool row;
	int rc;

	db_bind_int(st, 1, (int64_t)from);
	if ((rc = db_step(st, &row, e)) == ERR_OK)
		*size = row ? (uint64_t)db_int(st, 0) : 0;
	return rc;
}

static int newest(struct core *c, bool *found, struct err *e)
{
	struct audit *au = c->audit;
	STMT_AUTO st = db_stmt(c->db, STMT_CHECKPOINT_LAST);
	const void *p;
	size_t n = 0;
	int rc;

	if ((rc = db_step(st, found, e)) != ERR_OK)
		return rc;
	au->note[0] = '\0';
	au->note_size = 0;
	if (!*found)
		return ERR_OK;
	p = db_blob(st, 1, &n);
	if (p == NULL || n >= sizeof(au->note) || db_int(st, 0) < 0)
		return err_set(e, ERR_INTEGRITY,
		               "the signed head of the audit log is damaged");
	memcpy(au->note, p, n);
	au->note[n] = '\0';
	au->note_size = (uint64_t)db_int(st, 0);
	return ERR_OK;
}

int audit_checkpoint_recall(struct core *c, bool *found, struct err *e)
{
	struct audit *au = c->audit;
	int rc;

	if ((rc = newest(c, found, e)) != ERR_OK)
		return rc;
	au->kept_size = au->note_size;
	au->kept_ms = c->boot_ms;
	return head_at(c, au->note_size / KEEP_RECORDS * KEEP_RECORDS, &au->thousand_size,
	               e);
}

const char *audit_checkpoint(struct core *c, struct arena *a)
{
	const char *text = arena_str(a, c->audit->note);

	return text != NULL ? text : "";
}

int audit_consistency(struct core *c, struct arena *a, int64_t old_size,
                      struct value **out, struct err *e)
{
	return audit_consistency_to(c, a, old_size, 0, out, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_load - opening the log: the newest signed tree head, the last tiles, and whether
 * they and the last records fit each other.  Never more than 255 records are read.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit_state.h"
#include "db.h"
#include "keyring.h"
#include "text.h"

static int make_key(struct core *c, struct err *e)
{
	char name[NOTE_NAME_MAX + 1], hex[2 * sizeof(c->vault_id) + 1];

	text_hex(c->vault_id, sizeof(c->vault_id), hex);
	snprintf(name, sizeof(name), "vaultd/audit/%s", hex);
	return note_key_make(name, keyring_checkpoint_public(c->keys), &c->audit->key, e);
}

static int last_record(struct core *c, int64_t *size, struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_AUDIT_LAST);
	bool row;
	int rc;

	if ((rc = db_step(st, &row, e)) == ERR_OK)
		*size = row ? db_int(st, 0) + 1 : 0;
	return rc;
}

/* Does the signed size fit the records that are there? */
static int check_end(struct core *c, uint64_t signed_size, struct err *e)
{
	int64_t size = 0;
	int rc;

	if ((rc = last_record(c, &size, e)) != ERR_OK)
		return rc;
	if ((uint64_t)size < signed_size)
		return err_set(e, ERR_INTEGRITY,
		               "audit record %lld is missing at the end of the log",
		               (long long)size);
	if ((uint64_t)size > signed_size)
		return err_set(e, ERR_INTEGRITY,
		               "audit record %llu is not covered by the signed head",
		               (unsigned long long)signed_size);
	return ERR_OK;
}

/* Call ${fn} for each record of the last, incomplete tile. */
static int each_last(struct core *c, uint64_t size,
                     int (*fn)(struct core *c, const struct audit_row *row,
                               struct err *e),
                     struct err *e)
{
	STMT_AUTO st = db_stmt(c->db, STMT_AUDIT_RANGE);
	int64_t first = (int64_t)(size - size % TILE);
	struct audit_row r;
	bool row;
	int rc;

	db_bind_int(st, 1, first);
	db_bind_int(st, 2, (int64_t)size);
	db_bind_int(st, 3, TILE);
	for (int64_t at = first; at < (int64_t)size; at++) {
		if ((rc = db_step(st, &row, e)) != ERR_OK)
			return rc;
		if (!row || db_int(st, 0) != at)
			return err_set(e, ERR_INTEGRITY, "audit record %lld is missing",
			               (long long)at);
		if ((rc = audit_row_get(st, &r, e)) != ERR_OK ||
		    (rc = fn(c, &r, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int take_leaf(struct core *c, const struct audit_row *row, struct err *e)
{
	struct audit_level *l = &c->audit->tree->level[0];

	audit_leaf(row->index, row->digest, row->envelope, row->n, l->hash[l->n]);
	if (memcmp(l->hash[l->n], row->leaf, MERKLE_HASH) != 0)
		return err_set(e, ERR_INTEGRITY, "audit record %lld was changed",
		               (long long)row->index);
	l->n++;
	return ERR_OK;
}

static int try_open(struct core *c, const struct audit_row *row, struct err *e)
{
	const unsigned char *p;
	size_t n;

	return audit_row_open(c, row, &p, &n, e);
}

static int check_root(struct core *c, const struct note_checkpoint *cp, struct err *e)
{
	unsigned char root[MERKLE_HASH];
	int rc;

	audit_root(c, root);
	if (memcmp(root, cp->root, sizeof(root)) == 0)
		return ERR_OK;
	/* Somebody fitted the hashes to a changed record: only the key tells which. */
	if ((rc = each_last(c, cp->size, try_open, e)) != ERR_OK)
		return rc;
	return err_set(e, ERR_INTEGRITY,
	               "the audit log does not match its signed head at record %llu",
	               (unsigned long long)cp->size);
}

static int load_tree(struct core *c, const struct note_checkpoint *cp, struct err *e)
{
	struct audit *au = c->audit;
	int rc;

	if ((rc = check_end(c, cp->size, e)) != ERR_OK ||
	    (rc = audit_tree_load(au->tree, c->db, cp->size, e)) != ERR_OK ||
	    (rc = each_last(c, cp->size, take_leaf, e)) != ERR_OK)
		return rc;
	audit_tree_ready(au->tree, cp->size);
	au->loaded = true;
	return cp->size > 0 ? check_root(c, cp, e) : ERR_OK;
}

int audit_load(struct core *c, struct err *e)
{
	struct audit *au = c->audit;
	struct note_checkpoint cp = { .size = 0 };
	bool found;
	int rc;

	audit_unload(c);
	if ((rc = make_key(c, e)) != ERR_OK ||
	    (rc = audit_checkpoint_recall(c, &found, e)) != ERR_OK)
		return rc;
	if (found && note_checkpoint_verify(au->note, strlen(au->note), &au->key, &cp,
	                                    e) != ERR_OK)
		return err_set(e, ERR_INTEGRITY,
		               "the signed head of the audit log is not ours");
	if (found && cp.size != au->note_size)
		return err_set(e, ERR_INTEGRITY,
		               "the signed head of the audit log is misplaced");
	au->tree = calloc(1, sizeof(*au->tree));
	if (au->tree == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = load_tree(c, &cp, e)) != ERR_OK)
		audit_unload(c);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "auth_token.h"
#include "backup.h"
#include "db.h"
#include "log.h"
#include "rng.h"
#include "rotation_restored.h"
#include "store.h"

#define MARKER    "restored"
#define PAGE      64
#define ARENA_MAX (16u * 1024 * 1024)

/* Objects to delete, a page at a time; the store may not be written while it is read. */
struct doomed {
	struct store_object o[PAGE];
	int n;
	unsigned char last[STORE_ID_MAX];
	size_t last_len;
	int seen;
};

static bool is_lasting_root(const struct store_object *o)
{
	const struct value *policies = value_get(o->body, "policies");

	if (o->due != 0 || policies == NULL || policies->type != V_ARRAY)
		return false;
	for (const struct value *p = policies->first; p != NULL; p = p->next)
		if (value_is_str(p, "root"))
			return true;
	return false;
}

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct doomed *d = ctx;

	(void)e;
	d->seen++;
	memcpy(d->last, o->id, o->id_len);
	d->last_len = o->id_len;
	if (o->kind == KIND_TOKEN && is_lasting_root(o))
		return ERR_OK;
	/* What is good for so many logins may have been used since. */
	if (o->kind == KIND_SECRET_ID && value_int_or(o->body, "uses", 0) == 0)
		return ERR_OK;
	d->o[d->n++] = *o;
	return ERR_OK;
}

static int void_kind(struct core *c, enum store_kind kind, int64_t *count, struct err *e)
{
	AUTO_ARENA a = arena_new(ARENA_MAX);
	struct doomed d = { .last_len = 0 };
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	do {
		d.n = d.seen = 0;
		rc = store_each(c, a, kind, d.last, d.last_len, PAGE, collect, &d, e);
		for (int i = 0; i < d.n && rc == ERR_OK; i++) {
			rc = store_delete(c, &d.o[i], e);
			(*count)++;
		}
		arena_reset(a);
	} while (rc == ERR_OK && d.seen == PAGE);
	return rc;
}

/* The marker is an encoded object, written by whoever restored; it is not sealed, so it
 * only adds to the record and never decides more than that tokens end. */
static const struct value *marker_value(struct arena *a, const unsigned char *p, size_t n)
{
	struct value *v;

	return value_decode(a, p, n, &v, NULL) == ERR_OK && v->type == V_OBJECT ? v
	                                                                        : NULL;
}

static int record(struct core *c, struct arena *a, const struct value *marker,
                  int64_t tokens, int64_t joins, struct err *e)
{
	struct value *note = value_object(a);
	char request_id[37];
	const struct audit_record r = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = "",
		.remote = "",
		.operation = "restore",
		.path = "sys/backup",
		.outcome = "ok",
		.error = "",
		.note = note,
	};

	rng_uuid4(request_id);
	value_set_int(a, note, "tokens_voided", tokens);
	value_set_int(a, note, "joins_voided", joins);
	value_set_int(a, note, "backup_audit_size",
	              value_int_or(marker, "audit_size", 0));
	value_set_int(a, note, "backup_created_ms",
	              value_int_or(marker, "created_ms", 0));
	value_set_int(a, note, "restored_ms", value_int_or(marker, "restored_ms", 0));
	if (value_bool_or(marker, "accept_rollback", false))
		value_set_bool(a, note, "accept_rollback", true);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return audit_append(c, &r, e);
}

int backup_restored(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	int64_t tokens = 0, joins = 0, secrets = 0;
	unsigned char *p;
	size_t n;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = meta_get(c->db, a, MARKER, &p, &n, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = void_kind(c, KIND_TOKEN, &tokens, e)) != ERR_OK ||
	    (rc = token_batch_disown(c, a, e)) != ERR_OK ||
	    (rc = void_kind(c, KIND_SECRET_ID, &secrets, e)) != ERR_OK ||
	    (rc = void_kind(c, KIND_JOIN, &joins, e)) != ERR_OK ||
	    (rc = rotation_restored(c, a, e)) != ERR_OK ||
	    (rc = record(c, a, marker_value(a, p, n), tokens, joins, e)) != ERR_OK ||
	    (rc = meta_delete(c->db, MARKER, e)) != ERR_OK)
		return rc;
	log_warn("the database was restored from a backup",
	         LOG_N("tokens_voided", tokens), LOG_N("joins_voided", joins));
	return ERR_OK;
}

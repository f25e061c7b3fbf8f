/* SPDX-License-Identifier: Apache-2.0 */
#include "kek.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "backup.h"
#include "jobs.h"
#include "keyring.h"
#include "log.h"
#include "rewrap.h"
#include "store.h"
#include "vault/limits.h"

#define JOB         "rewrap"
#define RETRY_MS    60000
#define BACKUP_WAIT 1000 /* a backup under way still needs the older terms */

struct kek {
	struct kek_config cfg;
	bool stale; /* what was stored has been rolled back: read again */
	int64_t not_before_ms;
};

/* ---- configuration ---- */

static void setting_id(struct core *c, unsigned char id[32])
{
	store_blind(c, id, "setting", "key-rotation", 12, NULL, 0);
}

static int setting_get(struct core *c, struct arena *a, struct store_object *o,
                       struct err *e)
{
	unsigned char id[32];
	int rc;

	setting_id(c, id);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(o, 0, sizeof(*o));
	o->kind = KIND_SETTING;
	o->id_len = sizeof(id);
	memcpy(o->id, id, sizeof(id));
	return ERR_OK;
}

static int read_config(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct kek *k = c->kek;
	struct store_object o;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = setting_get(c, a, &o, e)) != ERR_OK)
		return rc;
	k->cfg.enabled = value_bool_or(o.body, "enabled", true);
	k->cfg.max_operations = value_int_or(o.body, "operations", KEK_OPERATIONS_MAX);
	k->cfg.interval_ms = value_int_or(o.body, "interval_ms", 0);
	k->stale = false;
	return ERR_OK;
}

int kek_load(struct core *c, struct err *e)
{
	kek_free(c);
	c->kek = calloc(1, sizeof(*c->kek));
	if (c->kek == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return read_config(c, e);
}

void kek_free(struct core *c)
{
	free(c->kek);
	c->kek = NULL;
}

int kek_config_get(struct core *c, struct kek_config *out, struct err *e)
{
	int rc = c->kek->stale ? read_config(c, e) : ERR_OK;

	*out = c->kek->cfg;
	return rc;
}

static void config_rolled_back(void *arg)
{
	struct core *c = arg;

	if (c->kek != NULL)
		c->kek->stale = true;
}

int kek_config_put(struct core *c, struct arena *a, const struct kek_config *in,
                   struct err *e)
{
	struct store_object o;
	int rc;

	if ((rc = setting_get(c, a, &o, e)) != ERR_OK)
		return rc;
	o.body = value_object(a);
	value_set_bool(a, o.body, "enabled", in->enabled);
	value_set_int(a, o.body, "operations", in->max_operations);
	value_set_int(a, o.body, "interval_ms", in->interval_ms);
	if ((rc = store_put(c, &o, e)) != ERR_OK)
		return rc;
	c->kek->cfg = *in;
	core_undo(c, config_rolled_back, c);
	return ERR_OK;
}

/* ---- the keyring in memory ---- */

/* Exactly one of the two hooks runs: each ends what is not in force then. */
struct swap {
	struct core *c;
	struct keyring *old, *new;
};

static void swap_back(void *arg)
{
	struct swap *s = arg;

	s->c->keys = s->old;
	keyring_free(s->new);
	free(s);
}

static void swap_done(void *arg)
{
	struct swap *s = arg;

	keyring_free(s->old);
	free(s);
}

int kek_install(struct core *c, struct keyring *keys, struct err *e)
{
	AUTO_FREE unsigned char *blob = NULL;
	struct swap *s = malloc(sizeof(*s));
	size_t n = 0;
	int rc;

	if (s == NULL) {
		keyring_free(keys);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if ((rc = keyring_reseal(keys, c->vault_id, &blob, &n, e)) == ERR_OK)
		rc = meta_put(c->db, META_KEYRING, blob, n, e);
	if (rc != ERR_OK) {
		keyring_free(keys);
		free(s);
		return rc;
	}
	*s = (struct swap){ c, c->keys, keys };
	c->keys = keys;
	core_undo(c, swap_back, s);
	core_after_commit(c, swap_done, s);
	return ERR_OK;
}

/* ---- rotation ---- */

/* There is one such job; a walk that is under way starts again. */
static int start_job(struct core *c, struct arena *a, struct err *e)
{
	struct store_object o;
	unsigned char id[32];
	int rc;

	store_blind(c, id, "job", JOB, strlen(JOB), NULL, 0);
	rc = store_get(c, a, KIND_JOB, id, 16, &o, e);
	if (rc == ERR_NOENT) {
		memset(&o, 0, sizeof(o));
		o.kind = KIND_JOB;
		o.id_len = 16;
		memcpy(o.id, id, 16);
	} else if (rc != ERR_OK) {
		return rc;
	}
	o.due = c->now_ms;
	o.body = value_object(a);
	value_set_str(a, o.body, "job", JOB);
	value_set_int(a, o.body, "term", keyring_active(c->keys));
	jobs_dirty(c);
	return store_put(c, &o, e);
}

int kek_rotate(struct core *c, struct arena *a, struct err *e)
{
	struct keyring *keys;
	int rc;

	if ((rc = keyring_with_term(c->keys, c->now_ms, &keys, e)) != ERR_OK ||
	    (rc = kek_install(c, keys, e)) != ERR_OK)
		return rc;
	return start_job(c, a, e);
}

static int record(struct core *c, struct arena *a, const char *operation,
                  const char *path, struct err *e)
{
	struct value *note = value_object(a);
	const struct audit_record r = {
		.actor_type = "system",
		.operation = operation,
		.path = path,
		.outcome = "ok",
		.note = note,
	};

	value_set_int(a, note, "term", keyring_active(c->keys));
	value_set_int(a, note, "terms", keyring_terms(c->keys));
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory")
	                       : audit_append(c, &r, e);
}

/* ---- the job ---- */

static void place_read(const struct value *body, struct rewrap_place *at)
{
	const struct value *id = value_get(body, "id");

	memset(at, 0, sizeof(*at));
	at->payloads = value_bool_or(body, "payloads", false);
	at->kind = (int)value_int_or(body, "kind", 0);
	at->version = value_int_or(body, "version", 0);
	at->damaged = value_int_or(body, "damaged", 0);
	if (id != NULL && id->type == V_BYTES && id->len <= sizeof(at->id)) {
		memcpy(at->id, id->text, id->len);
		at->id_len = id->len;
	}
}

static void place_write(struct arena *a, struct store_object *job,
                        const struct rewrap_place *at, uint32_t term)
{
	job->body = value_object(a);
	value_set_str(a, job->body, "job", JOB);
	value_set_int(a, job->body, "term", term);
	value_set_bool(a, job->body, "payloads", at->payloads);
	value_set_int(a, job->body, "kind", at->kind);
	value_set_int(a, job->body, "version", at->version);
	value_set_int(a, job->body, "damaged", at->damaged);
	value_set_bytes(a, job->body, "id", arena_dup(a, at->id, at->id_len), at->id_len);
}

/* No row needs the older terms any more: their keys end here. */
static int destroy_old(struct core *c, struct arena *a, const struct rewrap_place *at,
                       struct err *e)
{
	struct keyring *keys;
	int rc;

	if (keyring_terms(c->keys) == 1)
		return ERR_OK;
	if (at->damaged > 0) {
		log_error("the keys of older terms are kept: rows did not open",
		          LOG_N("rows", at->damaged));
		return ERR_OK;
	}
	if ((rc = keyring_from_term(c->keys, keyring_active(c->keys), &keys, e)) !=
	            ERR_OK ||
	    (rc = kek_install(c, keys, e)) != ERR_OK)
		return rc;
	return record(c, a, "destroy", "sys/rotate/keyring", e);
}

int kek_rewrap_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e)
{
	uint32_t term = keyring_active(c->keys);
	struct rewrap_place at;
	int rc;

	place_read(job->body, &at);
	/* Another term began meanwhile: the walk is of use for it from the start only. */
	if (value_int_or(job->body, "term", 0) != (int64_t)term)
		memset(&at, 0, sizeof(at));
	if (backup_running(c)) {
		job->due = c->now_ms + BACKUP_WAIT;
		return ERR_OK;
	}
	if ((rc = rewrap_slice(c, &at, done, e)) != ERR_OK)
		return rc;
	if (*done)
		return destroy_old(c, a, &at, e);
	place_write(a, job, &at, term);
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* ---- by itself ---- */

int64_t kek_next_ms(const struct core *c)
{
	const struct kek *k = c->kek;
	struct store_summary s;
	int64_t at = 0;

	if (k == NULL || c->keys == NULL || !k->cfg.enabled)
		return 0;
	if (k->cfg.interval_ms > 0)
		at = keyring_began_ms(c->keys) + k->cfg.interval_ms;
	if (store_state_summary(c, &s) && s.encryptions >= k->cfg.max_operations)
		at = 1;
	return at != 0 && at < k->not_before_ms ? k->not_before_ms : at;
}

int kek_due(struct core *c, struct arena *a, struct err *e)
{
	int64_t at;
	int rc;

	if (c->kek->stale && (rc = read_config(c, e)) != ERR_OK)
		return rc;
	at = kek_next_ms(c);
	if (at == 0 || at > c->now_ms)
		return ERR_OK;
	c->kek->not_before_ms = c->now_ms + RETRY_MS;
	rc = kek_rotate(c, a, e);
	if (rc == ERR_BUSY) {
		log_warn("the key that seals rows was not rotated",
		         LOG_S("cause", e->msg));
		return ERR_OK;
	}
	return rc == ERR_OK ? record(c, a, "rotate", "sys/rotate/keyring", e) : rc;
}

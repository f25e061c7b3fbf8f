/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "backup.h"
#include "batch.h"
#include "cert_trust.h"
#include "crl.h"
#include "crl_ask.h"
#include "db.h"
#include "jobs.h"
#include "kek.h"
#include "keyring.h"
#include "limit.h"
#include "log.h"
#include "metrics.h"
#include "mounts.h"
#include "policy.h"
#include "pwhash.h"
#include "rekey.h"
#include "rotation_state.h"
#include "seal.h"
#include "step.h"
#include "store.h"
#include "vault/version.h"
#include "version_history.h"
#include "wait.h"
#include "zone.h"

static int open_db(struct core *c, struct err *e)
{
	char path[PATH_MAX];
	const struct db_options o = {
		.path = path,
		.vfs = c->opt.db_vfs,
		.check_fs = c->opt.db_vfs == NULL,
	};
	int n = snprintf(path, sizeof(path), "%s/vault.db", c->opt.data_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ERR_INVALID, "data_dir: path is too long");
	return db_open(&o, &c->db, e);
}

static int auto_unseal(struct core *c, void *arg, struct err *e)
{
	int rc = seal_auto(c, e);

	(void)arg;
	if (rc == ERR_NOENT)
		return ERR_OK; /* no such slot: it waits for shares */
	return rc == ERR_OK ? core_unsealed(c, e) : rc;
}

int core_open(const struct core_options *o, struct core **out, struct err *e)
{
	struct core *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->opt = *o;
	c->clock = o->clock;
	c->now_ms = clock_wall(c->clock);
	c->boot_ms = clock_boot(c->clock);
	c->opened_ms = c->boot_ms;
	c->metrics = calloc(1, sizeof(*c->metrics));
	c->zones = zones_new(o->zones);
	if (c->metrics == NULL || c->zones == NULL) {
		rc = err_set(e, ERR_NOMEM, "out of memory");
		goto fail;
	}
	if ((rc = open_db(c, e)) != ERR_OK || (rc = batch_open(c, e)) != ERR_OK ||
	    (rc = waits_open(c, e)) != ERR_OK || (rc = jobs_open(c, e)) != ERR_OK ||
	    (rc = crl_asks_open(c, e)) != ERR_OK || (rc = steps_open(c, e)) != ERR_OK ||
	    (rc = pwhash_open(c, e)) != ERR_OK || (rc = rotation_open(c, e)) != ERR_OK ||
	    (rc = seal_load(c, e)) != ERR_OK || (rc = limits_open(c, e)) != ERR_OK ||
	    (rc = audit_open(c, e)) != ERR_OK)
		goto fail;
	if (c->initialized && o->auto_unseal_key != NULL &&
	    (rc = batch_alone(c, auto_unseal, NULL, e)) != ERR_OK)
		goto fail;
	*out = c;
	return ERR_OK;
fail:
	core_close(c);
	return rc;
}

static void drop_keys(void *arg)
{
	struct core *c = arg;

	if (c->keys == NULL)
		return;
	audit_sealed(c);
	ceremonies_end(c);
	policies_free(c);
	cert_trust_free(c);
	crls_free(c);
	mounts_free(c);
	kek_free(c);
	store_state_free(c);
	keyring_free(c->keys);
	c->keys = NULL;
	steps_sealed(c);
	/* Whoever is parked is run again, and finds the vault sealed. */
	waits_expire(c->waits, INT64_MAX);
	core_push_state(c);
}

int core_unsealed(struct core *c, struct err *e)
{
	int rc;

	core_undo(c, drop_keys, c);
	if ((rc = store_state_load(c, e)) != ERR_OK || (rc = kek_load(c, e)) != ERR_OK ||
	    (rc = mounts_load(c, e)) != ERR_OK || (rc = policies_load(c, e)) != ERR_OK ||
	    (rc = cert_trust_load(c, e)) != ERR_OK || (rc = crls_load(c, e)) != ERR_OK ||
	    (rc = audit_unsealed(c, e)) != ERR_OK ||
	    (rc = backup_restored(c, e)) != ERR_OK ||
	    (rc = version_history_note(c, VAULT_VERSION, VAULT_BUILD_DATE, e)) != ERR_OK)
		return rc;
	jobs_unsealed(c);
	core_push_state(c);
	return ERR_OK;
}

void core_seal_now(struct core *c)
{
	core_push_state(c);
	core_after_commit(c, drop_keys, c);
}

static void free_req_item(struct req *r)
{
	arena_free(r->in);
	arena_free(r->a);
}

void core_close(struct core *c)
{
	if (c == NULL)
		return;
	if (c->waits != NULL && c->batch != NULL)
		drop_keys(c);
	backup_close(c);
	pwhash_close(c);
	waits_close(c, free_req_item);
	crl_asks_close(c);
	batch_close(c);
	jobs_close(c);
	steps_close(c);
	rotation_close(c);
	limits_close(c);
	audit_close(c);
	seal_free(c);
	db_close(c->db);
	arena_free(c->sandbox_arena);
	zones_free(c->zones);
	free(c->metrics);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

struct hello {
	const unsigned char *spki;
	bool accepted;
	const char *reason;
};

static int pin_equals(struct core *c, struct arena *a, const char *name,
                      const unsigned char *spki, bool *present, bool *equal,
                      struct err *e)
{
	unsigned char *pin;
	size_t n;
	int rc = meta_get(c->db, a, name, &pin, &n, e);

	*present = rc == ERR_OK;
	*equal = *present && n == 32 && sodium_memcmp(pin, spki, 32) == 0;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* The first server key is recorded.  Another one must have been announced to the hosts
 * that pin the first: else all of them would be locked out at once. */
static int judge_pin(struct core *c, void *arg, struct err *e)
{
	AUTO_ARENA a = arena_new(4096);
	struct hello *h = arg;
	bool have, same, have_next, is_next;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = pin_equals(c, a, "server_pin", h->spki, &have, &same, e)) != ERR_OK ||
	    (rc = pin_equals(c, a, "server_pin_next", h->spki, &have_next, &is_next,
	                     e)) != ERR_OK)
		return rc;
	if (have && !same && !is_next && store_count(c, KIND_HOST) > 0) {
		h->accepted = false;
		h->reason =
			"the server key was not announced to the hosts that pin the old one: "
			"see 'vaultctl host pins'";
		return ERR_OK;
	}
	h->accepted = true;
	return have && same ? ERR_OK : meta_put(c->db, "server_pin", h->spki, 32, e);
}

int core_hello(struct core *c, const unsigned char *spki, bool *accepted,
               const char **reason, struct err *e)
{
	struct hello h = { .spki = spki, .accepted = true, .reason = "" };
	int rc = ERR_OK;

	if (spki != NULL)
		rc = batch_alone(c, judge_pin, &h, e);
	*accepted = h.accepted;
	*reason = h.reason;
	core_push_state(c);
	return rc;
}

void core_push_trust(struct core *c, const struct value *set)
{
	if (c->opt.trust != NULL)
		c->opt.trust(c->opt.ctx, set);
}

void core_rejected(struct core *c, const char *address, const char *reason, int64_t count)
{
	c->metrics->rejected += count > 0 ? (uint64_t)count : 0;
	audit_rejected(c, address, reason, count);
}

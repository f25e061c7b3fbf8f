/* SPDX-License-Identifier: Apache-2.0 */
#include "seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "keymem.h"
#include "keyring.h"
#include "log.h"
#include "rekey.h"
#include "rng.h"
#include "seal_impl.h"
#include "store.h"

#define META_VAULT_ID "vault_id"

void seal_reset(struct core *c)
{
	struct seal *s = c->seal;

	if (s == NULL || s->attempt == NULL)
		return;
	keymem_free(s->attempt, sizeof(*s->attempt));
	s->attempt = NULL;
	memset(s->nonce, 0, sizeof(s->nonce));
}

void seal_free(struct core *c)
{
	seal_reset(c);
	ceremonies_end(c);
	free(c->seal);
	c->seal = NULL;
}

static int read_vault_id(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(4096);
	unsigned char *p;
	size_t n;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = meta_get(c->db, a, META_VAULT_ID, &p, &n, e)) != ERR_OK)
		return rc == ERR_NOENT
		               ? err_set(e, ERR_INTEGRITY, "the vault id is missing")
		               : rc;
	if (n != sizeof(c->vault_id))
		return err_set(e, ERR_INTEGRITY, "the vault id is damaged");
	memcpy(c->vault_id, p, n);
	return ERR_OK;
}

static int read_config(struct core *c, struct err *e)
{
	struct seal *s = c->seal;
	int rc = seal_config_read(c->db, &s->cfg, e);

	c->initialized = false;
	memset(c->vault_id, 0, sizeof(c->vault_id));
	s->stale = false;
	if (rc == ERR_NOENT) {
		memset(&s->cfg, 0, sizeof(s->cfg));
		return ERR_OK;
	}
	if (rc != ERR_OK || (rc = read_vault_id(c, e)) != ERR_OK)
		return rc;
	c->initialized = true;
	return ERR_OK;
}

int seal_load(struct core *c, struct err *e)
{
	if (c->seal == NULL)
		c->seal = calloc(1, sizeof(*c->seal));
	if (c->seal == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return read_config(c, e);
}

/* What was written belongs to the current savepoint: if that is rolled back, memory must
 * not keep it. */
static void rolled_back(void *arg)
{
	struct core *c = arg;

	if (c->seal == NULL)
		return;
	seal_reset(c);
	c->seal->stale = true;
}

static void init_rolled_back(void *arg)
{
	struct core *c = arg;

	rolled_back(c);
	c->initialized = false;
	memset(c->vault_id, 0, sizeof(c->vault_id));
	keyring_free(c->keys);
	c->keys = NULL;
}

static void keys_rolled_back(void *arg)
{
	struct core *c = arg;

	keyring_free(c->keys);
	c->keys = NULL;
}

static void undo_with(struct core *c, void (*fn)(void *))
{
	if (c->batch != NULL)
		core_undo(c, fn, c);
}

static int fresh(struct core *c, struct err *e)
{
	return c->seal->stale ? read_config(c, e) : ERR_OK;
}

int seal_epoch(const struct core *c)
{
	return c->seal != NULL ? c->seal->cfg.epoch : 0;
}

void seal_status(const struct core *c, struct seal_status *out)
{
	const struct seal *s = c->seal;

	memset(out, 0, sizeof(*out));
	out->initialized = c->initialized;
	out->sealed = c->keys == NULL;
	out->type = "shamir";
	if (!c->initialized)
		return;
	out->auto_unseal = s->cfg.automatic.present;
	out->type = out->auto_unseal ? "auto" : "shamir";
	out->n = s->cfg.n;
	out->t = s->cfg.t;
	out->progress = s->attempt != NULL ? s->attempt->count : 0;
	memcpy(out->nonce, s->nonce, sizeof(out->nonce));
}

static int open_keyring(struct core *c, const struct hand *h, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	unsigned char *blob;
	size_t n;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = meta_get(c->db, a, META_KEYRING, &blob, &n, e);
	if (rc == ERR_NOENT)
		return err_set(e, ERR_INTEGRITY, "the keyring is missing");
	if (rc != ERR_OK ||
	    (rc = keyring_open(h->root, c->vault_id, blob, n, &c->keys, e)) != ERR_OK)
		return rc;
	undo_with(c, keys_rolled_back);
	return ERR_OK;
}

/* ---- init ---- */

static int store_keyring(struct core *c, const struct hand *h, struct err *e)
{
	AUTO_FREE unsigned char *blob = NULL;
	struct keyring *k;
	size_t n;
	int rc;

	if ((rc = keyring_create(c->now_ms, &k, e)) != ERR_OK)
		return rc;
	if ((rc = keyring_seal(k, h->root, c->vault_id, &blob, &n, e)) == ERR_OK)
		rc = meta_put(c->db, META_KEYRING, blob, n, e);
	if (rc == ERR_OK && c->seal->cfg.automatic.present)
		c->keys = k;
	else
		keyring_free(k);
	return rc;
}

static int make_seal(struct core *c, int n, int t, struct seal_share *shares,
                     struct hand *h, struct err *e)
{
	struct seal_config *cfg = &c->seal->cfg;
	int rc;

	memset(cfg, 0, sizeof(*cfg));
	cfg->n = n;
	cfg->t = t;
	cfg->epoch = 1;
	rng_bytes(cfg->seal_id, sizeof(cfg->seal_id));
	rng_bytes(cfg->salt, sizeof(cfg->salt));
	rng_bytes(c->vault_id, sizeof(c->vault_id));
	rng_bytes(h->unseal, KEY);
	rng_bytes(h->root, KEY);
	commit_to(cfg, h->unseal, cfg->commitment);
	if ((rc = make_shares(cfg, h, shares, e)) != ERR_OK)
		return rc;
	slot_make(c, cfg, SLOT_SHAMIR, h->unseal, h, &cfg->shamir);
	if (c->opt.auto_unseal_key != NULL)
		slot_make(c, cfg, SLOT_AUTO, c->opt.auto_unseal_key, h, &cfg->automatic);
	if ((rc = meta_put(c->db, META_VAULT_ID, c->vault_id, sizeof(c->vault_id), e)) !=
	            ERR_OK ||
	    (rc = seal_config_write(c->db, cfg, e)) != ERR_OK)
		return rc;
	return store_keyring(c, h, e);
}

int seal_init(struct core *c, int n, int t, struct seal_share *shares, struct err *e)
{
	struct hand *h;
	int rc;

	if ((rc = fresh(c, e)) != ERR_OK)
		return rc;
	if (c->initialized)
		return err_set(e, ERR_INVALID, "Vault is already initialized");
	if ((rc = seal_check_counts(n, t, e)) != ERR_OK)
		return rc;
	h = hand_new(e);
	if (h == NULL)
		return ERR_NOMEM;
	rc = make_seal(c, n, t, shares, h, e);
	hand_free(h);
	if (rc != ERR_OK) {
		init_rolled_back(c);
		return rc;
	}
	c->initialized = true;
	undo_with(c, init_rolled_back);
	return ERR_OK;
}

/* ---- unseal ---- */

/* An auto-unseal key that was configured later, or replaced, gets its slot when a quorum
 * of shares is there anyway. */
static int keep_auto_slot(struct core *c, struct hand *h, struct err *e)
{
	struct seal_config *cfg = &c->seal->cfg;
	unsigned char *root;
	bool same = false;
	int rc;

	if (c->opt.auto_unseal_key == NULL)
		return ERR_OK;
	root = keymem_alloc(KEY);
	if (root == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	memcpy(root, h->root, KEY);
	if (cfg->automatic.present)
		same = slot_open(c, cfg, SLOT_AUTO, c->opt.auto_unseal_key, h, NULL) ==
		       ERR_OK;
	memcpy(h->root, root, KEY);
	keymem_free(root, KEY);
	if (same)
		return ERR_OK;
	slot_make(c, cfg, SLOT_AUTO, c->opt.auto_unseal_key, h, &cfg->automatic);
	undo_with(c, rolled_back);
	if ((rc = seal_config_write(c->db, cfg, e)) != ERR_OK)
		c->seal->stale = true;
	return rc;
}

static int open_with_shares(struct core *c, struct err *e)
{
	struct hand *h = hand_new(e);
	int rc;

	if (h == NULL)
		return ERR_NOMEM;
	rc = attempt_open(c, &c->seal->cfg, c->seal->attempt, h, e);
	if (rc == ERR_OK && (rc = open_keyring(c, h, e)) == ERR_OK)
		rc = keep_auto_slot(c, h, e);
	hand_free(h);
	if (rc != ERR_OK)
		keys_rolled_back(c);
	seal_reset(c);
	return rc;
}

static int begin_attempt(struct core *c, struct err *e)
{
	struct seal *s = c->seal;

	if (s->attempt != NULL)
		return ERR_OK;
	s->attempt = keymem_alloc(sizeof(*s->attempt));
	if (s->attempt == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	rng_uuid4(s->nonce);
	return ERR_OK;
}

int seal_unseal(struct core *c, const unsigned char *share, size_t len, struct err *e)
{
	struct seal_share given = { .len = len };
	struct seal *s = c->seal;
	bool repeated = false;
	int rc;

	if ((rc = fresh(c, e)) != ERR_OK)
		return rc;
	if (!c->initialized)
		return err_set(e, ERR_UNINIT, "Vault is not initialized");
	if (c->keys != NULL)
		return ERR_OK;
	memcpy(given.bytes, share, len < sizeof(given.bytes) ? len : sizeof(given.bytes));
	if ((rc = begin_attempt(c, e)) == ERR_OK)
		rc = attempt_offer(s->attempt, &s->cfg, &given, &repeated, e);
	sodium_memzero(&given, sizeof(given));
	if (rc != ERR_OK && s->attempt != NULL && s->attempt->count == 0)
		seal_reset(c);
	if (rc != ERR_OK || repeated || s->attempt->count < s->cfg.t)
		return rc;
	return open_with_shares(c, e);
}

int seal_auto(struct core *c, struct err *e)
{
	struct hand *h;
	int rc;

	if ((rc = fresh(c, e)) != ERR_OK)
		return rc;
	if (!c->initialized || c->opt.auto_unseal_key == NULL ||
	    !c->seal->cfg.automatic.present)
		return err_set(e, ERR_NOENT, "there is no auto-unseal slot");
	if (c->keys != NULL)
		return ERR_OK;
	h = hand_new(e);
	if (h == NULL)
		return ERR_NOMEM;
	rc = slot_open(c, &c->seal->cfg, SLOT_AUTO, c->opt.auto_unseal_key, h, e);
	if (rc == ERR_OK) {
		rc = open_keyring(c, h, e);
	} else {
		log_error(
			"cannot unseal: unseal with shares, which also stores the new key",
			LOG_S("cause",
		              "the auto-unseal key is not the one of this vault"));
		rc = err_set(e, ERR_NOENT, "there is no slot for this auto-unseal key");
	}
	hand_free(h);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rekey.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kek.h"
#include "keyring.h"
#include "rng.h"
#include "seal_impl.h"
#include "store.h"
#include "vault/limits.h"

struct ceremonies {
	struct {
		struct ceremony m; /* of the present shares */
		int n, t;
		bool verify;
		struct ceremony again; /* of the new shares, to verify them */
		struct seal_config
			next; /* what they will open, while that is under way */
	} rekey;
	struct root_ceremony root;
};

static struct ceremonies *ceremonies(struct core *c, struct err *e)
{
	if (c->seal->ceremonies == NULL)
		c->seal->ceremonies = calloc(1, sizeof(struct ceremonies));
	if (c->seal->ceremonies == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return c->seal->ceremonies;
}

static void rekey_end(struct ceremonies *all)
{
	ceremony_end(&all->rekey.m);
	ceremony_end(&all->rekey.again);
	memset(&all->rekey, 0, sizeof(all->rekey));
}

void ceremonies_end(struct core *c)
{
	struct ceremonies *all = c->seal != NULL ? c->seal->ceremonies : NULL;

	if (all == NULL)
		return;
	rekey_end(all);
	ceremony_end(&all->root.m);
	sodium_memzero(all, sizeof(*all));
	free(all);
	c->seal->ceremonies = NULL;
}

/* What is under way, after what is over has been ended; NULL: nothing ever was. */
static struct ceremonies *current(struct core *c)
{
	struct ceremonies *all = c->seal->ceremonies;

	if (all == NULL)
		return NULL;
	if (all->rekey.again.active) {
		if (!ceremony_live(c, &all->rekey.again))
			rekey_end(all);
	} else if (all->rekey.m.active && !ceremony_live(c, &all->rekey.m)) {
		rekey_end(all);
	}
	(void)ceremony_live(c, &all->root.m);
	return all;
}

void rekey_status(struct core *c, struct rekey_status *out)
{
	const struct ceremonies *all = current(c);

	memset(out, 0, sizeof(*out));
	out->required = c->seal->cfg.t;
	if (all == NULL || !all->rekey.m.active)
		return;
	out->started = true;
	out->verify = all->rekey.verify;
	out->verifying = all->rekey.again.active;
	out->n = all->rekey.n;
	out->t = all->rekey.t;
	out->progress = ceremony_progress(&all->rekey.m);
	out->verify_progress = ceremony_progress(&all->rekey.again);
	memcpy(out->nonce, all->rekey.m.nonce, sizeof(out->nonce));
	memcpy(out->verify_nonce, all->rekey.again.nonce, sizeof(out->verify_nonce));
}

int rekey_begin(struct core *c, const char *owner, int n, int t, bool verify,
                struct err *e)
{
	struct ceremonies *all = ceremonies(c, e);
	int rc;

	if (all == NULL)
		return ERR_NOMEM;
	(void)current(c);
	if (all->rekey.m.active)
		return err_set(e, ERR_INVALID, "rekey already in progress");
	if ((rc = seal_check_counts(n, t, e)) != ERR_OK ||
	    (rc = ceremony_begin(c, &all->rekey.m, owner, e)) != ERR_OK)
		return rc;
	all->rekey.n = n;
	all->rekey.t = t;
	all->rekey.verify = verify;
	return ERR_OK;
}

int rekey_cancel(struct core *c, const char *owner, const char *nonce, struct err *e)
{
	struct ceremonies *all = current(c);

	if (all == NULL || !all->rekey.m.active)
		return ERR_OK;
	if (!ceremony_may_cancel(&all->rekey.m, owner, nonce))
		return err_set(e, ERR_INVALID,
		               "only who began the operation, or names its nonce, may "
		               "cancel it");
	rekey_end(all);
	return ERR_OK;
}

/* ---- the new configuration ---- */

/* New unseal key and root key in ${h}, shares of the one, slots for the other. */
static int make_next(struct core *c, int n, int t, struct seal_config *next,
                     struct seal_share *shares, struct hand *h, struct err *e)
{
	int rc;

	memset(next, 0, sizeof(*next));
	next->n = n;
	next->t = t;
	next->epoch = c->seal->cfg.epoch + 1;
	memcpy(next->seal_id, c->seal->cfg.seal_id, sizeof(next->seal_id));
	rng_bytes(next->salt, sizeof(next->salt));
	rng_bytes(h->unseal, KEY);
	rng_bytes(h->root, KEY);
	commit_to(next, h->unseal, next->commitment);
	if ((rc = make_shares(next, h, shares, e)) != ERR_OK)
		return rc;
	slot_make(c, next, SLOT_SHAMIR, h->unseal, h, &next->shamir);
	/* A slot whose key is not configured any more cannot be made, and is not kept:
	 * it holds the old root key. */
	if (c->opt.auto_unseal_key != NULL)
		slot_make(c, next, SLOT_AUTO, c->opt.auto_unseal_key, h,
		          &next->automatic);
	return ERR_OK;
}

struct config_swap {
	struct core *c;
	struct seal_config old;
};

static void config_back(void *arg)
{
	struct config_swap *s = arg;

	s->c->seal->cfg = s->old;
	free(s);
}

static int install_config(struct core *c, const struct seal_config *next, struct err *e)
{
	struct config_swap *s = malloc(sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = seal_config_write(c->db, next, e)) != ERR_OK) {
		free(s);
		return rc;
	}
	s->c = c;
	s->old = c->seal->cfg;
	c->seal->cfg = *next;
	core_undo(c, config_back, s);
	core_after_commit(c, free, s);
	return ERR_OK;
}

/* Both halves of the switch, in the transaction of the request. */
static int install(struct core *c, const struct seal_config *next, const struct hand *h,
                   struct err *e)
{
	struct keyring *keys;
	int rc;

	if ((rc = keyring_with_root(c->keys, h->root, &keys, e)) != ERR_OK ||
	    (rc = kek_install(c, keys, e)) != ERR_OK)
		return rc;
	return install_config(c, next, e);
}

/* ---- the present shares ---- */

static int check_nonce(const struct ceremony *m, const char *nonce, const char *what,
                       struct err *e)
{
	if (strcmp(m->nonce, nonce) == 0)
		return ERR_OK;
	return err_set(e, ERR_INVALID,
	               "incorrect nonce supplied; nonce for this %s operation is \"%s\"",
	               what, m->nonce);
}

/* The quorum is there: it opens the vault, or the shares begin anew. */
static int prove(struct core *c, struct ceremony *m, const struct seal_config *cfg,
                 struct hand *h, struct err *e)
{
	int rc = attempt_open(c, cfg, m->shares, h, e);

	if (rc != ERR_OK)
		sodium_memzero(m->shares, sizeof(*m->shares));
	return rc;
}

/* The new shares count from now on.  What the old ones had carried so far is over: beside
 * the new ones they would never open anything. */
static int replace(struct core *c, struct ceremonies *all, const struct hand *h,
                   struct err *e)
{
	int rc = install(c, &all->rekey.next, h, e);

	rekey_end(all);
	if (rc == ERR_OK)
		ceremony_end(&all->root.m);
	return rc;
}

static int finish(struct core *c, struct ceremonies *all, struct hand *h,
                  struct rekey_made *made, struct err *e)
{
	struct seal_config *next = &all->rekey.next;
	int rc;

	if ((rc = prove(c, &all->rekey.m, &c->seal->cfg, h, e)) != ERR_OK ||
	    (rc = make_next(c, all->rekey.n, all->rekey.t, next, made->share, h, e)) !=
	            ERR_OK)
		return rc;
	made->complete = true;
	made->verify = all->rekey.verify;
	made->n = all->rekey.n;
	if (!all->rekey.verify)
		return replace(c, all, h, e);
	rc = ceremony_begin(c, &all->rekey.again, all->rekey.m.owner, e);
	memcpy(made->verify_nonce, all->rekey.again.nonce, sizeof(made->verify_nonce));
	return rc;
}

int rekey_offer(struct core *c, const char *nonce, const struct seal_share *share,
                struct rekey_made *made, struct err *e)
{
	struct ceremonies *all = current(c);
	struct hand *h;
	int rc;

	memset(made, 0, sizeof(*made));
	if (all == NULL || !all->rekey.m.active)
		return err_set(e, ERR_INVALID, "no barrier rekey in progress");
	if (all->rekey.again.active)
		return err_set(
			e, ERR_INVALID,
			"rekey operation already finished; verification must be "
			"performed; nonce for the verification operation is \"%s\"",
			all->rekey.again.nonce);
	memcpy(made->nonce, all->rekey.m.nonce, sizeof(made->nonce));
	if ((rc = check_nonce(&all->rekey.m, nonce, "rekey", e)) != ERR_OK ||
	    (rc = ceremony_offer(c, &all->rekey.m, &c->seal->cfg, share, e)) != ERR_OK)
		return rc;
	if (ceremony_progress(&all->rekey.m) < c->seal->cfg.t)
		return ERR_OK;
	h = hand_new(e);
	if (h == NULL)
		return ERR_NOMEM;
	rc = finish(c, all, h, made, e);
	hand_free(h);
	return rc;
}

/* ---- the new shares ---- */

/* NULL: there is no verification of that nonce. */
static struct ceremonies *verifying(struct core *c, const char *nonce, struct err *e)
{
	struct ceremonies *all = current(c);

	if (all == NULL || !all->rekey.again.active) {
		err_set(e, ERR_INVALID, "no rekey verification in progress");
		return NULL;
	}
	return check_nonce(&all->rekey.again, nonce, "verify", e) == ERR_OK ? all : NULL;
}

int rekey_verify_offer(struct core *c, const char *nonce, const struct seal_share *share,
                       bool *complete, struct err *e)
{
	struct ceremonies *all = verifying(c, nonce, e);
	struct hand *h;
	int rc;

	*complete = false;
	if (all == NULL)
		return ERR_INVALID;
	if ((rc = ceremony_offer(c, &all->rekey.again, &all->rekey.next, share, e)) !=
	    ERR_OK)
		return rc;
	if (ceremony_progress(&all->rekey.again) < all->rekey.next.t)
		return ERR_OK;
	h = hand_new(e);
	if (h == NULL)
		return ERR_NOMEM;
	rc = prove(c, &all->rekey.again, &all->rekey.next, h, e);
	if (rc == ERR_OK)
		rc = replace(c, all, h, e);
	*complete = rc == ERR_OK;
	hand_free(h);
	return rc;
}

int rekey_verify_restart(struct core *c, const char *owner, const char *nonce,
                         struct err *e)
{
	struct ceremonies *all = current(c);
	const struct ceremony *again = all != NULL ? &all->rekey.again : NULL;

	/* Vault's clients name none: who began it need not, nor anybody where nobody is
	 * known. */
	if (again != NULL && again->active && nonce[0] == '\0') {
		if (strcmp(again->owner, owner) != 0)
			return err_set(
				e, ERR_INVALID,
				"only who began the operation, or names its nonce, "
				"may begin the verification anew");
		nonce = again->nonce;
	}
	all = verifying(c, nonce, e);
	return all != NULL ? ceremony_begin(c, &all->rekey.again, all->rekey.m.owner, e)
	                   : ERR_INVALID;
}

/* ---- generate-root ---- */

struct root_ceremony *root_ceremony(struct core *c, struct err *e)
{
	struct ceremonies *all = ceremonies(c, e);

	if (all != NULL)
		(void)current(c);
	return all != NULL ? &all->root : NULL;
}

int root_ceremony_offer(struct core *c, const char *nonce, const struct seal_share *share,
                        bool *complete, struct err *e)
{
	struct root_ceremony *root = root_ceremony(c, e);
	struct hand *h;
	int rc;

	*complete = false;
	if (root == NULL)
		return ERR_NOMEM;
	if (!root->m.active)
		return err_set(e, ERR_INVALID, "no root generation in progress");
	if ((rc = check_nonce(&root->m, nonce, "root generation", e)) != ERR_OK ||
	    (rc = ceremony_offer(c, &root->m, &c->seal->cfg, share, e)) != ERR_OK)
		return rc;
	if (ceremony_progress(&root->m) < c->seal->cfg.t)
		return ERR_OK;
	h = hand_new(e);
	if (h == NULL)
		return ERR_NOMEM;
	rc = prove(c, &root->m, &c->seal->cfg, h, e);
	hand_free(h);
	if (rc == ERR_OK) {
		ceremony_end(&root->m);
		*complete = true;
	}
	return rc;
}

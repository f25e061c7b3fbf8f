/* SPDX-License-Identifier: Apache-2.0 */
#include "ceremony.h"

#include <stdio.h>
#include <string.h>

#include "keymem.h"
#include "rng.h"
#include "seal_impl.h"

void ceremony_end(struct ceremony *m)
{
	if (m->shares != NULL)
		keymem_free(m->shares, sizeof(*m->shares));
	memset(m, 0, sizeof(*m));
}

static void begin_undone(void *arg)
{
	ceremony_end(arg);
}

int ceremony_begin(struct core *c, struct ceremony *m, const char *owner, struct err *e)
{
	ceremony_end(m);
	m->shares = keymem_alloc(sizeof(*m->shares));
	if (m->shares == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	m->active = true;
	m->touched_ms = c->boot_ms;
	rng_uuid4(m->nonce);
	snprintf(m->owner, sizeof(m->owner), "%s", owner);
	core_undo(c, begin_undone, m);
	return ERR_OK;
}

bool ceremony_live(const struct core *c, struct ceremony *m)
{
	if (m->active && c->boot_ms - m->touched_ms >= CEREMONY_MS)
		ceremony_end(m);
	return m->active;
}

int ceremony_progress(const struct ceremony *m)
{
	return m->shares != NULL ? m->shares->count : 0;
}

static void offer_undone(void *arg)
{
	struct ceremony *m = arg;

	if (m->shares != NULL && m->shares->count > 0)
		m->shares->count--;
}

int ceremony_offer(struct core *c, struct ceremony *m, const struct seal_config *cfg,
                   const struct seal_share *share, struct err *e)
{
	bool repeated = false;
	int rc = attempt_offer(m->shares, cfg, share, &repeated, e);

	if (rc != ERR_OK)
		return rc;
	if (repeated)
		return err_set(e, ERR_INVALID,
		               "given key has already been provided during this "
		               "generation operation");
	m->touched_ms = c->boot_ms;
	core_undo(c, offer_undone, m);
	return ERR_OK;
}

bool ceremony_may_cancel(const struct ceremony *m, const char *owner, const char *nonce)
{
	return (owner[0] != '\0' && strcmp(owner, m->owner) == 0) ||
	       strcmp(nonce, m->nonce) == 0;
}

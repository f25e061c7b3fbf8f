/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_ask.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "req.h"
#include "rng.h"
#include "util.h"
#include "wait.h"

struct ask {
	struct core *core;
	bool used, answered;
	unsigned char ticket[CRL_TICKET];
	uint64_t peer;
	const struct value *question; /* in the arena of the request */
	struct crl_answer answer;
};

struct crl_asks {
	struct ask at[LIMIT_CRL_ASKED];
};

int crl_asks_open(struct core *c, struct err *e)
{
	c->crl_asks = calloc(1, sizeof(*c->crl_asks));
	return c->crl_asks != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

void crl_asks_close(struct core *c)
{
	free(c->crl_asks);
	c->crl_asks = NULL;
}

static struct ask *find(const struct core *c, const unsigned char ticket[CRL_TICKET])
{
	for (size_t i = 0; c->crl_asks != NULL && i < LIMIT_CRL_ASKED; i++) {
		struct ask *k = &c->crl_asks->at[i];

		if (k->used && sodium_memcmp(k->ticket, ticket, CRL_TICKET) == 0)
			return k;
	}
	return NULL;
}

static struct ask *find_room(const struct core *c)
{
	for (size_t i = 0; i < LIMIT_CRL_ASKED; i++)
		if (!c->crl_asks->at[i].used)
			return &c->crl_asks->at[i];
	return NULL;
}

static struct value *bytes_of(struct arena *a, struct der d)
{
	return value_bytes(a, d.p, d.n);
}

static struct value *question(struct arena *a, const struct crl_der *d,
                              struct value *given, const unsigned char *ticket)
{
	struct value *v = value_object(a);

	value_set_bytes(a, v, "ask", arena_dup(a, ticket, CRL_TICKET), CRL_TICKET);
	value_set(v, "issuer", bytes_of(a, d->issuer));
	value_set(v, "signed", bytes_of(a, d->signed_));
	value_set(v, "algorithm", bytes_of(a, d->algorithm));
	value_set(v, "signature", bytes_of(a, d->signature));
	value_set(v, "given", given);
	return v;
}

/* The request may have ended since it asked, and its arena with it. */
static void send_question(void *arg)
{
	const struct ask *k = arg;

	if (k->used)
		k->core->opt.crl(k->core->opt.ctx, k->peer, k->question);
}

int crl_ask(struct req *r, const struct crl_der *d, struct value *given,
            unsigned char ticket[CRL_TICKET])
{
	struct core *c = r->core;
	struct ask *k = find_room(c);

	if (c->opt.crl == NULL)
		return req_fail(r, ERR_UNREACHABLE,
		                "there is no network process that could verify the "
		                "signature");
	if (k == NULL) {
		r->retry_after = 1;
		return req_fail(r, ERR_BUSY, "too many revocation lists are written");
	}
	rng_bytes(ticket, CRL_TICKET);
	*k = (struct ask){ .core = c,
		           .peer = req_peer(r),
		           .question = question(r->a, d, given, ticket) };
	memcpy(k->ticket, ticket, CRL_TICKET);
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	k->used = true;
	core_after_commit(c, send_question, k);
	return ERR_OK;
}

int crl_take(struct core *c, const unsigned char ticket[CRL_TICKET],
             struct crl_answer *out)
{
	struct ask *k = find(c, ticket);

	if (k == NULL)
		return ERR_NOENT;
	if (!k->answered)
		return ERR_BUSY;
	*out = k->answer;
	k->used = false;
	return ERR_OK;
}

void crl_forget(struct core *c, const unsigned char ticket[CRL_TICKET])
{
	struct ask *k = find(c, ticket);

	if (k != NULL)
		k->used = false;
}

void core_signer(struct core *c, uint64_t peer, const struct value *v)
{
	const struct value *ticket = value_get(v, "ask"),
			   *signer = value_get(v, "signer");
	int64_t verdict = value_int_or(v, "verdict", 0);
	struct ask *k;

	if (ticket == NULL || ticket->type != V_BYTES || ticket->len != CRL_TICKET ||
	    verdict <= 0 || verdict >= IPC_V__MAX)
		return;
	k = find(c, (const unsigned char *)ticket->text);
	if (k == NULL || k->peer != peer || k->answered)
		return;
	if (verdict == IPC_V_SIGNED) {
		if (signer == NULL || signer->type != V_BYTES || signer->len != 32)
			return;
		memcpy(k->answer.signer, signer->text, 32);
	}
	k->answer.verdict = (int)verdict;
	k->answered = true;
	waits_wake(c->waits, WAIT_CRL, k->ticket);
}

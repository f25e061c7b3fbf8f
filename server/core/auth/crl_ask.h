/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRL_ASK_H
#define SERVER_CORE_CRL_ASK_H
/*
 * crl_ask - who has signed a revocation list?  net knows (IPC_CRL, vault/ipc.h).
 *
 * A handler asks, parks under WAIT_CRL with the ticket as its key, and takes the answer
 * when it is run again.  The question goes out after COMMIT, to the net that brought the
 * request and behind what that must trust by then; nobody else's answer counts.
 */
#include "core.h"
#include "crl_der.h"

#define CRL_TICKET 16u

struct crl_asks;
struct req;

struct crl_answer {
	int verdict; /* enum ipc_verdict */
	unsigned char signer[32];
};

/** crl_asks_open(c, e), crl_asks_close(c): once per core. */
int crl_asks_open(struct core *c, struct err *e) MUST_CHECK;
void crl_asks_close(struct core *c);

/** crl_ask(r, d, given, ticket): ask for the list ${d}; ${given} is an array of bytes:
 * the certificates that came with it.  All must live as long as the request's arena.
 * ERR_BUSY if too many are asked for, ERR_UNREACHABLE if there is no net to be asked. */
int crl_ask(struct req *r, const struct crl_der *d, struct value *given,
            unsigned char ticket[CRL_TICKET]) MUST_CHECK;
/** crl_take(c, ticket, out): the answer, once; ERR_BUSY: not yet; ERR_NOENT: it was not
 * asked for. */
int crl_take(struct core *c, const unsigned char ticket[CRL_TICKET],
             struct crl_answer *out) MUST_CHECK;
/** crl_forget(c, ticket): nobody will take the answer; called by the queue for every
 * request that has parked for one, when it ends. */
void crl_forget(struct core *c, const unsigned char ticket[CRL_TICKET]);

#endif

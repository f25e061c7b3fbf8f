/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SEAL_IMPL_H
#define SERVER_CORE_SEAL_IMPL_H
/* seal_impl - what the files of the seal share; nobody else includes it. */
#include "seal.h"
#include "seal_config.h"
#include "shamir.h"

#define KEY 32u

struct ceremonies;

/* The shares of an attempt; in key memory while there is one. */
struct attempt {
	int count;
	uint8_t x[LIMIT_SHARES];
	uint8_t y[LIMIT_SHARES][SHAMIR_SECRET];
};

struct seal {
	struct seal_config cfg;
	bool stale; /* what was written has been rolled back: read again */
	struct attempt *attempt;
	char nonce[37];
	struct ceremonies *ceremonies; /* NULL until one begins */
};

/* Keys that are in hand while something is opened or made. */
struct hand {
	unsigned char unseal[KEY];
	unsigned char root[KEY];
	unsigned char wrap[KEY];
};

/** hand_new(e), hand_free(h): in key memory, wiped at the end. */
struct hand *hand_new(struct err *e);
void hand_free(struct hand *h);

/** seal_check_counts(n, t, e): Vault's rules and texts. */
int seal_check_counts(int n, int t, struct err *e) MUST_CHECK;
/** commit_to(cfg, unseal, out): the commitment to an unseal key. */
void commit_to(const struct seal_config *cfg, const unsigned char unseal[KEY],
               unsigned char out[32]);
/** make_shares(cfg, h, shares, e): split h->unseal into cfg->n shares and set their
 * checks. */
int make_shares(struct seal_config *cfg, const struct hand *h, struct seal_share *shares,
                struct err *e) MUST_CHECK;
/** slot_make(c, cfg, type, from, h, slot): seal h->root under the key ${from} of a
 * configuration that is complete but for its slots. */
void slot_make(const struct core *c, const struct seal_config *cfg, enum slot_type type,
               const unsigned char from[KEY], struct hand *h, struct seal_slot *slot);
/** slot_open(c, cfg, type, from, h, e): the reverse, into h->root. */
int slot_open(const struct core *c, const struct seal_config *cfg, enum slot_type type,
              const unsigned char from[KEY], struct hand *h, struct err *e) MUST_CHECK;

/** attempt_offer(at, cfg, share, repeated, e): count a share of ${cfg}; ERR_INVALID for
 * any other, which never counts. */
int attempt_offer(struct attempt *at, const struct seal_config *cfg,
                  const struct seal_share *share, bool *repeated, struct err *e)
	MUST_CHECK;
/** attempt_open(c, cfg, at, h, e): from cfg->t shares to unseal key and root key. */
int attempt_open(const struct core *c, const struct seal_config *cfg,
                 const struct attempt *at, struct hand *h, struct err *e) MUST_CHECK;

#endif

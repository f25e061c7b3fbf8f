/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SEAL_H
#define SERVER_CORE_SEAL_H
/*
 * seal - from shares (or an auto-unseal key) to the root key.
 *
 * A slot holds the root key wrapped under the seal key; per-share checks name a wrong
 * share at once, and a commitment to the unseal key is checked before anything is
 * decrypted. State of an unseal attempt lives in memory only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"

struct seal_status {
	bool initialized;
	bool sealed;
	const char *type; /* "shamir" or "auto" */
	int n, t;
	int progress;
	char nonce[37];
	bool auto_unseal; /* shares are recovery shares */
};

/** seal_load(c, e): read the seal configuration from the database at open. */
int seal_load(struct core *c, struct err *e) MUST_CHECK;
void seal_free(struct core *c);
/** seal_epoch(c): how often shares were made; 0 before init. */
int seal_epoch(const struct core *c);
void seal_status(const struct core *c, struct seal_status *out);

/** seal_init(c, n, t, shares, e): create vault id, root key, keyring, slot(s); ${shares}
 * gets n shares of 33 bytes (32 of y, 1 of x; the bare key of 32 bytes when n = t = 1,
 * then length 32), in the caller's arena.  Leaves c->keys set only with auto-unseal.
 * ERR_INVALID with Vault's texts for bad n, t. */
struct seal_share {
	unsigned char bytes[33];
	size_t len;
};
int seal_init(struct core *c, int n, int t, struct seal_share *shares, struct err *e)
	MUST_CHECK;

/** seal_unseal(c, share, len, e): offer one share.  A bad share is ERR_INVALID ("share
 * does not belong to this vault …") and leaves the progress alone; a repeated one is
 * ERR_OK without progress; at the threshold opens the keyring: c->keys is set. */
int seal_unseal(struct core *c, const unsigned char *share, size_t len, struct err *e)
	MUST_CHECK;
/** seal_reset(c): forget the shares offered so far. */
void seal_reset(struct core *c);
/** seal_auto(c, e): open with the auto-unseal key; ERR_NOENT if there is no slot for it
 * (the vault waits for shares; a quorum of them stores the configured key). */
int seal_auto(struct core *c, struct err *e) MUST_CHECK;

#endif

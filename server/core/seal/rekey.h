/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_REKEY_H
#define SERVER_CORE_REKEY_H
/*
 * rekey - other shares for the vault: a quorum of the present ones makes a new unseal key
 * and a new root key.
 *
 * One transaction puts new seal configuration and new keyring in the place of the old, so
 * that at any moment the old or the new shares open the vault.  With verification the new
 * shares are handed out first and the switch waits for a quorum of them.  With
 * auto-unseal the same are the recovery shares, and the configured key gets its slot.
 */
#include "ceremony.h"
#include "seal.h"
#include "vault/limits.h"

struct rekey_status {
	bool started, verify, verifying;
	int n, t;               /* of the new shares */
	int progress, required; /* of the present ones */
	int verify_progress;
	char nonce[37], verify_nonce[37];
};

/** rekey_status(c, out): what is under way. */
void rekey_status(struct core *c, struct rekey_status *out);
/** rekey_begin(c, owner, n, t, verify, e): ERR_INVALID with Vault's texts. */
int rekey_begin(struct core *c, const char *owner, int n, int t, bool verify,
                struct err *e) MUST_CHECK;
/** rekey_cancel(c, owner, nonce, e): nothing happens if none is under way. */
int rekey_cancel(struct core *c, const char *owner, const char *nonce, struct err *e)
	MUST_CHECK;

struct rekey_made {
	bool complete, verify;
	int n;
	char nonce[37], verify_nonce[37];
	struct seal_share share[LIMIT_SHARES];
};
/** rekey_offer(c, nonce, share, made, e): one of the present shares; at the threshold
 * ${made} has the new ones. */
int rekey_offer(struct core *c, const char *nonce, const struct seal_share *share,
                struct rekey_made *made, struct err *e) MUST_CHECK;
/** rekey_verify_offer(c, nonce, share, complete, e): one of the new ones; at the
 * threshold they take effect. */
int rekey_verify_offer(struct core *c, const char *nonce, const struct seal_share *share,
                       bool *complete, struct err *e) MUST_CHECK;
/** rekey_verify_restart(c, owner, nonce, e): forget the new shares that came back so far.
 * ${nonce} is "" if none was named: only who began it may do that. */
int rekey_verify_restart(struct core *c, const char *owner, const char *nonce,
                         struct err *e) MUST_CHECK;

/** root_ceremony(c, e): that of sys/generate-root, see api_root.c; NULL if out of
 * memory. */
struct root_ceremony {
	struct ceremony m;
	char otp[64]; /* what the token is XORed with; as long as it */
};
struct root_ceremony *root_ceremony(struct core *c, struct err *e);
/** root_ceremony_offer(c, nonce, share, complete, e): at the threshold the quorum has
 * been proven, and the ceremony is over. */
int root_ceremony_offer(struct core *c, const char *nonce, const struct seal_share *share,
                        bool *complete, struct err *e) MUST_CHECK;

/** ceremonies_end(c): at seal. */
void ceremonies_end(struct core *c);

#endif

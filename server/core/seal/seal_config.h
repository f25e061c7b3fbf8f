/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SEAL_CONFIG_H
#define SERVER_CORE_SEAL_CONFIG_H
/*
 * seal_config - what is stored about the seal: in the clear, since it is needed to
 * unseal, with a digest against accidents.  Against intent, each slot binds all of it as
 * associated data.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "vault/limits.h"

struct db;
struct seal;

#define SLOT_LEN (32 + 48) /* a wrapped key: see ENVELOPE_OVERHEAD */

enum slot_type { SLOT_SHAMIR = 1, SLOT_AUTO = 2 };

struct seal_slot {
	bool present;
	unsigned char sealed[SLOT_LEN];
};

struct seal_config {
	int n, t;
	int epoch; /* rises when shares are replaced */
	unsigned char seal_id[16];
	unsigned char salt[32];
	unsigned char commitment[32];          /* to the unseal key */
	unsigned char check[LIMIT_SHARES][32]; /* of share i + 1 */
	struct seal_slot shamir, automatic;
};

/** seal_config_read(db, cfg, e): ERR_NOENT before init; ERR_INTEGRITY if it is damaged.
 */
int seal_config_read(struct db *db, struct seal_config *cfg, struct err *e) MUST_CHECK;

/** seal_config_write(db, cfg, e): replace what is stored. */
int seal_config_write(struct db *db, const struct seal_config *cfg, struct err *e)
	MUST_CHECK;

/** seal_config_digest(cfg, out): what the slots bind: counts, salt, checks, commitment.
 */
void seal_config_digest(const struct seal_config *cfg, unsigned char out[32]);

#endif

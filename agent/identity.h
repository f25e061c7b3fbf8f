/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_IDENTITY_H
#define AGENT_IDENTITY_H
/*
 * identity - who this host is: its keys, the vault's keys, and where the server is.
 *
 * One file, <state_dir>/identity, mode 0600, replaced as a whole.  In memory it lives in
 * key memory.  It is written again at every login (the generation counter), before the
 * new token is used.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "note.h"
#include "pins.h"
#include "vault/limits.h"

#define IDENTITY_FILE    "identity"
#define IDENTITY_URL_MAX 256u

/* Keys that are to take the place of the ones in use: docs/host-protocol.md, "New keys".
 */
struct identity_keys {
	unsigned char sign_pk[32], sign_sk[64];
	unsigned char box_pk[32], box_sk[32];
};

struct identity {
	unsigned char host_id[16];
	unsigned char vault_id[16];
	unsigned char order_key[32]; /* Ed25519: signs values and orders */
	unsigned char sign_pk[32];   /* Ed25519: ours */
	unsigned char sign_sk[64];
	unsigned char box_pk[32]; /* X25519: values are sealed to it */
	unsigned char box_sk[32];
	unsigned char digest_key[32]; /* keys the digests of what was delivered; of the
	                                 first box key, and stays when that is replaced */
	int64_t keys_since; /* when the keys were made, wall clock; 0: not known */
	bool has_next;
	struct identity_keys next;
	bool has_seal; /* at rest it is sealed: identity_seal.h */
	unsigned char seal_key[32];
	bool has_last; /* until all that it sealed was sealed again */
	unsigned char last_box_sk[32];
	bool fresh; /* what is remembered may be of the life before: join_finish() */
	uint64_t generation;
	char name[LIMIT_NAME + 1];
	char audit_key[NOTE_KEY_TEXT_MAX]; /* signs checkpoints */
	char server[IDENTITY_URL_MAX];
	char hosts_server[IDENTITY_URL_MAX];
	struct pins pins;
};

/** identity_new(): an empty one in key memory; NULL if there is none left. */
struct identity *identity_new(void) MUST_CHECK;
/** identity_free(id): wipe; NULL is allowed. */
void identity_free(struct identity *id);

/** identity_make_keys(id): fresh key pairs. */
void identity_make_keys(struct identity *id);

/** identity_load(dir, id, e): with the credential of the unit, if it has one.  ERR_NOENT
 * before the host has joined; ERR_DENIED if others
 * could read the file; ERR_INTEGRITY if it is damaged. */
int identity_load(const char *dir, struct identity *id, struct err *e) MUST_CHECK;

/** identity_save(dir, id, e): whole or not at all, synced. */
int identity_save(const char *dir, const struct identity *id, struct err *e) MUST_CHECK;

/** identity_sign_login(id, next, nonce, pin, sig): the answer to the server's challenge,
 * for the connection whose key is ${pin} (zeros without TLS), with the key in use or the
 * ${next} one. */
void identity_sign_login(const struct identity *id, bool next,
                         const unsigned char nonce[32], const unsigned char pin[32],
                         unsigned char sig[64]);

/** identity_make_next(id): fresh keys that are to take the place of those in use. */
void identity_make_next(struct identity *id);
/** identity_prove_next(id, proof): that we hold them. */
void identity_prove_next(const struct identity *id, unsigned char proof[64]);
/** identity_drop_next(id): they are of no use. */
void identity_drop_next(struct identity *id);
/** identity_promote(id, now): they are the ones in use since ${now}, wall clock; the box
 * key before is kept as the last. */
void identity_promote(struct identity *id, int64_t now);

/** identity_cosign(id, note, sig, e): sign the text of a checkpoint; ERR_INVALID if
 * ${note} is no signed note. */
int identity_cosign(const struct identity *id, const char *note, unsigned char sig[64],
                    struct err *e) MUST_CHECK;

#endif

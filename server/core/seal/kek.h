/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KEK_H
#define SERVER_CORE_KEK_H
/*
 * kek - terms of the key that seals rows: a new one on demand or by itself, and the
 * background job that seals what older terms sealed under it.
 *
 * When no row of an older term is left, its key is destroyed.  A backup keeps the keyring
 * of its own time.
 */
#include "core.h"

struct arena;
struct keyring;
struct store_object;

/* Limits as on the wire; Vault's numbers. */
#define KEK_OPERATIONS_MAX 3865470566
#define KEK_OPERATIONS_MIN 1000000
#define KEK_INTERVAL_MIN   (24ll * 3600 * 1000)
#define KEK_INTERVAL_MAX   (3653 * KEK_INTERVAL_MIN)

/* When a term ends by itself. */
struct kek_config {
	bool enabled;
	int64_t max_operations; /* envelopes sealed under one term */
	int64_t interval_ms;    /* 0: none */
};

/** kek_load(c, e), kek_free(c): at unseal and seal. */
int kek_load(struct core *c, struct err *e) MUST_CHECK;
void kek_free(struct core *c);

/** kek_config_get(c, out, e), kek_config_put(c, a, in, e). */
int kek_config_get(struct core *c, struct kek_config *out, struct err *e) MUST_CHECK;
int kek_config_put(struct core *c, struct arena *a, const struct kek_config *in,
                   struct err *e) MUST_CHECK;

/** kek_rotate(c, a, e): begin a new term. ERR_BUSY while too many are in use. */
int kek_rotate(struct core *c, struct arena *a, struct err *e) MUST_CHECK;

/** kek_install(c, keys, e): store ${keys} and put it in the place of c->keys, until the
 * savepoint is taken back.  Takes ${keys}, also when it fails. */
int kek_install(struct core *c, struct keyring *keys, struct err *e) MUST_CHECK;

/** kek_rewrap_slice(c, a, job, done, e): the background job, see jobs.h. */
int kek_rewrap_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e) MUST_CHECK;

/** kek_next_ms(c): when the active term ends by itself, 0 = not.  kek_due(c, a, e): let
 * it end if it is time. */
int64_t kek_next_ms(const struct core *c);
int kek_due(struct core *c, struct arena *a, struct err *e) MUST_CHECK;

#endif

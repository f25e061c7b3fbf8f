/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CUBBYHOLE_H
#define SERVER_CORE_CUBBYHOLE_H
/*
 * cubbyhole - what a token keeps for itself: a space of entries that no other token can
 * name, not even root's, and that goes with the token.
 */
#include "kv_impl.h"

/** cubbyhole_space(c, token_id, accessor, out): the space of a token; the accessor tells
 * it from another that had the same id before. */
void cubbyhole_space(struct core *c, const unsigned char token_id[32],
                     const char *accessor, unsigned char out[KV_SPACE]);
/** cubbyhole_token_gone(c, a, token, e): called when a token is removed; a job
 * destroys what it kept, if it kept anything. */
int cubbyhole_token_gone(struct core *c, struct arena *a,
                         const struct store_object *token, struct err *e) MUST_CHECK;
/** cubbyhole_slice: the job "cubbyhole" of jobs.c. */
int cubbyhole_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e) MUST_CHECK;

#endif

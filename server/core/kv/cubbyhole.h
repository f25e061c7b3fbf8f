/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CUBBYHOLE_H
#define SERVER_CORE_CUBBYHOLE_H
/*
 * cubbyhole - what a token keeps for itself: a space of entries that no other token can
 * name, not even root's, and that goes with the token.
 */
#include "kv_impl.h"

/** cubbyhole_space(c, token_id, out): the space of a token. */
void cubbyhole_space(struct core *c, const unsigned char token_id[32],
                     unsigned char out[KV_SPACE]);
/** cubbyhole_token_gone(c, a, token_id, e): called when a token is removed; a job
 * destroys what it kept, if it kept anything. */
int cubbyhole_token_gone(struct core *c, struct arena *a,
                         const unsigned char token_id[32], struct err *e) MUST_CHECK;
/** cubbyhole_slice: the job "cubbyhole" of jobs.c. */
int cubbyhole_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e) MUST_CHECK;

#endif

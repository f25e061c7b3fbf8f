/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DEV_H
#define SERVER_CORE_DEV_H
/* dev - what "vaultd --dev" does by itself: init with one share, unseal, a root token of
 * the operator's choice. */
#include "core.h"

struct dev_result {
	char root_token[1025];
	char unseal_key[96]; /* base64 */
};

/** dev_setup(c, root_token, out, e): through the same requests that an operator would
 * send, so all of it is audited.
 * ${root_token} may be NULL.  Replies with peer DEV_PEER are for it. */
#define DEV_PEER 0u
int dev_setup(struct core *c, const char *root_token, struct dev_result *out,
              struct err *e) MUST_CHECK;
/** dev_reply(c, reply): give a reply for DEV_PEER to the setup that waits for it. */
void dev_reply(const struct value *reply);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRL_STORE_H
#define SERVER_CORE_CRL_STORE_H
/* crl_store - what crl.c (who is on a list?) and crl_store.c (lists come and go) share.
 */
#include "crl.h"

struct crls {
	struct crl *at[LIMIT_CRLS];
	size_t n, bytes;
};

/** crl_make(mount, name, p, n, out, e): a list in memory, from its DER (copied); to be
 * freed with crl_free().  ERR_INVALID, ERR_NOMEM. */
int crl_make(const unsigned char mount[MOUNT_ID], const char *name,
             const unsigned char *p, size_t n, struct crl **out, struct err *e)
	MUST_CHECK;
/** crl_free(l): NULL is allowed. */
void crl_free(struct crl *l);

#endif

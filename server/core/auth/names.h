/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_NAMES_H
#define SERVER_CORE_NAMES_H
/* names - the list of what a login method keeps below its mount: users, roles … */
#include "req.h"
#include "store.h"

/** names_reply(r, kind): reply with the sorted "name" members of all objects of ${kind}
 * whose parent is the mount of the request; parks between slices. */
int names_reply(struct req *r, enum store_kind kind) MUST_CHECK;

#endif

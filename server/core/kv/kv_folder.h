/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_FOLDER_H
#define SERVER_CORE_KV_FOLDER_H
/*
 * kv_folder - the names in a folder as something that a host can lease: "secret/app/".
 *
 * A folder is known by its blind tag, whether there is anything in it or not.
 */
#include "mounts.h"
#include "req.h"

/** kv_is_folder(path): does it end in '/'? */
bool kv_is_folder(const char *path);
/** kv_folder_find(c, path, id, e): the id of the folder with that full path, below a
 * mount of KV version 1 or 2.  ERR_INVALID. */
int kv_folder_find(struct core *c, const char *path, unsigned char id[32], struct err *e)
	MUST_CHECK;
/** kv_folder_is(c, path, id): is the folder of that id still at ${path}?  Its mount may
 * have been disabled or moved, and another may be there. */
bool kv_folder_is(struct core *c, const char *path, const unsigned char id[32]);
/** kv_folder_names(c, a, path, names, e): an array of the names directly in it, sorted,
 * sub-folders with their '/'.  ERR_INVALID: there are more than LIMIT_LIST_INLINE. */
int kv_folder_names(struct core *c, struct arena *a, const char *path,
                    struct value **names, struct err *e) MUST_CHECK;

#endif

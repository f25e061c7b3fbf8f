/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_API_H
#define SERVER_CORE_KV_API_H
/* kv_api - what the files of KV handlers share; the route tables are in api_kv.c and
 * api_entry.c. */
#include "kv_impl.h"
#include "req.h"
#include "route.h"

/** kv_api_path(r, path): the secret's path from the route; ERR_NOENT if it is empty. */
int kv_api_path(struct req *r, const char **path) MUST_CHECK;
/** kv_api_time(a, ms): RFC 3339, or "" for 0. */
const char *kv_api_time(struct arena *a, int64_t ms);
/** kv_api_exists(r, exists): is there a secret, with or without versions? */
int kv_api_exists(struct req *r, bool *exists) MUST_CHECK;
/** kv_api_note(r, secret_id, version): what was touched, for the audit record. */
void kv_api_note(struct req *r, const unsigned char secret_id[32], int64_t version);

/* The fields of a listing. */
extern const struct field kv_list_fields[];
/** kv_api_list(r, space, items, info): reply with the names in the folder that the route
 * names, or of all that is below it (SCAN), with the metadata of secrets if ${info};
 * parks if they are many. */
int kv_api_list(struct req *r, const unsigned char space[KV_SPACE], enum store_kind items,
                bool info) MUST_CHECK;

/* kv_api_meta.c: handlers */
int kv_h_config_read(struct req *r) MUST_CHECK;
int kv_h_config_write(struct req *r) MUST_CHECK;
int kv_h_meta_read(struct req *r) MUST_CHECK;
int kv_h_meta_list(struct req *r) MUST_CHECK;
int kv_h_detailed_list(struct req *r) MUST_CHECK;
int kv_h_meta_write(struct req *r) MUST_CHECK;
int kv_h_meta_patch(struct req *r) MUST_CHECK;
int kv_h_meta_delete(struct req *r) MUST_CHECK;

/* kv_api_merge.c */

/** kv_merge_patch(a, target, patch): RFC 7396; a new tree, members sorted by key. */
struct value *kv_merge_patch(struct arena *a, const struct value *target,
                             const struct value *patch);
/** kv_subkeys(a, v, depth): ${v} with every leaf null, down to ${depth} levels (0: all).
 */
struct value *kv_subkeys(struct arena *a, const struct value *v, int64_t depth);

#endif

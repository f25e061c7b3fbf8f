/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_ROTATION_H
#define SERVER_CORE_API_ROTATION_H
/* api_rotation - what the handlers of sys/rotation share. */
#include "rotation.h"
#include "route.h"

#define ROTATION_LIST_SLICE 200

/** rotation_open_secret(r, s): the secret that the path names. */
int rotation_open_secret(struct req *r, struct kv_secret *s) MUST_CHECK;
/** rotation_open_rule(r, rule, found): its rule; *found: an operator has set one. */
int rotation_open_rule(struct req *r, struct rotation_rule *rule, bool *found) MUST_CHECK;
/** rotation_check_timeout(r, ms): ERR_INVALID names the limits. */
int rotation_check_timeout(struct req *r, int64_t ms) MUST_CHECK;
/** rotation_rule_value(a, rule, out): fill ${out} with a rule. */
void rotation_rule_value(struct arena *a, const struct rotation_rule *rule,
                         struct value *out);
/** rotation_refuse_under_way(r, rule): ERR_INVALID if an attempt has not ended. */
int rotation_refuse_under_way(struct req *r, const struct rotation_rule *rule) MUST_CHECK;
/** rotation_time(a, ms): RFC 3339, or null for 0. */
struct value *rotation_time(struct arena *a, int64_t ms);
/** rotation_park_again(r): a slice was done, the next one follows. */
int rotation_park_again(struct req *r) MUST_CHECK;

/* A listing that goes through all objects of a kind in slices; in r->park_state. */
struct rotation_listing {
	struct value *keys, *info;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	struct store_object at[ROTATION_LIST_SLICE];
	size_t n;
};
/** rotation_list_slice(r, scratch, kind): the next ${n} objects; NULL and r->e on
 * failure. rotation_list_end(r, l): answer, or go on with the next slice. */
struct rotation_listing *rotation_list_slice(struct req *r, struct arena *scratch,
                                             enum store_kind kind);
int rotation_list_end(struct req *r, struct rotation_listing *l) MUST_CHECK;

#endif

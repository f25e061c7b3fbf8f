/* SPDX-License-Identifier: Apache-2.0 */
/* kv_api_list - listing a folder, for every engine that has some. */
#include "arena.h"
#include "kv_api.h"
#include "rng.h"
#include "vault/limits.h"

int kv_api_list(struct req *r, const unsigned char space[KV_SPACE], enum store_kind items)
{
	struct kv_list *l = r->park_state;
	const char *folder = r->param[0].len > 0
	                             ? arena_printf(r->a, "%s/", r->param[0].text)
	                             : "";
	unsigned char key[16];
	int rc;

	if (folder == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (l == NULL)
		l = r->park_state = kv_list_start(r->core, r->a, space, items, folder);
	if (l == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = kv_list_slice(r->core, r->a, l, LIMIT_LIST_INLINE, &r->e)) != ERR_OK)
		return rc;
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM,
		                "the listing needs more memory than a request may have");
	if (!l->done) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	if (l->names->len > 0)
		value_set(reply_data(r), "keys", l->names);
	return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* kv_api_list - listing a folder, for every engine that has some. */
#include <string.h>

#include "arena.h"
#include "kv_api.h"
#include "rng.h"
#include "route.h"
#include "vault/limits.h"

const struct field kv_list_fields[] = {
	{"after",  "string", "only names behind this one"},
	{ "limit", "int",    "at most so many; 0: all"   },
	{ NULL,    NULL,     NULL                        },
};

/* OpenBao's paging: only names behind "after", at most "limit". */
static int page(struct req *r, const struct value *names, struct value **out)
{
	const char *after = "";
	int64_t limit = 0;
	bool present;
	int rc;

	if ((rc = req_str(r, "after", &after, &present)) != ERR_OK ||
	    (rc = req_int(r, "limit", &limit, &present)) != ERR_OK)
		return rc;
	*out = value_array(r->a);
	for (const struct value *v = names->first; v != NULL; v = v->next) {
		size_t n = strlen(after);
		int order = memcmp(v->text, after, v->len < n ? v->len : n);

		if (n > 0 && (order < 0 || (order == 0 && v->len <= n)))
			continue;
		if (limit > 0 && (*out)->len >= (uint64_t)limit)
			break;
		value_add(*out, value_strn(r->a, v->text, v->len));
	}
	return ERR_OK;
}

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
	if (value_get(r->body, "after") != NULL || value_get(r->body, "limit") != NULL) {
		if ((rc = page(r, l->names, &l->names)) != ERR_OK)
			return rc;
	}
	if (l->names->len > 0)
		value_set(reply_data(r), "keys", l->names);
	return ERR_OK;
}

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
static int page(struct req *r, const struct kv_list *l, struct value **names,
                struct value **info)
{
	const struct value *at;
	const char *after = "";
	int64_t limit = 0;
	bool present;
	int rc;

	if ((rc = req_str(r, "after", &after, &present)) != ERR_OK ||
	    (rc = req_int(r, "limit", &limit, &present)) != ERR_OK)
		return rc;
	*names = value_array(r->a);
	*info = l->info != NULL ? value_object(r->a) : NULL;
	at = l->info != NULL ? l->info->first : NULL;
	for (const struct value *v = l->names->first; v != NULL;
	     v = v->next, at = at != NULL ? at->next : NULL) {
		size_t n = strlen(after);
		int order = memcmp(v->text, after, v->len < n ? v->len : n);

		if (n > 0 && (order < 0 || (order == 0 && v->len <= n)))
			continue;
		if (limit > 0 && (*names)->len >= (uint64_t)limit)
			break;
		value_add(*names, value_strn(r->a, v->text, v->len));
		if (at != NULL)
			value_setn(*info, at->key, at->key_len, value_copy(r->a, at));
	}
	return ERR_OK;
}

static int reply_names(struct req *r, const struct kv_list *l)
{
	struct value *names = l->names, *info = l->info;
	int rc;

	if (value_get(r->body, "after") != NULL || value_get(r->body, "limit") != NULL) {
		if ((rc = page(r, l, &names, &info)) != ERR_OK)
			return rc;
	}
	if (names->len == 0)
		return ERR_OK;
	value_set(reply_data(r), "keys", names);
	if (info != NULL)
		value_set(reply_data(r), "key_info", info);
	return ERR_OK;
}

static struct kv_list *start(struct req *r, const unsigned char space[KV_SPACE],
                             enum store_kind items, bool info)
{
	const struct kv_list_of of = {
		.space = arena_dup(r->a, space, KV_SPACE),
		.items = items,
		.folder = r->param[0].len > 0
		                  ? arena_printf(r->a, "%s/", r->param[0].text)
		                  : "",
		.deep = r->op == OP_SCAN,
		.info = info,
	};

	if (of.space == NULL || of.folder == NULL)
		return NULL;
	return kv_list_start(r->core, r->a, &of);
}

int kv_api_list(struct req *r, const unsigned char space[KV_SPACE], enum store_kind items,
                bool info)
{
	struct kv_list *l = r->park_state;
	unsigned char key[16];
	int rc;

	if (l == NULL)
		l = r->park_state = start(r, space, items, info);
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
	return reply_names(r, l);
}

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

/* Items that follow each other in what is listed. */
struct range {
	const unsigned char *from;
	size_t n, size;
};

static void range_add(struct range *g, const struct runs_item *item)
{
	if (g->n++ == 0)
		g->from = item->p;
	g->size += item->size;
}

static struct value *range_value(struct arena *a, const struct range *g, bool members)
{
	unsigned char *p;

	if (g->n == 0)
		return members ? value_object(a) : value_array(a);
	if ((p = arena_alloc(a, RUNS_HEAD + g->size)) == NULL)
		return NULL;
	runs_head(p, members, g->n, g->size);
	memcpy(p + RUNS_HEAD, g->from, g->size);
	return value_encoded(a, p, RUNS_HEAD + g->size);
}

static struct runs_at items_of(const struct value *v)
{
	const unsigned char *p = v != NULL ? (const unsigned char *)v->text : NULL;

	if (p == NULL || v->type != V_ENCODED)
		return (struct runs_at){ NULL, NULL };
	return (struct runs_at){ p + RUNS_HEAD, p + v->len };
}

static bool behind(const struct runs_item *name, const char *after)
{
	size_t n = strlen(after);
	int order = memcmp(name->text, after, name->len < n ? name->len : n);

	return n == 0 || order > 0 || (order == 0 && name->len > n);
}

/* OpenBao's paging: only names behind "after", at most "limit". */
static int page(struct req *r, struct value **names, struct value **info)
{
	struct runs_at at = items_of(*names), info_at = items_of(*info);
	struct range some = { .n = 0 }, some_info = { .n = 0 };
	struct runs_item name, member;
	const char *after = "";
	int64_t limit = 0;
	bool present;
	int rc;

	if ((rc = req_str(r, "after", &after, &present)) != ERR_OK ||
	    (rc = req_int(r, "limit", &limit, &present)) != ERR_OK)
		return rc;
	while (runs_next(&at, false, &name) && (limit <= 0 || some.n < (size_t)limit)) {
		bool has_info = runs_next(&info_at, true, &member);

		if (!behind(&name, after))
			continue;
		range_add(&some, &name);
		if (has_info)
			range_add(&some_info, &member);
	}
	*names = range_value(r->a, &some, false);
	*info = *info != NULL ? range_value(r->a, &some_info, true) : NULL;
	return !arena_failed(r->a) ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

static int reply_names(struct req *r, const struct kv_list *l)
{
	struct value *names = l->names, *info = l->info;
	int rc;

	if (value_get(r->body, "after") != NULL || value_get(r->body, "limit") != NULL) {
		if ((rc = page(r, &names, &info)) != ERR_OK)
			return rc;
	}
	if (names == NULL || names->type != V_ENCODED)
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

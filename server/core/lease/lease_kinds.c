/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_kinds.h"

#include "arena.h"
#include "db_lease_kind.h"
#include "token_impl.h"
#include "token_lease.h"

/* ---- tokens ---- */

static int token_find_lease(struct core *c, struct arena *a, const char *id,
                            struct leased *l, struct err *e)
{
	int rc = token_lease_find(c, a, id, &l->o, e);

	if (rc != ERR_OK)
		return rc;
	l->id = id;
	l->issued_ms = value_int_or(l->o.body, "created", 0);
	l->left_ms = token_left_ms(c, &l->o);
	l->expires_ms = c->now_ms + l->left_ms;
	l->renewed_ms = value_int_or(l->o.body, "renewed", 0);
	l->renewable = value_bool_or(l->o.body, "renewable", false);
	return ERR_OK;
}

static const char *token_id_of(const struct core *c, struct arena *a,
                               const struct store_object *o)
{
	return token_has_lease(o) && token_alive(c, o) ? token_lease_id(a, o) : NULL;
}

static int token_end(struct req *r, struct leased *l)
{
	req_note_str(r, "accessor", value_cstr_or(r->a, l->o.body, "accessor", ""));
	return token_revoke_request(r, &l->o, false);
}

static int token_end_prefix(struct core *c, struct arena *a, const char *prefix,
                            bool force, unsigned char job[16], struct err *e)
{
	(void)force; /* nothing outside has to answer */
	return token_revoke_prefix(c, a, prefix, job, e);
}

static const struct lease_kind of_tokens = {
	.kind = KIND_TOKEN,
	.find = token_find_lease,
	.id_of = token_id_of,
	.revoke = token_end,
	.revoke_prefix = token_end_prefix,
};

const struct lease_kind *const lease_kinds[] = { &of_tokens, &db_lease_kind };
const size_t lease_kinds_n = ARRAY_LEN(lease_kinds);

int lease_find_id(struct core *c, struct arena *a, const char *id, struct leased *l,
                  struct err *e)
{
	for (size_t i = 0; i < lease_kinds_n; i++) {
		int rc = lease_kinds[i]->find(c, a, id, l, e);

		l->kind = lease_kinds[i];
		if (rc != ERR_NOENT)
			return rc;
	}
	return err_set(e, ERR_NOENT, "no such lease");
}

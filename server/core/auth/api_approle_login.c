/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_approle_login - a role id and a secret id for a token.
 *
 * Role, secret id, time and uses are judged in one transaction, and whoever is refused
 * learns nothing of them: one text for all of it, and nothing is stored.
 */
#include <string.h>

#include "approle.h"
#include "arena.h"

static int refuse(struct req *r)
{
	return req_fail(r, ERR_INVALID, "invalid role or secret ID");
}

/* Of a role that is not there as of one that is. */
static int check_secret(struct req *r, const struct approle *p, bool known,
                        const char *text, struct approle_secret *s)
{
	int rc;

	if (!known || (p->bind_secret_id && text[0] == '\0')) {
		if (text[0] == '\0')
			return req_fail(r, ERR_INVALID, "missing secret_id");
		return refuse(r);
	}
	if (!p->bind_secret_id)
		return ERR_OK;
	rc = approle_secret_find(r->core, r->a, p, text, s, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? refuse(r) : rc;
	if (!token_cidrs_admit(s->cidrs, r->remote))
		return req_fail(r, ERR_INVALID,
		                "source address \"%s\" unauthorized through CIDR "
		                "restrictions on the secret ID",
		                r->remote);
	return ERR_OK;
}

static struct value *metadata_of(struct req *r, const struct approle *p,
                                 const struct approle_secret *s)
{
	struct value *meta = value_object(r->a);

	for (const struct value *m = s->meta != NULL ? s->meta->first : NULL; m != NULL;
	     m = m->next)
		if (m->key_len != 9 || memcmp(m->key, "role_name", 9) != 0)
			value_setn(meta, m->key, m->key_len, value_copy(r->a, m));
	value_set_str(r->a, meta, "role_name", p->name);
	return meta;
}

static int log_in(struct req *r, const struct approle *p, const struct approle_secret *s)
{
	struct value *data = value_object(r->a);

	value_set_bytes(r->a, data, "family", p->family, sizeof(p->family));
	return login_reply(r, &(struct login){ .params = &p->params,
	                                       .display_name = "",
	                                       .role = p->name,
	                                       .metadata = metadata_of(r, p, s),
	                                       .data = data,
	                                       .bound_cidrs = s->token_cidrs });
}

int approle_h_login(struct req *r)
{
	const char *role_id = "", *text = "";
	struct approle_secret s = { .uses = 0 };
	struct approle p = { .bind_secret_id = true };
	bool present, known;
	int rc;

	if ((rc = req_str(r, "role_id", &role_id, &present)) != ERR_OK ||
	    (rc = req_str(r, "secret_id", &text, &present)) != ERR_OK)
		return rc;
	if (role_id[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing role_id");
	rc = approle_by_role_id(r->core, r->a, r->mount, role_id, &p, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	known = rc == ERR_OK;
	if ((rc = check_secret(r, &p, known, text, &s)) != ERR_OK)
		return rc;
	req_note_str(r, "role", p.name);
	if (s.accessor != NULL)
		req_note_str(r, "secret_id_accessor", s.accessor);
	if (!token_cidrs_admit(p.cidrs, r->remote))
		return req_fail(r, ERR_INVALID,
		                "source address \"%s\" unauthorized by CIDR restrictions "
		                "on the role",
		                r->remote);
	if (s.accessor != NULL &&
	    (rc = approle_secret_use(r->core, r->a, &s, &r->e)) != ERR_OK)
		return rc;
	return log_in(r, &p, &s);
}

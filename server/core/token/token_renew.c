/* SPDX-License-Identifier: Apache-2.0 */
/* token_renew - more time for a token, as far as what it comes from still says so. */
#include <string.h>

#include "arena.h"
#include "login.h"
#include "token_impl.h"
#include "token_role.h"

static struct token_terms terms_of(const struct core *c, const struct store_object *o,
                                   int64_t increment_ms)
{
	const struct value *b = o->body;

	return (struct token_terms){
		.asked_ms = increment_ms > 0 ? increment_ms : value_int_or(b, "ttl", 0),
		.period_ms = value_int_or(b, "period", 0),
		.explicit_max_ms = value_int_or(b, "explicit_max", 0),
		.issued_ms = value_int_or(b, "created", 0),
		.now_ms = c->now_ms,
	};
}

/* A token role is read again: it may have another period now, or be gone. */
static int ask_role(struct req *r, const struct store_object *o, struct token_terms *t)
{
	const char *name = value_cstr_or(r->a, o->body, "role", "");
	struct token_role role;
	int rc;

	if (name[0] == '\0')
		return ERR_OK;
	rc = token_role_load(r->core, r->a, name, &role, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID,
		                "original token role \"%s\" could not be found, not "
		                "renewing",
		                name);
	if (rc == ERR_OK && role.params.period_ms > 0)
		t->period_ms = role.params.period_ms;
	return rc;
}

static int renew(struct req *r, struct store_object *o, const struct token_terms *t)
{
	char warning[TOKEN_WARNING_MAX];
	int64_t ttl;
	int rc = token_ttl(t, &ttl, warning, &r->e);

	if (rc != ERR_OK)
		return rc;
	if (warning[0] != '\0')
		reply_warning(r, "%s", warning);
	o->due = r->core->now_ms + ttl;
	token_set_int(r->a, o->body, "boot_due", r->core->boot_ms + ttl);
	token_set_int(r->a, o->body, "renewed", r->core->now_ms);
	return store_put(r->core, o, &r->e);
}

int token_renew_request(struct req *r, struct store_object *o, const char *text)
{
	struct token_terms t;
	int64_t increment = 0;
	bool present, self;
	int rc = req_duration(r, "increment", &increment, &present);

	if (rc != ERR_OK)
		return rc;
	if (increment < 0)
		return req_fail(r, ERR_INVALID, "increment must be positive");
	if (token_is_batch(o))
		return req_fail(r, ERR_INVALID, "batch tokens cannot be renewed");
	if (!value_bool_or(o->body, "renewable", false))
		return req_fail(r, ERR_INVALID, "lease is not renewable");
	self = memcmp(o->id, r->id.token_id, sizeof(r->id.token_id)) == 0;
	t = terms_of(r->core, o, increment);
	token_terms_of_mount(r->mount, &t);
	if ((rc = ask_role(r, o, &t)) != ERR_OK ||
	    (rc = login_renewal(r, o->body, self, &t)) != ERR_OK ||
	    (rc = renew(r, o, &t)) != ERR_OK)
		return rc;
	value_set(reply_envelope(r), "auth", token_object_auth(r->a, r->core, o, text));
	return ERR_OK;
}

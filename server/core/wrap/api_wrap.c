/* SPDX-License-Identifier: Apache-2.0 */
/* api_wrap - sys/wrapping: wrap anything, look at a wrapping, open it, renew it. */
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "mutant.h"
#include "route.h"
#include "token_impl.h"
#include "wrap_impl.h"

/* The dispatcher does the rest. */
static int h_wrap(struct req *r)
{
	if (r->wrap_ttl_s == 0)
		return req_fail(r, ERR_INVALID,
		                "endpoint requires response wrapping to be used");
	value_set(reply_envelope(r), "data", value_copy(r->a, r->body));
	return ERR_OK;
}

/* The wrapping token: in the body, or the client's own. */
static int named_wrap(struct req *r, struct wrap *w)
{
	const char *given = NULL;
	bool present;
	int rc = req_str(r, "token", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || given[0] == '\0')
		given = r->token;
	if (given == NULL)
		return req_fail(r, ERR_INVALID, "missing \"token\" value in input");
	if ((rc = wrap_find(r, given, w)) != ERR_OK)
		return rc;
	req_note_str(r, "wrapping", value_cstr_or(r->a, w->token.body, "accessor", ""));
	req_note_str(r, "wrapped_at", value_cstr_or(r->a, w->o.body, "path", ""));
	return ERR_OK;
}

static int h_lookup(struct req *r)
{
	char created[CLOCK_RFC3339_MAX];
	struct wrap w = { 0 };
	struct value *out;
	int rc = named_wrap(r, &w);

	if (rc != ERR_OK)
		return rc;
	clock_rfc3339(value_int_or(w.o.body, "created", 0), created);
	out = reply_data(r);
	value_set_str(r->a, out, "creation_path",
	              value_cstr_or(r->a, w.o.body, "path", ""));
	value_set_str(r->a, out, "creation_time", arena_str(r->a, created));
	value_set_int(r->a, out, "creation_ttl", value_int_or(w.o.body, "ttl", 0) / 1000);
	return ERR_OK;
}

/* Given out and gone, in one transaction. */
static int h_unwrap(struct req *r)
{
	struct wrap w = { 0 };
	struct value *kept = NULL;
	int rc = named_wrap(r, &w);

	if (rc == ERR_OK)
		rc = wrap_open(r, &w, &kept);
	if (rc == ERR_OK && !MUTANT(MUTANT_WRAP_REUSABLE))
		rc = token_revoke(r->core, r->a, w.token.id, &r->e);
	if (rc != ERR_OK)
		return rc;
	r->reply_id = value_to_cstr(value_at(kept, IPC_RP_REQUEST_ID), r->a);
	r->reply = value_at(kept, IPC_RP_BODY);
	r->reply->next = NULL; /* out of the array, into another */
	r->reply_kind = IPC_K_ENVELOPE;
	return ERR_OK;
}

static int h_rewrap(struct req *r)
{
	struct wrap_spec spec = { 0 };
	struct wrap w = { 0 };
	struct value *kept = NULL;
	int rc = named_wrap(r, &w);

	if (rc != ERR_OK || (rc = wrap_open(r, &w, &kept)) != ERR_OK ||
	    (rc = token_revoke(r->core, r->a, w.token.id, &r->e)) != ERR_OK)
		return rc;
	spec.reply = kept;
	spec.path = value_cstr_or(r->a, w.o.body, "path", "");
	spec.of = value_cstr_or(r->a, w.o.body, "of", "");
	spec.ttl_ms = value_int_or(w.o.body, "ttl", 0);
	return wrap_keep(r, &spec);
}

/* clang-format off */
static const struct field token_field[] = {
	{ "token", "string", "the wrapping token; absent: the client's own" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_POST, "wrapping/wrap", R_OPEN_BODY, NULL, h_wrap, NULL,
	  "wrap any object" },
	{ "system", M_GET | M_POST, "wrapping/lookup", R_ANON | R_UNWRAPPED, token_field,
	  h_lookup, NULL, "where a wrapped response comes from; leaves it wrapped" },
	{ "system", M_POST, "wrapping/unwrap", R_WRAP_TOKEN | R_OPEN_BODY | R_UNWRAPPED,
	  token_field, h_unwrap, NULL, "the wrapped response, once" },
	{ "system", M_POST, "wrapping/rewrap", R_WRAP_TOKEN | R_UNWRAPPED, token_field,
	  h_rewrap, NULL, "the same response under a fresh token" },
};
/* clang-format on */

const struct route_table routes_wrap = { rows, ARRAY_LEN(rows) };

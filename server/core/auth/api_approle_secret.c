/* SPDX-License-Identifier: Apache-2.0 */
/* api_approle_secret - role/:name/secret-id…: make, list, look up and destroy them. */
#include <string.h>

#include "approle.h"
#include "arena.h"
#include "listing.h"
#include "rng.h"
#include "text.h"

#define SECRET_ID_MAX 512u
#define GO_ZERO_TIME  "0001-01-01T00:00:00Z" /* what clients take for "never" */

static int take_cidrs(struct req *r, const char *field, const struct value *of_role,
                      const struct value **out)
{
	struct value *list = value_array(r->a);
	bool present;
	int rc = token_take_cidrs(r, field, &list, &present);

	if (rc != ERR_OK)
		return rc;
	if (!token_cidrs_within(list, of_role))
		return req_fail(r, ERR_INVALID,
		                "CIDR blocks on the secret ID should be a subset of CIDR "
		                "blocks on the role");
	*out = list;
	return ERR_OK;
}

static int take_uses(struct req *r, const struct approle *p, struct approle_secret *s)
{
	bool present;
	int rc;

	s->uses = p->num_uses;
	if ((rc = req_int(r, "num_uses", &s->uses, &present)) != ERR_OK)
		return rc;
	if (s->uses < 0)
		return req_fail(r, ERR_INVALID, "num_uses cannot be negative");
	if (p->num_uses > 0 && (s->uses == 0 || s->uses > p->num_uses))
		return req_fail(r, ERR_INVALID,
		                "num_uses cannot be higher than the role's "
		                "secret_id_num_uses");
	return ERR_OK;
}

static int take_ttl(struct req *r, const struct approle *p, struct approle_secret *s)
{
	int64_t max = mount_max_ttl(r->mount);
	bool present;
	int rc;

	s->ttl_ms = p->ttl_ms;
	if ((rc = req_duration(r, "ttl", &s->ttl_ms, &present)) != ERR_OK)
		return rc;
	s->ttl_ms -= s->ttl_ms % 1000;
	if (s->ttl_ms < 0)
		return req_fail(r, ERR_INVALID, "ttl cannot be negative");
	if (p->ttl_ms > 0 && (s->ttl_ms == 0 || s->ttl_ms > p->ttl_ms))
		return req_fail(r, ERR_INVALID,
		                "ttl cannot be longer than the role's secret_id_ttl");
	if (s->ttl_ms > max)
		s->ttl_ms = max;
	return ERR_OK;
}

static int take_secret(struct req *r, const struct approle *p, struct approle_secret *s)
{
	struct value *meta;
	int rc;

	memset(s, 0, sizeof(*s));
	if (!p->bind_secret_id)
		return req_fail(r, ERR_INVALID, "bind_secret_id is not set on the role");
	rc = approle_metadata(r->a, value_get(r->body, "metadata"), &meta, &r->e);
	if (rc != ERR_OK)
		return rc;
	s->meta = meta;
	if ((rc = take_cidrs(r, "cidr_list", p->cidrs, &s->cidrs)) != ERR_OK ||
	    (rc = take_cidrs(r, "token_bound_cidrs", p->params.bound_cidrs,
	                     &s->token_cidrs)) != ERR_OK ||
	    (rc = take_uses(r, p, s)) != ERR_OK)
		return rc;
	return take_ttl(r, p, s);
}

static int make(struct req *r, const struct approle *p, const char *text)
{
	struct approle_secret s;
	struct value *out;
	int rc;

	if ((rc = take_secret(r, p, &s)) != ERR_OK ||
	    (rc = approle_secret_new(r->core, r->a, r->mount, p, text, &s, &r->e)) !=
	            ERR_OK)
		return rc;
	req_note_str(r, "accessor", s.accessor);
	out = reply_data(r);
	value_set_str(r->a, out, "secret_id", text);
	value_set_str(r->a, out, "secret_id_accessor", s.accessor);
	value_set_int(r->a, out, "secret_id_num_uses", s.uses);
	value_set_int(r->a, out, "secret_id_ttl", s.ttl_ms / 1000);
	return ERR_OK;
}

int approle_h_secret_new(struct req *r)
{
	char text[37];
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	rng_uuid4(text);
	return make(r, &p, arena_str(r->a, text));
}

/* A field that must be there. */
static int need(struct req *r, const char *field, const char **out)
{
	bool present;
	int rc = req_str(r, field, out, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || (*out)[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing %s", field);
	return ERR_OK;
}

int approle_h_secret_custom(struct req *r)
{
	const char *text = NULL;
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK || (rc = need(r, "secret_id", &text)) != ERR_OK)
		return rc;
	if (strlen(text) > SECRET_ID_MAX || !text_printable(text, strlen(text)))
		return req_fail(r, ERR_INVALID,
		                "secret_id: printable text of at most %u bytes",
		                SECRET_ID_MAX);
	return make(r, &p, text);
}

int approle_h_secret_list(struct req *r)
{
	struct listing_of of = {
		.kind = KIND_SECRET_ID,
		.parent_len = APPROLE_FAMILY,
		.member = "accessor",
		.shown = approle_secret_alive,
	};
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK)
		return rc;
	of.parent = p.family;
	return listing_reply(r, &of);
}

static void set_time(struct req *r, struct value *out, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(r->a, out, key, arena_str(r->a, text));
}

static void show(struct req *r, const struct approle_secret *s)
{
	struct value *out = reply_data(r);

	value_set(out, "cidr_list", value_copy(r->a, s->cidrs));
	set_time(r, out, "creation_time", s->created_ms);
	if (s->o.due != 0)
		set_time(r, out, "expiration_time", s->o.due);
	else
		value_set_str(r->a, out, "expiration_time", GO_ZERO_TIME);
	set_time(r, out, "last_updated_time", s->updated_ms);
	value_set(out, "metadata", value_copy(r->a, s->meta));
	value_set_str(r->a, out, "secret_id_accessor", s->accessor);
	value_set_int(r->a, out, "secret_id_num_uses", s->uses);
	value_set_int(r->a, out, "secret_id_ttl", s->ttl_ms / 1000);
	value_set(out, "token_bound_cidrs", value_copy(r->a, s->token_cidrs));
}

/* ERR_NOENT: the role is there, the secret id is not (*missing). */
static int by_text(struct req *r, struct approle_secret *s, bool *missing)
{
	const char *text = NULL;
	struct approle p;
	int rc = approle_named(r, &p);

	*missing = false;
	if (rc != ERR_OK || (rc = need(r, "secret_id", &text)) != ERR_OK)
		return rc;
	rc = approle_secret_find(r->core, r->a, &p, text, s, &r->e);
	*missing = rc == ERR_NOENT;
	return rc;
}

int approle_h_secret_lookup(struct req *r)
{
	struct approle_secret s;
	bool missing;
	int rc = by_text(r, &s, &missing);

	if (rc == ERR_OK)
		show(r, &s);
	return missing ? ERR_OK : rc;
}

int approle_h_secret_destroy(struct req *r)
{
	struct approle_secret s;
	bool missing;
	int rc = by_text(r, &s, &missing);

	if (rc != ERR_OK)
		return missing ? ERR_OK : rc;
	req_note_str(r, "accessor", s.accessor);
	return store_delete(r->core, &s.o, &r->e);
}

static int by_accessor(struct req *r, struct approle_secret *s)
{
	const char *accessor = NULL;
	struct approle p;
	int rc = approle_named(r, &p);

	if (rc != ERR_OK || (rc = need(r, "secret_id_accessor", &accessor)) != ERR_OK)
		return rc;
	rc = approle_secret_by_accessor(r->core, r->a, &p, accessor, s, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_NOENT,
		                "failed to find accessor entry for secret_id_accessor: "
		                "\"%.100s\"",
		                accessor);
	if (rc == ERR_OK)
		req_note_str(r, "accessor", s->accessor);
	return rc;
}

int approle_h_accessor_lookup(struct req *r)
{
	struct approle_secret s;
	int rc = by_accessor(r, &s);

	if (rc == ERR_OK)
		show(r, &s);
	return rc;
}

int approle_h_accessor_destroy(struct req *r)
{
	struct approle_secret s;
	int rc = by_accessor(r, &s);

	return rc == ERR_OK ? store_delete(r->core, &s.o, &r->e) : rc;
}

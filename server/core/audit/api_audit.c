/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_audit - sys/audit-log: the signed head, proofs, records and their export.
 */
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "audit_search.h"
#include "clock.h"
#include "rng.h"
#include "route.h"

#define EXPORT_LIMIT 500
#define EXPORT_MAX   1000

static int head_read(struct req *r)
{
	struct value *data = reply_data(r);
	const char *key;
	int64_t size = audit_head(r->core, r->a, &key);

	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	value_set_str(r->a, data, "public_key", key);
	value_set_int(r->a, data, "size", size);
	return ERR_OK;
}

/* A count between ${least} and ${most}; what is absent keeps its default. */
static int field_int(struct req *r, const char *field, int64_t least, int64_t most,
                     int64_t *out)
{
	bool present;
	int64_t v = *out;
	int rc;

	if ((rc = req_int(r, field, &v, &present)) != ERR_OK || !present)
		return rc;
	if (v < least || v > most)
		return req_fail(r, ERR_INVALID, "\"%s\" must be between %lld and %lld",
		                field, (long long)least, (long long)most);
	*out = v;
	return ERR_OK;
}

/* Milliseconds since 1970, or RFC 3339. */
static int field_time(struct req *r, const char *field, int64_t *out)
{
	const struct value *v = value_get(r->body, field);
	const char *s = NULL;
	bool present;
	int rc;

	if ((rc = req_str(r, field, &s, &present)) != ERR_OK || !present)
		return rc;
	if (value_to_int(v, out) == 0 || clock_parse_rfc3339(s, strlen(s), out) == 0)
		return ERR_OK;
	return req_fail(r, ERR_INVALID,
	                "\"%s\" must be a time in milliseconds or in RFC 3339 form",
	                field);
}

static int field_text(struct req *r, const char *field, const char **out)
{
	const char *s = NULL;
	bool present;
	int rc = req_str(r, field, &s, &present);

	if (rc == ERR_OK && present && *s != '\0')
		*out = s;
	return rc;
}

static int read_order(struct req *r, struct audit_search *s)
{
	const char *order = "newest";
	int rc;

	if ((rc = field_text(r, "order", &order)) != ERR_OK)
		return rc;
	if (strcmp(order, "newest") != 0 && strcmp(order, "oldest") != 0)
		return req_fail(r, ERR_INVALID, "\"order\" must be newest or oldest");
	s->forward = strcmp(order, "oldest") == 0;
	return ERR_OK;
}

static int read_search(struct req *r, struct audit_search *s)
{
	int64_t size, cursor = -1;
	const char *key;
	int rc;

	/* What is signed: the records of this very batch may still be taken back. */
	size = audit_head(r->core, r->a, &key);

	s->to = size;
	s->until = INT64_MAX;
	s->limit = SEARCH_LIMIT;
	if ((rc = read_order(r, s)) != ERR_OK ||
	    (rc = field_int(r, "from", 0, INT64_MAX, &s->from)) != ERR_OK ||
	    (rc = field_int(r, "to", 0, INT64_MAX, &s->to)) != ERR_OK ||
	    (rc = field_int(r, "cursor", 0, INT64_MAX, &cursor)) != ERR_OK ||
	    (rc = field_int(r, "limit", 1, SEARCH_RESULTS, &s->limit)) != ERR_OK ||
	    (rc = field_time(r, "since", &s->since)) != ERR_OK ||
	    (rc = field_time(r, "until", &s->until)) != ERR_OK ||
	    (rc = field_text(r, "actor", &s->actor)) != ERR_OK ||
	    (rc = field_text(r, "path", &s->path)) != ERR_OK ||
	    (rc = field_text(r, "operation", &s->operation)) != ERR_OK ||
	    (rc = field_text(r, "outcome", &s->outcome)) != ERR_OK)
		return rc;
	if (s->to > size)
		s->to = size;
	s->at = s->forward ? s->from : s->to - 1;
	if (cursor >= 0 && (s->forward ? cursor > s->at : cursor < s->at))
		s->at = cursor;
	s->records = value_array(r->a);
	return ERR_OK;
}

static void reply_records(struct req *r, const struct audit_search *s)
{
	struct value *data = reply_data(r);

	value_set(data, "records", s->records);
	value_set(data, "next",
	          audit_search_more(s) ? value_int(r->a, s->at) : value_null(r->a));
	req_note_int(r, "scanned", s->scanned);
	req_note_int(r, "found", s->found);
}

static int records_read(struct req *r)
{
	struct audit_search *s = r->park_state;
	unsigned char key[16];
	bool done = false;
	int rc;

	if (s == NULL) {
		s = arena_alloc(r->a, sizeof(*s));
		if (s == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = read_search(r, s)) != ERR_OK)
			return rc;
		r->park_state = s;
	}
	if ((rc = audit_search_slice(r->core, r->a, s, &done, &r->e)) != ERR_OK)
		return rc;
	if (!done) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	reply_records(r, s);
	return ERR_OK;
}

static int export_read(struct req *r)
{
	int64_t from = 0, limit = EXPORT_LIMIT, size;
	struct value *entries, *data;
	const char *key;
	int rc;

	if ((rc = field_int(r, "from", 0, INT64_MAX, &from)) != ERR_OK ||
	    (rc = field_int(r, "limit", 1, EXPORT_MAX, &limit)) != ERR_OK ||
	    (rc = audit_entries(r->core, r->a, from, limit, &entries, &r->e)) != ERR_OK)
		return rc;
	size = audit_head(r->core, r->a, &key);
	data = reply_data(r);
	value_set(data, "entries", entries);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	value_set_str(r->a, data, "public_key", key);
	value_set(data, "next",
	          from + (int64_t)entries->len < size && entries->len > 0
	                  ? value_int(r->a, from + (int64_t)entries->len)
	                  : value_null(r->a));
	req_note_int(r, "from", from);
	req_note_int(r, "entries", entries->len);
	return ERR_OK;
}

static int consistency_read(struct req *r)
{
	int64_t from = 0, to = 0, size;
	struct value *proof, *data;
	const char *key;
	int rc;

	if ((rc = field_int(r, "from", 0, INT64_MAX, &from)) != ERR_OK ||
	    (rc = field_int(r, "to", 0, INT64_MAX, &to)) != ERR_OK ||
	    (rc = audit_consistency_to(r->core, r->a, from, to, &proof, &r->e)) != ERR_OK)
		return rc;
	size = audit_head(r->core, r->a, &key);
	data = reply_data(r);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	value_set_int(r->a, data, "from", from);
	value_set_int(r->a, data, "to", to != 0 ? to : size);
	value_set(data, "proof", proof);
	return ERR_OK;
}

static int proof_read(struct req *r)
{
	int64_t index = -1, size = 0;
	struct value *o, *data;
	int rc;

	if ((rc = field_int(r, "index", 0, INT64_MAX, &index)) != ERR_OK ||
	    (rc = field_int(r, "size", 0, INT64_MAX, &size)) != ERR_OK)
		return rc;
	if (index < 0)
		return req_fail(r, ERR_INVALID, "missing index");
	if ((rc = audit_inclusion(r->core, r->a, index, size, &o, &r->e)) != ERR_OK)
		return rc;
	data = reply_data(r);
	for (struct value *v = o->first, *next; v != NULL; v = next) {
		next = v->next;
		v->next = NULL;
		value_setn(data, v->key, v->key_len, v);
	}
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	return ERR_OK;
}

static const struct field search_fields[] = {
	{"from",       "int",    "lowest index"                                  },
	{ "to",        "int",    "one more than the highest index"               },
	{ "since",     "string", "not before this time: milliseconds or RFC 3339"},
	{ "until",     "string", "before this time"                              },
	{ "actor",     "string", "display name, host name or accessor"           },
	{ "path",      "string", "beginning of the path"                         },
	{ "operation", "string", "read, update, aggregate …"                   },
	{ "outcome",   "string", "ok, denied or error"                           },
	{ "order",     "string", "newest (first, the default) or oldest"         },
	{ "limit",     "int",    "results, at most 1000"                         },
	{ "cursor",    "int",    "the \"next\" of the reply before"              },
	{ NULL,        NULL,     NULL					    },
};

static const struct field export_fields[] = {
	{"from",   "int", "first index"          },
	{ "limit", "int", "entries, at most 1000"},
	{ NULL,    NULL,  NULL                   },
};

static const struct field consistency_fields[] = {
	{"from", "int", "size of the older tree"                     },
	{ "to",  "int", "size of the newer one, the newest if absent"},
	{ NULL,  NULL,  NULL					 },
};

static const struct field proof_fields[] = {
	{"index", "int", "the record"                            },
	{ "size", "int", "size of the tree, the newest if absent"},
	{ NULL,   NULL,  NULL				    },
};

/* clang-format off */
static const struct route rows[] = {
	{ "system", M_GET, "audit-log/checkpoint", 0, NULL, head_read, NULL,
	  "the newest signed tree head and the key that verifies it" },
	{ "system", M_GET | M_LIST, "audit-log/records", 0, search_fields, records_read, NULL,
	  "search the audit log" },
	{ "system", M_GET, "audit-log/export", 0, export_fields, export_read, NULL,
	  "records with what it takes to verify them" },
	{ "system", M_GET, "audit-log/consistency", 0, consistency_fields, consistency_read, NULL,
	  "prove that the log only grew" },
	{ "system", M_GET, "audit-log/proof", 0, proof_fields, proof_read, NULL,
	  "prove that a record is in the log" },
};
/* clang-format on */

const struct route_table routes_audit = { rows, ARRAY_LEN(rows) };

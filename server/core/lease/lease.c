/* SPDX-License-Identifier: Apache-2.0 */
/* lease - the record of one lease, and the revision counter. */
#include "lease.h"

#include <string.h>

#include "arena.h"
#include "lease_impl.h"
#include "rng.h"
#include "rotation.h"
#include "text.h"

static const char *const state_names[] = {
	[LEASE_ISSUED] = "issued",   [LEASE_DELIVERED] = "delivered",
	[LEASE_APPLIED] = "applied", [LEASE_REJECTED] = "rejected",
	[LEASE_REVOKED] = "revoked", [LEASE_EXPIRED] = "expired",
	[LEASE_WIPED] = "wiped",
};

static const char *const end_names[] = {
	[END_NONE] = "",       [END_OPERATOR] = "operator", [END_ROLE] = "role",
	[END_HOST] = "host",   [END_EXPIRED] = "expired",   [END_DELETED] = "deleted",
	[END_MOVED] = "moved",
};

static int index_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *lease_state_name(enum lease_state s)
{
	return state_names[s];
}

int lease_state_of(const char *name, enum lease_state *out)
{
	int at = index_of(state_names, ARRAY_LEN(state_names), name);

	if (at < 0)
		return -1;
	*out = (enum lease_state)at;
	return 0;
}

/* Ids grow with the revision.  A change goes through the holders of a secret by their
 * ids: so it goes through their rows as they lie in the file, several of them to a page.
 */
void lease_new_id(struct lease *l)
{
	for (int i = 0; i < 8; i++)
		l->o.id[i] = (unsigned char)((uint64_t)l->rev >> (56 - 8 * i));
	rng_bytes(l->o.id + 8, LEASE_ID - 8);
	l->o.id_len = LEASE_ID;
}

int64_t lease_left_ms(const struct core *c, const struct lease *l)
{
	int64_t left = l->expires_ms - c->now_ms;

	if (l->boot_due_ms != 0 && l->boot_due_ms - c->boot_ms < left)
		left = l->boot_due_ms - c->boot_ms;
	return left > 0 ? left : 0;
}

static int read_rotation(const struct value *b, struct lease *out)
{
	const struct value *attempt = value_get(b, "attempt");

	out->wants = value_int_or(b, "wants", 0);
	out->waits = value_bool_or(b, "waits", false);
	out->settled_ms = value_int_or(b, "settled", 0);
	if (out->wants == 0)
		return 0;
	if (attempt == NULL || attempt->type != V_BYTES ||
	    attempt->len != sizeof(out->attempt))
		return -1;
	memcpy(out->attempt, attempt->text, sizeof(out->attempt));
	return 0;
}

static void note_stored(struct lease *l)
{
	l->stored.state = l->state;
	l->stored.version = l->version;
	l->stored.applied = l->applied;
	l->stored.rejects = lease_rejects(l);
}

int lease_read(struct arena *a, const struct store_object *o, struct lease *out,
               struct err *e)
{
	const struct value *b = o->body;
	int end = index_of(end_names, ARRAY_LEN(end_names),
	                   value_cstr_or(a, b, "end", "?"));

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->path = value_cstr_or(a, b, "path", NULL);
	out->holder = value_cstr_or(a, b, "holder_name", "");
	out->cluster = value_cstr_or(a, b, "cluster", "");
	out->detail = value_cstr_or(a, b, "detail", "");
	out->target = value_int_or(b, "target", 0);
	out->version = value_int_or(b, "version", 0);
	out->applied = value_int_or(b, "applied", 0);
	out->said = value_int_or(b, "said", out->applied);
	out->issued_ms = value_int_or(b, "issued", 0);
	out->expires_ms = value_int_or(b, "expires", 0);
	out->boot_due_ms = value_int_or(b, "boot_due", 0);
	out->rev = value_int_or(b, "rev", 0);
	out->born = value_int_or(b, "born", 0);
	out->seq = value_int_or(b, "seq", 0);
	out->since_ms = value_int_or(b, "since", 0);
	if (out->path == NULL || end < 0 || o->id_len != LEASE_ID ||
	    o->parent_len != HOST_ID || o->tag_len != 32 || read_rotation(b, out) != 0 ||
	    lease_state_of(value_cstr_or(a, b, "state", "?"), &out->state) != 0)
		return err_set(e, ERR_INTEGRITY, "a lease's record is malformed");
	out->end = (enum lease_end)end;
	note_stored(out);
	return ERR_OK;
}

int lease_load(struct core *c, struct arena *a, const unsigned char id[LEASE_ID],
               struct lease *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_LEASE, id, LEASE_ID, &o, e);

	return rc == ERR_OK ? lease_read(a, &o, out, e) : rc;
}

static struct value *body_of(struct arena *a, const struct lease *l)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "path", l->path);
	value_set_str(a, b, "holder_name", l->holder);
	if (l->cluster[0] != '\0')
		value_set_str(a, b, "cluster", l->cluster);
	value_set_str(a, b, "detail", l->detail);
	value_set_str(a, b, "state", lease_state_name(l->state));
	value_set_str(a, b, "end", end_names[l->end]);
	value_set_int(a, b, "target", l->target);
	value_set_int(a, b, "version", l->version);
	value_set_int(a, b, "applied", l->applied);
	value_set_int(a, b, "said", l->said);
	value_set_int(a, b, "issued", l->issued_ms);
	value_set_int(a, b, "expires", l->expires_ms);
	value_set_int(a, b, "boot_due", l->boot_due_ms);
	value_set_int(a, b, "rev", l->rev);
	value_set_int(a, b, "born", l->born);
	value_set_int(a, b, "seq", l->seq);
	value_set_int(a, b, "since", l->since_ms);
	if (l->wants != 0) {
		value_set_bytes(a, b, "attempt", l->attempt, sizeof(l->attempt));
		value_set_int(a, b, "wants", l->wants);
		value_set_bool(a, b, "waits", l->waits);
		value_set_int(a, b, "settled", l->settled_ms);
	}
	return b;
}

/* Whoever has the new version, or will never have it, is not waited for. */
static bool stops_waiting(const struct lease *l)
{
	return l->waits &&
	       (l->applied >= l->wants || !lease_alive(l) || l->state == LEASE_WIPED);
}

static bool is_other(const struct lease *l)
{
	return l->since_ms == 0 || l->state != l->stored.state ||
	       l->version != l->stored.version || l->applied != l->stored.applied;
}

int lease_save(struct core *c, struct arena *a, struct lease *l, struct err *e)
{
	bool settled = stops_waiting(l), rejected = l->stored.rejects;
	int rc;

	if (settled) {
		l->waits = false;
		l->settled_ms = c->now_ms;
	}
	if (is_other(l))
		l->since_ms = c->now_ms;
	note_stored(l);
	l->o.body = body_of(a, l);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* Stored first: what ends now writes down its holders. */
	if ((rc = store_put(c, &l->o, e)) != ERR_OK)
		return rc;
	if (rejected != l->stored.rejects)
		rc = rotation_rejected(c, a, l->attempt, l->wants, l->stored.rejects, e);
	if (rc != ERR_OK || !settled)
		return rc;
	return rotation_settled(c, a, l->attempt, l->wants, l->applied >= l->wants, e);
}

int lease_drop(struct core *c, struct arena *a, struct lease *l, struct err *e)
{
	int rc = store_delete(c, &l->o, e);

	if (rc == ERR_OK && l->stored.rejects)
		rc = rotation_rejected(c, a, l->attempt, l->wants, false, e);
	if (rc != ERR_OK || !l->waits)
		return rc;
	return rotation_settled(c, a, l->attempt, l->wants, false, e);
}

int lease_rev(struct core *c, struct arena *a, bool next, int64_t *rev, struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	store_blind(c, id, "setting", "lease-revision", 14, NULL, 0);
	rc = store_get(c, a, KIND_SETTING, id, sizeof(id), &o, e);
	if (rc == ERR_NOENT) {
		o.kind = KIND_SETTING;
		o.id_len = sizeof(id);
		memcpy(o.id, id, sizeof(id));
		o.body = NULL;
	} else if (rc != ERR_OK) {
		return rc;
	}
	*rev = value_int_or(o.body, "n", 0);
	if (!next)
		return ERR_OK;
	if (c->rev_before < 0)
		c->rev_before = *rev;
	o.body = value_object(a);
	value_set_int(a, o.body, "n", *rev + 1);
	if ((rc = store_put(c, &o, e)) == ERR_OK)
		*rev += 1;
	return rc;
}

static int grow(struct leases *ls, struct err *e)
{
	size_t cap = ls->cap > 0 ? ls->cap * 2 : 16;
	struct lease *at;

	if (ls->n < ls->cap)
		return ERR_OK;
	if ((at = arena_alloc(ls->a, cap * sizeof(*at))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (ls->n > 0)
		memcpy(at, ls->at, ls->n * sizeof(*at));
	ls->at = at;
	ls->cap = cap;
	return ERR_OK;
}

int lease_collect(void *ctx, struct store_object *o, struct err *e)
{
	struct leases *ls = ctx;
	int rc = grow(ls, e);

	return rc == ERR_OK ? lease_read(ls->a, o, &ls->at[ls->n++], e) : rc;
}

int leases_add(struct leases *ls, const struct lease *l, struct err *e)
{
	int rc;

	for (size_t i = 0; i < ls->n; i++) {
		if (memcmp(ls->at[i].o.tag, l->o.tag, 32) == 0) {
			ls->at[i] = *l;
			return ERR_OK;
		}
	}
	if ((rc = grow(ls, e)) == ERR_OK)
		ls->at[ls->n++] = *l;
	return rc;
}

int leases_of_host(struct core *c, struct arena *a, const unsigned char host_id[HOST_ID],
                   struct leases *out, struct err *e)
{
	*out = (struct leases){ .a = a };
	return store_by_parent(c, a, KIND_LEASE, host_id, HOST_ID, lease_collect, out, e);
}

char *lease_id_text(struct arena *a, const struct lease *l)
{
	char *text = arena_alloc(a, 2 * LEASE_ID + 1);

	if (text != NULL)
		text_hex(l->o.id, LEASE_ID, text);
	return text;
}

int lease_id_parse(const struct value *v, unsigned char out[LEASE_ID])
{
	if (v == NULL || v->type != V_STRING || v->len != 2 * LEASE_ID ||
	    text_unhex(v->text, v->len, out, LEASE_ID) != (long)LEASE_ID)
		return -1;
	return 0;
}

struct value *lease_event(struct arena *a, const struct lease *l)
{
	struct value *v = value_object(a);
	const char *op = l->end == END_EXPIRED ? "expire" : "revoke";

	value_set_str(a, v, "lease_id", lease_id_text(a, l));
	value_set_str(a, v, "path", l->path);
	value_set_int(a, v, "version", l->target);
	value_set_int(a, v, "rev", l->rev);
	value_set_str(a, v, "op", lease_alive(l) ? "update" : op);
	if (!lease_alive(l))
		value_set_str(a, v, "reason", end_names[l->end]);
	return v;
}

static void set_time(struct arena *a, struct value *v, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(a, v, key, arena_str(a, text));
}

struct value *lease_info(struct arena *a, const struct lease *l)
{
	struct value *v = value_object(a);

	value_set_str(a, v, "path", l->path);
	value_set_str(a, v, "host", l->holder);
	value_set_int(a, v, "version", l->version);
	value_set_int(a, v, "applied", l->applied);
	value_set_int(a, v, "current", l->target);
	value_set_str(a, v, "state", lease_state_name(l->state));
	value_set_str(a, v, "ended_by", end_names[l->end]);
	value_set_str(a, v, "detail", l->detail);
	set_time(a, v, "issued", l->issued_ms);
	set_time(a, v, "expires", l->expires_ms);
	return v;
}

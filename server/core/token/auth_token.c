/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_token.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "keyring.h"
#include "mounts.h"
#include "mutant.h"
#include "rng.h"
#include "text.h"
#include "token.h"
#include "token_impl.h"
#include "token_params.h"
#include "vault/limits.h"

#define ACCESSOR_LEN 24
#define SPENT        (-1) /* "uses" of a token whose last use is under way */
/* How long a spent token is kept for a request that is parked with it. */
#define SPENT_KEPT_MS (3600ll * 1000)

void token_hash(struct core *c, const char *text, size_t n, unsigned char id[32])
{
	crypto_generichash(id, 32, (const unsigned char *)text, n,
	                   keyring_key(c->keys, KEY_TOKEN_PEPPER), 32);
}

static void accessor_tag(struct core *c, const char *accessor, unsigned char tag[32])
{
	store_blind(c, tag, "accessor", accessor, strlen(accessor), NULL, 0);
}

static void host_parent(struct core *c, const unsigned char host_id[16],
                        unsigned char out[32])
{
	store_blind(c, out, "token-host", host_id, 16, NULL, 0);
}

/* Was it issued by an auth method that has been unmounted? */
static bool issuer_gone(const struct core *c, const struct store_object *o)
{
	const struct value *mount = value_get(o->body, "mount");

	return mount != NULL && mount->len == MOUNT_ID &&
	       mounts_by_id(c, (const unsigned char *)mount->text) == NULL;
}

bool token_alive(const struct core *c, const struct store_object *o)
{
	int64_t boot_due = value_int_or(o->body, "boot_due", 0);

	if (value_int_or(o->body, "uses", 0) == SPENT || issuer_gone(c, o))
		return false;
	if (MUTANT(MUTANT_EXPIRED_LIVES))
		return true;
	return (o->due == 0 || c->now_ms < o->due) &&
	       (boot_due == 0 || c->boot_ms < boot_due);
}

int64_t token_left_ms(const struct core *c, const struct store_object *o)
{
	int64_t boot_due = value_int_or(o->body, "boot_due", 0);
	int64_t left = o->due - c->now_ms;

	if (o->due == 0)
		return 0;
	if (boot_due != 0 && boot_due - c->boot_ms < left)
		left = boot_due - c->boot_ms;
	return left > 0 ? left : 0;
}

int token_load(struct core *c, struct arena *a, const unsigned char id[32],
               struct store_object *o, struct err *e)
{
	return store_get(c, a, KIND_TOKEN, id, 32, o, e);
}

/* What looks like ours but has a typo never reaches the store. */
static bool could_be_token(const char *text, size_t n)
{
	if (n == 0 || n > LIMIT_TOKEN_TEXT)
		return false;
	return strncmp(text, "vlt_", 4) != 0 || token_valid(text, n, 's');
}

int token_find(struct core *c, struct arena *a, const char *text, struct store_object *o,
               struct err *e)
{
	size_t n = strlen(text);
	unsigned char id[32];
	int rc;

	if (!could_be_token(text, n))
		return err_set(e, ERR_NOENT, "no such token");
	token_hash(c, text, n, id);
	if ((rc = token_load(c, a, id, o, e)) != ERR_OK)
		return rc;
	return token_alive(c, o) ? ERR_OK : err_set(e, ERR_NOENT, "no such token");
}

/* The objects that an index query finds, or their ids alone. */
struct found {
	struct arena *a;
	unsigned char (*ids)[32];
	size_t n, cap;
};

static int add_id(struct found *f, const unsigned char id[32], struct err *e)
{
	if (f->n == f->cap) {
		size_t cap = f->cap > 0 ? f->cap * 2 : 16;
		unsigned char(*ids)[32] = arena_alloc(f->a, cap * sizeof(*ids));

		if (ids == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (f->n > 0)
			memcpy(ids, f->ids, f->n * sizeof(*ids));
		f->ids = ids;
		f->cap = cap;
	}
	memcpy(f->ids[f->n++], id, 32);
	return ERR_OK;
}

static int collect_id(void *ctx, struct store_object *o, struct err *e)
{
	return add_id(ctx, o->id, e);
}

int token_find_accessor(struct core *c, struct arena *a, const char *accessor,
                        struct store_object *o, struct err *e)
{
	struct found f = { .a = a };
	unsigned char tag[32];
	int rc;

	accessor_tag(c, accessor, tag);
	rc = store_by_tag(c, a, KIND_TOKEN, tag, sizeof(tag), collect_id, &f, e);
	if (rc != ERR_OK)
		return rc;
	if (f.n == 0)
		return err_set(e, ERR_NOENT, "no such token");
	if ((rc = token_load(c, a, f.ids[0], o, e)) != ERR_OK)
		return rc;
	return token_alive(c, o) ? ERR_OK : err_set(e, ERR_NOENT, "no such token");
}

static void set_number(struct arena *a, struct value *body, const char *key, int64_t n)
{
	struct value *old = value_get(body, key), *v = value_int(a, n);

	if (v == NULL)
		return;
	if (old == NULL) {
		value_set(body, key, v);
	} else {
		old->type = v->type;
		old->text = v->text;
		old->len = v->len;
	}
}

/* A request counts when it comes, not again each time it is run after a wait. */
static int count_use(struct req *r, struct store_object *o)
{
	int64_t uses = value_int_or(o->body, "uses", 0);
	struct store_object put = *o;
	int64_t keep = r->core->now_ms + SPENT_KEPT_MS;

	if (uses == 0 || r->resumed > 0 || MUTANT(MUTANT_USES_UNCOUNTED))
		return ERR_OK;
	uses = uses == 1 ? SPENT : uses - 1;
	set_number(r->a, o->body, "uses", uses);
	if (uses == SPENT && (put.due == 0 || put.due > keep))
		put.due = keep;
	return store_put(r->core, &put, &r->e);
}

static void fill_ident(struct req *r, const struct store_object *o)
{
	const struct value *host = value_get(o->body, "host");
	const struct value *accessor = value_get(o->body, "accessor");
	struct ident *id = &r->id;

	id->type = IDENT_SERVICE;
	if (host != NULL && host->type == V_BYTES && host->len == sizeof(id->host_id)) {
		id->type = IDENT_HOST;
		memcpy(id->host_id, host->text, sizeof(id->host_id));
	}
	memcpy(id->token_id, o->id, sizeof(id->token_id));
	if (accessor != NULL && accessor->len < sizeof(id->accessor))
		memcpy(id->accessor, accessor->text, accessor->len);
	id->display_name = value_cstr_or(r->a, o->body, "display_name", "");
	id->policies = value_get(o->body, "policies");
	id->token = o->body;
	for (const struct value *p = id->policies != NULL ? id->policies->first : NULL;
	     p != NULL; p = p->next)
		id->root = id->root || value_is_str(p, "root");
}

int token_authenticate(struct req *r)
{
	struct core *c = r->core;
	struct store_object o;
	unsigned char id[32];
	size_t n = r->token != NULL ? strlen(r->token) : 0;
	int rc = ERR_NOENT;

	if (n > 0 && could_be_token(r->token, n)) {
		token_hash(c, r->token, n, id);
		rc = token_load(c, r->a, id, &o, &r->e);
	}
	if (rc == ERR_OK && !token_alive(c, &o) &&
	    !(r->resumed > 0 && value_int_or(o.body, "uses", 0) == SPENT))
		rc = ERR_NOENT;
	if (rc == ERR_OK && !token_cidrs_admit(value_get(o.body, "cidrs"), r->remote))
		rc = ERR_NOENT;
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_DENIED, "permission denied");
	if (rc != ERR_OK || (rc = count_use(r, &o)) != ERR_OK)
		return rc;
	fill_ident(r, &o);
	return ERR_OK;
}

static struct value *body_of(struct core *c, struct arena *a, const struct token_spec *s,
                             const char *accessor)
{
	struct value *o = value_object(a);

	value_set_str(a, o, "accessor", accessor);
	value_set_str(a, o, "display_name", s->display_name);
	value_set_str(a, o, "path", s->path);
	value_set(o, "policies", value_copy(a, s->policies));
	if (s->meta != NULL && s->meta->len > 0)
		value_set(o, "meta", value_copy(a, s->meta));
	if (s->host_id != NULL)
		value_set_bytes(a, o, "host", s->host_id, 16);
	value_set_int(a, o, "created", c->now_ms);
	value_set_int(a, o, "ttl", s->ttl_ms);
	value_set_int(a, o, "explicit_max", s->explicit_max_ttl_ms);
	value_set_int(a, o, "period", s->period_ms);
	value_set_int(a, o, "uses", s->num_uses);
	value_set_bool(a, o, "renewable", s->renewable && s->ttl_ms > 0);
	value_set_bool(a, o, "orphan", s->parent == NULL);
	if (s->ttl_ms > 0)
		value_set_int(a, o, "boot_due", c->boot_ms + s->ttl_ms);
	if (s->bound_cidrs != NULL && s->bound_cidrs->len > 0)
		value_set(o, "cidrs", value_copy(a, s->bound_cidrs));
	if (s->mount_id != NULL) {
		value_set_bytes(a, o, "mount", s->mount_id, 16);
		value_set_str(a, o, "login_role", s->login_role);
		if (s->login_data != NULL)
			value_set(o, "login", value_copy(a, s->login_data));
	}
	return o;
}

int token_create(struct core *c, struct arena *a, const struct token_spec *spec,
                 struct token_made *made, struct err *e)
{
	struct store_object o = { .kind = KIND_TOKEN, .id_len = 32, .tag_len = 32 };
	int rc;

	if (spec->token_text == NULL)
		token_new('s', made->text);
	else if (strlen(spec->token_text) < sizeof(made->text))
		memcpy(made->text, spec->token_text, strlen(spec->token_text) + 1);
	else
		return err_set(e, ERR_INVALID, "token id is too long");
	text_base62_random(made->accessor, ACCESSOR_LEN);
	token_hash(c, made->text, strlen(made->text), made->id);
	memcpy(o.id, made->id, sizeof(made->id));
	accessor_tag(c, made->accessor, o.tag);
	if (spec->parent != NULL)
		memcpy(o.parent, spec->parent, 32);
	else if (spec->host_id != NULL)
		host_parent(c, spec->host_id, o.parent);
	o.parent_len = spec->parent != NULL || spec->host_id != NULL ? 32 : 0;
	o.due = spec->ttl_ms > 0 ? c->now_ms + spec->ttl_ms : 0;
	o.body = body_of(c, a, spec, made->accessor);
	rc = store_put(c, &o, e);
	return rc == ERR_CONFLICT ? err_set(e, ERR_INVALID,
	                                    "cannot create a token with a duplicate ID")
	                          : rc;
}

struct value *token_object_auth(struct arena *a, const struct core *c,
                                const struct store_object *o, const char *text)
{
	const struct value *b = o->body, *meta = value_get(b, "meta");
	const struct value *policies = value_get(b, "policies");
	struct value *auth = value_object(a);
	int64_t uses = value_int_or(b, "uses", 0);

	value_set_str(a, auth, "client_token", text);
	value_set_str(a, auth, "accessor", value_cstr_or(a, b, "accessor", ""));
	value_set(auth, "policies", value_copy(a, policies));
	value_set(auth, "token_policies", value_copy(a, policies));
	value_set(auth, "metadata", meta != NULL ? value_copy(a, meta) : value_null(a));
	value_set_int(a, auth, "lease_duration", (token_left_ms(c, o) + 500) / 1000);
	value_set_bool(a, auth, "renewable", value_bool_or(b, "renewable", false));
	value_set_str(a, auth, "entity_id", "");
	value_set_str(a, auth, "token_type", "service");
	value_set_bool(a, auth, "orphan", value_bool_or(b, "orphan", false));
	value_set(auth, "mfa_requirement", value_null(a));
	value_set_int(a, auth, "num_uses", uses > 0 ? uses : 0);
	return auth;
}

struct value *token_auth_block(struct arena *a, struct core *c,
                               const unsigned char id[32], const char *text)
{
	struct store_object o;
	struct err e;

	if (token_load(c, a, id, &o, &e) != ERR_OK)
		return NULL;
	return token_object_auth(a, c, &o, arena_str(a, text));
}

void token_terms_of(const struct core *c, const struct store_object *o,
                    int64_t increment_ms, struct token_terms *t)
{
	const struct value *b = o->body;

	*t = (struct token_terms){
		.asked_ms = increment_ms > 0 ? increment_ms : value_int_or(b, "ttl", 0),
		.period_ms = value_int_or(b, "period", 0),
		.explicit_max_ms = value_int_or(b, "explicit_max", 0),
		.issued_ms = value_int_or(b, "created", 0),
		.now_ms = c->now_ms,
	};
}

int token_renew(struct core *c, struct arena *a, struct store_object *o,
                const struct token_terms *t, char warning[TOKEN_WARNING_MAX],
                struct err *e)
{
	int64_t ttl;
	int rc;

	if (!value_bool_or(o->body, "renewable", false))
		return err_set(e, ERR_INVALID, "lease is not renewable");
	if ((rc = token_ttl(t, &ttl, warning, e)) != ERR_OK)
		return rc;
	o->due = c->now_ms + ttl;
	set_number(a, o->body, "boot_due", c->boot_ms + ttl);
	set_number(a, o->body, "renewed", c->now_ms);
	return store_put(c, o, e);
}

/* Called for each token that goes, while it is still there. */
typedef int (*gone_fn)(struct core *c, const struct store_object *o, struct err *e);

static int remove_one(struct core *c, const unsigned char id[32], gone_fn gone,
                      struct err *e)
{
	AUTO_ARENA scratch = arena_new((size_t)1024 * 1024);
	struct store_object o;
	int rc;

	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = token_load(c, scratch, id, &o, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc == ERR_OK && gone != NULL)
		rc = gone(c, &o, e);
	if (rc == ERR_OK && MUTANT(MUTANT_REVOKED_IN_BATCH)) {
		o.due = c->now_ms + 1;
		return store_put(c, &o, e);
	}
	return rc == ERR_OK ? store_delete(c, &o, e) : rc;
}

static int children_of(struct core *c, const unsigned char id[32], struct found *f,
                       struct err *e)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);

	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_by_parent(c, scratch, KIND_TOKEN, id, 32, collect_id, f, e);
}

/* Found from the root down, removed from the leaves up. */
static int remove_tree(struct core *c, struct arena *a, const unsigned char id[32],
                       gone_fn gone, struct err *e)
{
	struct found f = { .a = a };
	int rc = add_id(&f, id, e);

	for (size_t i = 0; rc == ERR_OK && i < f.n; i++) {
		unsigned char parent[32];

		memcpy(parent, f.ids[i], sizeof(parent));
		rc = children_of(c, parent, &f, e);
	}
	while (rc == ERR_OK && f.n > 0)
		rc = remove_one(c, f.ids[--f.n], gone, e);
	return rc;
}

int token_revoke(struct core *c, struct arena *a, const unsigned char id[32],
                 struct err *e)
{
	return remove_tree(c, a, id, NULL, e);
}

int token_revoke_host(struct core *c, struct arena *a, const unsigned char host_id[16],
                      struct err *e)
{
	struct found f = { .a = a };
	unsigned char parent[32];
	int rc;

	host_parent(c, host_id, parent);
	rc = children_of(c, parent, &f, e);
	for (size_t i = 0; rc == ERR_OK && i < f.n; i++)
		rc = remove_tree(c, a, f.ids[i], NULL, e);
	return rc;
}

int token_orphan_children(struct core *c, struct arena *a, const unsigned char id[32],
                          struct err *e)
{
	struct found f = { .a = a };
	int rc = children_of(c, id, &f, e);

	for (size_t i = 0; rc == ERR_OK && i < f.n; i++) {
		struct store_object o;
		struct value *orphan;

		if ((rc = token_load(c, a, f.ids[i], &o, e)) != ERR_OK)
			break;
		o.parent_len = 0;
		if ((orphan = value_get(o.body, "orphan")) != NULL)
			orphan->type = V_TRUE;
		rc = store_put(c, &o, e);
	}
	return rc;
}

static int audit_expired(struct core *c, const struct store_object *o, struct err *e)
{
	AUTO_ARENA a = arena_new(16384);
	char request_id[37];
	struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.remote = "",
		.operation = "expire",
		.outcome = "ok",
		.error = "",
	};

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rng_uuid4(request_id);
	rec.accessor = value_cstr_or(a, o->body, "accessor", "");
	rec.path = value_cstr_or(a, o->body, "path", "");
	return audit_append(c, &rec, e);
}

int token_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	AUTO_ARENA scratch = arena_new(LIMIT_REQUEST_ARENA);
	struct found f = { .a = a };
	int rc;

	if (MUTANT(MUTANT_EXPIRED_LIVES))
		return ERR_OK;
	if (scratch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_due(c, scratch, KIND_TOKEN, c->now_ms, limit, collect_id, &f, e);
	for (size_t i = 0; rc == ERR_OK && i < f.n; i++)
		rc = remove_tree(c, a, f.ids[i], audit_expired, e);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* approle_secret - secret ids: never stored, only the keyed hash that finds one. */
#include <sodium.h>
#include <string.h>

#include "approle.h"
#include "arena.h"
#include "audit.h"
#include "keyring.h"
#include "rng.h"

#define PAGE 64

static void secret_hash(struct core *c, const struct approle *role, const char *text,
                        unsigned char id[32])
{
	static const char label[] = "approle-secret-id";
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, keyring_key(c->keys, KEY_TOKEN_PEPPER), 32, 32);
	(void)crypto_generichash_update(&h, (const unsigned char *)label, sizeof(label));
	(void)crypto_generichash_update(&h, role->family, sizeof(role->family));
	(void)crypto_generichash_update(&h, (const unsigned char *)text, strlen(text));
	(void)crypto_generichash_final(&h, id, 32);
	sodium_memzero(&h, sizeof(h));
}

static void accessor_tag(struct core *c, const struct approle *role, const char *accessor,
                         unsigned char tag[32])
{
	store_blind(c, tag, "secret-id-accessor", role->family, sizeof(role->family),
	            accessor, strlen(accessor));
}

static const struct value *or_empty(const struct value *v, struct value *empty)
{
	return v != NULL ? v : empty;
}

static void read_secret(struct arena *a, struct approle_secret *s)
{
	const struct value *b = s->o.body;

	s->accessor = value_cstr_or(a, b, "accessor", "");
	s->created_ms = value_int_or(b, "created", 0);
	s->updated_ms = value_int_or(b, "updated", 0);
	s->ttl_ms = value_int_or(b, "ttl", 0);
	s->uses = value_int_or(b, "uses", 0);
	s->meta = or_empty(value_get(b, "meta"), value_object(a));
	s->cidrs = or_empty(value_get(b, "cidrs"), value_array(a));
	s->token_cidrs = or_empty(value_get(b, "token_cidrs"), value_array(a));
}

static void set_body(struct core *c, struct arena *a, const struct mount *m,
                     const struct approle *role, struct approle_secret *s)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "accessor", s->accessor);
	value_set_str(a, b, "role", role->name);
	value_set_bytes(a, b, "mount", m->id, MOUNT_ID);
	value_set_int(a, b, "created", s->created_ms);
	value_set_int(a, b, "updated", s->updated_ms);
	value_set_int(a, b, "ttl", s->ttl_ms);
	value_set_int(a, b, "uses", s->uses);
	if (s->ttl_ms > 0)
		value_set_int(a, b, "boot_due", c->boot_ms + s->ttl_ms);
	value_set(b, "meta", value_copy(a, s->meta));
	value_set(b, "cidrs", value_copy(a, s->cidrs));
	value_set(b, "token_cidrs", value_copy(a, s->token_cidrs));
	s->o.body = b;
}

int approle_secret_new(struct core *c, struct arena *a, const struct mount *m,
                       const struct approle *role, const char *text,
                       struct approle_secret *s, struct err *e)
{
	char accessor[37];
	int rc;

	rng_uuid4(accessor);
	s->accessor = arena_str(a, accessor);
	s->created_ms = s->updated_ms = c->now_ms;
	s->o = (struct store_object){ .kind = KIND_SECRET_ID,
		                      .id_len = 32,
		                      .parent_len = APPROLE_FAMILY,
		                      .tag_len = 32,
		                      .due = s->ttl_ms > 0 ? c->now_ms + s->ttl_ms : 0 };
	secret_hash(c, role, text, s->o.id);
	memcpy(s->o.parent, role->family, APPROLE_FAMILY);
	accessor_tag(c, role, accessor, s->o.tag);
	set_body(c, a, m, role, s);
	rc = store_put(c, &s->o, e);
	return rc == ERR_CONFLICT
	               ? err_set(e, ERR_INVALID, "SecretID is already registered")
	               : rc;
}

bool approle_secret_alive(const struct core *c, const struct store_object *o)
{
	int64_t boot_due = value_int_or(o->body, "boot_due", 0);

	return (o->due == 0 || c->now_ms < o->due) &&
	       (boot_due == 0 || c->boot_ms < boot_due);
}

int approle_secret_find(struct core *c, struct arena *a, const struct approle *role,
                        const char *text, struct approle_secret *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	secret_hash(c, role, text, id);
	rc = store_get(c, a, KIND_SECRET_ID, id, sizeof(id), &out->o, e);
	if (rc != ERR_OK)
		return rc;
	if (!approle_secret_alive(c, &out->o))
		return err_set(e, ERR_NOENT, "no such secret id");
	read_secret(a, out);
	return ERR_OK;
}

/* Objects of one page of a query; they live in its arena. */
struct page {
	struct store_object o[PAGE];
	int n;
};

static int take(void *ctx, struct store_object *o, struct err *e)
{
	struct page *p = ctx;

	(void)e;
	p->o[p->n++] = *o;
	return ERR_OK;
}

int approle_secret_by_accessor(struct core *c, struct arena *a,
                               const struct approle *role, const char *accessor,
                               struct approle_secret *out, struct err *e)
{
	struct page p = { .n = 0 };
	unsigned char tag[32];
	int rc;

	accessor_tag(c, role, accessor, tag);
	rc = store_by_tag_page(c, a, KIND_SECRET_ID, tag, sizeof(tag), NULL, 0, 1, take,
	                       &p, e);
	if (rc != ERR_OK)
		return rc;
	if (p.n == 0 || !approle_secret_alive(c, &p.o[0]))
		return err_set(e, ERR_NOENT, "no such secret id");
	out->o = p.o[0];
	read_secret(a, out);
	return ERR_OK;
}

static void set_number(struct arena *a, struct value *body, const char *key, int64_t n)
{
	struct value *old = value_get(body, key), *v = value_int(a, n);

	if (old != NULL && v != NULL) {
		old->type = v->type;
		old->text = v->text;
		old->len = v->len;
	}
}

int approle_secret_use(struct core *c, struct arena *a, struct approle_secret *s,
                       struct err *e)
{
	if (s->uses == 0)
		return ERR_OK;
	if (s->uses == 1)
		return store_delete(c, &s->o, e);
	set_number(a, s->o.body, "uses", s->uses - 1);
	set_number(a, s->o.body, "updated", c->now_ms);
	return store_put(c, &s->o, e);
}

int approle_secrets_drop(struct core *c, const unsigned char family[APPROLE_FAMILY],
                         int limit, bool *done, struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);
	struct page p = { .n = 0 };
	int n = limit < PAGE ? limit : PAGE, rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_by_parent_page(c, a, KIND_SECRET_ID, family, APPROLE_FAMILY, NULL, 0,
	                          n, take, &p, e);
	for (int i = 0; rc == ERR_OK && i < p.n; i++)
		rc = store_delete(c, &p.o[i], e);
	*done = p.n < n;
	return rc;
}

static int audit_expired(struct core *c, struct arena *a, const struct store_object *o,
                         struct err *e)
{
	const struct value *id = value_get(o->body, "mount");
	const struct mount *m = id != NULL && id->len == MOUNT_ID
	                                ? mounts_by_id(c, (const unsigned char *)id->text)
	                                : NULL;
	char request_id[37];
	const struct audit_record rec = {
		.request_id = request_id,
		.actor_type = "system",
		.actor = "",
		.accessor = value_cstr_or(a, o->body, "accessor", ""),
		.remote = "",
		.operation = "expire",
		.path = arena_printf(a, "%srole/%s/secret-id", m != NULL ? m->path : "",
		                     value_cstr_or(a, o->body, "role", "")),
		.outcome = "ok",
		.error = "",
	};

	if (rec.path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rng_uuid4(request_id);
	return audit_append(c, &rec, e);
}

int approle_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
{
	struct page p = { .n = 0 };
	int rc = store_due(c, a, KIND_SECRET_ID, c->now_ms, limit < PAGE ? limit : PAGE,
	                   take, &p, e);

	for (int i = 0; rc == ERR_OK && i < p.n; i++)
		if ((rc = audit_expired(c, a, &p.o[i], e)) == ERR_OK)
			rc = store_delete(c, &p.o[i], e);
	return rc;
}

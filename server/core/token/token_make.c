/* SPDX-License-Identifier: Apache-2.0 */
/* token_make - a new token in the store, and how a reply shows it. */
#include <string.h>

#include "arena.h"
#include "text.h"
#include "token.h"
#include "token_impl.h"
#include "vault/limits.h"

#define ACCESSOR_LEN 24

_Static_assert(sizeof(((struct token_made *)0)->text) == LIMIT_TOKEN_TEXT + 1,
               "room for the longest token");

void token_host_parent(struct core *c, const unsigned char host_id[16],
                       unsigned char out[32])
{
	store_blind(c, out, "token-host", host_id, 16, NULL, 0);
}

static void set_member(struct value *body, const char *key, struct value *v)
{
	struct value *old = value_get(body, key);

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

void token_set_int(struct arena *a, struct value *body, const char *key, int64_t n)
{
	set_member(body, key, value_int(a, n));
}

void token_set_true(struct arena *a, struct value *body, const char *key)
{
	set_member(body, key, value_bool(a, true));
}

struct value *token_body(struct core *c, struct arena *a, const struct token_spec *s,
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
	if (s->role != NULL)
		value_set_str(a, o, "role", s->role);
	if (s->mount_id != NULL) {
		value_set_bytes(a, o, "mount", s->mount_id, 16);
		value_set_str(a, o, "login_role", s->login_role);
		if (s->login_data != NULL)
			value_set(o, "login", value_copy(a, s->login_data));
	}
	return o;
}

static int64_t due_of(const struct core *c, const struct token_spec *s)
{
	return s->ttl_ms > 0 ? c->now_ms + s->ttl_ms : 0;
}

static int create_batch(struct core *c, struct arena *a, const struct token_spec *s,
                        struct token_made *made, struct err *e)
{
	int rc;

	made->accessor[0] = '\0';
	rc = token_batch_make(c, a, s->parent, token_body(c, a, s, ""), due_of(c, s),
	                      made->text, e);
	if (rc == ERR_OK)
		token_hash(c, made->text, strlen(made->text), made->id);
	return rc;
}

static int choose_text(const struct token_spec *spec, struct token_made *made,
                       struct err *e)
{
	if (spec->token_text == NULL)
		token_new('s', made->text);
	else if (strlen(spec->token_text) < sizeof(made->text))
		memcpy(made->text, spec->token_text, strlen(spec->token_text) + 1);
	else
		return err_set(e, ERR_INVALID, "token id is too long");
	return ERR_OK;
}

int token_create(struct core *c, struct arena *a, const struct token_spec *spec,
                 struct token_made *made, struct err *e)
{
	struct store_object o = { .kind = KIND_TOKEN, .id_len = 32, .tag_len = 32 };
	int rc;

	if (spec->batch)
		return create_batch(c, a, spec, made, e);
	if ((rc = choose_text(spec, made, e)) != ERR_OK)
		return rc;
	text_base62_random(made->accessor, ACCESSOR_LEN);
	token_hash(c, made->text, strlen(made->text), made->id);
	memcpy(o.id, made->id, sizeof(made->id));
	store_blind(c, o.tag, "accessor", made->accessor, ACCESSOR_LEN, NULL, 0);
	if (spec->parent != NULL)
		memcpy(o.parent, spec->parent, 32);
	else if (spec->host_id != NULL)
		token_host_parent(c, spec->host_id, o.parent);
	o.parent_len = spec->parent != NULL || spec->host_id != NULL ? 32 : 0;
	o.due = due_of(c, spec);
	o.body = token_body(c, a, spec, made->accessor);
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
	value_set_str(a, auth, "token_type", token_is_batch(o) ? "batch" : "service");
	value_set_bool(a, auth, "orphan", value_bool_or(b, "orphan", false));
	value_set(auth, "mfa_requirement", value_null(a));
	value_set_int(a, auth, "num_uses", uses > 0 ? uses : 0);
	return auth;
}

struct value *token_auth_block(struct arena *a, struct core *c,
                               const struct token_made *made)
{
	struct store_object o;
	struct err e;

	if (token_find(c, a, made->text, &o, &e) != ERR_OK)
		return NULL;
	return token_object_auth(a, c, &o, arena_str(a, made->text));
}

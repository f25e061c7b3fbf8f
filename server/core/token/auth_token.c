/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_token.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "keyring.h"
#include "mounts.h"
#include "mutant.h"
#include "token.h"
#include "token_impl.h"
#include "token_params.h"
#include "vault/limits.h"

#define SPENT (-1) /* "uses" of a token whose last use is under way */
/* How long a spent token is kept for a request that is parked with it. */
#define SPENT_KEPT_MS (3600ll * 1000)

void token_hash(struct core *c, const char *text, size_t n, unsigned char id[32])
{
	crypto_generichash(id, 32, (const unsigned char *)text, n,
	                   keyring_key(c->keys, KEY_TOKEN_PEPPER), 32);
}

bool token_is_batch(const struct store_object *o)
{
	return value_bool_or(o->body, "batch", false);
}

static bool expired(const struct core *c, const struct store_object *o)
{
	int64_t boot_due = value_int_or(o->body, "boot_due", 0);

	if (MUTANT(MUTANT_EXPIRED_LIVES))
		return false;
	return (o->due != 0 && c->now_ms >= o->due) ||
	       (boot_due != 0 && c->boot_ms >= boot_due);
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
	return value_int_or(o->body, "uses", 0) != SPENT &&
	       !value_bool_or(o->body, "dead", false) && !expired(c, o) &&
	       !issuer_gone(c, o);
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

static int load_batch(struct core *c, struct arena *a, const char *text, size_t n,
                      struct store_object *o, struct err *e)
{
	bool held = false;
	int rc = token_batch_open(c, a, text, n, o, e);

	if (rc == ERR_OK)
		rc = token_batch_held(c, a, o, &held, e);
	if (rc == ERR_OK && !held)
		return err_set(e, ERR_NOENT, "no such token");
	return rc;
}

/* Alive or not.  What looks like ours but has a typo never reaches the store. */
static int load_text(struct core *c, struct arena *a, const char *text,
                     struct store_object *o, struct err *e)
{
	size_t n = strlen(text);
	unsigned char id[32];

	if (n == 0 || n > LIMIT_TOKEN_TEXT)
		return err_set(e, ERR_NOENT, "no such token");
	if (strncmp(text, "vlt_b_", 6) == 0)
		return load_batch(c, a, text, n, o, e);
	if (strncmp(text, "vlt_", 4) == 0 && !token_valid(text, n, 's') &&
	    !token_valid(text, n, 'w'))
		return err_set(e, ERR_NOENT, "no such token");
	token_hash(c, text, n, id);
	return token_load(c, a, id, o, e);
}

int token_find(struct core *c, struct arena *a, const char *text, struct store_object *o,
               struct err *e)
{
	int rc = load_text(c, a, text, o, e);

	if (rc != ERR_OK)
		return rc;
	return token_alive(c, o) ? ERR_OK : err_set(e, ERR_NOENT, "no such token");
}

struct first {
	struct store_object o;
	bool found;
};

static int take_first(void *ctx, struct store_object *o, struct err *e)
{
	struct first *f = ctx;

	(void)e;
	f->o = *o;
	f->found = true;
	return ERR_OK;
}

int token_find_accessor(struct core *c, struct arena *a, const char *accessor,
                        struct store_object *o, struct err *e)
{
	struct first f = { .found = false };
	unsigned char tag[32];
	int rc;

	store_blind(c, tag, "accessor", accessor, strlen(accessor), NULL, 0);
	rc = store_by_tag_page(c, a, KIND_TOKEN, tag, sizeof(tag), NULL, 0, 1, take_first,
	                       &f, e);
	if (rc != ERR_OK)
		return rc;
	if (!f.found || !token_alive(c, &f.o))
		return err_set(e, ERR_NOENT, "no such token");
	*o = f.o;
	return ERR_OK;
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
	token_set_int(r->a, o->body, "uses", uses);
	if (uses == SPENT && (put.due == 0 || put.due > keep))
		put.due = keep;
	return store_put(r->core, &put, &r->e);
}

void token_identity(struct req *r, const struct store_object *o)
{
	const struct value *host = value_get(o->body, "host");
	const struct value *accessor = value_get(o->body, "accessor");
	struct ident *id = &r->id;

	id->type = IDENT_SERVICE;
	id->batch = token_is_batch(o);
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

/* A parked request goes on although its token was good for it alone. */
static bool usable(const struct req *r, const struct store_object *o)
{
	bool parked_last = r->resumed > 0 && value_int_or(o->body, "uses", 0) == SPENT &&
	                   !value_bool_or(o->body, "dead", false) &&
	                   !expired(r->core, o) && !issuer_gone(r->core, o);

	return (token_alive(r->core, o) || parked_last) &&
	       token_cidrs_admit(value_get(o->body, "cidrs"), r->remote);
}

int token_authenticate(struct req *r)
{
	struct store_object o = { 0 };
	int rc = r->token != NULL ? load_text(r->core, r->a, r->token, &o, &r->e)
	                          : ERR_NOENT;

	if (rc == ERR_NOENT || (rc == ERR_OK && !usable(r, &o)))
		return req_fail(r, ERR_DENIED, "permission denied");
	if (rc != ERR_OK || (rc = count_use(r, &o)) != ERR_OK)
		return rc;
	token_identity(r, &o);
	return ERR_OK;
}

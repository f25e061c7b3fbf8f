/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_store.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "store.h"
#include "util.h"

#define LOAD_ARENA ((size_t)4 * 1024 * 1024)
#define MALFORMED  "a stored revocation list is malformed"

/* ---- the set in memory ---- */

static void add(struct crls *s, struct crl *l)
{
	s->at[s->n++] = l;
	s->bytes += l->n;
}

static void drop(struct crls *s, const struct crl *l)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->at[i] != l)
			continue;
		s->at[i] = s->at[--s->n];
		s->bytes -= l->n;
		return;
	}
}

struct change {
	struct core *c;
	struct crl *gone, *come; /* either may be NULL */
};

static void change_undo(void *arg)
{
	struct change *ch = arg;
	struct crls *s = ch->c->crls;

	/* Sealed in the meantime: the new list went with the set. */
	if (s != NULL && ch->come != NULL) {
		drop(s, ch->come);
		crl_free(ch->come);
	}
	if (s != NULL && ch->gone != NULL)
		add(s, ch->gone);
	else
		crl_free(ch->gone);
	free(ch);
}

static void change_done(void *arg)
{
	struct change *ch = arg;

	crl_free(ch->gone);
	free(ch);
}

/* Undone with the savepoint.  Takes ${come} over if it succeeds. */
static int change(struct core *c, struct crl *gone, struct crl *come, struct err *e)
{
	struct change *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*ch = (struct change){ c, gone, come };
	if (gone != NULL)
		drop(c->crls, gone);
	if (come != NULL)
		add(c->crls, come);
	core_undo(c, change_undo, ch);
	core_after_commit(c, change_done, ch);
	return ERR_OK;
}

/* ---- the stored ones ---- */

static int open_row(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
                    const char *name, struct store_object *o, struct err *e)
{
	unsigned char id[32];
	int rc;

	store_blind(c, id, "crl", mount, MOUNT_ID, name, strlen(name));
	rc = store_get(c, a, KIND_CRL, id, sizeof(id), o, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(o, 0, sizeof(*o));
	o->kind = KIND_CRL;
	memcpy(o->id, id, sizeof(id));
	o->id_len = sizeof(id);
	memcpy(o->parent, mount, MOUNT_ID);
	o->parent_len = MOUNT_ID;
	return rc;
}

static struct crl *find(struct core *c, const unsigned char mount[MOUNT_ID],
                        const char *name)
{
	return (struct crl *)(uintptr_t)crl_find(c, mount, name);
}

int crl_check(const struct core *c, const unsigned char mount[MOUNT_ID], const char *name,
              const struct crl_der *d, size_t n, struct err *e)
{
	const struct crl *old = crl_find(c, mount, name);
	size_t lists = c->crls->n - (old != NULL), bytes = c->crls->bytes;
	char text[CLOCK_RFC3339_MAX];

	if (old != NULL)
		bytes -= old->n;
	if (lists >= LIMIT_CRLS || bytes + n > LIMIT_CRL_TOTAL)
		return err_set(e, ERR_INVALID,
		               "all certificate auth methods together may have %u "
		               "revocation lists of %u bytes",
		               LIMIT_CRLS, LIMIT_CRL_TOTAL);
	/* Whoever can only hand on what he was sent cannot take a revocation back. */
	if (old == NULL || old->der.this_ms <= d->this_ms ||
	    old->der.issuer.n != d->issuer.n ||
	    memcmp(old->der.issuer.p, d->issuer.p, d->issuer.n) != 0)
		return ERR_OK;
	clock_rfc3339(old->der.this_ms, text);
	return err_set(e, ERR_INVALID,
	               "the revocation list is older than the one that is there, of %s: "
	               "delete that first",
	               text);
}

int crl_put(struct core *c, const unsigned char mount[MOUNT_ID], const char *name,
            const struct crl_new *new, struct err *e)
{
	AUTO_ARENA a = arena_new(LOAD_ARENA);
	struct crl *come = NULL;
	struct store_object o;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = open_row(c, a, mount, name, &o, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	o.body = value_object(a);
	value_set_str(a, o.body, "name", name);
	value_set_bytes(a, o.body, "crl", new->p, new->n);
	value_set_bytes(a, o.body, "signer", new->signer, 32);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = crl_make(mount, name, new->p, new->n, &come, e)) != ERR_OK)
		return rc;
	if ((rc = crl_check(c, mount, name, &come->der, come->n, e)) != ERR_OK ||
	    (rc = store_put(c, &o, e)) != ERR_OK ||
	    (rc = change(c, find(c, mount, name), come, e)) != ERR_OK)
		crl_free(come);
	return rc;
}

int crl_delete(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
               const char *name, struct err *e)
{
	struct store_object o;
	int rc = open_row(c, a, mount, name, &o, e);

	if (rc != ERR_OK || (rc = store_delete(c, &o, e)) != ERR_OK)
		return rc;
	return change(c, find(c, mount, name), NULL, e);
}

/* ---- many ---- */

struct one {
	struct store_object o;
	bool found;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct one *s = ctx;

	(void)e;
	s->o = *o;
	s->found = true;
	return ERR_OK;
}

int crls_destroy(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
                 int *rows, struct err *e)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && *rows > 0) {
		struct one s = { .found = false };
		struct crl *l;

		rc = store_by_parent_page(c, a, KIND_CRL, mount, MOUNT_ID, NULL, 0, 1,
		                          collect, &s, e);
		if (rc != ERR_OK || !s.found)
			return rc;
		l = find(c, mount, value_cstr_or(a, s.o.body, "name", ""));
		rc = store_delete(c, &s.o, e);
		if (rc == ERR_OK && l != NULL)
			rc = change(c, l, NULL, e);
		--*rows;
	}
	return rc;
}

static int load_one(struct core *c, struct arena *a, const struct store_object *o,
                    struct err *e)
{
	const struct value *der = value_get(o->body, "crl");
	const char *name = value_cstr_or(a, o->body, "name", "");
	struct crl *l = NULL;
	int rc;

	if (der == NULL || der->type != V_BYTES || name[0] == '\0' ||
	    strlen(name) > LIMIT_NAME || o->parent_len != MOUNT_ID ||
	    c->crls->n == LIMIT_CRLS)
		return err_set(e, ERR_INTEGRITY, MALFORMED);
	rc = crl_make(o->parent, name, (const unsigned char *)der->text, der->len, &l, e);
	if (rc != ERR_OK)
		return rc == ERR_NOMEM ? rc : err_set(e, ERR_INTEGRITY, MALFORMED);
	add(c->crls, l);
	return ERR_OK;
}

int crls_load(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(LOAD_ARENA);
	struct one s = { .found = true };
	int rc = ERR_OK;

	if (a == NULL || (c->crls = calloc(1, sizeof(*c->crls))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (rc == ERR_OK && s.found) {
		const size_t after = s.o.id_len;

		s.found = false;
		rc = store_each(c, a, KIND_CRL, after > 0 ? s.o.id : NULL, after, 1,
		                collect, &s, e);
		if (rc == ERR_OK && s.found)
			rc = load_one(c, a, &s.o, e);
		arena_reset(a);
	}
	return rc;
}

void crls_free(struct core *c)
{
	struct crls *s = c->crls;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		crl_free(s->at[i]);
	free(s);
	c->crls = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_trust.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cert_pem.h"
#include "log.h"
#include "store.h"
#include "vault/ipc.h"

#define LOAD_PAGE  16
#define LOAD_ARENA ((size_t)64 * 1024 * 1024)
#define PUSH_ARENA ((size_t)1024 * 1024)

struct known {
	unsigned char sha256[32];
	int64_t roles; /* that hold it; 0: goes when net is told */
	size_t n;
	unsigned char der[];
};

struct cert_trust {
	struct known **at; /* in order of digest */
	size_t n, cap;
	size_t live, bytes; /* those that some role holds, and their DER together */
	bool stale;         /* net has not heard of the last change */
};

/* The place of a digest, or where it would be. */
static size_t place_of(const struct cert_trust *t, const unsigned char sha256[32])
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(t->at[mid]->sha256, sha256, 32) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct known *find(const struct cert_trust *t, const unsigned char sha256[32])
{
	size_t i = place_of(t, sha256);

	return i < t->n && memcmp(t->at[i]->sha256, sha256, 32) == 0 ? t->at[i] : NULL;
}

static struct known *find_or_add(struct cert_trust *t, const struct cert_der *d)
{
	size_t i = place_of(t, d->sha256), cap = t->cap > 0 ? t->cap * 2 : 16;
	struct known *k = find(t, d->sha256), **at;

	if (k != NULL)
		return k;
	if (t->n == t->cap) {
		if ((at = realloc(t->at, cap * sizeof(struct known *))) == NULL)
			return NULL;
		t->at = at;
		t->cap = cap;
	}
	if ((k = calloc(1, sizeof(*k) + d->n)) == NULL)
		return NULL;
	memcpy(k->sha256, d->sha256, sizeof(k->sha256));
	memcpy(k->der, d->p, d->n);
	k->n = d->n;
	memmove(t->at + i + 1, t->at + i, (t->n - i) * sizeof(struct known *));
	t->at[i] = k;
	t->n++;
	return k;
}

static void count(struct cert_trust *t, struct known *k, int by)
{
	bool was = k->roles > 0;

	k->roles += by;
	if (was == (k->roles > 0))
		return;
	t->live = was ? t->live - 1 : t->live + 1;
	t->bytes = was ? t->bytes - k->n : t->bytes + k->n;
	t->stale = true;
}

/* ---- telling net ---- */

static void drop_unheld(struct cert_trust *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->at[i]->roles > 0)
			t->at[kept++] = t->at[i];
		else
			free(t->at[i]);
	}
	t->n = kept;
}

static void tell(struct core *c, const struct cert_trust *t)
{
	AUTO_ARENA a = arena_new(PUSH_ARENA);
	struct value *set, *cas;

	if (a == NULL)
		goto fail;
	set = value_object(a);
	cas = value_array(a);
	for (size_t i = 0; t != NULL && i < t->n; i++)
		value_add(cas, value_bytes(a, t->at[i]->der, t->at[i]->n));
	value_set(set, "cas", cas);
	if (arena_failed(a))
		goto fail;
	core_push_trust(c, set);
	return;
fail:
	log_error("out of memory for the certificates that vouch for clients");
}

void cert_trust_tell(struct core *c)
{
	struct cert_trust *t = c->trust;

	if (t == NULL || !t->stale)
		return;
	t->stale = false;
	drop_unheld(t);
	tell(c, t);
}

/* ---- changes ---- */

struct change {
	struct core *c;
	size_t n;
	struct {
		struct known *of;
		int by;
	} step[];
};

static void change_undo(void *arg)
{
	struct change *ch = arg;

	while (ch->c->trust != NULL && ch->n > 0) {
		ch->n--;
		count(ch->c->trust, ch->step[ch->n].of, -ch->step[ch->n].by);
	}
	free(ch);
}

static void step(struct change *ch, struct known *k, int by)
{
	count(ch->c->trust, k, by);
	ch->step[ch->n].of = k;
	ch->step[ch->n++].by = by;
}

static bool fits(const struct cert_trust *t)
{
	return t->live <= IPC_TRUST_CAS && t->bytes <= IPC_TRUST_BYTES;
}

static int refuse(struct change *ch, enum errcode code, struct err *e)
{
	change_undo(ch);
	if (code == ERR_NOMEM)
		return err_set(e, code, "out of memory");
	return err_set(e, code,
	               "the roles of all certificate auth methods together may trust %u "
	               "different certificates of %u bytes",
	               IPC_TRUST_CAS, IPC_TRUST_BYTES);
}

int cert_trust_change(struct core *c, const struct value *gone,
                      const struct cert_set *come, struct err *e)
{
	size_t old = gone != NULL ? gone->len : 0, new = come != NULL ? come->n : 0;
	struct cert_trust *t = c->trust;
	struct change *ch = calloc(1, sizeof(*ch) + (old + new) * sizeof(ch->step[0]));
	size_t live = t->live, bytes = t->bytes;
	struct known *k;

	if (ch == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ch->c = c;
	for (const struct value *v = old > 0 ? gone->first : NULL; v != NULL; v = v->next)
		if ((k = find(t, (const unsigned char *)v->text)) != NULL)
			step(ch, k, -1);
	for (size_t i = 0; i < new; i++) {
		if ((k = find_or_add(t, &come->at[i])) == NULL)
			return refuse(ch, ERR_NOMEM, e);
		step(ch, k, 1);
	}
	/* Where a release with higher limits has been, things may still shrink. */
	if (!fits(t) && (t->live > live || t->bytes > bytes))
		return refuse(ch, ERR_INVALID, e);
	core_undo(c, change_undo, ch);
	core_after_commit(c, free, ch);
	return ERR_OK;
}

const unsigned char *cert_trust_der(const struct core *c, const unsigned char sha256[32],
                                    size_t *n)
{
	const struct known *k = find(c->trust, sha256);

	if (k == NULL || k->roles == 0)
		return NULL;
	*n = k->n;
	return k->der;
}

/* ---- unseal and seal ---- */

struct load {
	struct core *c;
	struct arena *a;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	int seen;
};

static int load_one(void *ctx, struct store_object *o, struct err *e)
{
	struct load *l = ctx;
	const struct value *pem = value_get(o->body, "certificate");
	struct cert_trust *t = l->c->trust;
	struct cert_set set;
	struct known *k;
	int rc;

	memcpy(l->after, o->id, o->id_len);
	l->after_len = o->id_len;
	l->seen++;
	if (pem == NULL || pem->type != V_STRING)
		return err_set(e, ERR_INTEGRITY, "a certificate role is malformed");
	rc = cert_pem_read(l->a, pem->text, pem->len, &set, e);
	if (rc == ERR_NOMEM)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < set.n; i++) {
		if ((k = find_or_add(t, &set.at[i])) == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		count(t, k, 1);
	}
	return ERR_OK;
}

int cert_trust_load(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new(LOAD_ARENA);
	struct load l = { .c = c, .a = a };
	int rc;

	if (a == NULL || (c->trust = calloc(1, sizeof(*c->trust))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	do {
		l.seen = 0;
		rc = store_each(c, a, KIND_CERT, l.after_len > 0 ? l.after : NULL,
		                l.after_len, LOAD_PAGE, load_one, &l, e);
		arena_reset(a);
	} while (rc == ERR_OK && l.seen == LOAD_PAGE);
	c->trust->stale = true; /* what net knows is of another time */
	return rc;
}

void cert_trust_free(struct core *c)
{
	struct cert_trust *t = c->trust;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i]);
	free(t->at);
	free(t);
	c->trust = NULL;
	tell(c, NULL);
}

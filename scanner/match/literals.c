/* SPDX-License-Identifier: Apache-2.0 */
#include "match/literals.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "match/automaton.h"
#include "match/database.h"
#include "match/sieve.h"

#define NEXT_LOOK 16u /* bytes of what follows that are looked at */

struct literals {
	const struct literal *list;
	size_t n;
	/* one of these */
	hs_database_t *db;
	struct automaton *slow;
	struct sieve *sieve;
	bool embedded; /* ${db} was compiled when the program was built */
};

struct literals_scratch {
	hs_scratch_t *hs;
};

void literals_free(struct literals *l)
{
	if (l == NULL)
		return;
	hs_free_database(l->db);
	automaton_free(l->slow);
	sieve_free(l->sieve);
	free(l);
}

static enum literals_engine choose(const struct literal *list, size_t n,
                                   enum literals_engine engine)
{
	if (engine == LITERALS_UNORDERED && sieve_fast() && sieve_fits(list, n))
		return LITERALS_SIEVE;
	if (engine != LITERALS_BEST && engine != LITERALS_UNORDERED)
		return engine;
	return n > 0 && hs_valid_platform() == HS_SUCCESS ? LITERALS_VECTOR
	                                                  : LITERALS_AUTOMATON;
}

int literals_new(const struct literal *list, size_t n, enum literals_engine engine,
                 struct literals **out, struct err *e)
{
	struct literals *l = calloc(1, sizeof(*l));
	int rc = ERR_OK;

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	l->list = list;
	l->n = n;
	engine = choose(list, n, engine);
	if (engine == LITERALS_VECTOR) {
		l->db = database_load(databases_embedded, list, n);
		l->embedded = l->db != NULL;
		if (!l->embedded)
			rc = database_compile(list, n, NULL, &l->db, e);
	} else if (engine == LITERALS_SIEVE) {
		rc = sieve_new(list, n, &l->sieve, e);
	} else if ((l->slow = automaton_new(list, n)) == NULL) {
		rc = err_set(e, ERR_NOMEM, "out of memory");
	}
	if (rc != ERR_OK) {
		literals_free(l);
		return rc;
	}
	*out = l;
	return ERR_OK;
}

/* Lengths go in, too: no two lists give the same bytes. */
void literals_hash(const struct literal *list, size_t n, unsigned char out[LITERALS_HASH])
{
	crypto_generichash_state s;

	(void)crypto_generichash_init(&s, NULL, 0, LITERALS_HASH);
	for (size_t i = 0; i < n; i++) {
		const unsigned char head[] = { (unsigned char)(list[i].n & 0xff),
			                       (unsigned char)(list[i].n >> 8),
			                       list[i].exact };

		(void)crypto_generichash_update(&s, head, sizeof(head));
		(void)crypto_generichash_update(&s, (const unsigned char *)list[i].text,
		                                list[i].n);
		(void)crypto_generichash_update(&s,
		                                (const unsigned char *)&list[i].next.n,
		                                sizeof(list[i].next.n));
		(void)crypto_generichash_update(&s,
		                                (const unsigned char *)&list[i].next.of,
		                                sizeof(list[i].next.of));
	}
	(void)crypto_generichash_final(&s, out, LITERALS_HASH);
}

const struct literal *literals_list(const struct literals *l, size_t *n)
{
	*n = l->n;
	return l->list;
}

bool literals_embedded(const struct literals *l)
{
	return l->embedded;
}

struct literals_scratch *literals_scratch_new(const struct literals *l)
{
	struct literals_scratch *s = calloc(1, sizeof(*s));

	if (s != NULL && l->db != NULL && hs_alloc_scratch(l->db, &s->hs) != HS_SUCCESS) {
		free(s);
		s = NULL;
	}
	return s;
}

void literals_scratch_free(struct literals_scratch *s)
{
	if (s == NULL)
		return;
	hs_free_scratch(s->hs);
	free(s);
}

bool literal_followed(const struct literal *l, const unsigned char *p, size_t n,
                      size_t end)
{
	const size_t most = l->next.n < NEXT_LOOK ? l->next.n : NEXT_LOOK;
	const size_t stop = n - end < most ? n : end + most;

	for (size_t i = end; i < stop; i++)
		if (!rule_has_byte(&l->next.of, p[i]))
			return false;
	return true;
}

struct telling {
	const struct literal *list;
	const unsigned char *p;
	literals_fn fn;
	void *ctx;
};

/* The automaton looks for all texts in any case. */
static void tell(void *ctx, unsigned id, size_t end)
{
	const struct telling *t = ctx;
	const struct literal *l = &t->list[id];

	if (!l->exact || memcmp(t->p + end - l->n, l->text, l->n) == 0)
		t->fn(t->ctx, id, end);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to,
                    unsigned flags, void *ctx)
{
	const struct telling *t = ctx;

	(void)from;
	(void)flags;
	t->fn(t->ctx, id, (size_t)to);
	return 0;
}

bool literals_in_place(const struct literals *l)
{
	return l->sieve != NULL;
}

void literals_find_marked(const struct literals *l, const unsigned char *p, size_t n,
                          const uint64_t *marks, literals_fn fn, void *ctx)
{
	sieve_find(l->sieve, p, n, marks, fn, ctx);
}

void literals_find(const struct literals *l, struct literals_scratch *s,
                   const unsigned char *p, size_t n, literals_fn fn, void *ctx)
{
	struct telling t = { l->list, p, fn, ctx };

	if (l->db != NULL)
		(void)hs_scan(l->db, (const char *)p, (unsigned)n, 0, s->hs, on_match,
		              &t);
	else if (l->sieve != NULL)
		sieve_find(l->sieve, p, n, NULL, fn, ctx);
	else
		automaton_find(l->slow, p, n, tell, &t);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "match/sieve.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "match/sieve_impl.h"

#define BLOCK SIEVE_BLOCK
#define WORD  SLOTS_WORD
#define READS (BLOCK + BUCKETS_WINDOW + WORD) /* from where a block begins, at most */

_Static_assert(WORD >= BUCKETS_WINDOW, "what is read for a window is there");

struct search {
	const struct sieve *s;
	const unsigned char *p;
	size_t n;
	const uint64_t *marks;
	struct slots_text text; /* the same */
};

static struct search search_of(const struct sieve *s, const unsigned char *p, size_t n,
                               const uint64_t *marks, literals_fn fn, void *ctx)
{
	return (struct search){
		.s = s,
		.p = p,
		.n = n,
		.marks = marks,
		.text = {.s = &s->slots, .p = p, .n = n, .fn = fn, .ctx = ctx},
	};
}

/* --- making one ----------------------------------------------------------------------
 */

static void make_tables(struct sieve *s)
{
	for (unsigned set = 0; set < SIEVE_SETS; set++)
		for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
			for (unsigned c = 0; c < BUCKETS_BYTES; c++) {
				const uint8_t by = (uint8_t)(s->buckets.take[k][c] >>
				                             8 * set);

				s->by_byte[set][k][c] = by;
				s->by_lower[k][set][c % 16] |= by;
				s->by_upper[k][set][c / 8] |= by;
			}
}

bool sieve_fast(void)
{
	return cpu_best() >= CPU_AVX2;
}

bool sieve_fits(const struct literal *list, size_t n)
{
	return buckets_fit(list, n) && slots_fit(list, n);
}

static int fill(struct sieve *s, const struct literal *list, size_t n, struct err *e)
{
	AUTO_FREE uint16_t *windows = calloc(n + 1, sizeof(*windows));
	const enum buckets_by by = cpu_best() == CPU_AVX2 ? BUCKETS_BY_HALVES
	                                                  : BUCKETS_BY_BYTE;

	if (windows == NULL ||
	    (!buckets_load(buckets_embedded, by, list, n, windows, &s->buckets) &&
	     buckets_choose(by, list, n, 0, windows, &s->buckets) != ERR_OK) ||
	    slots_init(&s->slots, list, n, windows) != ERR_OK)
		return err_set(e, ERR_NOMEM, "out of memory");
	make_tables(s);
	return ERR_OK;
}

int sieve_new(const struct literal *list, size_t n, struct sieve **out, struct err *e)
{
	struct sieve *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = fill(s, list, n, e)) == ERR_OK)
		*out = s;
	else
		sieve_free(s);
	return rc;
}

void sieve_free(struct sieve *s)
{
	if (s == NULL)
		return;
	slots_clear(&s->slots);
	free(s);
}

/* --- where candidates are ------------------------------------------------------------
 */

static bool is_marked(const uint64_t *marks, size_t at)
{
	const size_t i = at / LITERALS_GRAIN;

	return marks == NULL || (marks[i / 64] >> i % 64 & 1);
}

static void find_plain(const struct search *f)
{
	const struct buckets *b = &f->s->buckets;

	for (size_t at = 0; at + BUCKETS_LEAST <= f->n; at++) {
		unsigned in = is_marked(f->marks, at) ? UINT16_MAX : 0;

		for (size_t k = 0; k < BUCKETS_WINDOW && at + k < f->n && in != 0; k++)
			in &= b->take[k][f->p[at + k] % BUCKETS_BYTES];
		if (in != 0)
			slots_tell(&f->text, at);
	}
}

#ifdef __x86_64__

/* What is only read where it was written need not be set to zero by the compiler: many
 * texts are short. */
#if __has_attribute(uninitialized)
#define UNCLEARED __attribute__((uninitialized))
#else
#define UNCLEARED
#endif

static unsigned marks_of(const struct search *f, size_t at)
{
	const size_t grain = at / LITERALS_GRAIN;

	return f->marks != NULL ? (unsigned)(f->marks[grain / 64] >> grain % 64) & 15u
	                        : 15u;
}

/* A block that might be read beyond: from a copy with zeros around it, which no literal
 * has. */
static void find_at_edge(const struct search *f, sieve_places *places, size_t at,
                         struct slots_work *w)
{
	const size_t before = at < WORD ? at : WORD, left = f->n - at;
	const uint64_t marks = (uint64_t)marks_of(f, at) << BLOCK / LITERALS_GRAIN;
	unsigned char copy[BLOCK + READS] = { 0 };
	const struct sieve_text t = { f->s, copy, &marks, (size_t)2 * BLOCK };

	memcpy(copy + BLOCK - before, f->p + at - before,
	       before + (left < READS ? left : READS));
	(void)places(&t, 0, w);
	slots_tell_all(&f->text, at - BLOCK, copy, w);
}

static void find_fast(const struct search *f, sieve_places *places)
{
	const size_t blocks = f->n < READS ? 0 : (f->n - READS) / BLOCK;
	const struct sieve_text t = { f->s, f->p, f->marks, (blocks + 1) * BLOCK };
	UNCLEARED struct slots_work w;

	if (f->n < BUCKETS_LEAST)
		return;
	find_at_edge(f, places, 0, &w);
	for (size_t from = 0, to; from < t.end; from = to) {
		to = places(&t, from, &w);
		slots_tell_all(&f->text, from, f->p + from, &w);
	}
	for (size_t at = t.end; at + BUCKETS_LEAST <= f->n; at += BLOCK)
		find_at_edge(f, places, at, &w);
}

static void find(const struct search *f)
{
	const enum cpu best = cpu_best();

	if (best >= CPU_VBMI)
		find_fast(f, sieve_places_vbmi);
	else if (best >= CPU_AVX2)
		find_fast(f, sieve_places_avx2);
	else
		find_plain(f);
}

#else

static void find(const struct search *f)
{
	find_plain(f);
}

#endif

void sieve_find(const struct sieve *s, const unsigned char *p, size_t n,
                const uint64_t *marks, literals_fn fn, void *ctx)
{
	const struct search f = search_of(s, p, n, marks, fn, ctx);

	find(&f);
}

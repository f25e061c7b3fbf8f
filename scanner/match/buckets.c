/* SPDX-License-Identifier: Apache-2.0 */
#include "match/buckets.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How often a byte occurs in programs and prose, of some 65,536; all are seen. */
static const uint16_t often[BUCKETS_BYTES] = {
	3,    2,    2,   2,   2,    2,   2,    2,    2,    147,  1448, 2,    2,
	2,    2,    2,   2,   2,    2,   2,    2,    2,    2,    2,    2,    2,
	2,    2,    2,   2,   2,    2,   8727, 17,   502,  310,  58,   46,   43,
	189,  526,  527, 541, 26,   482, 472,  568,  1150, 597,  525,  422,  313,
	291,  319,  168, 139, 159,  193, 298,  380,  744,  309,  778,  10,   36,
	452,  189,  438, 257, 769,  217, 315,  111,  590,  34,   81,   429,  207,
	568,  546,  326, 20,  554,  680, 500,  348,  93,   62,   132,  78,   19,
	111,  73,   111, 6,   1518, 109, 2241, 615,  1601, 1437, 3999, 872,  603,
	1021, 2348, 148, 350, 1654, 870, 2320, 2248, 1263, 53,   2050, 2652, 3094,
	956,  327,  259, 281, 469,  63,  79,   27,   78,   9,    2,
};

struct set {
	uint64_t w[BUCKETS_BYTES / 64];
};

/* Literals that share a bucket. */
struct group {
	struct set at[BUCKETS_WINDOW];
	float share[BUCKETS_WINDOW]; /* of all bytes that are in the set, 0 to 1 */
	float cost;  /* of all texts that it takes, if bytes were by chance */
	size_t mate; /* before it: the cheapest to be joined with, … */
	float more;  /* … by so much; or there is none */
	size_t in;   /* the group that it was joined with; or itself */
};

#define NO_MATE 1e9f

static float share_of(const struct set *s)
{
	unsigned sum = 0;

	for (unsigned k = 0; k < BUCKETS_BYTES / 64; k++)
		for (uint64_t w = s->w[k]; w != 0; w &= w - 1)
			sum += often[k * 64 + (unsigned)__builtin_ctzll(w)];
	return (float)sum / 65536;
}

static void add_byte(struct set *s, unsigned char c)
{
	s->w[c % BUCKETS_BYTES / 64] |= UINT64_C(1) << c % 64;
}

static struct set set_of(const struct literal *l, size_t at)
{
	struct set s = { { 0 } };

	if (at >= l->n)
		return (struct set){
			{UINT64_MAX, UINT64_MAX}
		};
	add_byte(&s, (unsigned char)l->text[at]);
	if (!l->exact)
		add_byte(&s, (unsigned char)toupper((unsigned char)l->text[at]));
	return s;
}

static struct group group_of(const struct literal *l, size_t window)
{
	struct group g = { .cost = 1 };

	for (size_t k = 0; k < BUCKETS_WINDOW; k++) {
		g.at[k] = set_of(l, window + k);
		g.share[k] = window + k < l->n ? share_of(&g.at[k]) : 1;
		g.cost *= g.share[k];
	}
	return g;
}

/* Its cheapest window. */
static struct group cheapest(const struct literal *l, uint16_t *window)
{
	struct group g, best = group_of(l, 0);

	*window = 0;
	for (size_t w = 1; w + BUCKETS_WINDOW <= l->n; w++) {
		g = group_of(l, w);
		if (g.cost < best.cost) {
			best = g;
			*window = (uint16_t)w;
		}
	}
	return best;
}

/* What is taken more if ${a} and ${b} are joined. */
static float extra(const struct group *a, const struct group *b)
{
	float cost = 1;
	struct set both;

	for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
		for (unsigned i = 0; i < BUCKETS_BYTES / 64; i++)
			both.w[i] = a->at[k].w[i] & b->at[k].w[i];
		if (a->share[k] < 1 && b->share[k] < 1)
			cost *= a->share[k] + b->share[k] - share_of(&both);
	}
	return cost - a->cost - b->cost;
}

/* The groups, and what joining any two costs: of ${i} and ${k} before it at i * n + k. */
struct plan {
	size_t n;
	struct group *g;
	float *more;
};

static bool is_group(const struct plan *p, size_t i)
{
	return p->g[i].in == i;
}

static void find_mate(struct plan *p, size_t i)
{
	const float *more = &p->more[i * p->n];
	struct group *g = &p->g[i];

	g->more = NO_MATE;
	for (size_t k = 0; k < i; k++)
		if (is_group(p, k) && more[k] < g->more) {
			g->mate = k;
			g->more = more[k];
		}
}

static void find_costs(struct plan *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_group(p, k))
			p->more[i * p->n + k] = extra(&p->g[k], &p->g[i]);
	find_mate(p, i);
}

static void unite(struct group *a, const struct group *b)
{
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
		for (unsigned w = 0; w < BUCKETS_BYTES / 64; w++)
			a->at[k].w[w] |= b->at[k].w[w];
		a->share[k] = a->share[k] < 1 && b->share[k] < 1 ? share_of(&a->at[k])
		                                                 : 1;
	}
}

/* ${i} goes into its mate, which is before it. */
static void join(struct plan *p, size_t i)
{
	const size_t into = p->g[i].mate;
	struct group *a = &p->g[into];

	a->cost += p->g[i].cost + p->g[i].more;
	unite(a, &p->g[i]);
	p->g[i].in = into;
	find_costs(p, into);
	for (size_t k = into + 1; k < p->n; k++) {
		struct group *g = &p->g[k];
		const float more = is_group(p, k) ? extra(a, g) : NO_MATE;

		p->more[k * p->n + into] = more;
		if (!is_group(p, k))
			continue;
		if (g->mate == into || g->mate == i) {
			find_mate(p, k);
		} else if (more < g->more) {
			g->mate = into;
			g->more = more;
		}
	}
}

/* Many begin alike: those with the same window cost nothing together. */
static size_t join_alike(struct plan *p)
{
	size_t left = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t k = 0;

		while (k < i && (!is_group(p, k) ||
		                 memcmp(p->g[k].at, p->g[i].at, sizeof(p->g[i].at)) != 0))
			k++;
		p->g[i].in = k;
		left += k == i;
	}
	return left;
}

/* Those that cost least together, until there are as few as buckets. */
static void join_all(struct plan *p)
{
	size_t left = join_alike(p);

	for (size_t i = 0; i < p->n; i++)
		if (is_group(p, i))
			find_costs(p, i);
	for (; left > BUCKETS; left--) {
		size_t best = 0; /* is a group always, without a mate */

		for (size_t i = 1; i < p->n; i++)
			if (is_group(p, i) && p->g[i].more < p->g[best].more)
				best = i;
		join(p, best);
	}
}

static void fill(const struct group *g, size_t n, struct buckets *out)
{
	unsigned bucket = 0;

	*out = (struct buckets){ .take = { { 0 } } };
	for (size_t i = 0; i < n; i++) {
		if (g[i].in != i)
			continue;
		for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
			for (unsigned c = 0; c < BUCKETS_BYTES; c++)
				out->take[k][c] |=
					(uint16_t)((g[i].at[k].w[c / 64] >> c % 64 & 1)
				                   << bucket);
		bucket++;
	}
}

bool buckets_fit(const struct literal *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n < BUCKETS_LEAST)
			return false;
	return n > 0 && n <= BUCKETS_MOST;
}

int buckets_choose(const struct literal *list, size_t n, uint16_t *windows,
                   struct buckets *out, struct err *e)
{
	struct plan p = {
		.n = n,
		.g = calloc(n, sizeof(*p.g)),
		.more = calloc(n * n, sizeof(*p.more)),
	};
	int rc = ERR_OK;

	if (p.g != NULL && p.more != NULL) {
		for (size_t i = 0; i < n; i++)
			p.g[i] = cheapest(&list[i], &windows[i]);
		join_all(&p);
		fill(p.g, n, out);
	} else {
		rc = err_set(e, ERR_NOMEM, "out of memory");
	}
	free(p.g);
	free(p.more);
	return rc;
}

bool buckets_load(const struct buckets_embedded *table, const struct literal *list,
                  size_t n, uint16_t *windows, struct buckets *out)
{
	unsigned char hash[LITERALS_HASH];

	literals_hash(list, n, hash);
	for (; table->buckets != NULL; table++)
		if (memcmp(table->list, hash, sizeof(hash)) == 0) {
			memcpy(windows, table->windows, n * sizeof(*windows));
			*out = *table->buckets;
			return true;
		}
	return false;
}

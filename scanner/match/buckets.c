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
	size_t mate; /* one that it may be joined with … */
	float more;  /* … and by how much that costs more than both */
	size_t in;   /* the group that it was joined with; or itself */
};

#define NO_MATE 1e9f
#define ROUGHLY ((size_t)96) /* groups that are found by comparing neighbours alone */

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

static float share_at(const struct literal *l, size_t at)
{
	const unsigned char c = at < l->n ? (unsigned char)l->text[at] : 0;
	const unsigned other = l->exact ? c : (unsigned)toupper(c);
	unsigned sum = often[c % BUCKETS_BYTES];

	if (at >= l->n)
		return 1;
	if (other != c)
		sum += often[other % BUCKETS_BYTES];
	return (float)sum / 65536;
}

static float cost_of(const struct literal *l, size_t window)
{
	float cost = 1;

	for (size_t k = 0; k < BUCKETS_WINDOW; k++)
		cost *= share_at(l, window + k);
	return cost;
}

static struct group group_of(const struct literal *l, size_t window)
{
	struct group g = { .cost = cost_of(l, window) };

	for (size_t k = 0; k < BUCKETS_WINDOW; k++) {
		g.at[k] = set_of(l, window + k);
		g.share[k] = share_at(l, window + k);
	}
	return g;
}

static uint16_t cheapest_window(const struct literal *l)
{
	float cost, best = cost_of(l, 0);
	uint16_t window = 0;

	for (uint16_t w = 1; w + BUCKETS_WINDOW <= l->n; w++)
		if ((cost = cost_of(l, w)) < best) {
			best = cost;
			window = w;
		}
	return window;
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

static void unite(struct group *a, const struct group *b)
{
	a->cost += b->cost + extra(a, b);
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
		for (unsigned w = 0; w < BUCKETS_BYTES / 64; w++)
			a->at[k].w[w] |= b->at[k].w[w];
		a->share[k] = a->share[k] < 1 && b->share[k] < 1 ? share_of(&a->at[k])
		                                                 : 1;
	}
}

/* --- roughly: neighbours are joined ---------------------------------------------------
 */

static int by_bytes(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	return memcmp(a->at, b->at, sizeof(a->at));
}

static void meet_next(struct group *g, size_t i, size_t n)
{
	g[i].more = g[i].mate < n ? extra(&g[i], &g[g[i].mate]) : NO_MATE;
}

/* Sorted by what they begin with, ${n} of them; mates are those that come next.  As many
 * are left as are returned. */
static size_t join_neighbours(struct group *g, size_t n)
{
	size_t kept = 0;

	qsort(g, n, sizeof(*g), by_bytes);
	for (size_t i = 0; i < n; i++) {
		g[i].mate = i + 1;
		meet_next(g, i, n);
	}
	for (size_t left = n; left > ROUGHLY; left--) {
		size_t best = 0, before = 0;

		for (size_t i = 0; g[i].mate < n; i = g[i].mate)
			if (g[g[i].mate].more < g[best].more) {
				before = i;
				best = g[i].mate;
			}
		unite(&g[best], &g[g[best].mate]);
		g[best].mate = g[g[best].mate].mate;
		meet_next(g, best, n);
		if (best > 0)
			meet_next(g, before, n);
	}
	for (size_t i = 0; i < n; i = g[i].mate)
		g[kept++] = g[i];
	return kept;
}

/* --- well: any two are ----------------------------------------------------------------
 */

/* The groups, and what joining any two costs, of which the second is before the first. */
struct plan {
	size_t n;
	struct group *g;
	float more[ROUGHLY][ROUGHLY];
};

static bool is_group(const struct plan *p, size_t i)
{
	return p->g[i].in == i;
}

static void find_mate(struct plan *p, size_t i)
{
	const float *more = p->more[i];
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
			p->more[i][k] = extra(&p->g[k], &p->g[i]);
	find_mate(p, i);
}

/* ${i} goes into its mate, which is before it. */
static void join(struct plan *p, size_t i)
{
	const size_t into = p->g[i].mate;
	struct group *a = &p->g[into];

	unite(a, &p->g[i]);
	p->g[i].in = into;
	find_costs(p, into);
	for (size_t k = into + 1; k < p->n; k++) {
		struct group *g = &p->g[k];
		const float more = is_group(p, k) ? extra(a, g) : NO_MATE;

		p->more[k][into] = more;
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

/* Those that cost least together, until there are as few as buckets. */
static void join_all(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		p->g[i].in = i;
		find_costs(p, i);
	}
	for (size_t left = p->n; left > BUCKETS; left--) {
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
	struct plan p = { .g = calloc(n, sizeof(*p.g)) };

	if (p.g == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		windows[i] = cheapest_window(&list[i]);
		p.g[i] = group_of(&list[i], windows[i]);
	}
	p.n = join_neighbours(p.g, n);
	join_all(&p);
	fill(p.g, p.n, out);
	free(p.g);
	return ERR_OK;
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

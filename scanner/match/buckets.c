/* SPDX-License-Identifier: Apache-2.0 */
#include "match/buckets.h"

#include <ctype.h>
#include <math.h>
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

#define KINDS     64u   /* rows of pair_table */
#define PAIR_UNIT 8     /* of it, per bit */
#define SHARED    0.25f /* so much of a candidate does one more text for it cost */
#define ROUNDS    4u    /* of one literal after the other that improve anything */
#define WORDS     (BUCKETS_BYTES / 64)

/* How likely bytes are in programs and prose. */
struct odds {
	float of[KINDS];           /* a kind … */
	float after[KINDS][KINDS]; /* … and after another one: [before][kind] */
	unsigned char kind[BUCKETS_BYTES];
	float share[BUCKETS_BYTES]; /* of its kind that is this byte */
};

struct set {
	uint64_t w[WORDS];
};

/* What a bucket takes, or the window of a literal. */
struct group {
	struct set at[BUCKETS_WINDOW];
	float cost; /* how likely it is to be taken, 0 to 1 */
};

/* --- how often is what ------------------------------------------------------------
 */

/* As tools/pair-table has it. */
static unsigned kind_of(unsigned char c)
{
	static const char signs[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
	const char *sign = memchr(signs, c, sizeof(signs) - 1);

	if (isalpha(c))
		return (unsigned)tolower(c) - 'a';
	if (isdigit(c))
		return 26;
	if (sign != NULL)
		return 31 + (unsigned)(sign - signs);
	return c == ' ' ? 27 : c == '\n' ? 28 : c == '\t' ? 29 : 30;
}

static void find_odds(struct odds *o)
{
	memset(o->of, 0, sizeof(o->of));
	for (unsigned c = 0; c < BUCKETS_BYTES; c++) {
		o->kind[c] = (unsigned char)kind_of((unsigned char)c);
		o->of[o->kind[c]] += (float)often[c] / 65536;
	}
	for (unsigned c = 0; c < BUCKETS_BYTES; c++)
		o->share[c] = (float)often[c] / 65536 / o->of[o->kind[c]];
	for (unsigned a = 0; a < KINDS; a++)
		for (unsigned k = 0; k < KINDS; k++)
			o->after[a][k] = exp2f(-(float)pair_table[a][k] / PAIR_UNIT);
}

void buckets_odds(struct buckets_text *t, size_t n)
{
	float of[KINDS] = { 0 };

	for (unsigned c = 0; c < BUCKETS_BYTES; c++)
		of[kind_of((unsigned char)c)] += (float)often[c] / 65536;
	for (size_t i = 0; i < n; i++) {
		const unsigned k[] = { kind_of(t[i].p[0]), kind_of(t[i].p[1]),
			               kind_of(t[i].p[2]) };
		const unsigned less = pair_table[k[0]][k[1]] + pair_table[k[1]][k[2]];

		_Static_assert(BUCKETS_LEAST == 3, "as many");
		t[i].odds = of[k[0]] * exp2f(-(float)less / PAIR_UNIT);
	}
}

/* Kinds of bytes, and how much of each. */
struct kinds {
	uint64_t are;
	float share[KINDS];
};

static void list_kinds(const struct odds *o, const struct set *s, struct kinds *out)
{
	out->are = 0;
	for (unsigned i = 0; i < WORDS; i++)
		for (uint64_t w = s->w[i]; w != 0; w &= w - 1) {
			const unsigned c = i * 64 + (unsigned)__builtin_ctzll(w);
			const unsigned k = o->kind[c];
			const float before = out->are >> k & 1 ? out->share[k] : 0;

			out->are |= UINT64_C(1) << k;
			out->share[k] = before + o->share[c];
		}
}

static bool is_any(const struct set *s)
{
	return (s->w[0] & s->w[1]) == UINT64_MAX;
}

/* How likely bytes in a row are of these sets, if each is by the one before alone. */
static float cost_of(const struct odds *o, const struct set *at, unsigned n)
{
	struct kinds now;
	float p[KINDS], q[KINDS], sum = 0;
	uint64_t before;

	list_kinds(o, &at[0], &now);
	for (uint64_t w = now.are; w != 0; w &= w - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(w);

		p[k] = o->of[k] * now.share[k];
	}
	/* Only the last ones may be any. */
	for (unsigned i = 1; i < n && !is_any(&at[i]); i++) {
		before = now.are;
		list_kinds(o, &at[i], &now);
		for (uint64_t w = now.are; w != 0; w &= w - 1) {
			const unsigned k = (unsigned)__builtin_ctzll(w);

			q[k] = 0;
			for (uint64_t v = before; v != 0; v &= v - 1) {
				const unsigned j = (unsigned)__builtin_ctzll(v);

				q[k] += p[j] * o->after[j][k];
			}
			q[k] *= now.share[k];
		}
		memcpy(p, q, sizeof(p));
	}
	for (uint64_t w = now.are; w != 0; w &= w - 1)
		sum += p[__builtin_ctzll(w)];
	return sum;
}

static void add_byte(struct set *s, unsigned char c)
{
	s->w[c % BUCKETS_BYTES / 64] |= UINT64_C(1) << c % 64;
}

/* What a literal has at a place, or what has to follow it there. */
static struct set set_of(const struct literal *l, size_t at)
{
	struct set s = { { 0 } };

	if (at >= l->n + l->next.n)
		return (struct set){
			{UINT64_MAX, UINT64_MAX}
		};
	if (at >= l->n) {
		for (unsigned i = 0; i < WORDS; i++)
			s.w[i] = l->next.of.w[i] | l->next.of.w[i + WORDS];
		return s;
	}
	add_byte(&s, (unsigned char)l->text[at]);
	if (!l->exact)
		add_byte(&s, (unsigned char)toupper((unsigned char)l->text[at]));
	return s;
}

static struct group window_of(const struct literal *l, size_t window)
{
	struct group g = { .cost = 0 };

	for (size_t k = 0; k < BUCKETS_WINDOW; k++)
		g.at[k] = set_of(l, window + k);
	return g;
}

/* All bytes of the lower halves and of the upper halves of those in it: eight bits are of
 * one upper half, and of every second lower one of these. */
static void by_halves(struct set *s)
{
	uint64_t lower = s->w[0] | s->w[1];

	lower |= lower >> 32;
	lower |= lower >> 16;
	for (unsigned i = 0; i < WORDS; i++)
		for (unsigned shift = 0; shift < 64; shift += 8)
			if ((s->w[i] >> shift & 0xff) != 0)
				s->w[i] |= (lower >> shift % 16 & 0xff) << shift;
}

static void add(enum buckets_by by, struct group *g, const struct group *one)
{
	for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
		for (unsigned i = 0; i < WORDS; i++)
			g->at[k].w[i] |= one->at[k].w[i];
		if (by == BUCKETS_BY_HALVES)
			by_halves(&g->at[k]);
	}
}

/* --- choosing ---------------------------------------------------------------------
 */

/* What is kept of a choice while a better one is looked for. */
struct kept {
	unsigned char in[BUCKETS_MOST];
	uint16_t windows[BUCKETS_MOST];
	struct group bucket[BUCKETS];
};

struct choice {
	enum buckets_by by;
	struct odds odds;
	const struct literal *list;
	size_t n;
	uint16_t *windows;
	unsigned char in[BUCKETS_MOST]; /* the bucket of each; BUCKETS: in none yet */
	struct group bucket[BUCKETS];
	struct kept best;
};

static void take_out(struct choice *c, size_t i)
{
	struct group *g = &c->bucket[c->in[i]];

	*g = (struct group){ .cost = 0 };
	for (size_t k = 0; k < c->n; k++)
		if (k != i && c->in[k] == c->in[i]) {
			const struct group one = window_of(&c->list[k], c->windows[k]);

			add(c->by, g, &one);
		}
	g->cost = cost_of(&c->odds, g->at, BUCKETS_WINDOW);
}

/* What it costs that another one's window begins as that of ${i}: the sieve looks both up
 * together, and compares what is neither. */
static float cost_of_sharing(const struct choice *c, size_t i, size_t window)
{
	const char *text = c->list[i].text + window;
	const struct group one = window_of(&c->list[i], window);

	for (size_t k = 0; k < c->n; k++)
		if (k != i && c->in[k] != BUCKETS &&
		    strncasecmp(c->list[k].text + c->windows[k], text, BUCKETS_LEAST) ==
		            0)
			return SHARED * cost_of(&c->odds, one.at, BUCKETS_LEAST);
	return 0;
}

/* With the window and into the bucket where that costs least. */
static void put_in(struct choice *c, size_t i)
{
	const struct literal *l = &c->list[i];
	struct group best = { .cost = 0 };
	float least = 1 + SHARED;

	for (uint16_t w = 0; w == 0 || w + BUCKETS_WINDOW <= l->n; w++) {
		const struct group one = window_of(l, w);
		const float shared = cost_of_sharing(c, i, w);

		for (unsigned char k = 0; k < BUCKETS; k++) {
			struct group g = c->bucket[k];
			float more;

			add(c->by, &g, &one);
			g.cost = cost_of(&c->odds, g.at, BUCKETS_WINDOW);
			more = g.cost - c->bucket[k].cost + shared;
			if (more < least) {
				least = more;
				best = g;
				c->windows[i] = w;
				c->in[i] = k;
			}
		}
	}
	c->bucket[c->in[i]] = best;
}

static void fill(const struct group *g, struct buckets *out)
{
	*out = (struct buckets){ .take = { { 0 } } };
	for (unsigned i = 0; i < BUCKETS; i++)
		for (unsigned k = 0; k < BUCKETS_WINDOW; k++)
			for (unsigned c = 0; c < BUCKETS_BYTES; c++)
				out->take[k][c] |=
					(uint16_t)((g[i].at[k].w[c / 64] >> c % 64 & 1)
				                   << i);
}

bool buckets_fit(const struct literal *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n < BUCKETS_BARE ||
		    list[i].n + list[i].next.n < BUCKETS_LEAST)
			return false;
	return n > 0 && n <= BUCKETS_MOST;
}

static void keep(struct choice *c)
{
	struct kept *k = &c->best;

	memcpy(k->in, c->in, sizeof(k->in));
	memcpy(k->windows, c->windows, c->n * sizeof(*k->windows));
	memcpy(k->bucket, c->bucket, sizeof(k->bucket));
}

static void go_back(struct choice *c)
{
	const struct kept *k = &c->best;

	memcpy(c->in, k->in, sizeof(k->in));
	memcpy(c->windows, k->windows, c->n * sizeof(*k->windows));
	memcpy(c->bucket, k->bucket, sizeof(k->bucket));
}

static float cost_of_all(const struct choice *c)
{
	float sum = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		sum += c->bucket[i].cost;
	return sum;
}

/* The same numbers each time (xorshift64). */
static unsigned below(uint64_t *random, unsigned n)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (unsigned)(*random >> 11) % n;
}

/* Takes some of two buckets' out, and puts them where they cost least, in another order.
 */
static void shuffle(struct choice *c, uint64_t *random)
{
	const unsigned one = below(random, BUCKETS), two = below(random, BUCKETS);
	const unsigned percent = 20 + below(random, 60);
	uint16_t out[BUCKETS_MOST];
	unsigned n = 0;

	for (size_t i = 0; i < c->n; i++)
		if ((c->in[i] == one || c->in[i] == two) && below(random, 100) < percent)
			out[n++] = (uint16_t)i;
	for (unsigned i = 0; i < n; i++) {
		const unsigned k = i + below(random, n - i);
		const uint16_t next = out[k];

		out[k] = out[i];
		out[i] = next;
		take_out(c, next);
		c->in[next] = BUCKETS;
	}
	for (unsigned i = 0; i < n; i++)
		put_in(c, out[i]);
}

/* What one literal after the other finds best is not the best for all. */
static void improve(struct choice *c, unsigned tries)
{
	uint64_t random = 88172645463325252u;
	float least;

	for (unsigned rounds = 0; rounds < ROUNDS; rounds++)
		for (size_t i = 0; i < c->n; i++) {
			take_out(c, i);
			put_in(c, i);
		}
	least = cost_of_all(c);
	keep(c);
	for (; tries > 0; tries--) {
		shuffle(c, &random);
		if (cost_of_all(c) > least) {
			go_back(c);
			continue;
		}
		least = cost_of_all(c);
		keep(c);
	}
}

int buckets_choose(enum buckets_by by, const struct literal *list, size_t n,
                   unsigned tries, uint16_t *windows, struct buckets *out)
{
	AUTO_FREE struct choice *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	find_odds(&c->odds);
	c->by = by;
	c->list = list;
	c->n = n;
	c->windows = windows;
	memset(c->in, BUCKETS, n);
	for (size_t i = 0; i < n; i++)
		put_in(c, i);
	if (tries > 0)
		improve(c, tries);
	fill(c->bucket, out);
	return ERR_OK;
}

bool buckets_load(const struct buckets_embedded *table, enum buckets_by by,
                  const struct literal *list, size_t n, uint16_t *windows,
                  struct buckets *out)
{
	unsigned char hash[LITERALS_HASH];

	literals_hash(list, n, hash);
	for (; table->buckets != NULL; table++)
		if (table->by == by && memcmp(table->list, hash, sizeof(hash)) == 0) {
			memcpy(windows, table->windows, n * sizeof(*windows));
			*out = *table->buckets;
			return true;
		}
	return false;
}

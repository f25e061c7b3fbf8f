/* SPDX-License-Identifier: Apache-2.0 */
#include "match/slots.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "cpu.h"
#include "match/buckets.h"

#define LANES   SLOTS_LANES
#define NO_LOW  0xdfu
#define FACTORS 64u /* that are tried */

/* What is told of a literal is one number: where it ends, from its window on; and from
 * these bits on which one it is, and if there is more of it than was compared. */
#define ID_AT  32u
#define LONGER (UINT64_C(1) << 63)

/* Literals of a slot, side by side, as instructions take them. */
struct slots_group {
	_Alignas(64) uint64_t mask[LANES];
	uint64_t value[LANES];
	uint64_t mask_before[LANES], value_before[LANES];
	uint64_t told[LANES];
};

/* One of them. */
struct entry {
	struct slots_word from;   /* from its window on */
	struct slots_word before; /* before that */
	uint64_t told;
	uint32_t beginning;
	unsigned hash;
};

/* --- making them ---------------------------------------------------------------------
 */

/* The first three bytes, in any case. */
static inline uint32_t beginning_of(uint64_t word)
{
	return (uint32_t)(word << 8) | 0x20202000u;
}

static inline unsigned hash_of(const struct slots *s, uint64_t word)
{
	return beginning_of(word) * s->factor >> 20;
}

/* Of what ${l} has from ${at} on, which may be before it. */
static struct slots_word word_of(const struct literal *l, long at)
{
	struct slots_word w = { 0, 0 };

	for (unsigned k = 0; k < SLOTS_WORD; k++) {
		const long i = at + (long)k;
		const unsigned char c = i >= 0 && i < l->n ? (unsigned char)l->text[i]
		                                           : 0;
		const uint64_t mask = c == 0                    ? 0
		                      : !l->exact && isalpha(c) ? NO_LOW
		                                                : 0xff;

		w.mask |= mask << 8 * k;
		w.value |= (c & mask) << 8 * k;
	}
	return w;
}

/* How many entries a literal has: what is too short for a slot has one for each byte that
 * may follow it. */
static size_t entries_of(const struct literal *l)
{
	size_t n = 0;

	for (unsigned i = 0; l->n < BUCKETS_LEAST && i < 4; i++)
		n += (size_t)__builtin_popcountll(l->next.of.w[i]);
	return l->n < BUCKETS_LEAST ? n : 1;
}

static size_t entries_of_all(const struct literal *list, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += entries_of(&list[i]);
	return all;
}

bool slots_fit(const struct literal *list, size_t n)
{
	return entries_of_all(list, n) < UINT16_MAX;
}

static struct entry *put_followed(struct entry *e, const struct entry *one,
                                  const struct bytes *by)
{
	const unsigned shift = 8 * BUCKETS_BARE;

	for (uint64_t c = 0; c < 256; c++)
		if (rule_has_byte(by, (unsigned char)c)) {
			*e = *one;
			e->from.mask |= UINT64_C(0xff) << shift;
			e->from.value |= c << shift;
			e->beginning = beginning_of(e->from.value);
			e++;
		}
	return e;
}

static int by_hash(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return a->hash != b->hash ? (a->hash > b->hash) - (a->hash < b->hash)
	                          : (a->told > b->told) - (a->told < b->told);
}

static int by_beginning(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return (a->beginning > b->beginning) - (a->beginning < b->beginning);
}

static void make_entries(const struct literal *list, size_t n, const uint16_t *windows,
                         struct entry *out)
{
	struct entry *e = out;

	for (size_t i = 0; i < n; i++) {
		const struct literal *l = &list[i];
		const unsigned at = windows[i];
		struct entry one = {
			.from = word_of(l, at),
			.before = word_of(l, (long)at - (long)SLOTS_WORD),
			.told = (uint64_t)i << ID_AT | (uint32_t)(l->n - at),
		};

		if (at > SLOTS_WORD || l->n > at + SLOTS_WORD)
			one.told |= LONGER;
		one.beginning = beginning_of(one.from.value);
		if (l->n < BUCKETS_LEAST)
			e = put_followed(e, &one, &l->next.of);
		else
			*e++ = one;
	}
}

/* Beginnings that literals have, each once; how many. */
static size_t list_beginnings(struct entry *e, size_t n, struct buckets_text *out)
{
	size_t k = 0;

	qsort(e, n, sizeof(*e), by_beginning);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && e[i].beginning == e[i - 1].beginning)
			continue;
		for (unsigned j = 0; j < BUCKETS_LEAST; j++)
			out[k].p[j] = (unsigned char)(e[i].beginning >> 8 * (j + 1));
		k++;
	}
	buckets_odds(out, k);
	return k;
}

/* How often texts have one that shares its slot with another. */
static float shared(const struct buckets_text *b, size_t n, uint32_t factor)
{
	float first[SLOTS_HASHES] = { 0 }; /* of the only one yet; less than 0: counted */
	float sum = 0;

	for (size_t i = 0; i < n; i++) {
		const uint32_t is = beginning_of(b[i].p[0] | (uint32_t)b[i].p[1] << 8 |
		                                 (uint32_t)b[i].p[2] << 16);
		float *f = &first[is * factor >> 20];

		if (*f == 0) {
			*f = b[i].odds;
			continue;
		}
		sum += b[i].odds + (*f > 0 ? *f : 0);
		*f = -1;
	}
	return sum;
}

/* What shares a slot has little in common: it is compared more often. */
static uint32_t choose_factor(const struct buckets_text *b, size_t n)
{
	uint32_t factor = 0x9e3779b1u, best = factor;
	float least = shared(b, n, factor);

	for (unsigned i = 1; i < FACTORS; i++) {
		float sum;

		factor = factor * 0x85ebca6bu | 1;
		sum = shared(b, n, factor);
		if (sum < least) {
			least = sum;
			best = factor;
		}
	}
	return best;
}

/* In the order of their slots. */
static int put_in_slots(struct slots *s, struct entry *e, size_t n)
{
	AUTO_FREE struct buckets_text *b = calloc(n + 1, sizeof(*b));

	if (b == NULL)
		return ERR_NOMEM;
	s->factor = choose_factor(b, list_beginnings(e, n, b));
	for (size_t i = 0; i < n; i++)
		e[i].hash = e[i].beginning * s->factor >> 20;
	qsort(e, n, sizeof(*e), by_hash);
	return ERR_OK;
}

static void put(struct slots_group *g, unsigned lane, const struct entry *e)
{
	g->mask[lane] = e->from.mask;
	g->value[lane] = e->from.value;
	g->mask_before[lane] = e->before.mask;
	g->value_before[lane] = e->before.value;
	g->told[lane] = e->told;
}

/* Nothing is like that. */
static void make_empty(struct slots_group *g)
{
	memset(g, 0, sizeof(*g));
	for (unsigned i = 0; i < LANES; i++)
		g->value[i] = 1;
}

static void make_slots(struct slots *s, const struct entry *e, size_t n)
{
	struct slot *o = s->slot;
	unsigned groups = 0, lane = LANES;

	o->common = (struct slots_word){ 0, 1 };
	for (size_t i = 0; i < n; i++) {
		const bool begins = i == 0 || e[i].hash != e[i - 1].hash;

		if (begins) {
			s->by_hash[e[i].hash] = (uint16_t)(++o - s->slot);
			*o = (struct slot){ .common = e[i].from, .first = groups };
		}
		if (begins || lane == LANES) {
			make_empty(&s->group[groups++]);
			o->groups++;
			lane = 0;
		}
		put(&s->group[groups - 1], lane++, &e[i]);
		o->common.mask &= e[i].from.mask & ~(o->common.value ^ e[i].from.value);
		o->common.value &= o->common.mask;
	}
}

static int make(struct slots *s, size_t n, const uint16_t *windows, struct entry *e)
{
	const size_t entries = entries_of_all(s->list, n);

	s->slot = calloc(entries + 1, sizeof(*s->slot));
	s->group = aligned_alloc(_Alignof(struct slots_group),
	                         (entries + 1) * sizeof(*s->group));
	if (s->slot == NULL || s->group == NULL)
		return ERR_NOMEM;
	make_entries(s->list, n, windows, e);
	if (put_in_slots(s, e, entries) != ERR_OK)
		return ERR_NOMEM;
	make_slots(s, e, entries);
	return ERR_OK;
}

int slots_init(struct slots *s, const struct literal *list, size_t n,
               const uint16_t *windows)
{
	struct entry *e = calloc(entries_of_all(list, n) + 1, sizeof(*e));
	int rc;

	*s = (struct slots){ .list = list };
	rc = e != NULL ? make(s, n, windows, e) : ERR_NOMEM;
	free(e);
	if (rc != ERR_OK)
		slots_clear(s);
	return rc;
}

void slots_clear(struct slots *s)
{
	free(s->slot);
	free(s->group);
	*s = (struct slots){ .list = NULL };
}

/* --- looking for them ----------------------------------------------------------------
 */

/* Eight bytes from ${at} on, which may wrap to before the first one, of ${n}; zeros where
 * there are none, which no literal has. */
static uint64_t load_some(const unsigned char *p, size_t n, size_t at)
{
	uint64_t w = 0;

	for (size_t k = 0; k < SLOTS_WORD; k++)
		if (at + k < n)
			w |= (uint64_t)p[at + k] << 8 * k;
	return w;
}

/* The whole of a literal that ends at ${end}. */
static bool is_there(const struct slots_text *t, const struct literal *l, size_t end)
{
	const unsigned char *p;

	if (end > t->n || end < l->n)
		return false;
	p = t->p + end - l->n;
	for (size_t k = 0; k < l->n; k++)
		if ((l->exact ? p[k] : tolower(p[k])) != (unsigned char)l->text[k])
			return false;
	return true;
}

/* ${told}, whose end is from ${base} on. */
static void tell(const struct slots_text *t, size_t base, uint64_t told)
{
	const unsigned id = (unsigned)(told >> ID_AT) & UINT16_MAX;
	const size_t end = base + (uint32_t)told;

	if ((told & LONGER) == 0 || is_there(t, &t->s->list[id], end))
		t->fn(t->ctx, id, end);
}

void slots_tell(const struct slots_text *t, size_t at)
{
	const uint64_t from = load_some(t->p, t->n, at);
	const uint64_t before = load_some(t->p, t->n, at - SLOTS_WORD);
	const struct slot *o = &t->s->slot[t->s->by_hash[hash_of(t->s, from)]];

	for (unsigned i = 0; i < o->groups; i++) {
		const struct slots_group *g = &t->s->group[o->first + i];

		for (unsigned k = 0; k < LANES; k++)
			if ((from & g->mask[k]) == g->value[k] &&
			    (before & g->mask_before[k]) == g->value_before[k])
				tell(t, at, g->told[k]);
	}
}

#ifdef __x86_64__

#define VBMI __attribute__((target("avx512f,avx512vl,popcnt")))
#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

static inline uint64_t load(const unsigned char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Lists those of a group that are where ${from} is, after ${before}, each with ${at}
 * added; how many. */
typedef unsigned list_fn(const struct slots_group *g, uint64_t from, uint64_t before,
                         unsigned at, uint64_t *out);

VBMI static inline __m512i lanes(const uint64_t *p)
{
	return _mm512_load_si512(p);
}

/* Without a branch. */
VBMI static inline unsigned list_vbmi(const struct slots_group *g, uint64_t from,
                                      uint64_t before, unsigned at, uint64_t *out)
{
	const __m512i here = _mm512_and_si512(_mm512_set1_epi64((long long)from),
	                                      lanes(g->mask));
	const __m512i there = _mm512_and_si512(_mm512_set1_epi64((long long)before),
	                                       lanes(g->mask_before));
	const __mmask8 m = _mm512_mask_cmpeq_epi64_mask(
		_mm512_cmpeq_epi64_mask(here, lanes(g->value)), there,
		lanes(g->value_before));

	_mm512_storeu_si512(
		out, _mm512_maskz_compress_epi64(
			     m, _mm512_add_epi64(lanes(g->told), _mm512_set1_epi64(at))));
	return (unsigned)_mm_popcnt_u32(m);
}

/* Four of them from ${k} on that are like ${word} in ${value}, as far as ${mask} says. */
AVX2 static inline __m256i like(const uint64_t *mask, const uint64_t *value, unsigned k,
                                __m256i word)
{
	const __m256i m = _mm256_load_si256((const __m256i *)(const void *)(mask + k));
	const __m256i v = _mm256_load_si256((const __m256i *)(const void *)(value + k));

	return _mm256_cmpeq_epi64(_mm256_and_si256(word, m), v);
}

AVX2 static inline unsigned list_avx2(const struct slots_group *g, uint64_t from,
                                      uint64_t before, unsigned at, uint64_t *out)
{
	const __m256i f = _mm256_set1_epi64x((long long)from),
		      b = _mm256_set1_epi64x((long long)before);
	unsigned m = 0, n = 0;

	for (unsigned k = 0; k < LANES; k += 4)
		m |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_and_si256(
			     like(g->mask, g->value, k, f),
			     like(g->mask_before, g->value_before, k, b))))
		     << k;
	for (; m != 0; m &= m - 1)
		out[n++] = g->told[__builtin_ctz(m)] + at;
	return n;
}

#define INLINE __attribute__((always_inline)) static inline

/* Of the places of a text that are looked at together. */
struct looking {
	const struct slots_text *t;
	struct slots_work *w;
	size_t base;
	const unsigned char *p;
};

static void tell_listed(const struct looking *l, unsigned told)
{
	for (unsigned i = 0; i < told; i++)
		tell(l->t, l->base, l->w->told[i]);
}

/* Lists those of groups ${first} to ${end} of the slot of a place after ${told} others;
 * how many are not told yet. */
INLINE unsigned list_groups(const struct looking *l, unsigned at, const struct slot *o,
                            unsigned first, unsigned end, unsigned told, list_fn *list)
{
	const uint64_t from = load(l->p + at), before = load(l->p + at - SLOTS_WORD);

	for (unsigned k = first; k < end; k++) {
		if (told >= SLOTS_TOLD) {
			tell_listed(l, told);
			told = 0;
		}
		told += list(&l->t->s->group[o->first + k], from, before, at,
		             l->w->told + told);
	}
	return told;
}

/* Drops the places where none can be, without a branch, and finds the slots of others. */
static unsigned find_slots(const struct slots *s, const unsigned char *p,
                           struct slots_work *w)
{
	const unsigned n = w->n;
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		const unsigned at = w->at[i];
		const uint64_t word = load(p + at);
		const unsigned k = s->by_hash[hash_of(s, word)];
		const struct slots_word *common = &s->slot[k].common;

		w->at[left] = (uint16_t)at;
		w->slot[left] = (uint16_t)k;
		left += (word & common->mask) == common->value;
	}
	return left;
}

/* Most slots have one group, and which have more is not foreseen: these are looked at
 * once more, apart from the others. */
INLINE void tell_by(list_fn *list, const struct looking *l, unsigned n)
{
	const struct slot *const slot = l->t->s->slot;
	struct slots_work *w = l->w;
	unsigned more = 0, told = 0;

	for (unsigned i = 0; i < n; i++) {
		const unsigned at = w->at[i], k = w->slot[i];

		told = list_groups(l, at, &slot[k], 0, 1, told, list);
		w->at[more] = (uint16_t)at;
		w->slot[more] = (uint16_t)k;
		more += slot[k].groups > 1;
	}
	for (unsigned i = 0; i < more; i++) {
		const struct slot *o = &slot[w->slot[i]];

		told = list_groups(l, w->at[i], o, 1, o->groups, told, list);
	}
	tell_listed(l, told);
}

VBMI static void tell_vbmi(const struct looking *l, unsigned n)
{
	tell_by(list_vbmi, l, n);
}

AVX2 static void tell_avx2(const struct looking *l, unsigned n)
{
	tell_by(list_avx2, l, n);
}

void slots_tell_all(const struct slots_text *t, size_t base, const unsigned char *p,
                    struct slots_work *w)
{
	const struct looking l = { t, w, base, p };
	const unsigned n = find_slots(t->s, p, w);

	if (cpu_best() >= CPU_VBMI)
		tell_vbmi(&l, n);
	else
		tell_avx2(&l, n);
}

#else

void slots_tell_all(const struct slots_text *t, size_t base, const unsigned char *p,
                    struct slots_work *w)
{
	(void)p;
	for (unsigned i = 0; i < w->n; i++)
		slots_tell(t, base + w->at[i]);
}

#endif

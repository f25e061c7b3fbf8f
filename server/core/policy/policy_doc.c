/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_doc - one policy, compiled so that a request costs one hash over its path, one
 * probe per policy for the exact rule, one per distinct length for the prefix rules, and
 * one per shape that several rules with '+' have, and a comparison per rule of the
 * others.  Limits cost nothing where no rule has any.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "policy_impl.h"

/* Rules of different kinds with the same text are different keys. */
#define SALT_EXACT   0x9e3779b9u
#define SALT_PREFIX  0x85ebca6bu
#define SALT_SEGMENT 0xc2b2ae35u

#define SHAPE_RULES 4u         /* of one shape; fewer are compared one by one */
#define NO_SHAPE    UINT32_MAX /* in rules that are */

#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

struct policy_doc *policy_doc_new(void)
{
	return calloc(1, sizeof(struct policy_doc));
}

void policy_doc_free(struct policy_doc *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->n; i++)
		free(d->rules[i].text);
	free(d->rules);
	free(d->slots);
	free(d->lengths);
	free(d->shapes);
	free(d->segments);
	arena_free(d->arena);
	free(d);
}

/* Kind, wildcards and text of a pattern; ${r}->text is borrowed. */
static void classify(struct policy_rule *r, const char *path, size_t n)
{
	size_t at = 0;

	r->glob = n > 0 && path[n - 1] == '*';
	if (r->glob)
		n--;
	r->len = n;
	r->wild = n;
	r->plus = 0;
	while (at <= n) {
		const char *slash = memchr(path + at, '/', n - at);
		size_t end = slash != NULL ? (size_t)(slash - path) : n;

		if (end - at == 1 && path[at] == '+' && r->plus++ == 0)
			r->wild = at;
		at = end + 1;
	}
	r->kind = r->plus > 0 ? RULE_SEGMENT : r->glob ? RULE_PREFIX : RULE_EXACT;
}

static bool same_pattern(const struct policy_rule *x, const struct policy_rule *y,
                         const char *text)
{
	return x->kind == y->kind && x->glob == y->glob && x->len == y->len &&
	       memcmp(x->text, text, x->len) == 0;
}

/* Another block for the pattern of ${r}. */
static void merge(struct policy_rule *r, unsigned caps, struct policy_limits *limits)
{
	r->caps |= caps;
	if (limits != NULL) {
		limits->next = r->limits;
		r->limits = limits;
	}
}

static uint32_t hash_step(uint32_t h, char c)
{
	return (h ^ (unsigned char)c) * FNV_PRIME;
}

/* FNV's low bits are weak: fold the high ones in. */
static size_t slot_of(uint32_t h, enum policy_rule_kind kind)
{
	static const uint32_t salt[] = { [RULE_EXACT] = SALT_EXACT,
		                         [RULE_PREFIX] = SALT_PREFIX,
		                         [RULE_SEGMENT] = SALT_SEGMENT };

	h ^= salt[kind];
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

/* While rules are added, the slots hold all of them by their patterns: the place of this
 * one, or the empty one where it belongs. */
static uint32_t *slot_of_pattern(const struct policy_doc *d, const struct policy_rule *r,
                                 const char *text)
{
	uint32_t h = FNV_START;
	size_t at;

	for (size_t i = 0; i < r->len; i++)
		h = hash_step(h, text[i]);
	at = slot_of(h, r->kind) & d->mask;
	while (d->slots[at] != 0 && !same_pattern(&d->rules[d->slots[at] - 1], r, text))
		at = (at + 1) & d->mask;
	return &d->slots[at];
}

/* For one more rule; at most half of the slots are taken. */
static int make_room(struct policy_doc *d)
{
	size_t cap = d->cap > 0 ? d->cap * 2 : 16;
	struct policy_rule *rules;
	uint32_t *slots;

	if (d->n < d->cap)
		return 0;
	rules = realloc(d->rules, cap * sizeof(*rules));
	if (rules == NULL)
		return -1;
	d->rules = rules;
	slots = calloc(cap * 2, sizeof(*slots));
	if (slots == NULL)
		return -1;
	free(d->slots);
	d->slots = slots;
	d->mask = cap * 2 - 1;
	d->cap = cap;
	for (size_t i = 0; i < d->n; i++)
		*slot_of_pattern(d, &rules[i], rules[i].text) = (uint32_t)i + 1;
	return 0;
}

int policy_doc_add(struct policy_doc *d, const char *path, size_t n, unsigned caps,
                   struct policy_limits *limits)
{
	struct policy_rule r = { .caps = caps, .limits = limits };
	uint32_t *slot;

	if (make_room(d) != 0)
		return -1;
	classify(&r, path, n);
	slot = slot_of_pattern(d, &r, path);
	if (*slot != 0) {
		merge(&d->rules[*slot - 1], caps, limits);
		return 0;
	}
	if ((r.text = malloc(r.len + 1)) == NULL)
		return -1;
	memcpy(r.text, path, r.len);
	r.text[r.len] = '\0';
	d->rules[d->n++] = r;
	*slot = (uint32_t)d->n;
	return 0;
}

static void index_put(struct policy_doc *d, size_t rule, uint32_t h)
{
	size_t at = slot_of(h, d->rules[rule].kind) & d->mask;

	while (d->slots[at] != 0)
		at = (at + 1) & d->mask;
	d->slots[at] = (uint32_t)rule + 1;
}

static void index_add(struct policy_doc *d, size_t rule)
{
	const struct policy_rule *r = &d->rules[rule];
	uint32_t h = FNV_START;

	for (size_t i = 0; i < r->len; i++)
		h = hash_step(h, r->text[i]);
	index_put(d, rule, h);
}

static int by_shape(const void *x, const void *y)
{
	return policy_shape_order(x, y);
}

/* Of the shapes of all rules with '+', in any order and as often as they come, those that
 * are worth a probe: comparing a few rules is cheaper. */
static void index_shapes(struct policy_doc *d)
{
	size_t kept = 0, end;

	qsort(d->shapes, d->n_shapes, sizeof(*d->shapes), by_shape);
	for (size_t i = 0; i < d->n_shapes; i = end) {
		end = i + 1;
		while (end < d->n_shapes && by_shape(&d->shapes[i], &d->shapes[end]) == 0)
			end++;
		if (end - i >= SHAPE_RULES)
			d->shapes[kept++] = d->shapes[i];
	}
	d->n_shapes = kept;
}

static bool index_shaped(struct policy_doc *d, size_t rule)
{
	struct policy_rule *r = &d->rules[rule];
	const struct policy_shape *at;
	struct policy_shape shape;
	struct policy_parts parts;
	uint32_t h;

	if (!policy_shape_of(r, &shape))
		return false;
	at = bsearch(&shape, d->shapes, d->n_shapes, sizeof(*d->shapes), by_shape);
	policy_parts_cut(r->text, r->len, &parts);
	if (at == NULL || !policy_shape_hash(&shape, &parts, parts.n, &h))
		return false;
	r->shape = (uint32_t)(at - d->shapes);
	index_put(d, rule, h);
	return true;
}

static void index_segments(struct policy_doc *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->rules[i].kind == RULE_SEGMENT && !index_shaped(d, i)) {
			d->rules[i].shape = NO_SHAPE;
			d->segments[d->n_segments++] = (uint32_t)i;
		}
}

static int longer_first(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a < b) - (a > b);
}

static void index_lengths(struct policy_doc *d)
{
	size_t kept = 0;

	qsort(d->lengths, d->n_lengths, sizeof(*d->lengths), longer_first);
	for (size_t i = 0; i < d->n_lengths; i++)
		if (i == 0 || d->lengths[i] != d->lengths[kept - 1])
			d->lengths[kept++] = d->lengths[i];
	d->n_lengths = kept;
}

int policy_doc_index(struct policy_doc *d)
{
	size_t size = 4;

	while (size < d->n * 2)
		size *= 2;
	free(d->slots);
	d->mask = size - 1;
	d->slots = calloc(size, sizeof(*d->slots));
	d->lengths = calloc(d->n + 1, sizeof(*d->lengths));
	d->shapes = calloc(d->n + 1, sizeof(*d->shapes));
	d->segments = calloc(d->n + 1, sizeof(*d->segments));
	if (d->slots == NULL || d->lengths == NULL || d->shapes == NULL ||
	    d->segments == NULL)
		return -1;
	for (size_t i = 0; i < d->n; i++) {
		if (d->rules[i].kind == RULE_SEGMENT) {
			d->n_shapes += policy_shape_of(&d->rules[i],
			                               &d->shapes[d->n_shapes]);
			continue;
		}
		index_add(d, i);
		if (d->rules[i].kind == RULE_PREFIX)
			d->lengths[d->n_lengths++] = (uint32_t)d->rules[i].len;
	}
	index_lengths(d);
	index_shapes(d);
	index_segments(d);
	return 0;
}

size_t policy_doc_cost(const struct policy_doc *d)
{
	return 2 + d->n_lengths + d->n_shapes + d->n_segments;
}

/* A path that is looked for, hashed once for all policies. */
#define PATH_MAX_LEN (LIMIT_PATH + 1)
struct query {
	const char *path;
	size_t len;
	uint32_t hash[PATH_MAX_LEN + 1]; /* of each prefix; [n]: of n bytes */
	struct policy_parts parts;       /* none before a policy asks for them */
};

static bool query_init(struct query *q, const char *path)
{
	uint32_t h = FNV_START;
	size_t n = strlen(path);

	if (n > PATH_MAX_LEN)
		return false;
	q->path = path;
	q->len = n;
	q->parts.n = 0;
	q->hash[0] = h;
	for (size_t i = 0; i < n; i++)
		q->hash[i + 1] = h = hash_step(h, path[i]);
	return true;
}

static const struct policy_rule *find(const struct policy_doc *d, const struct query *q,
                                      size_t n, enum policy_rule_kind kind)
{
	size_t at = slot_of(q->hash[n], kind) & d->mask;

	for (; d->slots[at] != 0; at = (at + 1) & d->mask) {
		const struct policy_rule *r = &d->rules[d->slots[at] - 1];

		if (r->kind == kind && r->len == n && memcmp(r->text, q->path, n) == 0)
			return r;
	}
	return NULL;
}

int policy_rule_order(const struct policy_rule *x, const struct policy_rule *y)
{
	if (x->wild != y->wild)
		return x->wild > y->wild ? 1 : -1;
	if (x->glob != y->glob)
		return x->glob ? -1 : 1;
	if (x->plus != y->plus)
		return x->plus < y->plus ? 1 : -1;
	if (x->len != y->len)
		return x->len > y->len ? 1 : -1;
	return memcmp(x->text, y->text, x->len);
}

/* The best rule so far.  A policy has a pattern once, so the limits of the rules that
 * stand together fit. */
static void consider(struct policy_verdict *v, const struct policy_rule *r)
{
	int order = v->rule != NULL ? policy_rule_order(r, v->rule) : 1;

	if (order < 0)
		return;
	if (order > 0) {
		v->rule = r;
		v->caps = 0;
		v->n_limits = 0;
	}
	v->caps |= r->caps;
	if (r->limits != NULL)
		v->limits[v->n_limits++] = r->limits;
}

static void match_exact(const struct policy_doc *d, const struct query *q, size_t n,
                        struct policy_verdict *v)
{
	const struct policy_rule *r = find(d, q, n, RULE_EXACT);

	if (r != NULL)
		consider(v, r);
}

static bool segments_match(const struct policy_rule *r, const char *s, size_t n)
{
	const char *p = r->text, *p_end = p + r->len, *s_end = s + n;

	for (;;) {
		const char *p_slash = memchr(p, '/', (size_t)(p_end - p));
		const char *s_slash = memchr(s, '/', (size_t)(s_end - s));
		size_t p_len = (size_t)((p_slash != NULL ? p_slash : p_end) - p);
		size_t s_len = (size_t)((s_slash != NULL ? s_slash : s_end) - s);

		if (p_slash == NULL && r->glob)
			return s_len >= p_len && memcmp(p, s, p_len) == 0;
		if (!(p_len == 1 && *p == '+') &&
		    (p_len != s_len || memcmp(p, s, p_len) != 0))
			return false;
		if (p_slash == NULL || s_slash == NULL)
			return p_slash == NULL && s_slash == NULL;
		p = p_slash + 1;
		s = s_slash + 1;
	}
}

/* ${n}: all of the path, or all but the slash at its end, and then a segment less. */
static void match_shapes(const struct policy_doc *d, struct query *q, size_t n,
                         struct policy_verdict *v)
{
	if (q->parts.n == 0)
		policy_parts_cut(q->path, q->len, &q->parts);
	for (size_t i = 0; i < d->n_shapes; i++) {
		uint32_t h;
		size_t at;

		if (!policy_shape_hash(&d->shapes[i], &q->parts,
		                       q->parts.n - (n < q->len), &h))
			continue;
		at = slot_of(h, RULE_SEGMENT) & d->mask;
		for (; d->slots[at] != 0; at = (at + 1) & d->mask) {
			const struct policy_rule *r = &d->rules[d->slots[at] - 1];

			if (r->kind == RULE_SEGMENT && r->shape == i &&
			    segments_match(r, q->path, n)) {
				consider(v, r);
				break;
			}
		}
	}
}

static void match_patterns(const struct policy_doc *d, struct query *q, size_t n,
                           struct policy_verdict *v)
{
	for (size_t i = 0; i < d->n_lengths; i++) {
		const struct policy_rule *r;

		if (d->lengths[i] > n)
			continue;
		r = find(d, q, d->lengths[i], RULE_PREFIX);
		if (r != NULL) {
			consider(v, r);
			break;
		}
	}
	if (d->n_shapes > 0)
		match_shapes(d, q, n, v);
	for (size_t i = 0; i < d->n_segments; i++) {
		const struct policy_rule *r = &d->rules[d->segments[i]];

		if (segments_match(r, q->path, n))
			consider(v, r);
	}
}

/* Vault's order: exact, exact without the slash of a list, then patterns for both. */
void policy_judge(const struct policy_doc *const *docs, size_t n, const char *path,
                  bool list, struct policy_verdict *v)
{
	struct query q;
	size_t lengths[2], tries = 1;

	v->rule = NULL;
	v->caps = CAP_DENY;
	v->n_limits = 0;
	if (!query_init(&q, path))
		return;
	lengths[0] = q.len;
	if (list && q.len > 0 && path[q.len - 1] == '/')
		lengths[tries++] = q.len - 1;
	for (size_t k = 0; k < tries && v->rule == NULL; k++)
		for (size_t i = 0; i < n; i++)
			match_exact(docs[i], &q, lengths[k], v);
	for (size_t k = 0; k < tries && v->rule == NULL; k++)
		for (size_t i = 0; i < n; i++)
			match_patterns(docs[i], &q, lengths[k], v);
	if (v->caps == 0 || (v->caps & CAP_DENY))
		v->caps = CAP_DENY;
}

unsigned policy_decide(const struct policy_doc *const *docs, size_t n, const char *path,
                       bool list)
{
	struct policy_verdict v;

	policy_judge(docs, n, path, list, &v);
	return v.caps;
}

bool policy_permits(const struct policy_doc *const *docs, size_t n,
                    const struct policy_ask *ask)
{
	static const unsigned needs[OP__MAX] = {
		[OP_READ] = CAP_READ,     [OP_LIST] = CAP_LIST,
		[OP_CREATE] = CAP_CREATE, [OP_UPDATE] = CAP_UPDATE,
		[OP_PATCH] = CAP_PATCH,   [OP_DELETE] = CAP_DELETE,
		[OP_SCAN] = CAP_SCAN,
	};
	unsigned need = needs[ask->op] | (ask->sudo ? CAP_SUDO : 0);
	struct policy_verdict v;

	policy_judge(docs, n, ask->path, op_lists(ask->op), &v);
	if ((v.caps & CAP_DENY) || (v.caps & need) != need)
		return false;
	return v.n_limits == 0 || policy_limits_allow(v.limits, v.n_limits, ask);
}

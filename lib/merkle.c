/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle.h"

#include <sodium.h>
#include <string.h>

#include "sha256.h"

void merkle_empty(unsigned char out[32])
{
	sha256_of(out, NULL, 0);
}

void merkle_leaf(const void *p, size_t n, unsigned char out[32])
{
	static const unsigned char prefix = 0x00;
	struct sha256 st;

	sha256_start(&st);
	sha256_add(&st, &prefix, 1);
	sha256_add(&st, p, n);
	sha256_end(&st, out);
}

void merkle_node(const unsigned char l[32], const unsigned char r[32],
                 unsigned char out[32])
{
	unsigned char both[1 + 2 * MERKLE_HASH];

	both[0] = 0x01;
	memcpy(both + 1, l, MERKLE_HASH);
	memcpy(both + 1 + MERKLE_HASH, r, MERKLE_HASH);
	sha256_of(out, both, sizeof(both));
}

static unsigned low_zeros(uint64_t n)
{
	return (unsigned)__builtin_ctzll(n);
}

/* The level of the largest complete subtree that fits ${n} > 0 leaves. */
static unsigned top_level(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n);
}

void merkle_fold(const unsigned char (*hashes)[32], size_t n, unsigned char out[32])
{
	struct merkle_frontier f = { .size = 0 };

	for (size_t i = 0; i < n; i++)
		(void)merkle_push(&f, hashes[i], NULL);
	memcpy(out, f.node[low_zeros(f.size)], MERKLE_HASH);
}

unsigned merkle_push(struct merkle_frontier *f, const unsigned char leaf[32],
                     unsigned char (*made)[32])
{
	unsigned char h[MERKLE_HASH];
	unsigned level = 0;

	memcpy(h, leaf, MERKLE_HASH);
	for (;; level++) {
		if (made != NULL)
			memcpy(made[level], h, MERKLE_HASH);
		if ((f->size >> level & 1) == 0)
			break;
		merkle_node(f->node[level], h, h);
	}
	memcpy(f->node[level], h, MERKLE_HASH);
	f->size++;
	return level;
}

void merkle_root(const struct merkle_frontier *f, unsigned char out[32])
{
	unsigned level;

	if (f->size == 0) {
		merkle_empty(out);
		return;
	}
	level = low_zeros(f->size);
	memcpy(out, f->node[level], MERKLE_HASH);
	for (level++; level < MERKLE_LEVELS; level++)
		if ((f->size >> level & 1) != 0)
			merkle_node(f->node[level], out, out);
}

/* The root over leaves ${lo} … ${hi} - 1, at least one, from where a subtree begins. */
static int range_root(const struct merkle_reader *r, uint64_t lo, uint64_t hi,
                      unsigned char out[32], struct err *e)
{
	unsigned char part[MERKLE_LEVELS][MERKLE_HASH];
	size_t n = 0;
	int rc;

	do {
		unsigned level = top_level(hi - lo);

		if ((rc = r->read(r->ctx, level, lo >> level, part[n], e)) != ERR_OK)
			return rc;
		lo += (uint64_t)1 << level;
		n++;
	} while (lo < hi);
	memcpy(out, part[--n], MERKLE_HASH);
	while (n-- > 0)
		merkle_node(part[n], out, out);
	return ERR_OK;
}

int merkle_root_at(const struct merkle_reader *r, uint64_t size, unsigned char out[32],
                   struct err *e)
{
	if (size == 0) {
		merkle_empty(out);
		return ERR_OK;
	}
	return range_root(r, 0, size, out, e);
}

/* Where the left part of lo … hi ends: the largest power of two below its length. */
static uint64_t split(uint64_t lo, uint64_t hi)
{
	return lo + ((uint64_t)1 << top_level(hi - lo - 1));
}

static void reverse(struct merkle_proof *p)
{
	unsigned char t[MERKLE_HASH];

	for (size_t i = 0, j = p->n; i + 1 < j; i++) {
		j--;
		memcpy(t, p->hash[i], MERKLE_HASH);
		memcpy(p->hash[i], p->hash[j], MERKLE_HASH);
		memcpy(p->hash[j], t, MERKLE_HASH);
	}
}

int merkle_prove_inclusion(const struct merkle_reader *r, uint64_t index, uint64_t size,
                           struct merkle_proof *out, struct err *e)
{
	struct merkle_proof p = { .n = 0 };
	uint64_t lo = 0, hi = size;
	int rc;

	if (index >= size)
		return err_set(e, ERR_INVALID, "no such leaf in a tree of that size");
	while (hi - lo > 1) {
		uint64_t mid = split(lo, hi);
		bool left = index < mid;

		if ((rc = range_root(r, left ? mid : lo, left ? hi : mid, p.hash[p.n],
		                     e)) != ERR_OK)
			return rc;
		p.n++;
		*(left ? &hi : &lo) = mid;
	}
	reverse(&p);
	*out = p;
	return ERR_OK;
}

/* RFC 6962 2.1.2, from the root downwards, hence reversed at the end. */
int merkle_prove_consistency(const struct merkle_reader *r, uint64_t from, uint64_t to,
                             struct merkle_proof *out, struct err *e)
{
	struct merkle_proof p = { .n = 0 };
	uint64_t lo = 0, hi = to;
	bool whole = true; /* lo … hi begins both trees: the verifier knows its root */
	int rc;

	if (from > to)
		return err_set(e, ERR_INVALID, "the log has only %llu records",
		               (unsigned long long)to);
	while (from != 0 && from != hi) {
		uint64_t mid = split(lo, hi);
		bool left = from <= mid;

		if ((rc = range_root(r, left ? mid : lo, left ? hi : mid, p.hash[p.n],
		                     e)) != ERR_OK)
			return rc;
		p.n++;
		if (!left)
			whole = false;
		*(left ? &hi : &lo) = mid;
	}
	if (from != 0 && !whole &&
	    (rc = range_root(r, lo, hi, p.hash[p.n++], e)) != ERR_OK)
		return rc;
	reverse(&p);
	*out = p;
	return ERR_OK;
}

bool merkle_check_inclusion(uint64_t index, uint64_t size, const unsigned char leaf[32],
                            const struct merkle_proof *p, const unsigned char root[32])
{
	unsigned char h[MERKLE_HASH];
	uint64_t at = index, last = size - 1;

	if (index >= size || p->n > MERKLE_PROOF_MAX)
		return false;
	memcpy(h, leaf, MERKLE_HASH);
	for (size_t i = 0; i < p->n; i++) {
		if (last == 0)
			return false;
		if ((at & 1) != 0 || at == last) {
			merkle_node(p->hash[i], h, h);
			while ((at & 1) == 0 && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			merkle_node(h, p->hash[i], h);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0 && sodium_memcmp(h, root, MERKLE_HASH) == 0;
}

/* Both roots, rebuilt from the largest subtree that the two trees share. */
static bool rebuild(uint64_t from, uint64_t to, const struct merkle_proof *p,
                    unsigned char old_h[32], unsigned char new_h[32])
{
	uint64_t at = from - 1, last = to - 1;
	size_t i = (from & (from - 1)) == 0 ? 0 : 1; /* else old_h is that subtree */

	if (i == 1)
		memcpy(old_h, p->hash[0], MERKLE_HASH);
	memcpy(new_h, old_h, MERKLE_HASH);
	while ((at & 1) != 0) {
		at >>= 1;
		last >>= 1;
	}
	for (; i < p->n; i++) {
		if (last == 0)
			return false;
		if ((at & 1) != 0 || at == last) {
			merkle_node(p->hash[i], old_h, old_h);
			merkle_node(p->hash[i], new_h, new_h);
			while ((at & 1) == 0 && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			merkle_node(new_h, p->hash[i], new_h);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0;
}

bool merkle_check_consistency(uint64_t from, uint64_t to,
                              const unsigned char from_root[32],
                              const unsigned char to_root[32],
                              const struct merkle_proof *p)
{
	unsigned char old_h[MERKLE_HASH], new_h[MERKLE_HASH];

	if (from > to || p->n > MERKLE_PROOF_MAX)
		return false;
	if (from == 0) {
		merkle_empty(old_h);
		return p->n == 0 && sodium_memcmp(old_h, from_root, MERKLE_HASH) == 0;
	}
	if (from == to)
		return p->n == 0 && sodium_memcmp(from_root, to_root, MERKLE_HASH) == 0;
	if (p->n == 0)
		return false;
	memcpy(old_h, from_root, MERKLE_HASH);
	return rebuild(from, to, p, old_h, new_h) &&
	       sodium_memcmp(old_h, from_root, MERKLE_HASH) == 0 &&
	       sodium_memcmp(new_h, to_root, MERKLE_HASH) == 0;
}

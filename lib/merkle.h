/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERKLE_H
#define MERKLE_H
/*
 * merkle - the Merkle tree of RFC 6962: hashing, a frontier to append to, proofs and
 * their verification.
 *
 * Knows nothing of where hashes are stored: who makes a proof hands in a reader.  The
 * verifying half needs nothing but the proof.  Pure functions, no allocation.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MERKLE_HASH   32u
#define MERKLE_LEVELS 64u

/** merkle_empty(out): the root of the tree without leaves. */
void merkle_empty(unsigned char out[32]);
/** merkle_leaf(p, n, out): SHA-256(0x00 || data). */
void merkle_leaf(const void *p, size_t n, unsigned char out[32]);
/** merkle_node(l, r, out): SHA-256(0x01 || left || right); ${out} may be ${l} or ${r}. */
void merkle_node(const unsigned char l[32], const unsigned char r[32],
                 unsigned char out[32]);
/** merkle_fold(hashes, n, out): the root over ${n} subtrees of one size; ${n} is a power
 * of two. */
void merkle_fold(const unsigned char (*hashes)[32], size_t n, unsigned char out[32]);

/* The roots of the complete subtrees that a tree falls into: node[k] has 2^k leaves and
 * counts only if bit k of the size is set. */
struct merkle_frontier {
	uint64_t size;
	unsigned char node[MERKLE_LEVELS][32];
};

/**
 * merkle_push(f, leaf, made): append a leaf.  Returns the level of the largest subtree
 * that it completed; made[0 … that level] get the roots of all of them unless ${made} is
 * NULL.
 */
unsigned merkle_push(struct merkle_frontier *f, const unsigned char leaf[32],
                     unsigned char (*made)[32]);
/** merkle_root(f, out): the root of what was pushed. */
void merkle_root(const struct merkle_frontier *f, unsigned char out[32]);

/* Where the hash of the complete subtree number ${index} of 2^${level} leaves comes from.
 */
struct merkle_reader {
	int (*read)(void *ctx, unsigned level, uint64_t index, unsigned char out[32],
	            struct err *e);
	void *ctx;
};

#define MERKLE_PROOF_MAX 66u
struct merkle_proof {
	size_t n;
	unsigned char hash[MERKLE_PROOF_MAX][32];
};

/** merkle_root_at(r, size, out, e): the root when the tree had ${size} leaves. */
int merkle_root_at(const struct merkle_reader *r, uint64_t size, unsigned char out[32],
                   struct err *e) MUST_CHECK;
/** merkle_prove_inclusion(r, index, size, out, e): ERR_INVALID unless index < size. */
int merkle_prove_inclusion(const struct merkle_reader *r, uint64_t index, uint64_t size,
                           struct merkle_proof *out, struct err *e) MUST_CHECK;
/** merkle_prove_consistency(r, from, to, out, e): empty for 0 and for equal sizes;
 * ERR_INVALID if from > to. */
int merkle_prove_consistency(const struct merkle_reader *r, uint64_t from, uint64_t to,
                             struct merkle_proof *out, struct err *e) MUST_CHECK;

/** merkle_check_inclusion(index, size, leaf, p, root): is ${leaf} number ${index} of the
 * tree? */
bool merkle_check_inclusion(uint64_t index, uint64_t size, const unsigned char leaf[32],
                            const struct merkle_proof *p, const unsigned char root[32])
	MUST_CHECK;
/** merkle_check_consistency(from, to, from_root, to_root, p): is the tree of ${from}
 * leaves the beginning of the other? The empty tree is the beginning of any. */
bool merkle_check_consistency(uint64_t from, uint64_t to,
                              const unsigned char from_root[32],
                              const unsigned char to_root[32],
                              const struct merkle_proof *p) MUST_CHECK;

#endif

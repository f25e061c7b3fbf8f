/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VERIFY_TREE_H
#define CLI_VERIFY_TREE_H
/* verify_tree - the hashes of the audit log, written a second time for the verifier. */
#include <stddef.h>
#include <stdint.h>

struct vtree {
	uint64_t leaves;
	unsigned depth;
	struct vtree_part {
		uint64_t leaves;
		unsigned char hash[32];
	} part[65]; /* complete subtrees from left to right, each smaller than the one
	               before */
};

/** vtree_add(t, leaf): append a leaf hash to a tree that began zeroed. */
void vtree_add(struct vtree *t, const unsigned char leaf[32]);
/** vtree_root(t, out): the root of what was added. */
void vtree_root(const struct vtree *t, unsigned char out[32]);

/** vtree_record_leaf(index, digest, envelope, n, out): SHA-256(0x00 || index || digest ||
 * envelope). */
void vtree_record_leaf(uint64_t index, const unsigned char digest[32],
                       const unsigned char *envelope, size_t n, unsigned char out[32]);
/** vtree_record_digest(salt, record, n, out): SHA-256(salt || record). */
void vtree_record_digest(const unsigned char salt[16], const unsigned char *record,
                         size_t n, unsigned char out[32]);

#endif

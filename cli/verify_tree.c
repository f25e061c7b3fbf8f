/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_tree.h"

#include <sodium.h>
#include <string.h>

static void join(const struct vtree_part *left, struct vtree_part *right)
{
	static const unsigned char one = 0x01;
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, &one, 1);
	crypto_hash_sha256_update(&st, left->hash, 32);
	crypto_hash_sha256_update(&st, right->hash, 32);
	crypto_hash_sha256_final(&st, right->hash);
	right->leaves += left->leaves;
}

void vtree_add(struct vtree *t, const unsigned char leaf[32])
{
	struct vtree_part *top = &t->part[t->depth++];

	top->leaves = 1;
	memcpy(top->hash, leaf, 32);
	while (t->depth > 1 &&
	       t->part[t->depth - 2].leaves == t->part[t->depth - 1].leaves) {
		join(&t->part[t->depth - 2], &t->part[t->depth - 1]);
		t->part[t->depth - 2] = t->part[t->depth - 1];
		t->depth--;
	}
	t->leaves++;
}

void vtree_root(const struct vtree *t, unsigned char out[32])
{
	struct vtree_part all;

	if (t->depth == 0) {
		crypto_hash_sha256(out, NULL, 0);
		return;
	}
	all = t->part[t->depth - 1];
	for (unsigned i = t->depth - 1; i-- > 0;)
		join(&t->part[i], &all);
	memcpy(out, all.hash, 32);
}

void vtree_record_leaf(uint64_t index, const unsigned char digest[32],
                       const unsigned char *envelope, size_t n, unsigned char out[32])
{
	unsigned char head[9] = { 0 };
	crypto_hash_sha256_state st;

	for (int i = 8; i > 0; i--, index >>= 8)
		head[i] = (unsigned char)(index & 0xff);
	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, head, sizeof(head));
	crypto_hash_sha256_update(&st, digest, 32);
	crypto_hash_sha256_update(&st, envelope, n);
	crypto_hash_sha256_final(&st, out);
}

void vtree_record_digest(const unsigned char salt[16], const unsigned char *record,
                         size_t n, unsigned char out[32])
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, salt, 16);
	crypto_hash_sha256_update(&st, record, n);
	crypto_hash_sha256_final(&st, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_tree.h"

#include <string.h>

#include "sha256.h"

static void join(const struct vtree_part *left, struct vtree_part *right)
{
	static const unsigned char one = 0x01;
	struct sha256 st;

	sha256_start(&st);
	sha256_add(&st, &one, 1);
	sha256_add(&st, left->hash, 32);
	sha256_add(&st, right->hash, 32);
	sha256_end(&st, right->hash);
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
		sha256_of(out, NULL, 0);
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
	struct sha256 st;

	for (int i = 8; i > 0; i--, index >>= 8)
		head[i] = (unsigned char)(index & 0xff);
	sha256_start(&st);
	sha256_add(&st, head, sizeof(head));
	sha256_add(&st, digest, 32);
	sha256_add(&st, envelope, n);
	sha256_end(&st, out);
}

void vtree_record_digest(const unsigned char salt[16], const unsigned char *record,
                         size_t n, unsigned char out[32])
{
	struct sha256 st;

	sha256_start(&st);
	sha256_add(&st, salt, 16);
	sha256_add(&st, record, n);
	sha256_end(&st, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle against the test vectors of RFC 6962's reference code, and against the recursive
 * definitions of the RFC, written here a second time.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "merkle.h"
#include "text.h"

#define LEAVES 3000u

static unsigned char leaf[LEAVES][32];
static struct err e;

static void setup(void)
{
	static const unsigned char seed[randombytes_SEEDBYTES] = "merkle";

	cr_assert_geq(sodium_init(), 0);
	randombytes_buf_deterministic(leaf, sizeof(leaf), seed);
}

TestSuite(merkle, .init = setup, .timeout = 120);

/* MTH of the RFC. */
static void naive_root(size_t lo, size_t hi, unsigned char out[32])
{
	unsigned char both[65] = { 0x01 };
	size_t k = 1;

	if (hi - lo == 1) {
		memcpy(out, leaf[lo], 32);
		return;
	}
	while (2 * k < hi - lo)
		k *= 2;
	naive_root(lo, lo + k, both + 1);
	naive_root(lo + k, hi, both + 33);
	crypto_hash_sha256(out, both, sizeof(both));
}

static void proof_add(struct merkle_proof *p, size_t lo, size_t hi)
{
	naive_root(lo, hi, p->hash[p->n++]);
}

/* PATH and SUBPROOF of the RFC. */
static void naive_path(size_t m, size_t lo, size_t hi, struct merkle_proof *p)
{
	size_t k = 1;

	if (hi - lo == 1)
		return;
	while (2 * k < hi - lo)
		k *= 2;
	if (m < k) {
		naive_path(m, lo, lo + k, p);
		proof_add(p, lo + k, hi);
	} else {
		naive_path(m - k, lo + k, hi, p);
		proof_add(p, lo, lo + k);
	}
}

static void naive_subproof(size_t m, size_t lo, size_t hi, bool b, struct merkle_proof *p)
{
	size_t k = 1;

	if (m == hi - lo) {
		if (!b)
			proof_add(p, lo, hi);
		return;
	}
	while (2 * k < hi - lo)
		k *= 2;
	if (m <= k) {
		naive_subproof(m, lo, lo + k, b, p);
		proof_add(p, lo + k, hi);
	} else {
		naive_subproof(m - k, lo + k, hi, false, p);
		proof_add(p, lo, lo + k);
	}
}

static int read_hash(void *ctx, unsigned level, uint64_t index, unsigned char out[32],
                     struct err *err)
{
	(void)ctx;
	(void)err;
	naive_root((size_t)(index << level), (size_t)((index + 1) << level), out);
	return ERR_OK;
}

static const struct merkle_reader reader = { read_hash, NULL };

static void root_of(size_t n, unsigned char out[32])
{
	if (n == 0)
		merkle_empty(out);
	else
		naive_root(0, n, out);
}

static bool same(const struct merkle_proof *a, const struct merkle_proof *b)
{
	return a->n == b->n && memcmp(a->hash, b->hash, a->n * 32) == 0;
}

static void expect_hex(const unsigned char *h, const char *want)
{
	char hex[65];

	text_hex(h, 32, hex);
	cr_assert_str_eq(hex, want);
}

Test(merkle, roots_are_those_of_the_reference_code)
{
	static const char *const inputs[] = { "",
		                              "00",
		                              "10",
		                              "2021",
		                              "3031",
		                              "40414243",
		                              "5051525354555657",
		                              "606162636465666768696a6b6c6d6e6f" };
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct merkle_frontier f = { 0 };
	unsigned char h[32], data[32];

	merkle_root(&f, h);
	expect_hex(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		long n = text_unhex(inputs[i], strlen(inputs[i]), data, sizeof(data));

		merkle_leaf(data, (size_t)n, h);
		merkle_push(&f, h, NULL);
		merkle_root(&f, h);
		expect_hex(h, roots[i]);
	}
}

Test(merkle, the_frontier_and_the_reader_give_the_root_of_every_size)
{
	struct merkle_frontier f = { 0 };
	unsigned char want[32], got[32], made[MERKLE_LEVELS][32];

	for (size_t n = 1; n <= 600; n++) {
		unsigned top = merkle_push(&f, leaf[n - 1], made);

		cr_assert_eq(top, (unsigned)__builtin_ctzll(n));
		for (unsigned k = 0; k <= top; k++) {
			naive_root(n - ((size_t)1 << k), n, want);
			cr_assert_arr_eq(made[k], want, 32, "level %u of %zu", k, n);
		}
		root_of(n, want);
		merkle_root(&f, got);
		cr_assert_arr_eq(got, want, 32, "size %zu", n);
		cr_assert_eq(merkle_root_at(&reader, n, got, &e), ERR_OK);
		cr_assert_arr_eq(got, want, 32, "size %zu", n);
	}
	merkle_fold(leaf, 64, got);
	naive_root(0, 64, want);
	cr_assert_arr_eq(got, want, 32);
}

/* Any one change of a proof, a leaf or a root makes it worthless. */
static void mutate(struct merkle_proof *p, unsigned kind)
{
	uint32_t at = p->n > 0 ? randombytes_uniform((uint32_t)p->n) : 0;

	switch (p->n == 0 ? 2 : kind % 4) {
	case 0:
		p->hash[at][randombytes_uniform(32)] ^=
			(unsigned char)(1u << randombytes_uniform(8));
		break;
	case 1:
		p->n--;
		break;
	case 2:
		randombytes_buf(p->hash[p->n++], 32);
		break;
	default:
		memmove(p->hash[at], p->hash[at + 1], (p->n - at - 1) * 32);
		p->n--;
		break;
	}
}

static void try_inclusion(size_t index, size_t size)
{
	struct merkle_proof got, want = { 0 };
	unsigned char root[32], other[32];

	cr_assert_eq(merkle_prove_inclusion(&reader, index, size, &got, &e), ERR_OK);
	naive_path(index, 0, size, &want);
	cr_assert(same(&got, &want), "%zu in %zu", index, size);
	root_of(size, root);
	cr_assert(merkle_check_inclusion(index, size, leaf[index], &got, root));
	memcpy(other, root, 32);
	other[index % 32] ^= 1;
	cr_assert_not(merkle_check_inclusion(index, size, leaf[index], &got, other));
	cr_assert_not(merkle_check_inclusion(index, size, leaf[index + 1], &got, root));
	cr_assert_not(merkle_check_inclusion(size, size, leaf[index], &got, root));
	mutate(&got, (unsigned)(index + size));
	cr_assert_not(merkle_check_inclusion(index, size, leaf[index], &got, root));
}

static void try_consistency(size_t from, size_t to)
{
	struct merkle_proof got, want = { 0 };
	unsigned char a[32], b[32], other[32];

	cr_assert_eq(merkle_prove_consistency(&reader, from, to, &got, &e), ERR_OK);
	if (from != 0)
		naive_subproof(from, 0, to, true, &want);
	cr_assert(same(&got, &want), "%zu to %zu", from, to);
	root_of(from, a);
	root_of(to, b);
	cr_assert(merkle_check_consistency(from, to, a, b, &got), "%zu to %zu", from, to);
	memcpy(other, a, 32);
	other[to % 32] ^= 0x80;
	cr_assert_not(merkle_check_consistency(from, to, other, b, &got));
	if (from != 0) {
		memcpy(other, b, 32);
		other[from % 32] ^= 0x01;
		cr_assert_not(merkle_check_consistency(from, to, a, other, &got));
	}
	mutate(&got, (unsigned)(from + to));
	cr_assert_not(merkle_check_consistency(from, to, a, b, &got), "%zu to %zu", from,
	              to);
}

Test(merkle, a_hundred_thousand_proofs_hold_and_their_mutants_do_not)
{
	for (int i = 0; i < 50000; i++) {
		size_t size = 1 + randombytes_uniform(80);

		try_inclusion(randombytes_uniform((uint32_t)size), size);
		try_consistency(randombytes_uniform((uint32_t)size + 1), size);
	}
	for (int i = 0; i < 200; i++) {
		size_t size = 1 + randombytes_uniform(LEAVES - 1);

		try_inclusion(randombytes_uniform((uint32_t)size), size);
		try_consistency(randombytes_uniform((uint32_t)size + 1), size);
	}
}

/* The hashes alone would fit: it is the sizes that do not. */
Test(merkle, a_proof_fits_trees_of_its_own_height_only)
{
	struct merkle_proof p;
	unsigned char seven[32], eight[32];

	root_of(7, seven);
	root_of(8, eight);
	cr_assert_eq(merkle_prove_inclusion(&reader, 7, 8, &p, &e), ERR_OK);
	cr_assert(merkle_check_inclusion(7, 8, leaf[7], &p, eight));
	cr_assert_not(merkle_check_inclusion(3, 4, leaf[7], &p, eight));
	cr_assert_not(merkle_check_inclusion(15, 16, leaf[7], &p, eight));
	cr_assert_eq(merkle_prove_consistency(&reader, 7, 8, &p, &e), ERR_OK);
	cr_assert(merkle_check_consistency(7, 8, seven, eight, &p));
	cr_assert_not(merkle_check_consistency(3, 4, seven, eight, &p));
	cr_assert_not(merkle_check_consistency(15, 16, seven, eight, &p));
}

Test(merkle, what_cannot_be_proven_is_refused)
{
	struct merkle_proof p = { .n = MERKLE_PROOF_MAX + 1 };
	unsigned char root[32];

	root_of(10, root);
	cr_assert_eq(merkle_prove_inclusion(&reader, 10, 10, &p, &e), ERR_INVALID);
	cr_assert_eq(merkle_prove_inclusion(&reader, 0, 0, &p, &e), ERR_INVALID);
	cr_assert_eq(merkle_prove_consistency(&reader, 11, 10, &p, &e), ERR_INVALID);
	cr_assert_eq(p.n, MERKLE_PROOF_MAX + 1, "an output changes only on success");
	cr_assert_not(merkle_check_consistency(5, 10, root, root, &p));
	cr_assert_not(merkle_check_inclusion(1, 10, leaf[1], &p, root));
	p.n = 0;
	cr_assert_not(merkle_check_consistency(11, 10, root, root, &p));
	cr_assert_not(merkle_check_consistency(5, 10, root, root, &p));
}

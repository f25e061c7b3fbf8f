/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"

TestSuite(arena, .timeout = 60);

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

Test(arena, memory_is_zeroed_aligned_and_disjoint)
{
	AUTO_ARENA a = arena_new(8u << 20);
	unsigned char *blocks[200];

	cr_assert_not_null(a);
	for (size_t i = 0; i < 200; i++) {
		blocks[i] = arena_alloc(a, i * 37);
		cr_assert_not_null(blocks[i]);
		cr_assert_eq((uintptr_t)blocks[i] % 16, 0);
		cr_assert(all_zero(blocks[i], i * 37));
		memset(blocks[i], (int)i, i * 37);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; j < i * 37; j++)
			cr_assert_eq(blocks[i][j], i);
}

Test(arena, a_reset_wipes_what_was_handed_out)
{
	AUTO_ARENA a = arena_new(8u << 20);

	for (int round = 0; round < 50; round++) {
		for (size_t n = 1; n < 200000; n = n * 3 + 1) {
			unsigned char *p = arena_alloc(a, n);

			cr_assert_not_null(p);
			cr_assert(all_zero(p, n), "round %d, %zu bytes", round, n);
			memset(p, 0xa5, n);
		}
		arena_reset(a);
		cr_assert_eq(arena_used(a), 0);
	}
}

Test(arena, chunks_that_another_arena_gave_back_are_clean)
{
	for (int round = 0; round < 20; round++) {
		struct arena *many[40];

		for (size_t i = 0; i < 40; i++) {
			unsigned char *p;
			size_t n = i * 999 + 1;

			many[i] = arena_new(1u << 20);
			p = arena_alloc(many[i], n);
			cr_assert(all_zero(p, n));
			memset(p, 0x5a, n);
		}
		for (size_t i = 0; i < 40; i++)
			arena_free(many[(i * 7) % 40]);
	}
	arena_free(NULL);
}

Test(arena, the_maximum_holds_and_failure_is_sticky)
{
	AUTO_ARENA a = arena_new(1000);

	cr_assert_not_null(arena_alloc(a, 1000)); /* all of it at once */
	cr_assert_not(arena_failed(a));
	cr_assert_null(arena_alloc(a, 16));
	cr_assert(arena_failed(a));
	arena_reset(a);
	cr_assert_not(arena_failed(a));
	cr_assert_null(arena_alloc(a, 1100));
	cr_assert_not_null(arena_alloc(a, 8));
	cr_assert(arena_failed(a), "a later success must not hide the failure");
}

Test(arena, absurd_sizes_are_refused)
{
	static const size_t sizes[] = { SIZE_MAX,      SIZE_MAX - 1, SIZE_MAX - 15,
		                        SIZE_MAX - 16, SIZE_MAX / 2, SIZE_MAX / 4 + 1 };
	AUTO_ARENA a = arena_new(SIZE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		arena_reset(a);
		cr_assert_null(arena_alloc(a, sizes[i]), "%zu", sizes[i]);
		cr_assert(arena_failed(a));
	}
	arena_reset(a);
	cr_assert_null(arena_dup(a, "x", SIZE_MAX));
}

Test(arena, larger_than_any_kept_chunk)
{
	AUTO_ARENA a = arena_new(40u << 20);
	unsigned char *p = arena_alloc(a, 30u << 20);

	cr_assert_not_null(p);
	p[0] = p[(30u << 20) - 1] = 1;
	arena_reset(a);
	p = arena_alloc(a, 30u << 20);
	cr_assert(p != NULL && p[0] == 0 && p[(30u << 20) - 1] == 0);
}

Test(arena, copies_end_in_a_nul)
{
	AUTO_ARENA a = arena_new(4096);
	const char *copy = arena_dup(a, "abc", 2);

	cr_assert_str_eq(copy, "ab");
	cr_assert_str_eq(arena_str(a, "hello"), "hello");
	cr_assert_null(arena_str(a, NULL));
	cr_assert_str_eq(arena_dup(a, NULL, 0), "");
	cr_assert_str_eq(arena_printf(a, "%s-%d", "x", 7), "x-7");
	cr_assert_not(arena_failed(a));
}

Test(arena, printf_longer_than_what_is_left)
{
	AUTO_ARENA a = arena_new(64);

	cr_assert_null(arena_printf(a, "%0100d", 1));
	cr_assert(arena_failed(a));
}

static size_t resident_kib(void)
{
	size_t pages = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_eq(fscanf(f, "%zu %zu", &ignored, &pages), 2);
	fclose(f);
	return pages * 4;
}

/* What thousands of parked requests rest on. */
Test(arena, a_small_arena_costs_one_page)
{
	enum { COUNT = 5000 };
	static struct arena *parked[COUNT];
	size_t before = resident_kib(), grown;

	for (size_t i = 0; i < COUNT; i++) {
		parked[i] = arena_new(1u << 20);
		cr_assert_not_null(arena_alloc(parked[i], 3000));
	}
	grown = resident_kib() - before;
	/* Under AddressSanitizer its shadow comes on top. */
	cr_assert_lt(grown, COUNT * 8, "%zu KiB for %d arenas", grown, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		arena_free(parked[i]);
}

static size_t mapped(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

Test(arena, a_trim_gives_back_what_is_kept)
{
	struct arena *a = arena_new(16u << 20);
	size_t before;

	for (int i = 0; i < 40; i++)
		cr_assert_not_null(arena_alloc(a, 100000));
	arena_free(a);
	before = mapped();
	arena_trim();
	cr_assert_leq(mapped() + (3u << 20), before);
	arena_trim();
	a = arena_new(16u << 20);
	cr_assert(all_zero(arena_alloc(a, 2000000), 2000000));
	arena_free(a);
}

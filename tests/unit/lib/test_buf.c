/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"

TestSuite(buf, .timeout = 30);

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 131 % 251 + 1); /* never zero */
}

/* A queue of bytes, whatever the sizes of the pieces are; ${held} stay in it. */
static void run(size_t held)
{
	AUTO_BUF b = { .max = 1u << 20 };
	size_t in = 0, out = 0, step = 1;

	while (out < 1000000) {
		unsigned char piece[5000];
		size_t n = step * 7919 % sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(in + i);
		cr_assert(buf_add(&b, piece, n));
		in += n;
		n = step * 104729 % 9973;
		if (n > b.len)
			n = b.len;
		if (b.len - n < held)
			n = b.len > held ? b.len - held : 0;
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(b.p[b.start + i], pattern(out + i));
		buf_take(&b, n);
		out += n;
		cr_assert_eq(b.len, in - out);
		step++;
	}
}

Test(buf, bytes_come_out_in_order)
{
	run(0);
	run(100);
	run(9000);
	run(30000);
}

Test(buf, nothing_stays_behind_what_is_taken)
{
	AUTO_BUF b = { .max = 1u << 20 };
	unsigned char piece[1000];

	memset(piece, 0xa5, sizeof(piece));
	for (size_t step = 0; step < 200; step++) {
		cr_assert(buf_add(&b, piece, sizeof(piece)));
		buf_take(&b, step % 3 != 0 ? 997 : b.len / 2);
		for (size_t i = 0; i < b.cap; i++) {
			bool held = i >= b.start && i < b.start + b.len;

			cr_assert_eq(b.p[i], held ? 0xa5 : 0, "step %zu byte %zu", step,
			             i);
		}
	}
}

Test(buf, the_maximum_holds)
{
	AUTO_BUF b = { .max = 100 };
	unsigned char piece[101] = { 0 };

	cr_assert_not(buf_add(&b, piece, 101));
	cr_assert(buf_add(&b, piece, 60));
	cr_assert_not(buf_add(&b, piece, 41));
	cr_assert_eq(b.len, 60);
	cr_assert(buf_add(&b, piece, 40));
	cr_assert_not(buf_reserve(&b, 1));
	cr_assert_not(buf_reserve(&b, SIZE_MAX));
	buf_take(&b, 1);
	cr_assert(buf_reserve(&b, 1));
}

Test(buf, an_empty_large_buffer_gives_its_memory_back)
{
	AUTO_BUF b = { .max = 8u << 20 };

	cr_assert(buf_reserve(&b, 4u << 20));
	b.len = 4u << 20;
	buf_take(&b, (4u << 20) - 1);
	cr_assert_not_null(b.p);
	buf_take(&b, 1);
	cr_assert_null(b.p);
	cr_assert(buf_add(&b, "x", 1));
	buf_free(&b);
	buf_free(&b);
	cr_assert_eq(b.len, 0);
	buf_take(&b, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which positions are looked at for known values: by vectors, by plain loops, and by what
 * the words say. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "scanner/known/winnow.h"

TestSuite(winnow, .timeout = 60);

static unsigned char text[WINNOW_BEHIND + WINNOW_MAX + WINNOW_AHEAD];
static unsigned char *const p = text + WINNOW_BEHIND;
static struct leak_key key;

static void make_key(void)
{
	unsigned char raw[LEAK_KEY_BYTES];

	randombytes_buf(raw, sizeof(raw));
	leak_key_read(&key, raw);
}

/* 0, 1 and 2 are taken for the same. */
static unsigned hash(long at)
{
	unsigned h = leak_select(&key, p + at);

	return h > 2 ? h : 2;
}

static bool in_run(long window)
{
	for (long i = window; i < window + (long)LEAK_RUN; i++)
		if (!leak_solid(p[i]))
			return false;
	return true;
}

static bool stands_out(long at)
{
	for (long w = at - (long)LEAK_WINDOW + 1; w <= at; w++) {
		bool least = in_run(w);

		for (long i = w; i < w + (long)LEAK_WINDOW; i++)
			least &= hash(i) >= hash(at);
		if (least)
			return true;
	}
	return false;
}

static void judge(size_t n)
{
	uint64_t fast[WINNOW_MAX / 64], plain[WINNOW_MAX / 64];

	winnow((uint16_t)key.select, p, n, fast);
	winnow_plain((uint16_t)key.select, p, n, plain);
	for (size_t i = 0; i < n; i++) {
		bool want = stands_out((long)i);

		cr_assert_eq(fast[i / 64] >> i % 64 & 1, want, "%zu of %zu", i, n);
		cr_assert_eq(plain[i / 64] >> i % 64 & 1, want, "%zu of %zu, plain", i,
		             n);
	}
}

/* Bytes of which one in ${blank} ends a run; of few kinds, so that hashes are the same.
 */
static void fill(unsigned kinds, unsigned blank)
{
	static const unsigned char blanks[] = { ' ', '\t', '\n', '\r', '\0' };

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (unsigned char)randombytes_uniform(kinds);
		if (kinds < 128)
			text[i] |= 0x40;
		if (randombytes_uniform(blank) == 0)
			text[i] = blanks[randombytes_uniform(sizeof(blanks))];
	}
}

Test(winnow, any_text)
{
	static const unsigned kinds[] = { 1, 2, 26, 64, 256 };
	static const unsigned blanks[] = { 5, 24, 40, 200, 100000 };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (size_t b = 0; b < sizeof(blanks) / sizeof(*blanks); b++) {
			make_key();
			fill(kinds[k], blanks[b]);
			judge(64);
			judge(64 * (1 + randombytes_uniform(WINNOW_MAX / 64)));
			judge(WINNOW_MAX);
		}
}

/* Each byte is solid or not, at each distance from the end of a run that is just long
 * enough and from one that is too short. */
Test(winnow, every_byte_ends_a_run_or_not)
{
	make_key();
	for (unsigned c = 0; c < 256; c++)
		for (size_t gap = LEAK_RUN - 2; gap <= LEAK_RUN + 1; gap++) {
			for (size_t i = 0; i < sizeof(text); i++)
				text[i] = (unsigned char)(i % gap == 0 ? c
				                                       : 'a' + i % 26);
			judge(256);
		}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a leak pack keeps of a value, and that a scanner finds the value by it. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "leaktag.h"

TestSuite(leaktag, .timeout = 60);

static struct leak_key key;

static void make_key(void)
{
	unsigned char raw[LEAK_KEY_BYTES];

	randombytes_buf(raw, sizeof(raw));
	leak_key_read(&key, raw);
}

/* Is position ${at} the smallest of some window in the text? */
static bool stands_out(const unsigned char *p, size_t n, size_t at)
{
	for (size_t w = at >= LEAK_WINDOW - 1 ? at - (LEAK_WINDOW - 1) : 0;
	     w <= at && w + LEAK_WINDOW < n; w++) {
		bool least = true;

		for (size_t i = w; i < w + LEAK_WINDOW; i++)
			least &= leak_select(&key, p + i) >= leak_select(&key, p + at);
		if (least)
			return true;
	}
	return false;
}

Test(leaktag, an_occurrence_is_found_by_its_anchor_alone)
{
	unsigned char text[400], value[LEAK_MIN + 20];
	size_t seen = 0, all = 0;

	for (int round = 0; round < 300; round++) {
		size_t at = randombytes_uniform(sizeof(text) - sizeof(value));
		unsigned anchor;

		make_key();
		randombytes_buf(text, sizeof(text));
		randombytes_buf(value, sizeof(value));
		if (round % 3 == 0)
			memset(value, 'a' + round % 26, sizeof(value) / 2);
		memcpy(text + at, value, sizeof(value));
		anchor = leak_anchor(&key, value);
		cr_assert_lt(anchor, LEAK_WINDOW);
		cr_assert(stands_out(text, sizeof(text), at + anchor));
		cr_assert_eq(leak_tag(&key, text + at + anchor),
		             leak_tag(&key, value + anchor));
		for (size_t i = LEAK_WINDOW; i + 2 * LEAK_WINDOW < sizeof(text); i++) {
			seen += stands_out(text, sizeof(text), i);
			all++;
		}
	}
	cr_assert_lt(seen * 5, all, "few positions are looked at: %zu of %zu", seen, all);
}

Test(leaktag, keys_differ)
{
	static const unsigned char value[LEAK_RUN] = "0123456789abcdefghijkl";
	unsigned char one[LEAK_DIGEST], two[LEAK_DIGEST];
	unsigned same = 0;

	for (int i = 0; i < 64; i++) {
		uint32_t tag;

		make_key();
		tag = leak_tag(&key, value);
		cr_assert_lt(tag, 1u << LEAK_TAG_BITS);
		leak_digest(&key, value, sizeof(value), one);
		make_key();
		same += tag == leak_tag(&key, value);
		leak_digest(&key, value, sizeof(value), two);
		cr_assert_neq(memcmp(one, two, sizeof(one)), 0);
	}
	cr_assert_leq(same, 1u);
}

/* The first run is what a value is known by, wherever it begins. */
Test(leaktag, the_place_is_in_the_first_run)
{
	static const unsigned char blanks[] = { ' ', '\t', '\n', '\r', '\0' };
	unsigned char value[LEAK_PLACE_MAX + 100];
	struct leak_entry en = { 0 };
	size_t run;

	for (int round = 0; round < 300; round++) {
		make_key();
		memset(value, 'a', sizeof(value));
		run = randombytes_uniform(LEAK_PLACE_MAX - LEAK_WINDOW + 1);
		run = round % 2 ? run : run % 100;
		for (size_t i = run % LEAK_RUN; i < run; i += LEAK_RUN)
			value[i] = blanks[randombytes_uniform(sizeof(blanks))];
		if (run > 0)
			value[run - 1] = blanks[run % sizeof(blanks)];
		for (size_t i = 0; i < LEAK_RUN; i++)
			value[run + i] = (unsigned char)('!' + randombytes_uniform(94));
		cr_assert_eq(leak_entry_of(&key, value, run + LEAK_RUN, &en), 0);
		cr_assert_eq(en.place, run + leak_anchor(&key, value + run));
		cr_assert_eq(en.tag, leak_tag(&key, value + en.place));
		cr_assert_eq(en.len, run + LEAK_RUN);
		cr_assert_eq(leak_place(&key, value, sizeof(value)), en.place);
		cr_assert_eq(leak_place(&key, value, run + LEAK_RUN - 1), -1);
	}
	memset(value, ' ', sizeof(value));
	memset(value + LEAK_PLACE_MAX - LEAK_WINDOW + 1, 'a', LEAK_RUN);
	cr_assert_eq(leak_place(&key, value, sizeof(value)), -1, "too late");
}

Test(leaktag, an_entry_is_read_as_it_was_written)
{
	struct leak_entry en = { .len = 12345,
		                 .place = 4095,
		                 .tag = 0xabcde,
		                 .flags = LEAK_FLAG_CURRENT },
			  back;
	unsigned char raw[LEAK_ENTRY];

	memset(en.id, 7, sizeof(en.id));
	memset(en.digest, 9, sizeof(en.digest));
	leak_entry_write(&en, raw);
	cr_assert_eq(leak_entry_read(raw, &back), 0);
	cr_assert_eq(back.len, en.len);
	cr_assert_eq(back.place, en.place);
	cr_assert_eq(back.tag, en.tag);
	cr_assert_eq(back.flags, en.flags);
	cr_assert_eq(memcmp(back.id, en.id, sizeof(en.id)), 0);
	cr_assert_eq(memcmp(back.digest, en.digest, sizeof(en.digest)), 0);
	raw[LEAK_ID + 4] = 0x10;
	cr_assert_eq(leak_entry_read(raw, &back), -1, "no anchor is there");
	raw[LEAK_ID + 4] = 0x0f;
	raw[LEAK_ID] = 0xff;
	cr_assert_eq(leak_entry_read(raw, &back), -1, "too long");
	memset(raw + LEAK_ID, 0, 4);
	cr_assert_eq(leak_entry_read(raw, &back), -1, "too short");
}

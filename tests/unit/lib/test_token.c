/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "token.h"

TestSuite(token, .timeout = 30);

static const char types[] = "sjwbr";

Test(token, a_fresh_one_is_valid_as_what_it_is)
{
	for (size_t i = 0; i < strlen(types); i++) {
		char t[TOKEN_TEXT_LEN + 1];

		token_new(types[i], t);
		cr_assert_eq(strlen(t), TOKEN_TEXT_LEN);
		cr_assert_eq(memcmp(t, "vlt_", 4), 0);
		cr_assert(t[4] == types[i] && t[5] == '_');
		cr_assert(token_valid(t, TOKEN_TEXT_LEN, 0));
		for (size_t j = 0; j < strlen(types); j++)
			cr_assert_eq(token_valid(t, TOKEN_TEXT_LEN, types[j]), i == j);
	}
}

Test(token, two_are_never_the_same)
{
	char a[TOKEN_TEXT_LEN + 1], b[TOKEN_TEXT_LEN + 1];

	token_new('s', a);
	token_new('s', b);
	cr_assert_str_neq(a, b);
}

/* Other implementations (a scanner's rule, a script) find the same checksum. */
Test(token, the_form_is_fixed)
{
	static const char want[] = "vlt_s_"
				   "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
				   "3y3RIx";

	cr_assert_eq(strlen(want), TOKEN_TEXT_LEN);
	cr_assert(token_valid(want, TOKEN_TEXT_LEN, 's'), "crc %08x",
	          text_crc32(want, 49));
}

Test(token, every_flipped_bit_and_every_swapped_pair_is_seen)
{
	char t[TOKEN_TEXT_LEN + 1];

	token_new('s', t);
	for (size_t bit = 0; bit < 8 * TOKEN_TEXT_LEN; bit++) {
		t[bit / 8] ^= (char)(1u << bit % 8);
		cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 's'), "bit %zu", bit);
		cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 0), "bit %zu", bit);
		t[bit / 8] ^= (char)(1u << bit % 8);
	}
	for (size_t i = 0; i + 1 < TOKEN_TEXT_LEN; i++) {
		char c = t[i];

		t[i] = t[i + 1];
		t[i + 1] = c;
		cr_assert_eq(token_valid(t, TOKEN_TEXT_LEN, 's'), t[i] == c, "swap %zu",
		             i);
		t[i + 1] = t[i];
		t[i] = c;
	}
	cr_assert(token_valid(t, TOKEN_TEXT_LEN, 's'));
}

Test(token, no_other_length_is_valid)
{
	char t[TOKEN_TEXT_LEN + 8] = "";

	token_new('s', t);
	for (size_t n = 0; n < sizeof(t); n++)
		cr_assert_eq(token_valid(t, n, 's'), n == TOKEN_TEXT_LEN, "%zu", n);
}

/* A fresh token with another byte at ${at}, and the checksum that goes with it. */
static void forge(char t[TOKEN_TEXT_LEN + 1], size_t at, char byte)
{
	unsigned char be[4];
	unsigned crc;

	token_new('s', t);
	t[at] = byte;
	crc = text_crc32(t, 49);
	for (int i = 3; i >= 0; i--, crc >>= 8)
		be[i] = (unsigned char)crc;
	cr_assert_eq(text_base62(be, 4, t + 49, 6), 0);
}

Test(token, a_right_checksum_makes_no_other_form_a_token)
{
	static const char strange[] = {
		'-', '_', ' ', '/', ':', '@', '[', '`', '{', 0, -1
	};
	char t[TOKEN_TEXT_LEN + 1];

	for (size_t i = 0; i < sizeof(strange); i++) {
		forge(t, 20, strange[i]);
		cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 's'), "%d", strange[i]);
	}
	for (size_t at = 0; at < 6; at++) {
		forge(t, at, 'q');
		cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 0), "%zu", at);
		cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 's'), "%zu", at);
	}
	forge(t, 0, 'v');
	cr_assert(token_valid(t, TOKEN_TEXT_LEN, 's'));
}

Test(token, an_unknown_type_is_no_type)
{
	char t[TOKEN_TEXT_LEN + 1];

	token_new('x', t);
	cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 0));
	token_new('\0', t);
	cr_assert_not(token_valid(t, TOKEN_TEXT_LEN, 0));
}

Test(token, content_comes_back_from_its_text)
{
	unsigned char in[100], out[100];
	char t[TOKEN_PACKED_LEN(100) + 1];

	for (size_t n = 0; n <= sizeof(in); n++) {
		for (size_t i = 0; i < n; i++)
			in[i] = (unsigned char)(i * 37 + n);
		memset(t, 1, sizeof(t));
		token_pack('b', in, n, t);
		cr_assert_eq(strlen(t), TOKEN_PACKED_LEN(n), "%zu", n);
		cr_assert_eq(token_unpack(t, strlen(t), 'b', out, sizeof(out)), (long)n);
		cr_assert_arr_eq(in, out, n);
		cr_assert_eq(token_unpack(t, strlen(t), 's', out, sizeof(out)), -1);
		if (n > 0)
			cr_assert_eq(token_unpack(t, strlen(t), 'b', out, n - 1), -1);
	}
}

Test(token, a_packed_token_with_a_typo_is_none)
{
	char t[TOKEN_PACKED_LEN(40) + 1];
	unsigned char in[40] = { 0xfb, 0xff }, out[40];
	size_t n;

	token_pack('b', in, sizeof(in), t);
	n = strlen(t);
	cr_assert_eq(token_unpack(t, n, 'b', out, sizeof(out)), 40);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			t[i] = (char)(t[i] ^ 1 << bit);
			cr_assert_eq(token_unpack(t, n, 'b', out, sizeof(out)), -1,
			             "byte %zu bit %d", i, bit);
			t[i] = (char)(t[i] ^ 1 << bit);
		}
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(token_unpack(t, i, 'b', out, sizeof(out)), -1, "%zu", i);
}

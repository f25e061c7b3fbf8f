/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
#include "text.h"
#include "util.h"

TestSuite(text, .timeout = 60);

/* RFC 4648 section 10. */
static const struct {
	const char *plain, *base64, *base32, *hex;
} rfc4648[] = {
	{"",        "",         "",           ""            },
	{ "f",      "Zg==",     "my",         "66"          },
	{ "fo",     "Zm8=",     "mzxq",       "666f"        },
	{ "foo",    "Zm9v",     "mzxw6",      "666f6f"      },
	{ "foob",   "Zm9vYg==", "mzxw6yq",    "666f6f62"    },
	{ "fooba",  "Zm9vYmE=", "mzxw6ytb",   "666f6f6261"  },
	{ "foobar", "Zm9vYmFy", "mzxw6ytboi", "666f6f626172"},
};

Test(text, vectors_of_rfc_4648)
{
	for (size_t i = 0; i < ARRAY_LEN(rfc4648); i++) {
		const char *plain = rfc4648[i].plain;
		size_t n = strlen(plain);
		char out[32];
		unsigned char back[8];

		cr_expect_eq(text_base64(plain, n, out), strlen(rfc4648[i].base64));
		cr_expect_str_eq(out, rfc4648[i].base64);
		cr_expect_eq(text_base32(plain, n, out), strlen(rfc4648[i].base32));
		cr_expect_str_eq(out, rfc4648[i].base32);
		text_hex(plain, n, out);
		cr_expect_str_eq(out, rfc4648[i].hex);
		cr_expect_eq(text_unbase64(rfc4648[i].base64, strlen(rfc4648[i].base64),
		                           back, sizeof(back)),
		             (long)n);
		cr_expect_eq(memcmp(back, plain, n), 0);
		cr_expect_eq(text_unbase32(rfc4648[i].base32, strlen(rfc4648[i].base32),
		                           back, sizeof(back)),
		             (long)n);
		cr_expect_eq(memcmp(back, plain, n), 0);
		cr_expect_eq(text_unhex(rfc4648[i].hex, strlen(rfc4648[i].hex), back,
		                        sizeof(back)),
		             (long)n);
		cr_expect_eq(memcmp(back, plain, n), 0);
	}
}

Test(text, the_url_alphabet_has_no_padding)
{
	char out[16];

	cr_assert_eq(text_base64url("\xfb\xff\xfe\xff", 4, out), 6);
	cr_assert_str_eq(out, "-__-_w");
	text_base64("\xfb\xff\xfe\xff", 4, out);
	cr_assert_str_eq(out, "+//+/w==");
}

static long unbase64(const char *s)
{
	unsigned char out[32];

	return text_unbase64(s, strlen(s), out, sizeof(out));
}

/* Of all lengths about a chunk's, against another implementation. */
Test(text, base64_is_what_libsodium_makes_of_it)
{
	static const struct {
		int variant;
		size_t (*encode)(const void *, size_t, char *);
	} kinds[] = {
		{sodium_base64_VARIANT_ORIGINAL,            text_base64   },
		{ sodium_base64_VARIANT_URLSAFE_NO_PADDING, text_base64url},
	};
	unsigned char in[200], back[200];
	char ours[300], theirs[300];

	for (size_t n = 0; n <= sizeof(in); n++) {
		randombytes_buf(in, n);
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			sodium_bin2base64(theirs, sizeof(theirs), in, n,
			                  kinds[k].variant);
			cr_assert_eq(kinds[k].encode(in, n, ours), strlen(theirs));
			cr_assert_str_eq(ours, theirs);
			cr_assert_eq(text_unbase64(ours, strlen(ours), back, n), (long)n);
			cr_assert_eq(memcmp(back, in, n), 0);
			if (n > 0)
				cr_assert_eq(text_unbase64(ours, strlen(ours), back,
				                           n - 1),
				             -1);
		}
	}
}

/* Wherever it stands, a byte is a digit or nothing is taken. */
Test(text, base64_has_64_digits_everywhere)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/-_";
	unsigned char out[120];
	char s[160];

	for (size_t at = 0; at < sizeof(s); at++) {
		for (int c = 0; c < 256; c++) {
			bool good = c != 0 && strchr(digits, c) != NULL;

			memset(s, 'B', sizeof(s));
			s[at] = (char)c;
			if (c == '=' && at == sizeof(s) - 1)
				continue;
			cr_assert_eq(text_unbase64(s, sizeof(s), out, sizeof(out)),
			             good ? 120 : -1, "%zu %d", at, c);
		}
	}
	memset(s, 'A', sizeof(s));
	s[3] = '+';
	s[140] = '_';
	cr_assert_eq(text_unbase64(s, sizeof(s), out, sizeof(out)), -1, "both alphabets");
}

Test(text, base64_is_taken_in_one_spelling_alone)
{
	static const char *const good[] = { "+//+/w==", "+//+/w", "-__-_w",
		                            "-__-_w==", "Zm9v" };
	static const char *const bad[] = {
		"Z",        "Zg=",    "Zg===", "=",     "==",    "====",   "Zg==Zg==",
		"Z===",     "Zh==",   "Zm9=",  "Zm8==", " Zm9v", "Zm9v\n", "Zm 9v",
		"Zm9v=",    "Zm9v==", "+_8A",  "-/8A",  "Zm9.",  "Zm9*",   "\xc3\xa9",
		"Zm9v\x80", "Zm9@",   "Zm9[",  "Zm9`",  "Zm9{",  "Zm9:",   "Zm9,",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_geq(unbase64(good[i]), 3, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(unbase64(bad[i]), -1, "%s", bad[i]);
}

Test(text, hex_is_strict)
{
	static const char *const bad[] = { "0",   "0g", "g0", "0x", " 0", "0 ",
		                           "00:", "/0", ":0", "@0", "G0", "`0" };
	unsigned char out[4];

	cr_assert_eq(text_unhex("0aFf", 4, out, 2), 2);
	cr_assert(out[0] == 0x0a && out[1] == 0xff);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(text_unhex(bad[i], strlen(bad[i]), out, 4), -1, "%s",
		             bad[i]);
}

Test(text, base32_is_strict_but_for_case)
{
	static const char *const bad[] = { "m",    "mzx",  "mzxw6y", "my==", "m1", "m8",
		                           "mz0q", "mzxr", "m@",     "m[",   "m`", "m{" };
	unsigned char out[8];

	cr_assert_eq(text_unbase32("MzXw6", 5, out, 3), 3);
	cr_assert_eq(memcmp(out, "foo", 3), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(text_unbase32(bad[i], strlen(bad[i]), out, 8), -1, "%s",
		             bad[i]);
}

Test(text, decoders_never_write_past_the_capacity)
{
	for (size_t cap = 0; cap < 6; cap++) {
		unsigned char out[8];

		memset(out, 0x77, sizeof(out));
		cr_assert_eq(text_unbase64("Zm9vYmFy", 8, out, cap), -1);
		cr_assert_eq(text_unbase32("mzxw6ytboi", 10, out, cap), -1);
		cr_assert_eq(text_unhex("666f6f626172", 12, out, cap), -1);
		for (size_t i = cap; i < sizeof(out); i++)
			cr_assert_eq(out[i], 0x77, "byte %zu of %zu", i, cap);
	}
}

/* Whatever a decoder takes, encoding gives back: no value has two spellings. */
Test(text, every_length_comes_back_and_no_flipped_bit_gives_the_same_bytes)
{
	for (size_t n = 0; n < 40; n++) {
		unsigned char in[40], out[48];
		char text[3][96];
		size_t len[3];
		long (*const decode[3])(const char *, size_t, void *,
		                        size_t) = { text_unbase64, text_unbase32,
			                            text_unhex };

		rng_bytes(in, n);
		len[0] = text_base64url(in, n, text[0]);
		len[1] = text_base32(in, n, text[1]);
		text_hex(in, n, text[2]);
		len[2] = 2 * n;
		for (size_t d = 0; d < 3; d++) {
			cr_assert_eq(decode[d](text[d], len[d], out, n), (long)n);
			cr_assert_eq(memcmp(in, out, n), 0);
			for (size_t bit = 0; bit < 8 * len[d]; bit++) {
				bool case_bit = d > 0 && bit % 8 == 5;

				text[d][bit / 8] ^= (char)(1u << bit % 8);
				if (decode[d](text[d], len[d], out, n) == (long)n &&
				    !case_bit)
					cr_assert_neq(memcmp(in, out, n), 0, "%zu/%zu", d,
					              bit);
				text[d][bit / 8] ^= (char)(1u << bit % 8);
			}
		}
	}
}

struct decimal_case {
	unsigned char p[TEXT_DECIMAL_BYTES];
	size_t n;
	char want[TEXT_DECIMAL_LEN + 1];
};

static const struct decimal_case decimals[] = {
	{{ 0 },					       0,  "0"                   },
	{ { 0 },					      1,  "0"                   },
	{ { 0 },					      32, "0"                   },
	{ { 9 },					      1,  "9"                   },
	{ { 0, 0, 10 },				       3,  "10"                  },
	{ { 0x3b, 0x9a, 0xc9, 0xff },                         4,  "999999999"           },
	{ { 0x3b, 0x9a, 0xca, 0x00 },                         4,  "1000000000"          },
	{ { 0x01, 0x00, 0x00, 0x00, 0x00 },                   5,  "4294967296"          },
	{ { 0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x64, 0, 0 },       8,  "1000000000000000000" },
	{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8,  "18446744073709551615"},
};

Test(text, decimal)
{
	for (size_t i = 0; i < ARRAY_LEN(decimals); i++) {
		const struct decimal_case *c = &decimals[i];
		char out[TEXT_DECIMAL_LEN + 1];

		cr_assert_eq(text_decimal(c->p, c->n, out), strlen(c->want));
		cr_assert_str_eq(out, c->want);
	}
}

Test(text, the_longest_decimal)
{
	unsigned char p[TEXT_DECIMAL_BYTES];
	char out[TEXT_DECIMAL_LEN + 1];

	memset(p, 0xff, sizeof(p));
	cr_assert_eq(text_decimal(p, sizeof(p), out), TEXT_DECIMAL_LEN);
	cr_assert_str_eq(out, "11579208923731619542357098500868790785326998466564056403"
	                      "9457584007913129639935");
}

Test(text, base62_is_a_number_of_fixed_width)
{
	char out[50];
	unsigned char max[32];

	cr_assert_eq(text_base62("\0", 1, out, 2), 0);
	cr_assert_str_eq(out, "00");
	cr_assert_eq(text_base62("\x3d", 1, out, 1), 0);
	cr_assert_str_eq(out, "z");
	cr_assert_eq(text_base62("\x3e", 1, out, 1), -1);
	cr_assert_eq(text_base62("\x3e", 1, out, 2), 0);
	cr_assert_str_eq(out, "10");
	cr_assert_eq(text_base62("\xff\xff\xff\xff", 4, out, 6), 0);
	cr_assert_str_eq(out, "4gfFC3");
	memset(max, 0xff, sizeof(max));
	cr_assert_eq(text_base62(max, 32, out, 43), 0);
	cr_assert_str_eq(out, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
	cr_assert_eq(text_base62(max, 32, out, 42), -1);
	cr_assert_eq(text_base62(out, TEXT_BASE62_MAX + 1, out, 43), -1);
}

Test(text, random_digits_are_all_of_the_alphabet)
{
	size_t seen[256] = { 0 };
	char out[6201];

	text_base62_random(out, 6200);
	cr_assert_eq(strlen(out), 6200);
	cr_assert(text_base62_ok(out, 6200));
	for (size_t i = 0; i < 6200; i++)
		seen[(unsigned char)out[i]]++;
	for (int c = 0; c < 256; c++) {
		bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		             (c >= 'a' && c <= 'z');
		char one = (char)c;

		cr_assert_eq(text_base62_ok(&one, 1), digit, "%d", c);
		/* 100 are expected of each; less than 40 has odds below 1e-9. */
		cr_assert(digit ? seen[c] > 40 && seen[c] < 200 : seen[c] == 0, "%c: %zu",
		          c, seen[c]);
	}
}

Test(text, utf8_as_rfc_3629_has_it)
{
	static const char *const good[] = { "",
		                            "abc",
		                            "\xc2\x80",
		                            "\xdf\xbf",
		                            "\xe0\xa0\x80",
		                            "\xed\x9f\xbf",
		                            "\xee\x80\x80",
		                            "\xef\xbf\xbf",
		                            "\xf0\x90\x80\x80",
		                            "\xf4\x8f\xbf\xbf",
		                            "12345678\xc3\xa9",
		                            "1234567\xc3\xa9" };
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xe0\x80\xaf",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\xaf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x94",
		"\xc3(",
		"\xe2\x28\xa1",
		"\xe2\x82\x28",
		"\xf0\x28\x8c\xbc",
		"1234567\xc3",
		"12345678\xff",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect(text_utf8_ok(good[i], strlen(good[i])), "good %zu", i);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_not(text_utf8_ok(bad[i], strlen(bad[i])), "bad %zu", i);
	cr_assert(text_utf8_ok("a\0b", 3));
}

Test(text, printable_has_no_controls)
{
	cr_assert(text_printable("a \xc2\xa0\xe2\x82\xac", 7));
	cr_assert_not(text_printable("a\0", 2));
	for (int c = 0; c < 0x20; c++) {
		char s[] = { 'a', (char)c };

		cr_assert_not(text_printable(s, 2), "%d", c);
	}
	cr_assert_not(text_printable("\x7f", 1));
	for (int c = 0x80; c < 0xa0; c++) {
		char s[] = { (char)0xc2, (char)c };

		cr_assert_not(text_printable(s, 2), "%d", c);
	}
	cr_assert_not(text_printable("\xff", 1));
}

Test(text, crc32_is_zlibs)
{
	unsigned char all[256];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	cr_assert_eq(text_crc32("", 0), 0);
	cr_assert_eq(text_crc32("123456789", 9), 0xcbf43926);
	cr_assert_eq(text_crc32(all, sizeof(all)), 0x29058c73);
}

Test(text, ieq_folds_ascii_alone)
{
	cr_assert(text_ieq("", ""));
	cr_assert(text_ieq("HeLLo-1", "hEllO-1"));
	cr_assert_not(text_ieq("a", ""));
	cr_assert_not(text_ieq("", "a"));
	cr_assert_not(text_ieq("@", "`"));
	cr_assert_not(text_ieq("[", "{"));
	cr_assert_not(text_ieq("\xc3\x89", "\xc3\xa9"));
}

Test(text, percent_keeps_what_is_unreserved)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char out[3 * 256 + 1], want[8];
	size_t n = 0;

	cr_expect_eq(text_percent(plain, strlen(plain), "", out), strlen(plain));
	cr_expect_str_eq(out, plain);
	cr_expect_eq(text_percent("", 0, "", out), 0);
	cr_expect_str_eq(out, "");
	for (int c = 0; c < 256; c++) {
		const char in = (char)c;
		bool stays = c != 0 && strchr(plain, c) != NULL;

		snprintf(want, sizeof(want), stays ? "%c" : "%%%02X", c);
		cr_expect_eq(text_percent(&in, 1, "", out), strlen(want), "%d", c);
		cr_expect_str_eq(out, want);
		n += strlen(want);
	}
	cr_expect_eq(n, 66 + 3 * (256 - 66));
}

Test(text, percent_keeps_more_if_asked_and_measures)
{
	static const char in[] = "a/b c?\0%\xc3\xa9";
	char out[64];

	cr_expect_eq(text_percent(in, sizeof(in) - 1, "/", NULL), 22);
	cr_expect_eq(text_percent(in, sizeof(in) - 1, "/", out), 22);
	cr_expect_str_eq(out, "a/b%20c%3F%00%25%C3%A9");
	cr_expect_eq(text_percent(in, sizeof(in) - 1, "", NULL), 24);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* checksum: published vectors, and one wrong character each. */
#include <criterion/criterion.h>
#include <string.h>

#include "text.h"
#include "verdict/checksum.h"

TestSuite(checksum, .timeout = 20);

#define S(s) (s), strlen(s)

Test(checksum, crc32_of_hello_in_every_notation)
{
	cr_assert_eq(text_crc32("hello", 5), 907060870u);
	cr_assert(checksum_crc32_base62(S("abc_hello0zNvy2"), 4));
	cr_assert_not(checksum_crc32_base62(S("abc_hello0zNvy3"), 4));
	cr_assert_not(checksum_crc32_base62(S("abc_hello0zNvy2"), 3));
	cr_assert_not(checksum_crc32_base62(S("0zNvy2"), 4), "no body");
	cr_assert(checksum_crc32_hex(S("cfut_hello3610a686"), 5, false));
	cr_assert(checksum_crc32_hex(S("zpka_hello_3610a686"), 5, false));
	cr_assert(checksum_crc32_hex(S("ATBBhello3610A686"), 4, true));
	cr_assert_not(checksum_crc32_hex(S("cfut_hello3610a687"), 5, false));
	cr_assert_not(checksum_crc32_hex(S("3610a686"), 0, false), "no body");
}

Test(checksum, grafana)
{
	static const char token[] = "gl"
				    "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58a";

	/* The sample of Grafana's own tests. */
	cr_assert(checksum_crc32_le_hex(S(token)));
	cr_assert_not(
		checksum_crc32_le_hex(S("gl"
	                                "sa_yscW25imSKJIuav8zF37RZmnbiDvB05H_fcaaf58a")));
	cr_assert_not(checksum_crc32_le_hex(S("5b582697")));
}

Test(checksum, gitlab_routable)
{
	cr_assert(checksum_crc32_base36(S("glpat-payload.01.7041c9xh")));
	cr_assert_not(checksum_crc32_base36(S("glpat-payload.01.7041c9xi")));
	cr_assert_not(checksum_crc32_base36(S("41c9xh")));
}

Test(checksum, marvin)
{
	cr_assert_eq(checksum_marvin((const uint8_t *)"abc", 3, 0xd53cd9cecd0893b7),
	             0x22c74339492769bf);
	cr_assert_eq(checksum_marvin((const uint8_t *)"", 0, 0x4fb61a001bdbcc),
	             0x30ed35c100cd3c7d);
}

Test(checksum, azure_storage_key)
{
	char key[89];

	memset(key, 'a', 76);
	memcpy(key + 76, "+ASt5mnCaw==", 13);
	cr_assert(checksum_marvin32(S(key), "Default0"));
	cr_assert(checksum_marvin32(S(key), "MastRW00,Default0"));
	cr_assert_not(checksum_marvin32(S(key), "MastRW00"));
	key[3] = 'b';
	cr_assert_not(checksum_marvin32(S(key), "Default0"));
	cr_assert_not(checksum_marvin32(S("####"), "Default0"));
}

Test(checksum, bech32_of_bip173)
{
	static const char *const good[] = {
		"A12UEL5L",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1"
		"tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
	};
	static const char *const bad[] = { "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v",
		                           "li1dgmt3",     "A1G7SGD8",      "10a06t8",
		                           "1qzzfhee",     "a12uel5m" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_assert(checksum_bech32(S(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_not(checksum_bech32(S(bad[i])), "%s", bad[i]);
}

Test(checksum, base58check)
{
	/* The key of the Bitcoin wiki's page on the format. */
	static const char wif[] = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ";
	char other[64];

	cr_assert(checksum_base58(S(wif), 0x80));
	cr_assert(checksum_base58(S(wif), -1));
	cr_assert_not(checksum_base58(S(wif), 0x00));
	for (size_t i = 0; i < strlen(wif); i++) {
		memcpy(other, wif, sizeof(wif));
		other[i] = other[i] == 'z' ? 'y' : 'z';
		cr_assert_not(checksum_base58(S(other), 0x80), "%s", other);
	}
	cr_assert_not(checksum_base58(S("0OIl"), -1), "no base58");
	cr_assert_not(checksum_base58("", 0, -1));
	/* A leading zero byte: the address of the first block's key. */
	cr_assert(checksum_base58(S("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"), 0));
}

Test(checksum, crc24)
{
	/* The usual check value of CRC-24/OPENPGP. */
	cr_assert_eq(checksum_crc24((const uint8_t *)"123456789", 9), 0x21CF02);
	cr_assert_eq(checksum_crc24(NULL, 0), 0xB704CE);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is random enough for a leak pack, and what only looks so. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "leaktag.h"
#include "rng.h"
#include "server/core/leak/leak_bits.h"

TestSuite(leak_bits, .timeout = 60);

/* How many of 1,000 random texts have enough; none may have more than the truth. */
static unsigned enough(size_t n, unsigned alphabet, double truth)
{
	static const char base62[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	unsigned good = 0, bits;
	char text[100];

	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < n; i++)
			text[i] = base62[randombytes_uniform(alphabet)];
		bits = leak_bits(text, n);
		cr_assert_leq(bits, truth + 1, "%.*s", (int)n, text);
		good += bits >= LEAK_BITS_MIN;
	}
	return good;
}

Test(leak_bits, random_texts)
{
	cr_assert_gt(enough(32, 62, 190.6), 960u);
	cr_assert_gt(enough(44, 62, 262.0), 980u);
	cr_assert_gt(enough(40, 16, 160.0), 990u);
	cr_assert_gt(enough(64, 16, 256.0), 990u);
	cr_assert_eq(enough(21, 62, 125.1), 0u, "125 bits are too few");
	cr_assert_eq(enough(31, 16, 124.0), 0u, "124 bits are too few");
}

Test(leak_bits, what_people_write)
{
	static const char *const texts[] = {
		"correct-horse-battery-staple-production-password-2024",
		"The quick brown fox jumps over the lazy dog and runs",
		"P4ssw0rd!P4ssw0rd!P4ssw0rd!P4ssw0rd!",
		"My-Super-Secret-Password-For-The-Db-Of-2026!!",
		"Tr0ub4dor&3-Tr0ub4dor&4-Tr0ub4dor&5",
		"abcdefghijklmnopqrstuvwxyz0123456789",
		"qwertyuiopasdfghjklzxcvbnm1234567890",
		"12345678901234567890123456789012345678901234567890",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
		"postgres://app:password@db.internal.example.com:5432/production",
		"production-eu-west-1.rds.amazonaws.com:5432",
		"https://hooks.example.com/services/a/b/c/d/e/f/g/h",
		"2024-01-01T00:00:00Z 10.0.0.1 10.0.0.2 10.0.0.3 8080",
		"/var/lib/docker/overlay2/merged/usr/share/zoneinfo",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		/* the same in another form */
		"YWRtaW46U3VtbWVyMjAyNCE=",
		"Basic YWRtaW46U3VtbWVyMjAyNCE=",
		"YWRtaW46U3VtbWVyMjAyNCE",
		"YWRtaW46U3VtbWVyMjAyNCE_P2ZpcnN0",
		"\"auth\": \"YWRtaW46U3VtbWVyMjAyNCE=\"",
		"password=UzBtbWVyPjIwMjQhIVMwbW1lcj4yMDI0ISE=",
		"61646d696e3a53756d6d6572323032342161646d696e",
		"0x61646D696E3A53756D6D6572323032342161646D696E",
		"WVdSdGFXNDZVM1Z0YldWeU1qQXlOQ0U9",
		"UwB1AG0AbQBlAHIAMgAwADIANAAhAEsAaQBlAGwAUAA1AHcAeAA=",
		/* what is strong in them is known, or weak alone */
		"7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04:Sx9!kq",
		"7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04-Sx9!kq7T",
		"N2MxZjllM2EtNWIyOC00ZDA0LWE3ZTEtYzlmM2E1YjI4ZDA0OlN4OSFrcQ==",
		"AKIAQNZGKIQY56JQ7WML:Sx9!kq7Tv2mLp4",
		"svc-q7Zv@db7.k2m.example.com:T4wx9!Lm",
		"",
		"x",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_lt(leak_bits(texts[i], strlen(texts[i])), LEAK_BITS_MIN,
		             "%s: %u", texts[i], leak_bits(texts[i], strlen(texts[i])));
}

/* One part with enough is enough. */
Test(leak_bits, what_has_a_strong_part)
{
	static const char *const texts[] = {
		"q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU",
		"app:q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU",
		"Bearer q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU",
		"postgres://app:q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU@db.example.com:5432/"
		"production",
		"YXBwOnE3UmtUMm1aeFY5Ykw0bldjOFlwRDNmSHM2SmdBMWVV",
		"Basic YXBwOnE3UmtUMm1aeFY5Ykw0bldjOFlwRDNmSHM2SmdBMWVV",
		"7c1f9e3a-5b28-4d04-a7e1-c9f3a5b28d04:q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_geq(leak_bits(texts[i], strlen(texts[i])), LEAK_BITS_MIN,
		              "%s: %u", texts[i], leak_bits(texts[i], strlen(texts[i])));
}

/* What has enough can be searched for: leak_entry_of() finds a run in it. */
Test(leak_bits, what_has_enough_has_a_run)
{
	static const char between[] = ": @\t\r\n";
	unsigned char wire[LEAK_KEY_BYTES], p[120];
	struct leak_key key;
	unsigned good = 0;

	randombytes_buf(wire, sizeof(wire));
	leak_key_read(&key, wire);
	for (int round = 0; round < 20000; round++) {
		size_t n = LEAK_RUN + randombytes_uniform(sizeof(p) - LEAK_RUN);
		unsigned parts = 15 + randombytes_uniform(30);

		for (size_t i = 0; i < n; i++) {
			p[i] = (unsigned char)randombytes_uniform(256);
			if (round % 2 == 0)
				p[i] = (unsigned char)('0' + p[i] % 75);
			/* NUL, too */
			if (randombytes_uniform(parts) == 0)
				p[i] = (unsigned char)
					between[randombytes_uniform(sizeof(between))];
		}
		if (leak_bits(p, n) < LEAK_BITS_MIN)
			continue;
		good++;
		cr_assert_geq(leak_place(&key, p, n), 0);
	}
	cr_assert_gt(good, 1000u);
}

Test(leak_bits, no_uuid_has_enough)
{
	char text[37];

	for (int round = 0; round < 500; round++) {
		rng_uuid4(text);
		cr_assert_lt(leak_bits(text, 36), LEAK_BITS_MIN, "%s", text);
	}
}

Test(leak_bits, any_bytes)
{
	static unsigned char p[10000];

	for (int round = 0; round < 50; round++) {
		randombytes_buf(p, sizeof(p));
		(void)leak_bits(p, randombytes_uniform(sizeof(p)));
	}
	memset(p, 0xff, sizeof(p));
	cr_assert_eq(leak_bits(p, sizeof(p)) >= LEAK_BITS_MIN, 0);
}

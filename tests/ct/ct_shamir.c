/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ct-shamir: secret sharing with its secrets marked as undefined, to be run by valgrind,
 * which then reports each branch and each address that depends on one.
 *
 *   ct-shamir [branch|index]     with a fault of that kind, which valgrind must report
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "keymem.h"
#include "rng.h"
#include "shamir.h"

#define SHARES    5
#define THRESHOLD 3

static void die(const char *what)
{
	fprintf(stderr, "ct-shamir: %s\n", what);
	exit(1);
}

/* From here on memcheck follows what becomes of these bytes. */
static void secret(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static void public(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static void field(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t a = (uint8_t)i, b = (uint8_t)(255 - i), product, inverse;

		secret(&a, 1);
		secret(&b, 1);
		product = shamir_mul(a, b);
		inverse = shamir_inv(a);
		public(&a, 1);
		public(&product, 1);
		public(&inverse, 1);
		if (shamir_mul(a, inverse) != (a != 0))
			die("the inverse is wrong");
	}
}

static void split_and_combine(void)
{
	uint8_t key[SHAMIR_SECRET], y[SHARES][SHAMIR_SECRET], out[SHAMIR_SECRET];
	static const uint8_t x[THRESHOLD] = { 1, 2, 3 };
	struct err e;

	rng_bytes(key, sizeof(key));
	secret(key, sizeof(key));
	if (shamir_split(key, SHARES, THRESHOLD, y, &e) != ERR_OK)
		die(e.msg);
	secret(y, sizeof(y));
	if (shamir_combine(x, (const uint8_t(*)[SHAMIR_SECRET])y, THRESHOLD, out) != 0)
		die("the shares are refused");
	public(key, sizeof(key));
	public(out, sizeof(out));
	if (sodium_memcmp(key, out, sizeof(key)) != 0)
		die("the shares make another secret");
}

/* What valgrind is there to find. */
static void fault(const char *kind)
{
	static const uint8_t table[256] = { 1 };
	volatile uint8_t a = 7, seen = 0;

	secret((void *)&a, 1);
	if (strcmp(kind, "branch") == 0) {
		if (a & 1)
			seen = 1;
	} else {
		seen = table[a];
	}
	(void)seen;
}

int main(int argc, char **argv)
{
	struct err e;

	if (!RUNNING_ON_VALGRIND)
		die("this proves nothing without valgrind");
	if (sodium_init() < 0 || keymem_init(true, &e) != ERR_OK)
		die("start");
	if (argc > 1)
		fault(argv[1]);
	field();
	split_and_combine();
	return 0;
}

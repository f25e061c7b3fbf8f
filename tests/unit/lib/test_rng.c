/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rng.h"

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
}

TestSuite(rng, .init = setup, .timeout = 30);

Test(rng, small_and_large_requests_are_filled_to_the_last_byte)
{
	static const size_t sizes[] = { 0, 1, 7, 32, 255, 256, 257, 1024, 1025, 5000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char p[5002], set[5002] = { 0 };

		for (int round = 0; round < 30; round++) {
			memset(p, 0, sizeof(p));
			rng_bytes(p + 1, sizes[i]);
			cr_assert(p[0] == 0 && p[sizes[i] + 1] == 0, "wrote outside");
			for (size_t j = 0; j < sizeof(p); j++)
				set[j] |= p[j];
		}
		for (size_t j = 1; j <= sizes[i]; j++)
			cr_assert_neq(set[j], 0, "byte %zu of %zu is never set", j,
			              sizes[i]);
	}
}

Test(rng, nothing_is_handed_out_twice)
{
	static unsigned char seen[4096][16];

	for (size_t i = 0; i < 4096; i++)
		rng_bytes(seen[i], 16);
	qsort(seen, 4096, 16,
	      (int (*)(const void *, const void *))(void *)sodium_compare);
	for (size_t i = 1; i < 4096; i++)
		cr_assert_neq(memcmp(seen[i - 1], seen[i], 16), 0);
}

static const char *counting_name(void)
{
	return "counting";
}

static unsigned char counter;

static void counting(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = counter++;
}

/* What the simulator does. */
Test(rng, follows_a_replaced_implementation_after_forget)
{
	static struct randombytes_implementation impl = {
		.implementation_name = counting_name, .buf = counting
	};
	unsigned char first[8], p[8];

	rng_bytes(p, sizeof(p)); /* fills the buffer from the old one */
	randombytes_set_implementation(&impl);
	rng_forget();
	rng_bytes(first, sizeof(first));
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(first[i], i);
	counter = 0;
	rng_forget();
	rng_bytes(p, sizeof(p));
	cr_assert_arr_eq(p, first, 8, "the same seed gives the same bytes");
}

Test(rng, a_forked_child_draws_other_bytes)
{
	unsigned char ours[16], theirs[16];
	int fds[2], status;
	pid_t pid;

	rng_bytes(ours, 1); /* something is buffered */
	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		rng_bytes(theirs, sizeof(theirs));
		_exit(write(fds[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert_eq(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
	rng_bytes(ours, sizeof(ours));
	cr_assert_neq(memcmp(ours, theirs, sizeof(ours)), 0);
}

Test(rng, uuids_have_version_and_variant)
{
	for (int round = 0; round < 200; round++) {
		static const char form[] = "xxxxxxxx-xxxx-4xxx-Vxxx-xxxxxxxxxxxx";
		char u[37];

		rng_uuid4(u);
		cr_assert_eq(strlen(u), 36);
		for (size_t i = 0; i < 36; i++) {
			const char *allowed = form[i] == 'x' ? "0123456789abcdef"
			                      : form[i] == 'V'
			                              ? "89ab"
			                              : (char[]){ form[i], '\0' };

			cr_assert_not_null(strchr(allowed, u[i]), "%s at %zu", u, i);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keymem.h"

/* The sanitizers' mlock() does nothing and says that it did, and they catch SIGSEGV. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

TestSuite(keymem, .timeout = 60);

static struct err e;

static void init(void)
{
	cr_assert_eq(keymem_init(true, &e), ERR_OK, "%s", e.msg);
}

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Run ${fn} in a child: its exit status, or minus the signal that ended it. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(fn());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Root may lock whatever it wants, so become somebody who may not. */
static void become_limited(rlim_t bytes)
{
	const struct rlimit lim = { bytes, bytes };

	if (setrlimit(RLIMIT_MEMLOCK, &lim) != 0)
		_exit(101);
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
		_exit(102);
}

static int refused_when_unlockable(void)
{
	struct err why = { .code = ERR_OK };

	become_limited(0);
	if (keymem_init(false, &why) != ERR_NOMEM)
		return 1;
	if (strstr(why.msg, "LimitMEMLOCK") == NULL || strstr(why.msg, "0 KiB") == NULL)
		return 2;
	return keymem_alloc(16) == NULL ? 0 : 3;
}

Test(keymem, refuses_to_start_when_it_cannot_lock, .disabled = SANITIZED)
{
	cr_assert_eq(in_child(refused_when_unlockable), 0);
}

static int refused_when_limit_is_short(void)
{
	become_limited(KEYMEM_MAX / 2);
	return keymem_init(false, &e) == ERR_NOMEM ? 0 : 1;
}

Test(keymem, a_limit_below_its_size_is_refused_too, .disabled = SANITIZED)
{
	cr_assert_eq(in_child(refused_when_limit_is_short), 0);
}

static int goes_on_unlocked(void)
{
	unsigned char *p;

	become_limited(0);
	if (keymem_init(true, &e) != ERR_OK || strcmp(keymem_mode(), "unlocked") != 0)
		return 1;
	p = keymem_alloc(32);
	return p != NULL && all_zero(p, 32) ? 0 : 2;
}

Test(keymem, says_so_when_allowed_to_go_on_unlocked, .disabled = SANITIZED)
{
	cr_assert_eq(in_child(goes_on_unlocked), 0);
}

static int locks_within_the_limit(void)
{
	become_limited(KEYMEM_MAX + 128 * 1024);
	if (keymem_init(false, &e) != ERR_OK)
		return 1;
	return strcmp(keymem_mode(), "unlocked") != 0 ? 0 : 2;
}

Test(keymem, locks_without_privileges_within_the_limit)
{
	cr_assert_eq(in_child(locks_within_the_limit), 0);
}

Test(keymem, nothing_before_init)
{
	cr_assert_null(keymem_alloc(1));
}

Test(keymem, blocks_are_zeroed_aligned_and_apart)
{
	unsigned char *a, *b;

	init();
	a = keymem_alloc(1);
	b = keymem_alloc(33);
	cr_assert(a != NULL && b != NULL);
	cr_assert(all_zero(a, 1) && all_zero(b, 33));
	cr_assert_eq((uintptr_t)a % 16, 0);
	cr_assert_eq((uintptr_t)b % 16, 0);
	memset(a, 0xaa, 1);
	memset(b, 0xbb, 33);
	cr_assert_eq(*a, 0xaa);
}

Test(keymem, freed_blocks_are_wiped_and_used_again)
{
	static const size_t sizes[] = { 1, 32, 64, 1000, 1024, 5000, 5000 };
	unsigned char *first[7];

	init();
	for (size_t i = 0; i < 7; i++) {
		first[i] = keymem_alloc(sizes[i]);
		cr_assert_not_null(first[i]);
		memset(first[i], 0x5a, sizes[i]);
	}
	for (size_t i = 0; i < 7; i++) {
		keymem_free(first[i], sizes[i]);
		for (size_t k = 16; k < sizes[i]; k++)
			cr_assert_eq(first[i][k], 0, "size %zu byte %zu", sizes[i], k);
	}
	for (size_t i = 0; i < 7; i++) {
		unsigned char *again = keymem_alloc(sizes[i]);

		cr_assert(again != NULL && all_zero(again, sizes[i]), "size %zu",
		          sizes[i]);
	}
	/* All of it came from the free lists: the next new block follows the first seven.
	 */
	cr_assert_gt((uintptr_t)keymem_alloc(16), (uintptr_t)first[6]);
}

Test(keymem, a_hole_of_another_size_is_not_handed_out)
{
	unsigned char *big, *small;

	init();
	small = keymem_alloc(2000);
	keymem_free(small, 2000);
	big = keymem_alloc(4000);
	cr_assert_neq(big, small);
	cr_assert_eq(keymem_alloc(2000), small);
}

Test(keymem, exhaustion_is_null_and_recovers)
{
	void *last = NULL, *p;
	size_t n = 0;

	init();
	while ((p = keymem_alloc(4096)) != NULL) {
		last = p;
		n++;
	}
	cr_assert_eq(n, KEYMEM_MAX / 4096);
	cr_assert_null(keymem_alloc(16));
	cr_assert_null(keymem_alloc(SIZE_MAX));
	keymem_free(last, 4096);
	cr_assert_eq(keymem_alloc(4096), last);
}

Test(keymem, the_last_bytes_are_not_overdrawn)
{
	init();
	cr_assert_not_null(keymem_alloc(KEYMEM_MAX - 16));
	cr_assert_null(keymem_alloc(32));
	cr_assert_not_null(keymem_alloc(16));
}

static unsigned char *before_fork;

static int touch(void)
{
	return *(volatile unsigned char *)before_fork;
}

Test(keymem, a_child_does_not_get_the_area, .disabled = SANITIZED)
{
	init();
	before_fork = keymem_alloc(32);
	cr_assert_eq(in_child(touch), -SIGSEGV);
}

static unsigned char *at;

static int read_there(void)
{
	return *(volatile unsigned char *)at;
}

Test(keymem, there_is_a_guard_page_on_either_side, .disabled = SANITIZED)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *area, seen;

	init();
	area = keymem_alloc(16);
	/* Mapped, so that nothing else can ever be there; but not accessible. */
	cr_assert_eq(mincore(area - page, page, &seen), 0);
	cr_assert_eq(mincore(area + KEYMEM_MAX, page, &seen), 0);
	at = area - 1;
	cr_assert_eq(in_child(read_there), -SIGSEGV);
	at = area + KEYMEM_MAX;
	cr_assert_eq(in_child(read_there), -SIGSEGV);
}

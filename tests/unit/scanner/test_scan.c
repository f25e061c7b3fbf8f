/* SPDX-License-Identifier: Apache-2.0 */
/* The main process, its workers and what is said of input that is too much for them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fake_engine.h"
#include "sandbox_impl.h"
#include "scan.h"

#define SAID_MAX 16384

static char dir[] = "/tmp/vault-scan-XXXXXX";
static char said[SAID_MAX]; /* one line for each call of the listener, sorted at need */
static struct scan *scan;
static struct err e;

static void say(const char *line)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void on_finding(void *ctx, const struct finding *f, const struct scan_place *at)
{
	char line[512];

	(void)ctx;
	snprintf(line, sizeof(line), "%s:%llu %s", last_part(at->path),
	         (unsigned long long)f->line, f->rule->id);
	say(line);
}

static void on_skipped(void *ctx, const struct scan_skip *s)
{
	char line[512];

	(void)ctx;
	snprintf(line, sizeof(line), "%s: %s", last_part(s->path), s->why);
	say(line);
}

static const struct scan_listener listener = { .finding = on_finding,
	                                       .skipped = on_skipped };

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	scan_free(scan);
	nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(scan, .init = setup, .fini = teardown, .timeout = 60);

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static struct scan_totals run(unsigned workers, int64_t stall_ms)
{
	const struct scan_config o = { .workers = workers, .stall_ms = stall_ms };
	struct scan_totals t;

	scan = scan_new(&o, &listener, NULL, &e);
	cr_assert_not_null(scan, "%s", e.msg);
	cr_assert_eq(scan_path(scan, dir, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_finish(scan, &t, &e), ERR_OK, "%s", e.msg);
	return t;
}

static bool heard(const char *line)
{
	return strstr(said, line) != NULL;
}

Test(scan, all_files_of_many_batches)
{
	struct scan_totals t;

	for (int i = 0; i < 500; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put(name, i % 100 == 3 ? "a\nSECRET\nSECRET" : "x");
	}
	t = run(3, 0);
	cr_assert_eq(t.findings, 10, "%s", said);
	cr_assert_eq(t.blobs, 500);
	cr_assert_eq(t.skipped, 0, "%s", said);
	cr_assert(heard("f103:2 fake\n") && heard("f103:3 fake\n"), "%s", said);
}

Test(scan, a_crash_costs_one_file)
{
	struct scan_totals t;

	for (int i = 0; i < 60; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put(name, i == 20 || i == 40 ? "CRASH" : "SECRET");
	}
	t = run(2, 0);
	cr_assert_eq(t.findings, 58, "%s", said);
	cr_assert_eq(t.skipped, 2, "%s", said);
	cr_assert(heard("f20: its worker died") && heard("f40: its worker died"), "%s",
	          said);
}

/* Most of these are read by the main process; the rest of their job goes to the next
 * worker, each with its own bytes still. */
Test(scan, a_crash_mixes_up_nothing)
{
	struct scan_totals t;
	char line[48];

	for (int i = 0; i < 600; i++) {
		char name[16], text[32];

		snprintf(name, sizeof(name), "f%d", i);
		snprintf(text, sizeof(text), "%.*s%s", i % 8, "\n\n\n\n\n\n\n\n",
		         i % 40 == 7 ? "CRASH" : "SECRET");
		put(name, text);
	}
	t = run(1, 0);
	cr_assert_eq(t.findings, 585, "%s", said);
	cr_assert_eq(t.skipped, 15, "%s", said);
	for (int i = 0; i < 600; i++) {
		if (i % 40 == 7)
			snprintf(line, sizeof(line), "f%d: its worker died\n", i);
		else
			snprintf(line, sizeof(line), "f%d:%d fake\n", i, i % 8 + 1);
		cr_assert(heard(line), "%s", line);
	}
}

Test(scan, a_worker_that_hangs_is_replaced)
{
	struct scan_totals t;

	put("a", "SECRET");
	put("b", "HANG");
	put("c", "SECRET");
	t = run(1, 300);
	cr_assert_eq(t.findings, 2, "%s", said);
	cr_assert(heard("b: its worker made no progress"), "%s", said);
}

Test(scan, memory_is_bounded, .disabled = SANDBOX_SANITIZED)
{
	struct scan_totals t;

	put("a", "EAT");
	put("b", "SECRET");
	t = run(1, 20000);
	cr_assert_eq(t.findings, 1, "%s", said);
	cr_assert(heard("a: its worker died"), "%s", said);
}

Test(scan, nothing_is_followed_out_of_the_tree)
{
	char path[300];
	struct scan_totals t;

	snprintf(path, sizeof(path), "%s/link", dir);
	cr_assert_eq(symlink("/etc", path), 0);
	snprintf(path, sizeof(path), "%s/pipe", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	put("a", "x");
	t = run(1, 0);
	cr_assert_eq(t.blobs, 1);
	cr_assert_eq(t.skipped, 0, "%s", said);
}

Test(scan, what_is_not_there_is_an_error_of_the_source)
{
	const struct scan_config o = { .workers = 1 };

	scan = scan_new(&o, &listener, NULL, &e);
	cr_assert_not_null(scan);
	cr_assert_eq(scan_path(scan, "/nonexistent/x", &e), ERR_NOENT);
	cr_assert_eq(scan_image_file(scan, "/nonexistent/x", &e), ERR_NOENT);
	cr_assert_eq(scan_docker_container(scan, "../x", &e), ERR_INVALID);
	cr_assert_eq(scan_docker_image(scan, "", &e), ERR_INVALID);
}

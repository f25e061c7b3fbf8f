/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - how fast vectorscan alone reads a text: the yardstick of the scanner.
 *
 * usage: engine EXPRESSIONS TEXT
 *
 * All expressions, one a line, are in one database that says where matches end, and the
 * text is given to it in blocks of 64 KiB.  Prints how many expressions there were and
 * the best CPU time of three searches, in seconds.
 */
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST  1000u
#define BLOCK ((size_t)64 * 1024)

static int die(const char *what)
{
	fprintf(stderr, "engine: %s\n", what);
	exit(1);
}

static char *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p;
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 ||
	    fseek(f, 0, SEEK_SET) != 0 || (p = malloc((size_t)size + 1)) == NULL ||
	    fread(p, 1, (size_t)size, f) != (size_t)size)
		die(path);
	fclose(f);
	p[size] = '\0';
	*n = (size_t)size;
	return p;
}

static hs_database_t *compile(char *lines, unsigned *n)
{
	static const char *expression[MOST];
	static unsigned flags[MOST], ids[MOST];
	hs_compile_error_t *why;
	hs_database_t *db;

	*n = 0;
	for (char *l; *n < MOST && (l = strsep(&lines, "\n")) != NULL && *l != '\0';) {
		ids[*n] = *n;
		expression[(*n)++] = l;
	}
	if (hs_compile_multi(expression, flags, ids, *n, HS_MODE_BLOCK, NULL, &db,
	                     &why) != HS_SUCCESS)
		die(why->message);
	return db;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to,
                    unsigned flags, void *ctx)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	++*(unsigned long *)ctx;
	return 0;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	hs_scratch_t *scratch = NULL;
	unsigned long matches = 0;
	double best = 1e9;
	hs_database_t *db;
	unsigned rules;
	size_t n;
	char *text;

	if (argc != 3)
		die("usage: engine EXPRESSIONS TEXT");
	db = compile(read_file(argv[1], &n), &rules);
	if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		die("out of memory");
	text = read_file(argv[2], &n);
	for (unsigned round = 0; round < 3; round++) {
		const double start = cpu_s();
		double took;

		for (size_t at = 0; at < n; at += BLOCK)
			if (hs_scan(db, text + at,
			            (unsigned)(n - at < BLOCK ? n - at : BLOCK), 0,
			            scratch, on_match, &matches) != HS_SUCCESS)
				die("a search failed");
		took = cpu_s() - start;
		best = took < best ? took : best;
	}
	printf("%u %.6f\n", rules, best);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerignore.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ignore.h"
#include "place.h"

#define SPACE     " \t\v\f\r"
#define PATH_MOST 1024u      /* of longer ones none is left out */
#define SLOW      1000000    /* ns that a call may take, */
#define SLOW_MOST 2000000000 /* and that all slower ones may */

struct dockerignore {
	struct ignore *lines;
	bool takes_back;
	int64_t slow; /* ns */
};

/* --- one pattern -------------------------------------------------------------------- */

/* As Go's filepath.Clean(), and without the first slash.  false: it is no path below the
 * root, so that it applies to nothing. */
static bool clean(const char *s, char out[PLACE_MAX])
{
	/* A directory that no line can name: what leaves it stays outside. */
	const char *from = *s == '/' ? "/" : "/\n", *below;
	char place[PLACE_MAX];

	if (!place_absolute(from, s, place, sizeof(place)))
		return false;
	below = place_below(from, place);
	if (below == NULL)
		return false;
	(void)snprintf(out, PLACE_MAX, "%s", below);
	return true;
}

/* A set of plain characters: its end, or NULL. */
static const char *plain_set(const char *s)
{
	s += 1 + (s[1] == '^');
	while (isalnum((unsigned char)*s) || (*s != '\0' && strchr("-_.", *s) != NULL))
		s++;
	return *s == ']' ? s : NULL;
}

/* Docker makes regular expressions of Go, in which other sets, some escapes and '^' are
 * what they are there.  Two stars within a part stand for that part's end, any others and
 * the next one's beginning. */
static bool foreign(const char *p)
{
	for (const char *s = p; *s != '\0'; s++) {
		if (*s == '^' || (*s == '[' && (s = plain_set(s)) == NULL))
			return true;
		if (*s == '\\' && (*++s == '\0' || isalnum((unsigned char)*s)))
			return true;
		if (s[0] == '*' && s[1] == '*' &&
		    (s[2] == '*' || (s > p && s[-1] != '/' && s[2] != '\0')))
			return true;
	}
	return false;
}

/* A part that begins with two stars and goes on: any parts come before the rest; and at
 * the very beginning, if the rest is literal, also any beginning of the first of it. */
static void put_glob(FILE *out, const char *p)
{
	bool literal = strncmp(p, "**", 2) == 0 && strpbrk(p + 2, "*?[]\\") == NULL;

	for (const char *s = p; *s != '\0'; s++) {
		fputc(*s, out);
		if (s[0] != '*' || s[1] != '*' || (s > p && s[-1] != '/'))
			continue;
		fputc(*++s, out);
		if (s[1] != '\0' && s[1] != '/')
			fputs(literal ? "/*" : "/", out);
	}
}

/* The line of an ignore file that says the same; rooted, so that it is nothing else. */
static void translate(struct dockerignore *d, FILE *out, const char *s)
{
	bool back = *s == '!';
	char text[PLACE_MAX], *p = text;

	s += back;
	s += strspn(s, SPACE);
	if (!clean(s, p))
		return;
	/* Docker looks twice: "/!a" takes back as well. */
	p += back ? 0 : strspn(p, SPACE);
	if (!back && *p == '!') {
		back = true;
		p++;
	}
	if (*p == '\0')
		return;
	d->takes_back |= back;
	if (!foreign(p)) {
		fputs(back ? "!/" : "/", out);
		put_glob(out, p);
		fputc('\n', out);
	} else if (back) {
		fputs("!/**\n", out);
	}
}

/* --- the file ----------------------------------------------------------------------- */

static void translate_all(struct dockerignore *d, FILE *out, char *text)
{
	char *rest = NULL;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t n;

		if (*line == '#')
			continue;
		line += strspn(line, SPACE);
		for (n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
			;
		line[n] = '\0';
		translate(d, out, line);
	}
}

/* ${text} is ours to write on. */
static int read_lines(struct dockerignore *d, char *text, struct err *e)
{
	AUTO_FREE char *lines = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&lines, &n);

	if (out == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	translate_all(d, out, text);
	if (fclose(out) != 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ignore_add(d->lines, "", "/", lines, n, e);
}

struct dockerignore *dockerignore_new(const char *text, size_t n, struct err *e)
{
	struct dockerignore *d = calloc(1, sizeof(*d));
	char *copy = NULL;
	int rc;

	if (d == NULL || (d->lines = ignore_new()) == NULL ||
	    (copy = malloc(n + 1)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		dockerignore_free(d);
		return NULL;
	}
	/* No name has a NUL; hardly one has a byte 1. */
	for (size_t i = 0; i < n; i++)
		copy[i] = text[i] != '\0' ? text[i] : '\1';
	copy[n] = '\0';
	rc = read_lines(d, copy, e);
	free(copy);
	if (rc == ERR_OK)
		return d;
	dockerignore_free(d);
	return NULL;
}

void dockerignore_free(struct dockerignore *d)
{
	if (d == NULL)
		return;
	ignore_free(d->lines);
	free(d);
}

/* --- matching ----------------------------------------------------------------------- */

static int64_t now(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool dockerignore_has(struct dockerignore *d, const char *path)
{
	const struct ignore_what what = { .path = path, .foreign = true, .rule = "" };
	int64_t began = now(), took;
	char by[16];
	bool has;

	if (d->slow >= SLOW_MOST || strlen(path) > PATH_MOST)
		return false;
	has = ignore_match(d->lines, &what, by, sizeof(by));
	took = now() - began;
	d->slow += took > SLOW ? took : 0;
	return has;
}

bool dockerignore_takes_back(const struct dockerignore *d)
{
	return d->takes_back;
}

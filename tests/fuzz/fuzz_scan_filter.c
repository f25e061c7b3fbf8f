/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan_filter - ignore files, those of Docker, and paths, and what reports make of
 * any text.
 *
 * Up to the first NUL the input is a path, what follows a file.  A file that is refused
 * says where; whatever a .dockerignore says, its last line decides; whatever a report
 * shows is printable and as wide as it says.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/filter/dockerignore.h"
#include "scanner/filter/ignore.h"
#include "scanner/filter/place.h"
#include "scanner/report/report_impl.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATH 300

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void ignore_file(const char *path, const char *text, size_t n)
{
	const struct ignore_what what = {
		.path = path,
		.rule = "github-pat",
		.names = {"0123456789abcdef0123456789abcdef", NULL}
	};
	struct ignore *i = ignore_new();
	struct err e = { 0 };
	char by[64] = "";

	must(i != NULL);
	if (ignore_add(i, "f", "/w", text, n, &e) != ERR_OK)
		must(strncmp(e.msg, "f:", 2) == 0);
	else if (ignore_match(i, &what, by, sizeof(by)))
		must(strncmp(by, "f:", 2) == 0);
	ignore_free(i);
}

static void ends_with(const char *path, const char *text, size_t n, const char *line)
{
	size_t line_n = strlen(line);
	char *all = malloc(n + line_n + 1);
	struct err e = { 0 };
	struct dockerignore *d;

	must(all != NULL);
	memcpy(all, text, n);
	memcpy(all + n, line, line_n + 1);
	d = dockerignore_new(all, n + line_n, &e);
	must(d != NULL || e.code != ERR_OK);
	if (d != NULL)
		must(dockerignore_has(d, path) == (line[1] != '!'));
	dockerignore_free(d);
	free(all);
}

/* Up to a size for which no pattern is slow. */
static void docker_file(const char *path, const char *text, size_t n)
{
	if (*path == '\0' || n > 1024)
		return;
	ends_with(path, text, n, "\n**");
	ends_with(path, text, n, "\n!**");
}

static void shown(const char *path)
{
	static char out[16 * PATH + 1];
	json_t *t = report_text(path);
	const char *s = json_string_value(t);
	FILE *f = fmemopen(out, sizeof(out), "w");
	unsigned columns;

	must(s != NULL && f != NULL);
	columns = report_plain(f, s);
	must(fclose(f) == 0 && text_printable(out, strlen(out)));
	must(columns == report_columns(s) && columns <= strlen(out));
	f = fmemopen(out, sizeof(out), "w");
	must(f != NULL);
	report_markup(f, s);
	must(fclose(f) == 0 && text_printable(out, strlen(out)) &&
	     strpbrk(out, "<>\"'") == NULL);
	json_decref(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size < PATH ? size : PATH);
	char path[PATH + 1], place[PATH + 8];
	size_t n = end != NULL ? (size_t)(end - data) : size < PATH ? size : PATH;

	if (size == 0)
		return 0;
	memcpy(path, data, n);
	path[n] = '\0';
	must(place_absolute("/w/d", path, place, sizeof(place)));
	must(place[0] == '/' && strstr(place, "//") == NULL &&
	     strstr(place, "/../") == NULL);
	must(glob_match("**", place));
	shown(path);
	if (end != NULL) {
		ignore_file(place, (const char *)end + 1, size - n - 1);
		docker_file(place + 1, (const char *)end + 1, size - n - 1);
	}
	return 0;
}

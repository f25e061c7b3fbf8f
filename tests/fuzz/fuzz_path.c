/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_path - request targets and names.  What is accepted is canonical by an independent
 * look, and decoding it once more as it stands gives itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const char *s, size_t n)
{
	char wrapped[LIMIT_PATH + 3];
	struct err e;

	must(n > 0 && n <= LIMIT_PATH && s[0] != '/' && strlen(s) == n);
	must(text_utf8_ok(s, n) && path_check(s, n, &e) == ERR_OK);
	for (size_t i = 0; i < n; i++)
		must((unsigned char)s[i] >= 0x20 && s[i] != 0x7f);
	wrapped[0] = '/';
	memcpy(wrapped + 1, s, n);
	memcpy(wrapped + 1 + n, "/", 2);
	if (s[n - 1] == '/')
		wrapped[1 + n] = '\0';
	must(strstr(wrapped, "//") == NULL && strstr(wrapped, "/./") == NULL);
	must(strstr(wrapped, "/../") == NULL && strstr(wrapped, " /") == NULL);
	must(strstr(wrapped, "/ ") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[LIMIT_PATH + 1], again[LIMIT_PATH + 1], name[LIMIT_NAME + 1];
	size_t n = 0, m = 0;
	struct err e;

	if (path_decode((const char *)data, size, out, sizeof(out), &n, &e) == ERR_OK) {
		check(out, n);
		if (strpbrk(out, "%?#") == NULL) {
			must(path_decode(out, n, again, sizeof(again), &m, &e) == ERR_OK);
			must(m == n && memcmp(out, again, n) == 0);
		}
	}
	if (path_name((const char *)data, size, name, "name", &e) == ERR_OK) {
		must(strlen(name) == size);
		must(path_check(name, size, &e) == ERR_OK);
		must(path_name(name, size, again, "name", &e) == ERR_OK);
		must(strcmp(name, again) == 0);
	}
	return 0;
}

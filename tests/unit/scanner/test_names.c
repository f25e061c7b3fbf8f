/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for files of some names: the same as trying every glob. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "match/names.h"
#include "rules/rules.h"
#include "verdict/ascii.h"

#define RULES 40
#define GLOBS 3

static struct rule rules[RULES];
static struct rule_set set = { .at = rules, .n = RULES };

TestSuite(names, .timeout = 60);

static void draw(char *out, const char *from, size_t most)
{
	size_t n = randombytes_uniform((uint32_t)most);

	for (size_t i = 0; i < n; i++)
		out[i] = from[randombytes_uniform((uint32_t)strlen(from))];
	out[n] = '\0';
}

static void fill(void)
{
	char glob[64];

	for (size_t i = 0; i < RULES; i++) {
		texts_free(&rules[i].files);
		for (size_t k = 0; k < GLOBS && i % 4 != 1; k++) {
			draw(glob, i % 2 == 0 ? "aB**" : "aaAb*", i % 3 == 0 ? 60 : 7);
			cr_assert_eq(texts_add(&rules[i].files, glob, strlen(glob)), 0);
		}
	}
}

static void compare(const struct names *n, const char *path)
{
	unsigned char off[RULES] = { [1] = 7 };

	names_turn_off(n, path, off);
	for (size_t i = 0; i < RULES; i++) {
		const struct texts *files = &rules[i].files;
		bool named = false;

		for (size_t k = 0; k < files->n && path != NULL; k++)
			named |= ascii_glob(files->at[k], path);
		cr_assert_eq(off[i], files->n == 0 ? i == 1 ? 7 : 0 : !named,
		             "rule %zu, %s", i, path);
	}
}

Test(names, as_every_glob_says)
{
	char path[80];

	for (int round = 0; round < 300; round++) {
		struct names *n;

		fill();
		cr_assert_not_null(n = names_new(&set));
		compare(n, NULL);
		compare(n, "");
		for (int i = 0; i < 200; i++) {
			draw(path, i % 2 == 0 ? "ab" : "aAbB", i % 3 == 0 ? 70 : 8);
			compare(n, path);
		}
		names_free(n);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Databases that were compiled when the program was built: used for the list they are of,
 * and for no other. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "match/database.h"
#include "match/stream_impl.h"

static struct rule_set rules;
static struct scan_engine *engine;

static void set_up(void)
{
	struct err e = { 0 };

	cr_assert_eq(rules_builtin(&rules, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_engine_new(&rules, &engine, &e), ERR_OK, "%s", e.msg);
	if (hs_valid_platform() != HS_SUCCESS)
		cr_skip_test("vectorscan does not run on this processor");
}

static void tear_down(void)
{
	scan_engine_free(engine);
	rules_free(&rules);
}

TestSuite(database, .init = set_up, .fini = tear_down, .timeout = 120);

Test(database, all_of_the_rules_that_are_built_in_are_embedded)
{
	const struct literals *l;
	struct literals *best = NULL;
	struct err e = { 0 };
	unsigned i = 0;

	/* Also those that the sieve looks for here: other processors need them. */
	for (; (l = engine_literals(engine, i)) != NULL; i++) {
		size_t n;
		const struct literal *list = literals_list(l, &n);

		cr_assert_eq(literals_new(list, n, LITERALS_BEST, &best, &e), ERR_OK);
		cr_expect(literals_embedded(best), "list %u was compiled", i);
		literals_free(best);
	}
	cr_assert_geq(i, 1);
}

/* Is there one for this very kind of processor? */
static bool of_our_kind(void)
{
	hs_platform_info_t here;

	cr_assert_eq(hs_populate_platform(&here), HS_SUCCESS);
	for (size_t i = 0; i < database_cpus_count; i++)
		if (database_cpus[i] == here.cpu_features)
			return true;
	return false;
}

Test(database, is_what_would_be_compiled)
{
	const struct literals *l;
	struct err e = { 0 };

	if (!of_our_kind())
		cr_skip_test("a database for lesser processors is used here");
	for (unsigned i = 0; (l = engine_literals(engine, i)) != NULL; i++) {
		size_t n, size[2] = { 0 };
		const struct literal *list = literals_list(l, &n);
		hs_database_t *db[2] = { database_load(databases_embedded, list, n) };
		char *bytes[2] = { NULL };

		cr_assert_eq(database_compile(list, n, NULL, &db[1], &e), ERR_OK);
		for (unsigned k = 0; k < 2; k++)
			cr_assert_eq(hs_serialize_database(db[k], &bytes[k], &size[k]),
			             HS_SUCCESS);
		cr_assert_eq(size[0], size[1]);
		cr_expect(memcmp(bytes[0], bytes[1], size[0]) == 0);
		for (unsigned k = 0; k < 2; k++) {
			free(bytes[k]);
			hs_free_database(db[k]);
		}
	}
}

/* A copy of the first list of the engine. */
static struct literal *copy(size_t *n)
{
	const struct literal *list = literals_list(engine_literals(engine, 0), n);
	struct literal *own = calloc(*n, sizeof(*own));

	cr_assert_not_null(own);
	memcpy(own, list, *n * sizeof(*own));
	return own;
}

static void expect_refused(const struct literal *list, size_t n)
{
	struct literals *l = NULL;
	struct err e = { 0 };

	cr_expect_null(database_load(databases_embedded, list, n));
	cr_assert_eq(literals_new(list, n, LITERALS_BEST, &l, &e), ERR_OK, "%s", e.msg);
	cr_expect_not(literals_embedded(l));
	literals_free(l);
}

Test(database, of_another_list_is_not_used)
{
	size_t n;
	struct literal *list = copy(&n), swap;
	char text[128];

	expect_refused(list, n - 1);

	list[7].exact = !list[7].exact;
	expect_refused(list, n);
	list[7].exact = !list[7].exact;

	/* A byte of a text; where a text ends; the order, which is what hits tell. */
	cr_assert_lt(list[3].n, sizeof(text));
	swap = list[3];
	memcpy(text, swap.text, swap.n);
	text[swap.n - 1] ^= 1;
	list[3].text = text;
	expect_refused(list, n);
	list[3].text = swap.text;
	list[3].n--;
	expect_refused(list, n);
	list[3] = list[4];
	list[4] = swap;
	expect_refused(list, n);
	free(list);
}

/* Damaged, or of another version of the library: its header has that. */
Test(database, that_the_library_refuses_is_not_used)
{
	struct database_embedded table[2] = { databases_embedded[0], { .bytes = NULL } };
	size_t n;
	const struct literal *list = literals_list(engine_literals(engine, 0), &n);
	char *bytes = malloc(table[0].n);

	cr_assert_not_null(bytes);
	memcpy(bytes, table[0].bytes, table[0].n);
	table[0].bytes = bytes;
	bytes[0] ^= 1; /* what all begin with */
	cr_expect_null(database_load(table, list, n));
	bytes[0] ^= 1;
	bytes[5] ^= 1; /* the version */
	cr_expect_null(database_load(table, list, n));
	bytes[5] ^= 1;
	bytes[table[0].n / 2] ^= 1; /* its sum */
	cr_expect_null(database_load(table, list, n));
	free(bytes);
}

Test(database, for_a_better_processor_is_not_used)
{
	struct database_embedded table[2] = { databases_embedded[0], { .bytes = NULL } };
	const struct literals *l = engine_literals(engine, 0);
	size_t n;
	const struct literal *list = literals_list(l, &n);

	database_hash(list, n, table[0].list);
	table[0].cpu = 1ull << 40;
	cr_expect_null(database_load(table, list, n));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Databases and buckets that were made when the program was built: used for the list they
 * are of, and for no other. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "match/buckets.h"
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

static int count(unsigned id, unsigned long long from, unsigned long long to,
                 unsigned flags, void *ctx)
{
	(void)from;
	(void)flags;
	*(uint64_t *)ctx += (uint64_t)(id + 1) * 1000003u * (to + 7);
	return 0;
}

/* A sum over all that is found in ${text}, in which the order does not matter. */
static uint64_t sum(const hs_database_t *db, const char *text, size_t len)
{
	hs_scratch_t *scratch = NULL;
	uint64_t all = 0;

	cr_assert_eq(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
	cr_assert_eq(hs_scan(db, text, (unsigned)len, 0, scratch, count, &all),
	             HS_SUCCESS);
	hs_free_scratch(scratch);
	return all;
}

/* All texts of a list, one after the other; free() it. */
static char *joined(const struct literal *list, size_t n, size_t *len)
{
	char *text, *at;

	*len = 0;
	for (size_t i = 0; i < n; i++)
		*len += list[i].n + 1u;
	text = at = malloc(*len);
	cr_assert_not_null(text);
	for (size_t i = 0; i < n; i++) {
		memcpy(at, list[i].text, list[i].n);
		at[list[i].n] = ' ';
		at += list[i].n + 1;
	}
	return text;
}

Test(database, those_for_lesser_processors_find_the_same)
{
	size_t n, len;
	const struct literal *list = literals_list(engine_literals(engine, 0), &n);
	const struct database_embedded *t = databases_embedded;
	unsigned char hash[LITERALS_HASH];
	hs_platform_info_t here;
	hs_database_t *db = NULL;
	char *text = joined(list, n, &len);
	struct err e = { 0 };
	uint64_t want;

	cr_assert_eq(hs_populate_platform(&here), HS_SUCCESS);
	cr_assert_eq(database_compile(list, n, NULL, &db, &e), ERR_OK, "%s", e.msg);
	want = sum(db, text, len);
	hs_free_database(db);
	cr_assert_neq(want, 0);
	literals_hash(list, n, hash);
	for (; t->bytes != NULL; t++) {
		if (memcmp(t->list, hash, sizeof(hash)) != 0 ||
		    (t->cpu & ~here.cpu_features) != 0)
			continue;
		cr_assert_eq(hs_deserialize_database(t->bytes, t->n, &db), HS_SUCCESS);
		cr_expect_eq(sum(db, text, len), want, "for %#llx", t->cpu);
		hs_free_database(db);
	}
	free(text);
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

	literals_hash(list, n, table[0].list);
	table[0].cpu = 1ull << 40;
	cr_expect_null(database_load(table, list, n));
}

static void loads_what_is_chosen(enum buckets_by by, const struct literal *list, size_t n)
{
	struct buckets b[2];
	uint16_t windows[2][BUCKETS_MOST];

	cr_assert(buckets_load(buckets_embedded, by, list, n, windows[0], &b[0]));
	cr_assert_eq(buckets_choose(by, list, n, BUCKETS_TRIES, windows[1], &b[1]),
	             ERR_OK);
	cr_expect_eq(memcmp(&b[0], &b[1], sizeof(b[0])), 0);
	cr_expect_eq(memcmp(windows[0], windows[1], n * sizeof(windows[0][0])), 0);
	cr_expect_not(buckets_load(buckets_embedded, by, list, n - 1, windows[0], &b[0]));
	cr_expect_not(
		buckets_load(buckets_embedded, by, list + 1, n - 1, windows[0], &b[0]));
}

Test(database, buckets_are_those_that_would_be_chosen)
{
	const struct literals *l;
	unsigned fit = 0;

	for (unsigned i = 0; (l = engine_literals(engine, i)) != NULL; i++) {
		size_t n;
		const struct literal *list = literals_list(l, &n);

		if (!buckets_fit(list, n))
			continue;
		fit++;
		loads_what_is_chosen(BUCKETS_BY_BYTE, list, n);
		loads_what_is_chosen(BUCKETS_BY_HALVES, list, n);
	}
	cr_assert_geq(fit, 1);
}

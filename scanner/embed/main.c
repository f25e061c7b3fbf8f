/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed OUT FILE.yaml... - writes the C source of what the scanner has built in: the
 * rules of these files, parsed and checked, and vectorscan's databases of what they look
 * for.
 *
 * Runs while the program is built, and is made of the same sources.  A rule with an error
 * fails the build.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "match/buckets.h"
#include "match/database.h"
#include "match/stream_impl.h"
#include "rules/builtin.h"
#include "rules/rules.h"
#include "whole_file.h"

/* This program has nothing built in. */
const struct rule rules_embedded[1];
const size_t rules_embedded_count = 0;
const struct database_embedded databases_embedded[1];
const struct buckets_embedded buckets_embedded[1];

static int read_rules(struct rule_set *set, char *const *paths, int n, struct err *e)
{
	char name[256], *text = NULL;
	size_t len = 0;
	int rc = ERR_OK;

	for (int i = 0; rc == ERR_OK && i < n; i++) {
		const char *slash = strrchr(paths[i], '/');

		(void)snprintf(name, sizeof(name), "rules/%s",
		               slash != NULL ? slash + 1 : paths[i]);
		if ((rc = whole_file(paths[i], RULES_FILE_MAX, &text, &len, e)) == ERR_OK)
			rc = rules_add_own(set, name, text, len, e);
		free(text);
		text = NULL;
	}
	return rc;
}

static int put_database(FILE *out, const struct literal *list, size_t n,
                        unsigned long long cpu, unsigned *count, struct err *e)
{
	const hs_platform_info_t kind = { .cpu_features = cpu };
	hs_database_t *db = NULL;
	char *bytes = NULL;
	size_t len = 0;
	int rc = database_compile(list, n, &kind, &db, e);

	if (rc == ERR_OK && hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
		rc = err_set(e, ERR_INTERNAL, "a database cannot be written");
	if (rc == ERR_OK) {
		fprintf(out, "static const struct { _Alignas(8) char b[%zu]; } ",
		        len + 1);
		fprintf(out, "db_%u = {\n", (*count)++);
		emit_bytes(out, bytes, len);
		fputs("};\n", out);
	}
	free(bytes);
	hs_free_database(db);
	return rc;
}

/* The beginning of a row of a table: the list that it is of. */
static void put_hash(FILE *out, const struct literal *list, size_t n)
{
	unsigned char hash[LITERALS_HASH];

	literals_hash(list, n, hash);
	fputs("\t{ {", out);
	for (size_t k = 0; k < sizeof(hash); k++)
		fprintf(out, " 0x%02x,", hash[k]);
	fputs(" },\n\t  ", out);
}

static void put_row(FILE *out, const struct literal *list, size_t n,
                    unsigned long long cpu, unsigned i)
{
	put_hash(out, list, n);
	fprintf(out, "%lluu, db_%u.b, sizeof(db_%u.b) - 1 },\n", cpu, i, i);
}

/* Of all kinds of processors, whichever this one is.  None if vectorscan does not run
 * here: the program compiles them then. */
static int put_databases(FILE *out, const struct scan_engine *g, struct err *e)
{
	const struct literals *l;
	unsigned count = 0, row = 0;
	size_t n;
	int rc = ERR_OK;

	if (hs_valid_platform() != HS_SUCCESS) {
		fputs("const struct database_embedded databases_embedded[1];\n", out);
		return ERR_OK;
	}
	for (unsigned i = 0; (l = engine_literals(g, i)) != NULL; i++)
		for (size_t k = 0; rc == ERR_OK && k < database_cpus_count; k++) {
			const struct literal *list = literals_list(l, &n);

			rc = put_database(out, list, n, database_cpus[k], &count, e);
		}
	fputs("const struct database_embedded databases_embedded[] = {\n", out);
	for (unsigned i = 0; rc == ERR_OK && (l = engine_literals(g, i)) != NULL; i++)
		for (size_t k = 0; k < database_cpus_count; k++) {
			const struct literal *list = literals_list(l, &n);

			put_row(out, list, n, database_cpus[k], row++);
		}
	fputs("\t{ .bytes = NULL },\n};\n", out);
	return rc;
}

static int put_choice(FILE *out, enum buckets_by by, const struct literal *list, size_t n,
                      unsigned i, struct err *e)
{
	uint16_t *windows = calloc(n, sizeof(*windows));
	struct buckets b;
	int rc = ERR_NOMEM;

	if (windows != NULL)
		rc = buckets_choose(by, list, n, BUCKETS_TRIES, windows, &b);
	if (rc == ERR_OK) {
		fprintf(out, "static const struct buckets buckets_%u_%u = { .take = {", i,
		        by);
		for (unsigned k = 0; k < BUCKETS_WINDOW; k++) {
			fputs("\n\t{", out);
			emit_numbers(out, b.take[k], BUCKETS_BYTES);
			fputs(" },", out);
		}
		fprintf(out, "\n} };\nstatic const uint16_t windows_%u_%u[] = {", i, by);
		emit_numbers(out, windows, n);
		fputs("\n};\n", out);
	}
	free(windows);
	return rc == ERR_NOMEM ? err_set(e, ERR_NOMEM, "out of memory") : rc;
}

static int put_buckets(FILE *out, const struct scan_engine *g, struct err *e)
{
	const struct literals *l;
	const struct literal *list;
	size_t n;
	int rc = ERR_OK;

	for (unsigned i = 0; rc == ERR_OK && (l = engine_literals(g, i)) != NULL; i++) {
		list = literals_list(l, &n);
		if (buckets_fit(list, n))
			rc = put_choice(out, BUCKETS_BY_BYTE, list, n, i, e);
		if (rc == ERR_OK && buckets_fit(list, n))
			rc = put_choice(out, BUCKETS_BY_HALVES, list, n, i, e);
	}
	fputs("const struct buckets_embedded buckets_embedded[] = {\n", out);
	for (unsigned i = 0; (l = engine_literals(g, i)) != NULL; i++) {
		list = literals_list(l, &n);
		if (!buckets_fit(list, n))
			continue;
		for (unsigned by = BUCKETS_BY_BYTE; by <= BUCKETS_BY_HALVES; by++) {
			put_hash(out, list, n);
			fprintf(out, "%u, &buckets_%u_%u, windows_%u_%u },\n", by, i, by,
			        i, by);
		}
	}
	fputs("\t{ .buckets = NULL },\n};\n", out);
	return rc;
}

static int put_all(FILE *out, const struct rule_set *rules, struct err *e)
{
	struct scan_engine *g = NULL;
	int rc = scan_engine_new(rules, &g, e);

	if (rc != ERR_OK)
		return rc;
	fputs("/* SPDX-License-Identifier: Apache-2.0 */\n"
	      "/* Generated from scanner/rules/ by scanner/embed. */\n"
	      "#include \"scanner/embed/embedded.h\"\n\n",
	      out);
	emit_rules(out, rules);
	rc = put_databases(out, g, e);
	if (rc == ERR_OK)
		rc = put_buckets(out, g, e);
	scan_engine_free(g);
	return rc;
}

int main(int argc, char **argv)
{
	struct rule_set rules = { 0 };
	struct err e = { 0 };
	FILE *out;
	int rc;

	if (argc < 3) {
		fputs("usage: embed OUT FILE.yaml...\n", stderr);
		return 2;
	}
	if ((out = fopen(argv[1], "we")) == NULL) {
		perror(argv[1]);
		return 1;
	}
	rc = read_rules(&rules, argv + 2, argc - 2, &e);
	if (rc == ERR_OK)
		rc = put_all(out, &rules, &e);
	rules_free(&rules);
	if (fclose(out) != 0 && rc == ERR_OK)
		rc = err_set(&e, ERR_IO, "%s cannot be written", argv[1]);
	if (rc == ERR_OK)
		return 0;
	fprintf(stderr, "embed: %s\n", e.msg);
	(void)remove(argv[1]);
	return 1;
}

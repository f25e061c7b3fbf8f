/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_DATABASE_H
#define SCANNER_DATABASE_H
/*
 * database - a list of literals as vectorscan wants it.
 *
 * To compile one takes many times as long as to scan a small file.  So those of the rules
 * that are built in are compiled when the program is built (scanner/embed), one for each
 * kind of processor that vectorscan tells apart.  They are found by a hash of the list:
 * another list, another version of the library or another processor, and it is compiled.
 */
#include <hs.h>

#include "match/literals.h"

struct database_embedded {
	unsigned char list[LITERALS_HASH];
	unsigned long long cpu; /* HS_CPU_FEATURES_* that it needs */
	const char *bytes;      /* NULL: the end of the table */
	size_t n;
};
extern const struct database_embedded databases_embedded[]; /* the better ones first */

/* Kinds of processors, the better ones first. */
extern const unsigned long long database_cpus[];
extern const size_t database_cpus_count;

/** database_compile(list, n, cpu, out, e): for this processor, if ${cpu} is NULL. */
int database_compile(const struct literal *list, size_t n, const hs_platform_info_t *cpu,
                     hs_database_t **out, struct err *e) MUST_CHECK;
/** database_load(table, list, n): the one of ${table} for this list and processor; NULL
 * if there is none, or the library does not want it. */
hs_database_t *database_load(const struct database_embedded *table,
                             const struct literal *list, size_t n);

#endif

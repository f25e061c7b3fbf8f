/* SPDX-License-Identifier: Apache-2.0 */
#include "match/database.h"

#include <stdlib.h>
#include <string.h>

const unsigned long long database_cpus[] = {
#ifdef __x86_64__
	HS_CPU_FEATURES_AVX2 | HS_CPU_FEATURES_AVX512,
	HS_CPU_FEATURES_AVX2,
#endif
	0,
};
const size_t database_cpus_count = sizeof(database_cpus) / sizeof(database_cpus[0]);

struct patterns {
	const char **texts;
	unsigned *flags, *ids;
	size_t *lens;
};

static int compile(const struct patterns *p, size_t n, const hs_platform_info_t *cpu,
                   hs_database_t **out, struct err *e)
{
	hs_compile_error_t *why = NULL;

	if (hs_compile_lit_multi(p->texts, p->flags, p->ids, p->lens, (unsigned)n,
	                         HS_MODE_BLOCK, cpu, out, &why) == HS_SUCCESS)
		return ERR_OK;
	err_set(e, ERR_INTERNAL, "anchors do not compile: %s",
	        why != NULL ? why->message : "?");
	hs_free_compile_error(why);
	return (int)e->code;
}

int database_compile(const struct literal *list, size_t n, const hs_platform_info_t *cpu,
                     hs_database_t **out, struct err *e)
{
	struct patterns p = {
		.texts = calloc(n, sizeof(*p.texts)),
		.flags = calloc(n, sizeof(*p.flags)),
		.ids = calloc(n, sizeof(*p.ids)),
		.lens = calloc(n, sizeof(*p.lens)),
	};
	int rc;

	if (p.texts != NULL && p.flags != NULL && p.ids != NULL && p.lens != NULL) {
		for (size_t i = 0; i < n; i++) {
			p.texts[i] = list[i].text;
			p.flags[i] = list[i].exact ? 0 : HS_FLAG_CASELESS;
			p.ids[i] = (unsigned)i;
			p.lens[i] = list[i].n;
		}
		rc = compile(&p, n, cpu, out, e);
	} else {
		rc = err_set(e, ERR_NOMEM, "out of memory");
	}
	free(p.texts);
	free(p.flags);
	free(p.ids);
	free(p.lens);
	return rc;
}

hs_database_t *database_load(const struct database_embedded *table,
                             const struct literal *list, size_t n)
{
	unsigned char hash[LITERALS_HASH];
	hs_platform_info_t here;
	hs_database_t *db = NULL;

	if (hs_populate_platform(&here) != HS_SUCCESS)
		return NULL;
	literals_hash(list, n, hash);
	for (; table->bytes != NULL; table++)
		if ((table->cpu & ~here.cpu_features) == 0 &&
		    memcmp(table->list, hash, sizeof(hash)) == 0)
			return hs_deserialize_database(table->bytes, table->n, &db) ==
			                       HS_SUCCESS
			               ? db
			               : NULL;
	return NULL;
}

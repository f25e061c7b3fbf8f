/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_rules - a file of rules: what is refused says why and changes nothing, and what is
 * accepted compiles or names the rule that does not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/match/scan_stream.h"
#include "scanner/rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_set set = { 0 };
	struct scan_engine *g = NULL;
	struct lead lead;
	struct err e = { 0 };

	if (rules_add(&set, "fuzz.yaml", (const char *)data, size, &e) != ERR_OK) {
		must(set.n == 0 && strlen(e.msg) > 0);
		return 0;
	}
	for (size_t i = 0; i < set.n; i++) {
		must(set.at[i].index == i &&
		     rules_find(&set, set.at[i].id) == &set.at[i]);
		must(rule_lead(set.at[i].regex, &lead) == 0);
		texts_free(&lead.begin);
	}
	if (scan_engine_new(&set, &g, &e) != ERR_OK)
		must(strlen(e.msg) > 0);
	else
		scan_engine_free(g);
	rules_free(&set);
	return 0;
}

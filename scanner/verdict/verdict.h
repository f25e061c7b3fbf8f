/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_VERDICT_H
#define SCANNER_VERDICT_H
/* verdict - is a candidate a secret?  Pure; thread safe. */
#include "finding.h"

struct candidate {
	const struct rule *rule;
	const char *value; /* the secret; in the text below, or decoded */
	size_t n;
	const char *text; /* around it: whole lines where they are short, at most 8 KiB */
	size_t text_n;
	size_t value_at;          /* of the value in the text */
	size_t match_at, match_n; /* of the whole match in the text */
	const struct blob *blob;
	const char *decoded; /* "" for what was not decoded */
	bool binary;         /* the blob looks like a program or an archive */
};

struct verdict {
	enum drop drop;
	enum confidence confidence;
	enum severity severity;
	enum validity validity;
};

/** verdict_judge(c, out): all but what other candidates say (overlaps, allow rules). */
void verdict_judge(const struct candidate *c, struct verdict *out);

#endif

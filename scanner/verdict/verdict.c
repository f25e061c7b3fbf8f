/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict/verdict.h"

#include <string.h>

#include "blob.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/placeholder.h"
#include "verdict/random.h"
#include "verdict/validator.h"

#define TOKEN_DISTINCT 7u /* characters in a token of sixteen or more */

static bool file_fits(const struct rule *rule, const char *path)
{
	const char *slash, *name;

	if (rule->files.n == 0)
		return true;
	slash = strrchr(path, '/');
	name = slash == NULL ? path : slash + 1;
	for (size_t i = 0; i < rule->files.n; i++)
		if (ascii_glob(rule->files.at[i], path) ||
		    ascii_glob(rule->files.at[i], name))
			return true;
	return false;
}

static bool keyword_near(const struct rule *rule, const struct place *p)
{
	if (rule->keywords.n == 0)
		return true;
	for (size_t i = 0; i < rule->keywords.n; i++)
		if (context_near(p, rule->keywords.at[i], rule->within, rule->lines))
			return true;
	return false;
}

/* What a token with a prefix has to be: not masked, no counting, not one letter. */
static enum drop token_like(const struct rule *rule, const char *s, size_t n)
{
	struct shape shape;

	shape_of(s, n, &shape);
	if (placeholder_variable(s, n, false) || placeholder_reference(s, n) ||
	    placeholder_redacted(s, n) || placeholder_pattern(s, n) ||
	    placeholder_sample(s, n))
		return DROP_PLACEHOLDER;
	/* Its prefix may be of words: "live", "secret", "token". */
	if (placeholder_words(s, n) && (shape.digit < 4 || !shape_random(&shape)))
		return DROP_PLACEHOLDER;
	if (n >= 16 && shape.distinct < TOKEN_DISTINCT)
		return DROP_ENTROPY;
	if (rule->entropy > 0 && shape.entropy < rule->entropy)
		return DROP_ENTROPY;
	if (rule->confidence != CONFIDENCE_HIGH &&
	    (shape.words > 0.9 || shape.entropy < 2.8))
		return DROP_ENTROPY;
	return DROP_NONE;
}

/* A checksum that is right outweighs how the text looks, a verified one that is wrong
 * makes it a look-alike. */
static void weigh_token(const struct rule *rule, const char *s, size_t n,
                        struct verdict *out)
{
	if (out->drop != DROP_NONE)
		return;
	if (out->validity == VALIDITY_VALID) {
		out->confidence = CONFIDENCE_HIGH;
		out->drop = placeholder_sample(s, n) ? DROP_PLACEHOLDER : DROP_NONE;
		return;
	}
	if (out->validity == VALIDITY_INVALID && rule->verified) {
		out->drop = DROP_LOOKALIKE;
		return;
	}
	out->validity = VALIDITY_NONE;
	out->drop = token_like(rule, s, n);
}

static void adjust_severity(const struct place *p, const char *s, size_t n,
                            struct verdict *out)
{
	bool test = ascii_find(s, n < 20 ? n : 20, "_test_") != NULL ||
	            ascii_find(s, n < 24 ? n : 24, "sandbox") != NULL;

	if (test && out->severity > SEVERITY_LOW)
		out->severity--;
	if (out->confidence == CONFIDENCE_LOW && context_prose(p) &&
	    out->severity > SEVERITY_LOW)
		out->severity--;
}

void verdict_judge(const struct candidate *c, struct verdict *out)
{
	const struct rule *rule = c->rule;
	const char *s = c->value;
	struct place place;
	struct tested tested = { &place, s, c->n, "", out };

	*out = (struct verdict){ .confidence = rule->confidence,
		                 .severity = rule->severity };
	context_place(c->text, c->text_n, c->value_at, c->n, &place);
	place.path = c->blob == NULL || c->blob->path == NULL ? "" : c->blob->path;
	if (!file_fits(rule, place.path) ||
	    (c->binary && rule->confidence != CONFIDENCE_HIGH))
		out->drop = DROP_CONTEXT;
	/* The matcher has looked at what is no text by itself. */
	else if (!c->binary && !context_whole(&place, rule->charset))
		out->drop = DROP_STRUCTURE;
	if (out->drop != DROP_NONE)
		return;
	if (!validator_run(rule->validator, &tested))
		weigh_token(rule, s, c->n, out);
	else if (out->drop == DROP_NONE && rule->entropy > 0) {
		struct shape shape;

		shape_of(s, c->n, &shape);
		if (shape.entropy < rule->entropy)
			out->drop = DROP_ENTROPY;
	}
	if (out->drop == DROP_NONE && rule->keywords.n > 0 && context_hash(&place))
		out->drop = DROP_CONTEXT;
	if (out->drop == DROP_NONE && !keyword_near(rule, &place))
		out->drop = DROP_CONTEXT;
	/* Last, since it reads the whole line and the one before. */
	if (out->drop == DROP_NONE && context_allowed(&place, rule->id))
		out->drop = DROP_ALLOW_LINE;
	if (out->drop == DROP_NONE)
		adjust_severity(&place, s, c->n, out);
}

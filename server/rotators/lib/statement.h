/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_STATEMENT_H
#define ROTATORS_STATEMENT_H
/*
 * statement - statements that an operator wrote, with {{name}} and the like filled in.
 *
 * The text decides whether a value stands in quotes, in which ones, or in none, so it
 * cannot be quoted here: values that could end a quotation are refused instead.
 */
#include <stdbool.h>
#include <stddef.h>

#include "answer.h"

struct arena;

struct variable {
	const char *name;
	const char *value; /* NULL: there is none, and its use is an error */
	bool verbatim;     /* made here, so that it need not be plain */
};

#define STATEMENT_MAX (64u * 1024) /* bytes, when filled in */

/** statement_plain(s): may ${s} stand anywhere in a statement?  No quotes, backslashes,
 * dollar signs, semicolons, comment marks or control characters. */
bool statement_plain(const char *s);

/** statement_uses(text, name): does ${text} mention {{name}}? */
bool statement_uses(const char *text, const char *name);

/**
 * statement_fill(arena, text, v, n, out, a): ${text} with every {{name}} replaced, blanks
 * inside the braces allowed.  CLASS_PERMANENT for an unknown or missing variable and for
 * a value that is not plain (CLASS_REJECTED if that is the password).
 */
int statement_fill(struct arena *arena, const char *text, const struct variable *v,
                   size_t n, char **out, struct answer *a) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_template - {{identity.…}} in the path of a rule.
 *
 * Tokens here stand for no entity and no group, and what a host is called is no identity
 * in this sense: its name comes from whoever added it, and must not choose a path.  So
 * every template lacks its value, and the block that has it is dropped; only the syntax
 * is checked, so that a typing error is found when the policy is written.
 */
#include <string.h>

#include "policy_impl.h"

#define UNBALANCED "unbalanced templating characters"
#define UNKNOWN    "unknown template"

struct cut {
	const char *p;
	size_t n;
};

/* Take "${word}." off the front. */
static bool take(struct cut *c, const char *word)
{
	size_t n = strlen(word);

	if (c->n <= n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	c->n -= n;
	return true;
}

static bool is(const struct cut *c, const char *word)
{
	return c->n == strlen(word) && memcmp(c->p, word, c->n) == 0;
}

/* Take a name that someone gave, and the dot behind it. */
static bool take_name(struct cut *c)
{
	const char *dot = memchr(c->p, '.', c->n);

	if (dot == NULL || dot == c->p)
		return false;
	c->n -= (size_t)(dot + 1 - c->p);
	c->p = dot + 1;
	return true;
}

static bool is_metadata(struct cut c, const char *word)
{
	return take(&c, word) && c.n > 0;
}

static bool is_entity(struct cut c)
{
	if (is(&c, "id") || is(&c, "name") || is_metadata(c, "metadata."))
		return true;
	if (!take(&c, "aliases.") || !take_name(&c))
		return false;
	return is(&c, "id") || is(&c, "name") || is_metadata(c, "metadata.") ||
	       is_metadata(c, "custom_metadata.");
}

static bool is_group(struct cut c)
{
	bool by_id = take(&c, "ids.");

	if (!by_id && !take(&c, "names."))
		return false;
	if (!take_name(&c))
		return false;
	return is(&c, by_id ? "name" : "id") || is_metadata(c, "metadata.");
}

static bool is_known(struct cut c)
{
	while (c.n > 0 && (*c.p == ' ' || *c.p == '\t')) {
		c.p++;
		c.n--;
	}
	while (c.n > 0 && (c.p[c.n - 1] == ' ' || c.p[c.n - 1] == '\t'))
		c.n--;
	if (take(&c, "identity.entity."))
		return is_entity(c);
	return take(&c, "identity.groups.") && is_group(c);
}

int policy_template_check(const char *path, size_t n, bool *templated, const char **why)
{
	const char *end = path + n, *open, *close;

	*templated = false;
	for (;; path = close + 2) {
		struct cut inner;

		open = memmem(path, (size_t)(end - path), "{{", 2);
		close = memmem(path, (size_t)(end - path), "}}", 2);
		if (open == NULL && close == NULL)
			return 0;
		*templated = true;
		*why = UNBALANCED;
		if (open == NULL || close == NULL || close < open + 2)
			return -1;
		inner = (struct cut){ open + 2, (size_t)(close - open - 2) };
		if (memmem(inner.p, inner.n, "{{", 2) != NULL)
			return -1;
		*why = UNKNOWN;
		if (!is_known(inner))
			return -1;
	}
}

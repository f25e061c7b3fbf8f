/* SPDX-License-Identifier: Apache-2.0 */
#include "token_grant.h"

#include <string.h>

#include "arena.h"
#include "cidr.h"
#include "token_policies.h"
#include "token_role.h"
#include "vault/limits.h"

static struct value *without_default(struct arena *a, const struct value *list)
{
	struct value *out = value_array(a);

	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (!value_is_str(v, "default"))
			value_add(out, value_strdup(a, v->text, v->len));
	return out;
}

static struct value *copy_of(struct arena *a, const struct value *list)
{
	struct value *out = value_array(a);

	token_policies_append(a, out, list);
	return out;
}

/* The name is NUL-terminated: both lists come from canonical names. */
static const char *name_of(const struct value *v, char buf[LIMIT_NAME + 1])
{
	size_t n = v->len <= LIMIT_NAME ? v->len : LIMIT_NAME;

	memcpy(buf, v->text, n);
	buf[n] = '\0';
	return buf;
}

static bool is_subset(const struct value *list, const struct value *of)
{
	char name[LIMIT_NAME + 1];

	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (!token_policies_has(of, name_of(v, name)))
			return false;
	return true;
}

/* Nothing asked: the parent's own.  "default" comes on top unless refused; a caller
 * without sudo can only give it on if it has it. */
static int by_parent(struct req *r, const struct token_grant *g, struct value *asked,
                     struct value **out)
{
	const struct value *parent = r->id.policies;

	if (asked->len == 0) {
		*out = copy_of(r->a, parent);
		return ERR_OK;
	}
	if (!g->sudo && !is_subset(asked, parent))
		return req_fail(r, ERR_INVALID,
		                "child policies must be subset of parent");
	if (g->sudo || token_policies_has(parent, "default"))
		value_add(asked, value_str(r->a, "default"));
	*out = asked;
	return ERR_OK;
}

static bool role_says_more(const struct token_role *t)
{
	return t->allowed->len + t->allowed_glob->len + t->disallowed->len +
	               t->disallowed_glob->len >
	       0;
}

static bool forbidden(const struct token_role *t, const char *name)
{
	return token_policies_has(t->disallowed, name) ||
	       token_glob_any(t->disallowed_glob, name);
}

static int check_role(struct req *r, const struct token_role *t, const struct value *list,
                      bool allowed_lists)
{
	char name[LIMIT_NAME + 1];

	for (const struct value *v = list->first; v != NULL; v = v->next) {
		(void)name_of(v, name);
		if (allowed_lists && strcmp(name, "default") != 0 &&
		    !token_policies_has(t->allowed, name) &&
		    !token_glob_any(t->allowed_glob, name))
			return req_fail(
				r, ERR_INVALID,
				"token policies (\"%s\" is one) must be subset of "
				"the role's allowed policies",
				name);
		if (forbidden(t, name))
			return req_fail(r, ERR_INVALID,
			                "token policy \"%s\" is disallowed by this role",
			                name);
	}
	return ERR_OK;
}

/* What the role allows takes the place of what the parent has.  "default" is allowed
 * unless it is forbidden. */
static int by_role(struct req *r, const struct token_grant *g, struct value *asked,
                   struct value **out)
{
	const struct token_role *t = g->role;
	bool allowed_lists = t->allowed->len + t->allowed_glob->len > 0;
	int rc;

	if (asked->len == 0)
		asked = copy_of(r->a, allowed_lists ? t->allowed : r->id.policies);
	if ((rc = check_role(r, t, asked, allowed_lists)) != ERR_OK)
		return rc;
	if (!forbidden(t, "default"))
		value_add(asked, value_str(r->a, "default"));
	*out = asked;
	return ERR_OK;
}

static int take_asked(struct req *r, struct value **out)
{
	struct value *given = NULL;
	bool present;
	int rc = req_strings(r, "policies", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (present)
		return token_policies_canonical(r, given, out);
	*out = value_array(r->a);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

int token_grant_policies(struct req *r, const struct token_grant *g, struct value **out)
{
	struct value *asked, *list = NULL;
	int rc = take_asked(r, &asked);

	if (rc != ERR_OK)
		return rc;
	rc = g->role != NULL && role_says_more(g->role) ? by_role(r, g, asked, &list)
	                                                : by_parent(r, g, asked, &list);
	if (rc != ERR_OK)
		return rc;
	if (list == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (token_policies_has(list, "root")) {
		list = value_array(r->a);
		value_add(list, value_str(r->a, "root"));
		if (!r->id.root)
			return req_fail(r, ERR_INVALID,
			                "root tokens may not be created without parent "
			                "token being root");
	} else if (g->no_default) {
		list = without_default(r->a, list);
	}
	*out = list != NULL ? token_policies_sorted(r->a, list) : NULL;
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

struct block {
	struct cidr c;
	const struct value *text;
};

/* Those of a list that can be read; NULL: out of memory. */
static struct block *blocks_of(struct arena *a, const struct value *list, size_t *n)
{
	struct block *out = arena_alloc(a, (list->len + 1) * sizeof(*out));

	*n = 0;
	for (const struct value *v = list->first; out != NULL && v != NULL; v = v->next)
		if (cidr_parse(v->text, v->len, &out[*n].c) == 0)
			out[(*n)++].text = v;
	return out;
}

/* ${b} in the place of what it covers, unless something covers it. */
static size_t add_block(struct block *set, size_t n, const struct block *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (cidr_contains(&set[i].c, &b->c))
			return n;
	for (size_t i = 0; i < n; i++)
		if (!cidr_contains(&b->c, &set[i].c))
			set[kept++] = set[i];
	set[kept++] = *b;
	return kept;
}

/* Blocks are nested or apart: what two lists share is the narrower of each pair.  What
 * another one covers is left out, so that the list of a child is no longer than it has to
 * be, however many generations there are. */
static int shared_blocks(struct req *r, const struct value *x, const struct value *y,
                         const struct value **out)
{
	struct value *list = value_array(r->a);
	struct block *own, *more, *set = NULL;
	size_t n_own, n_more, n = 0;

	own = blocks_of(r->a, x, &n_own);
	more = blocks_of(r->a, y, &n_more);
	/* Each one is of ${x} or of ${y}. */
	if (own != NULL && more != NULL)
		set = arena_alloc(r->a, (n_own + n_more + 1) * sizeof(*set));
	if (set == NULL || list == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n_own; i++)
		for (size_t k = 0; k < n_more; k++)
			if (cidr_contains(&own[i].c, &more[k].c))
				n = add_block(set, n, &more[k]);
			else if (cidr_contains(&more[k].c, &own[i].c))
				n = add_block(set, n, &own[i]);
	if (n > LIMIT_BOUND_CIDRS)
		return req_fail(r, ERR_INVALID, "a token is bound to at most %u blocks",
		                LIMIT_BOUND_CIDRS);
	for (size_t i = 0; i < n; i++)
		value_add(list, value_strdup(r->a, set[i].text->text, set[i].text->len));
	*out = list;
	return ERR_OK;
}

int token_grant_cidrs(struct req *r, const struct token_grant *g,
                      const struct value **out)
{
	const struct value *own = value_get(r->id.token, "cidrs");
	const struct value *more = g->role != NULL ? g->role->params.bound_cidrs : NULL;
	struct value *here = NULL;
	struct cidr c;
	int rc;

	if (g->role != NULL && g->role->params.strictly_bind_ip) {
		if (cidr_parse(r->remote, strlen(r->remote), &c) != 0)
			return req_fail(r, ERR_DENIED, "permission denied");
		here = value_array(r->a);
		value_add(here, value_str(r->a, r->remote));
		more = here;
	}
	if (more == NULL || more->len == 0 || own == NULL) {
		*out = more != NULL && more->len > 0 ? more : own;
		return ERR_OK;
	}
	if ((rc = shared_blocks(r, own, more, out)) != ERR_OK)
		return rc;
	if ((*out)->len == 0)
		return req_fail(
			r, ERR_INVALID,
			"the role's addresses are outside of those that the parent "
			"token is bound to");
	return ERR_OK;
}

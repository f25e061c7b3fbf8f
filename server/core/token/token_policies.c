/* SPDX-License-Identifier: Apache-2.0 */
#include "token_policies.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "path.h"
#include "vault/limits.h"

bool token_policies_has(const struct value *list, const char *name)
{
	return value_has_str(list, name);
}

void token_policies_append(struct arena *a, struct value *list, const struct value *more)
{
	for (const struct value *v = more != NULL ? more->first : NULL; v != NULL;
	     v = v->next)
		value_add(list, value_strdup(a, v->text, v->len));
}

static int by_text(const void *x, const void *y)
{
	const struct value *a = *(const struct value *const *)x;
	const struct value *b = *(const struct value *const *)y;
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

struct value *token_policies_sorted(struct arena *a, const struct value *list)
{
	struct value *out = value_array(a);
	const struct value **at =
		arena_alloc(a, (list->len + 1) * sizeof(const struct value *));
	size_t n = 0;

	if (at == NULL)
		return NULL;
	for (const struct value *v = list->first; v != NULL; v = v->next)
		at[n++] = v;
	qsort(at, n, sizeof(const struct value *), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || by_text(&at[i], &at[i - 1]) != 0)
			value_add(out, value_strdup(a, at[i]->text, at[i]->len));
	return out;
}

int token_policies_canonical(struct req *r, const struct value *in, struct value **out)
{
	char name[LIMIT_NAME + 1];
	struct value *list = value_array(r->a);
	int rc;

	if (in->len > LIMIT_POLICIES_PER_TOKEN)
		return req_fail(r, ERR_INVALID, "a token may have at most %u policies",
		                LIMIT_POLICIES_PER_TOKEN);
	for (const struct value *v = in->first; v != NULL; v = v->next) {
		rc = path_name(v->text, v->len, name, "policy name", &r->e);
		if (rc != ERR_OK)
			return rc;
		if (strcmp(name, "response-wrapping") == 0)
			return req_fail(r, ERR_INVALID, "cannot assign policy \"%s\"",
			                name);
		value_add(list, value_strdup(r->a, name, strlen(name)));
	}
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	*out = list;
	return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "token_role.h"

#include <string.h>

#include "arena.h"
#include "path.h"
#include "vault/limits.h"

static void role_id(struct core *c, const char *name, unsigned char id[32])
{
	store_blind(c, id, "token-role", name, strlen(name), NULL, 0);
}

static const struct value *array_or_empty(struct arena *a, const struct value *body,
                                          const char *key)
{
	const struct value *v = value_get(body, key);

	return v != NULL && v->type == V_ARRAY ? v : value_array(a);
}

int token_role_load(struct core *c, struct arena *a, const char *name,
                    struct token_role *out, struct err *e)
{
	unsigned char id[32];
	const struct value *b;
	int rc;

	memset(out, 0, sizeof(*out));
	role_id(c, name, id);
	rc = store_get(c, a, KIND_TOKEN_ROLE, id, sizeof(id), &out->o, e);
	if (rc == ERR_NOENT) {
		out->o.kind = KIND_TOKEN_ROLE;
		memcpy(out->o.id, id, sizeof(id));
		out->o.id_len = sizeof(id);
	}
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	b = out->o.body;
	out->name = name;
	out->allowed = array_or_empty(a, b, "allowed_policies");
	out->disallowed = array_or_empty(a, b, "disallowed_policies");
	out->allowed_glob = array_or_empty(a, b, "allowed_policies_glob");
	out->disallowed_glob = array_or_empty(a, b, "disallowed_policies_glob");
	out->aliases = array_or_empty(a, b, "allowed_entity_aliases");
	out->path_suffix = value_cstr_or(a, b, "path_suffix", "");
	out->orphan = value_bool_or(b, "orphan", false);
	out->renewable = value_bool_or(b, "renewable", true);
	token_params_load(a, b, &out->params);
	if (rc == ERR_NOENT)
		out->params.type = TOKEN_DEFAULT_SERVICE;
	return rc;
}

int token_role_name(struct req *r, int i, const char **out)
{
	char name[LIMIT_NAME + 1];
	int rc = path_name(r->param[i].text, r->param[i].len, name, "role name", &r->e);

	if (rc != ERR_OK)
		return rc;
	*out = arena_str(r->a, name);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

/* Every '*' but the last takes as little as it can: that loses no match. */
static bool glob(const char *p, size_t n, const char *s)
{
	const char *star = NULL, *retry = NULL, *end = p + n;

	while (*s != '\0') {
		if (p < end && *p == '*') {
			star = ++p;
			retry = s;
		} else if (p < end && *p == *s) {
			p++;
			s++;
		} else if (star != NULL) {
			p = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

bool token_glob_any(const struct value *list, const char *name)
{
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (glob(v->text, v->len, name))
			return true;
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* host_role - which secrets the hosts of a role may have. */
#include <string.h>

#include "arena.h"
#include "host.h"
#include "kv_folder.h"
#include "kv_leased.h"
#include "path.h"
#include "vault/limits.h"

void host_role_id(struct core *c, const char *name, unsigned char out[32])
{
	store_blind(c, out, "host-role", name, strlen(name), NULL, 0);
}

int host_role_load(struct core *c, struct arena *a, const char *name,
                   struct host_role *out, struct err *e)
{
	unsigned char id[32];
	int rc;

	memset(out, 0, sizeof(*out));
	host_role_id(c, name, id);
	if ((rc = store_get(c, a, KIND_HOST_ROLE, id, sizeof(id), &out->o, e)) != ERR_OK)
		return rc;
	out->name = value_cstr_or(a, out->o.body, "name", "");
	out->description = value_cstr_or(a, out->o.body, "description", "");
	out->paths = value_get(out->o.body, "paths");
	out->ttl_ms = value_int_or(out->o.body, "ttl", HOST_LEASE_TTL_MS);
	if (out->paths == NULL || out->paths->type != V_ARRAY)
		return err_set(e, ERR_INTEGRITY, "a host role's record is malformed");
	return ERR_OK;
}

int host_role_of(struct core *c, struct arena *a, const struct host *h,
                 struct host_role *out, struct err *e)
{
	int rc = host_role_load(c, a, h->role, out, e);

	if (rc != ERR_NOENT)
		return rc;
	memset(out, 0, sizeof(*out));
	out->name = h->role;
	out->description = "";
	out->ttl_ms = HOST_LEASE_TTL_MS;
	return ERR_OK;
}

static bool pattern_matches(const struct value *p, const char *path, size_t n)
{
	if (p->type != V_STRING || p->len == 0)
		return false;
	if (p->text[p->len - 1] != '*')
		return p->len == n && memcmp(p->text, path, n) == 0;
	/* Who may have all that is in a folder may know the names in it. */
	if (n == p->len - 1 && path[n - 1] != '/')
		return false;
	return n >= p->len - 1 && memcmp(p->text, path, p->len - 1) == 0;
}

bool host_role_allows(const struct value *paths, const char *path)
{
	size_t n = strlen(path);

	for (const struct value *p = paths != NULL ? paths->first : NULL; p != NULL;
	     p = p->next)
		if (pattern_matches(p, path, n))
			return true;
	return false;
}

int host_role_check(struct core *c, const char *pattern, size_t n, struct err *e)
{
	char path[LIMIT_PATH + 1];
	const struct mount *m;
	const char *rest;
	unsigned char id[32];
	struct err not ;
	bool prefix = n > 0 && pattern[n - 1] == '*';
	size_t len = prefix ? n - 1 : n;

	if (len == 0 || len > LIMIT_PATH || memchr(pattern, '*', len) != NULL)
		return err_set(e, ERR_INVALID,
		               "a path must be a full secret path such as secret/app/db, "
		               "with '*' at its end at most");
	memcpy(path, pattern, len);
	path[len] = '\0';
	/* "secret/app*" and "secret/app/" + '*' are both prefixes. */
	if (path_check(path, len, e) != ERR_OK)
		return err_wrap(e, "path");
	if (kv_is_folder(path) && kv_folder_find(c, path, id, &not ) == ERR_OK)
		return ERR_OK;
	m = mounts_match(c, path, &rest);
	if (!kv_leased_on(m, rest))
		return err_set(e, ERR_INVALID, "\"%.150s\" is not below a KV mount",
		               path);
	if (!prefix && (rest[0] == '\0' || path[len - 1] == '/'))
		return err_set(e, ERR_INVALID, "\"%.150s\" does not name a secret", path);
	return ERR_OK;
}

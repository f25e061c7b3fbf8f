/* SPDX-License-Identifier: Apache-2.0 */
/* db_config - connections to databases: what Vault calls plugins, and their URLs. */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "text.h"

static const struct {
	const char *plugin, *rotator;
} plugins[] = {
	{"postgresql-database-plugin",    "postgres"},
	{ "mysql-database-plugin",        "mysql"   },
	{ "mysql-rds-database-plugin",    "mysql"   },
	{ "mysql-aurora-database-plugin", "mysql"   },
	{ "mysql-legacy-database-plugin", "mysql"   },
	{ "mariadb-database-plugin",      "mysql"   },
	{ "redis-database-plugin",        "redis"   },
	{ "valkey-database-plugin",       "redis"   },
};

const char *db_rotator(const char *plugin)
{
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (strcmp(plugins[i].plugin, plugin) == 0)
			return plugins[i].rotator;
	return plugin;
}

/* As Vault's templates of the same plugins cut them. */
const struct db_limits *db_limits_of(const struct target *t)
{
	static const struct db_limits usual = { .display = 8, .role = 8, .all = 63 };
	static const struct db_limits mysql = { .display = 10, .role = 10, .all = 32 };
	static const struct db_limits redis = {
		.display = 8, .role = 8, .all = 63, .upper = true
	};

	if (strcmp(t->rotator, "mysql") == 0)
		return &mysql;
	return strcmp(t->rotator, "redis") == 0 ? &redis : &usual;
}

/* Vault's globs: a '*' at either end. */
static bool glob(const struct value *pattern, const char *name)
{
	const char *p = pattern->text;
	size_t m = pattern->len, n = strlen(name);
	bool head = m > 0 && p[0] == '*', tail = m > 1 && p[m - 1] == '*';

	p += head;
	m -= (size_t)head + (size_t)tail;
	if (m > n)
		return false;
	if (head && tail)
		return memmem(name, n, p, m) != NULL;
	if (head)
		return memcmp(name + n - m, p, m) == 0;
	return memcmp(name, p, m) == 0 && (tail || m == n);
}

static bool allowed(const struct value *patterns, const char *name)
{
	for (const struct value *v = patterns != NULL ? patterns->first : NULL; v != NULL;
	     v = v->next)
		if (glob(v, name))
			return true;
	return false;
}

static int answer(struct req *r, const char *text)
{
	reply_errors(r, 500, text, NULL);
	return ERR_OK;
}

int db_config_for_role(struct req *r, const char *db_name, const char *role_name,
                       struct target *out, bool *ok)
{
	char *text;
	int rc = target_find(r->core, r->a, r->mount->id, db_name, out, &r->e);

	*ok = false;
	if (rc == ERR_NOENT) {
		text = arena_printf(
			r->a, "failed to find entry for connection with name: \"%.128s\"",
			db_name);
		return answer(r, text);
	}
	if (rc != ERR_OK)
		return rc;
	*ok = allowed(value_get(out->extra, "allowed_roles"), role_name);
	if (*ok)
		return ERR_OK;
	text = arena_printf(r->a, "\"%.128s\" is not an allowed role", role_name);
	return answer(r, text);
}

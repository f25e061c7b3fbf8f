/* SPDX-License-Identifier: Apache-2.0 */
#include <mysqld_error.h>
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "my.h"
#include "statement.h"

static int no_memory(struct answer *a)
{
	return answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* --- who there is --- */

static bool may_not_look(unsigned error)
{
	return error == ER_TABLEACCESS_DENIED_ERROR ||
	       error == ER_COLUMNACCESS_DENIED_ERROR ||
	       error == ER_DBACCESS_DENIED_ERROR ||
	       error == ER_SPECIFIC_ACCESS_DENIED_ERROR;
}

int my_find(struct request *r, struct my *m, const char *user, bool *yes,
            enum my_plugin *plugin, struct answer *a)
{
	char *u = my_literal(r, m, user), *h = my_literal(r, m, m->host), *sql;
	struct answer why = { 0 };
	MYSQL_RES *res = NULL;
	MYSQL_ROW row;

	if (u == NULL || h == NULL ||
	    (sql = arena_printf(
		     r->arena,
		     "SELECT plugin FROM mysql.user WHERE User = %s AND Host = %s", u,
		     h)) == NULL)
		return no_memory(a);
	*yes = true;
	*plugin = MY_PLUGIN_UNKNOWN;
	if (my_query(m, &why, sql, &res) != 0) {
		if (may_not_look(m->error))
			return 0;
		*a = why;
		return (int)why.class;
	}
	row = mysql_fetch_row(res);
	*yes = row != NULL;
	if (row != NULL)
		*plugin = my_plugin_kind(row[0] != NULL ? row[0] : "");
	mysql_free_result(res);
	return 0;
}

int my_check(struct request *r, void *session, const char *account, struct answer *a)
{
	struct my *m = session;
	enum my_plugin plugin = MY_PLUGIN_UNKNOWN;
	bool yes = false;
	int rc = my_find(r, m, account, &yes, &plugin, a);

	if (rc != 0)
		return rc;
	if (!yes)
		return answer_fail(a, CLASS_PERMANENT,
		                   "there is no account '%.64s'@'%.64s'", account,
		                   m->host);
	if (plugin == MY_PLUGIN_NO_PASSWORD)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'%.64s'@'%.64s' does not log in by a password",
		                   account, m->host);
	return 0;
}

/* --- built-in statements --- */

/* "SET PASSWORD" changes the password of an account and none of its other ways to log in,
 * as "ALTER USER … IDENTIFIED" would.  On MySQL it is the other way round. */
static int set_mysql(struct request *r, struct my *m, const char *name,
                     const char *password, struct answer *a)
{
	char *secret = my_literal(r, m, password), *sql;

	if (secret == NULL ||
	    (sql = arena_printf(r->arena, "ALTER USER %s IDENTIFIED BY %s", name,
	                        secret)) == NULL)
		return no_memory(a);
	return my_exec(m, true, a, sql);
}

static int set_plain(struct request *r, struct my *m, const char *name,
                     const char *password, struct answer *a)
{
	char *secret = my_literal(r, m, password), *sql;

	if (secret == NULL ||
	    (sql = arena_printf(r->arena, "SET PASSWORD%s%s = PASSWORD(%s)",
	                        name != NULL ? " FOR " : "", name != NULL ? name : "",
	                        secret)) == NULL)
		return no_memory(a);
	return my_exec(m, true, a, sql);
}

static int set_hash(struct request *r, struct my *m, const char *name, const char *hash,
                    struct answer *a)
{
	char *sql = arena_printf(r->arena, "SET PASSWORD%s%s = '%s'",
	                         name != NULL ? " FOR " : "", name != NULL ? name : "",
	                         hash);

	return sql != NULL ? my_exec(m, true, a, sql) : no_memory(a);
}

static int set_mariadb(struct request *r, struct my *m, const char *name,
                       enum my_plugin plugin, const char *password, struct answer *a)
{
	char hash[MY_HASH_ED25519 + 1];
	int rc;

	if (plugin == MY_PLUGIN_NATIVE)
		my_hash_native(password, hash);
	else if (plugin != MY_PLUGIN_ED25519 || my_hash_ed25519(password, hash) != 0)
		return set_plain(r, m, name, password, a);
	rc = set_hash(r, m, name, hash, a);
	sodium_memzero(hash, sizeof(hash));
	/* A server that has rules for passwords wants to see them:
	 * strict_password_validation. */
	if (rc != 0 && m->error == ER_OPTION_PREVENTS_STATEMENT) {
		*a = (struct answer){ 0 };
		return set_plain(r, m, name, password, a);
	}
	return rc;
}

/* Whoever retires accounts by locking them gets them back here. */
static int unlock(struct request *r, struct my *m, const char *name, struct answer *a)
{
	const char *how = NULL;
	char *sql;
	int rc = config_text(r, "retire", "", &how, a);

	if (rc != 0 || strcmp(how, "disable") != 0)
		return rc;
	sql = arena_printf(r->arena, "ALTER USER %s ACCOUNT UNLOCK", name);
	return sql != NULL ? my_exec(m, false, a, sql) : no_memory(a);
}

/* The plugin of one's own account, which nobody else need be asked for. */
static enum my_plugin own_plugin(struct my *m)
{
	struct answer ignored = { 0 };
	enum my_plugin plugin = MY_PLUGIN_UNKNOWN;
	MYSQL_RES *res = NULL;
	MYSQL_ROW row;

	if (my_query(m, &ignored, "SHOW CREATE USER CURRENT_USER()", &res) != 0)
		return plugin;
	row = mysql_fetch_row(res);
	if (row != NULL && row[0] != NULL) {
		if (strstr(row[0], "IDENTIFIED VIA ed25519") != NULL)
			plugin = MY_PLUGIN_ED25519;
		else if (strstr(row[0], "IDENTIFIED BY PASSWORD") != NULL ||
		         strstr(row[0], "IDENTIFIED VIA mysql_native_password") != NULL)
			plugin = MY_PLUGIN_NATIVE;
	}
	mysql_free_result(res);
	return plugin;
}

int my_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a)
{
	struct credential c = { .given = true,
		                .username = account,
		                .password = password };
	struct my_script script = { .text = r->statement, .n = r->statements };
	enum my_plugin plugin = MY_PLUGIN_UNKNOWN;
	struct my *m = session;
	char *name;
	bool yes;
	int rc;

	if (r->statements > 0)
		return my_run(r, m, &script, &c, a);
	if (own)
		return m->mariadb ? set_mariadb(r, m, NULL, own_plugin(m), password, a)
		                  : set_mysql(r, m, "USER()", password, a);
	if ((name = my_name(r, m, account)) == NULL)
		return no_memory(a);
	if ((rc = my_find(r, m, account, &yes, &plugin, a)) != 0)
		return rc;
	rc = m->mariadb ? set_mariadb(r, m, name, plugin, password, a)
	                : set_mysql(r, m, name, password, a);
	return rc != 0 ? rc : unlock(r, m, name, a);
}

int my_disable(struct request *r, void *session, const char *account, struct answer *a)
{
	struct my *m = session;
	char *name = my_name(r, m, account), *sql;

	if (name == NULL ||
	    (sql = arena_printf(r->arena, "ALTER USER %s ACCOUNT LOCK", name)) == NULL)
		return no_memory(a);
	return my_exec(m, false, a, sql);
}

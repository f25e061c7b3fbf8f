/* SPDX-License-Identifier: Apache-2.0 */
#include <mysqld_error.h>
#include <string.h>

#include "arena.h"
#include "my.h"
#include "statement.h"

/* The accounts that a secrets engine makes, with Vault's statements where none are given;
 * but for the host, which is config.host_pattern here. */

static int no_memory(struct answer *a)
{
	return answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

static int run_one(struct my *m, const char *sql, bool secret, unsigned skip,
                   struct answer *a)
{
	struct answer why = { 0 };
	int rc = my_exec(m, secret, &why, sql);

	if (rc == 0 || (skip != 0 && m->error == skip))
		return 0;
	*a = why;
	return rc;
}

/* One text may be several statements. */
static int run_text(struct request *r, struct my *m, const char *text,
                    const struct my_script *script, const struct variable *v, size_t n,
                    struct answer *a)
{
	while (*text != '\0') {
		size_t len = my_statement_length(text);
		char *one = arena_dup(r->arena, text, len), *sql = NULL;
		int rc;

		if (one == NULL)
			return no_memory(a);
		if (one[strspn(one, " \t\r\n")] != '\0' &&
		    ((rc = statement_fill(r->arena, one, v, n, &sql, a)) != 0 ||
		     (rc = run_one(m, sql, statement_uses(one, "password"), script->skip,
		                   a)) != 0))
			return rc;
		text += len;
		text += *text == ';';
	}
	return 0;
}

int my_run(struct request *r, struct my *m, const struct my_script *script,
           const struct credential *c, struct answer *a)
{
	const struct variable v[] = {
		{.name = "name",        .value = c->username  },
		{ .name = "username",   .value = c->username  },
		{ .name = "password",   .value = c->password  },
		{ .name = "expiration", .value = c->expiration},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < script->n; i++)
		rc = run_text(r, m, script->text[i], script, v, ARRAY_LEN(v), a);
	return rc;
}

/* Nothing holds these statements together, so an account that is there already may lack
 * its rights: what has been done is done again, all but the first step, and the password
 * set. */
static int create_again(struct request *r, struct my *m, struct answer *a)
{
	struct my_script script = {
		.text = r->statement,
		.n = r->statements,
		.skip = ER_CANNOT_USER,
	};
	const struct credential *c = &r->pending;
	char *name = my_name(r, m, c->username), *secret = my_literal(r, m, c->password),
	     *sql;
	int rc = my_run(r, m, &script, c, a);

	if (rc != 0)
		return rc;
	if (name == NULL || secret == NULL)
		return no_memory(a);
	sql = arena_printf(r->arena,
	                   m->mariadb ? "SET PASSWORD FOR %s = PASSWORD(%s)"
	                              : "ALTER USER %s IDENTIFIED BY %s",
	                   name, secret);
	if (sql == NULL)
		return no_memory(a);
	rc = my_exec(m, true, a, sql);
	return rc != 0 ? rc : answer_noop(a, "the account was made before");
}

int my_user_create(struct request *r, void *session, struct answer *a)
{
	struct my_script script = { .text = r->statement, .n = r->statements };
	struct answer why = { 0 };
	struct my *m = session;
	enum my_plugin plugin;
	bool yes;
	int rc;

	if (r->statements == 0)
		return answer_fail(a, CLASS_PERMANENT, "empty creation statements");
	if ((rc = my_find(r, m, r->pending.username, &yes, &plugin, a)) != 0)
		return rc;
	if (yes && plugin != MY_PLUGIN_UNKNOWN)
		return create_again(r, m, a);
	rc = my_run(r, m, &script, &r->pending, &why);
	/* Made meanwhile, or before and nobody may look. */
	if (rc != 0 && m->error == ER_CANNOT_USER)
		return create_again(r, m, a);
	if (rc != 0)
		*a = why;
	return rc;
}

int my_user_renew(struct request *r, void *session, struct answer *a)
{
	struct my_script script = { .text = r->statement, .n = r->statements };

	if (r->statements == 0)
		return answer_noop(a, "accounts have no end here");
	return my_run(r, session, &script, &r->pending, a);
}

static int revoke_default(struct request *r, struct my *m, struct answer *a)
{
	char *name = my_name(r, m, r->pending.username), *revoke, *drop;
	int rc;

	if (name == NULL ||
	    (revoke = arena_printf(r->arena,
	                           "REVOKE ALL PRIVILEGES, GRANT OPTION FROM %s",
	                           name)) == NULL ||
	    (drop = arena_printf(r->arena, "DROP USER %s", name)) == NULL)
		return no_memory(a);
	/* Gone by the time that it is dropped: so be it. */
	if ((rc = run_one(m, revoke, false, ER_REVOKE_GRANTS, a)) != 0)
		return rc;
	return run_one(m, drop, false, ER_CANNOT_USER, a);
}

int my_user_revoke(struct request *r, void *session, struct answer *a)
{
	struct my_script script = { .text = r->statement, .n = r->statements };
	struct my *m = session;
	enum my_plugin plugin;
	bool yes;
	int rc = my_find(r, m, r->pending.username, &yes, &plugin, a);

	if (rc != 0)
		return rc;
	if (!yes)
		return answer_noop(a, "the account is gone");
	return r->statements > 0 ? my_run(r, m, &script, &r->pending, a)
	                         : revoke_default(r, m, a);
}

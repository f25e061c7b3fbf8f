/* SPDX-License-Identifier: Apache-2.0 */
/* db_password - names and passwords of accounts that are made. */
#include <string.h>

#include "arena.h"
#include "database.h"
#include "password_policy.h"
#include "text.h"
#include "username_template.h"

#define LENGTH 20
#define DRAWS  1000 /* texts that may be thrown away for the database's sake */

/* Vault's own: at least one letter of each case, one digit and one dash. */
static int vault_mix(struct generate_mix *m, struct err *e)
{
	static const char *const sets[] = { "abcdefghijklmnopqrstuvwxyz",
		                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789",
		                            "-" };
	uint32_t chars[26];
	int rc = ERR_OK;

	memset(m, 0, sizeof(*m));
	m->length = LENGTH;
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(sets); i++) {
		size_t n = strlen(sets[i]);

		for (size_t k = 0; k < n; k++)
			chars[k] = (unsigned char)sets[i][k];
		rc = generate_mix_add(m, chars, n, 1, e);
	}
	return rc;
}

static int draw(struct core *c, struct arena *a, const char *policy, const char **out,
                struct err *e)
{
	uint32_t text[LENGTH];
	struct generate_mix mix;
	char *password;
	int rc;

	if (policy[0] != '\0')
		return password_policy_generate(c, a, policy, out, e);
	if ((password = arena_alloc(a, LENGTH + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = vault_mix(&mix, e)) != ERR_OK ||
	    (rc = generate_mix_text(&mix, text, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < LENGTH; i++)
		password[i] = (char)text[i];
	explicit_bzero(text, sizeof(text));
	password[LENGTH] = '\0';
	*out = password;
	return ERR_OK;
}

/* Statements are filled with it, too: what begins or ends a comment there stays out. */
static bool fits(const char *text, const char *forbid)
{
	return strpbrk(text, forbid) == NULL && strstr(text, "--") == NULL &&
	       strstr(text, "/*") == NULL && strstr(text, "*/") == NULL;
}

/* Texts that do not fit are thrown away whole, so that those that do are equally likely.
 */
int db_password(struct core *c, struct arena *a, const char *policy, const char *forbid,
                const char **out, struct err *e)
{
	int rc;

	for (int i = 0; i < DRAWS; i++) {
		if ((rc = draw(c, a, policy, out, e)) != ERR_OK)
			return rc;
		if (fits(*out, forbid))
			return ERR_OK;
	}
	return err_set(e, ERR_INVALID,
	               "password policy \"%.64s\" makes no password that the database "
	               "accepts",
	               policy);
}

static bool is_tame(char c, char last)
{
	if (c == '-')
		return last != '-';
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr("_.@", c) != NULL;
}

/* The same for names: what could end a quoted word, or begin a comment. */
static void tame(char *name)
{
	for (char last = '\0'; *name != '\0'; last = *name++)
		if (!is_tame(*name, last))
			*name = '_';
}

/* As Vault's templates of the same plugins make them. */
static int usual_name(struct req *r, const char *role, const struct db_limits *limits,
                      char **out)
{
	char random[21];
	char *name;

	text_base62_random(random, sizeof(random) - 1);
	random[sizeof(random) - 1] = '\0';
	name = arena_printf(r->a, "v-%.*s-%.*s-%s-%lld", (int)limits->display,
	                    r->id.display_name, (int)limits->role, role, random,
	                    (long long)(r->core->now_ms / 1000));
	if (name == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (strlen(name) > limits->all)
		name[limits->all] = '\0';
	for (char *p = name; limits->upper && *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	*out = name;
	return ERR_OK;
}

/* What is too long is not cut: another account could have what is left for its name. */
static int name_by_template(struct req *r, const char *role, const char *text,
                            const struct db_limits *limits, char **out)
{
	const struct username_vars vars = {
		.display_name = r->id.display_name,
		.role_name = role,
		.now_ms = r->core->now_ms,
	};
	const char *made;
	int rc = username_template_make(r->a, text, &vars, &made, &r->e);

	if (rc != ERR_OK)
		return rc;
	if (strlen(made) > limits->all)
		return req_fail(r, ERR_INVALID,
		                "username_template: the name has %zu bytes, and the "
		                "database takes %zu: use truncate",
		                strlen(made), limits->all);
	*out = arena_str(r->a, made);
	return *out != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

int db_username(struct req *r, const char *role, const struct target *t, const char **out)
{
	const char *text = value_cstr_or(r->a, t->extra, "username_template", "");
	const struct db_limits *limits = db_limits_of(t);
	char *name = NULL;
	int rc = text[0] != '\0' ? name_by_template(r, role, text, limits, &name)
	                         : usual_name(r, role, limits, &name);

	if (rc != ERR_OK || name == NULL)
		return rc != ERR_OK ? rc : (int)ERR_NOMEM;
	tame(name);
	*out = name;
	return ERR_OK;
}

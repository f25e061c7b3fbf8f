/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mounts.h"
#include "rate.h"
#include "route.h"
#include "vault/limits.h"

#define PATH_SHOWN 120 /* the text must fit a struct err */

struct limits {
	struct rate_limit token, login;
	struct rate_table *tokens, *logins;
};

int limits_open(struct core *c, struct err *e)
{
	const struct core_options *o = &c->opt;
	struct limits *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->limits = l;
	l->token = rate_limit(o->token_rate.per_second, o->token_rate.burst);
	l->login = rate_limit(o->login_rate.per_second, o->login_rate.burst);
	l->tokens = rate_table_new(LIMIT_RATE_ENTRIES);
	l->logins = rate_table_new(LIMIT_RATE_ENTRIES);
	if (l->tokens == NULL || l->logins == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

void limits_close(struct core *c)
{
	struct limits *l = c->limits;

	if (l == NULL)
		return;
	rate_table_free(l->tokens);
	rate_table_free(l->logins);
	free(l);
	c->limits = NULL;
}

static int judge(struct req *r, struct rate_table *t, const struct rate_limit *l,
                 const void *key, size_t n)
{
	int64_t wait = rate_take(t, l, key, n, r->core->boot_ms * 1000);

	if (wait == 0)
		return ERR_OK;
	r->retry_after = rate_retry_after(wait);
	return req_fail(r, ERR_RATE, "request path \"%.*s\": rate limit quota exceeded",
	                PATH_SHOWN, r->path);
}

int limit_token(struct req *r)
{
	struct limits *l = r->core->limits;

	if (r->resumed > 0)
		return ERR_OK;
	return judge(r, l->tokens, &l->token, r->id.token_id, sizeof(r->id.token_id));
}

/* The account as it was given (R_LOGIN says where); NULL if none is named.  What is no
 * text is the handler's to refuse. */
static const char *account(struct req *r)
{
	const struct field *first = r->route->fields;
	const char *name = NULL;
	bool present;

	if (r->param[0].text != NULL)
		return r->param[0].text;
	if (first == NULL || first->name == NULL ||
	    req_str(r, first->name, &name, &present) != ERR_OK)
		return NULL;
	return name;
}

int limit_login(struct req *r)
{
	struct limits *l = r->core->limits;
	const char *name;
	char *key;

	if (r->resumed > 0 || !(r->route->flags & R_LOGIN) || (name = account(r)) == NULL)
		return ERR_OK;
	key = arena_printf(r->a, "%s\n%s", r->mount->path, name);
	if (key == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	/* Where names fold case, all spellings are one account. */
	for (char *s = key; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s | 0x20);
	return judge(r, l->logins, &l->login, key, strlen(key));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "login.h"

#include <string.h>

#include "approle.h"
#include "arena.h"
#include "auth_token.h"
#include "cert_role.h"
#include "cidr.h"
#include "mounts.h"
#include "token_impl.h"
#include "token_policies.h"
#include "userpass.h"

/* Asked when a token that a login made is renewed; by type of mount. */
static const struct {
	const char *mount_type;
	login_renew_fn renew;
} login_methods[] = {
	{"approle",   approle_renew },
	{ "userpass", userpass_renew},
	{ "cert",     cert_renew    },
};

struct value *login_policies(struct arena *a, const struct token_params *p)
{
	struct value *list = value_array(a);

	token_policies_append(a, list, p->policies);
	if (!p->no_default_policy)
		value_add(list, value_str(a, "default"));
	return list != NULL ? token_policies_sorted(a, list) : NULL;
}

static int take_policies(struct req *r, const struct token_params *p,
                         struct token_spec *spec)
{
	struct value *list = login_policies(r->a, p);

	if (list == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (token_policies_has(list, "root"))
		return req_fail(r, ERR_INVALID, "auth methods cannot create root tokens");
	spec->policies = list;
	return ERR_OK;
}

/* "auth/userpass/" and "alice": "userpass-alice". */
static const char *display_name(struct req *r, const char *name)
{
	const char *mount = r->mount->path + strlen("auth/");
	char *out = arena_printf(r->a, "%s%s", mount, name);
	size_t n = strlen(mount);

	for (size_t i = 0; out != NULL && i < n; i++)
		if (out[i] == '/')
			out[i] = '-';
	if (out != NULL && name[0] == '\0' && n > 0)
		out[n - 1] = '\0';
	return out;
}

static int take_addresses(struct req *r, const struct login *l, struct token_spec *spec)
{
	const struct token_params *p = l->params;
	struct value *here;
	struct cidr c;

	if (!token_cidrs_common(r->a, l->bound_cidrs, p->bound_cidrs,
	                        &spec->bound_cidrs) ||
	    !token_cidrs_admit(spec->bound_cidrs, r->remote))
		return req_fail(r, ERR_DENIED, "permission denied");
	if (!p->strictly_bind_ip)
		return ERR_OK;
	if (cidr_parse(r->remote, strlen(r->remote), &c) != 0)
		return req_fail(r, ERR_DENIED, "permission denied");
	here = value_array(r->a);
	value_add(here, value_str(r->a, r->remote));
	spec->bound_cidrs = here;
	return ERR_OK;
}

/* A mount that says "service" or "batch" has the last word; one that says
 * "default-batch" is asked where the role leaves it open. */
static bool wants_batch(const struct mount *m, const struct token_params *p)
{
	enum token_type of_mount = TOKEN_DEFAULT_SERVICE;

	(void)token_type_parse(m->config.token_type, &of_mount);
	if (of_mount == TOKEN_SERVICE || of_mount == TOKEN_BATCH)
		return of_mount == TOKEN_BATCH;
	if (p->type == TOKEN_DEFAULT)
		return of_mount == TOKEN_DEFAULT_BATCH;
	return p->type == TOKEN_BATCH || p->type == TOKEN_DEFAULT_BATCH;
}

/* The mount may make a batch token of what the role did not mean to be one. */
static int check_batch(struct req *r, const struct token_spec *s)
{
	const char *field = s->num_uses > 0              ? "num_uses"
	                    : s->explicit_max_ttl_ms > 0 ? "explicit_max_ttl"
	                    : s->period_ms > 0           ? "period"
	                                                 : NULL;

	if (!s->batch || field == NULL)
		return ERR_OK;
	return req_fail(r, ERR_INVALID, "batch tokens cannot have \"%s\" set", field);
}

static int take_lifetime(struct req *r, const struct token_params *p,
                         struct token_spec *spec)
{
	char warning[TOKEN_WARNING_MAX];
	struct token_terms t = {
		.role_max_ms = p->max_ttl_ms,
		.period_ms = p->period_ms,
		.explicit_max_ms = p->explicit_max_ttl_ms,
		.issued_ms = r->core->now_ms,
		.now_ms = r->core->now_ms,
	};
	int rc;

	token_terms_of_mount(r->mount, &t);
	if (p->ttl_ms > 0)
		t.default_ms = p->ttl_ms;
	if ((rc = token_ttl(&t, &spec->ttl_ms, warning, &r->e)) != ERR_OK)
		return rc;
	if (warning[0] != '\0')
		reply_warning(r, "%s", warning);
	spec->period_ms = p->period_ms;
	spec->explicit_max_ttl_ms = p->explicit_max_ttl_ms;
	return ERR_OK;
}

int login_reply(struct req *r, const struct login *l)
{
	struct token_spec spec = {
		.display_name = display_name(r, l->display_name),
		.path = r->path,
		.meta = l->metadata,
		.num_uses = l->params->num_uses,
		.renewable = true,
		.mount_id = r->mount->id,
		.login_role = l->role,
		.login_data = l->data,
	};
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	int rc;

	if (made == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	spec.batch = wants_batch(r->mount, l->params);
	if ((rc = take_addresses(r, l, &spec)) != ERR_OK ||
	    (rc = take_policies(r, l->params, &spec)) != ERR_OK ||
	    (rc = take_lifetime(r, l->params, &spec)) != ERR_OK ||
	    (rc = check_batch(r, &spec)) != ERR_OK ||
	    (rc = token_create(r->core, r->a, &spec, made, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "accessor", made->accessor);
	value_set(reply_envelope(r), "auth", token_auth_block(r->a, r->core, made));
	return ERR_OK;
}

static bool same_list(const struct value *x, const struct value *y)
{
	const struct value *a = value_at(x, 0), *b = value_at(y, 0);

	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (a->len != b->len || memcmp(a->text, b->text, a->len) != 0)
			return false;
	return a == NULL && b == NULL;
}

int login_same_policies(struct req *r, const struct login_memory *m,
                        const struct token_params *p)
{
	const struct value *now = login_policies(r->a, p);

	if (now == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (!same_list(now, m->policies))
		return req_fail(r, ERR_INVALID, "policies have changed, not renewing");
	return ERR_OK;
}

static login_renew_fn method_of(const struct mount *m)
{
	for (size_t i = 0; m != NULL && i < ARRAY_LEN(login_methods); i++)
		if (login_methods[i].mount_type != NULL &&
		    strcmp(login_methods[i].mount_type, m->type) == 0)
			return login_methods[i].renew;
	return NULL;
}

int login_renewal(struct req *r, const struct value *token, bool self,
                  struct token_terms *t)
{
	const struct value *mount = value_get(token, "mount");
	struct login_memory m = {
		.role = value_cstr_or(r->a, token, "login_role", ""),
		.data = value_get(token, "login"),
		.policies = value_get(token, "policies"),
	};
	struct token_params p;
	login_renew_fn renew;
	int rc;

	if (mount == NULL || mount->type != V_BYTES || mount->len != 16)
		return ERR_OK;
	m.mount = mounts_by_id(r->core, (const unsigned char *)mount->text);
	if ((renew = method_of(m.mount)) == NULL)
		return req_fail(r, ERR_INVALID,
		                "the auth method that made the token is gone");
	token_params_init(r->a, &p);
	if ((rc = renew(r, &m, &p)) != ERR_OK)
		return rc;
	if (self && !token_cidrs_admit(p.bound_cidrs, r->remote))
		return req_fail(r, ERR_DENIED, "permission denied");
	token_terms_of_mount(m.mount, t);
	if (p.ttl_ms > 0)
		t->default_ms = p.ttl_ms;
	t->role_max_ms = p.max_ttl_ms;
	t->period_ms = p.period_ms;
	return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* token_create - what a caller may have when it asks for a token, by Vault's rules. */
#include "token_create.h"

#include <ctype.h>
#include <string.h>

#include "arena.h"
#include "duration.h"
#include "policy_impl.h"
#include "text.h"
#include "token_grant.h"
#include "token_policies.h"
#include "token_role.h"
#include "vault/limits.h"

/* A request to create a token, while it is looked at. */
struct wanted {
	struct token_spec spec;
	struct token_role *role; /* NULL: none */
	bool sudo;               /* the caller is root or has sudo here */
	bool orphan;             /* by the path or the role */
	bool has_root;           /* it will have the root policy */
};

static int take_policies(struct req *r, struct wanted *w)
{
	struct token_grant g = { .sudo = w->sudo, .role = w->role };
	struct value *list = NULL;
	bool present;
	int rc = req_bool(r, "no_default_policy", &g.no_default, &present);

	if (rc != ERR_OK)
		return rc;
	if (w->role != NULL && w->role->params.no_default_policy)
		g.no_default = true;
	if ((rc = token_grant_policies(r, &g, &list)) != ERR_OK ||
	    (rc = token_grant_cidrs(r, &g, &w->spec.bound_cidrs)) != ERR_OK)
		return rc;
	w->spec.policies = list;
	w->has_root = token_policies_has(list, "root");
	return ERR_OK;
}

static int take_id(struct req *r, struct wanted *w)
{
	const char *id = NULL;
	bool present;
	int rc = req_str(r, "id", &id, &present);

	if (rc != ERR_OK || !present || id[0] == '\0')
		return rc;
	if (!w->sudo)
		return req_fail(r, ERR_INVALID,
		                "root or sudo privileges required to specify token id");
	if (strchr(id, '.') != NULL || strncmp(id, "vlt_", 4) == 0 ||
	    !text_printable(id, strlen(id)) || strlen(id) > LIMIT_TOKEN_TEXT)
		return req_fail(
			r, ERR_INVALID,
			"custom token ID must be printable, without '.' and must not begin "
			"with 'vlt_'");
	w->spec.token_text = id;
	return ERR_OK;
}

/* A role that says "service" or "batch" has the last word; otherwise the request has. */
static int take_type(struct req *r, struct wanted *w)
{
	enum token_type of_role = w->role != NULL ? w->role->params.type : TOKEN_DEFAULT;
	const char *type = "";
	bool present;
	int rc = req_str(r, "type", &type, &present);

	if (rc != ERR_OK)
		return rc;
	if (type[0] == '\0' || strcmp(type, "default") == 0)
		w->spec.batch = of_role == TOKEN_DEFAULT_BATCH;
	else if (strcmp(type, "batch") == 0)
		w->spec.batch = true;
	else if (strcmp(type, "service") != 0)
		return req_fail(r, ERR_INVALID, "invalid 'token_type' value");
	if (of_role == TOKEN_SERVICE || of_role == TOKEN_BATCH)
		w->spec.batch = of_role == TOKEN_BATCH;
	return ERR_OK;
}

static int take_parent(struct req *r, struct wanted *w)
{
	bool no_parent = false, present;
	int rc = req_bool(r, "no_parent", &no_parent, &present);

	if (rc != ERR_OK)
		return rc;
	if (no_parent && !w->orphan && !w->sudo)
		return req_fail(
			r, ERR_INVALID,
			"root or sudo privileges required to create orphan token");
	w->spec.parent = w->orphan || no_parent ? NULL : r->id.token_id;
	return ERR_OK;
}

/* Every use of the token reads it. */
static bool meta_fits(const struct value *meta)
{
	size_t n = 0;

	if (meta->type != V_OBJECT && meta->type != V_ARRAY)
		return true;
	for (const struct value *m = meta->first; m != NULL; m = m->next)
		n += m->key_len + m->len;
	return meta->len <= LIMIT_META_MEMBERS && n <= LIMIT_META_BYTES;
}

static int take_meta(struct req *r, struct wanted *w)
{
	const struct value *v = value_get(r->body, "meta");
	struct value *out;

	if (v == NULL || v->type == V_NULL)
		return ERR_OK;
	if (!meta_fits(v))
		return req_fail(r, ERR_INVALID, "meta: at most %u members of %u bytes",
		                LIMIT_META_MEMBERS, LIMIT_META_BYTES);
	out = value_object(r->a);
	for (const struct value *m = v->type == V_OBJECT || v->type == V_ARRAY ? v->first
	                                                                       : NULL;
	     m != NULL; m = m->next) {
		const char *eq = m->type == V_STRING && m->len > 0
		                         ? memchr(m->text, '=', m->len)
		                         : NULL;

		if (m->type == V_STRING && v->type == V_OBJECT)
			value_setn(out, m->key, m->key_len,
			           value_strdup(r->a, m->text, m->len));
		else if (v->type == V_ARRAY && eq != NULL &&
		         value_getn(out, m->text, (size_t)(eq - m->text)) == NULL)
			value_setn(out, m->text, (size_t)(eq - m->text),
			           value_strn(r->a, eq + 1,
			                      (size_t)(m->text + m->len - eq - 1)));
		else
			break;
	}
	if ((v->type != V_OBJECT && v->type != V_ARRAY) || out == NULL ||
	    out->len != v->len)
		return req_fail(
			r, ERR_INVALID,
			"Field validation failed: error converting input for field "
			"\"meta\": expected a map of strings");
	w->spec.meta = out;
	return ERR_OK;
}

/* "token-" and the name as it was given, with everything unusual made a dash. */
static int take_display_name(struct req *r, struct wanted *w)
{
	const char *given = NULL;
	bool present;
	char *name;
	size_t n;
	int rc = req_str(r, "display_name", &given, &present);

	w->spec.display_name = "token";
	if (rc != ERR_OK || !present || given[0] == '\0')
		return rc;
	if (strlen(given) > LIMIT_NAME)
		return req_fail(r, ERR_INVALID, "display_name is longer than %u bytes",
		                LIMIT_NAME);
	if ((name = arena_printf(r->a, "token-%s", given)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (n = 0; name[n] != '\0'; n++)
		if (!isascii((unsigned char)name[n]) || !isalnum((unsigned char)name[n]))
			name[n] = '-';
	while (n > 0 && name[n - 1] == '-')
		name[--n] = '\0';
	w->spec.display_name = name;
	return ERR_OK;
}

static int take_time(struct req *r, const char *field, int64_t *ms)
{
	bool present;
	int rc = req_duration(r, field, ms, &present);

	if (rc == ERR_OK && *ms < 0)
		return req_fail(r, ERR_INVALID, "%s must be positive", field);
	return rc;
}

static void lower(int64_t *n, int64_t limit)
{
	if (limit > 0 && (*n == 0 || *n > limit))
		*n = limit;
}

static void apply_role(struct wanted *w)
{
	struct token_spec *s = &w->spec;
	const struct token_role *t = w->role;

	if (t == NULL)
		return;
	s->renewable = s->renewable && t->renewable;
	lower(&s->num_uses, t->params.num_uses);
	lower(&s->explicit_max_ttl_ms, t->params.explicit_max_ttl_ms);
	lower(&s->period_ms, t->params.period_ms);
}

static int check_batch(struct req *r, const struct token_spec *s)
{
	const char *field = s->num_uses > 0              ? "num_uses"
	                    : s->explicit_max_ttl_ms > 0 ? "explicit_max_ttl"
	                    : s->period_ms > 0           ? "period"
	                                                 : NULL;

	if (field != NULL)
		return req_fail(r, ERR_INVALID, "batch tokens cannot have \"%s\" set",
		                field);
	if (s->token_text != NULL)
		return req_fail(r, ERR_INVALID, "batch tokens cannot have \"id\" set");
	if (token_policies_has(s->policies, "root"))
		return req_fail(r, ERR_INVALID, "batch tokens cannot be root tokens");
	return ERR_OK;
}

static int take_numbers(struct req *r, struct wanted *w)
{
	struct token_spec *s = &w->spec;
	int64_t ttl = 0;
	bool present;
	int rc;

	s->renewable = true;
	if ((rc = req_bool(r, "renewable", &s->renewable, &present)) != ERR_OK ||
	    (rc = req_int(r, "num_uses", &s->num_uses, &present)) != ERR_OK ||
	    (rc = take_time(r, "explicit_max_ttl", &s->explicit_max_ttl_ms)) != ERR_OK ||
	    (rc = take_time(r, "period", &s->period_ms)) != ERR_OK ||
	    (rc = take_time(r, "lease", &ttl)) != ERR_OK ||
	    (rc = take_time(r, "ttl", &ttl)) != ERR_OK)
		return rc;
	if (s->num_uses < 0)
		return req_fail(r, ERR_INVALID, "number of uses cannot be negative");
	if (s->period_ms > 0 && !w->sudo)
		return req_fail(
			r, ERR_INVALID,
			"root or sudo privileges required to create periodic token");
	s->ttl_ms = ttl;
	apply_role(w);
	return s->batch ? check_batch(r, s) : ERR_OK;
}

static void cap_explicit_max(struct req *r, struct token_spec *s, int64_t cap)
{
	char was[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

	if (s->explicit_max_ttl_ms <= cap)
		return;
	duration_format(s->explicit_max_ttl_ms, was);
	duration_format(cap, max);
	reply_warning(
		r,
		"Explicit max TTL of \"%s\" is greater than system/mount allowed value; "
		"value is being capped to \"%s\"",
		was, max);
	s->explicit_max_ttl_ms = cap;
}

/* Only the root policy makes a token that never expires. */
static int set_lifetime(struct req *r, struct wanted *w)
{
	struct token_spec *s = &w->spec;
	char warning[TOKEN_WARNING_MAX];
	int64_t now = r->core->now_ms;
	struct token_terms t = { .asked_ms = s->ttl_ms, .issued_ms = now, .now_ms = now };
	int rc;

	if (w->has_root && s->ttl_ms == 0 && s->period_ms == 0 &&
	    s->explicit_max_ttl_ms == 0) {
		if (value_int_or(r->id.token, "ttl", 0) > 0)
			return req_fail(
				r, ERR_INVALID,
				"expiring root tokens cannot create non-expiring root tokens");
		return ERR_OK;
	}
	token_terms_of_mount(r->mount, &t);
	cap_explicit_max(r, s, t.max_ms);
	t.period_ms = s->period_ms;
	t.explicit_max_ms = s->explicit_max_ttl_ms;
	rc = token_ttl(&t, &s->ttl_ms, warning, &r->e);
	if (rc == ERR_OK && warning[0] != '\0')
		reply_warning(r, "%s", warning);
	return rc;
}

static void warn_unknown_policies(struct req *r, const struct value *policies)
{
	for (const struct value *v = value_at(policies, 0); v != NULL; v = v->next) {
		const char *name = value_to_cstr(v, r->a);

		if (name != NULL && !policies_exist(r->core, name))
			reply_warning(r, "Policy \"%s\" does not exist", name);
	}
}

/* An alias names no entity here, so that one that is allowed changes nothing.  The role's
 * patterns are in lower case. */
static int check_alias(struct req *r, const struct wanted *w)
{
	const char *alias = "";
	bool present;
	char *folded;
	int rc = req_str(r, "entity_alias", &alias, &present);

	if (rc != ERR_OK || alias[0] == '\0')
		return rc;
	if (w->role == NULL)
		return req_fail(
			r, ERR_INVALID,
			"'entity_alias' is only allowed in combination with token "
			"role");
	if ((folded = arena_str(r->a, alias)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (char *s = folded; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s | 0x20);
	if (!token_glob_any(w->role->aliases, folded))
		return req_fail(r, ERR_INVALID, "invalid 'entity_alias' value");
	return ERR_OK;
}

static int check_parent(struct req *r)
{
	if (r->id.batch)
		return req_fail(r, ERR_INVALID, "batch tokens cannot create more tokens");
	if (value_int_or(r->id.token, "uses", 0) != 0)
		return req_fail(r, ERR_INVALID,
		                "restricted use token cannot generate child tokens");
	return ERR_OK;
}

static int take_role(struct req *r, const char *name, struct wanted *w)
{
	int rc;

	if (name == NULL)
		return ERR_OK;
	if ((w->role = arena_alloc(r->a, sizeof(*w->role))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = token_role_load(r->core, r->a, name, w->role, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "unknown role %s", name);
	w->orphan = w->role->orphan;
	w->spec.role = name;
	return rc;
}

static int gather(struct req *r, struct wanted *w)
{
	int rc;

	w->sudo = r->id.root ||
	          (policies_capabilities(r->core, r->id.policies, r->path, false) &
	           CAP_SUDO);
	if ((rc = take_type(r, w)) != ERR_OK || (rc = take_id(r, w)) != ERR_OK ||
	    (rc = take_policies(r, w)) != ERR_OK || (rc = take_parent(r, w)) != ERR_OK ||
	    (rc = take_meta(r, w)) != ERR_OK ||
	    (rc = take_display_name(r, w)) != ERR_OK ||
	    (rc = check_alias(r, w)) != ERR_OK || (rc = take_numbers(r, w)) != ERR_OK)
		return rc;
	return set_lifetime(r, w);
}

/* What revoke-prefix goes by. */
static const char *path_of(struct req *r, const struct wanted *w, bool orphan)
{
	if (w->role == NULL)
		return orphan ? "auth/token/create-orphan" : "auth/token/create";
	return arena_printf(r->a, "auth/token/create/%s%s%s", w->role->name,
	                    w->role->path_suffix[0] != '\0' ? "/" : "",
	                    w->role->path_suffix);
}

int token_create_request(struct req *r, const char *role, bool orphan)
{
	struct wanted w = { .orphan = orphan };
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	int rc;

	if (made == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = check_parent(r)) != ERR_OK || (rc = take_role(r, role, &w)) != ERR_OK ||
	    (rc = gather(r, &w)) != ERR_OK)
		return rc;
	if ((w.spec.path = path_of(r, &w, orphan)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = token_create(r->core, r->a, &w.spec, made, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "accessor", made->accessor);
	warn_unknown_policies(r, w.spec.policies);
	value_set(reply_envelope(r), "auth", token_auth_block(r->a, r->core, made));
	return ERR_OK;
}

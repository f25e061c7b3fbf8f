/* SPDX-License-Identifier: Apache-2.0 */
/* token_create - what a caller may have when it asks for a token, by Vault's rules. */
#include "token_create.h"

#include <ctype.h>
#include <string.h>

#include "arena.h"
#include "duration.h"
#include "policy_impl.h"
#include "text.h"
#include "token_policies.h"
#include "vault/limits.h"

/* A request to create a token, while it is looked at. */
struct wanted {
	struct token_spec spec;
	bool sudo;   /* the caller is root or has sudo here */
	bool orphan; /* by the path */
	bool no_default;
	bool has_root; /* asks for the root policy */
};

static struct value *without_default(struct arena *a, const struct value *list)
{
	struct value *out = value_array(a);

	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (!value_is_str(v, "default"))
			value_add(out, value_strdup(a, v->text, v->len));
	return out;
}

static bool is_subset(const struct value *list, const struct value *of)
{
	char name[LIMIT_NAME + 1];

	for (const struct value *v = list->first; v != NULL; v = v->next) {
		memcpy(name, v->text, v->len);
		name[v->len] = '\0';
		if (!token_policies_has(of, name))
			return false;
	}
	return true;
}

/* Nothing asked: the parent's own.  "default" comes on top unless refused; a caller
 * without sudo can only give it on if it has it. */
static int take_policies(struct req *r, struct wanted *w)
{
	const struct value *parent = r->id.policies;
	struct value *given = NULL, *list;
	bool present, add_default = false;
	int rc = req_strings(r, "policies", &given, &present);

	if (rc != ERR_OK)
		return rc;
	if (parent == NULL)
		parent = value_array(r->a);
	if (!present || given == NULL || given->len == 0) {
		list = value_copy(r->a, parent);
	} else {
		if ((rc = token_policies_canonical(r, given, &list)) != ERR_OK)
			return rc;
		if (!w->sudo && !is_subset(list, parent))
			return req_fail(r, ERR_INVALID,
			                "child policies must be subset of parent");
		add_default = w->sudo || token_policies_has(parent, "default");
	}
	w->has_root = token_policies_has(list, "root");
	if (w->has_root) {
		list = value_array(r->a);
		value_add(list, value_str(r->a, "root"));
	} else if (w->no_default && list != NULL) {
		list = without_default(r->a, list);
	} else if (add_default) {
		value_add(list, value_str(r->a, "default"));
	}
	w->spec.policies = list != NULL ? token_policies_sorted(r->a, list) : NULL;
	if (w->spec.policies == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (w->has_root && !r->id.root)
		return req_fail(
			r, ERR_INVALID,
			"root tokens may not be created without parent token being root");
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

static int take_type(struct req *r)
{
	const char *type = NULL;
	bool present;
	int rc = req_str(r, "type", &type, &present);

	if (rc != ERR_OK || !present || type[0] == '\0' || strcmp(type, "service") == 0)
		return rc;
	if (strcmp(type, "batch") == 0)
		return req_fail(r, ERR_INVALID, "batch tokens are not supported");
	return req_fail(r, ERR_INVALID, "invalid 'token_type' value");
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

static int take_meta(struct req *r, struct wanted *w)
{
	const struct value *v = value_get(r->body, "meta");
	struct value *out;

	if (v == NULL || v->type == V_NULL)
		return ERR_OK;
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
	return ERR_OK;
}

static void cap_explicit_max(struct req *r, struct token_spec *s)
{
	char was[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

	if (s->explicit_max_ttl_ms <= TOKEN_TTL_MAX_MS)
		return;
	duration_format(s->explicit_max_ttl_ms, was);
	duration_format(TOKEN_TTL_MAX_MS, max);
	reply_warning(
		r,
		"Explicit max TTL of \"%s\" is greater than system/mount allowed value; "
		"value is being capped to \"%s\"",
		was, max);
	s->explicit_max_ttl_ms = TOKEN_TTL_MAX_MS;
}

/* Only the root policy makes a token that never expires. */
static int set_lifetime(struct req *r, struct wanted *w)
{
	struct token_spec *s = &w->spec;
	char warning[TOKEN_WARNING_MAX];
	int64_t now = r->core->now_ms;
	int rc;

	if (w->has_root && s->ttl_ms == 0 && s->period_ms == 0 &&
	    s->explicit_max_ttl_ms == 0) {
		if (value_int_or(r->id.token, "ttl", 0) > 0)
			return req_fail(
				r, ERR_INVALID,
				"expiring root tokens cannot create non-expiring root tokens");
		return ERR_OK;
	}
	cap_explicit_max(r, s);
	rc = token_ttl(&(struct token_terms){ .asked_ms = s->ttl_ms,
	                                      .period_ms = s->period_ms,
	                                      .explicit_max_ms = s->explicit_max_ttl_ms,
	                                      .issued_ms = now,
	                                      .now_ms = now },
	               &s->ttl_ms, warning, &r->e);
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

static int gather(struct req *r, struct wanted *w)
{
	int rc;
	bool present;

	if (value_int_or(r->id.token, "uses", 0) != 0)
		return req_fail(r, ERR_INVALID,
		                "restricted use token cannot generate child tokens");
	w->sudo = r->id.root ||
	          (policies_capabilities(r->core, r->id.policies, r->path, false) &
	           CAP_SUDO);
	if ((rc = req_bool(r, "no_default_policy", &w->no_default, &present)) != ERR_OK ||
	    (rc = take_type(r)) != ERR_OK || (rc = take_id(r, w)) != ERR_OK ||
	    (rc = take_policies(r, w)) != ERR_OK || (rc = take_parent(r, w)) != ERR_OK ||
	    (rc = take_meta(r, w)) != ERR_OK ||
	    (rc = take_display_name(r, w)) != ERR_OK ||
	    (rc = take_numbers(r, w)) != ERR_OK)
		return rc;
	return set_lifetime(r, w);
}

int token_create_request(struct req *r, bool orphan)
{
	struct wanted w = { .orphan = orphan };
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	struct value *envelope;
	int rc;

	if (made == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = gather(r, &w)) != ERR_OK)
		return rc;
	w.spec.path = orphan ? "auth/token/create-orphan" : "auth/token/create";
	if ((rc = token_create(r->core, r->a, &w.spec, made, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "accessor", made->accessor);
	warn_unknown_policies(r, w.spec.policies);
	envelope = reply_envelope(r);
	value_set(envelope, "auth",
	          token_auth_block(r->a, r->core, made->id, made->text));
	return ERR_OK;
}

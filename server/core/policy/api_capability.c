/* SPDX-License-Identifier: Apache-2.0 */
/* api_capability - what a token may do, asked instead of tried: sys/capabilities…, and
 * everything at once for user interfaces. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "policy_impl.h"
#include "rng.h"
#include "route.h"
#include "token_impl.h"

#define CAPABILITY_PATHS 256u

static int take_paths(struct req *r, struct value **paths)
{
	bool present;
	int rc = req_strings(r, "paths", paths, &present);

	if (rc == ERR_OK && !present)
		rc = req_strings(r, "path", paths, &present);
	if (rc != ERR_OK)
		return rc;
	if (!present || *paths == NULL || (*paths)->len == 0)
		return req_fail(r, ERR_INVALID, "paths must be supplied");
	if ((*paths)->len > CAPABILITY_PATHS)
		return req_fail(r, ERR_INVALID, "at most %u paths at a time",
		                CAPABILITY_PATHS);
	return ERR_OK;
}

static struct value *names_for(struct req *r, const struct policy_docs *d,
                               const char *path)
{
	size_t n = strlen(path);
	bool list = n > 0 && path[n - 1] == '/';
	struct value *names;

	if (!d->root)
		return policies_cap_names(
			r->a, d->broken ? CAP_DENY
					: policy_decide(d->at, d->n,
		                                        path + (path[0] == '/'), list));
	names = value_array(r->a);
	value_add(names, value_str(r->a, "root"));
	return names;
}

/* What an answer costs grows with the rules that the policies have; a slice visits so
 * many places of theirs, which takes about a millisecond. */
#define SLICE_PLACES 5000u

/* An answer under way; lives in the request's arena across slices. */
struct asked {
	size_t n;          /* paths that were looked up */
	struct value *out; /* object: path -> names */
};

static size_t paths_at_once(const struct policy_docs *d)
{
	size_t cost = 1;

	for (size_t i = 0; i < d->n; i++)
		cost += policy_doc_cost(d->at[i]);
	return 1 + SLICE_PLACES / cost;
}

/* The next ${limit} paths. */
static void look_up(struct req *r, const struct policy_docs *d, const struct value *paths,
                    struct asked *k, size_t limit)
{
	const struct value *v = paths->first;

	for (size_t i = 0; i < k->n; i++)
		v = v->next;
	for (; v != NULL && limit > 0; v = v->next, limit--) {
		const char *path = value_to_cstr(v, r->a);

		k->n++;
		if (path != NULL && value_get(k->out, path) == NULL)
			value_set(k->out, path, names_for(r, d, path));
	}
}

/* ${policies}: names of those that the token in question has.  A policy that is changed
 * between two slices says of later paths what it says now. */
static int reply_capabilities(struct req *r, const struct value *policies)
{
	struct asked *k = r->park_state;
	struct value *paths = NULL, *out;
	struct policy_docs d;
	unsigned char key[16];
	int rc = take_paths(r, &paths);

	if (rc != ERR_OK)
		return rc;
	if (k == NULL) {
		k = r->park_state = arena_alloc(r->a, sizeof(*k));
		if (k == NULL || (k->out = value_object(r->a)) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
	}
	policies_docs(r->core, policies, &d);
	look_up(r, &d, paths, k, d.root ? CAPABILITY_PATHS : paths_at_once(&d));
	if (k->n < paths->len) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	out = k->out;
	if (paths->len == 1 && out->first != NULL)
		value_set(out, "capabilities", value_copy(r->a, out->first));
	value_set(reply_envelope(r), "data", out);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_self(struct req *r)
{
	return reply_capabilities(r, r->id.policies);
}

static int reply_for(struct req *r, const struct store_object *o)
{
	req_note_str(r, "accessor", value_cstr_or(r->a, o->body, "accessor", ""));
	return reply_capabilities(r, value_get(o->body, "policies"));
}

static int h_token(struct req *r)
{
	const char *text = "";
	struct store_object o = { 0 };
	bool present;
	int rc = req_str(r, "token", &text, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || text[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing token");
	rc = token_find(r->core, r->a, text, &o, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "invalid token");
	return rc == ERR_OK ? reply_for(r, &o) : rc;
}

static int h_accessor(struct req *r)
{
	const char *accessor = "";
	struct store_object o = { 0 };
	bool present;
	int rc = req_str(r, "accessor", &accessor, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || accessor[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing accessor");
	rc = token_find_accessor(r->core, r->a, accessor, &o, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, "invalid accessor");
	return rc == ERR_OK ? reply_for(r, &o) : rc;
}

/* --- everything at once --- */

static int by_pattern(const void *x, const void *y)
{
	const struct policy_rule *a = *(const struct policy_rule *const *)x;
	const struct policy_rule *b = *(const struct policy_rule *const *)y;

	if (a->kind != b->kind)
		return a->kind > b->kind ? 1 : -1;
	return policy_rule_order(a, b);
}

/* All rules of the documents, those of one pattern together; NULL: out of memory. */
static const struct policy_rule **all_rules(struct arena *a, const struct policy_docs *d,
                                            size_t *n)
{
	const struct policy_rule **rules;
	size_t at = 0;

	*n = 0;
	for (size_t i = 0; i < d->n; i++)
		*n += d->at[i]->n;
	rules = arena_alloc(a, (*n + 1) * sizeof(const struct policy_rule *));
	if (rules == NULL)
		return NULL;
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->at[i]->n; k++)
			rules[at++] = &d->at[i]->rules[k];
	qsort(rules, at, sizeof(*rules), by_pattern);
	return rules;
}

static void add_names(struct arena *a, struct value *list, const struct value *more)
{
	for (const struct value *v = more != NULL ? more->first : NULL; v != NULL;
	     v = v->next)
		value_add(list, value_copy(a, v));
}

/* An empty list of values is "any", and stays so whatever is added. */
static void add_map(struct arena *a, struct value *map, const struct value *more)
{
	for (const struct value *m = more != NULL ? more->first : NULL; m != NULL;
	     m = m->next) {
		struct value *old = value_getn(map, m->key, m->key_len);
		const char *key = old == NULL ? arena_dup(a, m->key, m->key_len) : NULL;

		if (old == NULL && key != NULL)
			value_setn(map, key, m->key_len, value_copy(a, m));
		else if (old == NULL)
			return;
		else if (m->len == 0)
			*old = (struct value){ .type = V_ARRAY,
				               .next = old->next,
				               .key = old->key,
				               .key_len = old->key_len };
		else if (old->len > 0)
			add_names(a, old, m);
	}
}

struct limits {
	struct value *allowed, *denied, *required;
	int64_t min_ms, max_ms;
};

static void add_limits(struct arena *a, struct limits *sum, const struct policy_limits *l)
{
	for (; l != NULL; l = l->next) {
		add_map(a, sum->allowed, l->allowed);
		add_map(a, sum->denied, l->denied);
		add_names(a, sum->required, l->required);
		if (l->min_wrap_ms != 0 &&
		    (sum->min_ms == 0 || l->min_wrap_ms < sum->min_ms))
			sum->min_ms = l->min_wrap_ms;
		if (l->max_wrap_ms != 0 &&
		    (sum->max_ms == 0 || l->max_wrap_ms < sum->max_ms))
			sum->max_ms = l->max_wrap_ms;
	}
}

static struct value *describe(struct arena *a, const struct policy_rule *const *rules,
                              size_t n)
{
	struct value *out = value_object(a);
	struct limits sum = { value_object(a), value_object(a), value_array(a), 0, 0 };
	unsigned caps = 0;

	for (size_t i = 0; i < n; i++) {
		caps |= rules[i]->caps;
		add_limits(a, &sum, rules[i]->limits);
	}
	value_set(out, "capabilities", policies_cap_names(a, caps));
	if (arena_failed(a))
		return out;
	if (sum.min_ms != 0)
		value_set_int(a, out, "min_wrapping_ttl", sum.min_ms / 1000);
	if (sum.max_ms != 0)
		value_set_int(a, out, "max_wrapping_ttl", sum.max_ms / 1000);
	if (sum.allowed->len > 0)
		value_set(out, "allowed_parameters", sum.allowed);
	if (sum.denied->len > 0)
		value_set(out, "denied_parameters", sum.denied);
	if (sum.required->len > 0)
		value_set(out, "required_parameters", sum.required);
	return out;
}

/* A prefix is shown without its star, which is how user interfaces look it up. */
static const char *shown_pattern(struct arena *a, const struct policy_rule *r)
{
	return arena_printf(a, "%s%s", r->text,
	                    r->kind == RULE_SEGMENT && r->glob ? "*" : "");
}

static int h_resultant(struct req *r)
{
	struct value *exact = value_object(r->a), *glob = value_object(r->a), *out;
	const struct policy_rule **rules;
	struct policy_docs d;
	size_t n, end;

	policies_docs(r->core, r->id.policies, &d);
	out = reply_data(r);
	value_set_bool(r->a, out, "root", d.root);
	if (d.root || d.broken)
		return ERR_OK;
	if ((rules = all_rules(r->a, &d, &n)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n && !arena_failed(r->a); i = end) {
		const char *pattern = shown_pattern(r->a, rules[i]);

		end = i + 1;
		while (end < n && by_pattern(&rules[i], &rules[end]) == 0)
			end++;
		if (pattern != NULL)
			value_set(rules[i]->kind == RULE_EXACT ? exact : glob, pattern,
			          describe(r->a, rules + i, end - i));
	}
	value_set(out, "exact_paths", exact);
	value_set(out, "glob_paths", glob);
	return ERR_OK;
}

/* clang-format off */
static const struct field self_fields[] = {
	{ "paths", "strings", "paths to ask about" },
	{ "path", "strings", "old name of paths" },
	{ NULL, NULL, NULL },
};
static const struct field token_fields[] = {
	{ "paths", "strings", "paths to ask about" },
	{ "path", "strings", "old name of paths" },
	{ "token", "string", "the token to ask about" },
	{ NULL, NULL, NULL },
};
static const struct field accessor_fields[] = {
	{ "paths", "strings", "paths to ask about" },
	{ "path", "strings", "old name of paths" },
	{ "accessor", "string", "accessor of the token to ask about" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_POST, "capabilities-self", 0, self_fields, h_self, NULL,
	  "what the own token may do on paths" },
	{ "system", M_POST, "capabilities", 0, token_fields, h_token, NULL,
	  "what a token may do on paths" },
	{ "system", M_POST, "capabilities-accessor", 0, accessor_fields, h_accessor, NULL,
	  "what a token may do on paths, by its accessor" },
	{ "system", M_GET, "internal/ui/resultant-acl", 0, NULL, h_resultant, NULL,
	  "all that the own token may do, for user interfaces" },
};
/* clang-format on */

const struct route_table routes_capability = { rows, ARRAY_LEN(rows) };

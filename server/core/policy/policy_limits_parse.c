/* SPDX-License-Identifier: Apache-2.0 */
/* policy_limits_parse - the members of a rule that limit parameters and wrapping. */
#include <string.h>

#include "arena.h"
#include "duration.h"
#include "policy_impl.h"

#define WRAP_MAX_S (INT64_C(1) << 40)

static int no_memory(struct policy_lex *l)
{
	return err_set(l->e, ERR_NOMEM, "out of memory");
}

/* What the lexer holds is gone with the parser: copies only. */
static struct value *copy_text(struct policy_lex *l, struct arena *a)
{
	char *text = arena_dup(a, l->text, l->len);

	if (text == NULL)
		return NULL;
	return l->tok == PT_NUMBER ? value_number(a, text, l->len)
	                           : value_strn(a, text, l->len);
}

static int parse_value(struct policy_lex *l, struct arena *a, unsigned depth,
                       struct value **out);

/* Append the items of a list to ${list}. */
static int parse_items(struct policy_lex *l, struct arena *a, unsigned depth,
                       struct value *list)
{
	struct value *item = NULL;
	int rc = policy_lex_expect(l, PT_LBRACK, "a list");

	while (rc == ERR_OK && l->tok != PT_RBRACK) {
		if (list->len == LIMIT_POLICY_VALUES)
			return policy_lex_fail(l, l->tok_line,
			                       "more than %u values in one list",
			                       LIMIT_POLICY_VALUES);
		if ((rc = parse_value(l, a, depth, &item)) != ERR_OK)
			return rc;
		value_add(list, item);
		if (!l->json && l->tok != PT_COMMA && l->tok != PT_RBRACK)
			return policy_lex_fail(l, l->tok_line, "expected ',' or ']'");
		rc = policy_lex_separator(l, PT_RBRACK);
	}
	return rc == ERR_OK ? policy_lex_next(l) : rc;
}

static int parse_array(struct policy_lex *l, struct arena *a, unsigned depth,
                       struct value **out)
{
	*out = value_array(a);
	return *out != NULL ? parse_items(l, a, depth, *out) : no_memory(l);
}

/* A key of an object, and what stands between it and its value. */
static int parse_key(struct policy_lex *l, struct arena *a, const char **key, size_t *n)
{
	int rc;

	if (l->tok != PT_STRING && (l->tok != PT_IDENT || l->json))
		return policy_lex_fail(l, l->tok_line, "expected a key");
	*n = l->len;
	if ((*key = arena_dup(a, l->text, l->len)) == NULL)
		return no_memory(l);
	if ((rc = policy_lex_next(l)) != ERR_OK)
		return rc;
	return policy_lex_assign(l);
}

static int parse_object(struct policy_lex *l, struct arena *a, unsigned depth,
                        struct value **out)
{
	struct value *object = value_object(a), *item = NULL;
	int line = l->tok_line, rc = policy_lex_next(l);
	const char *key = NULL;
	size_t n = 0;

	if (rc == ERR_OK && object == NULL)
		return no_memory(l);
	while (rc == ERR_OK && l->tok != PT_RBRACE) {
		if (l->tok == PT_EOF)
			return policy_lex_fail(l, line, "block not closed");
		if (object->len == LIMIT_POLICY_VALUES)
			return policy_lex_fail(l, l->tok_line,
			                       "more than %u members in one object",
			                       LIMIT_POLICY_VALUES);
		if ((rc = parse_key(l, a, &key, &n)) != ERR_OK ||
		    (rc = parse_value(l, a, depth, &item)) != ERR_OK)
			return rc;
		if (value_getn(object, key, n) != NULL)
			return policy_lex_fail(l, line, "a key twice in one object");
		value_setn(object, key, n, item);
		rc = policy_lex_separator(l, PT_RBRACE);
	}
	*out = object;
	return rc == ERR_OK ? policy_lex_next(l) : rc;
}

static int parse_word(struct policy_lex *l, struct arena *a, struct value **out)
{
	if (policy_lex_is(l, "true") || policy_lex_is(l, "false"))
		*out = value_bool(a, policy_lex_is(l, "true"));
	else if (policy_lex_is(l, "null") && l->json)
		*out = value_null(a);
	else
		return policy_lex_fail(l, l->tok_line, "expected a value");
	return policy_lex_next(l);
}

/* Any value of JSON's, in the clothes of either language. */
static int parse_value(struct policy_lex *l, struct arena *a, unsigned depth,
                       struct value **out)
{
	if (depth == LIMIT_POLICY_DEPTH)
		return policy_lex_fail(l, l->tok_line, "value nested too deeply");
	switch (l->tok) {
	case PT_LBRACK:
		return parse_array(l, a, depth + 1, out);
	case PT_LBRACE:
		return parse_object(l, a, depth + 1, out);
	case PT_IDENT:
		return parse_word(l, a, out);
	case PT_STRING:
	case PT_NUMBER:
		*out = copy_text(l, a);
		if (*out == NULL && !arena_failed(a))
			return policy_lex_fail(l, l->tok_line, "bad number");
		return *out != NULL ? policy_lex_next(l) : no_memory(l);
	default:
		return policy_lex_fail(l, l->tok_line, "expected a value");
	}
}

/* Two spellings of a name are one parameter. */
static void fold(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] + ('a' - 'A'));
}

/* The values of a name that was there already: a union, in which "any" stays "any". */
static void unite(struct value *old, struct value *more)
{
	struct value *next;

	if (old->len == 0 || more->len == 0) {
		old->first = old->last = NULL;
		old->len = 0;
		return;
	}
	for (struct value *v = more->first; v != NULL; v = next) {
		next = v->next;
		v->next = NULL;
		value_add(old, v);
	}
}

static int add_parameter(struct policy_lex *l, struct value *map, char *key, size_t n,
                         struct value *values)
{
	struct value *old;

	fold(key, n);
	if ((old = value_getn(map, key, n)) != NULL) {
		if (old->len + values->len > LIMIT_POLICY_VALUES)
			return policy_lex_fail(l, l->tok_line,
			                       "more than %u values in one list",
			                       LIMIT_POLICY_VALUES);
		unite(old, values);
		return ERR_OK;
	}
	if (map->len == LIMIT_POLICY_PARAMETERS)
		return policy_lex_fail(l, l->tok_line,
		                       "more than %u parameters in one map",
		                       LIMIT_POLICY_PARAMETERS);
	value_setn(map, key, n, values);
	return ERR_OK;
}

static int parse_map(struct policy_lex *l, struct arena *a, struct value **map)
{
	int line = l->tok_line, rc = policy_lex_expect(l, PT_LBRACE, "a map of lists");
	struct value *values;
	const char *key = NULL;
	size_t n = 0;

	if (*map == NULL)
		*map = value_object(a);
	while (rc == ERR_OK && l->tok != PT_RBRACE) {
		if (l->tok == PT_EOF)
			return policy_lex_fail(l, line, "block not closed");
		values = value_array(a);
		if (*map == NULL || values == NULL)
			return no_memory(l);
		if ((rc = parse_key(l, a, &key, &n)) != ERR_OK ||
		    (rc = parse_items(l, a, 0, values)) != ERR_OK ||
		    (rc = add_parameter(l, *map, (char *)key, n, values)) != ERR_OK)
			return rc;
		rc = policy_lex_separator(l, PT_RBRACE);
	}
	return rc == ERR_OK ? policy_lex_next(l) : rc;
}

static int parse_required(struct policy_lex *l, struct arena *a, struct value **list)
{
	int line = l->tok_line, rc;

	if (*list == NULL && (*list = value_array(a)) == NULL)
		return no_memory(l);
	rc = parse_items(l, a, 0, *list);
	for (const struct value *v = (*list)->first; rc == ERR_OK && v != NULL;
	     v = v->next)
		if (v->type != V_STRING)
			return policy_lex_fail(l, line,
			                       "required_parameters: expected strings");
	return rc;
}

static int parse_wrap_ttl(struct policy_lex *l, int64_t *ms)
{
	struct value number = { .type = V_NUMBER,
		                .text = l->text,
		                .len = (uint32_t)l->len };
	struct err why;
	int64_t seconds;

	*ms = -1;
	if (l->tok == PT_STRING && duration_parse(l->text, l->len, ms, &why) != ERR_OK)
		*ms = -1;
	if (l->tok == PT_NUMBER && value_to_int(&number, &seconds) == 0 && seconds >= 0 &&
	    seconds <= WRAP_MAX_S)
		*ms = seconds * 1000;
	if (*ms < 0)
		return policy_lex_fail(l, l->tok_line,
		                       "wrapping TTL: expected a duration");
	return policy_lex_next(l);
}

static const char *const keys[] = {
	"allowed_parameters", "denied_parameters", "required_parameters",
	"min_wrapping_ttl",   "max_wrapping_ttl",
};
enum key { ALLOWED, DENIED, REQUIRED, MIN_TTL, MAX_TTL, NO_KEY };

static enum key key_of(const struct policy_lex *l)
{
	size_t key = ALLOWED;

	while (key < NO_KEY && !policy_lex_is(l, keys[key]))
		key++;
	return (enum key)key;
}

static int parse_limit(struct policy_lex *l, struct arena *a, enum key key,
                       struct policy_limits *limits)
{
	switch (key) {
	case ALLOWED:
		return parse_map(l, a, &limits->allowed);
	case DENIED:
		return parse_map(l, a, &limits->denied);
	case REQUIRED:
		return parse_required(l, a, &limits->required);
	case MIN_TTL:
		return parse_wrap_ttl(l, &limits->min_wrap_ms);
	default:
		return parse_wrap_ttl(l, &limits->max_wrap_ms);
	}
}

int policy_limits_parse(struct policy_lex *l, struct arena *a,
                        struct policy_limits *limits, bool *known)
{
	enum key key = key_of(l);
	int rc;

	*known = key != NO_KEY;
	if (!*known)
		return ERR_OK;
	if ((rc = policy_lex_next(l)) != ERR_OK)
		return rc;
	/* HCL lets a map stand as a block, without the '='. */
	if ((l->json || l->tok != PT_LBRACE || key > DENIED) &&
	    (rc = policy_lex_assign(l)) != ERR_OK)
		return rc;
	rc = parse_limit(l, a, key, limits);
	return rc == ERR_OK && arena_failed(a) ? no_memory(l) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_ask - decisions of our policies, for a model elsewhere to compare with.
 *
 * A line in: {"policies": [text, …], "asks": [{path, op, sudo, params, fields, wrap},
 * …]}, where fields maps a parameter to the type that the route declares.  A line out:
 * for each question the capabilities as a number and, after ':', whether it is permitted.
 * A policy that does not parse ends the line with its message instead.
 */
#include <stdio.h>
#include <string.h>

#include "server/core/loop/route.h"
#include "server/core/policy/policy_impl.h"
#include "server/net/json.h"

#define FIELDS_MAX 32

static enum op op_from(const struct value *v)
{
	for (int op = 0; op < OP__MAX; op++)
		if (value_is_str(v, op_name((enum op)op)))
			return (enum op)op;
	return OP_READ;
}

static void fields_from(struct arena *a, const struct value *map, struct field *out)
{
	size_t n = 0;

	for (const struct value *m = map != NULL ? map->first : NULL;
	     m != NULL && n < FIELDS_MAX - 1; m = m->next)
		out[n++] = (struct field){ arena_dup(a, m->key, m->key_len),
			                   value_to_cstr(m, a), "" };
	out[n] = (struct field){ NULL, NULL, NULL };
}

static void answer(struct arena *a, const struct policy_doc *const *docs, size_t n,
                   const struct value *q)
{
	struct field fields[FIELDS_MAX];
	struct policy_ask ask = {
		.path = value_cstr_or(a, q, "path", ""),
		.op = op_from(value_get(q, "op")),
		.sudo = value_bool_or(q, "sudo", false),
		.params = value_get(q, "params"),
		.fields = fields,
		.wrap_ms = value_int_or(q, "wrap", 0),
	};

	fields_from(a, value_get(q, "fields"), fields);
	printf(" %u:%d", policy_decide(docs, n, ask.path, op_lists(ask.op)),
	       policy_permits(docs, n, &ask));
}

static int parse_all(const struct value *texts, struct policy_doc **docs, size_t *n)
{
	struct err e;

	for (const struct value *v = texts->first; v != NULL; v = v->next) {
		if (*n == LIMIT_POLICIES_PER_TOKEN ||
		    policy_parse(v->text, v->len, &docs[*n], &e) != ERR_OK) {
			printf(" %s",
			       *n == LIMIT_POLICIES_PER_TOKEN ? "too many" : e.msg);
			return -1;
		}
		(*n)++;
	}
	return 0;
}

static int run_line(struct arena *a, const char *line, size_t len)
{
	struct policy_doc *docs[LIMIT_POLICIES_PER_TOKEN];
	const struct value *asks, *texts;
	struct value *in;
	size_t n = 0;
	struct err e;

	if (json_parse(a, line, len, &in, &e) != ERR_OK) {
		fprintf(stderr, "policy-ask: %s\n", e.msg);
		return -1;
	}
	asks = value_get(in, "asks");
	texts = value_get(in, "policies");
	if (asks == NULL || texts == NULL)
		return -1;
	if (parse_all(texts, docs, &n) == 0)
		for (const struct value *q = asks->first; q != NULL; q = q->next)
			answer(a, (const struct policy_doc *const *)docs, n, q);
	printf("\n");
	while (n > 0)
		policy_doc_free(docs[--n]);
	return 0;
}

int main(void)
{
	AUTO_ARENA a = arena_new((size_t)64 * 1024 * 1024);
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while (a != NULL && (len = getline(&line, &cap, stdin)) > 0) {
		if (run_line(a, line, (size_t)len) != 0)
			return 1;
		arena_reset(a);
	}
	return a == NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "match/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"
#include "verdict/ascii.h"

#define PART_MAX 32u

struct name {
	const char *glob;
	bool at_end;         /* ${part} is what it ends with */
	size_t part_n;       /* the last literals of the glob, or the end of them */
	char part[PART_MAX]; /* in lower case */
};

struct named_rule {
	size_t index, first, n; /* of the rule; its names */
};

struct names {
	size_t n;
	struct named_rule *rules;
	struct name *list;
};

static void set_name(struct name *o, const char *glob)
{
	size_t end = strlen(glob), n = 0;

	o->glob = glob;
	o->at_end = end > 0 && glob[end - 1] != '*';
	while (end > 0 && glob[end - 1] == '*')
		end--;
	while (n < end && n < PART_MAX - 1 && glob[end - n - 1] != '*')
		n++;
	for (size_t i = 0; i < n; i++)
		o->part[i] = ascii_lower(glob[end - n + i]);
	o->part_n = n;
}

static void fill(struct names *n, const struct rule_set *rules)
{
	size_t next = 0;

	for (size_t i = 0; i < rules->n; i++) {
		const struct texts *files = &rules->at[i].files;

		if (files->n == 0)
			continue;
		n->rules[n->n++] = (struct named_rule){ i, next, files->n };
		for (size_t k = 0; k < files->n; k++)
			set_name(&n->list[next++], files->at[k]);
	}
}

struct names *names_new(const struct rule_set *rules)
{
	struct names *n = calloc(1, sizeof(*n));
	size_t globs = 0;

	if (n == NULL)
		return NULL;
	for (size_t i = 0; i < rules->n; i++)
		globs += rules->at[i].files.n;
	n->rules = calloc(rules->n + 1, sizeof(*n->rules));
	n->list = calloc(globs + 1, sizeof(*n->list));
	if (n->rules == NULL || n->list == NULL) {
		names_free(n);
		return NULL;
	}
	fill(n, rules);
	return n;
}

void names_free(struct names *n)
{
	if (n == NULL)
		return;
	free(n->rules);
	free(n->list);
	free(n);
}

static bool is_named(const struct name *o, const char *path, size_t n)
{
	if (n < o->part_n)
		return false;
	if (o->at_end ? !ascii_starts(path + n - o->part_n, o->part_n, o->part)
	              : ascii_find(path, n, o->part) == NULL)
		return false;
	return ascii_glob(o->glob, path);
}

void names_turn_off(const struct names *n, const char *path, unsigned char *off)
{
	const size_t path_n = path != NULL ? strlen(path) : 0;

	for (size_t i = 0; i < n->n; i++) {
		const struct named_rule *u = &n->rules[i];
		bool named = false;

		for (size_t k = 0; k < u->n && path != NULL && !named; k++)
			named = is_named(&n->list[u->first + k], path, path_n);
		off[u->index] |= !named;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/build_words.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN "*" /* any value, in one part of a path */

/* A text that grows to BUILD_WORD_MAX. */
struct out {
	char *p;
	size_t n;
	bool full;
};

static void put(struct out *o, const char *s, size_t n)
{
	o->full |= n >= BUILD_WORD_MAX - o->n;
	if (o->full)
		return;
	memcpy(o->p + o->n, s, n);
	o->n += n;
	o->p[o->n] = '\0';
}

/* Of a name: letters, digits but for the first one, and '_'. */
static size_t name_length(const char *s)
{
	static const char digits[] = "0123456789";
	static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				    "abcdefghijklmnopqrstuvwxyz0123456789";

	return strspn(s, digits) > 0 ? 0 : strspn(s, names);
}

/* --- words ----------------------------------------------------------------------------
 */

bool build_word(const char **at, char word[BUILD_WORD_MAX])
{
	const char *s = *at += strspn(*at, " \t\r");
	struct out o = { .p = word };
	char quote = '\0';

	if (*s == '\0')
		return false;
	word[0] = '\0';
	for (; *s != '\0' && (quote != '\0' || strchr(" \t\r", *s) == NULL); s++) {
		if (*s == '\\' && s[1] != '\0' && quote != '\'') {
			put(&o, s, 2);
			s++;
		} else if (*s == quote || (quote == '\0' && (*s == '"' || *s == '\''))) {
			quote = *s == quote ? '\0' : *s;
		} else {
			put(&o, s, 1);
		}
	}
	*at = s;
	return !o.full;
}

/* --- variables ------------------------------------------------------------------------
 */

static const char *value_of(const struct build_variables *v, const char *name, size_t n)
{
	for (unsigned i = 0; i < v->n; i++)
		if (strncmp(v->of[i].name, name, n) == 0 && v->of[i].name[n] == '\0')
			return v->of[i].value;
	return NULL;
}

static void put_value(struct out *o, const char *value)
{
	put(o, value != NULL ? value : UNKNOWN, value != NULL ? strlen(value) : 1);
}

/* A word within braces; variables in it are not looked up. */
static void put_word(struct out *o, const char *word, size_t n)
{
	if (memchr(word, '$', n) == NULL)
		put(o, word, n);
	else
		put_value(o, NULL);
}

/* What is between braces, all ${n} bytes: a name, and what shall be if it is empty, or if
 * it is not. */
static void put_braced(const struct build_variables *v, const char *s, size_t n,
                       struct out *o)
{
	const size_t name_n = name_length(s);
	const char *value = value_of(v, s, name_n), *then = s + name_n;

	if (name_n == n || value == NULL)
		put_value(o, value);
	else if (strncmp(then, ":-", 2) == 0 && *value != '\0')
		put_value(o, value);
	else if (strncmp(then, ":-", 2) == 0)
		put_word(o, then + 2, n - name_n - 2);
	else if (strncmp(then, ":+", 2) != 0)
		put_value(o, NULL);
	else if (*value != '\0')
		put_word(o, then + 2, n - name_n - 2);
}

/* The brace that ends what the one at ${s} begins; NULL: none does. */
static const char *brace_end(const char *s)
{
	unsigned depth = 0;

	for (; *s != '\0'; s++) {
		depth += *s == '{';
		depth -= *s == '}';
		if (depth == 0)
			return s;
	}
	return NULL;
}

/* What a '$' begins.  Returns what is after it. */
static const char *put_variable(const struct build_variables *v, const char *s,
                                struct out *o)
{
	const char *end = s[1] == '{' ? brace_end(s + 1) : NULL;
	const size_t n = name_length(s + 1);

	if (end != NULL) {
		put_braced(v, s + 2, (size_t)(end - s) - 2, o);
		return end + 1;
	}
	if (n == 0)
		put(o, s, 1);
	else
		put_value(o, value_of(v, s + 1, n));
	return s + 1 + n;
}

bool build_expand(const struct build_variables *v, const char *word,
                  char expanded[BUILD_WORD_MAX])
{
	struct out o = { .p = expanded };

	expanded[0] = '\0';
	while (*word != '\0')
		if (*word == '\\' && word[1] != '\0') {
			put(&o, word + 1, 1);
			word += 2;
		} else if (*word == '$') {
			word = put_variable(v, word, &o);
		} else {
			put(&o, word++, 1);
		}
	return !o.full;
}

/* The name is ${n} bytes. */
static void set(struct build_variables *v, const char *name, size_t n, const char *value)
{
	const size_t value_n = strlen(value) + 1;
	char *both = malloc(n + 1 + value_n);
	unsigned i = 0;

	while (i < v->n &&
	       !(strncmp(v->of[i].name, name, n) == 0 && v->of[i].name[n] == '\0'))
		i++;
	if (both == NULL || i == BUILD_VARIABLES) {
		free(both);
		return;
	}
	memcpy(both, name, n);
	both[n] = '\0';
	memcpy(both + n + 1, value, value_n);
	if (i < v->n)
		free(v->of[i].name);
	v->n += i == v->n;
	v->of[i].name = both;
	v->of[i].value = both + n + 1;
}

void build_variables_set(struct build_variables *v, const char *args, bool env)
{
	char word[BUILD_WORD_MAX], value[BUILD_WORD_MAX];

	for (bool first = true; build_word(&args, word); first = false) {
		const size_t n = name_length(word);

		if (n > 0 && word[n] == '=' && build_expand(v, word + n + 1, value)) {
			set(v, word, n, value);
		} else if (first && env && n > 0 && word[n] == '\0') {
			args += strspn(args, " \t\r");
			if (build_expand(v, args, value))
				set(v, word, n, value);
			return;
		}
	}
}

void build_variables_free(struct build_variables *v)
{
	for (unsigned i = 0; i < v->n; i++)
		free(v->of[i].name);
	v->n = 0;
}

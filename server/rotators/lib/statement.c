/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <string.h>

#include "arena.h"

bool statement_plain(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f ||
		    strchr("'\"`\\;$", *p) != NULL)
			return false;
	return strstr(s, "--") == NULL && strstr(s, "/*") == NULL &&
	       strstr(s, "*/") == NULL;
}

/* A reference "{{ name }}" at ${at}: where it ends, and its name; NULL if it is none, as
 * in the array '{{1,2},{3,4}}'. */
static const char *reference(const char *at, const char **name, size_t *n)
{
	const char *p = at + 2;

	p += strspn(p, " ");
	*name = p;
	*n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	p += *n;
	p += strspn(p, " ");
	return *n > 0 && p[0] == '}' && p[1] == '}' ? p + 2 : NULL;
}

/* The next reference in ${text}: where it starts; NULL if there is none. */
static const char *next(const char *text, const char **name, size_t *n, const char **end)
{
	while ((text = strstr(text, "{{")) != NULL) {
		*end = reference(text, name, n);
		if (*end != NULL)
			return text;
		text++;
	}
	return NULL;
}

bool statement_uses(const char *text, const char *name)
{
	const char *found, *end = text;
	size_t n;

	while (next(end, &found, &n, &end) != NULL)
		if (n == strlen(name) && memcmp(found, name, n) == 0)
			return true;
	return false;
}

static const struct variable *find(const struct variable *v, size_t n, const char *name,
                                   size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(v[i].name) == len && memcmp(v[i].name, name, len) == 0)
			return &v[i];
	return NULL;
}

static int check(const struct variable *v, const char *name, size_t len, struct answer *a)
{
	enum answer_class class = CLASS_PERMANENT;

	if (v == NULL)
		return answer_fail(a, class,
		                   "a statement uses {{%.*s}}, which is unknown",
		                   (int)(len < 40 ? len : 40), name);
	if (v->value == NULL)
		return answer_fail(a, class, "a statement uses {{%s}}, and there is none",
		                   v->name);
	if (v->verbatim || statement_plain(v->value))
		return 0;
	if (strcmp(v->name, "password") == 0)
		class = CLASS_REJECTED;
	return answer_fail(a, class,
	                   "{{%s}} has a character that no statement may carry: one of "
	                   "'\"`\\;$ or a comment mark",
	                   v->name);
}

int statement_fill(struct arena *arena, const char *text, const struct variable *v,
                   size_t n, char **out, struct answer *a)
{
	char *buf = arena_alloc(arena, STATEMENT_MAX);
	const char *at, *end, *name;
	size_t used = 0, len, take;
	int rc;

	if (buf == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	for (; (at = next(text, &name, &len, &end)) != NULL; text = end) {
		const struct variable *var = find(v, n, name, len);

		if ((rc = check(var, name, len, a)) != 0)
			return rc;
		take = (size_t)(at - text);
		len = strlen(var->value);
		if (take + len >= STATEMENT_MAX - used)
			return answer_fail(a, CLASS_PERMANENT, "a statement is too long");
		memcpy(buf + used, text, take);
		memcpy(buf + used + take, var->value, len);
		used += take + len;
	}
	take = strlen(text);
	if (take >= STATEMENT_MAX - used)
		return answer_fail(a, CLASS_PERMANENT, "a statement is too long");
	memcpy(buf + used, text, take + 1);
	*out = buf;
	return 0;
}

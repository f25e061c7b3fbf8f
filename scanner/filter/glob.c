/* SPDX-License-Identifier: Apache-2.0 */
/* glob - patterns of paths as git has them.  No recursion, and no more steps than the
 * product of the lengths: a pattern may come from whoever is scanned. */
#include <stdbool.h>
#include <string.h>

#include "place.h"

/* A set "[a-z!]": does it have ${c}?  *p moves behind it; one that does not end is a '['.
 */
static bool in_set(const char **p, unsigned char c)
{
	const unsigned char *s = (const unsigned char *)*p + 1;
	bool not = *s == '!' || *s == '^', found = false, first = true;

	s += not ;
	for (; *s != '\0' && (*s != ']' || first); s++) {
		unsigned char from = *s, to;

		first = false;
		if (from == '\\' && s[1] != '\0')
			from = *++s;
		to = from;
		if (s[1] == '-' && s[2] != ']' && s[2] != '\0') {
			s += 2;
			to = *s == '\\' && s[1] != '\0' ? *++s : *s;
		}
		found |= c >= from && c <= to;
	}
	if (*s != ']') {
		(*p)++;
		return c == '[';
	}
	*p = (const char *)s + 1;
	return found != not &&c != '/';
}

/* One element of the pattern that is no star; *p moves behind it. */
static bool one(const char **p, char c)
{
	const char *s = *p;

	switch (*s) {
	case '?':
		*p = s + 1;
		return c != '/';
	case '[':
		return in_set(p, (unsigned char)c);
	case '\\':
		s += s[1] != '\0';
		break;
	default:
		break;
	}
	*p = s + 1;
	return *s == c;
}

/* "**" as a whole part of the pattern: what follows it may stand behind any slash. */
static bool any_parts(const char *pattern, const char *p)
{
	return p[0] == '*' && p[1] == '*' && (p == pattern || p[-1] == '/') &&
	       (p[2] == '/' || p[2] == '\0');
}

bool glob_match(const char *pattern, const char *path)
{
	const char *p = pattern, *s = path;
	const char *star_p = NULL, *star_s = NULL; /* the last '*', within its part */
	const char *any_p = NULL, *any_s = NULL;   /* the last "**" */

	for (;;) {
		const char *was = p;

		if (any_parts(pattern, p)) {
			if (p[2] == '\0')
				return *s != '\0';
			any_p = p = p + 3;
			any_s = s;
			star_p = NULL;
			continue;
		}
		if (*p == '*') {
			star_p = p = p + 1;
			star_s = s;
			continue;
		}
		if (*p == '\0' && *s == '\0')
			return true;
		if (*p != '\0' && *s != '\0' && one(&p, *s)) {
			s++;
			continue;
		}
		p = was;
		if (star_p != NULL && *star_s != '\0' && *star_s != '/') {
			p = star_p;
			s = ++star_s;
		} else if (any_p != NULL && (any_s = strchr(any_s, '/')) != NULL) {
			p = any_p;
			s = ++any_s;
			star_p = NULL;
		} else {
			return false;
		}
	}
}

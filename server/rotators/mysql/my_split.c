/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "my.h"

/* Behind what is quoted by text[0]: doubled quotes are two quotations in a row. */
static const char *skip_quoted(const char *p)
{
	char quote = *p++;

	for (; *p != '\0' && *p != quote; p++)
		if (*p == '\\' && quote != '`' && p[1] != '\0')
			p++;
	return *p != '\0' ? p + 1 : p;
}

static const char *skip_to(const char *p, const char *end)
{
	const char *found = strstr(p, end);

	return found != NULL ? found + strlen(end) : p + strlen(p);
}

size_t my_statement_length(const char *text)
{
	const char *p = text;

	while (*p != '\0' && *p != ';') {
		if (*p == '\'' || *p == '"' || *p == '`')
			p = skip_quoted(p);
		else if (*p == '#' || (p[0] == '-' && p[1] == '-' &&
		                       (p[2] == ' ' || p[2] == '\t' || p[2] == '\n')))
			p = skip_to(p, "\n");
		else if (p[0] == '/' && p[1] == '*')
			p = skip_to(p + 2, "*/");
		else
			p++;
	}
	return (size_t)(p - text);
}

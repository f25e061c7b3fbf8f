/* SPDX-License-Identifier: Apache-2.0 */
/* judge_random - values whose signs would make code or a template of them, were they not
 * random beyond doubt: what password generators and frameworks make. */
#include <string.h>

#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/placeholder.h"
#include "verdict/random.h"

/* Its sets and escapes look random. */
static bool expression(const char *s, size_t n)
{
	static const char *const marks[] = { "a-z", "A-Z", "0-9", "\\d", "\\w",
		                             "\\s", "[^",  "(?:", "(?=", "(?!" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (memmem(s, n, marks[i], strlen(marks[i])) != NULL)
			return true;
	return false;
}

/* Of crypt(3), LDAP and MySQL: $6$…, {SSHA}…, *…; and what is encrypted. */
static bool hashed(const char *s, size_t n)
{
	const char end = s[0] == '$' ? '$' : s[0] == '{' ? '}' : '\0';

	return (end != '\0' && memchr(s + 1, end, n < 12 ? n - 1 : 11) != NULL &&
	        ascii_alnum(s[1])) ||
	       (s[0] == '*' && n == 41);
}

/* All that is in an element of XML, and no variable of something. */
static bool in_element(const struct place *p)
{
	const size_t end = p->at + p->n;

	return p->at > 0 && p->text[p->at - 1] == '>' &&
	       !ascii_any("{$#%@[", p->text[p->at]) && p->text_n - end >= 2 &&
	       memcmp(p->text + end, "</", 2) == 0;
}

bool judge_random(const struct place *p, const char *s, size_t n, enum drop *drop)
{
	struct shape shape;

	if (!context_quoted(p) && !context_config(p) && !in_element(p))
		return false;
	shape_of(s, n, &shape);
	if (!shape_certain(&shape) || expression(s, n) || hashed(s, n) ||
	    placeholder_elsewhere(s, n) || placeholder_public(s, n))
		return false;
	if (judge_encoded_words(s, n) || placeholder_pattern(s, n) ||
	    placeholder_sample(s, n))
		*drop = DROP_PLACEHOLDER;
	else
		*drop = context_hash(p) ? DROP_CONTEXT : DROP_NONE;
	return true;
}

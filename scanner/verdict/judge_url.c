/* SPDX-License-Identifier: Apache-2.0 */
/* judge_url - passwords of URLs. */
#include <string.h>

#include "text.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/random.h"

/* "@…example.com": a host of documentation follows. */
static bool of_example(const struct place *p)
{
	const char *end = p->text + p->at + p->n;
	size_t n = p->at + p->n < p->to ? p->to - p->at - p->n : 0;

	return n > 0 && *end == '@' &&
	       ascii_find(end, n < 40 ? n : 40, "example.") != NULL;
}

enum drop judge_url(const struct place *p, const char *s, size_t n)
{
	struct shape shape;
	char plain[160] = "";
	size_t len = 0;
	const char *user = p->text + p->at - 1;
	size_t user_n = 0;

	for (size_t i = 0; i < n && len < sizeof(plain) - 1; i++) {
		if (s[i] == '%' && i + 2 < n &&
		    text_unhex(s + i + 1, 2, plain + len, 1) == 1) {
			len++;
			i += 2;
		} else {
			plain[len++] = s[i];
		}
	}
	/* The same word twice is a default. */
	while (user_n < n && user - user_n > p->text && user[-1 - (long)user_n] != '/')
		user_n++;
	if (user_n == n && s == p->text + p->at && strncmp(user - n, s, n) == 0)
		return DROP_PLACEHOLDER;
	if (memchr(plain, '\n', len) != NULL ||
	    (len == n && len < 6 && strspn(plain, "0123456789") == len))
		return DROP_STRUCTURE;
	/* user:pass@ inside of a regular expression or a template. */
	if (len > 0 &&
	    (plain[0] == '{' || plain[0] == '(' || plain[0] == '[' || plain[0] == '$'))
		return DROP_PLACEHOLDER;
	shape_of(plain, len, &shape);
	if (of_example(p) && shape_weak(&shape))
		return DROP_PLACEHOLDER;
	return judge_password(p, plain, len);
}

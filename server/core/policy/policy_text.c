/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_text.h"

#include <string.h>

#include "arena.h"
#include "text.h"

/* As base64(1) writes it: lines of 76. */
static size_t without_newlines(const char *s, size_t n, char *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] != '\n' && s[i] != '\r')
			out[kept++] = s[i];
	return kept;
}

int policy_text_plain(struct req *r, const char *given, const char **out, size_t *n)
{
	size_t len = strlen(given);
	unsigned char *raw = arena_alloc(r->a, len);
	char *joined = arena_alloc(r->a, len);
	long decoded;

	if (raw == NULL || joined == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	decoded = text_unbase64(joined, without_newlines(given, len, joined), raw, len);
	*out = decoded > 0 ? (const char *)raw : given;
	*n = decoded > 0 ? (size_t)decoded : len;
	if (!text_utf8_ok(*out, *n) || memchr(*out, '\0', *n) != NULL)
		*out = NULL;
	return ERR_OK;
}

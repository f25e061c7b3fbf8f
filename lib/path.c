/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <string.h>

#include "text.h"

static int bad(struct err *e, const char *rule)
{
	return err_set(e, ERR_INVALID, "invalid path: %s", rule);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The byte at ${raw}[*at], decoded once; *at moves behind it.  -1 names the rule
 * in ${e}. */
static int next_byte(const char *raw, size_t n, size_t *at, struct err *e)
{
	char c = raw[*at];
	int byte;

	if (c == '?' || c == '#') {
		bad(e, "query or fragment");
		return -1;
	}
	if (c != '%') {
		(*at)++;
		return (unsigned char)c;
	}
	if (n - *at < 3 || hex(raw[*at + 1]) < 0 || hex(raw[*at + 2]) < 0) {
		bad(e, "incomplete percent escape");
		return -1;
	}
	byte = hex(raw[*at + 1]) << 4 | hex(raw[*at + 2]);
	*at += 3;
	if (byte == '/') {
		bad(e, "escaped slash");
		return -1;
	}
	return byte;
}

int path_decode(const char *raw, size_t n, char *out, size_t cap, size_t *len,
                struct err *e)
{
	size_t at = n > 0 && raw[0] == '/' ? 1 : 0;
	size_t have = 0;
	int rc;

	while (at < n) {
		int byte = next_byte(raw, n, &at, e);

		if (byte < 0)
			return ERR_INVALID;
		if (have >= LIMIT_PATH || have + 1 >= cap)
			return bad(e, "too long");
		out[have++] = (char)byte;
	}
	if ((rc = path_check(out, have, e)) != ERR_OK)
		return rc;
	out[have] = '\0';
	*len = have;
	return ERR_OK;
}

static int check_segment(const char *s, size_t n, struct err *e)
{
	if (n == 0)
		return bad(e, "empty segment");
	if (s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')))
		return n == 2 ? err_set(e, ERR_INVALID, "relative paths not supported")
		              : bad(e, "'.' segment");
	if (s[0] == ' ' || s[n - 1] == ' ')
		return bad(e, "segment begins or ends in a space");
	return ERR_OK;
}

int path_check(const char *s, size_t n, struct err *e)
{
	size_t from = 0, segments = 0;
	int rc;

	if (n == 0)
		return bad(e, "empty");
	if (n > LIMIT_PATH)
		return bad(e, "too long");
	if (!text_utf8_ok(s, n))
		return bad(e, "not UTF-8");
	if (!text_printable(s, n))
		return bad(e, "control character");
	while (from < n) {
		const char *slash = memchr(s + from, '/', n - from);
		size_t end = slash != NULL ? (size_t)(slash - s) : n;

		if ((rc = check_segment(s + from, end - from, e)) != ERR_OK)
			return rc;
		if (++segments > LIMIT_PATH_SEGMENTS)
			return bad(e, "too many segments");
		from = end + 1;
	}
	return ERR_OK;
}

static bool name_byte(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (!first && (c == '.' || c == '_' || c == '-'));
}

int path_name(const char *s, size_t n, char out[LIMIT_NAME + 1], const char *what,
              struct err *e)
{
	char folded[LIMIT_NAME + 1];

	if (n == 0 || n > LIMIT_NAME)
		return err_set(e, ERR_INVALID, "invalid %s: must have 1 to %u characters",
		               what, LIMIT_NAME);
	for (size_t i = 0; i < n; i++) {
		folded[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i];
		if (!name_byte(folded[i], i == 0))
			return err_set(e, ERR_INVALID,
			               "invalid %s: only letters, digits and, after the "
			               "first, '.', '_' and '-' are allowed",
			               what);
	}
	folded[n] = '\0';
	memcpy(out, folded, n + 1);
	return ERR_OK;
}

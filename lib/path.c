/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <string.h>

#include "text.h"
#include "vault/limits.h"

static int check_segment(const char *s, size_t n, struct err *e)
{
	if (n == 0)
		return err_set(e, ERR_INVALID, "path has an empty segment");
	if (n == 1 && s[0] == '.')
		return err_set(e, ERR_INVALID, "path has a '.' segment");
	if (n == 2 && s[0] == '.' && s[1] == '.')
		return err_set(e, ERR_INVALID, "relative paths not supported");
	return ERR_OK;
}

int path_check(const char *s, size_t n, struct err *e)
{
	size_t at = 0, segments = 0;
	int rc;

	if (n == 0)
		return err_set(e, ERR_INVALID, "path is empty");
	if (n > LIMIT_PATH)
		return err_set(e, ERR_INVALID, "path is longer than %u bytes", LIMIT_PATH);
	if (!text_utf8_ok(s, n))
		return err_set(e, ERR_INVALID, "path is not UTF-8");
	if (!text_printable(s, n))
		return err_set(e, ERR_INVALID, "path has a control character");
	while (at < n) {
		const char *slash = memchr(s + at, '/', n - at);
		size_t len = slash != NULL ? (size_t)(slash - s) - at : n - at;

		if ((rc = check_segment(s + at, len, e)) != ERR_OK)
			return rc;
		if (++segments > LIMIT_PATH_SEGMENTS)
			return err_set(e, ERR_INVALID, "path has more than %u segments",
			               LIMIT_PATH_SEGMENTS);
		at += len + 1;
	}
	return ERR_OK;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int path_decode(const char *raw, size_t n, char *out, size_t cap, size_t *len, struct err *e)
{
	size_t at = 0, to = 0;
	int rc;

	at += n > 0 && raw[0] == '/';
	while (at < n) {
		int hi, lo;
		char c = raw[at++];

		if (c == '%') {
			hi = n - at >= 2 ? hex_value(raw[at]) : -1;
			lo = n - at >= 2 ? hex_value(raw[at + 1]) : -1;
			if (hi < 0 || lo < 0)
				return err_set(e, ERR_INVALID, "path has a malformed %%-escape");
			c = (char)(hi << 4 | lo);
			at += 2;
			/* An escaped slash would move a segment's border. */
			if (c == '/')
				return err_set(e, ERR_INVALID, "path has an escaped slash");
		}
		if (to + 1 >= cap)
			return err_set(e, ERR_INVALID, "path is longer than %u bytes", LIMIT_PATH);
		out[to++] = c;
	}
	if ((rc = path_check(out, to, e)) != ERR_OK)
		return rc;
	out[to] = '\0';
	*len = to;
	return ERR_OK;
}

static bool name_byte(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

int path_name(const char *s, size_t n, char out[129], const char *what, struct err *e)
{
	char folded[129];

	if (n == 0 || n > LIMIT_NAME)
		return err_set(e, ERR_INVALID, "%s must have 1 to %u characters", what, LIMIT_NAME);
	for (size_t i = 0; i < n; i++) {
		char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + ('a' - 'A')) : s[i];

		if (!name_byte(c, i == 0))
			return err_set(e, ERR_INVALID,
			               "%s may have letters, digits, '.', '_' and '-' only, and "
			               "begins with a letter or digit",
			               what);
		folded[i] = c;
	}
	folded[n] = '\0';
	memcpy(out, folded, n + 1);
	return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* target_url - what a connection URL says that nobody may read back. */
#include <string.h>

#include "arena.h"
#include "target.h"
#include "text.h"

static char *unescaped(struct arena *a, const char *s, size_t n)
{
	char *out = arena_alloc(a, n + 1);
	size_t k = 0;

	for (size_t i = 0; out != NULL && i < n; i++) {
		unsigned char byte;

		if (s[i] == '%' && i + 2 < n && text_unhex(s + i + 1, 2, &byte, 1) == 1) {
			out[k++] = (char)byte;
			i += 2;
		} else {
			out[k++] = s[i];
		}
	}
	if (out != NULL)
		out[k] = '\0';
	return out;
}

/* The '@' that ends the part before the host; *start is where that begins; NULL: there is
 * none. */
static const char *user_part(const char *url, const char **start, bool *is_url)
{
	const char *scheme = strstr(url, "://"), *end, *at = NULL;

	*is_url = scheme != NULL;
	*start = scheme != NULL ? scheme + 3 : url;
	end = scheme != NULL ? *start + strcspn(*start, "/?") : strrchr(*start, '/');
	if (end == NULL)
		end = *start + strlen(*start);
	for (const char *p = *start; p < end; p++)
		if (*p == '@')
			at = p;
	return at;
}

/* "{{name}}", blanks inside the braces allowed. */
static bool is_placeholder(const char *s, size_t n, const char *name)
{
	size_t len = strlen(name);

	if (n < 4 || memcmp(s, "{{", 2) != 0 || memcmp(s + n - 2, "}}", 2) != 0)
		return false;
	for (s += 2, n -= 4; n > 0 && *s == ' '; n--)
		s++;
	while (n > 0 && s[n - 1] == ' ')
		n--;
	return n == len && memcmp(s, name, len) == 0;
}

/* A parameter such as "password=…" of a URL's query or of a list of words. */
static bool names_password(const char *s)
{
	for (; (s = strcasestr(s, "password")) != NULL; s++) {
		const char *value = s + strlen("password");
		size_t n;

		value += strspn(value, " ");
		if (*value != '=')
			continue;
		value++;
		value += strspn(value, " '");
		n = strcspn(value, "'&");
		if (strncmp(value, "{{", 2) == 0 && strstr(value, "}}") != NULL)
			n = (size_t)(strstr(value, "}}") + 2 - value);
		if (n > 0 && !is_placeholder(value, n, "password"))
			return true;
	}
	return false;
}

/* Each of the two is a text of its own, or "{{…}}". */
static int take(struct arena *a, const char *s, size_t n, const char *name, bool escaped,
                const char **out)
{
	if (n == 0 || is_placeholder(s, n, name))
		return 0;
	*out = escaped ? unescaped(a, s, n) : arena_dup(a, s, n);
	return *out != NULL ? 0 : -1;
}

int target_url_take(struct arena *a, const char *url, struct target_url *out,
                    struct err *e)
{
	const char *start, *at, *colon;
	bool is_url;

	*out = (struct target_url){ .url = url };
	at = user_part(url, &start, &is_url);
	if (names_password(at != NULL ? at : url))
		return err_set(e, ERR_INVALID,
		               "connection_url: say the password in the field password");
	colon = at != NULL ? memchr(start, ':', (size_t)(at - start)) : NULL;
	if (colon == NULL)
		return ERR_OK;
	if (take(a, colon + 1, (size_t)(at - colon - 1), "password", is_url,
	         &out->password) != 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (out->password == NULL)
		return ERR_OK;
	if (take(a, start, (size_t)(colon - start), "username", is_url, &out->user) != 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	out->url = arena_printf(a, "%.*s{{username}}:{{password}}%s", (int)(start - url),
	                        url, at);
	return out->url != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

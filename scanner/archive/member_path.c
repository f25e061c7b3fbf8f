/* SPDX-License-Identifier: Apache-2.0 */
#include "member_path.h"

#include <string.h>

/* One more part behind out[0 … n). */
static size_t add_part(char *out, size_t n, const char *part, size_t len)
{
	if (len == 0 || (len == 1 && part[0] == '.'))
		return n;
	if (len == 2 && part[0] == '.' && part[1] == '.') {
		while (n > 0 && out[n - 1] != '/')
			n--;
		return n > 0 ? n - 1 : 0;
	}
	if (n + len + 2 > MEMBER_PATH_CAP)
		return n;
	if (n > 0)
		out[n++] = '/';
	memcpy(out + n, part, len);
	return n + len;
}

static size_t add_all(char *out, size_t n, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, "/");

		n = add_part(out, n, name, len);
		name += len + (name[len] == '/');
	}
	out[n] = '\0';
	return n;
}

size_t member_path(const char *name, char out[MEMBER_PATH_CAP])
{
	return add_all(out, 0, name);
}

size_t member_path_link(const char *name, const char *link, char out[MEMBER_PATH_CAP])
{
	size_t n = 0;

	if (*link != '/') {
		n = add_all(out, 0, name);
		n = add_part(out, n, "..", 2);
	}
	return add_all(out, n, link);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <string.h>

/* Appends the parts of ${path} to what is in ${out}, which is absolute. */
static bool append(const char *path, char *out, size_t cap, size_t *n)
{
	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (*n > 0 && out[--*n] != '/')
				;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			if (*n + 1 + len >= cap)
				return false;
			out[(*n)++] = '/';
			memcpy(out + *n, path, len);
			*n += len;
		}
		path += len;
		path += *path == '/';
	}
	return true;
}

bool place_absolute(const char *cwd, const char *path, char *out, size_t cap)
{
	size_t n = 0;

	if (cap < 2 || (*path != '/' && !append(cwd, out, cap, &n)) ||
	    !append(path, out, cap, &n))
		return false;
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return true;
}

const char *place_below(const char *dir, const char *path)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(dir, path, n) == 0 && path[n] == '/' && path[n + 1] != '\0'
	               ? path + n + 1
	               : NULL;
}

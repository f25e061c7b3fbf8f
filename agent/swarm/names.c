/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sha256.h"
#include "text.h"

#define SLUG_MAX 40u
#define HASH_LEN 4u
#define HASHED   (2 * HASH_LEN + 1) /* "-" and digits at the end of one that is cut */
#define TAIL_MAX 40u

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of at most ${max} characters.  First and last have to be letters or digits; the last of
 * a whole name always is. */
static void make_slug(const char *path, size_t max, char out[SLUG_MAX + 1])
{
	unsigned char hash[SHA256_BYTES];
	const char *p = path;
	size_t n = 0;

	while (*p != '\0' && !is_alnum(*p))
		p++;
	for (; *p != '\0' && n < max; p++)
		out[n++] = (char)(is_alnum(*p) || *p == '_' || *p == '-' ? *p : '-');
	out[n] = '\0';
	if (n > 0 && *p == '\0')
		return;
	if (n == 0)
		out[n++] = 's';
	else
		n = max - HASHED;
	sha256_of(hash, path, strlen(path));
	out[n++] = '-';
	text_hex(hash, HASH_LEN, out + n);
}

void swarm_name(const struct swarm_name *n, char out[SWARM_NAME_MAX + 1])
{
	char slug[SLUG_MAX + 1], tail[TAIL_MAX], object[8] = "", other[3] = "";
	size_t room, len;

	if (n->object > 0)
		(void)snprintf(object, sizeof(object), ".%zu", n->object % 1000);
	if (n->other > 0)
		(void)snprintf(other, sizeof(other), ".%c", (char)('a' + n->other % 26));
	(void)snprintf(tail, sizeof(tail), ".%.4s%s.%" PRId64 "%s", n->format, object,
	               n->version, other);
	room = SWARM_NAME_MAX - strlen(tail);
	make_slug(n->path, room < SLUG_MAX ? room : SLUG_MAX, slug);
	len = strlen(slug);
	memcpy(out, slug, len);
	memcpy(out + len, tail, strlen(tail) + 1);
}

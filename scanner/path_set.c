/* SPDX-License-Identifier: Apache-2.0 */
#include "scanner/path_set.h"

#include <stdlib.h>

#define ROOM_LEAST ((size_t)256) /* a power of two, as is twice that */

/* Where ${hash} is, or would be; one place at least is free.  Hashes are keyed: nobody
 * can choose paths that are all looked for in one place. */
static size_t place_of(const struct path_set *s, uint64_t hash)
{
	size_t i = (size_t)(hash >> 8) & (s->room - 1);

	while (s->at[i] != 0 && s->at[i] != hash)
		i = (i + 1) & (s->room - 1);
	return i;
}

static bool grow(struct path_set *s)
{
	struct path_set larger = { .n = s->n,
		                   .room = s->room > 0 ? 2 * s->room : ROOM_LEAST };

	larger.at = calloc(larger.room, sizeof(*larger.at));
	if (larger.at == NULL)
		return false;
	for (size_t i = 0; i < s->room; i++)
		if (s->at[i] != 0)
			larger.at[place_of(&larger, s->at[i])] = s->at[i];
	free(s->at);
	*s = larger;
	return true;
}

bool path_set_add(struct path_set *s, uint64_t hash)
{
	size_t i;

	hash += hash == 0;
	if (2 * (s->n + 1) > s->room && !grow(s))
		return true;
	i = place_of(s, hash);
	if (s->at[i] == hash)
		return false;
	s->at[i] = hash;
	s->n++;
	return true;
}

void path_set_free(struct path_set *s)
{
	free(s->at);
	*s = (struct path_set){ 0 };
}

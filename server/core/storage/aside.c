/* SPDX-License-Identifier: Apache-2.0 */
#include "aside.h"

#include <string.h>

#include "log.h"

/* None of ours is longer: of what is, the beginning has to do. */
static size_t kept(size_t id_len)
{
	return id_len < STORE_ID_MAX ? id_len : STORE_ID_MAX;
}

static size_t find(const struct aside *s, const struct store_row *row)
{
	size_t i = 0;

	while (i < s->n &&
	       (s->at[i].kind != row->kind || s->at[i].id_len != row->id_len ||
	        memcmp(s->at[i].id, row->id, kept(row->id_len)) != 0))
		i++;
	return i;
}

bool aside_has(const struct aside *s, const struct store_row *row)
{
	return find(s, row) < s->n;
}

bool aside_add(struct aside *s, const struct store_row *row, const struct err *why)
{
	if (aside_has(s, row))
		return true;
	if (s->n == ASIDE_MAX)
		return false;
	log_error("a due row is damaged and passed over", LOG_S("cause", why->msg));
	s->at[s->n].kind = row->kind;
	s->at[s->n].id_len = row->id_len;
	memcpy(s->at[s->n].id, row->id, kept(row->id_len));
	s->n++;
	return true;
}

void aside_remove(struct aside *s, const struct store_row *row)
{
	size_t i = find(s, row);

	if (i < s->n)
		s->at[i] = s->at[--s->n];
}

bool aside_any(const struct aside *s, int kind)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].kind == kind)
			return true;
	return false;
}

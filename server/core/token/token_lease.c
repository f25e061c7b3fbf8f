/* SPDX-License-Identifier: Apache-2.0 */
#include "token_lease.h"

#include <string.h>

#include "arena.h"
#include "text.h"
#include "token_impl.h"

bool token_has_lease(const struct store_object *o)
{
	return o->due != 0 && !token_is_batch(o);
}

char *token_lease_id(struct arena *a, const struct store_object *o)
{
	char hex[65];

	text_hex(o->id, 32, hex);
	return arena_printf(a, "%s/h%s", value_cstr_or(a, o->body, "path", ""), hex);
}

bool token_lease_begins(struct arena *a, const struct store_object *o, const char *prefix)
{
	const char *id = token_has_lease(o) ? token_lease_id(a, o) : NULL;

	return id != NULL && strncmp(id, prefix, strlen(prefix)) == 0;
}

int token_lease_find(struct core *c, struct arena *a, const char *id,
                     struct store_object *o, struct err *e)
{
	const char *last = strrchr(id, '/'), *own;
	unsigned char token[32];
	int rc;

	if (last == NULL || last[1] != 'h' ||
	    text_unhex(last + 2, strlen(last + 2), token, sizeof(token)) != 32)
		return err_set(e, ERR_NOENT, "no such lease");
	if ((rc = token_load(c, a, token, o, e)) != ERR_OK)
		return rc;
	if (!token_alive(c, o) || !token_has_lease(o))
		return err_set(e, ERR_NOENT, "no such lease");
	if ((own = token_lease_id(a, o)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return strcmp(own, id) == 0 ? ERR_OK : err_set(e, ERR_NOENT, "no such lease");
}

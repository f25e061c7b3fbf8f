/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

#include <string.h>

#include "text.h"

/* 16 hex digits, or NULL. */
static const char *read_fp(struct arena *a, const struct value *v)
{
	const char *s = v != NULL ? value_to_cstr(v, a) : NULL;

	return s != NULL && strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16 ? s
	                                                                           : NULL;
}

static int fits(struct arena *a, const struct value *said,
                const struct sealed_expect *want, struct sealed_value *out, struct err *e)
{
	if (!value_is_str(value_get(said, "lease_id"), want->lease_id) ||
	    !value_is_str(value_get(said, "path"), want->path))
		return err_set(e, ERR_INTEGRITY, "a value belongs to another lease");
	if (value_to_int(value_get(said, "version"), &out->version) != 0 ||
	    value_to_int(value_get(said, "rev"), &out->rev) != 0 ||
	    out->version < want->min_version || out->rev < want->min_rev)
		return err_set(e, ERR_INTEGRITY,
		               "a value is older than its event or than what was "
		               "delivered before");
	out->data = value_get(said, "data");
	if (out->data == NULL || out->data->type != V_OBJECT)
		return err_set(e, ERR_INTEGRITY, "a value has no fields");
	out->metadata = value_get(said, "metadata");
	out->fp = read_fp(a, value_get(said, "fp"));
	return ERR_OK;
}

int sealed_open(const struct identity *id, struct arena *a, const char *text,
                const struct sealed_expect *want, struct sealed_value *out, struct err *e)
{
	size_t cap = strlen(text) / 4 * 3 + 3;
	unsigned char *box = arena_alloc(a, cap);
	struct value *body = NULL;
	long n = box == NULL ? -1 : text_unbase64(text, strlen(text), box, cap);
	int rc = ERR_VERIFY;

	if (box == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n >= 0)
		rc = statement_read(id, a, box, (size_t)n, &want->request, &body, e);
	if (rc == ERR_VERIFY)
		return err_set(e, ERR_VERIFY, "a value is not sealed to this host");
	return rc == ERR_OK ? fits(a, value_get(body, "data"), want, out, e) : rc;
}

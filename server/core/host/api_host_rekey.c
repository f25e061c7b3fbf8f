/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_host_rekey - a host replaces its keys.
 *
 * It says so with the key that it has, and proves that it holds the new one.  Nothing
 * changes until it logs in with the new key: from then on the old one is cut, and who
 * still comes with it is another agent (api_host_login.c).
 */
#include <sodium.h>
#include <string.h>

#include "api_host.h"
#include "arena.h"

static const unsigned char *bytes_of(const struct value *data, const char *key, size_t n)
{
	const struct value *v = value_get(data, key);

	return v != NULL && v->type == V_BYTES && v->len == n
	               ? (const unsigned char *)v->text
	               : NULL;
}

int host_rekey(struct req *r)
{
	const unsigned char *sign_pk, *box_pk, *proof;
	const struct value *data;
	struct host h;
	int64_t generation;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_heard_signed(r, &h, "rekey", &data, &generation)) != ERR_OK)
		return rc;
	sign_pk = bytes_of(data, "sign_key", 32);
	box_pk = bytes_of(data, "box_key", 32);
	proof = bytes_of(data, "proof", HOST_SIGNATURE);
	if (sign_pk == NULL || box_pk == NULL || proof == NULL)
		return req_fail(r, ERR_INVALID,
		                "rekey: sign_key, box_key and proof are needed");
	if (!auth_host_keys_ok(sign_pk, box_pk) ||
	    sodium_memcmp(sign_pk, h.sign_pk, sizeof(h.sign_pk)) == 0 ||
	    sodium_memcmp(sign_pk, h.last_pk, sizeof(h.last_pk)) == 0)
		return req_fail(r, ERR_INVALID,
		                "rekey: sign_key or box_key is no usable new key");
	if (!auth_host_rekey_ok(h.o.id, (uint64_t)generation, sign_pk, box_pk, proof))
		return req_fail(r, ERR_INVALID, "rekey: the new key has not signed that");
	req_note_str(r, "host", h.name);
	memcpy(h.next_sign_pk, sign_pk, sizeof(h.next_sign_pk));
	memcpy(h.next_box_pk, box_pk, sizeof(h.next_box_pk));
	h.rekeying = true;
	return host_save(r->core, r->a, &h, &r->e);
}

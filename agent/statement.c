/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "text.h"

#define ROOM (16u * 1024 * 1024)

static bool signed_by_vault(const struct identity *id, const unsigned char *p, size_t n)
{
	static const char context[] = STATEMENT_CONTEXT;
	unsigned char *msg;
	bool good;

	if (n < STATEMENT_SIG)
		return false;
	n -= STATEMENT_SIG;
	if ((msg = malloc(sizeof(context) + n)) == NULL)
		return false;
	bytes_put(bytes_put(msg, context, sizeof(context)), p + STATEMENT_SIG, n);
	good = crypto_sign_verify_detached(p, msg, sizeof(context) + n, id->order_key) ==
	       0;
	sodium_memzero(msg, sizeof(context) + n);
	free(msg);
	return good;
}

static int answers(const struct identity *id, const struct value *body,
                   const struct statement_expect *want, struct err *e)
{
	const struct value *nonce = value_get(body, "nonce");
	int64_t generation = -1;
	char host_id[33];

	text_hex(id->host_id, sizeof(id->host_id), host_id);
	if (!value_is_str(value_get(body, "host_id"), host_id))
		return err_set(e, ERR_INTEGRITY, "a reply is meant for another host");
	if (nonce == NULL || nonce->type != V_BYTES || nonce->len != STATEMENT_NONCE ||
	    sodium_memcmp(nonce->text, want->nonce, STATEMENT_NONCE) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "a reply answers another request: it was played again");
	if (!value_is_str(value_get(body, "op"), want->op))
		return err_set(e, ERR_INTEGRITY, "a reply answers another question");
	if (value_to_int(value_get(body, "generation"), &generation) != 0 ||
	    generation < 0 || (uint64_t)generation < want->generation)
		return err_set(e, ERR_INTEGRITY,
		               "a reply is for generation %lld, this is %llu",
		               (long long)generation,
		               (unsigned long long)want->generation);
	return ERR_OK;
}

static int not_the_vault(struct err *e)
{
	return err_set(e, ERR_VERIFY, "a reply is not signed by the vault");
}

int statement_read(const struct identity *id, struct arena *a, const unsigned char *p,
                   size_t n, const struct statement_expect *want, struct value **body,
                   struct err *e)
{
	unsigned char *plain;
	int rc;

	if (n < HOSTBOX_OVERHEAD)
		return not_the_vault(e);
	if ((plain = arena_alloc(a, n)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (hostbox_open(want->key, HOSTBOX_VAULT, want->op, p, n, plain) != 0)
		return not_the_vault(e);
	rc = value_decode(a, plain, n - HOSTBOX_OVERHEAD, body, e);
	return rc == ERR_OK ? answers(id, *body, want, e) : rc;
}

int statement_read_signed(const struct identity *id, struct arena *a,
                          const unsigned char *p, size_t n,
                          const struct statement_expect *want, struct value **body,
                          struct err *e)
{
	int rc;

	if (!signed_by_vault(id, p, n))
		return not_the_vault(e);
	rc = value_decode(a, p + STATEMENT_SIG, n - STATEMENT_SIG, body, e);
	return rc == ERR_OK ? answers(id, *body, want, e) : rc;
}

static json_t *as_base64(const struct value *v)
{
	char *text = malloc(TEXT_BASE64_LEN(v->len) + 1);
	json_t *o;

	if (text == NULL)
		return NULL;
	text_base64(v->text, v->len, text);
	o = json_string(text);
	free(text);
	return o;
}

/* Bytes become base64, as in any reply.  Only what replies consist of; depth is bounded
 * by the decoder. */
static json_t *as_json(const struct value *v)
{
	json_t *o, *item;
	int64_t n = 0;
	int bad = 0;

	switch (v->type) {
	case V_NULL:
		return json_null();
	case V_FALSE:
	case V_TRUE:
		return json_boolean(v->type == V_TRUE);
	case V_NUMBER:
		return value_to_int(v, &n) == 0 ? json_integer((json_int_t)n) : NULL;
	case V_STRING:
		return json_stringn(v->text, v->len);
	case V_ARRAY:
	case V_OBJECT:
		break;
	case V_BYTES:
		return as_base64(v);
	case V_ENCODED:
		return NULL;
	}
	o = v->type == V_ARRAY ? json_array() : json_object();
	for (const struct value *m = v->first; m != NULL && bad == 0; m = m->next) {
		item = as_json(m);
		bad = v->type == V_ARRAY
		              ? json_array_append_new(o, item)
		              : json_object_setn_new(o, m->key, m->key_len, item);
	}
	if (bad != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

typedef int (*read_fn)(const struct identity *id, struct arena *a, const unsigned char *p,
                       size_t n, const struct statement_expect *want, struct value **body,
                       struct err *e);

static json_t *open_as(read_fn read, const struct identity *id, const char *text,
                       const struct statement_expect *want, struct err *e)
{
	size_t len = text != NULL ? strlen(text) : 0, cap = len / 4 * 3 + 3;
	AUTO_ARENA a = arena_new(ROOM);
	unsigned char *p = a != NULL ? arena_alloc(a, cap) : NULL;
	struct value *body = NULL, *data;
	json_t *said;
	long n;

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	n = text != NULL ? text_unbase64(text, len, p, cap) : -1;
	if (n < 0) {
		(void)not_the_vault(e);
		return NULL;
	}
	if (read(id, a, p, (size_t)n, want, &body, e) != ERR_OK)
		return NULL;
	data = value_get(body, "data");
	said = data != NULL && data->type == V_OBJECT ? as_json(data) : NULL;
	if (said == NULL ||
	    json_object_set_new(said, "generation",
	                        as_json(value_get(body, "generation"))) != 0) {
		json_decref(said);
		err_set(e, ERR_INVALID, "a reply of the vault cannot be read");
		return NULL;
	}
	return said;
}

json_t *statement_open(const struct identity *id, const char *text,
                       const struct statement_expect *want, struct err *e)
{
	return open_as(statement_read, id, text, want, e);
}

json_t *statement_open_signed(const struct identity *id, const char *text,
                              const struct statement_expect *want, struct err *e)
{
	return open_as(statement_read_signed, id, text, want, e);
}

int statement_session(const struct identity *id, bool next,
                      const unsigned char box[STATEMENT_SESSION],
                      unsigned char key[HOSTBOX_KEY])
{
	_Static_assert(STATEMENT_SESSION == HOSTBOX_KEY + crypto_box_SEALBYTES,
	               "a sealed key");

	return crypto_box_seal_open(key, box, STATEMENT_SESSION,
	                            next ? id->next.box_pk : id->box_pk,
	                            next ? id->next.box_sk : id->box_sk);
}

static struct value *as_value(struct arena *a, const json_t *j)
{
	struct value *v = json_is_array(j) ? value_array(a) : value_object(a), *one;
	const json_t *item;
	const char *key;
	size_t i;

	if (json_is_string(j))
		return value_strdup(a, json_string_value(j), json_string_length(j));
	if (json_is_integer(j))
		return value_int(a, (int64_t)json_integer_value(j));
	if (json_is_boolean(j))
		return value_bool(a, json_is_true(j));
	if (json_is_array(j)) {
		json_array_foreach(j, i, item)
		{
			if ((one = as_value(a, item)) == NULL)
				return NULL;
			value_add(v, one);
		}
		return v;
	}
	json_object_foreach((json_t *)(uintptr_t)j, key, item)
	{
		if ((one = as_value(a, item)) == NULL)
			return NULL;
		value_set(v, key, one);
	}
	return json_is_object(j) ? v : NULL;
}

static struct value *body_of(const struct identity *id, const char *op, struct arena *a,
                             struct value *data)
{
	struct value *body = value_object(a);
	char host_id[33];

	text_hex(id->host_id, sizeof(id->host_id), host_id);
	value_set_str(a, body, "op", op);
	value_set_str(a, body, "host_id", arena_str(a, host_id));
	value_set_int(a, body, "generation", (int64_t)id->generation);
	value_set(body, "data", data);
	return body;
}

/* ${before} bytes of room, then the packed body; NULL: out of memory. */
static unsigned char *pack(struct arena *a, const struct value *body, size_t before,
                           size_t *n)
{
	unsigned char *out;

	if (a == NULL || arena_failed(a) || value_get(body, "data") == NULL)
		return NULL;
	*n = value_size(body);
	if ((out = arena_alloc(a, before + *n)) != NULL)
		value_encode(body, out + before);
	return out;
}

static json_t *base64_of(struct arena *a, const unsigned char *p, size_t n)
{
	char *text = arena_alloc(a, TEXT_BASE64_LEN(n) + 1);

	if (text == NULL)
		return NULL;
	text_base64(p, n, text);
	return json_string(text);
}

static json_t *boxed(const unsigned char key[HOSTBOX_KEY], const char *op,
                     struct arena *a, const struct value *said)
{
	size_t n = 0;
	unsigned char *body = pack(a, said, 0, &n), *box;

	if (body == NULL || (box = arena_alloc(a, n + HOSTBOX_OVERHEAD)) == NULL)
		return NULL;
	hostbox_seal(key, HOSTBOX_HOST, op, body, n, box);
	return base64_of(a, box, n + HOSTBOX_OVERHEAD);
}

json_t *statement_say(const struct identity *id, const unsigned char key[HOSTBOX_KEY],
                      const char *op, struct arena *a, struct value *data)
{
	return boxed(key, op, a, body_of(id, op, a, data));
}

json_t *statement_ask(const struct identity *id, const struct statement_expect *want,
                      const json_t *data)
{
	AUTO_ARENA a = arena_new(ROOM);
	struct value *body;

	if (a == NULL)
		return NULL;
	body = body_of(id, want->op, a, as_value(a, data));
	value_set_bytes(a, body, "nonce", want->nonce, STATEMENT_NONCE);
	return boxed(want->key, want->op, a, body);
}

json_t *statement_sign(const struct identity *id, const char *op, struct arena *a,
                       struct value *data)
{
	static const char context[] = STATEMENT_OURS;
	size_t n = 0;
	unsigned char *msg = pack(a, body_of(id, op, a, data), sizeof(context), &n), *out;

	if (msg == NULL || (out = arena_alloc(a, STATEMENT_SIG + n)) == NULL)
		return NULL;
	memcpy(msg, context, sizeof(context));
	crypto_sign_detached(out, NULL, msg, sizeof(context) + n, id->sign_sk);
	memcpy(out + STATEMENT_SIG, msg + sizeof(context), n);
	return base64_of(a, out, STATEMENT_SIG + n);
}

json_t *statement_make(const struct identity *id, const unsigned char key[HOSTBOX_KEY],
                       const char *op, const json_t *data)
{
	AUTO_ARENA a = arena_new(ROOM);

	return statement_say(id, key, op, a, as_value(a, data));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "kv_impl.h"
#include "mutant.h"

#define VERSION_BYTES 25u

#define FLAG_DESTROYED 1u
#define FLAG_DELETED   2u

static void put64(unsigned char *p, int64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)(v & 0xff);
}

static int64_t get64(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

static void unpack(const unsigned char *p, struct kv_version *v)
{
	v->number = get64(p);
	v->created_ms = get64(p + 8);
	v->deleted_ms = get64(p + 16);
	v->destroyed = (p[24] & FLAG_DESTROYED) != 0;
	v->deleted = (p[24] & FLAG_DELETED) != 0;
}

static void pack(unsigned char *p, const struct kv_version *v)
{
	put64(p, v->number);
	put64(p + 8, v->created_ms);
	put64(p + 16, v->deleted_ms);
	p[24] = (unsigned char)((v->destroyed ? FLAG_DESTROYED : 0) |
	                        (v->deleted ? FLAG_DELETED : 0));
}

/* The packed list; 0 bytes if the member is missing. */
static const unsigned char *packed(const struct value *body, size_t *n)
{
	const struct value *v = value_get(body, "v");

	*n = v != NULL && v->type == V_BYTES ? v->len : 0;
	return *n > 0 ? (const unsigned char *)v->text : NULL;
}

int kv_meta_read(struct arena *a, const struct value *body, struct kv_meta *m,
                 struct err *e)
{
	const struct value *custom = value_get(body, "f");
	size_t n;
	const unsigned char *p = packed(body, &n);

	if (n % VERSION_BYTES != 0)
		return err_set(e, ERR_INTEGRITY, "metadata of a secret is malformed");
	*m = (struct kv_meta){
		.created_ms = value_int_or(body, "c", 0),
		.updated_ms = value_int_or(body, "u", 0),
		.current = value_int_or(body, "n", 0),
		.oldest = value_int_or(body, "o", 0),
		.max_versions = value_int_or(body, "x", 0),
		.delete_after_ms = value_int_or(body, "d", 0),
		.cas_required = value_bool_or(body, "r", false),
		.custom = custom != NULL && custom->type == V_OBJECT ? custom : NULL,
		.n = n / VERSION_BYTES,
	};
	m->versions = arena_alloc(a, (m->n + 1) * sizeof(*m->versions));
	if (m->versions == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < m->n; i++)
		unpack(p + i * VERSION_BYTES, &m->versions[i]);
	return ERR_OK;
}

static void set_unless_zero(struct arena *a, struct value *o, const char *key, int64_t v)
{
	if (v != 0)
		value_set_int(a, o, key, v);
}

struct value *kv_meta_body(struct arena *a, const struct kv_secret *s,
                           const struct kv_meta *m)
{
	struct value *o = value_object(a);
	unsigned char *list = arena_alloc(a, m->n * VERSION_BYTES + 1);

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		pack(list + i * VERSION_BYTES, &m->versions[i]);
	value_set_bytes(a, o, "v", list, m->n * VERSION_BYTES);
	value_set_int(a, o, "n", m->current);
	value_set_str(a, o, "p", s->path);
	value_set_bytes(a, o, "m", s->mount->id, sizeof(s->mount->id));
	value_set_int(a, o, "c", m->created_ms);
	value_set_int(a, o, "u", m->updated_ms);
	set_unless_zero(a, o, "o", m->oldest);
	set_unless_zero(a, o, "x", m->max_versions);
	set_unless_zero(a, o, "d", m->delete_after_ms);
	if (m->cas_required)
		value_set_bool(a, o, "r", true);
	if (m->custom != NULL && m->custom->len > 0)
		value_set(o, "f", value_copy(a, m->custom));
	return o;
}

bool kv_meta_version(const struct value *body, int64_t number, struct kv_version *out)
{
	size_t n;
	const unsigned char *p = packed(body, &n);

	/* The newest is asked for most often. */
	for (size_t at = n / VERSION_BYTES; at > 0; at--) {
		const unsigned char *v = p + (at - 1) * VERSION_BYTES;

		if (get64(v) == number) {
			unpack(v, out);
			return true;
		}
	}
	return false;
}

struct kv_version *kv_meta_find(const struct kv_meta *m, int64_t number)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->versions[i].number == number)
			return &m->versions[i];
	return NULL;
}

bool kv_version_gone(const struct kv_version *v, int64_t now)
{
	if (MUTANT(MUTANT_DELETED_READABLE))
		return v->destroyed;
	return v->destroyed || v->deleted || (v->deleted_ms != 0 && v->deleted_ms <= now);
}

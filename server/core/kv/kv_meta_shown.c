/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"
#include "duration.h"
#include "kv_api.h"

static struct value *versions_map(struct arena *a, const struct kv_meta *meta)
{
	struct value *map = value_object(a);

	for (size_t i = 0; i < meta->n; i++) {
		const struct kv_version *v = &meta->versions[i];
		struct value *o = value_object(a);
		const char *key = arena_printf(a, "%lld", (long long)v->number);

		value_set_str(a, o, "created_time", kv_api_time(a, v->created_ms));
		value_set_str(a, o, "deletion_time", kv_api_time(a, v->deleted_ms));
		value_set_bool(a, o, "destroyed", v->destroyed);
		if (key != NULL)
			value_set(map, key, o);
	}
	return map;
}

struct value *kv_meta_shown(struct arena *a, const struct kv_meta *m)
{
	struct value *out = value_object(a);
	char after[DURATION_TEXT_MAX];

	duration_format(m->delete_after_ms, after);
	value_set_bool(a, out, "cas_required", m->cas_required);
	value_set_str(a, out, "created_time", kv_api_time(a, m->created_ms));
	value_set_int(a, out, "current_version", m->current);
	value_set(out, "custom_metadata",
	          m->custom != NULL ? value_copy(a, m->custom) : value_null(a));
	value_set_str(a, out, "delete_version_after", arena_str(a, after));
	value_set_int(a, out, "max_versions", m->max_versions);
	value_set_int(a, out, "oldest_version", m->oldest);
	value_set_str(a, out, "updated_time", kv_api_time(a, m->updated_ms));
	value_set(out, "versions", versions_map(a, m));
	return out;
}

void kv_version_shown(struct arena *a, struct value *o, const struct value *custom,
                      const struct kv_version *v)
{
	value_set_str(a, o, "created_time", kv_api_time(a, v->created_ms));
	value_set(o, "custom_metadata",
	          custom != NULL && custom->len > 0 ? value_copy(a, custom)
	                                            : value_null(a));
	value_set_str(a, o, "deletion_time", kv_api_time(a, v->deleted_ms));
	value_set_bool(a, o, "destroyed", v->destroyed);
	value_set_int(a, o, "version", v->number);
}

struct value *kv_metadata(struct arena *a, const struct kv_secret *s)
{
	struct value *o;
	struct kv_version v;

	if (s->mount->kv_version != 2 || !kv_meta_version(s->o.body, s->current, &v))
		return NULL;
	o = value_object(a);
	kv_version_shown(a, o, value_get(s->o.body, "f"), &v);
	return o;
}

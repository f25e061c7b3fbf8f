/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "duration.h"
#include "jobs.h"
#include "kv_api.h"
#include "rng.h"
#include "text.h"
#include "vault/limits.h"

static void set_duration(struct arena *a, struct value *o, const char *key, int64_t ms)
{
	char text[DURATION_TEXT_MAX];

	duration_format(ms, text);
	value_set_str(a, o, key, arena_str(a, text));
}

int kv_h_config_read(struct req *r)
{
	struct kv_config k;
	struct value *out;
	int rc = kv_config_get(r->core, r->a, r->mount, &k, &r->e);

	if (rc != ERR_OK)
		return rc;
	out = reply_data(r);
	value_set_bool(r->a, out, "cas_required", k.cas_required);
	set_duration(r->a, out, "delete_version_after", k.delete_after_ms);
	value_set_int(r->a, out, "max_versions", k.max_versions);
	return ERR_OK;
}

/* The three settings that a mount and a secret share; absent members change nothing. */
static int take_settings(struct req *r, int64_t *max_versions, bool *cas_required,
                         int64_t *delete_after_ms)
{
	bool present;
	int rc;

	if ((rc = req_int(r, "max_versions", max_versions, &present)) != ERR_OK ||
	    (rc = req_bool(r, "cas_required", cas_required, &present)) != ERR_OK ||
	    (rc = req_duration(r, "delete_version_after", delete_after_ms, &present)) !=
	            ERR_OK)
		return rc;
	if (*max_versions < 0 || *max_versions > KV_VERSIONS_MAX)
		return req_fail(r, ERR_INVALID, "max_versions must be between 0 and %d",
		                KV_VERSIONS_MAX);
	return ERR_OK;
}

int kv_h_config_write(struct req *r)
{
	struct kv_config k;
	int rc;

	if ((rc = kv_config_get(r->core, r->a, r->mount, &k, &r->e)) != ERR_OK ||
	    (rc = take_settings(r, &k.max_versions, &k.cas_required,
	                        &k.delete_after_ms)) != ERR_OK)
		return rc;
	return kv_config_put(r->core, r->a, &k, &r->e);
}

int kv_h_meta_read(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	const char *path;
	int rc = kv_api_path(r, &path);

	if (rc != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, r->mount, path, &s, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = kv_meta_read(r->a, s.o.body, &meta, &r->e)) != ERR_OK)
		return rc;
	kv_api_note(r, s.o.id, 0);
	value_set(reply_envelope(r), "data", kv_meta_shown(r->a, &meta));
	return ERR_OK;
}

int kv_h_meta_list(struct req *r)
{
	return kv_api_list(r, r->mount->id, KIND_SECRET, false);
}

int kv_h_detailed_list(struct req *r)
{
	return kv_api_list(r, r->mount->id, KIND_SECRET, true);
}

#define CUSTOM_FAILED "custom_metadata validation failed: "

static int check_custom(struct req *r, const struct value *custom)
{
	if (custom->len > KV_CUSTOM_ENTRIES)
		return req_fail(r, ERR_INVALID, CUSTOM_FAILED "more than %u entries",
		                KV_CUSTOM_ENTRIES);
	for (const struct value *v = custom->first; v != NULL; v = v->next) {
		if (v->type != V_STRING)
			return req_fail(r, ERR_INVALID,
			                CUSTOM_FAILED "values must be strings");
		if (v->key_len == 0 || v->key_len > KV_CUSTOM_KEY ||
		    !text_printable(v->key, v->key_len))
			return req_fail(r, ERR_INVALID,
			                CUSTOM_FAILED
			                "a key must be 1 to %u printable bytes",
			                KV_CUSTOM_KEY);
		if (v->len > KV_CUSTOM_VALUE || !text_printable(v->text, v->len))
			return req_fail(r, ERR_INVALID,
			                CUSTOM_FAILED
			                "a value must be at most %u printable bytes",
			                KV_CUSTOM_VALUE);
	}
	return ERR_OK;
}

static int take_custom(struct req *r, struct kv_meta *meta, bool merge)
{
	const struct value *given = NULL;
	bool present;
	int rc = req_object(r, "custom_metadata", &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (merge)
		given = kv_merge_patch(r->a, meta->custom, given);
	if (given == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	meta->custom = given;
	return check_custom(r, given);
}

static int change_meta(struct req *r, struct kv_secret *s, struct kv_meta *meta,
                       bool merge)
{
	int rc = take_settings(r, &meta->max_versions, &meta->cas_required,
	                       &meta->delete_after_ms);

	if (rc != ERR_OK || (rc = take_custom(r, meta, merge)) != ERR_OK)
		return rc;
	meta->updated_ms = r->core->now_ms;
	kv_api_note(r, s->o.id, 0);
	return kv_save(r->core, r->a, s, meta, &r->e);
}

int kv_h_meta_write(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	const char *path;
	int rc;

	if ((rc = kv_api_path(r, &path)) != ERR_OK ||
	    (rc = kv_open_or_new(r->core, r->a, r->mount, path, &s, &meta, &r->e)) !=
	            ERR_OK)
		return rc;
	return change_meta(r, &s, &meta, false);
}

int kv_h_meta_patch(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	const char *path;
	int rc;

	if ((rc = kv_api_path(r, &path)) != ERR_OK ||
	    (rc = kv_open_or_new(r->core, r->a, r->mount, path, &s, &meta, &r->e)) !=
	            ERR_OK)
		return rc;
	if (s.o.version == 0) {
		reply_errors(r, 404, NULL, NULL);
		return ERR_OK;
	}
	return change_meta(r, &s, &meta, true);
}

int kv_h_meta_delete(struct req *r)
{
	struct kv_secret s = { 0 };
	struct kv_meta meta = { 0 };
	struct kv_later later = { .any = false };
	const char *path;
	int rc;

	if (job_waiting(r, &rc))
		return rc;
	if ((rc = kv_api_path(r, &path)) != ERR_OK ||
	    (rc = kv_open_or_new(r->core, r->a, r->mount, path, &s, &meta, &r->e)) !=
	            ERR_OK)
		return rc;
	if (s.o.version == 0)
		return ERR_OK;
	kv_api_note(r, s.o.id, 0);
	rc = kv_delete_all(r->core, r->a, &s, &meta, &later, &r->e);
	return rc == ERR_OK && later.any ? job_wait(r, &later.job, 1) : rc;
}

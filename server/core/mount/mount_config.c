/* SPDX-License-Identifier: Apache-2.0 */
/* mount_config - what clients say of a mount: its configuration and its options. */
#include <string.h>

#include "arena.h"
#include "mount_impl.h"
#include "text.h"

#define LIST_ITEMS   64u
#define OPTION_ITEMS 32u
#define TEXT_MAX     256u /* of one item of a list, one option */

static const char *const lists[] = {
	"audit_non_hmac_request_keys",
	"audit_non_hmac_response_keys",
	"passthrough_request_headers",
	"allowed_response_headers",
};

/* "" changes nothing, "system" takes the mount's own value away. */
static int take_ttl(struct req *r, const char *field, const char *what, int64_t *ms)
{
	const struct value *v = value_get(r->body, field);
	int64_t given = 0;
	bool present;

	if (v == NULL || v->type == V_NULL || value_is_str(v, ""))
		return ERR_OK;
	if (value_is_str(v, "system")) {
		*ms = 0;
		return ERR_OK;
	}
	if (req_duration(r, field, &given, &present) != ERR_OK || given < 0)
		return req_fail(r, ERR_INVALID,
		                "unable to parse %s TTL: a duration is needed", what);
	*ms = given / 1000 * 1000;
	return ERR_OK;
}

static int take_ttls(struct req *r, struct mount_config *k)
{
	int rc;

	if ((rc = take_ttl(r, "default_lease_ttl", "default", &k->default_ttl_ms)) !=
	            ERR_OK ||
	    (rc = take_ttl(r, "max_lease_ttl", "max", &k->max_ttl_ms)) != ERR_OK)
		return rc;
	if (k->max_ttl_ms != 0 && k->default_ttl_ms > k->max_ttl_ms)
		return req_fail(
			r, ERR_INVALID,
			"given default lease TTL greater than given max lease TTL");
	if (k->max_ttl_ms == 0 && k->default_ttl_ms > MOUNT_TTL_SYSTEM_MS)
		return req_fail(r, ERR_INVALID,
		                "given default lease TTL greater than system max lease "
		                "TTL of %lld",
		                (long long)(MOUNT_TTL_SYSTEM_MS / 1000));
	return ERR_OK;
}

/* One of a few words. */
static int take_word(struct req *r, const char *field, const char *const *words, size_t n,
                     const char **out)
{
	const char *given = NULL;
	bool present;
	int rc = req_str(r, field, &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], given) == 0) {
			*out = words[i];
			return ERR_OK;
		}
	}
	return req_fail(r, ERR_INVALID, "invalid %s", field);
}

static int take_listing(struct req *r, struct mount_config *k)
{
	static const char *const words[] = { "", "hidden", "unauth" };

	return take_word(r, "listing_visibility", words, ARRAY_LEN(words), &k->listing);
}

static int take_token_type(struct req *r, struct mount *m)
{
	static const char *const words[] = { "default-service", "default-batch",
		                             "service", "batch" };
	const struct value *v = value_get(r->body, "token_type");

	if (v == NULL || v->type == V_NULL || value_is_str(v, ""))
		return ERR_OK;
	if (!mount_is_auth(m))
		return req_fail(r, ERR_INVALID,
		                "'token_type' can only be modified on auth mounts");
	if (strcmp(m->type, "token") == 0 || strcmp(m->type, "host") == 0)
		return req_fail(
			r, ERR_INVALID,
			"'token_type' cannot be set for 'token' or 'host' mounts");
	return take_word(r, "token_type", words, ARRAY_LEN(words), &m->config.token_type);
}

static int take_lockout(struct req *r, struct mount *m)
{
	const struct value *given = NULL, *whole = r->body;
	struct mount_lockout *l = &m->config.lockout;
	bool present;
	int rc = req_object(r, "user_lockout_config", &given, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (strcmp(m->type, "userpass") != 0 && strcmp(m->type, "approle") != 0)
		return req_fail(r, ERR_INVALID,
		                "tuning of user lockout configuration for auth type "
		                "\"%.40s\" not allowed",
		                m->type);
	r->body = given;
	if ((rc = req_int(r, "lockout_threshold", &l->attempts, &present)) == ERR_OK &&
	    (rc = req_duration(r, "lockout_duration", &l->duration_ms, &present)) ==
	            ERR_OK &&
	    (rc = req_duration(r, "lockout_counter_reset_duration", &l->reset_ms,
	                       &present)) == ERR_OK)
		rc = req_bool(r, "lockout_disable", &l->disabled, &present);
	r->body = whole;
	l->set = true;
	if (rc == ERR_OK && (l->attempts < 1 || l->attempts > 1000000 ||
	                     l->duration_ms < 0 || l->reset_ms < 0))
		return req_fail(r, ERR_INVALID, "user_lockout_config: out of range");
	return rc;
}

static int check_list(struct req *r, const char *name, const struct value *list)
{
	bool ok = list->len <= LIST_ITEMS;

	for (const struct value *v = list->first; ok && v != NULL; v = v->next)
		ok = v->len <= TEXT_MAX && text_printable(v->text, v->len);
	return ok ? ERR_OK
	          : req_fail(r, ERR_INVALID, "%s: at most %u printable texts of %u bytes",
	                     name, LIST_ITEMS, TEXT_MAX);
}

static int unpack(struct req *r, const struct mount_packed *k, struct value **out)
{
	if (k->n > 0)
		return value_decode(r->a, k->p, k->n, out, &r->e);
	*out = value_object(r->a);
	return ERR_OK;
}

static int repack(struct req *r, const struct value *v, struct mount_packed *k)
{
	*k = (struct mount_packed){ NULL, 0 };
	if (v->len == 0)
		return ERR_OK;
	k->p = value_pack(r->a, v, &k->n);
	return k->p != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

/* An empty list takes the old one away. */
static int take_lists(struct req *r, struct mount_config *k)
{
	struct value *out = value_object(r->a), *old, *list;
	bool present;
	int rc = unpack(r, &k->lists, &old);

	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(lists); i++) {
		rc = req_strings(r, lists[i], &list, &present);
		if (rc == ERR_OK && present)
			rc = check_list(r, lists[i], list);
		else if ((list = value_get(old, lists[i])) != NULL)
			list = value_copy(r->a, list);
		if (rc == ERR_OK && list != NULL && list->len > 0)
			value_set(out, lists[i], list);
	}
	return rc == ERR_OK ? repack(r, out, &k->lists) : rc;
}

int mount_take_description(struct req *r, struct mount *m)
{
	bool present;
	int rc = req_str(r, "description", &m->description, &present);

	if (rc == ERR_OK && present &&
	    (strlen(m->description) > MOUNT_DESCRIPTION_MAX ||
	     !text_printable(m->description, strlen(m->description))))
		return req_fail(r, ERR_INVALID,
		                "description: printable text of at most %u bytes",
		                MOUNT_DESCRIPTION_MAX);
	return rc;
}

int mount_take_config(struct req *r, const struct value *from, struct mount *m)
{
	const struct value *whole = r->body;
	bool present;
	int rc;

	r->body = from;
	if ((rc = take_ttls(r, &m->config)) == ERR_OK &&
	    (rc = req_bool(r, "force_no_cache", &m->config.force_no_cache, &present)) ==
	            ERR_OK &&
	    (rc = take_listing(r, &m->config)) == ERR_OK &&
	    (rc = take_token_type(r, m)) == ERR_OK && (rc = take_lockout(r, m)) == ERR_OK)
		rc = take_lists(r, &m->config);
	r->body = whole;
	return rc;
}

static int check_option(struct req *r, const struct value *v)
{
	if (v->key_len > 0 && v->key_len <= TEXT_MAX && v->len <= TEXT_MAX &&
	    (v->type == V_STRING || v->type == V_NUMBER) &&
	    text_printable(v->key, v->key_len) && text_printable(v->text, v->len))
		return ERR_OK;
	return req_fail(r, ERR_INVALID, "options: a map of printable strings is needed");
}

static int take_version(struct req *r, const struct value *v, int64_t *version)
{
	if (value_to_int(v, version) != 0)
		return req_fail(r, ERR_INVALID, "unable to parse options: version");
	if (*version != 1 && *version != 2)
		return req_fail(r, ERR_INVALID, "invalid version provided: %lld",
		                (long long)*version);
	return ERR_OK;
}

static void set_option(struct arena *a, struct value *out, const struct value *v)
{
	const char *key = arena_dup(a, v->key, v->key_len);

	if (key != NULL)
		value_setn(out, key, v->key_len, value_strdup(a, v->text, v->len));
}

/* Given ones win; an empty text takes one away. */
int mount_take_options(struct req *r, struct mount *m, int64_t *version)
{
	const struct value *given = NULL;
	struct value *out = value_object(r->a), *old;
	bool present;
	int rc = req_object(r, "options", &given, &present);

	*version = 0;
	if (rc != ERR_OK || !present || (rc = unpack(r, &m->options, &old)) != ERR_OK)
		return rc;
	for (const struct value *v = given->first; v != NULL; v = v->next) {
		bool is_version = v->key_len == 7 && memcmp(v->key, "version", 7) == 0;

		if ((rc = check_option(r, v)) != ERR_OK ||
		    (is_version && (rc = take_version(r, v, version)) != ERR_OK))
			return rc;
		if (v->len > 0)
			set_option(r->a, out, v);
	}
	for (const struct value *v = old->first; v != NULL; v = v->next)
		if (value_getn(given, v->key, v->key_len) == NULL)
			set_option(r->a, out, v);
	if (out->len > OPTION_ITEMS)
		return req_fail(r, ERR_INVALID, "options: at most %u entries",
		                OPTION_ITEMS);
	return repack(r, out, &m->options);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The encrypted cache: filled by deliveries, used by a boot without the vault. */
#include <string.h>

#include "agent/cache/cache.h"
#include "log.h"
#include "offline.h"
#include "session_impl.h"

#define BOOT_ARENA   (64u * 1024 * 1024)
#define BOOT_WAIT_MS 5000
#define BOOT_PASSES  16
#define INDEX_EVERY  600000
#define CLOCK_SLACK  300000
#define NAMES_ARENA  (4u * 1024 * 1024)

static bool is_cached(const struct session *s, size_t binding)
{
	return s->plan->bindings[binding].set.cache == CACHE_ENCRYPTED;
}

static bool wants_cache(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->plan->n_files; i++)
		if (is_cached(s, s->plan->files[i].binding) &&
		    plan_uses(&s->plan->files[i], path))
			return true;
	return false;
}

static bool any_cached(const struct session *s)
{
	for (size_t i = 0; i < s->plan->n_bindings; i++)
		if (is_cached(s, i))
			return true;
	return false;
}

/* The cache is opened when it is wanted first: bindings can be granted later. */
static struct cache *cache_of(struct session *s)
{
	struct err e = { 0 };

	if (s->cache == NULL && !s->cache_broken && any_cached(s) &&
	    cache_open(s->o.settings->state_dir, s->o.identity, &s->cache, &e) !=
	            ERR_OK) {
		log_error("there is no cache", LOG_S("why", e.msg));
		s->cache_broken = true;
	}
	return s->cache;
}

/* Wall clock of a moment of the boot clock. */
int64_t session_wall(const struct session *s, int64_t boot_ms)
{
	return clock_wall(s->clock) - (session_now(s) - boot_ms);
}

void session_cache_index(struct session *s)
{
	AUTO_ARENA a = arena_new(NAMES_ARENA);
	struct value *names = value_object(a);
	const struct cache_index index = { .heard = session_wall(s, s->contact.at),
		                           .names = names };
	const char *asked, *path;
	struct err e = { 0 };

	s->indexed_at = session_now(s);
	if (cache_of(s) == NULL || s->connected_at == 0)
		return;
	for (size_t i = 0; uses_at(s->o.uses, i, &asked, &path); i++)
		value_set_str(a, names, arena_str(a, asked), path);
	if (a == NULL || arena_failed(a))
		err_set(&e, ERR_NOMEM, "out of memory");
	else if (cache_put_index(s->cache, &index, &e) == ERR_OK)
		return;
	log_error("the cache could not be written", LOG_S("why", e.msg));
}

void session_cache_heard(struct session *s)
{
	if (s->cache != NULL && session_now(s) - s->indexed_at >= INDEX_EVERY)
		session_cache_index(s);
}

void session_cache_put(struct session *s, struct holding *h, const struct files_value *v)
{
	const struct cache_record r = {
		.lease_id = v->lease_id,
		.version = v->version,
		.rev = h->rev,
		.expires = h->expires != 0 ? session_wall(s, h->expires) : 0,
		.data = v->data,
		.metadata = v->metadata,
	};
	struct err e = { 0 };

	if (!wants_cache(s, session_index(s, h)) || cache_of(s) == NULL)
		return;
	if (session_gated(s, session_index(s, h)))
		cache_keep_good(s->cache, session_path(s, h));
	if (cache_put(s->cache, session_path(s, h), &r, &e) != ERR_OK)
		log_error("a secret could not be kept in the cache",
		          LOG_S("path", session_path(s, h)), LOG_S("why", e.msg));
}

void session_cache_verdict(struct session *s, const struct holding *h, bool good)
{
	const char *path = session_path(s, h);

	if (!wants_cache(s, session_index(s, h)) || cache_of(s) == NULL)
		return;
	cache_verdict(s->cache, path, good);
	if (good)
		return;
	floor_back(s->o.floor, path,
	           files_held(s->o.files, session_index(s, h))->version);
	session_remember(s);
}

bool session_cache_lacks(struct session *s, const struct holding *h)
{
	const struct files_held *held = files_held(s->o.files, session_index(s, h));

	return held->present && wants_cache(s, session_index(s, h)) &&
	       cache_of(s) != NULL &&
	       cache_version(s->cache, session_path(s, h)) < held->version;
}

void session_cache_end(struct session *s, const char *path)
{
	floor_end(s->o.floor, path);
	session_remember(s);
	if (path != NULL && s->cache != NULL) {
		cache_drop(s->cache, path);
	} else if (path == NULL) {
		cache_close(s->cache);
		s->cache = NULL;
		s->cache_broken = true;
		cache_wipe(s->o.settings->state_dir);
	}
}

static const char *wanted_path(void *ctx, size_t i)
{
	const struct session *s = ctx;

	return wants_cache(s, i) ? s->plan->paths[i].path : NULL;
}

void session_cache_sweep(struct session *s)
{
	if (!any_cached(s))
		cache_wipe(s->o.settings->state_dir);
	else if (cache_of(s) != NULL)
		cache_sweep(s->cache, wanted_path, s, s->plan->n_paths);
}

bool session_cache_reseal(struct session *s)
{
	bool whole = true;

	if (!any_cached(s) || cache_of(s) == NULL)
		return true;
	for (size_t i = 0; i <= s->n_holdings; i++) {
		const char *path = i < s->n_holdings ? wanted_path(s, i) : NULL;
		struct err e = { 0 };
		int rc = path == NULL && i < s->n_holdings
		                 ? ERR_OK
		                 : cache_reseal(s->cache, path, &e);

		if (rc == ERR_INTEGRITY && path != NULL) {
			cache_drop(s->cache, path);
		} else if (rc != ERR_OK && rc != ERR_INTEGRITY) {
			log_error("the cache could not be sealed again",
			          LOG_S("why", e.msg));
			whole = false;
		}
	}
	return whole;
}

/* ---- the boot without the vault ---- */

struct boot {
	struct session *s;
	struct arena *a;
	int64_t heard; /* boot clock, negative if before */
	bool *only;    /* bindings that may be served */
	struct files_value *values;
};

static int64_t ended(const struct boot *b, const struct cache_record *r)
{
	int64_t now = session_now(b->s), wall = clock_wall(b->s->clock);
	int64_t end = r->expires != 0 ? r->expires - wall + now : b->heard;

	end = end > b->heard ? end : b->heard;
	return end != 0 ? end : -1;
}

/* May any binding of the secret have it? */
static bool is_allowed(const struct boot *b, size_t path, int64_t expires)
{
	const struct session *s = b->s;
	const struct offline_state st = { true, expires, true, b->heard };

	for (size_t i = 0; i < s->plan->n_files; i++) {
		const struct plan_file *f = &s->plan->files[i];

		if (plan_uses(f, path) && b->only[f->binding] &&
		    session_now(s) < offline_end(&s->plan->bindings[f->binding].set, &st))
			return true;
	}
	return false;
}

/* Values that share a file come together. */
static bool is_missing(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->plan->paths[i].group == s->plan->paths[path].group &&
		    !files_held(s->o.files, i)->present)
			return true;
	return false;
}

static bool load_one(struct boot *b, size_t path)
{
	struct session *s = b->s;
	const char *name = s->plan->paths[path].path;
	struct cache_record r;
	struct err e = { 0 };
	int rc = cache_get(s->cache, b->a, name, floor_find(s->o.floor, name), &r, &e);

	if (rc == ERR_NOENT)
		return false;
	if (rc != ERR_OK) {
		log_error("not taken from the cache", LOG_S("path", name),
		          LOG_S("why", e.msg));
		return false;
	}
	if (!is_allowed(b, path, ended(b, &r))) {
		log_warn("not taken from the cache", LOG_S("path", name),
		         LOG_S("why", "the vault was not heard for too long"));
		return false;
	}
	b->values[path] = (struct files_value){
		.data = r.data,
		.metadata = r.metadata,
		.lease_id = r.lease_id,
		.version = r.version,
		.expires = ended(b, &r),
	};
	return true;
}

static void settle_one(struct boot *b, size_t path)
{
	struct session *s = b->s;
	struct holding *h = &s->holdings[path];
	const struct files_value *v = &b->values[path];
	char since[CLOCK_RFC3339_MAX];
	bool again;

	if (v->data == NULL || v->rc == ERR_BUSY)
		return;
	clock_rfc3339(session_wall(s, b->heard), since);
	if (v->rc != ERR_OK) {
		log_error("not delivered from the cache",
		          LOG_S("path", session_path(s, h)), LOG_S("why", v->e.msg));
		return;
	}
	again = h->stale && h->version >= v->version;
	h->stale = true;
	h->stale_since = b->heard;
	h->version = h->version > v->version ? h->version : v->version;
	if (again) /* with what else belongs to its files */
		return;
	log_warn("delivered from the cache", LOG_S("path", session_path(s, h)),
	         LOG_N("version", v->version), LOG_S("as_of", since));
}

/* One round; templates can name more in the next. */
static bool deliver_round(struct boot *b)
{
	struct session *s = b->s;
	size_t n = 0;

	b->values = arena_alloc(b->a, (s->n_holdings + 1) * sizeof(*b->values));
	b->only = arena_alloc(b->a, (s->plan->n_bindings + 1) * sizeof(*b->only));
	if (b->values == NULL || b->only == NULL)
		return false;
	for (size_t i = 0; i < s->plan->n_bindings; i++)
		b->only[i] = is_cached(s, i);
	for (size_t i = 0; i < s->n_holdings; i++)
		if (wants_cache(s, i) && is_missing(s, i))
			n += load_one(b, i) ? 1 : 0;
	if (n == 0)
		return false;
	files_deliver_to(s->o.files, b->a, b->values, session_now(s), b->only);
	for (size_t i = 0; i < s->n_holdings; i++)
		settle_one(b, i);
	return true;
}

static int open_index(struct boot *b, struct err *e)
{
	struct session *s = b->s;
	struct cache_index index;
	int64_t ago;
	int rc = cache_get_index(s->cache, b->a, &index, e);

	if (rc != ERR_OK)
		return rc;
	ago = clock_wall(s->clock) - index.heard;
	if (ago < -CLOCK_SLACK)
		return err_set(e, ERR_CONFLICT,
		               "the clock is before the time at which the vault was "
		               "last heard: how old the values are is not known");
	b->heard = session_now(s) - (ago > 0 ? ago : 0);
	s->contact.at = b->heard < s->contact.at ? b->heard : s->contact.at;
	for (const struct value *v = index.names->first; v != NULL; v = v->next) {
		const char *path = value_to_cstr(v, b->a);
		const char *asked = arena_dup(b->a, v->key, v->key_len);

		if (path != NULL && asked != NULL &&
		    (rc = uses_name(s->o.uses, asked, path, e)) != ERR_OK)
			return rc;
	}
	session_replan_used(s);
	return ERR_OK;
}

static bool all_present(const struct session *s)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (wants_cache(s, i) && !files_held(s->o.files, i)->present)
			return false;
	return !plan_unresolved(s->plan);
}

static void boot_from_cache(struct session *s)
{
	AUTO_ARENA a = arena_new(BOOT_ARENA);
	struct boot b = { .s = s, .a = a };
	struct err e = { 0 };
	int rc;

	if (a == NULL || all_present(s) || cache_of(s) == NULL)
		return;
	rc = open_index(&b, &e);
	if (rc == ERR_OK) {
		for (int i = 0; i < BOOT_PASSES && deliver_round(&b); i++)
			session_replan_used(s);
	} else if (rc != ERR_NOENT) {
		log_error("nothing is taken from the cache", LOG_S("why", e.msg));
	}
}

int64_t session_cache_boot(struct session *s, int64_t now)
{
	int64_t at = s->started_at + BOOT_WAIT_MS;

	if (s->booted || s->phase == PHASE_REVOKED)
		return -1;
	if (s->connected_at != 0) {
		s->booted = true;
		return -1;
	}
	if (s->phase != PHASE_OFFLINE && now < at)
		return at;
	if (s->phase == PHASE_OFFLINE && s->attempt == 0)
		return -1; /* not tried yet */
	s->booted = true;
	if (any_cached(s))
		boot_from_cache(s);
	return -1;
}

void session_cache_free(struct session *s)
{
	if (s->cache != NULL)
		session_cache_index(s);
	cache_close(s->cache);
}

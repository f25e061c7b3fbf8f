/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "log.h"
#include "sealed.h"
#include "session_impl.h"

#define FETCH_ARENA (64u * 1024 * 1024)

struct holding *session_find(struct session *s, const char *path)
{
	for (size_t i = 0; path != NULL && i < s->n_holdings; i++)
		if (strcmp(s->plan->paths[i].path, path) == 0)
			return &s->holdings[i];
	return NULL;
}

static const struct files_held *held_by(const struct session *s, const struct holding *h)
{
	return files_held(s->o.files, session_index(s, h));
}

bool session_settled(const struct session *s, const struct holding *h, const char *id,
                     int64_t version)
{
	const struct files_held *held = held_by(s, h);

	return (held->present && strcmp(held->lease_id, id) == 0 &&
	        held->version >= version) ||
	       files_rejected(s->o.files, session_index(s, h), id, version) != NULL;
}

void session_ttl(struct session *s, struct holding *h, int64_t ttl_ms)
{
	/* Counted from when the request left: never later than the server's own end. */
	h->issued = s->on->started;
	h->ttl = ttl_ms > 0 ? ttl_ms : 0;
	h->expires = h->ttl > 0 ? h->issued + h->ttl : 0;
	h->renew_at = h->ttl > 0 ? backoff_renew_at(h->issued, h->ttl, session_random())
	                         : 0;
	h->stale = false;
	if (held_by(s, h)->present && strcmp(held_by(s, h)->lease_id, h->lease_id) == 0)
		files_set_expiry(s->o.files, session_index(s, h), h->expires);
}

void session_ack(struct session *s, struct holding *h, enum ack_state state,
                 const char *detail)
{
	h->ack = state;
	h->ack_in_call = false;
	h->ack_version = state == ACK_APPLIED || state == ACK_DELIVERED
	                         ? held_by(s, h)->version
	                         : h->version;
	h->ack_rev = h->rev > h->end_rev ? h->rev : h->end_rev;
	memcpy(h->ack_lease, h->lease_id, sizeof(h->ack_lease));
	snprintf(h->ack_detail, sizeof(h->ack_detail), "%.120s",
	         detail != NULL ? detail : "");
	if (s->ack_since == 0)
		s->ack_since = session_now(s);
}

bool session_gave_up(const struct session *s, const char *id)
{
	const json_t *item;
	size_t i;

	json_array_foreach(s->release, i,
	                   item) if (strcmp(reply_str(item, "id"), id) == 0) return true;
	return false;
}

void session_give_up(struct session *s, const char *id, int64_t rev)
{
	if (id != NULL)
		json_array_append_new(s->release, json_pack("{s:s, s:I}", "id", id, "rev",
		                                            (json_int_t)rev));
}

void session_grant(struct session *s, struct holding *h, const json_t *item)
{
	const char *id = reply_str(item, "lease_id");
	bool settled;

	if (id == NULL || strlen(id) >= sizeof(h->lease_id) || session_gave_up(s, id))
		return;
	/* An answer that the end of the lease has overtaken. */
	if (h->ending != END_NONE && reply_int(item, "rev", 0) < h->end_rev)
		return;
	memcpy(h->lease_id, id, strlen(id) + 1);
	h->version = reply_int(item, "version", 0);
	h->rev = reply_int(item, "rev", 0);
	h->want_lease = false;
	h->revoked = false;
	h->ending = END_NONE;
	h->error[0] = '\0';
	h->waits = false;
	session_ttl(s, h, reply_int(item, "ttl_ms", 0));
	settled = session_settled(s, h, h->lease_id, h->version);
	h->refill = settled && session_cache_lacks(s, h);
	h->want_fetch = !settled || h->refill;
	if (settled)
		session_say(s, h);
	else if (h->ack == ACK_WIPED) /* for lack of a word: it comes back */
		h->ack = ACK_NONE;
}

void session_wipe(struct session *s, struct holding *h, const char *why)
{
	bool had = held_by(s, h)->version > 0;
	struct err e = { 0 };

	h->want_fetch = h->gated = false;
	h->stale = false;
	if (files_wipe(s->o.files, session_index(s, h), &e) != ERR_OK) {
		log_error("a secret could not be wiped",
		          LOG_S("path", session_path(s, h)), LOG_S("why", e.msg));
		session_ack(s, h, ACK_REJECTED, e.msg);
	} else {
		if (h->lease_id[0] != '\0')
			session_ack(s, h, ACK_WIPED, NULL);
		if (had)
			log_info("wiped", LOG_S("path", session_path(s, h)),
			         LOG_S("why", why));
		s->wipes += had ? 1 : 0;
	}
	h->lease_id[0] = '\0';
	h->version = 0;
	h->ttl = h->expires = h->renew_at = 0;
	session_group_again(s, session_index(s, h));
}

void session_end(struct session *s, struct holding *h, enum ending why, int64_t rev)
{
	h->ending = why;
	h->end_rev = rev;
	h->want_fetch = false;
	if (why == END_REVOKED)
		h->asked_at = session_now(s);
}

static void end_one(struct session *s, struct holding *h)
{
	static const char *const texts[] = {
		[END_REVOKED] = "the lease was revoked",
		[END_EXPIRED] = "the lease ended",
		[END_REFUSED] = "there is no lease for it",
	};
	enum ending why = h->ending;

	h->ending = END_NONE;
	if (!witness_trusts(s->o.witness)) {
		snprintf(
			h->error, sizeof(h->error),
			"kept: the vault wants it gone, but its audit log is not the one "
			"that was verified");
		log_error("not wiped", LOG_S("path", session_path(s, h)),
		          LOG_S("why", h->error));
		return;
	}
	h->revoked = h->revoked || why == END_REVOKED;
	session_cache_end(s, session_path(s, h));
	session_wipe(s, h, texts[why]);
	if (why == END_EXPIRED)
		h->want_lease = true;
	if (why == END_REFUSED)
		h->ack = ACK_NONE;
}

void session_carry_out(struct session *s)
{
	if (s->phase != PHASE_READY || session_unproven(s) ||
	    (s->o.witness->suspect && !s->o.witness->alarm))
		return;
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].ending != END_NONE)
			end_one(s, &s->holdings[i]);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t session_expire(struct session *s, int64_t now)
{
	int64_t next = -1;

	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		next = earlier(next, session_expire_one(s, h, now));
		if (s->phase != PHASE_READY || h->lease_id[0] == '\0' || h->renew_at == 0)
			continue;
		if (now >= backoff_renew_hopeless(h->issued, h->ttl)) {
			h->want_lease = true;
			h->renew_at = 0;
		} else {
			next = earlier(next,
			               h->renew_at > now
			                       ? h->renew_at + backoff_renew_slack(h->ttl)
			                       : -1);
		}
	}
	return next;
}

void session_refetch_drifted(struct session *s)
{
	bool *paths = calloc(s->n_holdings + 1, sizeof(*paths));

	for (size_t i = 0; paths != NULL && i < s->n_holdings; i++)
		paths[i] = s->holdings[i].lease_id[0] != '\0' &&
		           !s->holdings[i].want_fetch && !s->holdings[i].retry;
	if (paths != NULL)
		files_drifted(s->o.files, paths);
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (h->lease_id[0] == '\0' || h->want_fetch)
			continue;
		if (h->retry)
			log_debug("fetching again", LOG_S("path", session_path(s, h)));
		else if (paths != NULL && paths[i])
			log_warn("fetching again", LOG_S("path", session_path(s, h)),
			         LOG_S("why", "changed by someone else"));
		else
			continue;
		h->want_fetch = true;
		s->last_event_at = session_now(s);
	}
	free(paths);
}

/* No less than the vault has named for the lease, either: the nonce of a watch is older
 * than the events in its answer, and who asked under it before them has genuine values,
 * too. */
static int64_t lowest_version(const struct session *s, const struct holding *h,
                              const struct floor_lease *low)
{
	const struct files_held *held = held_by(s, h);
	int64_t v = low->version > h->version ? low->version : h->version;

	return strcmp(held->lease_id, h->lease_id) == 0 && held->version > v
	               ? held->version
	               : v;
}

/* One item of a reply with values. */
static void open_item(struct session *s, const struct link *l, struct arena *a,
                      const json_t *item, struct files_value *values)
{
	const char *id = reply_str(item, "lease_id"), *sealed = reply_str(item, "sealed");
	const char *why = reply_str(item, "error");
	struct holding *h = NULL;
	struct files_value *v;
	struct sealed_value value = { .data = NULL };

	for (size_t i = 0; id != NULL && i < s->n_holdings; i++)
		if (s->holdings[i].in_call && strcmp(s->holdings[i].lease_id, id) == 0)
			h = &s->holdings[i];
	if (h == NULL)
		return;
	v = &values[session_index(s, h)];
	h->in_call = false;
	if (sealed == NULL) {
		snprintf(h->error, sizeof(h->error), "%.150s",
		         why != NULL ? why : "the server sent no value");
		log_warn("no value", LOG_S("path", session_path(s, h)),
		         LOG_S("why", h->error));
		return;
	}
	const struct floor_lease low = floor_of(s->o.floor, session_path(s, h),
	                                        h->lease_id);
	const struct sealed_expect want = {
		.request = session_expects(l, "fetch"),
		.lease_id = h->lease_id,
		.path = session_path(s, h),
		.min_version = lowest_version(s, h, &low),
		.min_rev = low.rev,
	};
	v->lease_id = h->lease_id;
	v->expires = h->expires;
	v->rc = sealed_open(s->o.identity, a, sealed, &want, &value, &v->e);
	if (v->rc != ERR_OK) {
		session_distrust(s, &v->e);
		return;
	}
	v->version = value.version;
	v->data = value.data;
	v->metadata = value.metadata;
	h->rev = value.rev;
}

static bool in_place(const struct session *s, const struct holding *h)
{
	const struct files_held *held = held_by(s, h);

	return held->present && strcmp(held->lease_id, h->lease_id) == 0 &&
	       held->version >= h->version;
}

static bool group_in_place(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->plan->paths[i].group == s->plan->paths[path].group &&
		    !in_place(s, &s->holdings[i]))
			return false;
	return true;
}

/* What is in place already is not delivered again. */
static void only_for_cache(struct session *s, struct holding *h, struct files_value *v)
{
	if (!h->refill)
		return;
	h->refill = false;
	if (v->data == NULL || v->rc != ERR_OK || v->version != held_by(s, h)->version ||
	    !group_in_place(s, session_index(s, h)))
		return;
	session_cache_put(s, h, v);
	v->data = NULL;
}

/* Of a version that is tried again and again it is said once. */
static void reject(struct session *s, struct holding *h, const struct files_value *v)
{
	char why[sizeof(h->error)];
	bool again;

	snprintf(why, sizeof(why), "%.190s", v->e.msg);
	again = h->retry && h->rejected == h->version && strcmp(h->error, why) == 0;
	memcpy(h->error, why, sizeof(why));
	h->waits = false;
	h->rejected = h->version;
	h->retry = v->rc == ERR_FULL || v->rc == ERR_IO || v->rc == ERR_NOMEM;
	if (again) {
		log_debug("rejected again", LOG_S("path", session_path(s, h)));
		return;
	}
	log_warn("rejected", LOG_S("path", session_path(s, h)),
	         LOG_N("version", h->version), LOG_S("why", why));
	session_ack(s, h, ACK_REJECTED, why);
}

/* What came is not what the vault has said: nothing is known of the value, so nothing is
 * said of it.  The alarm is raised already. */
static bool is_no_value(const struct files_value *v)
{
	return v->rc == ERR_VERIFY || v->rc == ERR_INTEGRITY;
}

/* No verdict on the value either: the binding has had its share of the loop. */
static bool is_put_off(const struct files_value *v)
{
	return v->rc == ERR_RATE;
}

/* At once the first time, then with all else that is asked for again and again. */
static void ask_again(struct session *s, struct holding *h, const struct files_value *v)
{
	bool again = strncmp(h->error, v->e.msg, 190) == 0;

	h->want_fetch = is_no_value(v) && !h->retry && h->lease_id[0] != '\0';
	h->retry = true;
	h->waits = false;
	snprintf(h->error, sizeof(h->error), "%.190s", v->e.msg);
	if (!again)
		log_warn("not delivered", LOG_S("path", session_path(s, h)),
		         LOG_S("why", h->error));
}

static void settle_item(struct session *s, struct holding *h, struct files_value *v)
{
	struct err e = { 0 };

	if (is_no_value(v) || is_put_off(v)) {
		ask_again(s, h, v);
		return;
	}
	if (v->rc == ERR_BUSY) {
		/* What it waits for brings it along. */
		h->waits = true;
		snprintf(h->error, sizeof(h->error), "%.190s", v->e.msg);
		log_debug("waits", LOG_S("path", session_path(s, h)),
		          LOG_S("why", v->e.msg));
		return;
	}
	if (v->rc != ERR_OK) {
		reject(s, h, v);
		return;
	}
	if (v->data == NULL) {
		/* A file that was to be carried over had been changed by someone else. */
		if (held_by(s, h)->version > 0 && !held_by(s, h)->present)
			h->want_fetch = h->lease_id[0] != '\0' && h->error[0] == '\0';
		return;
	}
	h->error[0] = '\0';
	h->retry = false;
	h->waits = held_by(s, h)->version == 0;
	if (h->waits) {
		snprintf(h->error, sizeof(h->error),
		         "its files need another secret, which is not there");
		return;
	}
	if (h->version < v->version)
		h->version = v->version;
	if (floor_deliver(s->o.floor, session_path(s, h), h->lease_id, h->rev, v->version,
	                  &e) != ERR_OK)
		log_error("what was delivered is not remembered", LOG_S("why", e.msg));
	session_cache_put(s, h, v);
	session_say(s, h);
	s->deliveries++;
	s->delivered_ms = session_now(s) - s->last_event_at;
	session_count_delivery(s, s->delivered_ms);
	log_info("delivered", LOG_S("path", session_path(s, h)),
	         LOG_N("version", v->version));
}

int session_deliver(struct session *s, const struct link *l, const json_t *items,
                    struct err *e)
{
	AUTO_ARENA a = arena_new(FETCH_ARENA);
	struct files_value *values;
	const json_t *item;
	size_t i;

	values = a == NULL ? NULL : arena_alloc(a, (s->n_holdings + 1) * sizeof(*values));
	if (values == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	json_array_foreach(items, i, item) open_item(s, l, a, item, values);
	for (i = 0; i < s->n_holdings; i++)
		only_for_cache(s, &s->holdings[i], &values[i]);
	files_deliver(s->o.files, a, values, session_now(s));
	for (i = 0; i < s->n_holdings; i++) {
		settle_item(s, &s->holdings[i], &values[i]);
		s->holdings[i].in_call = false;
	}
	session_remember(s);
	session_replan_used(s);
	return ERR_OK;
}

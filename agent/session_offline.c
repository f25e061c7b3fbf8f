/* SPDX-License-Identifier: Apache-2.0 */
/* How long files stay while nobody renews their leases or nobody is heard: policies of
 * their bindings. */
#include "log.h"
#include "offline.h"
#include "session_impl.h"

#define SILENCE_MARGIN_MS 20000

/* A watch that hangs is noticed by then; a suspended host is not. */
static int64_t silence_ms(const struct session *s)
{
	return 2 * s->o.settings->heartbeat_ms + SILENCE_MARGIN_MS;
}

bool session_lost(const struct session *s, int64_t now)
{
	return s->phase != PHASE_READY || now - s->contact.at > silence_ms(s);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static bool is_anywhere(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->plan->n_bindings; i++)
		if (files_has(s->o.files, i, path))
			return true;
	return false;
}

/* Others may keep it longer. */
static void wipe_in(struct session *s, struct holding *h, size_t binding, const char *why)
{
	struct err e = { 0 };

	if (files_wipe_in(s->o.files, binding, session_index(s, h), &e) != ERR_OK)
		log_error("a secret could not be wiped",
		          LOG_S("path", session_path(s, h)),
		          LOG_S("binding", s->plan->bindings[binding].set.name),
		          LOG_S("why", e.msg));
	else
		log_info("wiped", LOG_S("path", session_path(s, h)),
		         LOG_S("binding", s->plan->bindings[binding].set.name),
		         LOG_S("why", why));
}

static void note_stale(struct session *s, struct holding *h, int64_t since)
{
	if (h->stale)
		return;
	log_warn("the lease ended and no other was given: kept for now",
	         LOG_S("path", session_path(s, h)));
	h->stale = true;
	h->stale_since = since;
	h->want_lease = true;
	h->renew_at = 0;
}

/* What has ended is asked for again, and goes when the vault says that there is no lease
 * for it any more.  That nobody answered, or nobody renewed, is no such word: it stays
 * for as long as its binding allows, marked stale. */
int64_t session_expire_one(struct session *s, struct holding *h, int64_t now)
{
	size_t path = session_index(s, h);
	const struct files_held *held = files_held(s->o.files, path);
	const struct offline_state st = {
		.leased = h->expires != 0 || held->expires != 0,
		.expires = h->expires != 0 ? h->expires : held->expires,
		.lost = session_lost(s, now),
		.heard = s->contact.at,
	};
	int64_t next = -1, end;
	bool wiped = false;

	if (held->version == 0 && h->lease_id[0] == '\0' && !is_anywhere(s, path))
		return -1;
	if (st.leased && now >= st.expires)
		note_stale(s, h, st.expires);
	else if (st.leased)
		next = st.expires;
	for (size_t i = 0; i < s->plan->n_bindings; i++) {
		if (!files_has(s->o.files, i, path))
			continue;
		end = offline_end(&s->plan->bindings[i].set, &st);
		if (now < end) {
			next = end == OFFLINE_NEVER ? next : earlier(next, end);
			continue;
		}
		wipe_in(s, h, i,
		        st.leased && now >= st.expires
		                ? "stale for too long"
		                : "the vault was not heard for too long");
		s->wipes++;
		wiped = true;
	}
	if (wiped && !is_anywhere(s, path)) {
		session_wipe(s, h, "no binding may keep it longer");
		h->want_lease = true;
	}
	return next;
}

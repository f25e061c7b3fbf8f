/* SPDX-License-Identifier: Apache-2.0 */
/* The long poll: what changed, with the values that are small; and what was acknowledged
 * since the last one goes with it. */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_impl.h"
#include "text.h"

#define WATCH_MARGIN_MS 10000
#define REVOKED_ASK_MS  300000
#define PINS_AGAIN_MS   30000
#define HASTY_MAX       3
#define VALUES_MAX      16384

static void event_update(struct session *s, struct holding *h, const char *id,
                         int64_t version)
{
	if (session_settled(s, h, id, version) || session_gave_up(s, id))
		return;
	/* On its way already. */
	if (h->in_call && h->version >= version && strcmp(h->lease_id, id) == 0)
		return;
	if (strlen(id) >= sizeof(h->lease_id))
		return;
	/* Versions are of one lease. */
	if (h->version < version || strcmp(h->lease_id, id) != 0)
		h->version = version;
	memcpy(h->lease_id, id, strlen(id) + 1);
	h->revoked = false;
	h->ending = END_NONE;
	h->want_fetch = true;
}

/* A value of the same lease that is newer than its end came in the meantime: the lease
 * was revived. */
static bool was_overtaken(const struct session *s, const struct holding *h,
                          const json_t *event)
{
	struct floor_lease l = floor_of(s->o.floor, session_path(s, h), h->lease_id);

	return reply_int(event, "rev", 0) < l.rev;
}

static void on_event(struct session *s, const json_t *event)
{
	struct holding *h = session_find(s, reply_str(event, "path"));
	const char *id = reply_str(event, "lease_id"), *op = reply_str(event, "op");
	int64_t version = reply_int(event, "version", 0);

	if (op != NULL && strcmp(op, "bind") == 0)
		session_bind_again(s);
	if (op != NULL && strcmp(op, "swarm") == 0)
		session_swarm_again(s);
	if (h == NULL && id != NULL && op != NULL && strcmp(op, "update") == 0)
		json_array_append(s->strays, (json_t *)(uintptr_t)event);
	if (h == NULL || id == NULL || op == NULL)
		return;
	log_debug("event", LOG_S("op", op), LOG_N("version", version));
	if (strcmp(op, "update") == 0) {
		event_update(s, h, id, version);
	} else if (h->lease_id[0] != '\0' && strcmp(h->lease_id, id) == 0 &&
	           !was_overtaken(s, h, event)) {
		session_end(s, h, strcmp(op, "revoke") == 0 ? END_REVOKED : END_EXPIRED,
		            reply_int(event, "rev", 0));
	}
}

/* Time for what needs no hurry. */
static void housekeeping(struct session *s)
{
	int64_t now = session_now(s);

	s->kept_house_at = now;
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		/* What was revoked is for the server to give again; it need not hear of
		 * it often. */
		if (h->lease_id[0] == '\0' &&
		    (!h->revoked || now - h->asked_at >= REVOKED_ASK_MS)) {
			h->want_lease = true;
			h->asked_at = now;
		}
	}
	session_refetch_drifted(s);
}

/* A vault that knows what we have verified proves with its word how its log goes on from
 * there; another head is a thing to ask about. */
static int see_head(struct session *s, const json_t *said, struct err *e)
{
	if (json_object_get(said, "proof") != NULL)
		return session_proof(&s->watch, said, e);
	session_checkpoint(s, json_object_get(said, "checkpoint"));
	return ERR_OK;
}

static bool is_ending(const struct session *s)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].ending != END_NONE)
			return true;
	return false;
}

static int on_events(struct session *s, const json_t *said, struct err *e)
{
	const json_t *event;
	size_t i;
	int rc;

	s->last_event_at = session_now(s);
	json_array_foreach(json_object_get(said, "events"), i, event) on_event(s, event);
	s->rev = reply_int(said, "rev", s->rev);
	session_release_strays(s);
	session_alarm(s, said);
	s->prove = s->prove || is_ending(s);
	if ((rc = see_head(s, said, e)) != ERR_OK)
		return rc;
	s->prove = s->checkpoint != NULL; /* then what came waits for its proof */
	session_pins(s, json_object_get(said, "pins"));
	/* Where something happens all the time nothing ever is quiet. */
	if (session_now(s) - s->kept_house_at >= s->o.settings->heartbeat_ms)
		housekeeping(s);
	return ERR_OK;
}

static bool brings(const json_t *items, const char *lease_id)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		const char *id = reply_str(item, "lease_id");

		if (id != NULL && strcmp(id, lease_id) == 0)
			return true;
	}
	return false;
}

/* A file of several secrets is made of the values of one answer. */
static bool brings_group(const struct session *s, size_t path, const json_t *items)
{
	size_t group = s->plan->paths[path].group;

	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->plan->paths[i].group == group &&
		    s->holdings[i].lease_id[0] != '\0' &&
		    !brings(items, s->holdings[i].lease_id))
			return false;
	return true;
}

/* All of it: what has not changed is needed for the files as well. */
static void take_group(struct session *s, size_t group)
{
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (s->plan->paths[i].group != group || h->lease_id[0] == '\0')
			continue;
		h->want_fetch = false;
		h->in_call = true;
	}
}

/* What came along is not fetched.  Whatever cannot be taken now is. */
static void take_values(struct session *s, const json_t *items)
{
	struct err e = { 0 };
	bool any = false;

	if (json_array_size(items) == 0 || !session_takes_values(s))
		return;
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].in_call)
			return;
	for (size_t i = 0; i < s->n_holdings; i++) {
		const struct holding *h = &s->holdings[i];

		if (!h->want_fetch || h->lease_id[0] == '\0' ||
		    !brings_group(s, i, items))
			continue;
		take_group(s, s->plan->paths[i].group);
		any = true;
	}
	if (any && session_deliver(s, &s->watch, items, &e) != ERR_OK)
		session_offline(s, 0, e.msg);
}

/* Whoever has nothing to say waits first: an answer that comes at once, again and again,
 * is of something else that answers everything. */
static bool is_hasty(struct session *s, int64_t now)
{
	s->hasty = now - s->watch.started < s->o.settings->heartbeat_ms / 2 ? s->hasty + 1
	                                                                    : 0;
	if (s->hasty < HASTY_MAX)
		return false;
	s->hasty = 0;
	session_offline(s, 0, "the server answers without waiting");
	return true;
}

/* Nothing happened, says the network process; what it says of keys the vault has to
 * confirm.  A checkpoint is signed for itself, an alarm is only shown. */
static void on_silence(struct session *s, const json_t *data)
{
	int64_t now = session_now(s);

	housekeeping(s);
	session_alarm(s, data);
	session_checkpoint(s, json_object_get(data, "checkpoint"));
	if (is_hasty(s, now))
		return;
	if (!session_pins_differ(s, json_object_get(data, "pins")) ||
	    s->phase != PHASE_READY ||
	    (s->pins_asked_at != 0 && now - s->pins_asked_at < PINS_AGAIN_MS))
		return;
	s->pins_asked_at = now;
	s->phase = PHASE_SYNC;
}

/* Nothing happened, says the vault itself, and how its log goes on from the one that we
 * know. */
static void on_heartbeat(struct session *s, const json_t *said)
{
	int64_t now = session_now(s);
	struct err e = { 0 };

	s->rev = reply_int(said, "rev", s->rev);
	session_alarm(s, said);
	session_pins(s, json_object_get(said, "pins"));
	if (see_head(s, said, &e) != ERR_OK) {
		session_offline(s, 0, e.msg);
		return;
	}
	housekeeping(s);
	(void)is_hasty(s, now);
}

/* NULL: not the vault's word, or one about other changes than those since the revision
 * that we know: what it leaves out we would never hear of. */
static json_t *watch_said(struct session *s, const json_t *data, struct err *e)
{
	json_t *said = session_said(&s->watch, "watch", data, e);

	if (said == NULL || reply_int(said, "since", -1) == s->watch.since)
		return said;
	err_set(e, ERR_INTEGRITY,
	        "changes are told since another revision than was asked");
	session_distrust(s, e);
	json_decref(said);
	return NULL;
}

static void on_watch(struct session *s, const json_t *data)
{
	AUTO_JSON said = NULL;
	struct err e = { 0 };

	if (json_array_size(json_object_get(data, "events")) == 0 &&
	    reply_str(data, "statement") == NULL) {
		on_silence(s, data);
		return;
	}
	said = watch_said(s, data, &e);
	if (said == NULL) {
		session_offline(s, 0, e.msg);
	} else if (json_array_size(json_object_get(said, "events")) > 0) {
		if (on_events(s, said, &e) == ERR_OK)
			take_values(s, json_object_get(data, "items"));
		else
			session_offline(s, 0, e.msg);
	} else {
		on_heartbeat(s, said);
	}
}

static void watch_done(void *ctx, int rc, struct http_reply *reply, const struct err *e)
{
	struct session *s = ctx;
	bool ok = false;
	AUTO_JSON doc = session_reply(&s->watch, rc, reply, e, &ok);

	if (s->acks_ride && doc != NULL) {
		/* What was refused is the watch: who says so need not have heard them. */
		s->acks_alone = !ok;
		if (ok)
			session_acks_heard(s);
	}
	s->acks_ride = false;
	if (doc != NULL && ok && s->phase != PHASE_REVOKED) {
		on_watch(s, json_object_get(doc, "data"));
	} else if (doc != NULL && !ok) {
		struct err why;

		(void)reply_error(reply->status, doc, &why);
		if (reply->status == 403)
			session_refused(&s->watch, &why);
		else
			session_offline(s, reply->retry_after, why.msg);
	}
}

static char *watch_body(struct session *s, int64_t wait_s)
{
	AUTO_JSON o = s->acks_alone ? NULL : session_acks(s);
	char nonce[2 * STATEMENT_NONCE + 1];

	s->acks_ride = o != NULL;
	if (o == NULL)
		o = json_object();
	session_ask(&s->watch);
	text_hex(s->watch.nonce, sizeof(s->watch.nonce), nonce);
	s->watch.since = s->rev;
	json_object_set_new(o, "since", json_integer(s->watch.since));
	json_object_set_new(o, "wait", json_integer(wait_s));
	json_object_set_new(o, "values", json_integer(VALUES_MAX));
	json_object_set_new(o, "from", json_integer((json_int_t)s->watch.from));
	json_object_set_new(o, "nonce", json_string(nonce));
	return reply_text(o);
}

void session_watch_start(struct session *s)
{
	const int64_t wait_ms = s->o.settings->heartbeat_ms;
	AUTO_TEXT body = watch_body(s, wait_ms / 1000);
	const struct session_call call = {
		.method = "POST",
		.path = "/v1/sys/agent/watch",
		.body = body,
		.timeout_ms = wait_ms + WATCH_MARGIN_MS,
	};

	(void)session_start(&s->watch, &call, watch_done);
}

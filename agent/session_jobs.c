/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of request that is sent to the server: when it is due, what it says, what
 * comes of it. */
#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "log.h"
#include "session_impl.h"
#include "text.h"
#include "vault/version.h"

#define FETCH_ITEMS     32u
#define ACK_COALESCE_MS 100
#define TOKEN_DEFAULT_S 3600

/* Login. */

static bool challenge_due(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_CHALLENGE;
}

static json_t *challenge_body(struct session *s)
{
	json_t *o = json_object();

	if (reply_set_hex(o, "host_id", s->o.identity->host_id, 16) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int challenge_done(struct session *s, const json_t *doc, struct err *e)
{
	const json_t *data = json_object_get(doc, "data");

	if (reply_base64(data, "nonce", s->nonce, sizeof(s->nonce)) != 0)
		return err_set(e, ERR_INVALID, "the server's challenge cannot be read");
	s->phase = PHASE_LOGIN;
	return ERR_OK;
}

static bool login_due(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_LOGIN;
}

static json_t *login_body(struct session *s)
{
	static const unsigned char zeros[32];
	const struct identity *id = s->o.identity;
	bool tls = strncmp(s->on->url, "https:", 6) == 0;
	unsigned char sig[64];
	json_t *o;

	/* The challenge is what the answer has to cover. */
	memcpy(s->on->nonce, s->nonce, sizeof(s->on->nonce));
	s->login_next = s->with_next && id->has_next;
	identity_sign_login(id, s->login_next, s->nonce, tls ? s->on->pin : zeros, sig);
	o = json_pack("{s:I, s:s}", "generation", (json_int_t)id->generation,
	              "agent_version", VAULT_VERSION);
	if (reply_set_hex(o, "host_id", id->host_id, 16) == 0 &&
	    reply_set_base64(o, "nonce", s->nonce, sizeof(s->nonce)) == 0 &&
	    reply_set_base64(o, "signature", sig, sizeof(sig)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* The counter is on disk before the token is used: a token that was used makes the old
 * counter worthless. */
static int login_done(struct session *s, const json_t *doc, struct err *e)
{
	const json_t *data = json_object_get(doc, "data"),
		     *auth = json_object_get(doc, "auth");
	const char *token = reply_str(auth, "client_token");
	int64_t generation = reply_int(data, "generation", -1);
	int64_t ttl = 1000 * reply_int(auth, "lease_duration", TOKEN_DEFAULT_S);
	unsigned char session[STATEMENT_SESSION];

	/* Each login uses up one: another number would lock this host out for good. */
	if (token == NULL || strlen(token) > LIMIT_TOKEN_TEXT ||
	    generation != (int64_t)s->o.identity->generation + 1 ||
	    reply_base64(data, "session", session, sizeof(session)) != 0 ||
	    statement_session(s->o.identity, s->login_next, session, s->key) != 0)
		return err_set(e, ERR_INVALID,
		               "the server's answer to the login cannot be read");
	s->o.identity->generation = (uint64_t)generation;
	session_rekey_promote(s);
	if (identity_save(s->o.settings->state_dir, s->o.identity, e) != ERR_OK)
		return err_wrap(e, "storing the identity");
	memcpy(s->token, token, strlen(token) + 1);
	s->token_epoch++;
	s->token_works = false;
	s->token_refresh_at =
		ttl > 0 ? backoff_renew_at(session_now(s), ttl, session_random()) : 0;
	session_alarm(s, data);
	s->phase = PHASE_SYNC;
	session_checkpoint(s, json_object_get(data, "checkpoint"));
	log_info("logged in", LOG_N("generation", generation));
	return ERR_OK;
}

static void login_failed(struct session *s, long status, const json_t *doc,
                         const struct err *e)
{
	if (status == 403 && !session_rekey_refused(s, doc))
		snprintf(s->alarm, sizeof(s->alarm), "the login was refused: %.150s",
		         e->msg);
	session_offline(s, 0, e->msg);
}

static bool refresh_due(struct session *s, int64_t now)
{
	if (s->phase == PHASE_READY && s->token_refresh_at != 0 &&
	    now >= s->token_refresh_at)
		session_login(s);
	return false;
}

/* What we hold, as the server sees it. */

static bool sync_due(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_SYNC;
}

static bool is_state(const json_t *item, const char *state)
{
	const char *is = reply_str(item, "state");

	return is != NULL && strcmp(is, state) == 0;
}

/* The vault lists what is alive. */
static void sync_item(struct session *s, const json_t *item)
{
	struct holding *h = session_find(s, reply_str(item, "path"));
	const char *id = reply_str(item, "lease_id");

	if (id == NULL)
		return;
	if (h == NULL)
		json_array_append_new(s->strays, json_incref((json_t *)(uintptr_t)item));
	else if (!is_state(item, "wiped"))
		session_grant(s, h, item);
}

static int sync_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	const json_t *data = json_object_get(doc, "data");
	const json_t *item;
	size_t i;

	for (i = 0; i < s->n_holdings; i++) {
		s->holdings[i].lease_id[0] = '\0';
		s->holdings[i].want_fetch = false;
	}
	json_array_clear(s->strays);
	json_array_foreach(json_object_get(data, "leases"), i, item) sync_item(s, item);
	session_release_strays(s);
	for (i = 0; i < s->n_holdings; i++)
		s->holdings[i].want_lease = s->holdings[i].lease_id[0] == '\0' &&
		                            !s->holdings[i].revoked;
	s->rev = reply_int(data, "rev", 0);
	session_alarm(s, data);
	session_pins(s, json_object_get(data, "pins"));
	session_prove(s, json_object_get(data, "checkpoint"));
	session_forget(s);
	session_remember(s);
	session_bind_again(s);
	session_swarm_again(s);
	s->phase = PHASE_READY;
	s->attempt = 0;
	s->error[0] = '\0';
	s->connected_at = s->kept_house_at = s->last_event_at = session_now(s);
	log_info("connected", LOG_N("rev", s->rev), LOG_N("secrets", s->n_holdings));
	return ERR_OK;
}

static void give_up(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                    const struct err *e)
{
	session_offline(s, 0, e->msg);
}

/* Leases. */

static bool leases_due(struct session *s, int64_t now UNUSED)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->phase == PHASE_READY && s->holdings[i].want_lease)
			return true;
	return false;
}

static json_t *leases_body(struct session *s)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].want_lease) {
			s->holdings[i].want_lease = false;
			json_array_append_new(paths, json_string(s->plan->paths[i].path));
		}
	return json_pack("{s:o}", "paths", paths);
}

/* The vault says that there is nothing for us here: what was in place goes. */
static void leases_refused(struct session *s, struct holding *h, const char *why,
                           int64_t rev)
{
	if (strncmp(h->error, why, sizeof(h->error) - 1) != 0)
		log_warn("no lease", LOG_S("path", session_path(s, h)),
		         LOG_S("why", why));
	snprintf(h->error, sizeof(h->error), "%s", why);
	session_end(s, h, END_REFUSED, rev);
}

/* What templates name is known by the vault's name for it from now on. */
static void learn_names(struct session *s, const json_t *leases)
{
	const json_t *item;
	struct err e = { 0 };
	size_t i;

	json_array_foreach(leases, i, item)
	{
		const char *asked = reply_str(item, "asked"),
			   *path = reply_str(item, "path");

		if (asked != NULL && path != NULL && reply_str(item, "error") == NULL &&
		    session_find(s, asked) != NULL &&
		    uses_name(s->o.uses, asked, path, &e) != ERR_OK)
			log_error("a secret's name is not remembered",
			          LOG_S("why", e.msg));
	}
	session_replan_used(s);
}

static int leases_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	const json_t *data = json_object_get(doc, "data");
	const json_t *leases = json_object_get(data, "leases"), *item;
	size_t i;

	session_prove(s, json_object_get(data, "checkpoint"));
	learn_names(s, leases);
	json_array_foreach(leases, i, item)
	{
		struct holding *h = session_find(s, reply_str(item, "path"));
		const char *why = reply_str(item, "error");

		if (h != NULL && why != NULL)
			leases_refused(s, h, why, reply_int(data, "rev", 0));
		else if (h != NULL)
			session_grant(s, h, item);
	}
	session_release_strays(s);
	return ERR_OK;
}

static void leases_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                          const struct err *e)
{
	snprintf(s->error, sizeof(s->error), "asking for leases: %.150s", e->msg);
	log_warn("asking for leases failed", LOG_S("why", e->msg));
}

static bool release_due(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_READY && json_array_size(s->release) > 0;
}

json_t *session_says(const struct session *s, const char *op, json_t *data)
{
	json_t *said = statement_make(s->o.identity, s->key, op, data);

	json_decref(data);
	return json_pack("{s:o}", "statement", said);
}

/* What we have heard of a lease: by a watch, or when it was granted after that. */
static int64_t release_rev(const struct session *s, const json_t *item)
{
	int64_t rev = reply_int(item, "rev", 0);

	return rev > s->rev ? rev : s->rev;
}

/* As far as we have heard of them: one that has changed since is another matter.  Those
 * of one revision at a time. */
static json_t *release_body(struct session *s)
{
	int64_t rev = release_rev(s, json_array_get(s->release, 0));
	json_t *ids = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(s->release, i, item)
	{
		if (i == LIMIT_AGENT_ITEMS || release_rev(s, item) != rev)
			break;
		json_array_append(ids, json_object_get(item, "id"));
	}
	s->releasing = json_array_size(ids);
	return session_says(s, "release",
	                    json_pack("{s:I, s:o}", "rev", (json_int_t)rev, "leases",
	                              ids));
}

static int release_done(struct session *s, const json_t *doc UNUSED, struct err *e UNUSED)
{
	while (s->releasing > 0 && json_array_remove(s->release, 0) == 0)
		s->releasing--;
	return ERR_OK;
}

static void release_failed(struct session *s, long status UNUSED,
                           const json_t *doc UNUSED, const struct err *e)
{
	log_warn("giving leases up was refused", LOG_S("why", e->msg));
	json_array_clear(s->release);
}

/* Values. */

bool session_takes_values(const struct session *s)
{
	return s->phase == PHASE_READY && witness_trusts(s->o.witness) &&
	       !session_unproven(s);
}

static bool fetch_due(struct session *s, int64_t now UNUSED)
{
	if (!session_takes_values(s))
		return false;
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].want_fetch)
			return true;
	return false;
}

/* Values are not kept: a file made of several secrets needs all of them in one reply,
 * however many that are. */
static void add_group(struct session *s, size_t path, json_t *ids)
{
	size_t group = s->plan->paths[path].group;

	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (s->plan->paths[i].group != group || h->lease_id[0] == '\0')
			continue;
		h->want_fetch = false;
		h->in_call = true;
		json_array_append_new(ids, json_string(h->lease_id));
	}
}

static json_t *fetch_body(struct session *s)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < s->n_holdings && json_array_size(ids) < FETCH_ITEMS; i++)
		if (s->holdings[i].want_fetch)
			add_group(s, i, ids);
	return json_pack("{s:o}", "leases", ids);
}

static int fetch_done(struct session *s, const json_t *doc, struct err *e)
{
	return session_deliver(s, s->on,
	                       json_object_get(json_object_get(doc, "data"), "items"), e);
}

static void fetch_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                         const struct err *e)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].in_call) {
			s->holdings[i].in_call = false;
			snprintf(s->holdings[i].error, SESSION_ERROR, "%.190s", e->msg);
		}
	log_warn("fetching failed", LOG_S("why", e->msg));
}

/* Acknowledgements: after the values, unless the oldest has waited long enough; and with
 * the next watch, unless one is under way. */

static bool ack_ready(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_READY && s->ack_since != 0 && s->watch.busy;
}

static bool ack_overdue(struct session *s, int64_t now)
{
	return s->phase == PHASE_READY && s->ack_since != 0 &&
	       now - s->ack_since >= ACK_COALESCE_MS;
}

static json_t *ack_data(struct session *s)
{
	static const char *const states[] = { [ACK_DELIVERED] = "delivered",
		                              [ACK_APPLIED] = "applied",
		                              [ACK_REJECTED] = "rejected",
		                              [ACK_WIPED] = "wiped" };
	json_t *acks = json_array(), *o;

	s->ack_since = 0;
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (h->ack == ACK_NONE)
			continue;
		h->ack_in_call = true;
		o = json_pack("{s:s, s:I, s:I, s:s}", "lease_id", h->ack_lease, "version",
		              (json_int_t)h->ack_version, "rev", (json_int_t)h->ack_rev,
		              "state", states[h->ack]);
		if (h->ack_detail[0] != '\0')
			json_object_set_new(o, "detail", json_string(h->ack_detail));
		json_array_append_new(acks, o);
	}
	o = json_pack("{s:o}", "acks", acks);
	if (s->o.witness->have)
		json_object_set_new(o, "checkpoint_size",
		                    json_integer((json_int_t)s->o.witness->last.size));
	return o;
}

static json_t *ack_body(struct session *s)
{
	return session_says(s, "ack", ack_data(s));
}

json_t *session_acks(struct session *s)
{
	return s->ack_since != 0 ? ack_body(s) : NULL;
}

void session_acks_heard(struct session *s)
{
	for (size_t i = 0; i < s->n_holdings; i++)
		if (s->holdings[i].ack_in_call) {
			s->holdings[i].ack_in_call = false;
			s->holdings[i].ack = ACK_NONE;
		}
}

static int ack_done(struct session *s, const json_t *doc UNUSED, struct err *e UNUSED)
{
	s->acks_alone = false;
	session_acks_heard(s);
	return ERR_OK;
}

static void ack_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                       const struct err *e)
{
	log_warn("an acknowledgement was refused", LOG_S("why", e->msg));
	s->acks_alone = false;
	session_acks_heard(s);
}

/* Renewal. */

static bool renew_due(struct session *s, int64_t now)
{
	for (size_t i = 0; s->phase == PHASE_READY && i < s->n_holdings; i++)
		if (s->holdings[i].renew_at != 0 && now >= s->holdings[i].renew_at)
			return true;
	return false;
}

static json_t *renew_body(struct session *s)
{
	int64_t now = session_now(s);
	json_t *ids = json_array();

	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		/* What is nearly due goes along: one call for many. */
		if (h->lease_id[0] == '\0' || h->renew_at == 0 ||
		    now + backoff_renew_early(h->ttl) < h->renew_at)
			continue;
		h->renew_at = now + backoff_renew_retry(h->ttl, session_random());
		json_array_append_new(ids, json_string(h->lease_id));
	}
	return json_pack("{s:o}", "leases", ids);
}

static void renew_item(struct session *s, const json_t *item)
{
	const char *id = reply_str(item, "lease_id"), *why = reply_str(item, "error");
	int64_t ttl = reply_int(item, "ttl_ms", -1);

	for (size_t i = 0; id != NULL && i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (strcmp(h->lease_id, id) != 0)
			continue;
		if (why == NULL && ttl >= 0) {
			session_ttl(s, h, ttl);
			continue;
		}
		s->counts.renew_failures++;
		snprintf(h->error, sizeof(h->error), "renewal: %.150s",
		         why != NULL ? why : "no answer");
		h->want_lease = true;
		h->renew_at = 0;
	}
}

static int renew_done(struct session *s, const json_t *doc, struct err *e UNUSED)
{
	const json_t *data = json_object_get(doc, "data");
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(data, "leases"), i, item) renew_item(s, item);
	return ERR_OK;
}

/* The audit log's tree heads. */

static bool proof_urgent(struct session *s, int64_t now UNUSED)
{
	return s->phase == PHASE_READY && s->checkpoint != NULL &&
	       (s->o.witness->suspect || s->prove) && !s->o.witness->alarm;
}

/* Before the next heartbeat brings one. */
static int64_t proof_every_ms(const struct session *s)
{
	return s->o.settings->heartbeat_ms - s->o.settings->heartbeat_ms / 11;
}

/* Each change makes a new head: with every heartbeat, rather than with every change.  A
 * long poll that is under way may bring it; between two of them is the time to ask. */
static bool proof_due(struct session *s, int64_t now)
{
	return s->phase == PHASE_READY && !s->watch.busy && s->checkpoint != NULL &&
	       !s->o.witness->alarm &&
	       (s->proved_at == 0 || now - s->proved_at >= proof_every_ms(s));
}

static void forget_checkpoint(struct session *s)
{
	s->proved_at = session_now(s);
	free(s->checkpoint);
	s->checkpoint = NULL;
	s->prove = false;
}

static int read_proof(const json_t *hashes, struct merkle_proof *out, struct err *e)
{
	const json_t *item;
	size_t i;

	json_array_foreach(hashes, i, item)
	{
		const char *hash = json_string_value(item);

		if (i >= MERKLE_PROOF_MAX || hash == NULL ||
		    text_unbase64(hash, strlen(hash), out->hash[i], 32) != 32)
			return err_set(e, ERR_INVALID,
			               "a consistency proof cannot be read");
		out->n = i + 1;
	}
	return ERR_OK;
}

/* Whoever passes requests on may have asked for another proof than we did.  What that
 * one shows says nothing about the log. */
static int begins_here(const struct link *l, const json_t *data, struct err *e)
{
	if (reply_int(data, "from", -1) == (int64_t)l->from)
		return ERR_OK;
	err_set(e, ERR_INTEGRITY,
	        "a proof begins at another record of the audit log than was asked");
	session_distrust(l->s, e);
	return ERR_INTEGRITY;
}

int session_proof(const struct link *l, const json_t *data, struct err *e)
{
	struct session *s = l->s;
	struct witness *w = s->o.witness;
	const char *text = reply_str(data, "checkpoint");
	struct merkle_proof proof = { 0 };
	bool overtaken = l->heard != s->heard, suspect = overtaken && w->suspect;
	bool hangs = s->prove || w->suspect;
	int rc;

	if ((rc = begins_here(l, data, e)) != ERR_OK ||
	    (rc = read_proof(json_object_get(data, "proof"), &proof, e)) != ERR_OK)
		return rc;
	if (text == NULL)
		return err_set(e, ERR_INVALID, "a consistency proof has no checkpoint");
	if (w->alarm || l->from != w->last.size) {
		session_checkpoint(s, json_object_get(data, "checkpoint"));
		return ERR_OK;
	}
	rc = witness_advance(w, text, &proof, e);
	if (rc != ERR_OK)
		log_error("the audit log's checkpoint was refused", LOG_S("why", e->msg));
	else if (hangs)
		session_remember(s);
	if (rc != ERR_OK && !w->alarm) /* it says nothing: what waits goes on waiting */
		return rc;
	s->cosign_news = s->cosign_news || hangs;
	w->suspect = w->suspect || suspect;
	if (!overtaken)
		forget_checkpoint(s);
	return ERR_OK;
}

static int proof_done(struct session *s, const json_t *doc, struct err *e)
{
	return session_proof(s->on, json_object_get(doc, "data"), e);
}

/* A refusal is nobody's word: an alarm that lasts needs the vault's own. */
static void proof_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                         const struct err *e)
{
	log_warn("no consistency proof", LOG_S("why", e->msg));
	if (s->prove) /* start over: what waits is not carried out */
		session_offline(s, 0, e->msg);
	forget_checkpoint(s);
}

/* clang-format off */
static const struct session_job jobs[] = {
	{ "refresh", NULL, NULL, NULL, false, false,
	  refresh_due, NULL, NULL, NULL },
	{ "challenge", "POST", "/v1/auth/host/challenge",
	  NULL, false, true,
	  challenge_due, challenge_body, challenge_done, give_up },
	{ "login", "POST", "/v1/auth/host/login",
	  "login", false, true,
	  login_due, login_body, login_done, login_failed },
	{ "cosign", "POST", "/v1/sys/agent/cosign",
	  NULL, false, false,
	  session_cosign_urgent, session_cosign_body, NULL, session_cosign_failed },
	{ "sync", "GET", "/v1/sys/agent/sync",
	  "sync", false, false,
	  sync_due, NULL, sync_done, give_up },
	{ "proof", "GET", "/v1/sys/agent/consistency?from=",
	  "consistency", false, false,
	  proof_urgent, NULL, proof_done, proof_failed },
	{ "ack", "POST", "/v1/sys/agent/ack",
	  NULL, false, false,
	  ack_overdue, ack_body, ack_done, ack_failed },
	{ "fetch", "POST", "/v1/sys/agent/fetch",
	  "fetch", true, false,
	  fetch_due, fetch_body, fetch_done, fetch_failed },
	{ "ack", "POST", "/v1/sys/agent/ack",
	  NULL, false, false,
	  ack_ready, ack_body, ack_done, ack_failed },
	{ "swarm-lead", "POST", "/v1/sys/agent/swarm/lead",
	  "swarm-lead", false, false,
	  session_swarm_lead_due, session_swarm_lead_body, session_swarm_lead_done,
	  session_swarm_lead_failed },
	{ "swarm-state", "POST", "/v1/sys/agent/swarm/state",
	  "swarm-state", false, false,
	  session_swarm_state_due, session_swarm_state_body, session_swarm_state_done,
	  session_swarm_state_failed },
	{ "swarm-plan", "POST", "/v1/sys/agent/swarm/plan",
	  "swarm-plan", false, false,
	  session_swarm_plan_due, session_swarm_plan_body, session_swarm_plan_done,
	  session_swarm_plan_failed },
	{ "swarm-fetch", "POST", "/v1/sys/agent/fetch",
	  "fetch", true, false,
	  session_swarm_fetch_due, session_swarm_fetch_body, session_swarm_fetch_done,
	  session_swarm_fetch_failed },
	{ "swarm-driver", "POST", "/v1/sys/agent/swarm/plan",
	  "swarm-plan", false, false,
	  session_driver_plan_due, session_driver_plan_body, session_driver_plan_done,
	  session_driver_plan_failed },
	{ "swarm-driver-fetch", "POST", "/v1/sys/agent/fetch",
	  "fetch", true, false,
	  session_driver_fetch_due, session_driver_fetch_body,
	  session_driver_fetch_done, session_driver_fetch_failed },
	{ "swarm-tasks", "POST", "/v1/sys/agent/swarm/tasks",
	  "swarm-tasks", false, false,
	  session_driver_tasks_due, session_driver_tasks_body,
	  session_driver_tasks_done, session_driver_tasks_failed },
	{ "bind", "POST", "/v1/sys/agent/bind",
	  "bind", false, false,
	  session_bind_due, session_bind_body, session_bind_done, session_bind_failed },
	{ "release", "POST", "/v1/sys/agent/release",
	  NULL, false, false,
	  release_due, release_body, release_done, release_failed },
	{ "leases", "POST", "/v1/sys/agent/leases",
	  "leases", false, false,
	  leases_due, leases_body, leases_done, leases_failed },
	{ "renew", "POST", "/v1/sys/agent/renew",
	  "renew", false, false,
	  renew_due, renew_body, renew_done, NULL },
	{ "proof", "GET", "/v1/sys/agent/consistency?from=",
	  "consistency", false, false,
	  proof_due, NULL, proof_done, proof_failed },
	{ "rekey", "POST", "/v1/auth/host/rekey",
	  NULL, false, false,
	  session_rekey_due, session_rekey_body, session_rekey_done,
	  session_rekey_failed },
	{ "report", "POST", "/v1/sys/agent/report",
	  NULL, false, false,
	  session_report_due, session_report_body, session_report_done,
	  session_report_failed },
	{ "cosign", "POST", "/v1/sys/agent/cosign",
	  NULL, false, false,
	  session_cosign_due, session_cosign_body, NULL, session_cosign_failed },
};
/* clang-format on */

const struct session_job *session_jobs(size_t *n)
{
	*n = ARRAY_LEN(jobs);
	return jobs;
}

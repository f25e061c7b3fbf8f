/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the two connections, and what all replies have in common. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "log.h"
#include "orders.h"
#include "rng.h"
#include "session_impl.h"
#include "text.h"

#define CALL_TIMEOUT_MS 20000

void session_offline(struct session *s, int retry_after, const char *why)
{
	int64_t delay = backoff_delay(s->attempt, session_random());
	int64_t now = session_now(s);

	if (s->phase == PHASE_REVOKED)
		return;
	if (retry_after > 0 && delay < (int64_t)retry_after * 1000)
		delay = (int64_t)retry_after * 1000;
	if (s->phase == PHASE_READY)
		session_cache_index(s);
	if (s->phase != PHASE_OFFLINE) {
		s->attempt++;
		s->retry_at = now + delay;
	}
	if (s->phase == PHASE_READY || strncmp(s->error, why, 190) != 0)
		log_warn("offline", LOG_S("why", why), LOG_N("retry_ms", delay));
	snprintf(s->error, sizeof(s->error), "%.190s", why);
	s->phase = PHASE_OFFLINE;
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		h->want_fetch = h->want_fetch || h->in_call;
		h->in_call = false;
		if (h->ack != ACK_NONE && s->ack_since == 0)
			s->ack_since = now;
	}
}

void session_login(struct session *s)
{
	if (s->phase == PHASE_REVOKED)
		return;
	s->token[0] = '\0';
	s->phase = PHASE_CHALLENGE;
}

/* The server showed another key than the one that was tried: try the next of the set, the
 * first round of them without a pause. */
static bool next_pin(const struct link *l)
{
	struct session *s = l->s;
	const struct pins *pins = &s->o.identity->pins;

	if (pins->n == 0 || memcmp(l->pin, pins->pin[s->pin], 32) != 0)
		return false;
	s->pin = (s->pin + 1) % pins->n;
	return ++s->pins_tried < pins->n;
}

/* A connection is made with exactly one pin, so that it is known which key answered. */
static int link_open(struct link *l, struct err *e)
{
	struct session *s = l->s;
	const struct pins *pins = &s->o.identity->pins;
	bool tls = strncmp(l->url, "https:", 6) == 0;
	char pin[PIN_TEXT_MAX];
	struct http_options o = { .base_url = l->url };

	if (tls && pins->n == 0)
		return err_set(e, ERR_USAGE, "no pin of the server's key is known");
	if (l->http != NULL && (!tls || memcmp(l->pin, pins->pin[s->pin], 32) == 0))
		return ERR_OK;
	http_free(l->http);
	if (tls) {
		memcpy(l->pin, pins->pin[s->pin], 32);
		pins_format(l->pin, pin);
		o.pin = pin;
	}
	l->http = http_new(&o, e);
	return l->http == NULL ? (int)e->code : ERR_OK;
}

int session_start(struct link *l, const struct session_call *call, http_done_fn done)
{
	struct session *s = l->s;
	struct err e = { 0 };
	int rc;

	if ((rc = link_open(l, &e)) == ERR_OK) {
		l->started = session_now(s);
		l->token_epoch = s->token_epoch;
		rc = http_multi_start(s->multi, l->http, call->method, call->path,
		                      call->anonymous ? NULL : s->token, call->body,
		                      call->timeout_ms, done, s, &e);
	}
	l->busy = rc == ERR_OK;
	if (rc != ERR_OK)
		session_offline(s, 0, e.msg);
	return rc == ERR_OK ? 0 : -1;
}

/* 403: perhaps the token is of a former life. */
void session_refused(struct link *l, const struct err *why)
{
	struct session *s = l->s;

	if (l->token_epoch != s->token_epoch || s->phase == PHASE_CHALLENGE ||
	    s->phase == PHASE_LOGIN)
		return;
	if (s->token_works) {
		session_login(s);
		return;
	}
	session_offline(s, 0, why->msg);
	s->token[0] = '\0';
}

static bool is_later(long status)
{
	return status == 429 || status >= 500;
}

/* The connection is gone, or the server is going: with it all other hosts come back. */
static void lost(const struct link *l, int retry_after, const char *why)
{
	struct session *s = l->s;
	bool watched = s->phase == PHASE_READY && l == &s->watch;

	session_offline(s, retry_after, why);
	if (watched)
		s->retry_at += backoff_lost(session_random());
}

json_t *session_reply(struct link *l, int rc, const struct http_reply *reply,
                      const struct err *e, bool *ok)
{
	struct session *s = l->s;
	struct err why = { 0 };
	json_t *doc;

	l->busy = false;
	*ok = false;
	if (rc != ERR_OK) {
		bool at_once = rc == ERR_VERIFY && next_pin(l);

		lost(l, 0, e->msg);
		if (at_once)
			s->retry_at = session_now(s);
		return NULL;
	}
	s->pins_tried = 0;
	*ok = reply->status >= 200 && reply->status < 300;
	doc = *ok && reply->len == 0 ? json_object()
	                             : reply_parse(reply->body, reply->len, &why);
	session_order(s, json_object_get(json_object_get(doc, "data"), "order"));
	if (*ok && doc != NULL) {
		contact_heard(&s->contact, session_now(s));
		session_cache_heard(s);
		s->token_works = s->token_works || l->token_epoch == s->token_epoch;
		return doc;
	}
	if (!*ok)
		(void)reply_error(reply->status, doc, &why);
	if (doc == NULL || is_later(reply->status)) {
		lost(l, reply->retry_after, why.msg);
		json_decref(doc);
		return NULL;
	}
	return doc;
}

void session_distrust(struct session *s, const struct err *why)
{
	s->disbelieved++;
	if (strncmp(s->distrust, why->msg, 190) != 0)
		log_error("the server is not believed", LOG_S("why", why->msg));
	snprintf(s->distrust, sizeof(s->distrust), "%.190s", why->msg);
}

void session_ask(struct link *l)
{
	const struct session *s = l->s;

	rng_bytes(l->nonce, sizeof(l->nonce));
	l->generation = s->o.identity->generation;
	l->rev = s->o.floor->rev;
	l->from = s->o.witness->last.size;
	l->heard = s->heard;
	memcpy(l->key, s->key, HOSTBOX_KEY);
}

/* The one that is asked before there is a session. */
static bool is_login(const char *op)
{
	return strcmp(op, "login") == 0;
}

json_t *session_said(struct link *l, const char *op, const json_t *data, struct err *e)
{
	struct session *s = l->s;
	const struct statement_expect want = session_expects(l, op);
	const char *text = reply_str(data, "statement");
	json_t *said = is_login(op) ? statement_open_signed(s->o.identity, text, &want, e)
	                            : statement_open(s->o.identity, text, &want, e);
	int64_t rev = reply_int(said, "rev", INT64_MAX);

	if (said != NULL && rev < l->rev) {
		err_set(e, ERR_INTEGRITY,
		        "the vault was set back from revision %lld to %lld: nothing is "
		        "taken or wiped until this host joins again",
		        (long long)l->rev, (long long)rev);
		json_decref(said);
		said = NULL;
		s->set_back = true;
	}
	if (said == NULL)
		session_distrust(s, e);
	else if (rev != INT64_MAX)
		floor_see(s->o.floor, rev);
	return said;
}

void session_remember(struct session *s)
{
	struct err e = { 0 };

	if (floor_save(s->o.floor, &e) != ERR_OK ||
	    witness_save(s->o.witness, &e) != ERR_OK)
		log_error("storing what the vault has said failed", LOG_S("why", e.msg));
}

/* What is acted on is what the vault said, where it has to say it. */
static int job_take(struct session *s, const struct session_job *job, const json_t *doc,
                    struct err *e)
{
	AUTO_JSON believed = NULL;
	json_t *said;

	if (job->done == NULL)
		return ERR_OK;
	if (job->op == NULL || job->each)
		return job->done(s, doc, e);
	said = session_said(s->on, job->op, json_object_get(doc, "data"), e);
	if (said == NULL)
		return (int)e->code;
	believed = json_pack("{s:o, s:O*}", "data", said, "auth",
	                     json_object_get(doc, "auth"));
	return believed != NULL ? job->done(s, believed, e)
	                        : err_set(e, ERR_NOMEM, "out of memory");
}

static void job_done(void *ctx, int rc, struct http_reply *reply, const struct err *e)
{
	struct session *s = ctx;
	const struct session_job *job = s->job;
	struct err why = { 0 };
	bool ok = false;
	AUTO_JSON doc = session_reply(s->on, rc, reply, e, &ok);

	s->job = NULL;
	if (doc != NULL && s->phase != PHASE_REVOKED) {
		if (!ok) {
			(void)reply_error(reply->status, doc, &why);
			if (reply->status == 403 && !job->anonymous)
				session_refused(s->on, &why);
			else if (job->failed != NULL)
				job->failed(s, reply->status, doc, &why);
		} else if (job_take(s, job, doc, &why) != ERR_OK) {
			session_offline(s, 0, why.msg);
		}
	}
}

/* In a box with the nonce of the answer: nobody asks for something else in our name. */
static json_t *asked(const struct session *s, const char *op, json_t *data)
{
	const struct statement_expect want = session_expects(s->on, op);
	json_t *said = statement_ask(s->o.identity, &want, data);

	json_decref(data);
	return json_pack("{s:o}", "statement", said);
}

/* What is sent, with a nonce in it if the answer is a statement. */
static json_t *job_body(struct session *s, const struct session_job *job, char *path,
                        size_t cap)
{
	char nonce[2 * STATEMENT_NONCE + 1];
	json_t *body;

	session_ask(s->on);
	text_hex(s->on->nonce, sizeof(s->on->nonce), nonce);
	body = job->body != NULL ? job->body(s) : NULL;
	if (body != NULL && job->op != NULL && !job->anonymous)
		body = asked(s, job->op, body);
	if (body != NULL || job->op == NULL)
		snprintf(path, cap, "%s", job->path);
	else if (strchr(job->path, '?') == NULL)
		snprintf(path, cap, "%s?nonce=%s", job->path, nonce);
	else /* it ends in '=': with the size that we have verified */
		snprintf(path, cap, "%s%llu&nonce=%s", job->path,
		         (unsigned long long)s->on->from, nonce);
	return body;
}

/* Between two long polls their connection does for everything: what an event leads to
 * costs no handshake.  A second one is for what comes up meanwhile. */
static bool start_job(struct session *s, const struct session_job *job)
{
	char path[256];
	struct link *on = s->on = s->watch.busy ? &s->api : &s->watch;
	json_t *body = job_body(s, job, path, sizeof(path));
	AUTO_TEXT text = body != NULL ? reply_text(body) : NULL;
	const struct session_call call = {
		.method = job->method,
		.path = path,
		.body = text,
		.timeout_ms = CALL_TIMEOUT_MS,
		.anonymous = job->anonymous,
	};

	json_decref(body);
	s->job = job;
	if (session_start(on, &call, job_done) == 0)
		return true;
	s->job = NULL;
	return false;
}

void session_pump(struct session *s)
{
	int64_t now = session_now(s);
	size_t n;
	const struct session_job *jobs = session_jobs(&n);

	if (s->phase == PHASE_REVOKED || s->stopping)
		return;
	session_carry_out(s);
	session_gates_gone(s);
	for (size_t i = 0; i < n && s->job == NULL; i++)
		if (jobs[i].due(s, now) && !start_job(s, &jobs[i]))
			return;
	if (s->phase == PHASE_READY && !s->watch.busy)
		session_watch_start(s);
	if (s->job == NULL)
		session_idle(s);
}

void session_order(struct session *s, const json_t *order)
{
	struct err e = { 0 };

	if (order == NULL || json_is_null(order))
		return;
	if (order_verify(s->o.identity, order, &e) != ERR_OK) {
		session_distrust(s, &e);
		return;
	}
	session_cache_end(s, NULL);
	if (files_wipe_all(s->o.files, &e) != ERR_OK)
		log_error("wiping on the vault's order failed", LOG_S("why", e.msg));
	else
		log_warn("wiped everything on the vault's order",
		         LOG_S("host", s->o.identity->name));
	session_swarm_wipe(s, "the host was revoked");
	s->wipes += (int64_t)s->n_holdings;
	for (size_t i = 0; i < s->n_holdings; i++)
		s->holdings[i] = (struct holding){ .revoked = true };
	s->token[0] = '\0';
	snprintf(s->error, sizeof(s->error), "the host was revoked");
	s->phase = PHASE_REVOKED;
}

void session_alarm(struct session *s, const json_t *data)
{
	const char *text = reply_str(data, "alarm");

	if (text != NULL && strncmp(s->alarm, text, 190) != 0)
		log_error("the server raises an alarm", LOG_S("alarm", text));
	snprintf(s->alarm, sizeof(s->alarm), "%.190s", text != NULL ? text : "");
}

/* The announced keys, after the one that this connection has proven: it stays first,
 * announced again or not. */
static struct pins announced(const struct session *s, const json_t *list)
{
	struct pins next = { 0 };
	const json_t *item;
	struct err e = { 0 };
	size_t i;

	(void)pins_add_raw(&next, s->on->pin);
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text != NULL && pins_add(&next, text, &e) != ERR_OK)
			log_warn("a pin was not taken", LOG_S("why", e.msg));
	}
	return next;
}

bool session_pins_differ(const struct session *s, const json_t *list)
{
	struct pins next = announced(s, list);

	return json_array_size(list) > 0 && strncmp(s->on->url, "https:", 6) == 0 &&
	       !pins_equal(&next, &s->o.identity->pins);
}

void session_pins(struct session *s, const json_t *list)
{
	struct identity *id = s->o.identity;
	struct err e = { 0 };

	if (!session_pins_differ(s, list))
		return;
	id->pins = announced(s, list);
	s->pin = 0;
	if (identity_save(s->o.settings->state_dir, id, &e) != ERR_OK)
		log_error("storing the server's pins failed", LOG_S("why", e.msg));
	else
		log_info("the server's pins changed", LOG_N("pins", (int64_t)id->pins.n));
}

void session_prove(struct session *s, const json_t *note)
{
	session_checkpoint(s, note);
	s->prove = s->checkpoint != NULL;
}

void session_checkpoint(struct session *s, const json_t *note)
{
	const char *text = json_string_value(note);
	struct err e = { 0 };

	if (text == NULL || s->o.witness->alarm)
		return;
	switch (witness_see(s->o.witness, text, &e)) {
	case WITNESS_ASK:
		free(s->checkpoint);
		s->checkpoint = strdup(text);
		s->heard++;
		break;
	case WITNESS_ALARM:
	case WITNESS_BAD:
		log_error("the audit log's checkpoint was refused", LOG_S("why", e.msg));
		break;
	case WITNESS_FIRST:
	case WITNESS_KNOWN:
		break;
	}
}

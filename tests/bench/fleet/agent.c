/* SPDX-License-Identifier: Apache-2.0 */
/* agent - what one simulated agent says and takes, in the order of agent/session_jobs.c.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "fleet.h"
#include "join.h"
#include "json.h"
#include "merkle.h"
#include "reply.h"
#include "rng.h"
#include "sealed.h"
#include "text.h"
#include "value.h"
#include "vault/version.h"

#define CALL_MS        20000
#define PROOF_EVERY_MS 50000
#define WATCH_S        55
#define WATCH_MS       65000
#define VALUES_MAX     16384
#define COMPLAINTS     20u
#define REQUEST_SPARE  512u

/* An answer; all of it is in the scratch arena, or lasts as long. */
struct answer {
	const struct reply *r;
	const struct value *doc, *data; /* ${data}: that of the envelope */
	const struct value *said;       /* the statement's data */
};

struct step_row {
	const char *method, *path;
	const char *op; /* of the statement in the answer */
	bool on_side, anonymous;
	/** body(a): what is sent, NULL: nothing; in the scratch arena. */
	struct value *(*body)(struct agent *a);
	/** done(a, answer, e): take the answer. */
	int (*done)(struct agent *a, const struct answer *in, struct err *e);
};

static const struct step_row steps[STEPS];

void agent_complain(const struct agent *a, const char *what, const char *why)
{
	static unsigned said;

	if (said++ < COMPLAINTS)
		fprintf(stderr, "fleet: agent %u: %s: %s\n", a->number, what, why);
}

void agent_init(struct agent *a, struct fleet *f, unsigned number)
{
	struct err e;

	a->f = f;
	a->number = number;
	a->checks = number % f->o.check_every == 0;
	a->main.agent = a->side.agent = a;
	identity_make_keys(&a->id);
	if (pins_add(&a->id.pins, f->o.pin, &e) != ERR_OK) {
		fprintf(stderr, "fleet: %s\n", e.msg);
		exit(2);
	}
}

static const unsigned char *pin_of(const struct agent *a)
{
	return a->id.pins.pin[0]; /* the only one until the join, and ours stays first */
}

/* ---- what comes: texts and numbers of statements ---- */

static bool take_text(const struct value *o, const char *key, char *out, size_t cap)
{
	const struct value *v = value_get(o, key);

	if (v == NULL || v->type != V_STRING || v->len >= cap)
		return false;
	memcpy(out, v->text, v->len);
	out[v->len] = '\0';
	return true;
}

/* NULL: there is none. */
static const char *text_in(const struct agent *a, const struct value *o, const char *key)
{
	return value_cstr_or(a->f->scratch, o, key, NULL);
}

static int unreadable(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "%s cannot be read", what);
}

/* The answer to a login is signed; only some agents look at that. */
static int read_login(struct agent *a, const unsigned char *p, size_t n,
                      const struct statement_expect *want, struct value **body,
                      struct err *e)
{
	if (a->checks)
		return statement_read_signed(&a->id, a->f->scratch, p, n, want, body, e);
	return n < STATEMENT_SIG ? unreadable(e, "an answer to a login")
	                         : value_decode(a->f->scratch, p + STATEMENT_SIG,
	                                        n - STATEMENT_SIG, body, e);
}

/* The statement's data. */
static int open_statement(struct agent *a, const char *op, const struct value *data,
                          const struct value **out, struct err *e)
{
	const struct statement_expect want = { op, a->nonce, a->generation, a->key };
	const struct value *text = value_get(data, "statement");
	size_t n = text != NULL && text->type == V_STRING ? text->len : 0;
	size_t cap = n / 4 * 3 + 3;
	unsigned char *p = arena_alloc(a->f->scratch, cap);
	struct value *body = NULL;
	long len = p != NULL && n > 0 ? text_unbase64(text->text, n, p, cap) : -1;
	int rc;

	if (len < 0)
		return unreadable(e, "a statement");
	if (a->step == STEP_LOGIN)
		rc = read_login(a, p, (size_t)len, &want, &body, e);
	else
		rc = statement_read(&a->id, a->f->scratch, p, (size_t)len, &want, &body,
		                    e);
	if (rc != ERR_OK)
		return rc;
	a->f->counts.checked++;
	*out = value_get(body, "data");
	return *out != NULL ? ERR_OK : unreadable(e, "a statement");
}

/* ---- the audit log ---- */

/* The size is the second line: good enough for who does not look at the signature. */
static uint64_t size_in(const char *note)
{
	const char *line = strchr(note, '\n');

	return line != NULL ? strtoull(line + 1, NULL, 10) : 0;
}

static void see_checkpoint(struct agent *a, const char *text, bool prove)
{
	struct note_checkpoint cp;
	struct err e = { 0 };

	if (text == NULL)
		return;
	if (!a->checks) {
		cp.size = size_in(text);
		a->ask_proof = a->has_head && cp.size != a->head.size;
		a->head.size = a->has_head ? a->head.size : cp.size;
		a->has_head = true;
	} else if (note_checkpoint_verify(text, strlen(text), &a->audit_key, &cp, &e) !=
	           ERR_OK) {
		a->f->counts.disbelieved++;
		agent_complain(a, "checkpoint", e.msg);
	} else if (!a->has_head) {
		a->head = cp;
		a->has_head = true;
	} else {
		a->ask_proof = cp.size != a->head.size;
	}
	a->prove = a->ask_proof && prove;
}

static void see_value_checkpoint(struct agent *a, const struct value *said, bool prove)
{
	see_checkpoint(a, value_to_cstr(value_get(said, "checkpoint"), a->f->scratch),
	               prove);
}

static int take_hashes(const struct value *list, struct merkle_proof *out)
{
	if (list == NULL || list->type != V_ARRAY || list->len > MERKLE_PROOF_MAX)
		return -1;
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		if (v->type == V_BYTES
		            ? v->len != 32
		            : text_unbase64(v->text, v->len, out->hash[out->n], 32) != 32)
			return -1;
		if (v->type == V_BYTES)
			memcpy(out->hash[out->n], v->text, 32);
		out->n++;
	}
	return 0;
}

static int proof_done(struct agent *a, const struct answer *in, struct err *e)
{
	const char *text = text_in(a, in->said, "checkpoint");
	struct merkle_proof proof = { 0 };
	struct note_checkpoint cp;

	a->ask_proof = a->prove = false;
	a->proved_at = a->f->now;
	if (!a->checks) {
		a->head.size = text != NULL ? size_in(text) : a->head.size;
		return ERR_OK;
	}
	if (text == NULL || take_hashes(value_get(in->said, "proof"), &proof) != 0)
		return unreadable(e, "a proof");
	if (note_checkpoint_verify(text, strlen(text), &a->audit_key, &cp, e) != ERR_OK)
		return (int)e->code;
	if (!merkle_check_consistency(a->head.size, cp.size, a->head.root, cp.root,
	                              &proof))
		return err_set(e, ERR_VERIFY, "the audit log was rewritten");
	a->head = cp;
	return ERR_OK;
}

/* ---- joining and logging in ---- */

static void name_of(const struct agent *a, char out[24])
{
	snprintf(out, 24, "fleet-%05u", a->number);
}

static void set_hex(struct agent *a, struct value *o, const char *key,
                    const unsigned char *p, size_t n)
{
	char *text = arena_alloc(a->f->scratch, 2 * n + 1);

	if (text == NULL)
		abort();
	text_hex(p, n, text);
	value_set_str(a->f->scratch, o, key, text);
}

static struct value *add_body(struct agent *a)
{
	struct value *o = value_object(a->f->scratch);
	char name[24];

	name_of(a, name);
	value_set_str(a->f->scratch, o, "name", arena_str(a->f->scratch, name));
	value_set_str(a->f->scratch, o, "role", a->f->o.role);
	return o;
}

static int add_done(struct agent *a, const struct answer *in, struct err *e)
{
	if (!take_text(in->data, "join_token", a->join_token, sizeof(a->join_token)))
		return unreadable(e, "a join token");
	a->added = true;
	return ERR_OK;
}

static struct value *join_body(struct agent *a)
{
	struct arena *m = a->f->scratch;
	struct value *o = value_object(m);
	char id[33];

	join_id(a->join_token, id);
	join_mac(a->join_token, &a->id, pin_of(a), a->join_mac);
	value_set_str(m, o, "join_id", arena_str(m, id));
	value_set_str(m, o, "agent_version", VAULT_VERSION);
	value_set_bytes(m, o, "sign_key", a->id.sign_pk, 32);
	value_set_bytes(m, o, "box_key", a->id.box_pk, 32);
	value_set_bytes(m, o, "mac", a->join_mac, 32);
	return o;
}

static int join_done(struct agent *a, const struct answer *in, struct err *e)
{
	AUTO_JSON doc = reply_parse(in->r->body, in->r->len, e);
	int rc;

	if (doc == NULL)
		return (int)e->code;
	rc = join_accept(a->join_token, &a->id, a->join_mac, json_object_get(doc, "data"),
	                 e);
	if (rc == ERR_OK)
		rc = note_key_parse(a->id.audit_key, strlen(a->id.audit_key),
		                    &a->audit_key, e);
	a->joined = rc == ERR_OK;
	if (a->joined)
		conn_close(&a->side);
	return rc;
}

static struct value *challenge_body(struct agent *a)
{
	struct value *o = value_object(a->f->scratch);

	set_hex(a, o, "host_id", a->id.host_id, 16);
	return o;
}

static int challenge_done(struct agent *a, const struct answer *in, struct err *e)
{
	const struct value *nonce = value_get(in->data, "nonce");

	if (nonce == NULL || nonce->type != V_STRING ||
	    text_unbase64(nonce->text, nonce->len, a->challenge, sizeof(a->challenge)) !=
	            (long)sizeof(a->challenge))
		return unreadable(e, "a challenge");
	a->challenged = true;
	return ERR_OK;
}

static struct value *login_body(struct agent *a)
{
	struct arena *m = a->f->scratch;
	unsigned char *sig = arena_alloc(m, 64);
	struct value *o = value_object(m);

	if (sig == NULL)
		abort();
	a->challenged = false;
	memcpy(a->nonce, a->challenge, sizeof(a->nonce));
	identity_sign_login(&a->id, false, a->challenge, pin_of(a), sig);
	value_set_int(m, o, "generation", (int64_t)a->id.generation);
	value_set_str(m, o, "agent_version", VAULT_VERSION);
	set_hex(a, o, "host_id", a->id.host_id, 16);
	value_set_bytes(m, o, "nonce", a->challenge, sizeof(a->challenge));
	value_set_bytes(m, o, "signature", sig, 64);
	return o;
}

static int login_done(struct agent *a, const struct answer *in, struct err *e)
{
	const struct value *session = value_get(in->said, "session");

	if (!take_text(value_get(in->doc, "auth"), "client_token", a->token,
	               sizeof(a->token)) ||
	    session == NULL || session->type != V_BYTES ||
	    session->len != STATEMENT_SESSION ||
	    statement_session(&a->id, false, (const unsigned char *)session->text,
	                      a->key) != 0)
		return unreadable(e, "an answer to a login");
	a->id.generation++;
	see_value_checkpoint(a, in->said, false);
	return ERR_OK;
}

/* ---- leases and values ---- */

static void hold(struct agent *a, const struct value *line)
{
	if (!take_text(line, "lease_id", a->lease, sizeof(a->lease)))
		return;
	a->lease_rev = value_int_or(line, "rev", 0);
	if (value_int_or(line, "version", 0) > a->version)
		a->want_fetch = true;
}

static int sync_done(struct agent *a, const struct answer *in, struct err *e UNUSED)
{
	const struct value *list = value_get(in->said, "leases");

	a->lease[0] = '\0';
	if (list != NULL && list->first != NULL)
		hold(a, list->first);
	a->want_lease = a->lease[0] == '\0';
	a->rev = value_int_or(in->said, "rev", 0);
	see_value_checkpoint(a, in->said, true);
	a->in_sync = true;
	a->attempt = 0;
	a->back_ns = fleet_ns();
	return ERR_OK;
}

static struct value *list_of_one(struct agent *a, const char *key, const char *text)
{
	struct value *o = value_object(a->f->scratch), *list = value_array(a->f->scratch);

	value_add(list, value_str(a->f->scratch, text));
	value_set(o, key, list);
	return o;
}

static struct value *lease_body(struct agent *a)
{
	a->want_lease = false;
	return list_of_one(a, "paths", a->f->o.path);
}

static int lease_done(struct agent *a, const struct answer *in, struct err *e)
{
	const struct value *list = value_get(in->said, "leases");

	if (list == NULL || list->first == NULL ||
	    value_get(list->first, "error") != NULL)
		return unreadable(e, "a lease");
	hold(a, list->first);
	see_value_checkpoint(a, in->said, true);
	return ERR_OK;
}

static struct value *fetch_body(struct agent *a)
{
	a->want_fetch = false;
	return list_of_one(a, "leases", a->lease);
}

static int open_value(struct agent *a, const struct value *item, struct err *e)
{
	const struct sealed_expect want = {
		.request = {"fetch", a->nonce, a->generation, a->key},
		.lease_id = a->lease,
		.path = a->f->o.path,
		.min_version = a->version,
	};
	struct sealed_value v = { .version = 0 };
	const char *text = text_in(a, item, "sealed");
	int rc = text != NULL ? sealed_open(&a->id, a->f->scratch, text, &want, &v, e)
	                      : unreadable(e, "a value");

	if (rc != ERR_OK)
		return rc;
	a->f->counts.checked++;
	a->version = v.version;
	return ERR_OK;
}

static int fetch_done(struct agent *a, const struct answer *in, struct err *e)
{
	const struct value *items = value_get(in->data, "items");
	const struct value *item = items != NULL ? items->first : NULL;
	int64_t version = value_int_or(item, "version", 0);

	if (version < a->version || version == 0)
		return err_set(e, ERR_INTEGRITY, "no value: %s",
		               value_cstr_or(a->f->scratch, item, "error",
		                             "it is older"));
	a->want_ack = true;
	return open_value(a, item, e);
}

static json_t *ack_said(const struct agent *a)
{
	struct arena *m = a->f->scratch;
	struct value *data = value_object(m), *list = value_array(m),
		     *one = value_object(m);

	value_set_str(m, one, "lease_id", a->lease);
	value_set_int(m, one, "version", a->version);
	value_set_int(m, one, "rev", a->lease_rev);
	value_set_str(m, one, "state", "applied");
	value_add(list, one);
	value_set(data, "acks", list);
	if (a->has_head)
		value_set_int(m, data, "checkpoint_size", (int64_t)a->head.size);
	return statement_say(&a->id, a->key, "ack", m, data);
}

static struct value *watch_body(struct agent *a)
{
	struct arena *m = a->f->scratch;
	struct value *o = value_object(m);
	AUTO_JSON ack = a->want_ack ? ack_said(a) : NULL;

	value_set_int(m, o, "since", a->rev);
	value_set_int(m, o, "wait", WATCH_S);
	value_set_int(m, o, "from", (int64_t)a->head.size);
	value_set_int(m, o, "values", VALUES_MAX);
	if (ack != NULL)
		value_set_str(m, o, "statement", arena_str(m, json_string_value(ack)));
	return o;
}

/* An answer with events or a proof is signed. */
static int watch_done(struct agent *a, const struct answer *in, struct err *e)
{
	struct answer news = *in;
	const struct value *list;
	int rc;

	a->want_ack = false;
	if (value_get(in->data, "statement") == NULL) {
		see_checkpoint(a, text_in(a, in->data, "checkpoint"), false);
		return ERR_OK;
	}
	if ((rc = open_statement(a, "watch", in->data, &news.said, e)) != ERR_OK)
		return rc;
	list = value_get(news.said, "events");
	for (const struct value *v = list != NULL ? list->first : NULL; v != NULL;
	     v = v->next) {
		if (value_is_str(value_get(v, "op"), "update"))
			hold(a, v);
		else
			return err_set(e, ERR_INTEGRITY, "an event that nobody caused");
	}
	a->rev = value_int_or(news.said, "rev", a->rev);
	if (value_get(news.said, "proof") == NULL)
		see_value_checkpoint(a, news.said, false);
	else if ((rc = proof_done(a, &news, e)) != ERR_OK)
		return rc;
	if (!a->want_fetch || value_get(in->data, "items") == NULL)
		return ERR_OK;
	a->want_fetch = false;
	return fetch_done(a, in, e);
}

static const struct step_row steps[STEPS] = {
	[STEP_ADD] = {"POST",  "/v1/sys/hosts/add",         NULL,          true,  false, add_body,
                      add_done										     },
	[STEP_JOIN] = { "POST", "/v1/auth/host/join",        NULL,          true,  true,  join_body,
                      join_done										    },
	[STEP_CHALLENGE] = { "POST", "/v1/auth/host/challenge",   NULL,          false, true,
                      challenge_body,								challenge_done},
	[STEP_LOGIN] = { "POST", "/v1/auth/host/login",       "login",       false, true,  login_body,
                      login_done										   },
	[STEP_SYNC] = { "GET",  "/v1/sys/agent/sync",        "sync",        false, false, NULL,
                      sync_done										    },
	[STEP_PROVE] = { "GET",  "/v1/sys/agent/consistency", "consistency", false, false,
                      NULL,									  proof_done    },
	[STEP_FETCH] = { "POST", "/v1/sys/agent/fetch",       NULL,          false, false, fetch_body,
                      fetch_done										   },
	[STEP_LEASE] = { "POST", "/v1/sys/agent/leases",      "leases",      false, false,
                      lease_body,								    lease_done    },
	[STEP_PROOF] = { "GET",  "/v1/sys/agent/consistency", "consistency", false, false,
                      NULL,									  proof_done    },
	[STEP_WATCH] = { "POST", "/v1/sys/agent/watch",       NULL,          false, false, watch_body,
                      watch_done										   },
};

/* ---- requests ---- */

static enum step next_step(const struct agent *a)
{
	const struct {
		bool due;
		enum step step;
	} order[] = {
		{!a->added,						   STEP_ADD      },
		{ !a->joined,						 STEP_JOIN     },
		{ a->challenged,					      STEP_LOGIN    },
		{ a->token[0] == '\0',					STEP_CHALLENGE},
		{ !a->in_sync,						STEP_SYNC     },
		{ a->ask_proof && a->prove,                                   STEP_PROVE    },
		{ a->want_fetch,					      STEP_FETCH    },
		{ a->want_lease,					      STEP_LEASE    },
		{ a->ask_proof && a->f->now - a->proved_at >= PROOF_EVERY_MS,
                 STEP_PROOF								 },
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (order[i].due)
			return order[i].step;
	return STEP_WATCH;
}

static void query_of(const struct agent *a, const char *nonce, char *out, size_t cap)
{
	switch (a->step) {
	case STEP_SYNC:
		snprintf(out, cap, "?nonce=%s", nonce);
		break;
	case STEP_PROVE:
	case STEP_PROOF:
		snprintf(out, cap, "?from=%llu&nonce=%s",
		         (unsigned long long)a->head.size, nonce);
		break;
	default:
		out[0] = '\0';
	}
}

/* The request as vault-agent writes it; the caller's (malloc). */
static char *write_request(const struct agent *a, const struct step_row *s,
                           const char *query, const struct jbuf *body, size_t *n)
{
	const char *token = a->step == STEP_ADD ? a->f->o.operator_token : a->token;
	size_t len = body->len, cap = REQUEST_SPARE + strlen(token) + len;
	char *out = malloc(cap);
	int used;

	if (out == NULL || body->failed)
		abort();
	used = snprintf(out, cap,
	                "%s %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	                "User-Agent: vault/" VAULT_VERSION "\r\n"
	                "Accept: application/json\r\nX-Vault-Request: true\r\n"
	                "%s%s%s",
	                s->method, s->path, query,
	                s->anonymous ? "" : "X-Vault-Token: ", s->anonymous ? "" : token,
	                s->anonymous ? "" : "\r\n");
	if (len > 0)
		used += snprintf(out + used, cap - (size_t)used,
		                 "Content-Type: application/json\r\n"
		                 "Content-Length: %zu\r\n\r\n%.*s",
		                 len, (int)len, body->p);
	else
		used += snprintf(out + used, cap - (size_t)used, "\r\n");
	*n = (size_t)used;
	return out;
}

/* What is asked goes into a box of the session. */
static struct value *asked(struct agent *a, const struct value *data)
{
	const struct statement_expect want = { a->step == STEP_FETCH ? "fetch" : "leases",
		                               a->nonce, a->generation, a->key };
	struct value *body = value_object(a->f->scratch);
	struct jbuf text = { .len = 0 };
	AUTO_JSON plain = NULL;
	AUTO_JSON said = NULL;

	json_write(&text, data);
	plain = json_loadb(text.p, text.len, 0, NULL);
	jbuf_free(&text);
	said = statement_ask(&a->id, &want, plain);
	if (said == NULL)
		abort();
	value_set_str(a->f->scratch, body, "statement",
	              arena_str(a->f->scratch, json_string_value(said)));
	return body;
}

void agent_go(struct agent *a)
{
	const struct step_row *s;
	char nonce[2 * STATEMENT_NONCE + 1], query[192], *request;
	struct jbuf text = { .len = 0 };
	struct value *body;
	size_t n;

	a->f->resting -= a->offline;
	a->offline = false;
	a->step = next_step(a);
	s = &steps[a->step];
	rng_bytes(a->nonce, sizeof(a->nonce));
	a->generation = a->id.generation;
	body = s->body != NULL ? s->body(a) : NULL;
	text_hex(a->nonce, sizeof(a->nonce), nonce);
	if (a->step == STEP_WATCH)
		value_set_str(a->f->scratch, body, "nonce", nonce);
	else if (a->step == STEP_FETCH || a->step == STEP_LEASE)
		body = asked(a, body);
	query_of(a, nonce, query, sizeof(query));
	if (body != NULL)
		json_write(&text, body);
	request = write_request(a, s, query, &text, &n);
	jbuf_free(&text);
	arena_reset(a->f->scratch);
	conn_send(s->on_side ? &a->side : &a->main,
	          s->on_side ? &a->f->o.api : &a->f->o.hosts, request, n,
	          a->step == STEP_WATCH ? WATCH_MS : CALL_MS);
	if (a->step == STEP_WATCH && a->want_ack) {
		a->acked = a->version;
		a->acked_ns = fleet_ns();
	}
}

bool agent_watches(const struct agent *a)
{
	return !a->offline && a->in_sync && a->step == STEP_WATCH;
}

/* As session_offline(). */
static void go_offline(struct agent *a, int retry_after)
{
	uint32_t rnd;
	int64_t delay;

	rng_bytes(&rnd, sizeof(rnd));
	delay = backoff_delay(a->attempt++, rnd);
	if (delay < (int64_t)retry_after * 1000)
		delay = (int64_t)retry_after * 1000;
	rng_bytes(&rnd, sizeof(rnd));
	if (a->in_sync)
		delay += backoff_lost(rnd);
	if (a->step == STEP_FETCH)
		a->want_fetch = true;
	if (a->step == STEP_LEASE)
		a->want_lease = true;
	a->retry_at = a->f->now + delay;
	a->f->resting += !a->offline;
	a->offline = true;
	a->in_sync = false;
	a->challenged = false;
	a->f->counts.offline++;
}

void agent_failed(struct agent *a, struct conn *c UNUSED, enum conn_end why)
{
	a->f->counts.ended[why]++;
	go_offline(a, 0);
}

/* What else than 200 is: a token that is no good any more, a server that is not ready, or
 * something that must not happen. */
static void on_refusal(struct agent *a, const struct reply *r)
{
	char why[256];

	snprintf(why, sizeof(why), "%s: %d: %.*s", steps[a->step].path, r->status,
	         (int)(r->len < 160 ? r->len : 160), r->body);
	if (r->status != 429 && r->status < 500)
		agent_complain(a, "refused", why);
	if (r->status == 403 && a->step > STEP_LOGIN)
		a->token[0] = '\0';
	go_offline(a, r->retry_after);
}

static int take(struct agent *a, const struct reply *r, struct err *e)
{
	const struct step_row *s = &steps[a->step];
	struct answer in = { .r = r };
	struct value *doc = NULL;
	int rc;

	if (r->len > 0 &&
	    (rc = json_parse(a->f->scratch, r->body, r->len, &doc, e)) != ERR_OK)
		return rc;
	in.doc = doc;
	in.data = value_get(doc, "data");
	if (s->op != NULL &&
	    (rc = open_statement(a, s->op, in.data, &in.said, e)) != ERR_OK)
		return rc;
	return s->done(a, &in, e);
}

void agent_reply(struct agent *a, struct conn *c UNUSED, const struct reply *r)
{
	struct err e = { 0 };

	a->f->counts
		.answered[r->status >= 100 && r->status < 600 ? r->status / 100 : 0]++;
	if (r->status < 200 || r->status >= 300) {
		on_refusal(a, r);
	} else if (take(a, r, &e) != ERR_OK) {
		a->f->counts.disbelieved++;
		agent_complain(a, steps[a->step].path, e.msg);
		go_offline(a, 0);
	} else {
		agent_go(a);
	}
	arena_reset(a->f->scratch);
}

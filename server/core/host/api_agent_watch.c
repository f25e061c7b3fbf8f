/* SPDX-License-Identifier: Apache-2.0 */
/* api_agent_watch - the long poll: a host hears of changes within milliseconds. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api_agent.h"
#include "arena.h"
#include "audit.h"
#include "audit_search.h"
#include "auth_token.h"
#include "binding.h"
#include "kv_folder.h"
#include "swarm.h"
#include "text.h"
#include "vault/limits.h"

#define WAIT_DEFAULT_S 55
#define VALUES_MAX     (16 * 1024) /* bytes, whoever asks for more */
#define VALUES_N       16  /* that are opened for one answer, whether they fit or not */
#define VALUE_MIN      256 /* bytes: no box with a value is smaller */

void agent_digest(const struct leases *ls, unsigned char out[AGENT_DIGEST])
{
	crypto_generichash_state h;
	char line[2 * LEASE_ID + 32];

	(void)crypto_generichash_init(&h, NULL, 0, AGENT_DIGEST);
	for (size_t i = 0; i < ls->n; i++) {
		if (!lease_alive(&ls->at[i]))
			continue;
		text_hex(ls->at[i].o.id, LEASE_ID, line);
		snprintf(line + 2 * LEASE_ID, sizeof(line) - 2 * LEASE_ID, ":%lld\n",
		         (long long)ls->at[i].target);
		(void)crypto_generichash_update(&h, (const unsigned char *)line,
		                                strlen(line));
	}
	(void)crypto_generichash_final(&h, out, AGENT_DIGEST);
}

void agent_status(struct req *r, const struct host *h, struct value *data)
{
	const struct value *last = h->alarms->last;

	value_set(data, "pins", host_pins(r->core, r->a));
	value_set_int(r->a, data, "server_time_ms", r->core->now_ms);
	if (last != NULL && value_is_str(value_get(last, "kind"), ALARM_CLONE))
		value_set_str(r->a, data, "alarm", ALARM_CLONE);
}

static int64_t head_size(struct req *r)
{
	const char *key;

	return audit_head(r->core, r->a, &key);
}

int agent_proof(struct req *r, int64_t from, struct value *data)
{
	struct value *proof = value_array(r->a);
	int rc;

	if (from <= head_size(r) &&
	    (rc = audit_consistency(r->core, r->a, from, &proof, &r->e)) != ERR_OK)
		return rc;
	value_set_int(r->a, data, "from", from);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	value_set(data, "proof", proof);
	return ERR_OK;
}

const struct field agent_watch_fields[] = {
	{"since",      "int",    "revision that the agent has seen"                  },
	{ "wait",      "int",    "seconds to wait for a change"                      },
	{ "from",      "int",    "size of the audit log that the agent has verified" },
	{ "values",    "int",    "so many bytes of values may come with their events"},
	{ "statement", "string", "what the host acknowledges, base64"                },
	{ "nonce",     "string",
         "64 hex digits that the agent chose: the answer covers them"                },
	{ NULL,        NULL,     NULL						},
};

struct watch {
	int64_t since, wait_s;
	int64_t from;   /* size of the log that the agent has verified; 0: not said */
	int64_t values; /* bytes of them that may come along */
	int64_t alarms; /* alarms that the host had when the watch began */
	struct host_asked asked;
};

/* What has been put in place since the last watch.  It is taken before the wait begins,
 * and the record of that says so; a request that waits keeps none of it. */
static int take_acks(struct req *r, struct host *h)
{
	struct value *said = value_get(r->body, "statement");
	struct arena *own = r->a;
	const struct value *data;
	int rc;

	if (said == NULL)
		return ERR_OK;
	if (said->len > LIMIT_WATCH_ACKS)
		return req_fail(r, ERR_INVALID, "statement: at most %u bytes",
		                LIMIT_WATCH_ACKS);
	r->a = req_scratch(r);
	if ((rc = host_heard(r, h, "ack", &data)) == ERR_OK)
		rc = agent_take_acks(r, h, data);
	r->a = own;
	if (rc == ERR_OK) /* heard; parking keeps what is in the body */
		said->type = V_NULL;
	return rc;
}

static int take_watch(struct req *r, struct host *h, struct watch *w)
{
	bool present;
	int rc;

	w->since = w->from = w->values = 0;
	w->wait_s = WAIT_DEFAULT_S;
	w->alarms = value_int_or(h->alarms->last, "time", 0);
	if ((rc = host_asked(r, "watch", &w->asked)) != ERR_OK ||
	    (rc = req_int(r, "since", &w->since, &present)) != ERR_OK ||
	    (rc = req_int(r, "wait", &w->wait_s, &present)) != ERR_OK ||
	    (rc = req_int(r, "from", &w->from, &present)) != ERR_OK ||
	    (rc = req_int(r, "values", &w->values, &present)) != ERR_OK)
		return rc;
	if (w->values > VALUES_MAX)
		w->values = VALUES_MAX;
	if (w->wait_s < 0 || w->wait_s > LIMIT_WATCH_SECONDS || w->since < 0 ||
	    w->from < 0 || w->values < 0)
		return req_fail(
			r, ERR_INVALID,
			"wait: 0 to %u seconds; since, from, values: not negative",
			LIMIT_WATCH_SECONDS);
	return take_acks(r, h);
}

/* What is bound for the host's role has changed, or what it leads: the agent asks again.
 */
static struct value *ask_event(struct arena *a, const char *op, int64_t rev)
{
	struct value *v = value_object(a);

	value_set_str(a, v, "op", op);
	value_set_int(a, v, "rev", rev);
	return v;
}

/* What an answer brings. */
struct news {
	int64_t rev; /* that it covers */
	struct value *events;
	struct value *items; /* values, as fetch has them */
	struct value *given; /* which, for the audit record */
};

/* It has no value that could come along; who fetches it is told why. */
static bool has_none(int rc)
{
	return rc == ERR_NOENT || rc == ERR_DENIED || rc == ERR_INVALID ||
	       rc == ERR_TOO_BIG;
}

static bool may_have(const struct req *r, const struct host_role *role,
                     const struct lease *l)
{
	return lease_alive(l) && lease_left_ms(r->core, l) > 0 &&
	       host_role_allows(role->paths, l->path) &&
	       (!kv_is_folder(l->path) || kv_folder_is(r->core, l->path, l->o.tag));
}

/* If there is one, and room for it. */
static int collect_value(struct req *r, const struct agent_fetch *f, struct lease *l,
                         size_t *room, struct news *n)
{
	AUTO_ARENA a = arena_new(AGENT_SCRATCH);
	struct value *item = NULL;
	struct err why;
	int rc;

	if (a == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = agent_give(r, a, f, l, room, &item, &why);
	if (item != NULL) {
		value_add(n->items, item);
		value_add(n->given, agent_given(r, l));
	}
	if (rc == ERR_OK || has_none(rc))
		return ERR_OK;
	r->e = why;
	return rc;
}

/* Values come along with their events, where they are few and small: the host would ask
 * for them next.  What does not fit, or what a fetch would refuse, it asks for. */
static int collect_values(struct req *r, const struct host *h, const struct watch *w,
                          struct leases *ls, struct news *n)
{
	struct agent_fetch f = { .h = *h, .asked = w->asked };
	size_t room = (size_t)w->values, opened = 0;
	int rc = host_role_of(r->core, ls->a, h, &f.role, &r->e);

	f.asked.op = "fetch";
	for (size_t i = 0; rc == ERR_OK && i < ls->n && opened < VALUES_N; i++) {
		struct lease *l = &ls->at[i];

		if (room < VALUE_MIN)
			break;
		if (l->rev <= w->since || l->rev > n->rev || !may_have(r, &f.role, l))
			continue;
		rc = collect_value(r, &f, l, &room, n);
		opened++;
	}
	return rc;
}

/* What is newer than ${since}; the answer's revision covers all of it. */
static int collect(struct req *r, const struct host *h, const struct watch *w,
                   struct news *n)
{
	struct arena *scratch = req_scratch(r);
	int64_t since = w->since, bound, swarm;
	struct leases ls;
	int rc;

	if ((rc = lease_rev(r->core, scratch, false, &n->rev, &r->e)) != ERR_OK ||
	    (rc = leases_of_host(r->core, scratch, h->o.id, &ls, &r->e)) != ERR_OK ||
	    (rc = binding_role_rev(r->core, scratch, h->role, &bound, &r->e)) != ERR_OK ||
	    (rc = swarm_rev(r->core, scratch, h, &swarm, &r->e)) != ERR_OK)
		return rc;
	/* What this batch has changed stands in no signed head yet; its commit wakes us.
	 */
	if (r->core->rev_before >= 0 && n->rev > r->core->rev_before)
		n->rev = r->core->rev_before;
	/* A revision of the future: the server was restored from a backup. */
	if (since > n->rev)
		since = 0;
	for (size_t i = 0; i < ls.n; i++)
		if (ls.at[i].rev > since && ls.at[i].rev <= n->rev)
			value_add(n->events,
			          value_copy(r->a, lease_event(scratch, &ls.at[i])));
	if (n->events->len > 0 && w->values > 0)
		rc = collect_values(r, h, w, &ls, n);
	if (bound > since && bound <= n->rev)
		value_add(n->events, ask_event(r->a, "bind", bound));
	if (swarm > since && swarm <= n->rev)
		value_add(n->events, ask_event(r->a, "swarm", swarm));
	return rc;
}

static int record_start(struct req *r)
{
	const struct audit_record rec = {
		.request_id = r->request_id,
		.actor_type = "host",
		.actor = r->id.display_name,
		.accessor = r->id.accessor,
		.remote = r->remote,
		.operation = "watch-start",
		.path = r->path,
		.outcome = "ok",
		.error = "",
		.note = r->note, /* what it has acknowledged */
	};
	int rc = audit_append(r->core, &rec, &r->e);

	r->note = NULL;
	return rc;
}

/* An agent that says how much of the audit log it has verified gets the proof for the
 * rest: a heartbeat is one request, and what the agent puts in place or wipes stands in a
 * log that it knows, so that no earlier vault can take it back.  A reply with events or
 * a proof is a statement.  Where there is neither, it is a bell that did not ring: what
 * it says of pins the agent asks for again before it believes it. */
static int reply_watch(struct req *r, const struct host *h, const struct watch *w,
                       const struct news *n)
{
	bool proves = w->from > 0 && w->from != head_size(r);
	bool is_said = n->events->len > 0 || proves;
	struct value *data = is_said ? value_object(r->a) : reply_data(r);
	int rc;

	value_set_int(r->a, data, "rev", n->rev);
	value_set_int(r->a, data, "since", w->since);
	value_set(data, "events", n->events);
	req_note_int(r, "events", n->events->len);
	agent_status(r, h, data);
	if (n->items->len > 0) {
		value_set(reply_data(r), "items", n->items);
		value_set(r->note, "done", n->given);
	}
	if (!proves)
		value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	else if ((rc = agent_proof(r, w->from, data)) != ERR_OK)
		return rc;
	return is_said ? host_say(r, h, &w->asked, data) : ERR_OK;
}

/* The last word to a revoked host; its tokens have served their purpose. */
static int reply_order(struct req *r, const struct host *h)
{
	struct value *data = reply_data(r); /* instead of the refusal */

	reply_status(r, 200);
	value_set_int(r->a, data, "rev", 0);
	value_set(data, "events", value_array(r->a));
	value_set(data, "order", host_order(r->core, r->a, h, "wipe"));
	req_note_str(r, "order", "wipe");
	return token_revoke_host(r->core, r->a, h->o.id, &r->e);
}

static bool new_alarm(const struct watch *w, const struct host *h)
{
	return value_int_or(h->alarms->last, "time", 0) != w->alarms;
}

int agent_watch(struct req *r)
{
	struct watch *w = r->park_state;
	struct news n = { 0, value_array(r->a), value_array(r->a), value_array(r->a) };
	struct host h;
	int64_t deadline;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK)
		return rc;
	if (stop)
		return reply_order(r, &h);
	if (w == NULL) {
		w = arena_alloc(r->a, sizeof(*w));
		if (w == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = take_watch(r, &h, w)) != ERR_OK)
			return rc;
		r->park_state = w;
	}
	if ((rc = collect(r, &h, w, &n)) != ERR_OK)
		return rc;
	deadline = r->first_ms + w->wait_s * 1000;
	if (n.events->len > 0 || new_alarm(w, &h) || r->core->boot_ms >= deadline)
		return reply_watch(r, &h, w, &n);
	if (r->resumed == 0 && (rc = record_start(r)) != ERR_OK)
		return rc;
	return req_park(r, WAIT_HOST, h.o.id, deadline);
}

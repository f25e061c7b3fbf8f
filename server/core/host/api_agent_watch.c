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
#include "text.h"
#include "vault/limits.h"

#define WAIT_DEFAULT_S 55
#define SCRATCH        ((size_t)16 * 1024 * 1024)

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
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	value_set(data, "proof", proof);
	return ERR_OK;
}

const struct field agent_watch_fields[] = {
	{"since",  "int",    "revision that the agent has seen"                 },
	{ "wait",  "int",    "seconds to wait for a change"                     },
	{ "from",  "int",    "size of the audit log that the agent has verified"},
	{ "nonce", "string",
         "64 hex digits that the agent chose: the answer covers them"           },
	{ NULL,    NULL,     NULL					       },
};

struct watch {
	int64_t since, wait_s;
	int64_t from;   /* size of the log that the agent has verified; 0: not said */
	int64_t alarms; /* alarms that the host had when the watch began */
	struct host_asked asked;
};

static int take_watch(struct req *r, const struct host *h, struct watch *w)
{
	bool present;
	int rc;

	w->since = 0;
	w->from = 0;
	w->wait_s = WAIT_DEFAULT_S;
	w->alarms = value_int_or(h->alarms->last, "time", 0);
	if ((rc = host_asked(r, "watch", &w->asked)) != ERR_OK ||
	    (rc = req_int(r, "since", &w->since, &present)) != ERR_OK ||
	    (rc = req_int(r, "wait", &w->wait_s, &present)) != ERR_OK ||
	    (rc = req_int(r, "from", &w->from, &present)) != ERR_OK)
		return rc;
	if (w->wait_s < 0 || w->wait_s > LIMIT_WATCH_SECONDS || w->since < 0 ||
	    w->from < 0)
		return req_fail(r, ERR_INVALID,
		                "wait: 0 to %u seconds; since, from: not negative",
		                LIMIT_WATCH_SECONDS);
	return ERR_OK;
}

/* What is bound for the host's role has changed: the agent asks again. */
static struct value *bind_event(struct arena *a, int64_t rev)
{
	struct value *v = value_object(a);

	value_set_str(a, v, "op", "bind");
	value_set_int(a, v, "rev", rev);
	return v;
}

/* What is newer than ${since}; the answer's revision covers all of it. */
static int collect_events(struct req *r, const struct host *h, int64_t since,
                          struct value *events, int64_t *rev)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct leases ls;
	int64_t bound;
	int rc;

	if (scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = lease_rev(r->core, scratch, false, rev, &r->e)) != ERR_OK ||
	    (rc = leases_of_host(r->core, scratch, h->o.id, &ls, &r->e)) != ERR_OK ||
	    (rc = binding_role_rev(r->core, scratch, h->role, &bound, &r->e)) != ERR_OK)
		return rc;
	/* A revision of the future: the server was restored from a backup. */
	if (since > *rev)
		since = 0;
	for (size_t i = 0; i < ls.n; i++)
		if (ls.at[i].rev > since)
			value_add(events,
			          value_copy(r->a, lease_event(scratch, &ls.at[i])));
	if (bound > since)
		value_add(events, bind_event(r->a, bound));
	return ERR_OK;
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
	};

	return audit_append(r->core, &rec, &r->e);
}

/* A reply with events is a statement: the agent acts on it, and may have to wipe.  So is
 * one without to an agent that says how much of the audit log it has verified: it brings
 * the proof for the rest, and a heartbeat is one request.  Where there is nothing to
 * prove either, it is a bell that did not ring: what it says of pins the agent asks for
 * again before it believes it. */
static int reply_watch(struct req *r, const struct host *h, const struct watch *w,
                       struct value *events, int64_t rev)
{
	bool proves = events->len == 0 && w->from > 0 && w->from != head_size(r);
	bool is_said = events->len > 0 || proves;
	struct value *data = is_said ? value_object(r->a) : reply_data(r);
	int rc;

	value_set_int(r->a, data, "rev", rev);
	value_set(data, "events", events);
	req_note_int(r, "events", events->len);
	agent_status(r, h, data);
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
	struct value *events = value_array(r->a);
	struct host h;
	int64_t rev = 0, deadline;
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
	if ((rc = collect_events(r, &h, w->since, events, &rev)) != ERR_OK)
		return rc;
	deadline = r->first_ms + w->wait_s * 1000;
	if (events->len > 0 || new_alarm(w, &h) || r->core->boot_ms >= deadline)
		return reply_watch(r, &h, w, events, rev);
	if (r->resumed == 0 && (rc = record_start(r)) != ERR_OK)
		return rc;
	return req_park(r, WAIT_HOST, h.o.id, deadline);
}

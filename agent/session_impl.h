/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_IMPL_H
#define AGENT_SESSION_IMPL_H
/* session_impl - what the files of the module share; nobody else includes it. */
#include "clock.h"
#include "contact.h"
#include "http.h"
#include "pace.h"
#include "reply.h"
#include "report.h"
#include "session.h"
#include "session_apply.h"
#include "session_docker.h"
#include "session_swarm.h"
#include "statement.h"
#include "vault/limits.h"

#define SESSION_DETAIL 128u
#define SESSION_ERROR  200u

enum phase {
	PHASE_OFFLINE, /* until retry_at */
	PHASE_CHALLENGE,
	PHASE_LOGIN,
	PHASE_SYNC,
	PHASE_READY,
	PHASE_REVOKED, /* wiped by a signed order: nothing more to say */
};

/* Why the vault says that files have to go. */
enum ending { END_NONE, END_REVOKED, END_EXPIRED, END_REFUSED };

enum ack_state { ACK_NONE, ACK_DELIVERED, ACK_APPLIED, ACK_REJECTED, ACK_WIPED };

/* What the server said about one secret of the settings. */
struct holding {
	char lease_id[FILES_LEASE_ID_MAX]; /* "" if we hold none */
	int64_t version;                   /* the newest that the server has */
	int64_t rev; /* the newest of the lease that the vault has told us */
	int64_t issued, ttl, expires; /* boot clock; ttl 0: does not end */
	int64_t renew_at;
	enum ending ending; /* to be carried out, once the vault is known to be ours */
	int64_t end_rev;    /* revision of that word */
	bool revoked;       /* by the server: seldom asked for again */
	int64_t asked_at;   /* when it was revoked, or asked for since */
	bool want_lease;
	bool want_fetch;
	bool retry;          /* the last delivery failed for a reason that may pass */
	int64_t rejected;    /* the version that failed then */
	bool in_call;        /* part of the request that is under way */
	bool stale;          /* the lease ended while the server could not be reached */
	bool waits;          /* for another secret of its files: see error */
	bool gated;          /* in place, and not judged by all of its bindings */
	int64_t stale_since; /* boot clock */
	bool refill;         /* the value is wanted for the cache alone */
	enum ack_state ack;
	int64_t ack_version, ack_rev;
	char ack_lease[FILES_LEASE_ID_MAX];
	char ack_detail[SESSION_DETAIL];
	bool ack_in_call;
	char error[SESSION_ERROR]; /* the last, "" if none */
};

/* Of one binding. */
struct gate {
	unsigned open; /* the generation in place that waits for a verdict; 0: none */
};

/* One connection. */
struct link {
	struct session *s;
	const char *url;
	struct http_client *http;
	unsigned char
		pin[32]; /* the server's key that http insists on; zeros without TLS */
	bool busy;
	int64_t started;
	unsigned token_epoch; /* which token the request was made with */
	/* What an answer to the request has to be: see statement.h and floor.h. */
	unsigned char nonce[STATEMENT_NONCE];
	uint64_t generation;
	int64_t rev;
	uint64_t from;      /* size of the audit log that a proof in it begins at */
	int64_t since;      /* of a watch: revision that it goes on from */
	unsigned heard;     /* of the session, when it was sent */
	unsigned char *key; /* of the session; key memory, HOSTBOX_KEY */
};

struct session_job;

#define SESSION_BUCKETS 9u

/* What is counted since the start, for the metrics. */
struct session_counts {
	int64_t deliver[SESSION_BUCKETS + 1]; /* by how long they took; the rest */
	int64_t deliver_ms;                   /* all of them together */
	int64_t rejected, hook_failures, renew_failures;
};

struct session {
	struct session_options o;
	const struct clock *clock;
	int epoll_fd, timer_fd;
	struct http_multi *multi;
	struct link api, watch;
	const struct session_job *job; /* under way */
	struct link *on;   /* what the job goes over, or the last one went over */
	int64_t proved_at; /* when a proof was asked for last */
	enum phase phase;
	bool stopping;
	size_t pin;        /* index of the one that is tried, or worked last */
	size_t pins_tried; /* in a row, without success */
	bool settled;      /* what only the start needed was given back */
	unsigned attempt;
	int64_t retry_at;
	int64_t timer_at; /* what timer_fd is set to */
	unsigned char nonce[32];
	char *token;        /* key memory, LIMIT_TOKEN_TEXT + 1 */
	unsigned char *key; /* of the session that it is for; key memory, HOSTBOX_KEY */
	unsigned token_epoch;
	bool token_works;
	int64_t token_refresh_at;
	int64_t rev;
	int64_t connected_at, last_event_at;
	int64_t kept_house_at;
	int64_t pins_asked_at;   /* when a bell last made us ask for them */
	const struct plan *plan; /* *o.plan */
	size_t n_holdings;       /* as the plan's paths */
	struct holding *holdings;
	struct gate *gates; /* as the plan's bindings */
	struct session_apply *apply;
	struct session_docker *docker; /* NULL: there is no Engine */
	struct session_swarm *swarm;   /* NULL: not wanted */
	json_t *release;   /* [{id, rev}] leases that nobody wants, and what was heard of
	                      them; until we know that the vault has heard */
	size_t releasing;  /* of them, being said */
	json_t *strays;    /* leases that perhaps nobody wants: not all names are known */
	char *checkpoint;  /* one to ask a proof for, or NULL */
	unsigned heard;    /* how often there was one */
	bool prove;        /* something waits for that proof */
	int64_t ack_since; /* when the oldest ack was queued, 0 for none */
	bool acks_ride;    /* with the watch that is under way */
	bool acks_alone;   /* not with the next: one with them was refused */
	int64_t delivered_ms; /* how long the last event took to reach its files */
	int64_t wipes, deliveries;
	char error[SESSION_ERROR];
	struct settings started_with; /* what was opened and forked is after these */
	struct arena *settings_arena; /* of those in force; NULL: as at the start */
	struct err settings_error;    /* why others were not taken over */
	char alarm[SESSION_ERROR];    /* of the server, until it says otherwise */
	char distrust[SESSION_ERROR]; /* what was not believed; until we start again */
	int64_t disbelieved;          /* how often */
	unsigned hasty;    /* answers in a row that said nothing, and did not wait */
	bool rekey_wanted; /* by an operator */
	bool told_next;    /* the vault knows of the next keys */
	bool with_next;    /* log in with them */
	bool login_next;   /* the login under way does */
	int64_t rekey_at;  /* not before */
	struct session_counts counts;
	struct contact contact;
	struct cache *cache; /* NULL: not wanted so far, or broken */
	bool cache_broken;
	bool booted; /* it is decided whether the cache is needed to start */
	int64_t started_at;
	int64_t indexed_at; /* when the cache's index was written */
	struct report report;
	struct pace cosign_pace;
	bool cosign_news;  /* something hung on the newest head since */
	uint64_t cosigned; /* size of the newest head that was co-signed in this run */
	bool set_back;     /* the vault named a revision below one that it had named */
	bool told_larger;  /* a vault that did, or showed a smaller head, was told of ours
	                    */
};

/** session_now(s): the boot clock. */
int64_t session_now(const struct session *s);
/** session_random(): 32 random bits. */
uint32_t session_random(void);
/** session_pump(s): start what is due on both connections. */
void session_pump(struct session *s);
/** session_offline(s, retry_after, why): give up for now and come back after a while. */
void session_offline(struct session *s, int retry_after, const char *why);
/** session_login(s): the token is of no use: get another. */
void session_login(struct session *s);
/** session_order(s, order): obey a wipe order if it is genuine. */
void session_order(struct session *s, const json_t *order);
/** session_alarm(s, data): what the server warns of ("two agents with one identity"), or
 * that it no longer does. */
void session_alarm(struct session *s, const json_t *data);
/** session_distrust(s, why): something came that the vault did not say, or said long ago:
 * an alarm for good, since a network process that lies once cannot take it back. */
void session_distrust(struct session *s, const struct err *why);
/** session_ask(l): a fresh nonce for the next request on ${l}, of this login. */
void session_ask(struct link *l);
/** session_expects(l, op): what the answer to the request on ${l} has to be. */
static inline struct statement_expect session_expects(const struct link *l,
                                                      const char *op)
{
	return (struct statement_expect){ op, l->nonce, l->generation, l->key };
}
/** session_said(l, op, data, e): what the vault says in a reply, the caller's; NULL and
 * an alarm if it is not the vault, not now, or a vault of an earlier time. */
json_t *session_said(struct link *l, const char *op, const json_t *data, struct err *e)
	MUST_CHECK;
/** session_remember(s): store what the vault has said. */
void session_remember(struct session *s);
/** session_pins(s, pins): take over the announced keys, from a statement. */
void session_pins(struct session *s, const json_t *pins);
/** session_pins_differ(s, pins): are others announced than we know? */
bool session_pins_differ(const struct session *s, const json_t *pins);
/** session_checkpoint(s, note): look at a tree head. */
void session_checkpoint(struct session *s, const json_t *note);
/** session_prove(s, note): the same, and what came with it waits until the audit log was
 * proven to continue the one that we know: a vault that was set back can sign, too. */
void session_prove(struct session *s, const json_t *note);
/** session_proof(l, data, e): take the {from, checkpoint, proof} of a statement that
 * answers the request on ${l}; ERR_INTEGRITY if it begins elsewhere than was asked.  It
 * says nothing about a checkpoint that was heard after the request was sent: what waits
 * for that one's proof goes on waiting.  If another proof came in meanwhile, the
 * checkpoint is news like any other.  An error if it cannot be read; a log that
 * contradicts the known one raises the witness's alarm. */
int session_proof(const struct link *l, const json_t *data, struct err *e) MUST_CHECK;
/** session_unproven(s): is there something that waits for a proof? */
static inline bool session_unproven(const struct session *s)
{
	return s->prove && s->checkpoint != NULL;
}
/** session_refused(l, why): 403 for a request with a token: get another, unless that was
 * tried just now. */
void session_refused(struct link *l, const struct err *why);
/** session_idle(s): nothing is under way but the watch: give memory back. */
void session_idle(struct session *s);

/* One kind of request on the api connection; a row of a table, the most urgent first. */
struct session_job {
	const char *name;
	const char *method;
	const char *path;
	const char *op; /* of the statement that answers it; NULL: no such thing is needed
	                 */
	bool each;      /* there is a statement in each item */
	bool anonymous;
	bool (*due)(struct session *s, int64_t now);
	/** body(s): what is sent, and marks what it is about; NULL: none. */
	json_t *(*body)(struct session *s);
	int (*done)(struct session *s, const json_t *doc, struct err *e);
	/** failed(s, status, doc, e): the server refused; NULL: nothing to do. */
	void (*failed)(struct session *s, long status, const json_t *doc,
	               const struct err *e);
};
/** session_says(s, op, data): the body of what only the host can say; takes over
 * ${data}. */
json_t *session_says(const struct session *s, const char *op, json_t *data);
/** session_jobs(n): the table. */
const struct session_job *session_jobs(size_t *n);
/** session_start(l, call, done): start a request on a link that is not busy; else -1 and
 * the session is offline. */
struct session_call {
	const char *method;
	const char *path;
	const char *body; /* or NULL */
	long timeout_ms;
	bool anonymous;
};
int session_start(struct link *l, const struct session_call *call, http_done_fn done);

/** session_reply(l, rc, reply, e, ok): what every reply has in common: transport errors,
 * a dead token, a server that is not ready. Returns the document (the caller's) or NULL
 * when there is nothing more to do with it; *ok is true for 2xx, and then an empty body
 * is an empty object. */
json_t *session_reply(struct link *l, int rc, const struct http_reply *reply,
                      const struct err *e, bool *ok);

/** session_watch_start(s): the next long poll, if there is none. */
void session_watch_start(struct session *s);

/* Reports (session_report.c) and co-signatures (session_cosign.c): jobs, and when to come
 * again, or -1. */
bool session_report_due(struct session *s, int64_t now);
json_t *session_report_body(struct session *s);
int session_report_done(struct session *s, const json_t *doc, struct err *e);
void session_report_failed(struct session *s, long status, const json_t *doc,
                           const struct err *e);
int64_t session_report_next(struct session *s, int64_t now);
bool session_cosign_due(struct session *s, int64_t now);
bool session_cosign_urgent(struct session *s, int64_t now);
json_t *session_cosign_body(struct session *s);
void session_cosign_failed(struct session *s, long status, const json_t *doc,
                           const struct err *e);

/* Without the vault (session_offline.c, session_cache.c). */
/** session_lost(s, now): is the vault not heard any more? */
bool session_lost(const struct session *s, int64_t now);
/** session_expire_one(s, h, now): judge what nobody vouches for; when to come again, or
 * -1. */
int64_t session_expire_one(struct session *s, struct holding *h, int64_t now);
/** session_wall(s, boot_ms): the wall clock at that moment of the boot clock. */
int64_t session_wall(const struct session *s, int64_t boot_ms);
/** session_cache_put(s, h, v): keep what is being delivered, if a binding wants that. */
void session_cache_put(struct session *s, struct holding *h, const struct files_value *v);
/** session_cache_verdict(s, h, good): the newest was found good by all that use it, or
 * the one before is in place again. */
void session_cache_verdict(struct session *s, const struct holding *h, bool good);
/** session_cache_lacks(s, h): should more be kept of the secret than is? */
bool session_cache_lacks(struct session *s, const struct holding *h);
/** session_cache_end(s, path): the vault has taken it away (NULL: everything): it is
 * remembered before anything else, and never comes back from the cache. */
void session_cache_end(struct session *s, const char *path);
/** session_cache_sweep(s): remove what no binding wants kept. */
void session_cache_sweep(struct session *s);
/** session_cache_heard(s): there was a word of the vault; note that now and then. */
void session_cache_heard(struct session *s);
/** session_cache_index(s): note it now. */
void session_cache_index(struct session *s);
/** session_cache_boot(s, now): serve what is kept if the vault does not answer at the
 * start; when to come again, or -1. */
int64_t session_cache_boot(struct session *s, int64_t now);
void session_cache_free(struct session *s);

/** session_cache_reseal(s): with the newest key; false: not all of it. */
bool session_cache_reseal(struct session *s);

/* New keys (session_rekey.c). */
void session_rekey_start(struct session *s);
bool session_rekey_due(struct session *s, int64_t now);
json_t *session_rekey_body(struct session *s);
int session_rekey_done(struct session *s, const json_t *doc, struct err *e);
void session_rekey_failed(struct session *s, long status, const json_t *doc,
                          const struct err *e);
/** session_rekey_refused(s, doc): a login was refused: true if the other keys are to be
 * tried. */
bool session_rekey_refused(struct session *s, const json_t *doc);
/** session_rekey_promote(s): a login was answered: if it was made with the next keys,
 * they are the host's. */
void session_rekey_promote(struct session *s);
/** session_rekey_finish(s): what the last keys sealed is sealed again, and they go. */
void session_rekey_finish(struct session *s);

/** session_count_delivery(s, ms): a secret was put in place ${ms} after its event. */
void session_count_delivery(struct session *s, int64_t ms);

/** session_state(s, i): of the ${i}-th secret, a word. */
const char *session_state(const struct session *s, size_t i);
/** session_alarm_text(s): the gravest, "" if there is none. */
const char *session_alarm_text(const struct session *s);

/* Leases (session_leases.c). */
struct holding *session_find(struct session *s, const char *path);
/** session_grant(s, h, item): a lease as the server describes it: {lease_id, version,
 * ttl_ms}. */
void session_grant(struct session *s, struct holding *h, const json_t *item);
/** session_give_up(s, id, rev): nobody wants the lease any more, which was granted or
 * heard of at ${rev}. */
void session_give_up(struct session *s, const char *id, int64_t rev);
/** session_gave_up(s, id): was it said of the lease that nobody wants it, and perhaps
 * heard already?  Then it is none to rely on: another is asked for. */
bool session_gave_up(const struct session *s, const char *id);
void session_ttl(struct session *s, struct holding *h, int64_t ttl_ms);
void session_ack(struct session *s, struct holding *h, enum ack_state state,
                 const char *detail);
/** session_settled(s, h, id, version): is that version of the lease, or a newer one, in
 * place or known to be bad?  Then it is not fetched. */
bool session_settled(const struct session *s, const struct holding *h, const char *id,
                     int64_t version);
/** session_wipe(s, h, why): wipe the secret's files and say so. */
void session_wipe(struct session *s, struct holding *h, const char *why);
/** session_end(s, h, why, rev): the vault wants the secret's files gone since ${rev}. */
void session_end(struct session *s, struct holding *h, enum ending why, int64_t rev);
/** session_carry_out(s): let go what has to, unless a proof is outstanding or failed. */
void session_carry_out(struct session *s);
/** session_expire(s, now): judge what has ended; when to come again, or -1. */
int64_t session_expire(struct session *s, int64_t now);
/** session_refetch_drifted(s): ask again for what somebody else changed. */
void session_refetch_drifted(struct session *s);
/** session_deliver(s, l, items): open what answers the request on ${l}, write, switch,
 * queue the acks. */
int session_deliver(struct session *s, const struct link *l, const json_t *items,
                    struct err *e) MUST_CHECK;
/** session_takes_values(s): may values be put in place now? */
bool session_takes_values(const struct session *s);
/** session_acks(s): the body of a request that says the acknowledgements that are due,
 * and may say more; NULL: there are none.  session_acks_heard(s): the vault has them. */
json_t *session_acks(struct session *s);
void session_acks_heard(struct session *s);

/* Gates (session_gate.c). */
/** session_gate_open(s, binding, generation): it is in place, and a verdict will follow:
 * until then its secrets count as delivered.  Called from files_judge.placed, and at
 * start for a generation that was not judged. */
void session_gate_open(struct session *s, const char *binding, unsigned generation);
/** session_verdict(s, binding, generation, v, why): the verdict, after files_rollback()
 * if there was one. */
void session_verdict(struct session *s, const char *binding, unsigned generation,
                     enum apply_verdict v, const char *why);
/** session_gated(s, path): does a verdict on some file of the secret stand out? */
bool session_gated(const struct session *s, size_t path);
/** session_say(s, h): acknowledge what is in place, as it was judged. */
void session_say(struct session *s, struct holding *h);
/** session_gates_gone(s): secrets whose last open gate went without a verdict are said to
 * be as they are in the bindings that are left. */
void session_gates_gone(struct session *s);
/** session_gates(s, plan): the gates of another plan; NULL if out of memory. */
struct gate *session_gates(const struct session *s, const struct plan *plan) MUST_CHECK;

/** session_replan(s, e): make a plan of what is wanted now, and go over to it.  On
 * failure the one before stays. */
int session_replan(struct session *s, struct err *e) MUST_CHECK;
/** session_release_strays(s): give up leases that nobody wants, once it is known what all
 * names mean. */
void session_release_strays(struct session *s);
/** session_replan_used(s): the same if templates named others than before. */
void session_replan_used(struct session *s);
/** session_group_again(s, path): a secret was taken away: those that shared files with it
 * are delivered without. */
void session_group_again(struct session *s, size_t path);
/** session_grants(s, list, n, e): the bindings that the vault grants to containers of
 * this host, all of them: a new plan is made if there is any change, and they are kept
 * for the next start.  What cannot be used here is in the plan's refused.  On failure the
 * ones before stay. */
int session_grants(struct session *s, const struct grant *list, size_t n, struct err *e)
	MUST_CHECK;
/** session_reload(s): read the settings again; if they are no good nothing changes. */
void session_reload(struct session *s);
/** session_forget(s): what was remembered of secrets that are not wanted any more. */
void session_forget(struct session *s);
/** session_path(s, h): the secret's path. */
const char *session_path(const struct session *s, const struct holding *h);
static inline size_t session_index(const struct session *s, const struct holding *h)
{
	return (size_t)(h - s->holdings);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLEET_H
#define FLEET_H
/*
 * fleet - thousands of hosts' agents in one process, for one server.
 *
 * Each has an identity, a lease on one shared secret and a long poll over TLS, and asks
 * in the order in which vault-agent does, with the agent's own code for joins, logins,
 * statements, sealed values and backoff.  There are no files and no renewals: a run is
 * short.
 *
 * Real ones have processors of their own; these share the server's, and what they take of
 * them is in all that is measured.  So the program is lean where that costs the server
 * nothing: JSON is read by the server's parser, and only every n-th agent verifies the
 * signatures of checkpoints.  Each opens every statement and every value.
 */
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "identity.h"
#include "note.h"
#include "statement.h"
#include "token.h"
#include "vault/limits.h"

#define LEASE_ID_MAX 64u

struct fleet;
struct agent;

/* Why a request got no answer. */
enum conn_end {
	CONN_UNREACHABLE, /* refused, or cut */
	CONN_TIMEOUT,
	CONN_DISTRUSTED, /* another key than was pinned, or no TLS */
	CONN_ENDS
};

enum conn_state {
	CONN_NONE,
	CONN_CONNECT,
	CONN_HELLO,
	CONN_IDLE,
	CONN_SEND,
	CONN_RECEIVE
};

/* One TLS connection with at most one request under way (conn.c). */
struct conn {
	struct agent *agent;
	enum conn_state state;
	int fd;
	gnutls_session_t tls;
	uint32_t armed; /* events in the epoll set */
	char *out;      /* the request; malloc */
	size_t out_len, out_at;
	char *in; /* the reply as far as it has come; malloc */
	size_t in_len, in_cap;
	int64_t connect_by, reply_by; /* boot clock */
};

struct reply {
	int status;
	int retry_after; /* seconds, 0 if absent */
	const char *body;
	size_t len;
};

/* What an agent is about to do, in the order of importance. */
enum step {
	STEP_ADD, /* an operator makes the host known */
	STEP_JOIN,
	STEP_CHALLENGE,
	STEP_LOGIN,
	STEP_SYNC,
	STEP_PROVE, /* before anything is taken or let go */
	STEP_FETCH,
	STEP_LEASE,
	STEP_PROOF, /* when there is nothing better to do */
	STEP_WATCH,
	STEPS
};

struct agent {
	struct fleet *f;
	unsigned number;
	bool checks; /* verifies signatures, too */
	struct identity id;
	char join_token[TOKEN_TEXT_LEN + 1];
	unsigned char join_mac[32];
	bool added, joined, in_sync, offline;
	char token[LIMIT_TOKEN_TEXT + 1];
	unsigned char key[HOSTBOX_KEY]; /* of its session */
	unsigned char challenge[32];
	bool challenged;
	unsigned attempt;
	int64_t retry_at;
	/* the request that is under way */
	enum step step;
	struct conn main; /* to the hosts' port: the long poll, and calls between polls */
	struct conn side; /* to the API: joining */
	unsigned char nonce[STATEMENT_NONCE];
	uint64_t generation;
	/* the one secret */
	char lease[LEASE_ID_MAX];
	int64_t rev, lease_rev, version;
	bool want_lease, want_fetch, want_ack;
	int64_t acked;    /* newest version that the server was told we have */
	int64_t acked_ns; /* monotonic */
	int64_t back_ns;  /* when it was in sync last */
	/* the audit log */
	struct note_key audit_key;
	struct note_checkpoint head;
	bool has_head, ask_proof, prove;
	int64_t proved_at;
};

struct fleet_options {
	unsigned agents, in_flight, check_every;
	const char *role, *path, *pin;
	struct sockaddr_in api, hosts;
	const char *operator_token;
};

struct counts {
	uint64_t connections, requests, answered[6]; /* by hundreds of the status */
	uint64_t ended[CONN_ENDS], offline, disbelieved, checked;
};

struct fleet {
	struct fleet_options o;
	int epoll_fd;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	struct arena *scratch; /* of one reply */
	struct agent *agent;   /* o.agents */
	unsigned started;
	unsigned resting; /* are offline, until their time comes */
	bool enrol;
	struct counts counts;
	int64_t now; /* boot clock, ms */
};

/* conn.c */

/** conn_send(c, to, request, n, timeout_ms): send ${n} bytes, taken over (malloc), on an
 * open connection or a new one to ${to}.  Ends in agent_reply() or agent_failed(), never
 * from inside this call. */
void conn_send(struct conn *c, const struct sockaddr_in *to, char *request, size_t n,
               int64_t timeout_ms);
/** conn_event(c): its descriptor is ready. */
void conn_event(struct conn *c);
/** conn_check(c): is it late? */
void conn_check(struct conn *c);
/** conn_close(c): end it; a request that is under way is forgotten. */
void conn_close(struct conn *c);

/* agent.c */

/** agent_init(a, f, number): has not joined. */
void agent_init(struct agent *a, struct fleet *f, unsigned number);
/** agent_go(a): the next request. */
void agent_go(struct agent *a);
/** agent_reply(a, c, r): one came; ${r} is borrowed. */
void agent_reply(struct agent *a, struct conn *c, const struct reply *r);
/** agent_failed(a, c, why): none will. */
void agent_failed(struct agent *a, struct conn *c, enum conn_end why);
/** agent_watches(a): is its long poll all that is under way? */
bool agent_watches(const struct agent *a);
/** agent_complain(a, what, why): to standard error, for the first few. */
void agent_complain(const struct agent *a, const char *what, const char *why);

/* main.c */
int64_t fleet_ns(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_NET_H
#define SERVER_NET_NET_H
/*
 * net - what the files of the net role share: the role, its listeners, its connections.
 *
 * One thread, one epoll loop (role_net.c).  A connection carries one request at a time:
 * libmicrohttpd reads it (listener.c), it is checked (http_head.c), turned into a frame
 * (http_request.c), suspended until core answers (core_link.c), rendered (reply.c) and
 * sent. Deadlines are ours (deadline.c): libmicrohttpd knows inactivity only.
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "frame.h"
#include "json.h"
#include "rate.h"
#include "util.h"
#include "value.h"
#include "vault/ipc.h"

#define NET_LISTENERS_MAX    8u
#define NET_POOL_BYTES       (16u * 1024) /* libmicrohttpd's memory per connection */
#define NET_POOL_BYTES_HOSTS (4u * 1024)  /* agents' heads have about 600 bytes */
#define NET_BODIES_MAX                                                                   \
	(256u * 1024 * 1024)                 /* request bodies held at once, all clients \
	                                      */
#define NET_CORE_OUT_MAX (64u * 1024 * 1024) /* frames that wait for core */
#define NET_RESUME_MANY \
	1000u /* more suspended than this: resume in ticks, not one by one */
#define NET_RESUME_EACH 200u /* of them: a millisecond of a tick */
#define NET_WATCH_AFTER_MS                                           \
	1000 /* a request older than this is watched for disconnects \
	      */
#define NET_DRAIN_MS       14000
#define NET_DRAIN_POLLS_MS 1000 /* then long polls end, and who has asked nothing */

struct net;
struct conn;

/* What the upper half of an epoll event's data says; the lower half is an index. */
enum net_event { ON_CONTROL, ON_CONN, ON_LISTENER, ON_CORE };
#define NET_EVENT(kind, index) ((uint64_t)(kind) << 32 | (uint32_t)(index))

/* What a connection is doing; the order is the order of a request. */
enum conn_phase {
	CONN_IDLE, /* no request line yet */
	CONN_LINE, /* request line seen, headers not judged */
	CONN_BODY, /* headers accepted (or refused: answered when the body has been read)
	            */
	CONN_WAITING, /* suspended, core has the request */
	CONN_READY,   /* suspended, the answer is there */
	CONN_SENDING, /* libmicrohttpd has the answer */
};

/* Deadline classes: one FIFO list each, because within a class all wait equally long. */
enum conn_timer {
	TIMER_NONE,
	TIMER_RECEIVE, /* a whole request must have arrived */
	TIMER_IDLE,    /* the next request line must have arrived */
	TIMER_WATCH, /* waiting for core: from here on watch for the client going away */
	TIMER_SEND,  /* the reply must have been taken */
	TIMER_SEND_BIG,
	TIMER_HELD, /* answered, resumed with the next tick: listener_tick_ms() */
	TIMER__MAX
};

struct conn_list {
	struct conn *first;
	struct conn *last;
};

struct conn {
	struct net *net;
	struct listener *l;
	struct MHD_Connection *mhd;
	int fd; /* libmicrohttpd's; valid as long as the connection is */
	uint32_t slot;
	char remote[INET6_ADDRSTRLEN];
	unsigned char address[16]; /* v6 or v4-mapped; the key of the per-address limit */
	bool counted;              /* in the per-address table */
	bool loopback;
	enum conn_phase phase;
	/* deadline.c */
	enum conn_timer timer;
	int64_t since;
	struct conn *prev;
	struct conn *next;
	/* tls.c: what core is told of the client's certificate, encoded */
	unsigned char *client; /* NULL: there is none to tell of */
	size_t client_len;
	unsigned client_trust; /* the version of struct trust it was judged by, 0: not yet
	                        */
	bool watched; /* waiting, and for so long that its client may have gone */
	bool in_set;  /* our epoll set, once it was watched, as long as it lives */
	bool hung_up; /* the client has, as that set has told */
	bool gone;    /* the client went while core had the request */
	/* the request */
	char *target; /* raw request target, NUL-terminated */
	size_t target_len;
	size_t target_cap;
	const char
		*url; /* libmicrohttpd's copy: its address is what counts (http_head.c) */
	enum http_method method;
	bool chunked;
	bool help;
	const char *content_length; /* this and what follows: libmicrohttpd's memory */
	char *token;                /* wiped in place after use */
	size_t token_len;
	char *authorization;
	size_t authorization_len;
	const char *content_type;
	const char *wrap_ttl;
	const char *name_space;
	bool wants_text; /* of metrics: Accept names OpenMetrics */
	struct jbuf body;
	size_t body_max;
	size_t body_seen;
	uint64_t id; /* of the frame that core has, 0 if none */
	/* the answer */
	struct MHD_Response *response;
	unsigned status;
	bool text; /* plain, not JSON */
	bool big;  /* takes longer to send */
};

struct listener {
	struct net *net;
	struct MHD_Daemon *daemon;
	enum ipc_listener kind;
	bool is_unix;
	int fd;
	int epoll_fd;
	unsigned connections;
	unsigned suspended;
	bool resumes; /* somebody, with its next run */
	int64_t resumed_ms;
	bool run; /* MHD_run() is due */
};

/* The newest IPC_STATE, from which health, seal-status and leader are answered. */
struct core_state {
	bool known;
	bool initialized;
	bool sealed;
	bool recovery_seal;
	int64_t t;
	int64_t n;
	int64_t progress;
	char nonce[64];
	char type[32];
	char cluster_id[64];
	char cluster_name[128];
};

struct addr_table;
struct trust;
struct reject_table;

struct net {
	int ep;
	int control;
	enum ipc_listener kind; /* IPC_ON_API or IPC_ON_HOSTS: what the process serves */
	size_t body_max;
	size_t bodies;                  /* bytes of request bodies held now */
	struct rate_limit request_rate; /* of one address */
	struct rate_limit connection_rate;
	bool rate_loopback;     /* they hold for loopback and the Unix socket too */
	struct trust *trust;    /* who vouches for clients; NULL: nobody */
	unsigned trust_version; /* from 1 */
	bool has_spki;
	unsigned char spki[32];
	struct listener listener[NET_LISTENERS_MAX];
	unsigned listeners;
	/* connections by slot */
	struct conn **slot;
	struct MHD_Connection **mhd; /* likewise: dense, for listener_run() */
	uint32_t slots;
	uint32_t *free_slot;
	uint32_t free_slots;
	struct conn_list timers[TIMER__MAX];
	int64_t now; /* boot clock, read once a loop pass */
	struct addr_table *addresses;
	struct rate_table *requests;  /* by address: how many there have been */
	struct rate_table *connected; /* likewise */
	struct reject_table *rejected;
	int64_t told_ms, told_connections, told_suspended; /* what core was told last */
	/* core */
	struct frame_conn *core;
	bool core_out_armed;
	bool core_readable;
	bool welcomed;
	uint64_t seq;
	struct core_state state;
	struct arena *a; /* for one request or one reply; reset after each */
	/* end of life */
	bool ready_sent;
	bool draining;
	int64_t drain_ms;
	int exit_status; /* -1 while running */
};

/* deadline.c */
void timer_set(struct conn *c, enum conn_timer t);
/** timer_next(n): milliseconds until the next deadline, -1 if there is none. */
int timer_next(const struct net *n);
/** timer_expire(n): do what is due. */
void timer_expire(struct net *n);
/** conn_unwatch(c): it does not wait any more. */
void conn_unwatch(struct conn *c);
/** conn_hung_up(c): its client has: a request that waits, and is watched, is let go. */
void conn_hung_up(struct conn *c);
/** conn_cut(c): end the connection from our side; libmicrohttpd notices at its next turn.
 */
void conn_cut(struct conn *c);

/* listener.c */
int listener_start(struct net *n, int fd, bool is_unix, const char *cert, const char *key,
                   struct err *e) MUST_CHECK;
/** listener_open(l): accept from now on; until then clients wait in the backlog. */
void listener_open(struct listener *l);
void listener_stop(struct listener *l);
/** listener_quiesce(l): accept no more. */
void listener_quiesce(struct listener *l);
/** listener_resume(c): the answer is in ${c}; let libmicrohttpd go on, now or with the
 * next tick. */
void listener_resume(struct conn *c);
/** listener_run(l): let libmicrohttpd do what it has to. */
void listener_run(struct listener *l);
/** listener_tick_ms(n): how long resumed connections wait for company. */
int64_t listener_tick_ms(const struct net *n);
/** listener_flush_held(n): resume what waited for its tick. */
void listener_flush_held(struct net *n);

/* conn.c */
/** conn_of(mhd): ours of libmicrohttpd's; NULL if there was no memory for it. */
struct conn *conn_of(struct MHD_Connection *mhd);
struct conn *conn_new(struct listener *l, struct MHD_Connection *mhd);
void conn_free(struct conn *c);
/** conn_by_slot(n, slot): NULL if there is none. */
struct conn *conn_by_slot(const struct net *n, uint32_t slot);
/** conn_set_target(c, uri): remember the raw request target; false if out of memory. */
bool conn_set_target(struct conn *c, const char *uri);
/** conn_request_done(c): wipe and forget the request, whatever became of it. */
void conn_request_done(struct conn *c);
/** conn_wipe_credentials(c): wipe the token where libmicrohttpd keeps it; only while the
 * request lasts. */
void conn_wipe_credentials(struct conn *c);
/** conn_drop_body(c): wipe and release the request's body. */
void conn_drop_body(struct conn *c);

/* address.c: connections per address, and what was refused per address and reason */
struct addr_table *addr_table_new(void);
void addr_table_free(struct addr_table *t);
/** addr_key(sa, len, key): the v6 form of an address (a /64 for v6); false for a Unix
 * socket. */
bool addr_key(const struct sockaddr *sa, socklen_t len, unsigned char key[16]);
bool addr_is_loopback(const unsigned char key[16]);
/** addr_text(sa, len, out): the address as text, v4-mapped ones as v4, "unix" for a Unix
 * socket. */
void addr_text(const struct sockaddr *sa, socklen_t len, char out[INET6_ADDRSTRLEN]);
unsigned addr_count(const struct addr_table *t, const unsigned char key[16]);
bool addr_add(struct addr_table *t, const unsigned char key[16]);
void addr_remove(struct addr_table *t, const unsigned char key[16]);

struct reject_table *reject_table_new(void);
void reject_table_free(struct reject_table *t);
/** net_reject(n, address, reason): count a request or connection that core never saw;
 * ${reason} is a literal. */
void net_reject(struct net *n, const char *address, const char *reason);
/** reject_next(n): milliseconds until the counts are due, -1 if there are none. */
int reject_next(const struct net *n);
/** reject_flush(n): send what is due to core. */
void reject_flush(struct net *n);
/** stats_next(n), stats_flush(n): the same for the number of connections. */
int stats_next(const struct net *n);
void stats_flush(struct net *n);

/* http_head.c */
/**
 * head_check(c, method, url, version): judge the request line and headers of a request
 * whose target has been noted, and remember what later steps need.  NULL, or the
 * literal reason to refuse it and close the connection.
 */
const char *head_check(struct conn *c, const char *method, const char *url,
                       const char *version);
/** http_token(s, n): is it a token as in names of headers and methods? */
bool http_token(const char *s, size_t n);
/* http_request.c */
/**
 * request_begin(c, method): first look at an accepted head: path, method, sizes.  May
 * answer; false if the answer must go out before the body is read.
 */
bool request_begin(struct conn *c, const char *method);
/** known_namespace(c): does the request name the root namespace, or none? */
bool known_namespace(const struct conn *c);
/** request_body(c, p, n): take and wipe ${n} bytes of body; false: cut the connection. */
bool request_body(struct conn *c, char *p, size_t n);
/** request_dispatch(c): the request is whole: answer it or hand it to core
 * (CONN_WAITING). */
void request_dispatch(struct conn *c);

/* reply.c */
/** answer_errors(c, status, reason, text): {"errors":[text]} ([] for NULL); ${reason} (or
 * NULL) is counted. */
void answer_errors(struct conn *c, unsigned status, const char *reason, const char *text);
/** answer_rate(c, seconds): 429; ask again after so many seconds. */
void answer_rate(struct conn *c, int seconds);
/** answer_json(c, status, v): a bare document. */
void answer_json(struct conn *c, unsigned status, const struct value *v);
/** answer_reply(c, v): what core said. */
void answer_reply(struct conn *c, const struct value *v);
/**
 * reply_render(v, status, retry, out): the HTTP status and body of an IPC_REPLY; false if
 * it is not one or memory is short.
 */
bool reply_render(const struct value *v, unsigned *status, int *retry, struct jbuf *out);
/** reply_error_text(out, text): the body of answer_errors(). */
void reply_error_text(struct jbuf *out, const char *text);

/* status.c */
void state_store(struct core_state *s, const struct value *v);
/** status_answer(c, path, query): answer health, seal-status or leader; false for any
 * other path. */
bool status_answer(struct conn *c, const char *path, const struct value *query);

/* core_link.c */
/** core_attach(n, fd): a new core; takes ${fd}. */
int core_attach(struct net *n, int fd, struct err *e) MUST_CHECK;
/** core_lost(n): answer what it had, wait for the next. */
void core_lost(struct net *n);
/** core_read(n): read once, deliver every whole frame. */
void core_read(struct net *n);
/** core_flush(n): write what is queued. */
void core_flush(struct net *n);
/** core_send(c, v): queue a request frame for ${c}. */
int core_send(struct conn *c, const struct value *v) MUST_CHECK;
/** core_link_cancel(c): tell core that nobody waits any more, and forget the id. */
void core_link_cancel(struct conn *c);
/** core_up(n): is there a core that has greeted us? */
bool core_up(const struct net *n);

/* refusal.c */
/** refusal_init(e): once, before a listener is started. */
int refusal_init(struct err *e) MUST_CHECK;
/** refusal_needed(c): does the head leave libmicrohttpd so little memory that it could
 * not put the head of an answer together, and would close the connection without one? */
bool refusal_needed(const struct conn *c);
/** refusal_send(c, status): write an answer past libmicrohttpd, and end the connection:
 * the caller returns MHD_NO. */
void refusal_send(struct conn *c, unsigned status);
/** refusal_queue(mhd, status, r): MHD_queue_response() for our own answers. */
enum MHD_Result refusal_queue(struct MHD_Connection *mhd, unsigned status,
                              struct MHD_Response *r);

/* tls.c */
/** tls_begin(c): at the start of a TLS connection: ask for a certificate, bound what may
 * come. */
void tls_begin(struct conn *c);
/** tls_client(c): the IPC_RQ_CLIENT of a request, in the net's arena. */
struct value *tls_client(struct conn *c);
/** tls_forget(c): drop what is remembered of the client's certificate. */
void tls_forget(struct conn *c);
/** tls_trust(n, set): from now on these certificates vouch for clients (IPC_TRUST). */
void tls_trust(struct net *n, const struct value *set);

#endif

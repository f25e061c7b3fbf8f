/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_APPLY_IMPL_H
#define AGENT_APPLY_IMPL_H
/* apply_impl - what the files of the module share; nobody else includes it. */
#include "agent/settings.h"
#include "apply.h"

#define APPLY_LOOK_FIRST_MS 1000 /* after the first look at a health check */
#define APPLY_LOOK_EVERY_MS 2000
#define APPLY_RETRY_MS      1000  /* doubled each time for a command */
#define APPLY_CALL_MS       10000 /* a signal, a look */
#define APPLY_RESTART_MS    30000 /* the Engine kills after ten seconds */
#define APPLY_SLACK_MS      5000  /* for the look at the end of settle */

struct link;

struct cont {
	char *id;
	char *name;
	bool running;
	bool gone;
	int health;
	int64_t run, started_at;
	bool run_known;      /* run is that of this start, not of the one before */
	struct link *holder; /* is told, or watched, for this one */
	uint64_t call;       /* under way on it, 0 for none */
	int64_t told_at;     /* when the last reload ended, -1 for none */
	unsigned links;
};

enum link_state {
	LINK_IDLE,
	LINK_HELD,    /* the command on the host is under way for it */
	LINK_CALL,    /* it is being told */
	LINK_BACKOFF, /* telling it failed and is tried again at ${at} */
	LINK_WATCH,   /* it was told or has started: does it live with that? */
};

/* A binding in a container, or (c is NULL) the binding's command on the host. */
struct link {
	struct binding *b;
	struct cont *c;
	enum link_state state;
	bool stray;        /* the container does not use it any more */
	unsigned has;      /* generation that the application knows, 0: not known which */
	unsigned passed;   /* … that it was found to live with */
	unsigned telling;  /* in place when the call began */
	unsigned given_up; /* … that it could not be told */
	bool by_start;     /* … because it has started since, as far as we know */
	bool dirty;        /* it may know of one that was taken back */
	bool failed;
	bool revoke; /* on_revoke is to be done */
	unsigned tries;
	uint64_t call, look; /* tokens, 0 for none */
	bool revoking;       /* the call is for on_revoke */
	bool look_again;     /* something changed while we looked */
	int64_t at; /* BACKOFF, WATCH: what is next; IDLE with revoke: not before */
	int64_t give_up;
	int64_t watch_since;
	int64_t run; /* that is watched, 0: not seen yet */
	bool was_ill;
	int64_t told_at; /* the command on the host: as in struct cont */
	int64_t since;   /* of what the row says */
};

enum phase {
	PHASE_REST,
	PHASE_DEBOUNCE, /* until ${at} */
	PHASE_RUN,
	PHASE_UNDO, /* back at base; those that were told are told again */
};

struct binding {
	char *name;
	bool forgotten;
	struct policy {
		int reload, on_unhealthy, on_revoke;
		bool canary;
		int64_t timeout_ms, health_ms, settle_ms, debounce_ms, min_interval_ms,
			splay_ms;
	} policy;
	enum phase phase;
	unsigned current; /* in place, 0: nothing */
	unsigned base;    /* DEBOUNCE, RUN: before it */
	unsigned open;    /* the one whose verdict is owed, 0: none */
	unsigned rejected;
	bool store_due;
	bool retell;             /* as in the notes */
	char why[APPLY_WHY_MAX]; /* of ${rejected}, or RUN: it has failed */
	bool failed;             /* RUN: this round has to end */
	int64_t at;
	int64_t placed_at; /* when the generation got there */
	int64_t splay_at;
	int64_t blind_until; /* the Engine is away: patience ends; 0: it is not */
	struct link *host;
	struct link **links;
	size_t n_links, cap_links;
};

struct apply {
	struct apply_options o;
	bool known;
	bool progress; /* something changed that others may have waited for */
	uint64_t tokens;
	int64_t restored_at; /* what an earlier life told before is not known; -1: none */
	int64_t next;
	struct binding **bindings;
	size_t n_bindings, cap_bindings;
	struct cont **conts;
	size_t n_conts, cap_conts;
};

/* apply_link.c: one container. */

/** apply_want(a, at): be called again at ${at}. */
void apply_want(struct apply *a, int64_t at);
/** apply_clean(out, n, text): printable ASCII of it, cut to fit. */
void apply_clean(char *out, size_t n, const char *text);
/** apply_move(l, state, now): change the state, and let the container go when idle. */
void apply_move(struct link *l, enum link_state state, int64_t now);
/** apply_try(a, l, now): tell it, if that can be done now; false and apply_want() if
 * later. */
bool apply_try(struct apply *a, struct link *l, int64_t now);
/** apply_watch(l, now): begin to watch. */
void apply_watch(struct link *l, int64_t now);
/** apply_may_hold(l): is the container free for this link? */
bool apply_may_hold(const struct link *l);
/** apply_link_due(a, l, now): what its state wants now. */
void apply_link_due(struct apply *a, struct link *l, int64_t now);
/** apply_started(l, now): the container has started.  Its time may say later that it was
 * too early (apply_reassess()): the Engine was away, or the generation is newer. */
void apply_started(struct link *l, int64_t now);
void apply_reassess(struct link *l, int64_t now);
/** apply_ends(l): is the container about to be stopped?  It has what is in place when it
 * starts again. */
bool apply_ends(const struct link *l);
/** apply_is_older(l): does the container certainly run since before the generation in
 * place? */
bool apply_is_older(const struct link *l);
/** apply_abandon(b, now): nobody is interested in watching any more; calls go on. */
void apply_abandon(struct binding *b, int64_t now);

/* apply_round.c: one binding. */

/** apply_fail(l, why, now): it does not live with the generation, or could not be told:
 * the link is idle then. */
void apply_fail(struct link *l, const char *why, int64_t now);
/** apply_step(a, b, now): as far as it goes. */
void apply_step(struct apply *a, struct binding *b, int64_t now);
/** apply_supersede(a, b): give the verdict that is owed, without a judgement. */
void apply_supersede(struct apply *a, struct binding *b);
/** apply_needs(l): does the round wait for it? */
bool apply_needs(const struct link *l);

#endif

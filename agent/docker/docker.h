/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_DOCKER_H
#define AGENT_DOCKER_DOCKER_H
/*
 * docker - a client of the Docker Engine on the agent's loop.
 *
 * It speaks the Engine's HTTP API over its Unix socket: asks for the version and takes
 * the newest that both sides know (at least 1.41, Debian 12's docker.io; for a Swarm the
 * Engine's own newest), follows the events of containers, and makes calls.  When the
 * Engine goes away it comes back with growing delays; calls wait for it until their own
 * time is over.
 *
 * Whatever the Engine says is untrusted: sizes are bounded, types are looked at, nothing
 * is handed to a shell.  The one way by which a value of a secret passes is the body of
 * docker_request(), which is wiped.  One thread; callbacks come from docker_due() and
 * from inside libcurl: they may make calls of this module, which only queue, but use no
 * other http_multi_…() and free nothing.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define DOCKER_ID_MAX     64u          /* hex digits of a container's or exec's id */
#define DOCKER_OUTPUT_MAX (8u * 1024u) /* kept of what a command says */
#define DOCKER_CALLS_MAX  256u         /* waiting or under way */

struct clock;
struct docker;
struct http_multi;

struct docker_info {
	char api[16];     /* "1.41"; "" before the first connection */
	char version[32]; /* the Engine's own */
	bool userns;      /* ids in containers are shifted by what follows */
	uint32_t uid_base;
	uint32_t gid_base;
};

struct docker_event {
	const char *type;   /* "container"; of a Swarm: "service", "secret", "node" */
	const char *action; /* "create", "die", "health_status: healthy", … */
	const char *id;     /* of a container: DOCKER_ID_MAX hex digits; else a Swarm's */
	const char *name;   /* or NULL */
	const char *image;
	const json_t *attributes; /* labels, amid others; an object or NULL */
	int64_t time_ms;          /* wall time by the Engine's clock, 0 if unknown */
};

struct docker_options {
	const char *socket;       /* path */
	struct http_multi *multi; /* of the loop */
	const struct clock *clock;
	bool swarm; /* events of services, secrets and nodes instead of containers' */
	/** up(ctx): the Engine answers, again perhaps: whatever is known of containers is
	 * old.
	 */
	void (*up)(void *ctx);
	/** down(ctx, why): it does no longer. */
	void (*down)(void *ctx, const char *why);
	/** event(ctx, ev): borrowed for the call. */
	void (*event)(void *ctx, const struct docker_event *ev);
	void *ctx;
};

/** docker_new(o, out, e): strings are copied; nothing is sent before docker_due(). */
int docker_new(const struct docker_options *o, struct docker **out, struct err *e)
	MUST_CHECK;
/** docker_free(d): calls end without their callback; before http_multi_free(); NULL is
 * allowed. */
void docker_free(struct docker *d);

/** docker_due(d, now): do what is due by the boot clock, start calls that wait; when to
 * come again, or -1.  To be called before each sleep of the loop. */
int64_t docker_due(struct docker *d, int64_t now);

/** docker_is_up(d): is there an Engine that answers? */
bool docker_is_up(const struct docker *d);
/** docker_error(d): why there is none, or "". */
const char *docker_error(const struct docker *d);
/** docker_about(d): what the Engine said of itself; never NULL. */
const struct docker_info *docker_about(const struct docker *d);

/* How a call ended.  All is borrowed for the callback. */
struct docker_result {
	/* ERR_OK; ERR_NOENT: there is no such container; ERR_CONFLICT: it does not run;
	 * ERR_TIMEOUT, ERR_UNREACHABLE, ERR_INVALID, ERR_TOO_BIG, … */
	int rc;
	const struct err *e;
	long status;       /* of the reply, 0 if there was none */
	const json_t *doc; /* docker_inspect(), docker_request() that wants it */
	const char *text;  /* docker_request() that wants it: the same as it came */
	size_t text_len;
	long exit_code;     /* docker_exec(): of the command */
	const char *output; /* docker_exec(): what it said, NUL-terminated; not text of
	                       ours */
	size_t output_len;
	bool output_cut; /* it said more */
};
typedef void (*docker_done_fn)(void *ctx, const struct docker_result *r);
/* One container of a list. */
typedef void (*docker_item_fn)(void *ctx, const json_t *item);

/*
 * Calls.  ERR_OK: ${done} will be called once, after the function has returned; else it
 * never is (ERR_USAGE: an id or signal that is none, ERR_BUSY: too many calls).
 * ${timeout_ms} counts from now, waiting for the Engine included.
 */

/** docker_kill(d, id, signal, …): send a signal ("HUP", "SIGUSR1", "12") to the
 * container's first process.  That it was sent does not mean that it was heeded. */
int docker_kill(struct docker *d, const char *id, const char *signal, int64_t timeout_ms,
                docker_done_fn done, void *ctx, struct err *e) MUST_CHECK;
/** docker_restart(d, id, grace_s, …): stop (SIGKILL after ${grace_s}) and start. */
int docker_restart(struct docker *d, const char *id, int grace_s, int64_t timeout_ms,
                   docker_done_fn done, void *ctx, struct err *e) MUST_CHECK;
/** docker_stop(d, id, grace_s, …): one that does not run is ERR_OK. */
int docker_stop(struct docker *d, const char *id, int grace_s, int64_t timeout_ms,
                docker_done_fn done, void *ctx, struct err *e) MUST_CHECK;

struct docker_command {
	const char *const *argv; /* NULL-terminated; no shell */
	const char *const *env;  /* "NAME=value", NULL-terminated; or NULL */
	const char *user;        /* or NULL: the container's own */
};
/** docker_exec(d, id, c, …): run a command in the container; what it is given is copied.
 * ERR_OK whatever its exit status.  At ERR_TIMEOUT it may still run: the Engine has no
 * way to end it. */
int docker_exec(struct docker *d, const char *id, const struct docker_command *c,
                int64_t timeout_ms, docker_done_fn done, void *ctx, struct err *e)
	MUST_CHECK;

/** docker_inspect(d, id, …): everything about a container.  The Engine answers late while
 * the container is being started. */
int docker_inspect(struct docker *d, const char *id, int64_t timeout_ms,
                   docker_done_fn done, void *ctx, struct err *e) MUST_CHECK;
/** docker_list(d, ids, n, each, …): all containers, running or not, or those of ${ids};
 * ${each} is called for one after the other, then ${done}.  It does not wait for
 * containers that are being started.  ${each} may make no calls. */
int docker_list(struct docker *d, const char *const *ids, size_t n, docker_item_fn each,
                docker_done_fn done, void *ctx, struct err *e) MUST_CHECK;

/* A request of another kind. */
struct docker_query {
	const char *method;
	const char *path;    /* behind the version: "/services/x" */
	char *body;          /* JSON or NULL; taken over whatever happens, wiped */
	bool wants_doc;      /* the answer is an object, to be parsed and kept */
	docker_item_fn each; /* … or a list; NULL: none */
	bool whole;          /* of which no item may be left out, however long it is */
	int64_t timeout_ms;
};
/** docker_request(d, q, …): what fits none of the above; codes are those of the status.
 */
int docker_request(struct docker *d, const struct docker_query *q, docker_done_fn done,
                   void *ctx, struct err *e) MUST_CHECK;
/** docker_swarm_id_ok(s): can it be an id that a Swarm gives? */
bool docker_swarm_id_ok(const char *s);
/** docker_escape(s): percent-encoded for a query; the caller's, NULL if out of memory. */
char *docker_escape(const char *s) MUST_CHECK;

/** docker_forget(d, ctx): calls made with ${ctx} end without their callback. */
void docker_forget(struct docker *d, const void *ctx);

#endif

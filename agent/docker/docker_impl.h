/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_IMPL_H
#define AGENT_DOCKER_IMPL_H
/* docker_impl - what the files of the module share; nobody else includes it. */
#include "clock.h"
#include "docker.h"
#include "http.h"
#include "stream.h"

#define DOCKER_ACTIVE_MAX 16u                  /* calls under way at one time */
#define DOCKER_REPLY_MAX  (4u * 1024u * 1024u) /* an inspection can be long */
#define DOCKER_ITEM_MAX   (1024u * 1024u)
#define DOCKER_WHOLE_MAX  (16u * 1024u * 1024u) /* a Swarm takes 4 MiB at once */
#define DOCKER_EVENT_MAX  (64u * 1024u)
#define DOCKER_ERROR      200u

enum docker_state {
	DOCKER_DOWN,    /* until retry_at */
	DOCKER_VERSION, /* asking for it */
	DOCKER_INFO,
	DOCKER_UP, /* following the events */
};

enum call_step {
	CALL_PLAIN,
	CALL_CREATE, /* an exec, and start it, and ask for its exit code */
	CALL_START,
	CALL_EXITED,
};

/* One call, from the moment that it is made until its callback. */
struct docker_call {
	struct docker_call *next;
	struct docker *d;
	struct http_client *http; /* while under way, else NULL */
	enum call_step step;
	const char *method;
	char *path; /* behind the version */
	char *body; /* or NULL */
	int64_t deadline;
	int64_t not_before;
	docker_done_fn done; /* NULL: forgotten */
	void *ctx;
	docker_item_fn each; /* of a list */
	struct json_split split;
	bool wants_doc;
	bool whole; /* an item that cannot be read fails the list */
	bool odd;   /* there was one */
	char exec_id[DOCKER_ID_MAX + 1];
	unsigned asked; /* how often for the exit code */
	struct demux output;
};

struct docker {
	struct docker_options o;
	char *socket;
	enum docker_state state;
	unsigned attempt;
	int64_t retry_at;
	int64_t up_at;
	bool ctl_due;            /* the next request on ctl is to be started */
	struct http_client *ctl; /* version, info, then the events */
	struct json_split events;
	int64_t since_ms; /* the Engine's clock before the events began; 0 unknown */
	struct docker_info info;
	char error[DOCKER_ERROR];
	/* calls (docker_call.c) */
	struct docker_call *calls;
	size_t n_calls, n_active;
	struct http_client *idle[DOCKER_ACTIVE_MAX];
	size_t n_idle;
};

/** docker_client(d, e): a connection of its own for each request. */
struct http_client *docker_client(const struct docker *d, struct err *e) MUST_CHECK;
/** docker_path(d, path): "/v1.41" and ${path}; the caller's, NULL if out of memory. */
char *docker_path(const struct docker *d, const char *path) MUST_CHECK;
/** docker_refused(status, reply, e): what the Engine said, as an error; its code. */
int docker_refused(const struct http_reply *reply, struct err *e);
/** docker_parse(text, n): any JSON value, the caller's; NULL if it is none. */
json_t *docker_parse(const char *text, size_t n) MUST_CHECK;
/** docker_id_ok(s): 64 hex digits? */
bool docker_id_ok(const char *s);

/** calls_due(d, now): start, time out, clean up; when to come again, or -1. */
int64_t calls_due(struct docker *d, int64_t now);
void calls_free(struct docker *d);

/* The steps of an exec (docker_exec.c). */
/** exec_prepare(c, e): path, body and sink of the request that is next. */
int exec_prepare(struct docker_call *c, struct err *e) MUST_CHECK;
/** exec_step(c, reply, r, e): judge the reply of a step that succeeded; true: ${r} is the
 * end of it, false: go on with c->step at c->not_before. */
bool exec_step(struct docker_call *c, const struct http_reply *reply,
               struct docker_result *r, struct err *e) MUST_CHECK;
/** exec_data(ctx, p, n): takes a command's output. */
bool exec_data(void *ctx, const char *p, size_t n);

/** docker_call_new(d, timeout_ms, done, ctx, e): in no list yet. */
struct docker_call *docker_call_new(struct docker *d, int64_t timeout_ms,
                                    docker_done_fn done, void *ctx, struct err *e)
	MUST_CHECK;
/** docker_call_add(c): hand it over. */
void docker_call_add(struct docker_call *c);
/** docker_call_free(c): one that is in no list; NULL is allowed. */
void docker_call_free(struct docker_call *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_DOCKER_IMPL_H
#define AGENT_SESSION_DOCKER_IMPL_H
/* session_docker_impl - what session_docker.c, session_mount.c and session_grants.c
 * share.
 */
#include "agent/deliver/generation.h"
#include "session_docker.h"
#include "session_impl.h"

struct volumes;

/* A granted binding; there is one for each in *s->o.grants. */
struct bound {
	char name[GENERATION_NAME_MAX + 1];
	int64_t version;      /* 0: it was granted in an earlier life */
	json_t *containers;   /* ids that it was granted to; NULL: not known */
	int64_t unused_since; /* boot clock; 0: somebody asks for it */
};

struct session_docker {
	struct session *s;
	struct containers *table;
	struct volumes *volumes; /* or NULL */
	struct session_docker_listener l;
	json_t *names; /* of containers that the plan names */
	json_t *own;   /* names of bindings that the vault is not asked for */
	uint64_t changes;
	uint64_t noted; /* changes when it was last seen what is in use */
	bool known;     /* as the listener was told */
	/* What the vault says. */
	bool ask;                /* something changed since it was asked */
	int64_t ask_at;          /* not before */
	uint32_t asks, answered; /* how often it was, and the last that was taken over */
	json_t *answer;          /* waits for the proof, or NULL */
	struct bound *bound;
	size_t n_bound;
	json_t *refused; /* [{container, name, error}] */
	char error[SESSION_ERROR];
};

/** mount_open(d, e): serve volumes, if they are wanted. */
int mount_open(struct session_docker *d, struct err *e) MUST_CHECK;

/** bind_open(d, e): what was granted in an earlier life. */
int bind_open(struct session_docker *d, struct err *e) MUST_CHECK;
void bind_close(struct session_docker *d);
/** bind_changed(d, c, what): a container has. */
void bind_changed(struct session_docker *d, const struct container *c,
                  enum containers_change what);
/** bind_due(d, now): take over what was said, drop what nobody uses; when to come again,
 * or -1. */
int64_t bind_due(struct session_docker *d, int64_t now);
/** bind_refusal(d, binding): why the vault gives it to nobody who asks, or NULL. */
const char *bind_refusal(const struct session_docker *d, const char *binding);
/** bind_granted(d, c, binding): was it granted to that container? */
bool bind_granted(const struct session_docker *d, const struct container *c,
                  const char *binding);
/** bind_refused(d, c, binding): was it refused to that container? */
bool bind_refused(const struct session_docker *d, const struct container *c,
                  const char *binding);
/** bind_certain(d, binding): does the vault, in this life, say who has it? */
bool bind_certain(const struct session_docker *d, const char *binding);
/** bind_status(d, o): adds to the status. */
void bind_status(const struct session_docker *d, json_t *o);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_DOCKER_H
#define AGENT_SESSION_DOCKER_H
/*
 * session_docker - containers within the session's loop: the Docker Engine is followed,
 * volumes are served, and the vault is asked for the bindings that containers want.
 *
 * A container asks by its label vault.bind, or by mounting a volume of ours; what the
 * host's own file defines needs no asking.  What was granted is kept in the plan until
 * the vault takes it back, or until its last container has been gone for docker.unused.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/docker/containers.h"
#include "err.h"

struct docker;
struct session;
struct session_docker;

/** session_docker_open(s, e): before the sandbox closes: the plugin's socket is bound. */
int session_docker_open(struct session *s, struct err *e) MUST_CHECK;
/** session_docker_free(d): before the loop's http_multi; NULL is allowed. */
void session_docker_free(struct session_docker *d);

/** session_docker_due(s, now): do what is due; when to come again, or -1.  Containers are
 * told to the listener from here. */
int64_t session_docker_due(struct session *s, int64_t now);
/** session_docker_flush(s, now): start calls of the Engine that were made since; when to
 * come again, or -1.  Before each sleep of the loop. */
int64_t session_docker_flush(struct session *s, int64_t now);
/** session_docker_event(s, fd, events): take a descriptor's event; false: it is somebody
 * else's. */
bool session_docker_event(struct session *s, int fd, unsigned events);
/** session_docker_replan(s): another plan holds. */
void session_docker_replan(struct session *s);
/** session_docker_status(s): containers, what was granted and what refused; the caller's;
 * NULL without Docker. */
json_t *session_docker_status(const struct session *s) MUST_CHECK;

/* For whoever tells applications of changes. */
struct session_docker_listener {
	/** changed(ctx, c, what): as containers_options.changed. */
	void (*changed)(void *ctx, const struct container *c,
	                enum containers_change what);
	/** engine(ctx, known): are all containers known, after their changes were told?
	 */
	void (*engine)(void *ctx, bool known);
	/** uses(ctx): which bindings containers use may have changed. */
	void (*uses)(void *ctx);
	void *ctx;
};
/** session_docker_listen(s, l): from now on; copied; without Docker nothing is told. */
void session_docker_listen(struct session *s, const struct session_docker_listener *l);
/** session_docker_engine(s): for calls; NULL without Docker. */
struct docker *session_docker_engine(const struct session *s);
/** session_docker_table(s): of containers; NULL without Docker. */
struct containers *session_docker_table(const struct session *s);
/** session_container_uses(s, c, binding): does it have the binding's files: by a mount,
 * by its name in the settings, or by a label that was granted? */
bool session_container_uses(const struct session *s, const struct container *c,
                            const char *binding);

/** session_docker_changes(s): another number whenever something about containers that
 * concern us, or about what they have, may have changed. */
uint64_t session_docker_changes(const struct session *s);
/** session_report_secrets(s): [{path, containers: [{id, name, version, state}]}], the
 * caller's. */
json_t *session_report_secrets(const struct session *s) MUST_CHECK;

/* Asking the vault (session_grants.c): a row of the session's jobs. */
bool session_bind_due(struct session *s, int64_t now);
json_t *session_bind_body(struct session *s);
int session_bind_done(struct session *s, const json_t *doc, struct err *e);
void session_bind_failed(struct session *s, long status, const json_t *doc,
                         const struct err *e);
/** session_bind_again(s): something changed at the vault. */
void session_bind_again(struct session *s);

#endif

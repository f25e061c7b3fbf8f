/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_VOLUMES_H
#define AGENT_DOCKER_VOLUMES_H
/*
 * volumes - Docker volume plugin `vault`: a volume is a binding's directory.
 *
 *   docker run -v app:/run/secrets/app --volume-driver vault …
 *   docker volume create -d vault -o binding=app secrets
 *
 * Mounting waits until the binding's first generation is in place, so that a container
 * finds its files when it starts; after VOLUMES_WAIT_MS, or as soon as it is known that
 * there will be none, it fails with a text that says why.  The names of volumes are
 * remembered in state_dir.  Nothing is written or removed below run_dir.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "plugin.h"

#define VOLUMES_SOCKET  PLUGIN_SOCKET
#define VOLUMES_WAIT_MS 20000
#define VOLUMES_MAX     1024u

struct volumes;

enum volumes_answer { VOLUMES_LATER, VOLUMES_MOUNT, VOLUMES_NEVER };

struct volumes_ops {
	/** want(ctx, binding): somebody is about to use it; a number for judge(). */
	uint64_t (*want)(void *ctx, const char *binding);
	/** judge(ctx, volume, binding, wanted): may whoever mounts the ${volume} have its
	 * files now?  Asked again and again.  NULL: when they are ready. */
	enum volumes_answer (*judge)(void *ctx, const char *volume, const char *binding,
	                             uint64_t wanted);
	/** ready(ctx, binding): is a generation of it in place? */
	bool (*ready)(void *ctx, const char *binding);
	/** why(ctx, binding): why not, for the one who waited ("no such binding"); NULL
	 * is allowed, as function and as answer. */
	const char *(*why)(void *ctx, const char *binding);
	void *ctx;
};

struct volumes_options {
	const char *socket;    /* VOLUMES_SOCKET */
	const char *run_dir;   /* where bindings are, by Docker's view of the host */
	const char *state_dir; /* volumes.json */
	int64_t wait_ms;       /* 0: VOLUMES_WAIT_MS */
	struct volumes_ops ops;
};

/** volumes_listen(o, out, e): bind the socket (mode 0600), making its directory, and read
 * what is remembered; before the sandbox closes.  A stale socket is replaced, a live one
 * is ERR_BUSY. */
int volumes_listen(const struct volumes_options *o, struct volumes **out, struct err *e)
	MUST_CHECK;
void volumes_free(struct volumes *v);

/** volumes_attach(v, epoll_fd, e): from now on its events come to the loop. */
int volumes_attach(struct volumes *v, int epoll_fd, struct err *e) MUST_CHECK;
/** volumes_event(v, fd, events): true if ${fd} is one of its descriptors. */
bool volumes_event(struct volumes *v, int fd, unsigned events);
/** volumes_due(v, now): answer those whose binding has become ready or whose patience is
 * over, by the boot clock; when to come again, or -1.  Before each sleep of the loop. */
int64_t volumes_due(struct volumes *v, int64_t now);

/** volumes_plugin(v): its socket, which may serve others, too. */
struct plugin *volumes_plugin(const struct volumes *v);
/** volumes_driver(v): by what name Docker knows the plugin: that of the socket's file
 * without ".sock". */
const char *volumes_driver(const struct volumes *v);
/** volumes_binding(v, name): which binding the volume ${name} is, or NULL. */
const char *volumes_binding(const struct volumes *v, const char *name);
/** volumes_wants(v, binding): does a volume name it? */
bool volumes_wants(const struct volumes *v, const char *binding);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_CONTAINERS_H
#define AGENT_DOCKER_CONTAINERS_H
/*
 * containers - those that use bindings, as the Docker Engine knows them.
 *
 * One concerns us if it has the label vault.bind=NAME[,NAME], if its name is among those
 * that the settings give, or if it mounts something below run_dir.  The table is filled
 * by a list and kept by events; after the Engine was away, and now and then anyway, by
 * another list.  Labels and names are what somebody chose who may run containers here:
 * requests, not authority.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CONTAINERS_LABEL        "vault.bind"
#define CONTAINERS_MAX          1024u
#define CONTAINERS_BINDINGS_MAX 16u /* in one label */
#define CONTAINERS_MOUNTS_MAX   16u /* of ours in one container */

struct clock;
struct containers;
struct docker;
struct http_multi;

enum container_health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* Something of ours that a container mounts. */
struct container_mount {
	const char *binding;     /* the directory below run_dir; "": run_dir itself */
	const char *destination; /* in the container */
	const char *volume;      /* of ours, by its name; NULL: it is no volume */
	bool pinned; /* deeper than the binding's directory: it keeps an old generation
	                for ever */
};

struct container {
	const char *id;   /* 64 hex digits */
	const char *name; /* without the slash */
	const char *image;
	const char *image_id;
	const char *service; /* of Swarm or Compose, or "" */
	const char *project; /* stack or Compose project, or "" */
	const char *const
		*bindings; /* asked for by the label; checked names, each once */
	size_t n_bindings;
	const struct container_mount *mounts;
	size_t n_mounts;
	bool running; /* not while it waits to be restarted */
	enum container_health
		health;     /* HEALTH_NONE: no check; HEALTH_STARTING: not running, too */
	int64_t restarts;   /* by its restart policy */
	int64_t started_ms; /* wall time by the Engine's clock, 0: never, or unknown yet
	                     */
};

enum containers_change { CONTAINER_NEW, CONTAINER_CHANGED, CONTAINER_GONE };

struct containers_options {
	const char *socket;  /* the Engine's */
	const char *run_dir; /* of the agent */
	bool labels;         /* are labels honoured? */
	/* The Engine does not say where a volume of ours is: the name of the driver, NULL
	 * if there is none, and which binding a volume is; NULL: one that we do not know.
	 */
	const char *driver;
	const char *(*binding_of)(void *ctx, const char *volume);
	struct http_multi *multi;
	const struct clock *clock;
	/** changed(ctx, c, what): ${c} is borrowed for the call (and stays in the table
	 * unless CONTAINER_GONE).  A restart shows in started_ms, or as running false and
	 * true. */
	void (*changed)(void *ctx, const struct container *c,
	                enum containers_change what);
	/** listed(ctx): everything that runs is known, at first and after each time the
	 * Engine was away; NULL is allowed. */
	void (*listed)(void *ctx);
	void *ctx;
};

/** containers_new(o, out, e): strings are copied.  Makes its own client of the Engine. */
int containers_new(const struct containers_options *o, struct containers **out,
                   struct err *e) MUST_CHECK;
/** containers_free(t): no callbacks any more; before http_multi_free(); NULL is allowed.
 */
void containers_free(struct containers *t);

/** containers_name(t, names, n, e): from now on these are looked for by name; copied. */
int containers_name(struct containers *t, const char *const *names, size_t n,
                    struct err *e) MUST_CHECK;

/** containers_due(t, now): the table's and the client's work; see docker_due(). */
int64_t containers_due(struct containers *t, int64_t now);

/** containers_docker(t): for calls. */
struct docker *containers_docker(struct containers *t);
/** containers_known(t): was everything listed since the Engine answered last? */
bool containers_known(const struct containers *t);

/** containers_look(t): list everything once more; a number for the next two.
 * containers_looked(t, look): has that been done?  containers_answers(t, id, look): has
 * the Engine answered a question about the container since?  About one that it is
 * starting it does not until it runs. */
unsigned containers_look(struct containers *t);
bool containers_looked(const struct containers *t, unsigned look);
bool containers_answers(const struct containers *t, const char *id, unsigned look);

/** containers_count(t), containers_at(t, i): those that concern us, in no order; valid
 * until the next event. */
size_t containers_count(const struct containers *t);
const struct container *containers_at(const struct containers *t, size_t i);
/** containers_find(t, id), containers_by_name(t, name): or NULL. */
const struct container *containers_find(const struct containers *t, const char *id);
const struct container *containers_by_name(const struct containers *t, const char *name);

/** container_uses(c, binding): does its label ask for it or one of its mounts hold it? */
bool container_uses(const struct container *c, const char *binding);

/** container_health_name(h): "none", "starting", "healthy", "unhealthy". */
const char *container_health_name(enum container_health h);

/** containers_status(t): {engine, api, error, containers: [{id, name, image, running,
 * health, bindings, warning}]}, the caller's; NULL if out of memory. */
json_t *containers_status(const struct containers *t) MUST_CHECK;

#endif

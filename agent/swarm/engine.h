/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_ENGINE_H
#define AGENT_SWARM_ENGINE_H
/*
 * engine - what the machine wants done to a Swarm, done by a manager's Docker Engine.
 *
 * Each call of the machine becomes requests of the API, with the machine's words for how
 * they end: "update out of sequence" is a conflict, a Swarm without a leader means that
 * nobody knows.  One that only may have been done is looked for by its name, and what it
 * holds is compared by Docker itself, which never gives a value back but says whether
 * one that it is given is the same.
 *
 * A value passes from struct engine_ops to the body of one request, which is wiped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "machine.h"

#define ENGINE_VALUE_MAX 511999u /* bytes that Docker takes */

struct clock;
struct engine;
struct http_multi;

/* A secret that is to be made.  Borrowed for the call of the function. */
struct engine_secret {
	const char *path, *format; /* for its name */
	const char *fp;            /* fingerprint under a key that the vault alone has */
	uint64_t epoch;
	const void *value;
	size_t n;
	const char *driver; /* NULL: the Swarm has the value; else it asks this one */
};

/* What this Engine is in its Swarm. */
struct engine_about {
	bool manager; /* and its Swarm has a leader */
	bool leader;  /* it is that itself */
	char cluster[MACHINE_ID], node[MACHINE_ID];
	char why[MACHINE_REASON]; /* not: why */
};

typedef int (*engine_make_fn)(void *ctx, const struct engine_secret *s, struct err *e);

struct engine_ops {
	/** secret(ctx, call, make, make_ctx, e): call ${make} once with the value of that
	 * version, and return what it returns; ERR_NOENT: it cannot be had. */
	int (*secret)(void *ctx, const struct machine_call *call, engine_make_fn make,
	              void *make_ctx, struct err *e);
	/** about(ctx, a): the answer to engine_ask(). */
	void (*about)(void *ctx, const struct engine_about *a);
	/** event(ctx, service): something happened to it, or (NULL) to something else. */
	void (*event)(void *ctx, const char *service);
	/** seen(ctx, v): a service by a look; NULL: those were all that there are.  NULL:
	 * nobody wants to know. */
	void (*seen)(void *ctx, const struct machine_view *v);
	/** changed(ctx): the Engine answers again, or no longer. */
	void (*changed)(void *ctx);
	void *ctx;
};

struct engine_options {
	const char *socket;
	struct http_multi *multi;
	const struct clock *clock;
	struct engine_ops ops;
};

int engine_new(const struct engine_options *o, struct engine **out, struct err *e)
	MUST_CHECK;
/** engine_free(en): before http_multi_free(); NULL is allowed. */
void engine_free(struct engine *en);

/** engine_up(en): does the Engine answer? */
bool engine_up(const struct engine *en);
/** engine_ask(en): what is it?  Answered by ops.about(), soon. */
int engine_ask(struct engine *en, struct err *e) MUST_CHECK;

/** engine_serve(en, m, cluster): answers go to this machine from now on; NULL: nobody
 * wants those that are under way. */
void engine_serve(struct engine *en, struct machine *m, const char *cluster);
/** engine_start(en, call, e): as machine_ops.start(), for all but MACHINE_STORE. */
int engine_start(struct engine *en, const struct machine_call *call, struct err *e)
	MUST_CHECK;

/** engine_due(en, now): see docker_due(). */
int64_t engine_due(struct engine *en, int64_t now);

/** engine_calls(en): requests since the start. */
int64_t engine_calls(const struct engine *en);

#endif

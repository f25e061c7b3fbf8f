/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_SWARM_IMPL_H
#define AGENT_SESSION_SWARM_IMPL_H
/* session_swarm_impl - what session_swarm.c and session_swarm_value.c share. */
#include "agent/swarm/engine.h"
#include "agent/swarm/machine.h"
#include "session_impl.h"
#include "session_swarm.h"

/* A secret that is to be made, and waits for its value. */
struct swarm_create {
	struct swarm_create *next;
	struct machine_call call; /* its texts are in what follows */
	char name[LIMIT_NAME + 1];
	char secret[MACHINE_ID], secret_name[MACHINE_NAME];
	bool in_call;
};

/* A value, for as long as it takes to make secrets of it. */
struct swarm_value {
	struct swarm_value *next;
	char name[LIMIT_NAME + 1];
	int64_t version;
	struct arena *a;
	const char *p;
	size_t n;
	char fp[17];
	int64_t until;
};

/* A row that is to be stored. */
struct swarm_store {
	struct swarm_store *next;
	uint64_t token;
	json_t *row;
	bool in_call;
};

struct session_swarm {
	struct session *s;
	struct engine *engine;
	struct machine *m; /* while this host leads and has a plan */
	struct engine_about about;
	int64_t ask_at; /* the Engine, what it is */
	bool leader;
	int64_t epoch, ttl_ms;
	int64_t lead_at, lead_sent; /* when to ask; when that was done last */
	int64_t heard;              /* when the request left that made us leader last */
	char holder[LIMIT_NAME + 1];
	char error[SESSION_ERROR];
	bool want_plan;
	int64_t plan_at;
	json_t *bindings; /* of the plan, by name */
	json_t *looked;   /* what was said of looks: name: {version, services} */
	json_t *looks;    /* to be said */
	bool looks_in_call;
	int64_t said_ms; /* when it last said anything of itself to the vault */
	int64_t scan;    /* that was told */
	struct swarm_store *stores;
	struct swarm_create *creates;
	struct swarm_value *values;
};

/** swarm_values_clear(d): nothing waits for values, and none is kept. */
void swarm_values_clear(struct session_swarm *d);
/** swarm_value_note(d, name, b, before): the plan's binding, now and before (or NULL):
 * the same version may be another value now, of another secret or of other fields. */
void swarm_value_note(struct session_swarm *d, const char *name, const json_t *b,
                      const json_t *before);
/** swarm_values_due(d, now): drop old ones; when to come again, or -1. */
int64_t swarm_values_due(struct session_swarm *d, int64_t now);
/** swarm_create(d, call, e): with its value, or as soon as that was fetched. */
int swarm_create(struct session_swarm *d, const struct machine_call *call, struct err *e)
	MUST_CHECK;
/** swarm_secret(ctx, call, make, make_ctx, e): see engine_ops.secret. */
int swarm_secret(void *ctx, const struct machine_call *call, engine_make_fn make,
                 void *make_ctx, struct err *e);

#endif

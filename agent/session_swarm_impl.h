/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_SWARM_IMPL_H
#define AGENT_SESSION_SWARM_IMPL_H
/* session_swarm_impl - what session_swarm*.c and session_driver.c share. */
#include "agent/swarm/driver.h"
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
	bool driver; /* it waits until the driver has it */
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
	json_t *bindings; /* of the plan, each as its text, by name: a tenth of an object
	                   */
	json_t *looked;   /* what was said of looks, "version services", by name */
	json_t *looks;    /* to be said */
	bool looks_in_call;
	int64_t said_ms; /* when it last said anything of itself to the vault */
	uint64_t noted;  /* machine_changes() of what was told; 0: nothing */
	struct swarm_store *stores;
	struct swarm_create *creates;
	struct swarm_value *values;
	/* The secret driver (session_driver.c). */
	struct driver *driver; /* NULL: not wanted */
	json_t *driven;        /* bindings of the mode driver, by name */
	json_t *missed;        /* {name: version} that was asked for and is not current */
	bool known;            /* the vault has heard of this cluster */
	bool want_driven;
	int64_t driven_at;             /* when to ask again */
	int64_t driven_heard;          /* when that was answered last; 0: never */
	char fetching[LIMIT_NAME + 1]; /* the binding of an old version; "": others */
	int64_t fetching_version;
	int64_t tasks_at; /* when to say who was given what, at the earliest */
};

/** swarm_binding(d, name): the plan's binding, the caller's; NULL: there is none. */
json_t *swarm_binding(const struct session_swarm *d, const char *name) MUST_CHECK;
/** swarm_is_driver(b): does the plan's binding have the mode driver? */
bool swarm_is_driver(const json_t *b);
/** swarm_open(d, b, item, version, v, e): an item of a fetch, rendered, into ${v}, whose
 * arena is given; of the plan's binding ${b}, and no older than ${version}. */
int swarm_open(struct session_swarm *d, const json_t *b, const json_t *item,
               int64_t version, struct swarm_value *v, struct err *e) MUST_CHECK;
/** swarm_item(items, lease): the one of that lease, or NULL. */
const json_t *swarm_item(const json_t *items, const char *lease);
/** swarm_settle(d, name, version, rc, why): a value of the driver has come (ERR_OK), or
 * not: what waits for it goes on. */
void swarm_settle(struct session_swarm *d, const char *name, int64_t version, int rc,
                  const char *why);

/** swarm_driver_open(d, e): listen, if the settings want it.  swarm_driver_close(d). */
int swarm_driver_open(struct session_swarm *d, struct err *e) MUST_CHECK;
void swarm_driver_close(struct session_swarm *d);
/** swarm_driver_cluster(d): the Engine said what it is. */
void swarm_driver_cluster(struct session_swarm *d);
/** swarm_driver_forget(d, why): it knows no binding and has no value any more. */
void swarm_driver_forget(struct session_swarm *d, const char *why);
/** swarm_driver_due(d, now): when to come again, or -1. */
int64_t swarm_driver_due(struct session_swarm *d, int64_t now);
/** swarm_driver_name(d): that Docker knows it by; NULL: there is none, or it cannot serve
 * now. */
const char *swarm_driver_name(const struct session_swarm *d);

/** swarm_stop(d, why): this host does not lead any more. */
void swarm_stop(struct session_swarm *d, const char *why);
/** swarm_is_here(d, data): is that answer about the Swarm that this Engine is in now? */
bool swarm_is_here(const struct session_swarm *d, const json_t *data);
/** swarm_still_leads(d, data): what each answer says: it is this host, still with the
 * same epoch.  false: it has stopped. */
bool swarm_still_leads(struct session_swarm *d, const json_t *data);
/** swarm_moment(d): for what is said; never the same twice: what is held back on its way
 * is older than what was heard. */
int64_t swarm_moment(struct session_swarm *d);
/** swarm_forget(d, name): there is no such binding any more, or it is another. */
void swarm_forget(struct session_swarm *d, const char *name);
/** swarm_note_looks(d): of how many services each binding is, if that is news. */
void swarm_note_looks(struct session_swarm *d);
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

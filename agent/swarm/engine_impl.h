/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_ENGINE_IMPL_H
#define AGENT_SWARM_ENGINE_IMPL_H
/* engine_impl - what the files of the module share; nobody else includes it. */
#include "agent/docker/docker.h"
#include "engine.h"
#include "names.h"
#include "spec.h"
#include "view.h"

#define PATH_SIZE 160

struct engine {
	struct engine_options o;
	struct docker *docker;
	struct machine *m;
	char cluster[MACHINE_ID];
	unsigned serving; /* which machine; another number, another machine */
	struct engine_about about;
	int64_t calls;
	struct task *tasks;
};

enum step {
	STEP_CREATE,  /* then, if the name is taken: */
	STEP_READ,    /* whose is it?  Or, of one with our labels, at once: */
	STEP_COMPARE, /* ours: has it the value? */
	STEP_SECRETS,
	STEP_SERVICES,
	STEP_TASKS,
	STEP_GET,
	STEP_POST,
	STEP_DELETE,
	STEP_INFO, /* from here on: not for the machine */
	STEP_NODES,
};

/* A call of the machine, through all of its requests. */
struct task {
	struct task *next;
	struct engine *en;
	enum step step;
	bool adopting; /* it was found by its labels, whatever its name */
	unsigned serving;
	uint64_t token;
	struct machine_call call; /* its texts are in what follows */
	char binding[128], service[MACHINE_ID], id[MACHINE_ID];
	char name[SWARM_NAME_MAX + 1];
	json_t *labels, *spec, *ids, *secrets;
	uint64_t index;
	struct spec_ref refs[MACHINE_REFS];
	char *texts[MACHINE_REFS][5];
	struct view *view;
};

void engine_task_free(struct task *t);
/** engine_wanted(t): does somebody still wait for its answer? */
bool engine_wanted(const struct task *t);
/** engine_finish(t, rc, why): that is how it has ended; it is gone. */
void engine_finish(struct task *t, int rc, const char *why);
/** engine_meaning(r): the machine's word for how a request ended. */
int engine_meaning(const struct docker_result *r);
/** engine_leaderless(r): has the Swarm no leader, or no majority of its managers?  Then
 * it can do nothing. */
bool engine_leaderless(const struct docker_result *r);
/** engine_list(t, step, what, filters, each, e): ask for a list; ${what} ends with '?' or
 * '&'; takes over ${filters}, which may be NULL. */
int engine_list(struct task *t, enum step step, const char *what, json_t *filters,
                docker_item_fn each, struct err *e) MUST_CHECK;
/** engine_copy_id(to, s): "" if it is none. */
void engine_copy_id(char to[MACHINE_ID], const char *s);

/** engine_get(t, step, path, doc, e), engine_post(…, body, …): ask; takes over the
 * ${body}, which is wiped; NULL: out of memory. */
int engine_get(struct task *t, enum step step, const char *path, bool doc, struct err *e)
	MUST_CHECK;
int engine_post(struct task *t, enum step step, const char *path, char *body, bool doc,
                struct err *e) MUST_CHECK;
/** engine_body(o): its text, for engine_post(). */
char *engine_body(const json_t *o) MUST_CHECK;

/* Secrets (engine_secret.c). */
/** engine_send_value(ctx, s, e): for engine_ops.secret(): make it, or compare the one
 * that was read. */
int engine_send_value(void *ctx, const struct engine_secret *s, struct err *e) MUST_CHECK;
/** engine_made(t, r), engine_read(t, r), engine_compared(t, r): the answers. */
void engine_made(struct task *t, const struct docker_result *r);
void engine_read(struct task *t, const struct docker_result *r);
void engine_compared(struct task *t, const struct docker_result *r);

/* Looking (engine_look.c). */
/** engine_look(t, c, e): begin. */
int engine_look(struct task *t, const struct machine_call *c, struct err *e) MUST_CHECK;
/** engine_looked(t, r): a list has ended. */
void engine_looked(struct task *t, const struct docker_result *r);
/** engine_info(t, r): what the Engine says of its Swarm.  engine_told(t, why): that is
 * all; ${why} is "" or what went wrong. */
void engine_info(struct task *t, const struct docker_result *r);
void engine_told(struct task *t, const char *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_APPLY_H
#define AGENT_DOCKER_APPLY_H
/*
 * docker_apply - what agent/apply wants done to containers, done by the Docker Engine:
 * signals, restarts, commands in a container, stops, and looks at its health.
 *
 * To be put between the two: apply_ops.start hands every call but APPLY_EXEC to
 * docker_apply_start(); done and looked hand the answers to apply_done() and
 * apply_looked(); each change in the table of containers goes through
 * docker_apply_describe() to apply_container(), and containers_known() to apply_engine().
 *
 * What a command says is counted and thrown away: it may hold values.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/apply/apply.h"
#include "err.h"

struct clock;
struct container;
struct docker;
struct docker_apply;
struct settings_binding;

struct docker_apply_options {
	struct docker *docker;
	const struct clock *clock;
	/** done(ctx, token, rc, detail), looked(ctx, token, look): one of them once for
	 * each call that was begun, from docker_due() or from inside libcurl; see
	 * apply_done() and apply_looked(). */
	void (*done)(void *ctx, uint64_t token, int rc, const char *detail);
	void (*looked)(void *ctx, uint64_t token, const struct apply_look *look);
	void *ctx;
};

int docker_apply_new(const struct docker_apply_options *o, struct docker_apply **out,
                     struct err *e) MUST_CHECK;
/** docker_apply_free(p): nobody hears of what is under way; before the client of the
 * Engine is freed; NULL is allowed. */
void docker_apply_free(struct docker_apply *p);

/** docker_apply_start(p, call, b, dir, e): begin, as struct apply_ops demands of start().
 * ${b} says which signal and command; ${dir} is where the container has the files
 * (VAULT_DIR of its command), or NULL.  ERR_UNREACHABLE: the Engine is away. */
int docker_apply_start(struct docker_apply *p, const struct apply_call *call,
                       const struct settings_binding *b, const char *dir, struct err *e)
	MUST_CHECK;

/** docker_apply_describe(c, clock, out): the container in the words of agent/apply;
 * borrows from ${c}.  Which bindings it uses is for the caller to say: none yet. */
void docker_apply_describe(const struct container *c, const struct clock *clock,
                           struct apply_container *out);

/** docker_apply_read(doc, clock, out): what an inspection tells; false: nothing that can
 * be understood. */
bool docker_apply_read(const json_t *doc, const struct clock *clock,
                       struct apply_look *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_APPLY_IMPL_H
#define AGENT_SESSION_APPLY_IMPL_H
/* session_apply_impl - what session_apply.c and session_apply_docker.c share. */
#include "agent/apply/apply.h"
#include "session_apply.h"
#include "session_impl.h"

struct docker_apply;

struct session_apply {
	struct session *s;
	struct apply *machine;
	struct docker_apply *docker; /* NULL: none is configured */
	int hook_fd;                 /* watched, or -1 */
	/* Bindings of the plan that the machine was told of. */
	size_t n_names;
	char **names;
};

/* Containers (session_apply_docker.c). */
/** apply_docker_open(p, e): follow them, if there is Docker. */
int apply_docker_open(struct session_apply *p, struct err *e) MUST_CHECK;
void apply_docker_close(struct session_apply *p);
/** apply_docker_start(p, call, b, e): as apply_ops.start, for all but APPLY_EXEC. */
int apply_docker_start(const struct session_apply *p, const struct apply_call *call,
                       const struct settings_binding *b, struct err *e) MUST_CHECK;
/** apply_docker_describe_all(p): tell the machine again which container uses what. */
void apply_docker_describe_all(struct session_apply *p);

#endif

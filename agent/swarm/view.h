/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_VIEW_H
#define AGENT_SWARM_VIEW_H
/*
 * view - what Docker says of services and tasks, reduced to what the machine wants to
 * know.  Pure; what cannot be read is left out.
 */
#include <jansson.h>

#include "machine.h"

struct engine_ops;
struct view;

/** view_new(): nothing was said yet; NULL: out of memory. */
struct view *view_new(void);
/** view_free(v): NULL is allowed. */
void view_free(struct view *v);

/** view_service(v, item), view_task(v, item): an item of a list; services first.  A task
 * of a service that is not there stands for one without a name. */
void view_service(struct view *v, const json_t *item);
void view_task(struct view *v, const json_t *item);

/** view_show(v, m, now, ops, e): all services to the machine, and to ops.seen()
 * (NULL: to nobody). */
int view_show(const struct view *v, struct machine *m, int64_t now,
              const struct engine_ops *ops, struct err *e) MUST_CHECK;

/** view_secret(item, cluster, out): a secret of ours; borrows from ${item}; false: it is
 * none. */
bool view_secret(const json_t *item, const char *cluster, struct machine_secret *out);

#endif
